#include "support.h"

#include "protocol/errors.h"
#include "protocol/model.h"

#include <ctype.h>

static struct error facts(enum error_code code)
{
	return (struct error){
	    .code = code,
	    .registry = slice_str("123456789012"),
	    .repository = slice_str("team/app"),
	    .digest = slice_str("sha256:d1"),
	    .tag = slice_str("v1"),
	    .digests = slice_str("sha256:d1, sha256:d2"),
	    .member = slice_str("maxResults"),
	    .detail = slice_str("Member must have value less than or equal to 1000"),
	    .upload = slice_str("u1"),
	};
}

#define IN_REPOSITORY "the repository with name 'team/app' in the registry with id '123456789012'"

/* The texts that are known of ECR, to the letter. */
static const struct {
	enum error_code code;
	const char *exception, *registry_code;
	int registry_status;
	const char *message;
} known[] = {
    {ERR_INVALID_PARAMETER, "InvalidParameterException", "UNSUPPORTED", 405,
	"Invalid parameter at 'maxResults' failed to satisfy constraint: "
	"'Member must have value less than or equal to 1000'"},
    {ERR_REPOSITORY_NOT_FOUND, "RepositoryNotFoundException", "NAME_UNKNOWN", 404,
	"The repository with name 'team/app' does not exist in the registry with id "
	"'123456789012'"},
    {ERR_REPOSITORY_EXISTS, "RepositoryAlreadyExistsException", "UNSUPPORTED", 405,
	"The repository with name 'team/app' already exists in the registry with id "
	"'123456789012'"},
    {ERR_REPOSITORY_NOT_EMPTY, "RepositoryNotEmptyException", "UNSUPPORTED", 405,
	"The repository with name 'team/app' in registry with id '123456789012' cannot be deleted "
	"because it still contains images"},
    {ERR_IMAGE_NOT_FOUND, "ImageNotFoundException", "MANIFEST_UNKNOWN", 404,
	"The image with imageId {imageDigest:'sha256:d1', imageTag:'v1'} does not exist within the "
	"repository with name 'team/app' in the registry with id '123456789012'"},
    {ERR_MANIFEST_UNKNOWN, "ImageNotFoundException", "MANIFEST_UNKNOWN", 404,
	"Requested image not found"},
    {ERR_MANIFEST_INVALID, "InvalidParameterException", "UNSUPPORTED", 405,
	"Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'"},
    {ERR_MANIFEST_DIGEST_MISMATCH, "ImageDigestDoesNotMatchException", "MANIFEST_INVALID", 400,
	"The image with digest 'sha256:d1' in repository 'team/app' and registry ID '123456789012' "
	"does "
	"not match the image digest that Amazon ECR has calculated."},
    {ERR_IMAGE_EXISTS, "ImageAlreadyExistsException", "MANIFEST_INVALID", 400,
	"Image with digest 'sha256:d1' and tag 'v1' already exists in the repository with name "
	"'team/app' in registry with id '123456789012'"},
    {ERR_IMAGE_TAG_EXISTS, "ImageTagAlreadyExistsException", "TAG_INVALID", 400,
	"The image tag 'v1' already exists in the 'team/app' repository and cannot be overwritten "
	"because the tag is immutable."},
    {ERR_LAYERS_NOT_FOUND, "LayersNotFoundException", "MANIFEST_BLOB_UNKNOWN", 404,
	"Layers with digests '[sha256:d1, sha256:d2]' required for pushing image into repository "
	"with "
	"name 'team/app' in the registry with id '123456789012' do not exist"},
    {ERR_REFERENCED_IMAGES_NOT_FOUND, "ReferencedImagesNotFoundException", "MANIFEST_BLOB_UNKNOWN",
	404,
	"Images with digests '[sha256:d1, sha256:d2]' required for pushing image into repository "
	"with "
	"name 'team/app' in the registry with id '123456789012' do not exist"},
    {ERR_IMAGE_REFERENCED, "InvalidParameterException", "UNSUPPORTED", 405,
	"Requested image referenced by manifest list: [sha256:d1, sha256:d2]"},
    {ERR_LAYER_NOT_FOUND, "LayersNotFoundException", "BLOB_UNKNOWN", 404,
	"The layer with digest 'sha256:d1' does not exist within " IN_REPOSITORY},
    {ERR_NOT_AUTHORIZED, "MissingAuthenticationTokenException", NULL, 401, "Not Authorized\n"},
    {ERR_TOKEN_EXPIRED, "ExpiredTokenException", "DENIED", 403,
	"Your authorization token has expired. Reauthenticate and try again."},
    {ERR_THROTTLED, "ThrottlingException", "TOOMANYREQUESTS", 429, "Rate exceeded"},
    {ERR_NAME_INVALID, "InvalidParameterException", "UNSUPPORTED", 405,
	"Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular "
	"expression '[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*''"},
};

static void says_what_ecr_says(void **state)
{
	for (size_t i = 0; i < COUNT(known); i++) {
		const struct error_entry *entry = error_entry(known[i].code);
		struct error e = facts(known[i].code);
		assert_string_equal(entry->exception, known[i].exception);
		assert_int_equal(entry->registry_status, known[i].registry_status);
		if (known[i].registry_code)
			assert_string_equal(entry->registry_code, known[i].registry_code);
		else
			assert_null(entry->registry_code);
		assert_slice(error_message(&e, *state), known[i].message);
	}
}

static void absent_facts(void **state)
{
	struct error e = facts(ERR_IMAGE_NOT_FOUND);

	e.digest = slice_str(NULL);
	assert_slice(error_message(&e, *state),
	    "The image with imageId {imageDigest:'null', imageTag:'v1'} does not exist "
	    "within " IN_REPOSITORY);
	e = facts(ERR_IMAGE_EXISTS);
	e.tag = slice_str(NULL);
	assert_slice(error_message(&e, *state),
	    "Image with digest 'sha256:d1' and tag 'null' already exists in the repository with "
	    "name "
	    "'team/app' in registry with id '123456789012'");
	e = (struct error){.code = ERR_VALIDATION};
	assert_slice(error_message(&e, *state), "");
	e = (struct error){.code = ERR_UNKNOWN_OPERATION};
	assert_slice(error_message(&e, *state), "");
	e = (struct error){.code = ERR_NONE};
	assert_slice(error_message(&e, *state), "");
}

/* What a client sends is shown as it is, and never read as a placeholder. */
static void facts_are_not_expanded(void **state)
{
	struct error e = facts(ERR_INVALID_PARAMETER);

	e.member = slice_str("{detail}");
	e.detail = slice_str("{registry}%s{");
	assert_slice(error_message(&e, *state),
	    "Invalid parameter at '{detail}' failed to satisfy constraint: '{registry}%s{'");
}

/* {name} with a name of lower-case letters that is none of ours */
static bool has_unknown_placeholder(const char *message)
{
	static const char *const names[] = {"{repository}", "{registry}", "{digest}", "{tag}",
	    "{digests}", "{member}", "{detail}", "{upload}"};

	for (const char *at = strchr(message, '{'); at; at = strchr(at + 1, '{')) {
		size_t len = 1;
		while (islower((unsigned char)at[len]) || at[len] == '_')
			len++;
		if (len == 1 || at[len] != '}')
			continue; /* a brace of ECR's own, or of a regular expression */
		bool found = false;
		for (size_t i = 0; i < COUNT(names); i++)
			found = found || strncmp(at, names[i], len + 1) == 0;
		if (!found)
			return true;
	}
	return false;
}

/* Exceptions that no operation of the model declares: AWS's front end says them. */
static bool is_front_end(const char *exception)
{
	static const char *const names[] = {"MissingAuthenticationTokenException",
	    "UnrecognizedClientException", "IncompleteSignatureException",
	    "InvalidSignatureException", "ExpiredTokenException", "UnknownOperationException",
	    "SerializationException", "AccessDeniedException", "ThrottlingException",
	    "RequestEntityTooLargeException", "ServiceUnavailable", "MalformedPolicyDocument",
	    "InvalidAction"};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(names[i], exception) == 0)
			return true;
	}
	return false;
}

static bool is_in_model(const char *exception)
{
	for (size_t i = 0; i < model_ecr.operation_count; i++) {
		if (model_declares(&model_ecr.operations[i], exception))
			return true;
	}
	return false;
}

static bool is_registry_code(const char *code)
{
	/* the distribution-spec's, and the two that the reference registry adds, and UNKNOWN */
	static const char *const names[] = {"BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID",
	    "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID",
	    "MANIFEST_UNKNOWN", "NAME_INVALID", "NAME_UNKNOWN", "SIZE_INVALID", "UNAUTHORIZED",
	    "DENIED", "UNSUPPORTED", "TOOMANYREQUESTS", "TAG_INVALID", "RANGE_INVALID",
	    "UNAVAILABLE", "UNKNOWN"};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(names[i], code) == 0)
			return true;
	}
	return false;
}

static void every_code_has_an_entry(void **state)
{
	assert_null(error_entry(ERR_NONE));
	assert_null(error_entry(ERR_COUNT));
	assert_null(error_entry((enum error_code) - 1));
	for (int code = ERR_NONE + 1; code < ERR_COUNT; code++) {
		const struct error_entry *entry = error_entry((enum error_code)code);
		if (!entry || !entry->exception || !entry->message)
			fail_msg("error %d has no entry", code);
		if (!is_front_end(entry->exception) && !is_in_model(entry->exception))
			fail_msg("%s is unknown", entry->exception);
		if (entry->registry_code && !is_registry_code(entry->registry_code))
			fail_msg("%s is unknown", entry->registry_code);
		assert_in_range(entry->api_status, 400, 599);
		assert_in_range(entry->registry_status, 400, 599);
		if (strcmp(entry->exception, "ServerException") == 0)
			assert_int_equal(entry->api_status, 500);
		if (has_unknown_placeholder(entry->message))
			fail_msg("a placeholder is unknown: %s", entry->message);
		struct error e = {.code = (enum error_code)code};
		error_message(&e, *state);
	}
}

static void the_test_sees_unknown_placeholders(void **state)
{
	(void)state;
	assert_true(has_unknown_placeholder("a {thing} b"));
	assert_false(has_unknown_placeholder("a {tag} [0-9]{12} {imageDigest:'{digest}'} {0,127}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    arena_test(says_what_ecr_says),
	    arena_test(absent_facts),
	    arena_test(facts_are_not_expanded),
	    arena_test(every_code_has_an_entry),
	    cmocka_unit_test(the_test_sees_unknown_placeholders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
