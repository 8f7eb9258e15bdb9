/* The table of the API's operations: its order, and its columns against ECR's model. */
#include "protocol/model.h"
#include "server/ecr/operations.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* NULL: the input has no such member. */
static const struct model_shape *input_member(const char *operation, const char *member)
{
	const struct model_operation *model = model_find(&model_ecr, slice_str(operation));
	const struct model_member *m = model && model->input ? model->input->members : NULL;

	while (m && m->name && strcmp(m->name, member) != 0)
		m++;
	return m && m->name ? m->shape : NULL;
}

static void the_rows_are_sorted_and_unique(void **state)
{
	const struct ecr_operation *row, *before = NULL;

	(void)state;
	for (size_t i = 0; (row = ecr_operation_at(i)); i++) {
		if (before && strcmp(before->name, row->name) >= 0)
			fail_msg("%s stands behind %s", row->name, before->name);
		before = row;
	}
}

static void the_table_is_the_model(void **state)
{
	size_t count = 0;

	(void)state;
	while (ecr_operation_at(count))
		count++;
	assert_int_equal(count, model_ecr.operation_count);
	for (size_t i = 0; i < count; i++) {
		const char *name = model_ecr.operations[i].name;
		const struct ecr_operation *row = ecr_operation_find(slice_str(name));

		if (!row)
			fail_msg("%s has no row", name);
		assert_string_equal(row->name, name);
		assert_non_null(row->run);
	}
}

static void what_is_no_operation_is_not_found(void **state)
{
	static const char *const names[] = {"", "A", "PutImag", "PutImages", "putImage", "Z"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_null(ecr_operation_find(slice_str(names[i])));
}

/* What names a repository in the model is named by the row, and the other way round. */
static void the_resource_is_a_member_of_the_input(void **state)
{
	static const struct {
		const char *member;
		enum shape_type type;
		unsigned flags;
	} kinds[] = {
	    {"repositoryName", SHAPE_STRING, 0},
	    {"repositoryNames", SHAPE_LIST, RESOURCE_LIST},
	    {"resourceArn", SHAPE_STRING, RESOURCE_ARN},
	};
	const struct ecr_operation *row;

	(void)state;
	for (size_t i = 0; (row = ecr_operation_at(i)); i++) {
		unsigned flags = 0;
		const char *expected = NULL;

		for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			const struct model_shape *shape = input_member(row->name, kinds[k].member);

			if (!shape)
				continue;
			assert_null(expected); /* one is enough */
			assert_int_equal(shape->type, kinds[k].type);
			expected = kinds[k].member;
			flags = kinds[k].flags;
		}
		if (!row->resource != !expected || (expected && strcmp(row->resource, expected)))
			fail_msg("%s is about %s, its row says %s", row->name,
			    expected ? expected : "the registry",
			    row->resource ? row->resource : "the registry");
		if ((row->flags & (RESOURCE_LIST | RESOURCE_ARN)) != flags)
			fail_msg("%s: the flags do not fit %s", row->name, expected);
	}
}

static void tags_are_flagged_where_the_input_has_them(void **state)
{
	const struct ecr_operation *row;

	(void)state;
	for (size_t i = 0; (row = ecr_operation_at(i)); i++) {
		bool tags = input_member(row->name, "tags") || input_member(row->name, "tagKeys");

		if (tags != ((row->flags & REQUEST_TAGS) != 0))
			fail_msg("%s: REQUEST_TAGS", row->name);
	}
}

static void an_action_of_another_name_is_an_operation_of_the_model(void **state)
{
	const struct ecr_operation *row;

	(void)state;
	for (size_t i = 0; (row = ecr_operation_at(i)); i++) {
		if (!row->action)
			continue;
		assert_string_not_equal(row->action, row->name);
		if (!model_find(&model_ecr, slice_str(row->action)))
			fail_msg("%s: there is no action %s", row->name, row->action);
	}
}

/* A longer body is for what carries content: a manifest's text, a layer's bytes. */
static void content_has_room_in_the_body(void **state)
{
	const struct ecr_operation *row;

	(void)state;
	for (size_t i = 0; (row = ecr_operation_at(i)); i++) {
		enum ecr_body expected = input_member(row->name, "layerPartBlob") ? BODY_PART
		    : input_member(row->name, "imageManifest")                    ? BODY_MANIFEST
										  : BODY_PLAIN;

		if (row->body != expected)
			fail_msg("%s: the body's limit", row->name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_rows_are_sorted_and_unique),
	    cmocka_unit_test(the_table_is_the_model),
	    cmocka_unit_test(what_is_no_operation_is_not_found),
	    cmocka_unit_test(the_resource_is_a_member_of_the_input),
	    cmocka_unit_test(tags_are_flagged_where_the_input_has_them),
	    cmocka_unit_test(an_action_of_another_name_is_an_operation_of_the_model),
	    cmocka_unit_test(content_has_room_in_the_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
