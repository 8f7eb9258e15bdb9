/* For programs: one object, an image a line, so that a large repository is never held as text. */
#include "server/explain/explain.h"

#include "protocol/json.h"
#include "protocol/timestamp.h"

#include <stdio.h>

static void put_digest(struct json_writer *w, const char *name, const struct digest *digest)
{
	char text[DIGEST_TEXT_MAX];

	if (digest->algorithm != DIGEST_NONE)
		json_put_str(w, name, digest_format(digest, text));
}

static void put_moment(struct json_writer *w, const char *name, int64_t unix_ms)
{
	char text[TIMESTAMP_TEXT_MAX];

	if (unix_ms > 0)
		json_put_str(w, name, timestamp_format(unix_ms, text));
}

static void put_image(
    const struct explain *e, struct json_writer *w, const struct lifecycle_outcome *o)
{
	static const char *const statuses[] = {"ACTIVE", "ARCHIVED", "ACTIVATING"};
	const struct lifecycle_listed *listed = &e->images.at[o->id];
	struct slice tags = listed->image.tags;

	put_digest(w, "digest", &o->digest);
	json_put_str(w, "name", listed->name);
	json_put_array(w, "tags");
	while (tags.len > 0)
		json_str(w, slice_cut(&tags, '\0'));
	json_array_end(w);
	json_put_cstr(w, "status", statuses[listed->image.status]);
	put_moment(w, "pushedAt", listed->image.pushed_ms);
	put_moment(w, "pulledAt", listed->image.pulled_ms);
	put_moment(w, "archivedAt", listed->image.archived_ms);
	put_moment(w, "restoredAt", listed->image.activated_ms);
}

static void put_decision(
    const struct explain *e, struct json_writer *w, const struct lifecycle_outcome *o)
{
	static const char *const decisions[] = {[LIFECYCLE_KEPT] = "KEPT",
	    [LIFECYCLE_ACTED] = "ACTS",
	    [LIFECYCLE_FOLLOWS] = "FOLLOWS",
	    [LIFECYCLE_PROTECTED] = "PROTECTED"};

	json_put_cstr(w, "decision", decisions[o->decision]);
	if (o->decision != LIFECYCLE_KEPT) {
		json_put_cstr(w, "action", o->action == LIFECYCLE_EXPIRE ? "EXPIRE" : "TRANSITION");
		json_put_num(w, "rulePriority", e->policy->rules[o->rule].priority);
	}
	put_digest(w, "subject", &o->subject);
	put_digest(w, "protectedBy", &o->index);
	json_put_str(w, "why", explain_decision(e, o));
}

/* Every rule that selects it; the first of them claims it. */
static void put_rules(
    const struct explain *e, struct json_writer *w, const struct lifecycle_outcome *o)
{
	json_put_array(w, "rules");
	for (size_t r = 0; r < e->policy->count; r++) {
		if (!(o->selected >> r & 1))
			continue;
		json_object(w);
		json_put_num(w, "rulePriority", e->policy->rules[r].priority);
		json_put_bool(w, "claims", (int)r == o->claimed_by);
		json_put_bool(w, "applies", o->marked >> r & 1);
		json_put_str(w, "why", explain_condition(e, r, o));
		json_object_end(w);
	}
	json_array_end(w);
}

static void begin(const struct explain *e, struct buf *b, struct json_writer *w)
{
	arena_reset(e->scratch);
	buf_init(b, e->scratch, SIZE_MAX, 1024);
	json_begin(w, b);
}

static void print_image(const struct explain *e, size_t at)
{
	struct lifecycle_outcome o;
	struct json_writer w;
	struct buf b;

	begin(e, &b, &w);
	lifecycle_outcome(e->engine, at, &o);
	json_object(&w);
	put_image(e, &w, &o);
	put_decision(e, &w, &o);
	put_rules(e, &w, &o);
	json_object_end(&w);
	printf("%s\n%.*s", at == 0 ? "" : ",", SLICE_ARG(buf_slice(&b)));
}

static void put_policy(const struct explain *e, struct json_writer *w)
{
	json_put_array(w, "rules");
	for (size_t r = 0; r < e->policy->count; r++) {
		json_object(w);
		json_put_num(w, "rulePriority", e->policy->rules[r].priority);
		json_put_str(w, "description", e->policy->rules[r].description);
		json_put_str(w, "meaning", explain_rule(e, r));
		json_object_end(w);
	}
	json_array_end(w);
}

static void put_summary(const struct explain *e, struct json_writer *w)
{
	struct explain_summary sum;

	explain_summarize(e, &sum);
	json_put_object(w, "summary");
	json_put_num(w, "images", (int64_t)sum.images);
	json_put_num(w, "expire", (int64_t)sum.expire);
	json_put_num(w, "transition", (int64_t)sum.transition);
	json_put_num(w, "protected", (int64_t)sum.protected);
	json_put_num(w, "kept", (int64_t)sum.kept);
	json_object_end(w);
}

void explain_print_json_begin(int64_t now_ms)
{
	char text[TIMESTAMP_TEXT_MAX];

	printf("{\"at\":\"%.*s\",\"repositories\":[", SLICE_ARG(timestamp_format(now_ms, text)));
}

void explain_print_json_end(void)
{
	puts("]}");
}

void explain_print_json(const struct explain *e, bool first)
{
	struct json_writer w;
	struct buf b;

	begin(e, &b, &w);
	json_object(&w);
	json_put_str(&w, "registryId", e->account);
	json_put_str(&w, "region", e->region);
	json_put_str(&w, "repositoryName", e->repository);
	put_policy(e, &w);
	put_summary(e, &w);
	json_put_array(&w, "images");
	printf("%s\n%.*s", first ? "" : ",", SLICE_ARG(buf_slice(&b)));
	for (size_t i = 0; i < lifecycle_count(e->engine); i++)
		print_image(e, i);
	fputs("]}", stdout);
}
