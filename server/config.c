/* The option table. To add an option: a field in struct config, a setter, a line in options[]. */
#include "server/config.h"

#include "protocol/names.h"
#include "server/http/authority.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { SECONDS_MAX = 3650 * 24 * 3600 };

struct option {
	const char *name;  /* without the dashes */
	const char *value; /* NULL: a flag */
	bool (*set)(struct config *c, const char *value);
	const char *expects; /* completes "--name expects ..." */
	const char *help;
};

static bool copy_text(char *to, size_t room, const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || len >= room)
		return false;
	memcpy(to, value, len + 1);
	return true;
}

static bool number(const char *value, unsigned max, unsigned *out)
{
	unsigned long long n;

	if (!slice_to_u64(slice_str(value), &n) || n > max)
		return false;
	*out = (unsigned)n;
	return true;
}

/* The index of value in names[], or -1. */
static int choice(const char *value, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (strcmp(value, names[i]) == 0)
			return i;
	return -1;
}

/* HOST:PORT, with an IPv6 host in brackets. */
static bool host_and_port(const char *value, char host[256], uint16_t *out)
{
	const char *colon = strrchr(value, ':');
	size_t len = colon ? (size_t)(colon - value) : 0;
	unsigned port;

	if (!colon || !number(colon + 1, 65535, &port))
		return false;
	if (len >= 2 && value[0] == '[' && value[len - 1] == ']') {
		value++;
		len -= 2;
	}
	if (len == 0 || len >= 256)
		return false;
	memcpy(host, value, len);
	host[len] = '\0';
	*out = (uint16_t)port;
	return true;
}

static bool set_listen(struct config *c, const char *value)
{
	if (strcmp(value, "none") != 0)
		return host_and_port(value, c->listen_host, &c->listen_port);
	c->listen_host[0] = '\0';
	return true;
}

static bool set_tls_listen(struct config *c, const char *value)
{
	if (strcmp(value, "none") != 0)
		return host_and_port(value, c->tls_host, &c->tls_port);
	c->tls_host[0] = '\0';
	return true;
}

static bool set_tls_certificate(struct config *c, const char *value)
{
	return copy_text(c->tls_certificate, sizeof(c->tls_certificate), value);
}

static bool set_tls_key(struct config *c, const char *value)
{
	return copy_text(c->tls_key, sizeof(c->tls_key), value);
}

static bool set_tls_authority(struct config *c, const char *value)
{
	return copy_text(c->tls_authority, sizeof(c->tls_authority), value);
}

/* NAME or NAME,NAME... */
static bool add_names(const char *value, char (*names)[256], unsigned most, unsigned *count)
{
	struct slice rest = slice_str(value);

	while (rest.len > 0) {
		struct slice name = slice_cut(&rest, ',');
		char *to = names[*count];

		if (*count == most || name.len >= sizeof(names[0]))
			return false;
		for (size_t i = 0; i < name.len; i++)
			to[i] = (char)tolower((unsigned char)name.at[i]);
		to[name.len] = '\0';
		if (!authority_name_valid(to))
			return false;
		++*count;
	}
	return *count > 0;
}

static bool set_tls_name(struct config *c, const char *value)
{
	return add_names(value, c->tls_names, TLS_NAMES_MAX, &c->tls_name_count);
}

static bool set_host_name(struct config *c, const char *value)
{
	return add_names(value, c->host_names, HOST_NAMES_MAX, &c->host_name_count);
}

static bool set_doors(struct config *c, const char *value)
{
	static const char *const names[] = {"open", "token", "off", NULL};
	int i = choice(value, names);

	if (i < 0)
		return false;
	c->doors = (enum doors_mode)(DOORS_OPEN + i);
	return true;
}

static bool set_doors_token(struct config *c, const char *value)
{
	return strlen(value) >= DOORS_TOKEN_MIN &&
	    strspn(value, DOORS_TOKEN_LETTERS) == strlen(value) &&
	    copy_text(c->doors_token, sizeof(c->doors_token), value);
}

static bool set_data(struct config *c, const char *value)
{
	return copy_text(c->data, sizeof(c->data), value);
}

static bool set_ephemeral(struct config *c, const char *value)
{
	static const char *const names[] = {"0", "false", "no", "1", "true", "yes", NULL};
	int i = value ? choice(value, names) : 3;

	if (i < 0)
		return false;
	c->ephemeral = i >= 3;
	return true;
}

static bool set_auth(struct config *c, const char *value)
{
	static const char *const names[] = {"token", "open", "iam", NULL};
	int i = choice(value, names);

	if (i < 0)
		return false;
	c->auth = (enum auth_mode)i;
	return true;
}

static bool set_iam(struct config *c, const char *value)
{
	return copy_text(c->iam, sizeof(c->iam), value);
}

static bool set_addresses(struct config *c, const char *value)
{
	static const char *const names[] = {"reached", "ecr", "localhost", NULL};
	int i = choice(value, names);

	if (i < 0)
		return false;
	c->addresses = (enum address_form)i;
	return true;
}

static bool set_profile(struct config *c, const char *value)
{
	static const char *const names[] = {"ecr", "oci", NULL};
	int i = choice(value, names);

	if (i < 0)
		return false;
	c->quirks.profile = (enum profile)i;
	return true;
}

static bool set_quirk(struct config *c, const char *value)
{
	return quirks_switch(&c->quirks, value);
}

static bool set_account(struct config *c, const char *value)
{
	return account_id_valid(slice_str(value)) &&
	    copy_text(c->account, sizeof(c->account), value);
}

static bool set_region(struct config *c, const char *value)
{
	return region_valid(slice_str(value)) && copy_text(c->region, sizeof(c->region), value);
}

static bool set_threads(struct config *c, const char *value)
{
	return number(value, 256, &c->threads) && c->threads > 0;
}

static bool set_max_connections(struct config *c, const char *value)
{
	return number(value, 1000000, &c->max_connections) && c->max_connections > 0;
}

static bool set_log_level(struct config *c, const char *value)
{
	static const char *const names[] = {"error", "warn", "info", "debug", NULL};
	int i = choice(value, names);

	if (i < 0)
		return false;
	c->log_level = (enum log_level)i;
	return true;
}

static bool set_log_format(struct config *c, const char *value)
{
	static const char *const names[] = {"text", "json", NULL};
	int i = choice(value, names);

	if (i < 0)
		return false;
	c->log_format = (enum log_format)i;
	return true;
}

static bool set_quota(struct config *c, const char *value)
{
	return quotas_read(&c->quotas, slice_str(value));
}

static bool set_gc_grace(struct config *c, const char *value)
{
	return number(value, SECONDS_MAX, &c->gc_grace_s);
}

static bool set_gc_interval(struct config *c, const char *value)
{
	return number(value, SECONDS_MAX, &c->gc_interval_s);
}

/* ECR acts within 24 hours. */
static bool set_lifecycle_interval(struct config *c, const char *value)
{
	return number(value, 24 * 3600, &c->lifecycle_interval_s);
}

static const struct option options[] = {
    {"listen", "HOST:PORT", set_listen, "an address and port, such as 127.0.0.1:5001, or none",
	"where to listen (default 127.0.0.1:5001; port 0 picks a free one; none: only with TLS)"},
    {"tls-listen", "HOST:PORT", set_tls_listen,
	"an address and port, such as 127.0.0.1:443, or none",
	"where to listen with TLS (default none)"},
    {"tls-cert", "FILE", set_tls_certificate, "a file",
	"the certificate to show, with its chain, in PEM (default: made by a local authority for the "
	"names that clients ask for)"},
    {"tls-key", "FILE", set_tls_key, "a file", "its private key, in PEM"},
    {"tls-ca", "DIR", set_tls_authority, "a folder",
	"where the local authority is kept (default: ca in the data folder, of an ephemeral server in the "
	"default one)"},
    {"tls-name", "NAME", set_tls_name, "a host name or a numeric address (at most 16 in all)",
	"a further name that the local authority makes certificates for (may be given several times)"},
    {"host-name", "NAME", set_host_name, "a host name or a numeric address (at most 16 in all)",
	"a further name that clients reach the server's own pages by, /_drydock/ and /metrics (may be given "
	"several times)"},
    {"doors", "MODE", set_doors, "open, token or off",
	"who may use /_drydock/ and /metrics: open: whoever reaches the port (default); token: who brings the token "
	"(default with --auth iam or --doors-token); off: nobody"},
    {"doors-token", "TOKEN", set_doors_token,
	"at least 16 letters, digits and -._+/= (at most 255)",
	"that token (default: made, and written to doors-token in the data folder)"},
    {"data", "DIR", set_data, "a folder",
	"the data folder (default $XDG_DATA_HOME/drydock, else ~/.local/share/drydock)"},
    {"ephemeral", NULL, set_ephemeral, "true or false",
	"keep everything in a temporary folder, without flushes, and remove it on exit"},
    {"auth", "MODE", set_auth, "token, open or iam",
	"token: like ECR, the registry wants GetAuthorizationToken's token (default); open: nothing is asked; "
	"iam: signatures are verified and policies enforced, by --iam"},
    {"iam", "FILE", set_iam, "a file",
	"accounts, users, roles, access keys and policies, as JSON, for --auth iam"},
    {"addresses", "FORM", set_addresses, "reached, ecr or localhost",
	"form of repositoryUri and proxyEndpoint: the address the client used (default), ECR's own, or "
	"ACCOUNT.dkr.ecr.REGION.localhost"},
    {"profile", "NAME", set_profile, "ecr or oci",
	"ecr: answer as Amazon ECR does, its quirks included (default); oci: a permissive registry that "
	"conforms to the OCI distribution-spec"},
    {"quirk", "NAME=on|off", set_quirk, "NAME=on or NAME=off, with the name of a quirk from README",
	"switch one quirk of ECR by itself, whatever the profile (may be given several times)"},
    {"account", "ID", set_account, "twelve digits", "the default account (default 000000000000)"},
    {"region", "NAME", set_region, "a region's name, such as eu-west-1",
	"the default region (default us-east-1)"},
    {"threads", "N", set_threads, "a number from 1 to 256",
	"threads that serve connections (default: one per core)"},
    {"max-connections", "N", set_max_connections, "a number from 1 to 1000000",
	"connections in all; further ones are answered 503 (default 10000)"},
    {"log-level", "LEVEL", set_log_level, "error, warn, info or debug",
	"what to write to standard error: info is one line a request (default)"},
    {"log-format", "FORMAT", set_log_format, "text or json", "how to write it (default text)"},
    {"quota", "NAME=N", set_quota,
	"NAME=N, with the name of a quota from README and what it allows",
	"set one of ECR's quotas, as to meet LimitExceededException early (may be given several times)"},
    {"gc-grace", "SECONDS", set_gc_grace, "a number of seconds, up to 3650 days",
	"how long a layer that no image holds is kept after somebody last relied on it (default 86400)"},
    {"gc-interval", "SECONDS", set_gc_interval, "a number of seconds, up to 3650 days",
	"how often such layers are collected (default 3600; 0: only when asked)"},
    {"lifecycle-interval", "SECONDS", set_lifecycle_interval, "a number of seconds, up to 86400",
	"how often lifecycle policies are run, by Drydock's clock (default 3600; 0: only when asked)"},
};

enum { OPTION_COUNT = sizeof(options) / sizeof(options[0]) };

const char *config_option_name(size_t index)
{
	return index < OPTION_COUNT ? options[index].name : NULL;
}

void config_usage(FILE *out)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option *o = &options[i];
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "",
		    o->value ? o->value : "");
		fprintf(out, "  %-24s %s\n", left, o->help);
	}
	fputs(
	    "\nEach option can be given in the environment too: --log-level as DRYDOCK_LOG_LEVEL.\n",
	    out);
}

/* "log-level" -> "DRYDOCK_LOG_LEVEL" */
static const char *environment_name(const struct option *o, char name[64])
{
	size_t len = (size_t)snprintf(name, 64, "DRYDOCK_%s", o->name);

	for (size_t i = 0; i < len; i++)
		name[i] = name[i] == '-' ? '_' : (char)toupper((unsigned char)name[i]);
	return name;
}

static bool read_environment(struct config *config, char *why, size_t why_len)
{
	char name[64];

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const char *value = getenv(environment_name(&options[i], name));

		if (value && *value && !options[i].set(config, value)) {
			snprintf(why, why_len, "%s expects %s, not \"%.100s\"", name,
			    options[i].expects, value);
			return false;
		}
	}
	return true;
}

/* The option that argument ("--name" or "--name=value") means, or NULL. */
static const struct option *find_option(const char *argument)
{
	size_t len = strcspn(argument, "=");

	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (len > 2 && strncmp(argument, "--", 2) == 0 &&
		    slice_eq(slice_of(argument + 2, len - 2), slice_str(options[i].name)))
			return &options[i];
	return NULL;
}

/*
 * --data and --ephemeral exclude each other, but the command line wins: the first of them there takes back
 * what the environment said of the other.
 */
static void prefer_argument(struct config *config, const struct option *o, bool *said)
{
	if (*said || (o->set != set_data && o->set != set_ephemeral))
		return;
	*said = true;
	if (o->set == set_data)
		config->ephemeral = false;
	else if (config->ephemeral)
		config->data[0] = '\0';
}

static bool read_arguments(struct config *config, int argc, char **argv, char *why, size_t why_len)
{
	bool kept_said = false;

	for (int i = 0; i < argc; i++) {
		const struct option *o = find_option(argv[i]);
		const char *equals = strchr(argv[i], '=');
		const char *value = equals ? equals + 1 : NULL;

		if (!o) {
			snprintf(why, why_len,
			    "there is no option \"%.100s\": see drydock serve --help", argv[i]);
			return false;
		}
		if (o->value && !value)
			value = ++i < argc ? argv[i] : NULL;
		if (o->value && !value) {
			snprintf(why, why_len, "--%s expects %s after it", o->name, o->expects);
			return false;
		}
		if (!o->set(config, value)) {
			snprintf(why, why_len, "--%s expects %s, not \"%.100s\"", o->name,
			    o->expects, value);
			return false;
		}
		prefer_argument(config, o, &kept_said);
	}
	return true;
}

static bool default_folder(char *out, size_t room)
{
	const char *base = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	int len = -1;

	if (base && *base == '/')
		len = snprintf(out, room, "%s/drydock", base);
	else if (home && *home)
		len = snprintf(out, room, "%s/.local/share/drydock", home);
	return len > 0 && (size_t)len < room;
}

static bool choose_data_folder(struct config *config, char *why, size_t why_len)
{
	if (config->ephemeral && config->data[0]) {
		snprintf(why, why_len,
		    "--data and --ephemeral exclude each other: an ephemeral server keeps nothing");
		return false;
	}
	if (config->ephemeral || config->data[0] ||
	    default_folder(config->data, sizeof(config->data)))
		return true;
	snprintf(why, why_len,
	    "there is no home folder to keep the data in: name one with --data, or use --ephemeral");
	return false;
}

/* Clients come to trust the authority once, so it outlives ephemeral servers. */
static bool choose_authority_folder(struct config *config, char *why, size_t why_len)
{
	char *folder = config->tls_authority;
	size_t room = sizeof(config->tls_authority) - sizeof("/ca");
	bool known;

	if (folder[0])
		return true;
	known = config->ephemeral ? default_folder(folder, room)
				  : copy_text(folder, room, config->data);
	if (known)
		memcpy(folder + strlen(folder), "/ca", sizeof("/ca"));
	else
		folder[0] = '\0';
	if (known || !config->tls_host[0] || config->tls_certificate[0])
		return true;
	snprintf(why, why_len,
	    "there is no home folder to keep the certificate authority in: name one with --tls-ca");
	return false;
}

static bool check_listeners(const struct config *config, char *why, size_t why_len)
{
	const char *trouble = NULL;

	if (!config->listen_host[0] && !config->tls_host[0])
		trouble = "--listen none needs --tls-listen: somewhere it must listen";
	else if (!config->tls_certificate[0] != !config->tls_key[0])
		trouble = "--tls-cert and --tls-key need each other";
	else if (config->tls_certificate[0] && config->tls_name_count > 0)
		trouble =
		    "--tls-name has no use with --tls-cert: a certificate has its names already";
	if (trouble)
		snprintf(why, why_len, "%s", trouble);
	return !trouble;
}

static bool check_access(const struct config *config, char *why, size_t why_len)
{
	if ((config->auth == AUTH_IAM) == (config->iam[0] != '\0'))
		return true;
	snprintf(why, why_len,
	    config->iam[0] ? "--iam is for --auth iam: add that, or leave it out"
			   : "--auth iam needs --iam FILE, which says who exists");
	return false;
}

const char *config_local_host(const struct config *config)
{
	const char *host = config->listen_host[0] ? config->listen_host : config->tls_host;

	if (strcmp(host, "0.0.0.0") == 0)
		return "127.0.0.1";
	return strcmp(host, "::") == 0 ? "::1" : host;
}

bool config_read(struct config *config, int argc, char **argv, char *why, size_t why_len)
{
	*config = (struct config){
	    .listen_host = "127.0.0.1",
	    .listen_port = 5001,
	    .account = "000000000000",
	    .region = "us-east-1",
	    .max_connections = 10000,
	    .gc_grace_s = 24 * 3600,
	    .gc_interval_s = 3600,
	    .lifecycle_interval_s = 3600,
	    .log_level = LOG_LEVEL_INFO,
	};
	if (!read_environment(config, why, why_len) ||
	    !read_arguments(config, argc, argv, why, why_len))
		return false;
	if (config->doors == DOORS_DEFAULT)
		config->doors =
		    config->auth == AUTH_IAM || config->doors_token[0] ? DOORS_TOKEN : DOORS_OPEN;
	return check_access(config, why, why_len) && choose_data_folder(config, why, why_len) &&
	    check_listeners(config, why, why_len) && choose_authority_folder(config, why, why_len);
}
