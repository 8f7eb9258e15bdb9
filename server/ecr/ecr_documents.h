/*
 * What the operations on policies, templates, rules and settings share: documents (storage/repositories/document.h) in and out, values
 * as the model knows them, and the checks of what a template may hold as well.
 */
#ifndef DRYDOCK_SERVER_ECR_DOCUMENTS_H
#define DRYDOCK_SERVER_ECR_DOCUMENTS_H

#include "protocol/json.h"
#include "protocol/model.h"
#include "server/call.h"
#include "storage/repositories/document.h"

/*
 * document.c: documents (storage/repositories/document.h) of the call's registry. The put and delete functions answer
 * what a handler returns; next then finds the job in c->job_data, and c->error.
 */
/* Of one text: more than any that the model lets through. */
enum { ECR_DOCUMENT_MAX = 8 * 1024 * 1024 };
struct document_key ecr_document_key(
    const struct call *c, enum document_kind kind, struct slice name);
/* False with c->error set. */
bool ecr_get_document(
    struct call *c, enum document_kind kind, struct slice name, struct document *out);
/* The text of one that has a default; the absent slice with c->error set on a failure. */
struct slice ecr_get_setting(
    struct call *c, enum document_kind kind, struct slice name, const char *fallback);
enum http_step ecr_put_document(struct call *c, enum document_kind kind, struct slice name,
    enum document_rule rule, struct slice text, call_step *next); /* struct document_put */
/* When the job is stale, next begins again with the document as it is then. */
enum http_step ecr_replace_document(struct call *c, enum document_kind kind,
    const struct document *old, struct slice text, call_step *next); /* struct document_put */
enum http_step ecr_delete_document(struct call *c, enum document_kind kind, struct slice name,
    call_step *next); /* struct document_delete */

/* JSON by its shape: members that the model does not know, and nulls, are left out. */
void ecr_write_value(struct json_writer *w, const struct model_shape *shape, const cJSON *value);
/* The same of a structure, without its braces. */
void ecr_write_members(struct json_writer *w, const struct model_shape *shape, const cJSON *object);
/* The same of a document's text. */
void ecr_write_text(struct json_writer *w, const struct model_shape *shape, struct slice text);
struct slice ecr_value_text(struct call *c, const struct model_shape *shape, const cJSON *value);
/* A member that the structure is known to have; of the operation's input. */
const struct model_shape *ecr_shape_member(const struct model_shape *shape, const char *name);
const struct model_shape *ecr_input_member(const struct call *c, const char *name);
/* What a prefix is kept by: "team/" and "team" mean the same repositories, those of "team/...". */
struct slice ecr_prefix_name(struct slice prefix);

struct policy_document;
/* policy.c, lifecycle_policy.c: false with c->error set, at that member. */
bool ecr_check_policy(struct call *c, struct slice text, struct policy_document *out,
    const char *member, const char *constraint);
bool ecr_check_lifecycle(struct call *c, struct slice text, const char *member);

#endif
