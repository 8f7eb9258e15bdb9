/*
 * A call as an operation of the API sees it: what was asked, and how to answer.
 *
 *	enum http_step op_get_registry_policy(struct call *c)
 *	{
 *		struct json_writer *w;
 *
 *		... json_string(ecr_input(c), "registryId") ...
 *		if (it cannot be)
 *			return ecr_fail(c, ERR_...);
 *		w = ecr_begin(c);
 *		json_put_str(w, "policyText", text);
 *		return ecr_reply(c);
 *	}
 *
 * All is the arena's but the input, which ecr_reply and ecr_error free: nothing read from it may be used after them. On the
 * call's loop, but for ecr_read_input.
 */
#ifndef DRYDOCK_SERVER_ECR_CALL_H
#define DRYDOCK_SERVER_ECR_CALL_H

#include "protocol/json.h"
#include "protocol/model.h"
#include "server/ecr/ecr.h"

struct ecr_operation; /* operations.h */

/* Makes this the call of an operation: dispatch.c, before the body comes. */
void ecr_call_start(
    struct call *c, const struct ecr_operation *operation, const struct model_operation *model);
/*
 * Parses the body and holds it against the model; a failure is left in c->error. It may take long: it is work for
 * call_work.
 */
void ecr_read_input(struct call *c);

/* The operation that was asked for: its row, and what the model says of it. */
const struct ecr_operation *ecr_operation(const struct call *c);
const struct model_operation *ecr_model(const struct call *c);
/* The validated request: it has no members but those that the operation takes, and each once. */
const cJSON *ecr_input(const struct call *c);

/*
 * An answer: ecr_begin opens the result object, the handler writes members, ecr_reply closes and sends it.
 * ERR_LIMIT_EXCEEDED is answered instead when it outgrew ECR_ANSWER_MAX.
 */
enum { ECR_ANSWER_MAX = 16 * 1024 * 1024 };
#define ECR_ANSWER_TOO_LARGE                                                                       \
	"The answer would be larger than 16 MiB. Ask for fewer items at a time."
struct json_writer *ecr_begin(struct call *c);
/* True once it has outgrown that: whatever is still to be read for it would be in vain. */
bool ecr_answer_full(const struct call *c);
enum http_step ecr_reply(struct call *c);
/* ecr_error() (ecr.h) after call_fail(). */
enum http_step ecr_fail(struct call *c, enum error_code code);

#endif
