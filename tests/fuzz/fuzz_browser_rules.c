/*
 * browser_judge on "HOST\nORIGIN\nSITE": whoever is welcome with an Origin has the Host's own, by a name of ours; a
 * port changes nothing about a name; what answers to its names alone lets in no more than what does not.
 */
#include "fuzz.h"

#include "protocol/browser_rules.h"

static const char *const list[] = {"ci.example"};
static const struct browser_names names = {list, 1};

/* The next line, absent when it is empty. */
static struct slice line(struct slice *input)
{
	struct slice value = slice_cut(input, '\n');

	return value.len ? value : slice_of(NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice input = slice_of((const char *)at, len);
	uint8_t flags = take_byte(&input);
	struct browser_request request = {.secure = flags & 1, .reads = flags & 2};
	size_t scheme = request.secure ? 8 : 7;

	request.host = line(&input);
	request.origin = line(&input);
	request.fetch_site = line(&input);
	bool welcome = browser_judge(&request, &names) == BROWSER_WELCOME;
	if (welcome && request.origin.at) {
		CHECK(request.origin.len == scheme + request.host.len);
		CHECK(slice_eq_nocase(slice_skip(request.origin, scheme), request.host));
		CHECK(browser_host_ours(request.host, &names));
	}
	CHECK(!welcome || !slice_is(request.fetch_site, "cross-site"));
	request.by_name = true;
	CHECK(welcome || browser_judge(&request, &names) != BROWSER_WELCOME);
	if (request.host.len && !memchr(request.host.at, ':', request.host.len)) {
		struct arena a;

		arena_init(&a);
		struct slice with_port = arena_slicef(&a, "%.*s:5001", SLICE_ARG(request.host));
		CHECK(memchr(request.host.at, '\0', request.host.len) ||
		    browser_host_ours(request.host, &names) ==
			browser_host_ours(with_port, &names));
		arena_release(&a);
	}
	return 0;
}
