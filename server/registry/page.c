/*
 * Pages of lists. ECR's are named by opaque tokens and have 100 entries unless ?n= says otherwise
 * (1,000 at most, ecr-behaviour 6.3); the OCI distribution-spec's ("Listing Tags") by the last name
 * of the page before.
 */
#include "server/registry/registry_internal.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

static bool fail_limit(struct call *c, const char *constraint)
{
	call_fail_parameter(c, "maxResults", constraint);
	return false;
}

/* ?n= as ECR takes it. */
static bool read_limit(struct call *c, size_t by_default, size_t max, size_t *limit)
{
	struct slice n = registry_query(c, "n");
	unsigned long long value;

	*limit = by_default;
	if (!n.at)
		return true;
	if (!slice_to_u64(n, &value) || value < 1)
		return fail_limit(c, "Member must have value greater than or equal to 1");
	if (value > max)
		return fail_limit(c,
		    arena_printf(
			c->arena, "Member must have value less than or equal to %zu", max));
	*limit = (size_t)value;
	return true;
}

/* ?n= as the specification has it: 0 is an empty list, and a registry may answer less than was
 * asked for. */
static bool read_limit_by_spec(struct call *c, size_t *limit)
{
	struct slice n = registry_query(c, "n");
	unsigned long long value = PAGE_MAX;

	if (n.at && !slice_to_u64(n, &value))
		return fail_limit(c, "Member must be a number");
	*limit = value < PAGE_MAX ? (size_t)value : PAGE_MAX;
	return true;
}

static bool read_token(struct call *c, struct page_request *page)
{
	struct slice last = registry_query(c, "last");

	page->after = (struct slice){0};
	if (!last.at)
		return true;
	page->after = page_token_open(last, page->context, call_seal_key(c), c->arena);
	if (page->after.at)
		return true;
	call_fail_parameter(c, "NextToken", "Invalid next token provided");
	return false;
}

bool registry_page_names(struct call *c, const char *list, struct page_request *page)
{
	page->context = arena_slicef(c->arena, "%s %.*s %.*s %.*s", list, SLICE_ARG(c->account),
	    SLICE_ARG(c->region), SLICE_ARG(c->repository.name));
	if (registry_quirk(c, QUIRK_OPAQUE_PAGING))
		return read_limit(c, PAGE_DEFAULT, PAGE_MAX, &page->limit) && read_token(c, page);
	page->after = registry_query(c, "last");
	return read_limit_by_spec(c, &page->limit);
}

bool registry_page_tokens(
    struct call *c, struct slice context, size_t max, struct page_request *page)
{
	page->context = context;
	return read_limit(c, max, max, &page->limit) && read_token(c, page);
}

static void add_link(struct call *c, const struct page_request *page, struct slice path,
    struct slice last, struct slice more)
{
	bool absolute = registry_quirk(c, QUIRK_OPAQUE_PAGING);
	struct slice url = absolute ? call_registry_url(c) : slice_str("");

	http_reply_headerf(c->req, "Link", "<%.*s/v2/%.*s?last=%.*s&n=%zu%.*s>; rel=\"next\"",
	    SLICE_ARG(url), SLICE_ARG(path), SLICE_ARG(last), page->limit, SLICE_ARG(more));
}

void registry_page_token_link(struct call *c, const struct page_request *page, struct slice path,
    struct slice last, struct slice more)
{
	struct slice token = page_token_seal(page->context, last, call_seal_key(c), c->arena);

	add_link(c, page, path, token, more);
}

void registry_page_link(
    struct call *c, const struct page_request *page, struct slice path, struct slice last)
{
	if (registry_quirk(c, QUIRK_OPAQUE_PAGING))
		registry_page_token_link(c, page, path, last, slice_str(""));
	else
		add_link(c, page, path, last, slice_str(""));
}
