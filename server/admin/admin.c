/* Health, reset, clock, collection, metrics. One line per door in doors[]. */
#include "server/admin/admin.h"

#include "protocol/timestamp.h"
#include "server/admin/admin_internal.h"
#include "server/admin/doors.h"
#include "server/gc_report.h"
#include "server/log_out.h"

/* The clock stays within the years that times can be written in. */
static const int64_t latest_ms = 253402300799999; /* 9999-12-31T23:59:59.999Z */

enum http_step admin_send(struct call *c, int status, struct buf *body)
{
	http_reply(c->req, status);
	http_reply_header(c->req, "Content-Type", slice_str("application/json"));
	buf_putc(body, '\n');
	http_reply_body(c->req, buf_slice(body));
	return HTTP_DONE;
}

void admin_begin(struct call *c, struct buf *body, struct json_writer *w)
{
	buf_init(body, c->arena, ADMIN_ANSWER_MAX, 256);
	json_begin(w, body);
	json_object(w);
}

enum http_step admin_say(struct call *c, int status, const char *message)
{
	struct json_writer w;
	struct buf body;

	admin_begin(c, &body, &w);
	json_put_cstr(&w, "message", message);
	json_object_end(&w);
	return admin_send(c, status, &body);
}

/* A job's failure in words. */
enum http_step admin_error(struct call *c)
{
	const char *message = arena_strdup(c->arena, error_message(&c->error, c->arena));

	return admin_say(c, error_entry(c->error.code)->api_status, message);
}

/* ---- health ---- */

static enum http_step health(struct http_request *req)
{
	struct call *c = call_of(req);
	bool broken = store_broken(c->app->store);
	struct json_writer w;
	struct buf body;

	admin_begin(c, &body, &w);
	json_put_cstr(&w, "status", broken ? "storage failing" : "ok");
	json_put_cstr(&w, "version", DRYDOCK_VERSION);
	json_object_end(&w);
	return admin_send(c, broken ? 503 : 200, &body);
}

static const struct http_handler health_handler = {.body_max = ADMIN_BODY_MAX, .end = health};

/* ---- reset ---- */

static enum http_step reset_done(struct call *c)
{
	if (c->error.code != ERR_NONE)
		return admin_error(c);
	return admin_say(c, 200, "everything was removed");
}

static enum http_step reset(struct http_request *req)
{
	struct call *c = call_of(req);
	struct store_reset *job = arena_zalloc(c->arena, sizeof(*job));

	call_await(c, &job->job, job, reset_done);
	store_reset_submit(c->app->store, job);
	return HTTP_WAIT;
}

static const struct http_handler reset_handler = {.body_max = ADMIN_BODY_MAX, .end = reset};

/* ---- clock ---- */

/* Said when the clock went back. */
static const char back_note[] =
    "The clock was moved back: what was done stays done, times already written down now lie ahead, and what is "
    "due by the clock is due again when it gets there.";

static enum http_step tell_time(struct call *c)
{
	const struct clock *clock = store_clock(c->app->store);
	char now[TIMESTAMP_TEXT_MAX];
	struct json_writer w;
	struct buf body;

	if (c->error.code != ERR_NONE)
		return admin_error(c);
	admin_begin(c, &body, &w);
	json_put_str(&w, "now", timestamp_format(clock_now_ms(clock), now));
	json_put_time(&w, "offset_seconds", clock_offset_ms(clock));
	if (c->job_data && ((const struct clock_move *)c->job_data)->back)
		json_put_cstr(&w, "note", back_note);
	json_object_end(&w);
	return admin_send(c, 200, &body);
}

static enum http_step read_clock(struct http_request *req)
{
	return tell_time(call_of(req));
}

/* Exactly one of the three members; false when the body asks for nothing, or for what cannot be. */
static bool read_offset(struct call *c, const cJSON *in, int64_t *offset_ms)
{
	const struct clock *clock = store_clock(c->app->store);
	int64_t real_ms = clock_now_ms(clock) - clock_offset_ms(clock), target_ms;
	const cJSON *advance = json_member(in, "advance_seconds");

	if (cJSON_GetArraySize(in) != 1)
		return false;
	if (json_bool(in, "reset", false)) {
		*offset_ms = 0;
		return true;
	}
	if (cJSON_IsNumber(advance) && advance->valuedouble > -1e12 && advance->valuedouble < 1e12)
		*offset_ms = clock_offset_ms(clock) + (int64_t)(advance->valuedouble * 1000.0);
	else if (timestamp_parse(json_string(in, "set"), &target_ms))
		*offset_ms = target_ms - real_ms;
	else
		return false;
	return real_ms + *offset_ms >= 0 && real_ms + *offset_ms <= latest_ms;
}

static enum http_step move_clock(struct http_request *req)
{
	struct call *c = call_of(req);
	struct clock_move *job = arena_zalloc(c->arena, sizeof(*job));
	cJSON *in = json_parse(req->body);
	bool good = cJSON_IsObject(in) && read_offset(c, in, &job->offset_ms);

	cJSON_Delete(in);
	if (!good)
		return admin_say(c, 400,
		    "The body must be one of {\"advance_seconds\": N}, "
		    "{\"set\": \"2026-01-01T00:00:00Z\"} and {\"reset\": true}, "
		    "and the time between the years 1970 and 9999.");
	job->back = job->offset_ms < clock_offset_ms(store_clock(c->app->store));
	call_await(c, &job->job, job, tell_time);
	clock_move_submit(c->app->store, job);
	return HTTP_WAIT;
}

static const struct http_handler clock_read_handler = {
    .body_max = ADMIN_BODY_MAX, .end = read_clock};
static const struct http_handler clock_move_handler = {
    .body_max = ADMIN_BODY_MAX, .end = move_clock};

/* ---- collection ---- */

enum { GRACE_MAX_S = 3650 * 24 * 3600 };

static enum http_step collected(struct call *c)
{
	const struct gc_run *job = c->job_data;
	struct json_writer w;
	struct buf body;

	if (c->error.code != ERR_NONE)
		return admin_error(c);
	admin_begin(c, &body, &w);
	gc_report_write(&w, &job->result);
	json_object_end(&w);
	return admin_send(c, 200, &body);
}

/* Nothing, or the one member there is. */
static bool read_grace(struct slice body, int64_t *grace_ms)
{
	cJSON *in = json_parse(body.len ? body : slice_str("{}"));
	const cJSON *grace = json_member(in, "grace_seconds");
	bool good = cJSON_IsObject(in) && cJSON_GetArraySize(in) == (grace ? 1 : 0);

	*grace_ms = GC_STORES_GRACE;
	if (grace) {
		good = good && cJSON_IsNumber(grace) && grace->valuedouble >= 0 &&
		    grace->valuedouble <= GRACE_MAX_S;
		*grace_ms = good ? (int64_t)(grace->valuedouble * 1000) : 0;
	}
	cJSON_Delete(in);
	return good;
}

static enum http_step collect(struct http_request *req)
{
	struct call *c = call_of(req);
	struct gc_run *job = arena_zalloc(c->arena, sizeof(*job));

	if (!read_grace(req->body, &job->grace_ms))
		return admin_say(c, 400,
		    "The body must be empty or {\"grace_seconds\": N}, with N from 0 to ten years.");
	call_await(c, &job->job, job, collected);
	gc_submit(c->app->store, job);
	return HTTP_WAIT;
}

static const struct http_handler collect_handler = {.body_max = ADMIN_BODY_MAX, .end = collect};

/* ---- metrics: Prometheus' text format ---- */

static void metric(
    struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
	    (unsigned long long)value);
}

static enum http_step metrics(struct http_request *req)
{
	struct call *c = call_of(req);
	struct store_scheduled scheduled;
	struct http_counters n;
	struct buf out;

	http_server_counters(c->app->http, &n);
	store_scheduled(c->app->store, &scheduled);
	buf_init(&out, c->arena, 64 * 1024, 2048);
	metric(
	    &out, "drydock_connections_total", "counter", "Connections accepted.", n.connections);
	metric(&out, "drydock_connections_displaced_total", "counter",
	    "Connections closed for new ones, at the limit.", n.displaced);
	metric(&out, "drydock_connections_open", "gauge", "Connections open now.", n.open);
	metric(&out, "drydock_handshakes_failed_total", "counter",
	    "Connections with which no TLS could be agreed upon.", n.handshakes_failed);
	metric(&out, "drydock_requests_total", "counter", "Requests answered.", n.requests);
	metric(&out, "drydock_requests_refused_total", "counter",
	    "Requests refused for their form or size.", n.refused);
	metric(&out, "drydock_requests_aborted_total", "counter",
	    "Requests whose client went away.", n.aborted);
	metric(&out, "drydock_received_bytes_total", "counter", "Bytes received.", n.bytes_in);
	metric(&out, "drydock_sent_bytes_total", "counter", "Bytes sent.", n.bytes_out);
	metric(&out, "drydock_log_lines_lost_total", "counter",
	    "Lines of the log that nobody read in time.", log_out_lost());
	metric(&out, "drydock_loop_busy_turns_total", "counter",
	    "Turns of an event loop that took more than 50 ms of CPU time.", n.busy_turns);
	metric(&out, "drydock_loop_longest_turn_microseconds", "gauge",
	    "CPU time of the longest turn of an event loop since the start.", n.longest_turn_us);
	metric(&out, "drydock_collections_begun_total", "counter",
	    "Collections of layers that the schedule has begun.", scheduled.collections);
	metric(&out, "drydock_lifecycle_runs_begun_total", "counter",
	    "Runs of all lifecycle policies that the schedule has begun.",
	    scheduled.lifecycle_runs);
	metric(&out, "drydock_checkpoints_failed_total", "counter",
	    "Times that the database could not take in its log.",
	    store_checkpoints_failed(c->app->store));
	http_reply(req, 200);
	http_reply_header(req, "Content-Type", slice_str("text/plain; version=0.0.4"));
	http_reply_body(req, buf_slice(&out));
	return HTTP_DONE;
}

static const struct http_handler metrics_handler = {.body_max = ADMIN_BODY_MAX, .end = metrics};

/* ---- the doors ---- */

struct door {
	const char *path;
	enum http_method method;
	const char *operation;
	const struct http_handler *handler;
};

static const struct door doors[] = {
    {"/_drydock/health", METHOD_GET, "Health", &health_handler},
    {"/_drydock/reset", METHOD_POST, "Reset", &reset_handler},
    {"/_drydock/clock", METHOD_GET, "ReadClock", &clock_read_handler},
    {"/_drydock/clock", METHOD_POST, "MoveClock", &clock_move_handler},
    {"/_drydock/gc", METHOD_POST, "Collect", &collect_handler},
    {"/_drydock/lifecycle/run", METHOD_POST, "RunLifecycle", &lifecycle_run_handler},
#ifdef DRYDOCK_FAULTS
    {"/_drydock/failpoints", METHOD_POST, "ArmFailpoints", &failpoints_handler},
#endif
    {"/metrics", METHOD_GET, "Metrics", &metrics_handler},
};

static enum http_step unknown_door(struct http_request *req)
{
	return admin_say(call_of(req), 404, "There is nothing at this path.");
}

static enum http_step wrong_method(struct http_request *req)
{
	return admin_say(call_of(req), 405, "This path does not take this method.");
}

static const struct http_handler unknown_handler = {.body_max = UINT64_MAX, .start = unknown_door};
static const struct http_handler wrong_method_handler = {
    .body_max = UINT64_MAX, .start = wrong_method};

const struct http_handler *admin_route(struct call *c)
{
	enum http_method method = c->req->method == METHOD_HEAD ? METHOD_GET : c->req->method;
	const struct http_handler *fallback = &unknown_handler, *refusal = NULL;

	/* Health says nothing that matters, and containers' checks of it know no token. */
	if (!slice_is(c->path, "/_drydock/health"))
		refusal = doors_refuse(c);
	if (refusal)
		return refusal;
	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		if (!slice_is(c->path, doors[i].path))
			continue;
		c->operation = doors[i].operation;
		if (doors[i].method == method)
			return doors[i].handler;
		fallback = &wrong_method_handler;
	}
	return fallback;
}
