#include "server/upkeep/upkeep.h"

#include <stdio.h>

enum { FORWARDED_MAX = 32 };

/* True when argv[*i] is one of the verb's own; then it has been taken. */
static bool take_word(const struct upkeep_word *words, int argc, char **argv, int *i)
{
	for (const struct upkeep_word *w = words; w->name; w++) {
		size_t len = strlen(w->name);

		if (strncmp(argv[*i], w->name, len) != 0)
			continue;
		if (w->flag && argv[*i][len] == '\0') {
			*w->flag = true;
			return true;
		}
		if (w->value && argv[*i][len] == '=') {
			*w->value = argv[*i] + len + 1;
			return true;
		}
		if (w->value && argv[*i][len] == '\0' && *i + 1 < argc) {
			*w->value = argv[++*i];
			return true;
		}
	}
	return false;
}

bool upkeep_read(
    struct config *config, const struct upkeep_word *words, int argc, char **argv, struct err *err)
{
	char *forwarded[FORWARDED_MAX];
	int count = 0;

	for (int i = 0; i < argc; i++) {
		if (take_word(words, argc, argv, &i))
			continue;
		if (count == FORWARDED_MAX)
			return archive_fail(err, "there are too many options");
		forwarded[count++] = argv[i];
	}
	return config_read(config, count, forwarded, err->text, sizeof(err->text));
}

const char *upkeep_bytes(uint64_t bytes, char text[32])
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(text, 32, "%u bytes", (unsigned)bytes);
		return text;
	}
	for (; value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		value /= 1024;
	snprintf(text, 32, "%.1f %s", value, units[unit]);
	return text;
}
