/* What a function of storage says when it has failed, to people. */
#ifndef DRYDOCK_STORAGE_ERR_H
#define DRYDOCK_STORAGE_ERR_H

/* A cause in words, for people; untouched on success. */
struct err {
	char text[512];
};

#endif
