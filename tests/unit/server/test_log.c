/* Log lines: each whole whatever is in it, and nobody waits for whoever reads them. */
#include "server/log.h"

#include "protocol/json.h"
#include "server/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIPE_BYTES = 65536, TEXTS_MAX = 1400 };

/* Standard error is a pipe between these two; nothing is asserted in between, as cmocka speaks there. */
static int real_stderr = -1, reading = -1;

static void begin(int flags)
{
	int ends[2];

	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	assert_int_equal(pipe2(ends, flags), 0);
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reading = ends[0];
}

static void end(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(reading);
}

/* So many lines from the pipe, or what there is when nothing comes for long. */
static char *read_lines(size_t lines, size_t max)
{
	struct pollfd p = {.fd = reading, .events = POLLIN};
	char *text = malloc(max + 1);
	size_t len = 0;

	while (lines > 0 && len < max && poll(&p, 1, 10000) == 1) {
		ssize_t n = read(reading, text + len, max - len);

		for (ssize_t i = 0; i < n && lines > 0; i++)
			lines -= text[len + (size_t)i] == '\n';
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	return text;
}

/* All that is in the pipe now: without the log's thread a line is, once it was said. */
static char *read_now(void)
{
	struct pollfd p = {.fd = reading, .events = POLLIN};
	char *text = calloc(1, 2 * LOG_LINE_MAX + 1);

	if (poll(&p, 1, 0) == 1 && read(reading, text, 2 * LOG_LINE_MAX) < 0)
		text[0] = '\0';
	return text;
}

static void whole_text(const char *line)
{
	const char *newline = strchr(line, '\n');

	assert_non_null(newline);
	assert_string_equal(newline, "\n");
	assert_non_null(strstr(line, " 404 1.5ms"));
}

static void whole_json(const char *line)
{
	const char *newline = strchr(line, '\n');
	cJSON *json;

	assert_non_null(newline);
	assert_string_equal(newline, "\n");
	json = json_parse(slice_of(line, (size_t)(newline - line)));
	assert_non_null(json);
	assert_int_equal(json_int(json, "status", 0), 404);
	assert_int_equal(json_int(json, "duration_us", 0), 1500);
	assert_true(slice_is(json_string(json, "request_id"), "the-id"));
	cJSON_Delete(json);
}

/* Five texts of that many bytes each; the line that is made of them. */
static char *line_of(enum log_format format, unsigned char byte, size_t len)
{
	char text[TEXTS_MAX] = {0}, *line;
	struct slice s = slice_of(text, len);
	struct log_request r = {.method = s,
	    .target = s,
	    .repository = s,
	    .reference = s,
	    .cause = s,
	    .error = "NAME_UNKNOWN",
	    .request_id = "the-id",
	    .status = 404,
	    .bytes_in = UINT64_MAX / 2,
	    .bytes_out = UINT64_MAX / 2,
	    .duration_us = 1500};

	memset(text, byte, sizeof(text));
	log_setup(LOG_LEVEL_INFO, format);
	begin(O_CLOEXEC);
	log_request(&r);
	line = read_now();
	end();
	return line;
}

static void every_length_makes_a_whole_line(void **state)
{
	static const unsigned char bytes[] = {'a', '"', '\\', 0xff, '\n'};

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		for (size_t len = 0; len <= TEXTS_MAX; len += len < 700 ? 1 : 50) {
			char *text = line_of(LOG_FORMAT_TEXT, bytes[i], len);
			char *json = line_of(LOG_FORMAT_JSON, bytes[i], len);

			whole_text(text);
			whole_json(json);
			free(text);
			free(json);
		}
	}
}

static void a_text_that_is_cut_says_so(void **state)
{
	char *line = line_of(LOG_FORMAT_TEXT, 0xff, 600);

	(void)state;
	assert_non_null(strstr(line, "\\xff... \\xff"));
	free(line);
	line = line_of(LOG_FORMAT_TEXT, 'a', 256);
	assert_null(strstr(line, "..."));
	free(line);
}

static void a_long_message_is_a_whole_line(void **state)
{
	static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};
	char message[2 * LOG_LINE_MAX];

	(void)state;
	memset(message, '"', sizeof(message));
	message[sizeof(message) - 1] = '\0';
	for (size_t i = 0; i < 2; i++) {
		log_setup(LOG_LEVEL_INFO, formats[i]);
		begin(O_CLOEXEC);
		log_say(LOG_LEVEL_ERROR, "%s", message);
		char *line = read_now();
		end();
		const char *newline = strchr(line, '\n');
		assert_non_null(newline);
		assert_string_equal(newline, "\n");
		cJSON *json = json_parse(slice_of(line, (size_t)(newline - line)));
		assert_int_equal(json != NULL, formats[i] == LOG_FORMAT_JSON);
		cJSON_Delete(json);
		free(line);
	}
}

/* ---- from here on with the log's thread ---- */

/* How many lines there are; each must be whole, and their numbers rise. */
static size_t count_numbered(const char *text, unsigned long *last)
{
	size_t count = 0;

	*last = 0;
	for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
		unsigned long number;

		assert_non_null(strchr(at, '\n'));
		if (sscanf(at, "%*s info number %lu is said\n", &number) != 1)
			fail_msg("\"%.100s\"", at);
		assert_true(number > *last);
		*last = number;
		count++;
	}
	return count;
}

/* 40,000 lines into a pipe of 64 KiB that is not read until they are said: a program that waits hangs here. */
static void nobody_waits_for_a_reader(void **state)
{
	enum { SAID = 40000 };
	uint64_t lost = log_out_lost();
	unsigned long last;
	char *text, *next;

	(void)state;
	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	alarm(60);
	begin(O_CLOEXEC);
	for (unsigned long n = 1; n <= SAID; n++)
		log_say(LOG_LEVEL_INFO, "number %lu is said", n);
	lost = log_out_lost() - lost;
	text = read_lines(SAID - lost, (size_t)SAID * 100);
	log_say(LOG_LEVEL_INFO, "number %lu is said", (unsigned long)SAID + 1);
	next = read_lines(2, LOG_LINE_MAX);
	end();
	alarm(0);
	assert_true(lost > 0);
	assert_int_equal(count_numbered(text, &last), SAID - lost);
	assert_true(strlen(text) > LOG_QUEUE_BYTES);
	char *said = NULL;
	assert_true(asprintf(&said, " warn %llu lines of the log were lost here: nobody read it\n",
			(unsigned long long)lost) > 0);
	assert_non_null(strstr(next, said));
	assert_int_equal(count_numbered(strchr(next, '\n') + 1, &last), 1);
	free(said);
	free(next);
	free(text);
}

enum { THREADS = 4, EACH = 3000 };

static void *say_many(void *arg)
{
	for (unsigned long n = 1; n <= EACH; n++)
		log_say(LOG_LEVEL_INFO, "thread %zu says %lu", (size_t)(uintptr_t)arg, n);
	return NULL;
}

/* Every line of several threads, each thread's in order, by a reader that comes late. */
static void all_lines_arrive(int flags)
{
	unsigned long next[THREADS] = {0};
	uint64_t lost = log_out_lost();
	pthread_t threads[THREADS];
	char *text;

	log_setup(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
	begin(flags);
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, say_many, (void *)(uintptr_t)i);
	text = read_lines((size_t)THREADS * EACH, (size_t)THREADS * EACH * 100);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	end();
	assert_int_equal(log_out_lost(), lost);
	for (const char *at = text; *at; at = strchr(at, '\n') + 1) {
		size_t thread;
		unsigned long number;

		assert_non_null(strchr(at, '\n'));
		assert_int_equal(sscanf(at, "%*s info thread %zu says %lu\n", &thread, &number), 2);
		assert_true(thread < THREADS);
		assert_int_equal(number, ++next[thread]);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(next[i], EACH);
	free(text);
}

static void no_line_is_lost_in_the_ordinary_case(void **state)
{
	(void)state;
	all_lines_arrive(O_CLOEXEC);
}

/* Somebody else may have made it so. */
static void nor_where_standard_error_does_not_block(void **state)
{
	(void)state;
	all_lines_arrive(O_CLOEXEC | O_NONBLOCK);
}

static void *read_later(void *arg)
{
	poll(NULL, 0, 100);
	*(char **)arg = read_lines(3000, LOG_QUEUE_BYTES);
	return NULL;
}

static void the_end_waits_for_what_was_said(void **state)
{
	enum { SAID = 3000 };
	unsigned long last;
	pthread_t reader;
	char *text;

	(void)state;
	begin(O_CLOEXEC);
	for (unsigned long n = 1; n <= SAID; n++)
		log_say(LOG_LEVEL_INFO, "number %lu is said", n);
	pthread_create(&reader, NULL, read_later, &text);
	log_out_end();
	dup2(real_stderr, STDERR_FILENO);
	pthread_join(reader, NULL);
	end();
	assert_int_equal(count_numbered(text, &last), SAID);
	free(text);
}

/* Where nobody reads, the end comes all the same. */
static void the_end_does_not_wait_for_ever(void **state)
{
	(void)state;
	alarm(60);
	begin(O_CLOEXEC);
	for (unsigned long n = 1; n <= 3000; n++)
		log_say(LOG_LEVEL_INFO, "number %lu is said", n);
	log_out_end();
	free(read_lines(3000, LOG_QUEUE_BYTES));
	end();
	alarm(0);
}

static int start(void **state)
{
	(void)state;
	log_out_start();
	return 0;
}

int main(void)
{
	const struct CMUnitTest lines[] = {
	    cmocka_unit_test(every_length_makes_a_whole_line),
	    cmocka_unit_test(a_text_that_is_cut_says_so),
	    cmocka_unit_test(a_long_message_is_a_whole_line),
	};
	const struct CMUnitTest ways[] = {
	    cmocka_unit_test(nobody_waits_for_a_reader),
	    cmocka_unit_test(no_line_is_lost_in_the_ordinary_case),
	    cmocka_unit_test(nor_where_standard_error_does_not_block),
	    cmocka_unit_test(the_end_waits_for_what_was_said),
	    cmocka_unit_test(the_end_does_not_wait_for_ever),
	};
	int failed = cmocka_run_group_tests(lines, NULL, NULL);

	return failed + cmocka_run_group_tests(ways, start, NULL);
}
