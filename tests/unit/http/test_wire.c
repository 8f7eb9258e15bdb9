/*
 * Wire cases: each testdata/http/NAME.txt holds bytes to send and the answers to expect. Every case
 * runs twice: byte by byte, and sent at once.
 *
 *	# a comment
 *	> bytes       with \r \n \t \0 \\ and \xHH; nothing is added at the end of the line
 *	< 400         the status of the next answer; behind a blank the beginning of its body
 *	< closed      the connection ends; without this line, it must still answer a request
 */
#include "tests/unit/http/toy.h"

#include <dirent.h>

#ifndef DRYDOCK_TESTDATA
#define DRYDOCK_TESTDATA "testdata"
#endif

#define EXPECTED_MAX 16

struct wire_case {
	char *bytes;
	size_t len;
	char expected[EXPECTED_MAX][128];
	int expected_count;
	bool closed;
};

static size_t unescape(char *to, const char *line)
{
	size_t n = 0;
	unsigned hex;

	for (; *line && *line != '\n'; line++) {
		if (*line != '\\') {
			to[n++] = *line;
			continue;
		}
		switch (*++line) {
		case 'r':
			to[n++] = '\r';
			break;
		case 'n':
			to[n++] = '\n';
			break;
		case 't':
			to[n++] = '\t';
			break;
		case '0':
			to[n++] = '\0';
			break;
		case '\\':
			to[n++] = '\\';
			break;
		case 'x':
			assert_int_equal(sscanf(line + 1, "%2x", &hex), 1);
			to[n++] = (char)hex;
			line += 2;
			break;
		default:
			fail_msg("unknown escape \\%c", *line);
		}
	}
	return n;
}

static void case_line(struct wire_case *w, const char *line)
{
	if (line[0] == '>') {
		w->bytes = realloc(w->bytes, w->len + strlen(line));
		assert_non_null(w->bytes);
		w->len += unescape(w->bytes + w->len, line + 2);
	} else if (strcmp(line, "< closed\n") == 0) {
		w->closed = true;
	} else if (line[0] == '<') {
		assert_true(w->expected_count < EXPECTED_MAX && !w->closed);
		snprintf(w->expected[w->expected_count++], sizeof(w->expected[0]), "%.*s",
		    (int)strcspn(line + 2, "\n"), line + 2);
	} else {
		assert_true(line[0] == '#' || line[0] == '\n');
	}
}

static struct wire_case case_read(const char *path)
{
	struct wire_case w = {0};
	FILE *f = fopen(path, "r");
	char line[4096];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		case_line(&w, line);
	fclose(f);
	return w;
}

static void case_send(const struct wire_case *w, struct client *c, size_t step)
{
	for (size_t at = 0; at < w->len; at += step) {
		client_send(c, w->bytes + at, step < w->len - at ? step : w->len - at);
		if (step < w->len)
			usleep(20);
	}
}

/* False when what came is not what the case says. */
static bool case_answered(const struct wire_case *w, struct client *c, const char *name)
{
	for (int i = 0; i < w->expected_count; i++) {
		struct answer a = client_answer(c, true);
		char got[256];

		snprintf(got, sizeof(got), "%d %s", a.status, a.body ? a.body : "");
		answer_free(&a);
		got[strcspn(got, "\r\n")] = '\0';
		if (strncmp(got, w->expected[i], strlen(w->expected[i])) != 0) {
			print_error("%s: answer %d: '%s', expected '%s'\n", name, i + 1, got,
			    w->expected[i]);
			return false;
		}
	}
	if (w->closed)
		return !client_fill(c);
	client_say(c, "GET /still/alive HTTP/1.1\r\nHost: here\r\n\r\n");
	expect(c, 200, "GET /still/alive? here");
	return true;
}

static int run_case(const char *path, const char *name)
{
	struct wire_case w = case_read(path);
	int failed = 0;

	for (int once = 0; once < 2; once++) {
		struct client c = client_open();

		case_send(&w, &c, once ? w.len : 1);
		if (!case_answered(&w, &c, name)) {
			print_error("%s: failed (%s)\n", name, once ? "at once" : "by bytes");
			failed++;
		}
		client_close(&c);
	}
	free(w.bytes);
	return failed;
}

static void test_wire_cases(void **state)
{
	DIR *dir = opendir(DRYDOCK_TESTDATA "/http");
	struct dirent *entry;
	int failed = 0, cases = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		char path[512];
		size_t len = strlen(entry->d_name);

		if (len < 5 || strcmp(entry->d_name + len - 4, ".txt") != 0)
			continue;
		snprintf(path, sizeof(path), DRYDOCK_TESTDATA "/http/%s", entry->d_name);
		failed += run_case(path, entry->d_name);
		cases++;
	}
	closedir(dir);
	assert_int_equal(failed, 0);
	assert_true(cases > 50);
}

static int setup(void **state)
{
	(void)state;
	toy_open((struct http_options){0});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	toy_close();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_wire_cases)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
