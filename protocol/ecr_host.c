/*
 * Host names are taken apart from both ends: a suffix that is known, an account or a word at the head, and what is
 * left must be a region. A name with anything more in it is none of ECR's. A region is judged by its form, as AWS
 * keeps adding new ones.
 */
#include "protocol/ecr_host.h"

#include "protocol/names.h"

/* Cuts the suffix off s, in any case; false when s does not end so. */
static bool cut_suffix(struct slice *s, const char *suffix)
{
	size_t len = strlen(suffix);

	if (s->len < len || !slice_eq_nocase(slice_skip(*s, s->len - len), slice_of(suffix, len)))
		return false;
	s->len -= len;
	return true;
}

static bool cut_prefix(struct slice *s, const char *prefix)
{
	size_t len = strlen(prefix);

	if (s->len < len || !slice_eq_nocase(slice_of(s->at, len), slice_of(prefix, len)))
		return false;
	*s = slice_skip(*s, len);
	return true;
}

/* host without ":port"; false when what follows the colon is no port. */
static bool cut_port(struct slice *host)
{
	const char *colon = host->len ? memchr(host->at, ':', host->len) : NULL;
	unsigned long long port;

	if (!colon)
		return true;
	size_t len = (size_t)(colon - host->at);
	if (!slice_to_u64(slice_skip(*host, len + 1), &port) || port > 65535)
		return false;
	host->len = len;
	return true;
}

/* {account}.dkr.ecr.{region}, and the forms for FIPS and for dual-stack addresses */
static bool parse_registry(struct slice name, struct ecr_host *out)
{
	static const char *const middles[] = {
	    ".dkr.ecr.", ".dkr.ecr-fips.", ".dkr-ecr.", ".dkr-ecr-fips."};

	if (name.len < 12 || !account_id_valid(slice_of(name.at, 12)))
		return false;
	for (size_t i = 0; i < sizeof(middles) / sizeof(middles[0]); i++) {
		struct slice region = slice_skip(name, 12);
		if (cut_prefix(&region, middles[i]) && region_valid(region)) {
			out->account = slice_of(name.at, 12);
			out->region = region;
			return true;
		}
	}
	return false;
}

/* api.ecr.{region} and ecr.{region}, with their FIPS forms */
static bool parse_api(struct slice name, struct ecr_host *out)
{
	static const char *const heads[] = {"api.ecr.", "api.ecr-fips.", "ecr.", "ecr-fips."};

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct slice region = name;
		if (cut_prefix(&region, heads[i]) && region_valid(region)) {
			out->region = region;
			return true;
		}
	}
	return false;
}

bool ecr_host_parse(struct slice host, struct ecr_host *out)
{
	static const char *const suffixes[] = {
	    ".amazonaws.com", ".amazonaws.com.cn", ".on.aws", ".api.aws", ".localhost"};
	struct ecr_host parsed = {0};

	if (!cut_port(&host))
		return false;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		struct slice name = host;
		if (cut_suffix(&name, suffixes[i])) {
			parsed.name = host;
			if (!parse_registry(name, &parsed) && !parse_api(name, &parsed))
				return false;
			*out = parsed;
			return true;
		}
	}
	return false;
}

/* sts and sts-fips, with a region behind them */
static bool parse_sts(struct slice name, struct slice *region)
{
	if ((!cut_prefix(&name, "sts.") && !cut_prefix(&name, "sts-fips.")) || !region_valid(name))
		return false;
	*region = name;
	return true;
}

bool sts_host_parse(struct slice host, struct slice *region)
{
	static const char *const suffixes[] = {
	    ".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".localhost"};

	if (!cut_port(&host))
		return false;
	if (slice_eq_nocase(host, slice_str("sts.amazonaws.com"))) {
		*region = slice_str("us-east-1");
		return true;
	}
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		struct slice head = host;
		if (cut_suffix(&head, suffixes[i]) && parse_sts(head, region))
			return true;
	}
	return false;
}

bool aws_host_served(struct slice name)
{
	struct ecr_host host;
	struct slice region;

	for (size_t i = 0; i < name.len; i++)
		if (name.at[i] == ':' || (name.at[i] >= 'A' && name.at[i] <= 'Z'))
			return false;
	return ecr_host_parse(name, &host) || sts_host_parse(name, &region);
}
