/* Folders of the fault tests, and the numbers that their environment gives them. */
#ifndef DRYDOCK_TESTS_FAULTS_FOLDER_H
#define DRYDOCK_TESTS_FAULTS_FOLDER_H

/* Where folders are made: in memory, where there is a folder of it, as flushing costs nothing there. */
const char *folder_base(void);
void folder_make(char folder[64]);
void folder_remove(const char *folder);
/* What a variable of the environment says, or otherwise. */
unsigned number_of(const char *variable, unsigned otherwise);

#endif
