/* PutAccountSetting, GetAccountSetting (ecr-behaviour 2.12). */
#include "server/ecr/ecr_call.h"
#include "server/ecr/ecr_documents.h"
#include "server/ecr/operations.h"

/* The first value is the default. */
static const struct {
	const char *name;
	const char *const *values;
} settings[] = {
    {"BASIC_SCAN_TYPE_VERSION", (const char *const[]){"AWS_NATIVE", NULL}}, /* CLAIR is retired */
    {"REGISTRY_POLICY_SCOPE", (const char *const[]){"V2", NULL}},
    {"BLOB_MOUNTING", (const char *const[]){"DISABLED", "ENABLED", NULL}},
};

enum { SETTING_COUNT = sizeof(settings) / sizeof(settings[0]) };

static int find_setting(struct slice name)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (slice_is(name, settings[i].name))
			return i;
	return -1;
}

static enum http_step refuse_name(struct call *c)
{
	call_fail_parameter(c, "name",
	    "Member must satisfy enum value set: "
	    "[BASIC_SCAN_TYPE_VERSION, REGISTRY_POLICY_SCOPE, BLOB_MOUNTING]");
	return ecr_error(c);
}

static enum http_step refuse_value(struct call *c, const char *const *values)
{
	struct buf text;

	buf_init(&text, c->arena, 1024, 128);
	buf_puts(&text, "Member must satisfy enum value set: [");
	for (const char *const *value = values; *value; value++)
		buf_printf(&text, "%s%s", value == values ? "" : ", ", *value);
	buf_putc(&text, ']');
	call_fail(c, ERR_INVALID_PARAMETER)->member = slice_str("value");
	c->error.detail = buf_slice(&text);
	return ecr_error(c);
}

static enum http_step write_setting(struct call *c, struct slice name, struct slice value)
{
	struct json_writer *w = ecr_begin(c);

	json_put_str(w, "name", name);
	json_put_str(w, "value", value);
	return ecr_reply(c);
}

static enum http_step put(struct call *c)
{
	const struct document_put *job = c->job_data;

	if (c->error.code != ERR_NONE)
		return ecr_error(c);
	return write_setting(c, job->key.name, job->text);
}

enum http_step op_put_account_setting(struct call *c)
{
	struct slice name = json_string(ecr_input(c), "name");
	struct slice value = json_string(ecr_input(c), "value");
	int setting = find_setting(name);
	const char *const *one;

	if (setting < 0)
		return refuse_name(c);
	for (one = settings[setting].values; *one && !slice_is(value, *one);)
		one++;
	if (!*one)
		return refuse_value(c, settings[setting].values);
	return ecr_put_document(c, DOCUMENT_ACCOUNT_SETTING, name, DOCUMENT_PUT, value, put);
}

enum http_step op_get_account_setting(struct call *c)
{
	struct slice name = json_string(ecr_input(c), "name"), value;
	int setting = find_setting(name);

	if (setting < 0)
		return refuse_name(c);
	value = ecr_get_setting(c, DOCUMENT_ACCOUNT_SETTING, name, settings[setting].values[0]);
	return value.at ? write_setting(c, name, value) : ecr_error(c);
}
