/*
 * Lines are built on the stack and written at once. Text: "PutManifest team/app v1 201 3.1ms". Whatever
 * came from outside is escaped in both formats, so that a request cannot forge a line.
 */
#include "server/log.h"

#include "protocol/json.h"

#include <stdarg.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, SHOWN_MAX = 512 };

static enum log_level threshold = LOG_LEVEL_INFO;
static enum log_format line_format = LOG_FORMAT_TEXT;

void log_setup(enum log_level level, enum log_format format)
{
	threshold = level;
	line_format = format;
}

bool log_wants(enum log_level level)
{
	return level <= threshold;
}

static void write_line(struct buf *line)
{
	struct slice text;

	buf_putc(line, '\n');
	text = buf_slice(line);
	while (text.len) {
		ssize_t n = write(STDERR_FILENO, text.at, text.len);

		if (n <= 0)
			return;
		text = slice_skip(text, (size_t)n);
	}
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};

	return names[level];
}

/* RFC 3339 in UTC with milliseconds: real time, not Drydock's clock. */
static void put_time(struct buf *line)
{
	struct timespec now;
	struct tm tm;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(line, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

/* Printable ASCII as it is, anything else as \xHH. */
static void put_shown(struct buf *line, struct slice s)
{
	size_t len = s.len < SHOWN_MAX ? s.len : SHOWN_MAX;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s.at[i];

		if (c > 0x20 && c < 0x7f)
			buf_putc(line, (char)c);
		else if (c == ' ')
			buf_putc(line, ' ');
		else
			buf_printf(line, "\\x%02x", c);
	}
}

static void put_word(struct buf *line, struct slice s)
{
	if (s.len == 0)
		return;
	buf_putc(line, ' ');
	put_shown(line, s);
}

/* A JSON string of possibly hostile bytes, shown as in the text format. */
static void put_json_shown(struct json_writer *w, const char *name, struct slice s, struct arena *a)
{
	struct buf shown;

	if (!s.at || s.len == 0)
		return;
	buf_init(&shown, a, 4 * SHOWN_MAX, 64);
	put_shown(&shown, s);
	json_put_str(w, name, buf_slice(&shown));
}

void log_say(enum log_level level, const char *format, ...)
{
	struct arena a;
	struct buf line;
	va_list args;
	char *text;

	if (!log_wants(level))
		return;
	arena_init(&a);
	buf_init(&line, &a, LINE_MAX_BYTES, 256);
	va_start(args, format);
	text = arena_vprintf(&a, format, args);
	va_end(args);
	if (line_format == LOG_FORMAT_JSON) {
		struct json_writer w;

		json_begin(&w, &line);
		json_object(&w);
		json_key(&w, "time");
		buf_putc(&line, '"');
		put_time(&line);
		buf_putc(&line, '"');
		w.comma = true;
		json_put_cstr(&w, "level", level_name(level));
		put_json_shown(&w, "message", slice_str(text), &a);
		json_object_end(&w);
	} else {
		put_time(&line);
		buf_printf(&line, " %s ", level_name(level));
		put_shown(&line, slice_str(text));
	}
	write_line(&line);
	arena_release(&a);
}

static void put_request_text(struct buf *line, const struct log_request *r)
{
	put_time(line);
	if (r->operation) {
		buf_printf(line, " %s", r->operation);
	} else {
		put_word(line, r->method);
		put_word(line, r->target);
	}
	put_word(line, r->repository);
	put_word(line, r->reference);
	buf_printf(line, " %d %.1fms", r->status, (double)r->duration_us / 1000.0);
	if (r->error)
		buf_printf(line, " %s", r->error);
	if (r->cause.len) {
		buf_puts(line, " (");
		put_shown(line, r->cause);
		buf_putc(line, ')');
	}
}

static void put_request_json(struct buf *line, const struct log_request *r, struct arena *a)
{
	struct json_writer w;

	json_begin(&w, line);
	json_object(&w);
	json_key(&w, "time");
	buf_putc(line, '"');
	put_time(line);
	buf_putc(line, '"');
	w.comma = true;
	json_put_cstr(&w, "level", r->status >= 500 ? "error" : "info");
	json_put_cstr(&w, "operation", r->operation);
	put_json_shown(&w, "method", r->method, a);
	put_json_shown(&w, "target", r->target, a);
	put_json_shown(&w, "repository", r->repository, a);
	put_json_shown(&w, "reference", r->reference, a);
	json_put_num(&w, "status", r->status);
	json_put_cstr(&w, "error", r->error);
	put_json_shown(&w, "cause", r->cause, a);
	json_put_num(&w, "duration_us", r->duration_us);
	json_put_num(&w, "bytes_in", (int64_t)r->bytes_in);
	json_put_num(&w, "bytes_out", (int64_t)r->bytes_out);
	json_put_cstr(&w, "request_id", r->request_id);
	json_object_end(&w);
}

void log_request(const struct log_request *r)
{
	struct arena a;
	struct buf line;

	if (!log_wants(r->status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO))
		return;
	arena_init(&a);
	buf_init(&line, &a, LINE_MAX_BYTES, 512);
	if (line_format == LOG_FORMAT_JSON)
		put_request_json(&line, r, &a);
	else
		put_request_text(&line, r);
	write_line(&line);
	arena_release(&a);
}
