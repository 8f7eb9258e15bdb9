/* The file of --iam: read once at start, constant afterwards. */
#ifndef DRYDOCK_SERVER_IAM_FILE_H
#define DRYDOCK_SERVER_IAM_FILE_H

#include "protocol/iam_config.h"
#include "storage/store.h"

/* What *out holds is in the arena. False with a sentence in *err that names the file and the member. */
bool iam_file_read(const char *path, struct arena *a, struct iam_config *out, struct err *err);

#endif
