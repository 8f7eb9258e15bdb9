#include "server/iam_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool read_file(const char *path, struct arena *a, struct slice *out)
{
	size_t room = IAM_CONFIG_BYTES_MAX + 1; /* one too many is seen by what parses it */
	FILE *file = fopen(path, "re");
	char *text;
	bool good;

	if (!file)
		return false;
	text = arena_alloc(a, room);
	*out = slice_of(text, fread(text, 1, room, file));
	good = !ferror(file);
	fclose(file);
	return good;
}

bool iam_file_read(const char *path, struct arena *a, struct iam_config *out, struct err *err)
{
	struct slice text, why;

	if (!read_file(path, a, &text)) {
		snprintf(err->text, sizeof(err->text), "--iam %s cannot be read: %s", path,
		    strerror(errno));
		return false;
	}
	if (iam_config_parse(text, a, out, &why))
		return true;
	snprintf(err->text, sizeof(err->text), "--iam %s: %.*s", path, SLICE_ARG(why));
	return false;
}
