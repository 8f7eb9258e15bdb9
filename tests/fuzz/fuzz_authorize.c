/*
 * authorize, of lines and a policy:
 *
 *	PRINCIPAL
 *	ACTION
 *	RESOURCE
 *	KEY=VALUE ...
 *	(an empty line)
 *	the policy, which is whatever kinds it can be
 */
#include "fuzz.h"

#include "protocol/authorize.h"

enum { KEYS_MAX = 8 };

static const struct slice deny_all =
    SLICE("{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"*\"}}");
static const struct slice allow_all =
    SLICE("{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}}");

struct facts {
	struct arena arena;
	struct principal who;
	struct policy_key keys[KEYS_MAX];
	struct slice values[KEYS_MAX];
	const struct policy_document *identity[2];
	struct authorize_request request;
};

static const struct policy_document *parse(
    struct facts *f, struct slice text, enum policy_kind kind)
{
	struct policy_document *p = arena_zalloc(&f->arena, sizeof(*p));
	const char *why = NULL;

	return policy_document_parse(text, kind, &f->arena, p, &why) ? p : NULL;
}

static void read_keys(struct facts *f, struct slice *rest)
{
	size_t n = 0;

	while (rest->len && n < KEYS_MAX) {
		struct slice line = slice_cut(rest, '\n');

		if (!line.len)
			break;
		f->keys[n].name = slice_cut(&line, '=');
		f->values[n] = line;
		f->keys[n] = (struct policy_key){f->keys[n].name, &f->values[n], 1};
		if (n && slice_eq_nocase(f->keys[n].name, f->keys[n - 1].name)) {
			f->keys[n - 1].count++; /* the values lie side by side */
			f->keys[n].name = slice_str("");
		}
		n++;
	}
	f->request.keys = f->keys;
	f->request.key_count = n;
}

static bool read_facts(struct facts *f, struct slice input)
{
	struct slice principal = slice_cut(&input, '\n');

	f->request = (struct authorize_request){.principal = &f->who};
	if (!principal_of_arn(principal, &f->arena, &f->who))
		return false;
	f->request.action = slice_cut(&input, '\n');
	f->request.resource = slice_cut(&input, '\n');
	f->request.resource_account = slice_str("123456789012");
	read_keys(f, &input);
	f->identity[0] = parse(f, input, POLICY_OF_IDENTITY);
	f->who.identity = f->identity;
	f->who.identity_count = f->identity[0] != NULL;
	f->request.repository_policy = parse(f, input, POLICY_OF_REPOSITORY);
	return true;
}

/* The decision, and what must be true of every one. */
static struct authorize_decision decide(struct facts *f)
{
	const struct authorize_step *steps;
	struct authorize_decision d, traced;
	bool denied = false;
	size_t count;

	authorize(&f->request, &f->arena, &d);
	authorize_traced(&f->request, &f->arena, &traced, &steps, &count);
	CHECK(d.allowed == traced.allowed && d.explicit_deny == traced.explicit_deny &&
	    d.source == traced.source && d.ground_count == traced.ground_count);
	for (size_t i = 0; i < count; i++)
		denied |= steps[i].judgement.verdict == STATEMENT_APPLIES && !steps[i].at->allow;
	CHECK(d.explicit_deny == denied && !(d.allowed && denied));
	CHECK(d.allowed || authorize_sentence(&f->request, &d, &f->arena).len > 0);
	CHECK(!d.allowed || d.ground_count > 0 || f->who.kind == PRINCIPAL_ROOT);
	for (size_t i = 0; i < d.ground_count; i++)
		CHECK(d.grounds[i].at->allow == d.allowed);
	return d;
}

/* A session's policy takes away and gives nothing; a Deny for all refuses all. */
static void check_limits(struct facts *f, struct authorize_decision before)
{
	struct authorize_decision d;

	f->who.session = parse(f, allow_all, POLICY_OF_IDENTITY);
	d = decide(f);
	CHECK(d.allowed == before.allowed);
	f->request.registry_policy = parse(f, deny_all, POLICY_OF_REPOSITORY);
	d = decide(f);
	CHECK(!d.allowed && d.explicit_deny);
	f->request.registry_policy = NULL;
	f->who.session = NULL;
	f->identity[f->who.identity_count++] = parse(f, allow_all, POLICY_OF_IDENTITY);
	d = decide(f);
	CHECK(d.explicit_deny == before.explicit_deny && d.allowed >= before.allowed);
	if (slice_eq(f->who.account, f->request.resource_account))
		CHECK(d.allowed || d.explicit_deny);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct facts f = {.request = {.principal = NULL}};

	arena_init(&f.arena);
	if (read_facts(&f, slice_of((const char *)at, len)))
		check_limits(&f, decide(&f));
	arena_release(&f.arena);
	return 0;
}
