/*
 * ecr_host_parse: what it finds is valid and lies within the host, which a port does not change.
 * aws_host_served: only what can stand in a certificate's name passes.
 */
#include "fuzz.h"

#include "protocol/ecr_host.h"
#include "protocol/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t len)
{
	struct slice host = slice_of((const char *)at, len);
	struct ecr_host h, again;
	struct arena a;

	if (aws_host_served(host)) {
		CHECK(len > 0 && len < 100 && host.at[0] != '.' && host.at[len - 1] != '.');
		for (size_t i = 0; i < len; i++)
			CHECK(
			    strchr("abcdefghijklmnopqrstuvwxyz0123456789.-", host.at[i]) && at[i]);
	}
	if (!ecr_host_parse(host, &h))
		return 0;
	CHECK(is_within(h.account, host) && is_within(h.region, host) && is_within(h.name, host));
	CHECK(!h.account.at || account_id_valid(h.account));
	CHECK(region_valid(h.region));
	arena_init(&a);
	CHECK(ecr_host_parse(arena_slicef(&a, "%.*s:5001", SLICE_ARG(h.name)), &again));
	CHECK(slice_eq(h.region, again.region) && slice_eq(h.account, again.account));
	CHECK(slice_eq(h.name, again.name));
	arena_release(&a);
	return 0;
}
