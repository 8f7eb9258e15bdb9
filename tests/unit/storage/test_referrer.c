/* Listing what refers to an image: pages, artifact types, and what they cost. */
#include "support.h"

#include "storage/core.h"
#include "storage/images/referrer.h"

#include <stdio.h>

#define SBOM "application/vnd.example.sbom"
#define SIGNATURE "application/vnd.example.signature"
#define OTHER "application/vnd.example.other"

static void push_referrer(
    struct fixture *f, const struct digest *subject, const char *type, unsigned number)
{
	const char *text = arena_printf(&f->arena, "%s %u", type, number);
	struct sample *s = image_sample(f, text, NULL);

	s->manifest.artifact_type = slice_str(type);
	s->manifest.subject.digest = *subject;
	put_ok(f, s);
}

static void push_referrers(
    struct fixture *f, const struct digest *subject, const char *type, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		push_referrer(f, subject, type, i);
}

/* What SQLite did for the last list. */
static uint64_t steps;

static int count_step(void *unused)
{
	(void)unused;
	steps++;
	return 0;
}

static struct referrer_page list(struct fixture *f, struct referrer_query *query)
{
	struct referrer_page page;

	query->key = f->key;
	steps = 0;
	sqlite3_progress_handler(f->reader->db.handle, 1, count_step, NULL);
	assert_int_equal(referrer_list(f->reader, query, &f->arena, &page), ERR_NONE);
	sqlite3_progress_handler(f->reader->db.handle, 0, NULL, NULL);
	return page;
}

static void a_type_costs_its_page(void **state)
{
	struct fixture *f = *state;
	struct digest subject = sha256_of("subject");
	struct slice wanted[] = {SLICE(SIGNATURE), SLICE(SBOM)};
	struct slice missing[] = {SLICE("application/vnd.nothing")};
	struct referrer_query some = {
	    .subject = subject, .types = wanted, .type_count = 2, .limit = 50};
	struct referrer_query none = {
	    .subject = subject, .types = missing, .type_count = 1, .limit = 50};
	uint64_t few_some, few_none;

	push_referrers(f, &subject, SIGNATURE, 0, 3);
	push_referrers(f, &subject, OTHER, 0, 10);
	list(f, &some);
	assert_int_equal(list(f, &some).count, 3);
	few_some = steps;
	assert_int_equal(list(f, &none).count, 0);
	few_none = steps;
	push_referrers(f, &subject, OTHER, 10, 300);
	assert_int_equal(list(f, &some).count, 3);
	assert_int_equal(steps, few_some);
	assert_int_equal(list(f, &none).count, 0);
	assert_int_equal(steps, few_none);
}

/* Pages of several types are those of all referrers, in the same order, without the others. */
static void pages_of_types(void **state)
{
	struct fixture *f = *state;
	struct digest subject = sha256_of("subject");
	/* one twice: a client's list is not a set */
	struct slice wanted[] = {SLICE(SIGNATURE), SLICE(SBOM), SLICE(SIGNATURE)};
	struct referrer_query all = {.subject = subject, .limit = 100};
	struct referrer_query some = {
	    .subject = subject, .types = wanted, .type_count = 3, .limit = 4};
	struct referrer_page whole, page;
	size_t at = 0, pages = 0;

	push_referrers(f, &subject, SIGNATURE, 0, 7);
	push_referrers(f, &subject, OTHER, 0, 7);
	push_referrers(f, &subject, SBOM, 0, 7);
	for (int status = IMAGE_ACTIVE; status <= IMAGE_ANY_STATUS; status += IMAGE_ANY_STATUS) {
		all.status = some.status = (enum image_status)status;
		some.after = (struct digest){0};
		whole = list(f, &all);
		assert_int_equal(whole.count, 21);
		at = pages = 0;
		do {
			page = list(f, &some);
			for (size_t i = 0; i < page.count; i++, at++) {
				while (slice_is(whole.at[at].artifact_type, OTHER))
					at++;
				assert_true(digest_eq(&page.at[i].digest, &whole.at[at].digest));
				assert_slice(page.at[i].media_type, MEDIA_OCI_MANIFEST);
				some.after = page.at[i].digest;
			}
			pages++;
		} while (page.more);
		assert_int_equal(pages, 4);
	}
}

static void of_other_subjects(void **state)
{
	struct fixture *f = *state;
	struct digest one = sha256_of("one"), two = sha256_of("two");
	struct slice type[] = {SLICE(SBOM)};
	struct referrer_query query = {.subject = two, .types = type, .type_count = 1, .limit = 5};

	push_referrers(f, &one, SBOM, 0, 2);
	assert_int_equal(list(f, &query).count, 0);
	query.subject = one;
	assert_int_equal(list(f, &query).count, 2);
}

/* A folder that an older drydock wrote: its index is made, of the rows that are there. */
static void an_old_folder(void **state)
{
	struct fixture *f = *state;
	struct digest subject = sha256_of("subject");
	struct slice type[] = {SLICE(SBOM)};
	struct referrer_query query = {
	    .subject = subject, .types = type, .type_count = 1, .limit = 5};
	sqlite3 *db;

	push_referrers(f, &subject, SBOM, 0, 3);
	push_referrers(f, &subject, OTHER, 0, 3);
	fixture_close(f);
	assert_int_equal(sqlite3_open(fixture_path(f, "drydock.db"), &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "DROP INDEX image_artifact; PRAGMA user_version=3", NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(db);
	fixture_open(f);
	assert_int_equal(list(f, &query).count, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    store_test(a_type_costs_its_page),
	    store_test(pages_of_types),
	    store_test(of_other_subjects),
	    store_test(an_old_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
