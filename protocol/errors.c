/*
 * The table of errors.
 *
 * Where ECR's words are known they stand here to the letter, with SAID_BY_ECR (user guide, API
 * reference, or what people saw real ECR answer) or SAID_BY_PEERS (another emulator's tests). The
 * rest is written in the same style and marked SAID_BY_US.
 *
 * How ECR's registry says what its API refuses: it wraps the API's exception. Whatever the API
 * calls InvalidParameterException is 405 UNSUPPORTED there, with the API's whole text. Entries that
 * only one of the two doors can reach are given a sensible answer for the other all the same.
 */
#include "protocol/errors.h"

#include "protocol/buf.h"

#include <errno.h>

#define INVALID_PARAMETER "Invalid parameter at "
#define REPOSITORY_TAIL                                                                            \
	"the repository with name '{repository}' in the registry with id '{registry}'"
#define IMAGE_ID "{imageDigest:'{digest}', imageTag:'{tag}'}"

/* clang-format off */
static const struct error_entry entries[ERR_COUNT] = {
	/* the request itself */
	[ERR_INVALID_PARAMETER] = {"InvalidParameterException", 400, "UNSUPPORTED", 405,
	    INVALID_PARAMETER "'{member}' failed to satisfy constraint: '{detail}'", SAID_BY_ECR},
	[ERR_VALIDATION] = {"ValidationException", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},
	[ERR_SERIALIZATION] = {"SerializationException", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},
	[ERR_UNKNOWN_OPERATION] = {"UnknownOperationException", 400, "UNSUPPORTED", 405,
	    "", SAID_BY_ECR},
	[ERR_OPERATION_NOT_OFFERED] = {"UnknownOperationException", 400, "UNSUPPORTED", 405,
	    "{detail} is an operation of Amazon ECR's API that this version of Drydock does not offer yet",
	    SAID_BY_US},
	[ERR_MISSING_AUTHENTICATION] = {"MissingAuthenticationTokenException", 400, "UNAUTHORIZED", 401,
	    "Missing Authentication Token", SAID_BY_ECR},
	[ERR_UNRECOGNIZED_CLIENT] = {"UnrecognizedClientException", 400, "DENIED", 403,
	    "The security token included in the request is invalid.", SAID_BY_ECR},
	[ERR_INCOMPLETE_SIGNATURE] = {"IncompleteSignatureException", 400, "UNAUTHORIZED", 401,
	    "{detail}", SAID_BY_ECR},
	[ERR_INVALID_SIGNATURE] = {"InvalidSignatureException", 400, "DENIED", 403,
	    "The request signature we calculated does not match the signature you provided. Check your AWS "
	    "Secret Access Key and signing method. Consult the service documentation for details.{detail}",
	    SAID_BY_ECR},
	[ERR_SIGNATURE_REFUSED] = {"InvalidSignatureException", 400, "DENIED", 403,
	    "{detail}", SAID_BY_ECR},
	[ERR_CREDENTIALS_EXPIRED] = {"ExpiredTokenException", 400, "DENIED", 403,
	    "The security token included in the request is expired", SAID_BY_ECR},
	[ERR_TOKEN_EXPIRED] = {"ExpiredTokenException", 400, "DENIED", 403,
	    "Your authorization token has expired. Reauthenticate and try again.", SAID_BY_ECR},
	[ERR_NOT_AUTHORIZED] = {"MissingAuthenticationTokenException", 400, NULL, 401,
	    "Not Authorized\n", SAID_BY_ECR},
	[ERR_ACCESS_DENIED] = {"AccessDeniedException", 400, "DENIED", 403,
	    "{detail}", SAID_BY_ECR},
	[ERR_THROTTLED] = {"ThrottlingException", 400, "TOOMANYREQUESTS", 429,
	    "Rate exceeded", SAID_BY_ECR},
	[ERR_BODY_TOO_LARGE] = {"RequestEntityTooLargeException", 413, "SIZE_INVALID", 413,
	    "The request body is larger than this request may have", SAID_BY_US},
	[ERR_METHOD_NOT_ALLOWED] = {"UnknownOperationException", 405, "UNSUPPORTED", 405,
	    "This method is not allowed here", SAID_BY_US},
	[ERR_ROUTE_UNKNOWN] = {"UnknownOperationException", 404, "UNSUPPORTED", 404,
	    "There is nothing at this address", SAID_BY_US},
	[ERR_REFERENCE_INVALID] = {"InvalidParameterException", 400, "TAG_INVALID", 400,
	    INVALID_PARAMETER "'imageTag' failed to satisfy constraint: "
	    "'must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}''", SAID_BY_US},
	[ERR_NAME_INVALID] = {"InvalidParameterException", 400, "UNSUPPORTED", 405,
	    INVALID_PARAMETER "'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "
	    "'[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*''", SAID_BY_ECR},
	[ERR_DIGEST_INVALID_TEXT] = {"InvalidParameterException", 400, "DIGEST_INVALID", 400,
	    "'{digest}' is not a digest that is supported here: "
	    "'sha256:' and 64, or 'sha512:' and 128 lower-case hexadecimal digits", SAID_BY_US},
	[ERR_STS_ACTION] = {"InvalidAction", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},
	[ERR_POLICY_MALFORMED] = {"MalformedPolicyDocument", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},

	/* repositories */
	[ERR_REPOSITORY_NOT_FOUND] = {"RepositoryNotFoundException", 400, "NAME_UNKNOWN", 404,
	    "The repository with name '{repository}' does not exist in the registry with id '{registry}'",
	    SAID_BY_ECR},
	[ERR_REPOSITORY_EXISTS] = {"RepositoryAlreadyExistsException", 400, "UNSUPPORTED", 405,
	    "The repository with name '{repository}' already exists in the registry with id '{registry}'",
	    SAID_BY_ECR},
	[ERR_REPOSITORY_NOT_EMPTY] = {"RepositoryNotEmptyException", 400, "UNSUPPORTED", 405,
	    "The repository with name '{repository}' in registry with id '{registry}' cannot be deleted "
	    "because it still contains images", SAID_BY_ECR},
	[ERR_INVALID_TAG_PARAMETER] = {"InvalidTagParameterException", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},
	[ERR_TOO_MANY_TAGS] = {"TooManyTagsException", 400, "UNSUPPORTED", 405,
	    "The repository with name '{repository}' in the registry with id '{registry}' cannot have more "
	    "than {detail} tags", SAID_BY_US},
	[ERR_LIMIT_EXCEEDED] = {"LimitExceededException", 400, "DENIED", 403,
	    "{detail}", SAID_BY_US},

	/* settings of repositories and registries */
	[ERR_REPOSITORY_POLICY_NOT_FOUND] = {"RepositoryPolicyNotFoundException", 400, "UNSUPPORTED", 405,
	    "Repository policy does not exist for " REPOSITORY_TAIL, SAID_BY_PEERS},
	[ERR_LIFECYCLE_POLICY_NOT_FOUND] = {"LifecyclePolicyNotFoundException", 400, "UNSUPPORTED", 405,
	    "Lifecycle policy does not exist for " REPOSITORY_TAIL, SAID_BY_PEERS},
	[ERR_PREVIEW_NOT_FOUND] = {"LifecyclePolicyPreviewNotFoundException", 400, "UNSUPPORTED", 405,
	    "Lifecycle policy preview does not exist for " REPOSITORY_TAIL, SAID_BY_US},
	[ERR_PREVIEW_IN_PROGRESS] = {"LifecyclePolicyPreviewInProgressException", 400, "UNSUPPORTED", 405,
	    "Lifecycle policy preview is already in progress for " REPOSITORY_TAIL, SAID_BY_US},
	[ERR_REGISTRY_POLICY_NOT_FOUND] = {"RegistryPolicyNotFoundException", 400, "UNSUPPORTED", 405,
	    "Registry policy does not exist in the registry with id '{registry}'", SAID_BY_PEERS},
	[ERR_SIGNING_NOT_FOUND] = {"SigningConfigurationNotFoundException", 400, "UNSUPPORTED", 405,
	    "Signing configuration does not exist in the registry with id '{registry}'", SAID_BY_US},
	[ERR_TEMPLATE_NOT_FOUND] = {"TemplateNotFoundException", 400, "UNSUPPORTED", 405,
	    "The repository creation template with prefix '{detail}' does not exist in the registry with id "
	    "'{registry}'", SAID_BY_US},
	[ERR_TEMPLATE_EXISTS] = {"TemplateAlreadyExistsException", 400, "UNSUPPORTED", 405,
	    "The repository creation template with prefix '{detail}' already exists in the registry with id "
	    "'{registry}'", SAID_BY_US},
	[ERR_PULL_THROUGH_RULE_NOT_FOUND] = {"PullThroughCacheRuleNotFoundException", 400, "UNSUPPORTED", 405,
	    "The pull through cache rule with repository prefix '{detail}' does not exist in the registry "
	    "with id '{registry}'", SAID_BY_US},
	[ERR_PULL_THROUGH_RULE_EXISTS] = {"PullThroughCacheRuleAlreadyExistsException", 400, "UNSUPPORTED", 405,
	    "The pull through cache rule with repository prefix '{detail}' already exists in the registry "
	    "with id '{registry}'", SAID_BY_US},
	[ERR_UPSTREAM_UNSUPPORTED] = {"UnsupportedUpstreamRegistryException", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},
	[ERR_SECRET_INACCESSIBLE] = {"UnableToAccessSecretException", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},
	[ERR_EXCLUSION_NOT_FOUND] = {"ExclusionNotFoundException", 400, "UNSUPPORTED", 405,
	    "The pull time update exclusion for '{detail}' does not exist in the registry with id "
	    "'{registry}'", SAID_BY_US},
	[ERR_EXCLUSION_EXISTS] = {"ExclusionAlreadyExistsException", 400, "UNSUPPORTED", 405,
	    "The pull time update exclusion for '{detail}' already exists in the registry with id "
	    "'{registry}'", SAID_BY_US},
	[ERR_SETTING_NOT_FOUND] = {"ServerException", 500, "UNKNOWN", 500,
	    "A setting that has a default was not found", SAID_BY_US},

	/* images */
	[ERR_IMAGE_NOT_FOUND] = {"ImageNotFoundException", 400, "MANIFEST_UNKNOWN", 404,
	    "The image with imageId " IMAGE_ID " does not exist within the repository with name "
	    "'{repository}' in the registry with id '{registry}'", SAID_BY_ECR},
	[ERR_MANIFEST_UNKNOWN] = {"ImageNotFoundException", 400, "MANIFEST_UNKNOWN", 404,
	    "Requested image not found", SAID_BY_ECR},
	[ERR_MANIFEST_INVALID] = {"InvalidParameterException", 400, "UNSUPPORTED", 405,
	    INVALID_PARAMETER "'ImageManifest' failed to satisfy constraint: 'Invalid JSON syntax'",
	    SAID_BY_ECR},
	[ERR_MANIFEST_DIGEST_MISMATCH] = {"ImageDigestDoesNotMatchException", 400, "MANIFEST_INVALID", 400,
	    "The image with digest '{digest}' in repository '{repository}' and registry ID '{registry}' does "
	    "not match the image digest that Amazon ECR has calculated.", SAID_BY_ECR},
	[ERR_IMAGE_EXISTS] = {"ImageAlreadyExistsException", 400, "MANIFEST_INVALID", 400,
	    "Image with digest '{digest}' and tag '{tag}' already exists in the repository with name "
	    "'{repository}' in registry with id '{registry}'", SAID_BY_PEERS},
	[ERR_IMAGE_TAG_EXISTS] = {"ImageTagAlreadyExistsException", 400, "TAG_INVALID", 400,
	    "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten "
	    "because the tag is immutable.", SAID_BY_ECR},
	[ERR_LAYERS_NOT_FOUND] = {"LayersNotFoundException", 400, "MANIFEST_BLOB_UNKNOWN", 404,
	    "Layers with digests '[{digests}]' required for pushing image into repository with name "
	    "'{repository}' in the registry with id '{registry}' do not exist", SAID_BY_US},
	[ERR_REFERENCED_IMAGES_NOT_FOUND] = {"ReferencedImagesNotFoundException", 400,
	    "MANIFEST_BLOB_UNKNOWN", 404,
	    "Images with digests '[{digests}]' required for pushing image into repository with name "
	    "'{repository}' in the registry with id '{registry}' do not exist", SAID_BY_ECR},
	[ERR_IMAGE_REFERENCED] = {"InvalidParameterException", 400, "UNSUPPORTED", 405,
	    "Requested image referenced by manifest list: [{digests}]", SAID_BY_ECR},
	[ERR_STORAGE_CLASS_UPDATE] = {"ImageStorageClassUpdateNotSupportedException", 400, "UNSUPPORTED", 405,
	    "{detail}", SAID_BY_US},
	[ERR_IMAGE_ARCHIVED] = {"ImageArchivedException", 400, "MANIFEST_UNKNOWN", 404,
	    "The image with imageId " IMAGE_ID " in " REPOSITORY_TAIL " is archived", SAID_BY_US},
	[ERR_IMAGE_UNSUPPORTED] = {"UnsupportedImageTypeException", 400, "UNSUPPORTED", 405,
	    "The image with imageId " IMAGE_ID " in " REPOSITORY_TAIL " is of a type that cannot be scanned",
	    SAID_BY_US},
	[ERR_SCAN_NOT_FOUND] = {"ScanNotFoundException", 400, "UNSUPPORTED", 405,
	    "Image scan does not exist for the image with '" IMAGE_ID "' in the repository with name "
	    "'{repository}' in the registry with id '{registry}'", SAID_BY_ECR},

	/* layers and uploads */
	[ERR_BLOB_UNKNOWN] = {"LayersNotFoundException", 400, "BLOB_UNKNOWN", 404,
	    "The layer with digest '{digest}' does not exist within the repository with name "
	    "'{repository}' in the registry with id '{registry}'", SAID_BY_ECR},
	[ERR_LAYER_NOT_FOUND] = {"LayersNotFoundException", 400, "BLOB_UNKNOWN", 404,
	    "The layer with digest '{digest}' does not exist within the repository with name "
	    "'{repository}' in the registry with id '{registry}'", SAID_BY_ECR},
	[ERR_LAYER_INACCESSIBLE] = {"LayerInaccessibleException", 400, "BLOB_UNKNOWN", 404,
	    "The layer with digest '{digest}' is not accessible: no image refers to it in " REPOSITORY_TAIL,
	    SAID_BY_US},
	[ERR_LAYER_EXISTS] = {"LayerAlreadyExistsException", 400, "BLOB_UPLOAD_INVALID", 400,
	    "Layer with digest '{digest}' already exists in the repository with name '{repository}' in "
	    "registry with id '{registry}'", SAID_BY_US},
	[ERR_LAYER_DIGEST_MISMATCH] = {"InvalidLayerException", 400, "DIGEST_INVALID", 400,
	    "The layer with digest '{digest}' in repository '{repository}' and registry ID '{registry}' does "
	    "not match the digest calculated from the bytes that were uploaded", SAID_BY_US},
	[ERR_UPLOAD_UNKNOWN] = {"UploadNotFoundException", 400, "BLOB_UPLOAD_UNKNOWN", 404,
	    "The upload with id '{upload}' does not exist in " REPOSITORY_TAIL, SAID_BY_US},
	[ERR_UPLOAD_EMPTY] = {"EmptyUploadException", 400, "BLOB_UPLOAD_INVALID", 400,
	    "The upload with id '{upload}' has no layer parts in " REPOSITORY_TAIL, SAID_BY_US},
	/* docker tries a BLOB_UPLOAD_INVALID again, and gives up on a TOOMANYREQUESTS */
	[ERR_UPLOAD_BUSY] = {"ThrottlingException", 400, "BLOB_UPLOAD_INVALID", 409,
	    "Another request is writing to the upload with id '{upload}': try again when it has ended",
	    SAID_BY_US},
	[ERR_UPLOAD_RANGE] = {"InvalidLayerPartException", 400, "BLOB_UPLOAD_INVALID", 416,
	    "The part does not begin where the upload with id '{upload}' ends", SAID_BY_US},
	[ERR_LAYER_PART_INVALID] = {"InvalidLayerPartException", 400, "BLOB_UPLOAD_INVALID", 416,
	    "The layer part is not the next one of the upload with id '{upload}', or its length is not what "
	    "its first and last byte say", SAID_BY_US},
	[ERR_LAYER_PART_TOO_SMALL] = {"LayerPartTooSmallException", 400, "SIZE_INVALID", 400,
	    "A part of the upload with id '{upload}' other than its last is smaller than 5 MiB", SAID_BY_US},
	[ERR_LAYER_TOO_LARGE] = {"LimitExceededException", 400, "SIZE_INVALID", 413,
	    "The layer is larger than the 52,000 MiB that a layer may have", SAID_BY_US},
	[ERR_RANGE_NOT_SATISFIABLE] = {"InvalidParameterException", 400, "RANGE_INVALID", 416,
	    "The range begins after the last byte", SAID_BY_US},

	/* ourselves */
	[ERR_STORAGE_FULL] = {"ServerException", 500, "UNKNOWN", 507,
	    "The disk that holds Drydock's data is full: make room on it, or start Drydock with --data on "
	    "a larger one, and try again", SAID_BY_US},
	[ERR_STORAGE_FAILED] = {"ServerException", 500, "UNKNOWN", 500,
	    "Drydock could not read or write its data: its log says why", SAID_BY_US},
	[ERR_SHUTTING_DOWN] = {"ServerException", 500, "UNAVAILABLE", 503,
	    "Drydock is shutting down: try again", SAID_BY_US},
	[ERR_MEMORY_SHORT] = {"ServiceUnavailable", 503, "UNAVAILABLE", 503,
	    "Too many requests hold memory at this moment: try again", SAID_BY_US},
};
/* clang-format on */

const struct error_entry *error_entry(enum error_code code)
{
	if (code <= ERR_NONE || code >= ERR_COUNT)
		return NULL;
	return &entries[code];
}

/* Where the OCI distribution-spec ("Error Codes") has an answer that is not ECR's. */
static const struct {
	enum error_code code;
	struct registry_face face;
} spec_faces[] = {
    {ERR_INVALID_PARAMETER, {"UNSUPPORTED", 400}},
    {ERR_NAME_INVALID, {"NAME_INVALID", 400}},
    {ERR_MANIFEST_INVALID, {"MANIFEST_INVALID", 400}},
};

struct registry_face error_registry_face(enum error_code code, bool by_spec)
{
	const struct error_entry *entry = error_entry(code);

	for (size_t i = 0; by_spec && i < sizeof(spec_faces) / sizeof(spec_faces[0]); i++) {
		if (spec_faces[i].code == code)
			return spec_faces[i].face;
	}
	return (struct registry_face){entry->registry_code, entry->registry_status};
}

/* STS API Reference, "Common Error Types", and what was seen of it. */
static const struct {
	enum error_code code;
	struct sts_face face;
} sts_faces[] = {
    {ERR_VALIDATION, {"ValidationError", 400}},
    {ERR_MISSING_AUTHENTICATION, {"MissingAuthenticationToken", 403}},
    {ERR_UNRECOGNIZED_CLIENT, {"InvalidClientTokenId", 403}},
    {ERR_INCOMPLETE_SIGNATURE, {"IncompleteSignature", 400}},
    {ERR_INVALID_SIGNATURE, {"SignatureDoesNotMatch", 403}},
    {ERR_SIGNATURE_REFUSED, {"SignatureDoesNotMatch", 403}},
    {ERR_CREDENTIALS_EXPIRED, {"ExpiredToken", 403}},
    {ERR_ACCESS_DENIED, {"AccessDenied", 403}},
};

struct sts_face error_sts_face(enum error_code code)
{
	const struct error_entry *entry = error_entry(code);

	for (size_t i = 0; i < sizeof(sts_faces) / sizeof(sts_faces[0]); i++)
		if (sts_faces[i].code == code)
			return sts_faces[i].face;
	return (struct sts_face){entry->exception, entry->api_status};
}

static const struct {
	struct slice text;
	size_t offset; /* of the slice in struct error */
	const char *absent;
} placeholders[] = {
    {SLICE("{repository}"), offsetof(struct error, repository), ""},
    {SLICE("{registry}"), offsetof(struct error, registry), ""},
    {SLICE("{digest}"), offsetof(struct error, digest), "null"},
    {SLICE("{tag}"), offsetof(struct error, tag), "null"},
    {SLICE("{digests}"), offsetof(struct error, digests), ""},
    {SLICE("{member}"), offsetof(struct error, member), ""},
    {SLICE("{detail}"), offsetof(struct error, detail), ""},
    {SLICE("{upload}"), offsetof(struct error, upload), ""},
};

/* Puts what the placeholder at the head of s stands for; returns its length, or 0. */
static size_t put_placeholder(struct buf *out, struct slice s, const struct error *e)
{
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++) {
		if (!slice_starts(s, placeholders[i].text))
			continue;
		const struct slice *value =
		    (const void *)((const char *)e + placeholders[i].offset);
		if (value->at)
			buf_put_slice(out, *value);
		else
			buf_puts(out, placeholders[i].absent);
		return placeholders[i].text.len;
	}
	return 0;
}

struct slice error_message(const struct error *e, struct arena *a)
{
	const struct error_entry *entry = error_entry(e->code);
	struct slice left = slice_str(entry ? entry->message : "");
	struct buf out;

	buf_init(&out, a, SIZE_MAX, left.len + 128);
	while (left.len) {
		const char *brace = memchr(left.at, '{', left.len);
		size_t plain = brace ? (size_t)(brace - left.at) : left.len;
		buf_put(&out, left.at, plain);
		left = slice_skip(left, plain);
		size_t taken = left.len ? put_placeholder(&out, left, e) : 0;
		if (left.len && !taken) {
			buf_putc(&out, '{'); /* ECR's image ids have braces of their own */
			taken = 1;
		}
		left = slice_skip(left, taken);
	}
	return buf_slice(&out);
}

enum error_code error_of_errno(int failure)
{
	bool full = failure == ENOSPC || failure == EDQUOT || failure == EFBIG;
	return full ? ERR_STORAGE_FULL : ERR_STORAGE_FAILED;
}
