#include "support.h"

#include "protocol/model.h"
#include "protocol/names.h"

static const struct model *const models[] = {&model_ecr, &model_ecr_public};

static void finds_operations(void **state)
{
	(void)state;
	assert_int_equal(model_ecr.operation_count, 58);
	assert_int_equal(model_ecr_public.operation_count, 23);
	assert_string_equal(model_ecr.target_prefix, "AmazonEC2ContainerRegistry_V20150921");
	assert_string_equal(model_ecr.signing_name, "ecr");
	assert_string_equal(model_ecr_public.target_prefix, "SpencerFrontendService");
	assert_string_equal(model_ecr_public.signing_name, "ecr-public");
	for (size_t i = 0; i < COUNT(models); i++) {
		for (size_t j = 0; j < models[i]->operation_count; j++) {
			const struct model_operation *op = &models[i]->operations[j];
			assert_ptr_equal(model_find(models[i], slice_str(op->name)), op);
			if (j > 0)
				assert_true(strcmp(op[-1].name, op->name) < 0);
		}
	}
	assert_null(model_find(&model_ecr, slice_str("")));
	assert_null(model_find(&model_ecr, slice_str("createRepository")));
	assert_null(model_find(&model_ecr, slice_str("CreateRepositor")));
	assert_null(model_find(&model_ecr, slice_str("CreateRepositoryX")));
	assert_null(model_find(&model_ecr_public, slice_str("ListImages")));
	assert_null(model_find(&model_ecr, slice_str(NULL)));
}

static void declares_exceptions(void **state)
{
	const struct model_operation *op = model_find(&model_ecr, slice_str("PutImage"));

	(void)state;
	assert_true(model_declares(op, "ImageAlreadyExistsException"));
	assert_false(model_declares(op, "RepositoryAlreadyExistsException"));
}

/* The checks of a shape are well-formed, and an operation's shapes are structures. */
static void tables_are_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(models); i++) {
		for (size_t j = 0; j < models[i]->operation_count; j++) {
			const struct model_operation *op = &models[i]->operations[j];
			const struct model_shape *shapes[] = {op->input, op->output};
			for (size_t k = 0; k < 2; k++) {
				if (!shapes[k])
					continue;
				assert_int_equal(shapes[k]->type, SHAPE_STRUCTURE);
				assert_non_null(shapes[k]->members);
			}
		}
	}
}

/* What model_check says to a body: NULL when it fits. */
static const char *verdict(struct arena *a, const char *operation, const char *body)
{
	const struct model_operation *op = model_find(&model_ecr, slice_str(operation));
	struct error e = {0};

	assert_non_null(op);
	cJSON *value = json_parse(exact(a, body));
	assert_non_null(value);
	bool fits = model_check(op->input, value, a, &e);
	cJSON_Delete(value);
	return fits ? NULL : arena_strdup(a, error_message(&e, a));
}

static void expect(struct arena *a, const char *operation, const char *body, const char *message)
{
	const char *said = verdict(a, operation, body);

	if (!said != !message || (said && strcmp(said, message) != 0))
		fail_msg("%s %s: '%s', expected '%s'", operation, body, said ? said : "fits",
		    message ? message : "fits");
}

#define CONSTRAINT(member, text)                                                                   \
	"Invalid parameter at '" member "' failed to satisfy constraint: '" text "'"
#define NAME_PATTERN                                                                               \
	"must satisfy regular expression "                                                         \
	"'[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*'"

static void says_what_ecr_says(void **state)
{
	struct arena *a = *state;

	expect(a, "CreateRepository", "{\"repositoryName\":\"Upper\"}",
	    CONSTRAINT("repositoryName", NAME_PATTERN));
	expect(a, "DescribeRepositories", "{\"registryId\":\"12\"}",
	    CONSTRAINT("registryId", "must satisfy regular expression [0-9]{12}"));
	expect(a, "BatchGetImage", "{\"repositoryName\":\"ab\",\"imageIds\":[]}",
	    CONSTRAINT("imageIds", "Member must have length greater than or equal to 1"));
	expect(a, "PutLifecyclePolicy",
	    "{\"repositoryName\":\"ab\",\"lifecyclePolicyText\":\"{}\"}",
	    CONSTRAINT(
		"lifecyclePolicyText", "Member must have length greater than or equal to 100"));
	expect(a, "ListImages", "{\"repositoryName\":\"ab\",\"maxResults\":1001}",
	    CONSTRAINT("maxResults", "Member must have value less than or equal to 1000"));
	expect(a, "ListImages", "{\"repositoryName\":\"ab\",\"maxResults\":0}",
	    CONSTRAINT("maxResults", "Member must have value greater than or equal to 1"));
	expect(
	    a, "CreateRepository", "{}", CONSTRAINT("repositoryName", "Member must not be null"));
	expect(a, "CreateRepository", "{\"repositoryName\":null}",
	    CONSTRAINT("repositoryName", "Member must not be null"));
	expect(a, "PutAccountSetting", "{\"name\":\"\",\"value\":\"\"}",
	    CONSTRAINT("name", "Member must have length greater than or equal to 1"));
	expect(a, "ListImages", "{\"repositoryName\":\"ab\",\"filter\":{\"tagStatus\":\"tagged\"}}",
	    CONSTRAINT(
		"filter.tagStatus", "Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]"));
	expect(a, "CreateRepository", "{\"repositoryName\":\"a\"}",
	    CONSTRAINT("repositoryName", "Member must have length greater than or equal to 2"));
}

static void nested_members(void **state)
{
	struct arena *a = *state;

	expect(a, "BatchGetImage",
	    "{\"repositoryName\":\"ab\",\"imageIds\":[{\"imageTag\":\"x\"},{\"imageTag\":\"\"}]}",
	    CONSTRAINT("imageIds.2.member.imageTag",
		"Member must have length greater than or equal to 1"));
	expect(a, "BatchGetImage", "{\"repositoryName\":\"ab\",\"imageIds\":[null]}",
	    CONSTRAINT("imageIds.1.member", "Member must not be null"));
	expect(a, "PutReplicationConfiguration", "{\"replicationConfiguration\":{}}",
	    CONSTRAINT("replicationConfiguration.rules", "Member must not be null"));
	expect(a, "PutReplicationConfiguration",
	    "{\"replicationConfiguration\":{\"rules\":[{\"destinations\":[{\"region\":\"us-east-"
	    "1\","
	    "\"registryId\":\"1\"}]}]}}",
	    CONSTRAINT("replicationConfiguration.rules.1.member.destinations.1.member.registryId",
		"must satisfy regular expression [0-9]{12}"));
	expect(a, "CreateRepository", "{\"repositoryName\":\"ab\",\"tags\":[{\"Key\":\"k\"}]}",
	    CONSTRAINT("tags.1.member.Value", "Member must not be null"));
}

/* Digests and tags that name no image are the handlers' business: an item's failure each. */
static void image_ids_are_not_judged_here(void **state)
{
	struct arena *a = *state;

	expect(a, "BatchGetImage",
	    "{\"repositoryName\":\"ab\",\"imageIds\":[{},{\"imageDigest\":\"x\"},{\"imageDigest\":"
	    "\"\"},"
	    "{\"imageTag\":\"a+b c\"}]}",
	    NULL);
}

static void wrong_types(void **state)
{
	struct arena *a = *state;

	expect(a, "CreateRepository", "[]", "The request body must be an object");
	expect(
	    a, "CreateRepository", "{\"repositoryName\":1}", "'repositoryName' must be a string");
	expect(a, "BatchGetImage", "{\"repositoryName\":\"ab\",\"imageIds\":{}}",
	    "'imageIds' must be an array");
	expect(a, "BatchGetImage", "{\"repositoryName\":\"ab\",\"imageIds\":[\"v1\"]}",
	    "'imageIds.1.member' must be an object");
	expect(a, "ListImages", "{\"repositoryName\":\"ab\",\"maxResults\":\"5\"}",
	    "'maxResults' must be an integer of 32 bits");
	expect(a, "ListImages", "{\"repositoryName\":\"ab\",\"maxResults\":1.5}",
	    "'maxResults' must be an integer of 32 bits");
	expect(a, "ListImages", "{\"repositoryName\":\"ab\",\"maxResults\":4294967297}",
	    "'maxResults' must be an integer of 32 bits");
	expect(a, "DeleteRepository", "{\"repositoryName\":\"ab\",\"force\":\"true\"}",
	    "'force' must be true or false");
	/* decoding comes before every constraint */
	expect(a, "DeleteRepository", "{\"repositoryName\":\"UPPER\",\"force\":1}",
	    "'force' must be true or false");
}

#define PART(first, blob)                                                                          \
	"{\"repositoryName\":\"ab\",\"uploadId\":\"01234567-89ab-cdef-0123-456789abcdef\","        \
	"\"partFirstByte\":" first ",\"partLastByte\":9,\"layerPartBlob\":\"" blob "\"}"

static void blobs_and_longs(void **state)
{
	struct arena *a = *state;

	expect(a, "UploadLayerPart", PART("0", "Zm9v"), NULL);
	expect(a, "UploadLayerPart", PART("0", ""), NULL);
	expect(a, "UploadLayerPart", PART("9007199254740992", "Zm9v"), NULL);
	expect(a, "UploadLayerPart", PART("-1", "Zm9v"),
	    CONSTRAINT("partFirstByte", "Member must have value greater than or equal to 0"));
	expect(
	    a, "UploadLayerPart", PART("0", "Zm9"), "'layerPartBlob' must be a string in base64");
}

static void lengths_count_characters(void **state)
{
	static const char body[] =
	    "{\"repositoryName\":\"ab\",\"imageManifest\":\"{}\",\"imageTag\":\"%s%s\"}";
	struct arena *a = *state;
	struct buf tag;

	buf_init(&tag, a, 1000, 1000);
	for (int i = 0; i < 300; i++)
		buf_puts(&tag, "\xc3\xa4");
	buf_put(&tag, "", 1);
	expect(a, "PutImage", arena_printf(a, body, tag.at, ""), NULL);
	expect(a, "PutImage", arena_printf(a, body, tag.at, "x"),
	    CONSTRAINT("imageTag", "Member must have length less than or equal to 300"));
}

static void ignores_what_it_does_not_know(void **state)
{
	struct arena *a = *state;

	expect(a, "DescribeRepositories", "{\"unknown\":[{\"x\":1}],\"nextToken\":null}", NULL);
	expect(a, "DescribeRegistry", "{\"x\":1}", NULL);
}

/* A shape that holds itself, as none of ECR's does today. */
static void recursive_shapes(void **state)
{
	static const struct model_shape name = {
	    .name = "Name", .type = SHAPE_STRING, .has_min = true, .min = 1};
	static struct model_shape tree,
	    list = {.name = "Trees", .type = SHAPE_LIST, .element = &tree};
	static const struct model_member members[] = {
	    {"name", &name, true}, {"children", &list, false}, {NULL, NULL, false}};
	struct arena *a = *state;
	struct error e = {0};

	tree = (struct model_shape){.name = "Tree", .type = SHAPE_STRUCTURE, .members = members};
	cJSON *v = json_parse(exact(
	    a, "{\"name\":\"a\",\"children\":[{\"name\":\"b\",\"children\":[{\"name\":\"\"}]}]}"));
	assert_false(model_check(&tree, v, a, &e));
	assert_slice(e.member, "children.1.member.children.1.member.name");
	cJSON_Delete(v);
}

static void maps(void **state)
{
	static const struct model_shape name = {
	    .name = "Name", .type = SHAPE_STRING, .has_max = true, .max = 2};
	static const struct model_shape map = {
	    .name = "Map", .type = SHAPE_MAP, .element = &name, .has_max = true, .max = 2};
	struct arena *a = *state;
	struct error e = {0};

	cJSON *v = json_parse(exact(a, "{\"a\":\"1\",\"b\":\"123\"}"));
	assert_false(model_check(&map, v, a, &e));
	assert_slice(e.member, "b.value");
	cJSON_Delete(v);
	v = json_parse(exact(a, "{\"a\":\"1\",\"b\":\"1\",\"c\":\"1\"}"));
	assert_false(model_check(&map, v, a, &e));
	assert_slice(e.detail, "Member must have length less than or equal to 2");
	cJSON_Delete(v);
}

/* The shape of an operation's input member, through lists and structures. */
static const struct model_shape *member_shape(const struct model_shape *shape, const char *name)
{
	for (const struct model_member *m = shape->members; m->name; m++) {
		if (strcmp(m->name, name) == 0)
			return m->shape->element ? m->shape->element : m->shape;
	}
	fail_msg("%s has no %s", shape->name, name);
	return NULL;
}

static const struct {
	const char *operation, *member, *nested, *text;
	bool matches;
} patterns[] = {
    {"CreateRepository", "repositoryName", NULL, "team/a.b_c__d---e", true},
    {"CreateRepository", "repositoryName", NULL, "a___b", false},
    {"CreateRepository", "repositoryName", NULL, "", false},
    {"CreateRepository", "repositoryName", NULL, "ab\n", false},
    {"CompleteLayerUpload", "layerDigests", NULL, "sha256:abcDEF09", true},
    {"CompleteLayerUpload", "layerDigests", NULL, "a-b_c+d.e:0", true},
    {"CompleteLayerUpload", "layerDigests", NULL, "sha256:", false},
    {"CompleteLayerUpload", "layerDigests", NULL, "sha256:xyz", false},
    {"CompleteLayerUpload", "layerDigests", NULL, "a,b:0", false},
    {"CompleteLayerUpload", "uploadId", NULL, "01234567-89ab-CDEF-0123-456789abcdef", true},
    {"CompleteLayerUpload", "uploadId", NULL, "01234567-89ab-CDEF-0123-456789abcde", false},
    {"DescribeRepositories", "registryId", NULL, "123456789012", true},
    {"DescribeRepositories", "registryId", NULL, "1234567890123", false},
    {"CreatePullThroughCacheRule", "ecrRepositoryPrefix", NULL, "ROOT", true},
    {"CreatePullThroughCacheRule", "ecrRepositoryPrefix", NULL, "ab/cd/", true},
    {"CreatePullThroughCacheRule", "ecrRepositoryPrefix", NULL, "ROOT/", false},
    {"CreatePullThroughCacheRule", "ecrRepositoryPrefix", NULL, "/ab", false},
    {"CreatePullThroughCacheRule", "credentialArn", NULL,
	"arn:aws:secretsmanager:us-east-1:1:secret:ecr-pullthroughcache/a/b_+=.@-", true},
    {"CreatePullThroughCacheRule", "credentialArn", NULL,
	"arn:aws-us-gov:secretsmanager:us-east-1:1:secret:ecr-pullthroughcache/x", true},
    {"CreatePullThroughCacheRule", "credentialArn", NULL,
	"arn:aws:secretsmanager:us-east-1:1:secret:other/x", false},
    {"CreateRepository", "imageTagMutabilityExclusionFilters", "filter", "v*-.x", true},
    {"CreateRepository", "imageTagMutabilityExclusionFilters", "filter", "a/b", false},
    {"CreateRepositoryCreationTemplate", "encryptionConfiguration", "kmsKey", "", true},
    {"CreateRepositoryCreationTemplate", "encryptionConfiguration", "kmsKey",
	"arn:aws:kms:us-east-1:123456789012:key/a-1", true},
    {"CreateRepositoryCreationTemplate", "encryptionConfiguration", "kmsKey", "a-1", false},
    {"RegisterPullTimeUpdateExclusion", "principalArn", NULL,
	"arn:aws:iam::123456789012:role/a/b@c", true},
    {"RegisterPullTimeUpdateExclusion", "principalArn", NULL, "arn:aws-cn:iam::123456789012:user/a",
	true},
    {"RegisterPullTimeUpdateExclusion", "principalArn", NULL, "arn:aws:iam::123456789012:group/a",
	false},
    {"RegisterPullTimeUpdateExclusion", "principalArn", NULL, "arn:aws:iam::123456789012:role/",
	false},
};

static void matches_patterns(void **state)
{
	for (size_t i = 0; i < COUNT(patterns); i++) {
		const struct model_operation *op =
		    model_find(&model_ecr, slice_str(patterns[i].operation));
		const struct model_shape *shape = member_shape(op->input, patterns[i].member);
		if (patterns[i].nested)
			shape = member_shape(shape, patterns[i].nested);
		struct slice text = exact(*state, patterns[i].text);
		if (shape->matches(text.at, text.len) != patterns[i].matches)
			fail_msg("%s '%s'", shape->name, patterns[i].text);
	}
}

static void patterns_end_at_the_end(void **state)
{
	const struct model_shape *name = member_shape(
	    model_find(&model_ecr, slice_str("CreateRepository"))->input, "repositoryName");
	struct slice text = exactly(*state, "ab\0cd\0", 6);

	for (size_t len = 0; len <= text.len; len++)
		assert_int_equal(name->matches(text.at, len), len == 1 || len == 2);
}

/* ([._\-/a-z0-9*]?[a-z0-9*]+)* takes a backtracking matcher for ever. */
static void patterns_are_linear(void **state)
{
	const struct model_shape *rules = member_shape(
	    model_find(&model_ecr, slice_str("PutRegistryScanningConfiguration"))->input, "rules");
	const struct model_shape *filter =
	    member_shape(member_shape(rules, "repositoryFilters"), "filter");
	size_t len = 8 << 20;
	char *text = arena_alloc(*state, len);

	memset(text, 'a', len);
	assert_true(filter->matches(text, len));
	text[len - 1] = '!';
	assert_false(filter->matches(text, len));
}

/* The hand-written checkers and the model's patterns are one language. */
static void agrees_with_names(void **state)
{
	static const char alphabet[] = "a0._-/A";
	const struct model_shape *name = member_shape(
	    model_find(&model_ecr, slice_str("CreateRepository"))->input, "repositoryName");
	char text[6];

	(void)state;
	for (size_t len = 2; len <= 6; len++) {
		size_t total = 1;
		for (size_t i = 0; i < len; i++)
			total *= sizeof(alphabet) - 1;
		for (size_t n = 0; n < total; n++) {
			for (size_t i = 0, rest = n; i < len; i++, rest /= sizeof(alphabet) - 1)
				text[i] = alphabet[rest % (sizeof(alphabet) - 1)];
			if (name->matches(text, len) != repository_name_valid(slice_of(text, len)))
				fail_msg("'%.*s'", (int)len, text);
		}
	}
}

/* What is left of a body, as text. */
static char *pruned(const char *operation, const char *body)
{
	const struct model_operation *op = model_find(&model_ecr, slice_str(operation));
	cJSON *value = json_parse(slice_str(body));
	char *text;

	assert_non_null(value);
	model_prune(op->input, value);
	text = cJSON_PrintUnformatted(value);
	cJSON_Delete(value);
	return text;
}

static void prunes(void **state)
{
	static const struct {
		const char *operation, *body, *left;
	} cases[] = {
	    {"PutRegistryPolicy",
		"{\"repositoryName\":\"a\",\"policyText\":\"{}\",\"registryId\":\"1\"}",
		"{\"policyText\":\"{}\"}"},
	    {"DescribeRegistry", "{\"registryId\":\"1\",\"x\":[1,2]}", "{}"},
	    {"DescribeRepositories", "{}", "{}"},
	    {"DescribeRepositories",
		"{\"maxResults\":1,\"a\":1,\"maxResults\":2,\"a\":2,\"maxResults\":3,\"nextToken\":null}",
		"{\"maxResults\":3,\"nextToken\":null}"},
	    {"BatchGetImage",
		"{\"x\":1,\"imageIds\":[{\"imageTag\":\"a\",\"y\":{}},{\"imageTag\":\"a\",\"imageTag\":\"b\"}]}",
		"{\"imageIds\":[{\"imageTag\":\"a\"},{\"imageTag\":\"b\"}]}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char *text = pruned(cases[i].operation, cases[i].body);

		assert_string_equal(text, cases[i].left);
		cJSON_free(text);
	}
}

/* A set of seen members is 64 bits. */
static void no_structure_has_too_many_members(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(models); i++) {
		for (size_t j = 0; j < models[i]->operation_count; j++) {
			const struct model_shape *input = models[i]->operations[j].input;
			size_t count = 0;

			while (input && input->members[count].name)
				count++;
			assert_true(count < 64);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_operations),
	    cmocka_unit_test(declares_exceptions),
	    cmocka_unit_test(tables_are_sound),
	    arena_test(says_what_ecr_says),
	    arena_test(nested_members),
	    arena_test(image_ids_are_not_judged_here),
	    arena_test(wrong_types),
	    arena_test(blobs_and_longs),
	    arena_test(lengths_count_characters),
	    cmocka_unit_test(prunes),
	    cmocka_unit_test(no_structure_has_too_many_members),
	    arena_test(ignores_what_it_does_not_know),
	    arena_test(recursive_shapes),
	    arena_test(maps),
	    arena_test(matches_patterns),
	    arena_test(patterns_end_at_the_end),
	    arena_test(patterns_are_linear),
	    cmocka_unit_test(agrees_with_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
