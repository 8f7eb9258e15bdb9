/*
 * How a log line is made. Text: "PutManifest team/app v1 201 3.1ms"; or a JSON object.
 *
 * Whatever came from outside is escaped in both formats, so that a request cannot forge a line, and has an
 * allowance of SHOWN_MAX bytes as they stand in the line, escapes counted; what is longer ends in "...". There are at
 * most five such texts in a line, and what they leave of LOG_LINE_MAX is more than all the rest takes: so a line
 * is always whole, with its status, its duration, the closing bracket and the newline.
 */
#include "server/log.h"

#include "protocol/json.h"
#include "server/log_out.h"

#include <assert.h>
#include <stdarg.h>
#include <time.h>

enum { SHOWN_MAX = 640, MESSAGE_MAX = 5 * SHOWN_MAX };
static_assert(5 * SHOWN_MAX + 800 < LOG_LINE_MAX, "a request's texts leave room for its numbers");

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

/*
 * A byte as it is shown, at `text`; its length. Printable ASCII as it is, anything else as \xHH; in JSON quotes
 * and backslashes have a backslash before them.
 */
static size_t show_byte(char text[8], unsigned char c, bool in_json)
{
	size_t len = 0;

	if (c >= 0x20 && c < 0x7f) {
		if (in_json && (c == '"' || c == '\\'))
			text[len++] = '\\';
		text[len++] = (char)c;
		return len;
	}
	return (size_t)snprintf(text, 8, in_json ? "\\\\x%02x" : "\\x%02x", c);
}

/* As much of it as max bytes of the line hold. */
static void put_shown(struct buf *line, struct slice s, size_t max, bool in_json)
{
	static const char cut[3] = "...";
	size_t used = 0, fits = 0; /* fits: how far it may go when it must end in "..." */
	char *at = buf_reserve(line, max);

	for (size_t i = 0; at && i < s.len; i++) {
		char text[8];
		size_t len = show_byte(text, (unsigned char)s.at[i], in_json);

		if (used + len > max) {
			memcpy(at + fits, cut, sizeof(cut));
			used = fits + sizeof(cut);
			break;
		}
		for (size_t j = 0; j < len; j++)
			at[used++] = text[j];
		if (used + sizeof(cut) <= max)
			fits = used;
	}
	line->len += used;
}

static void put_word(struct buf *line, struct slice s)
{
	if (s.len == 0)
		return;
	buf_putc(line, ' ');
	put_shown(line, s, SHOWN_MAX, false);
}

/* A JSON string of possibly hostile bytes, shown as in the text format. */
static void put_json_shown(struct json_writer *w, const char *name, struct slice s, size_t max)
{
	if (!s.at || s.len == 0)
		return;
	json_key(w, name);
	buf_putc(w->out, '"');
	put_shown(w->out, s, max, true);
	buf_putc(w->out, '"');
	w->comma = true;
}

static void put_json_head(struct json_writer *w, struct buf *line, enum log_level level)
{
	json_begin(w, line);
	json_object(w);
	json_key(w, "time");
	buf_putc(line, '"');
	put_time(line);
	buf_putc(line, '"');
	w->comma = true;
	json_put_cstr(w, "level", level_name(level));
}

static void put_message(struct buf *line, enum log_level level, struct slice text)
{
	struct json_writer w;

	if (line_format == LOG_FORMAT_JSON) {
		put_json_head(&w, line, level);
		put_json_shown(&w, "message", text, MESSAGE_MAX);
		json_object_end(&w);
	} else {
		put_time(line);
		buf_printf(line, " %s ", level_name(level));
		put_shown(line, text, MESSAGE_MAX, false);
	}
}

static void send_line(struct buf *line)
{
	buf_putc(line, '\n');
	assert(!line->overflow);
	log_out(buf_slice(line));
}

/* In the place where they are missing. */
static void say_lost(void)
{
	uint64_t lost = log_out_take_lost();
	struct arena a;
	struct buf line;

	if (lost == 0)
		return;
	arena_init(&a);
	buf_init(&line, &a, LOG_LINE_MAX, 256);
	put_message(&line, LOG_LEVEL_WARN,
	    arena_slicef(&a, "%llu lines of the log were lost here: nobody read it",
		(unsigned long long)lost));
	send_line(&line);
	arena_release(&a);
}

void log_say(enum log_level level, const char *format, ...)
{
	struct arena a;
	struct buf line;
	va_list args;
	char *text;

	if (!log_wants(level))
		return;
	say_lost();
	arena_init(&a);
	buf_init(&line, &a, LOG_LINE_MAX, 256);
	va_start(args, format);
	text = arena_vprintf(&a, format, args);
	va_end(args);
	put_message(&line, level, slice_str(text));
	send_line(&line);
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
		put_shown(line, r->cause, SHOWN_MAX, false);
		buf_putc(line, ')');
	}
}

static void put_request_json(struct buf *line, const struct log_request *r)
{
	struct json_writer w;

	put_json_head(&w, line, r->status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO);
	json_put_cstr(&w, "operation", r->operation);
	put_json_shown(&w, "method", r->method, SHOWN_MAX);
	put_json_shown(&w, "target", r->target, SHOWN_MAX);
	put_json_shown(&w, "repository", r->repository, SHOWN_MAX);
	put_json_shown(&w, "reference", r->reference, SHOWN_MAX);
	json_put_num(&w, "status", r->status);
	json_put_cstr(&w, "error", r->error);
	put_json_shown(&w, "cause", r->cause, SHOWN_MAX);
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
	say_lost();
	arena_init(&a);
	buf_init(&line, &a, LOG_LINE_MAX, 512);
	if (line_format == LOG_FORMAT_JSON)
		put_request_json(&line, r);
	else
		put_request_text(&line, r);
	send_line(&line);
	arena_release(&a);
}
