/*
 * drydock policy explain: what is decided for a principal, an action and a resource, by which statement, and why.
 *
 *	question_init(), the words of the command line, question_read()	what is asked
 *	question_load()						the policies
 *	report_text() or report_json()					what is decided
 *
 * One thread; all is in the question's arena. What fails has one sentence in *err.
 */
#ifndef DRYDOCK_SERVER_POLICY_EXPLAIN_H
#define DRYDOCK_SERVER_POLICY_EXPLAIN_H

#include "protocol/authorize.h"
#include "protocol/json.h"
#include "server/config.h"
#include "storage/store.h"

#include <stdio.h>

enum { EXPLAIN_POLICIES_MAX = 32, EXPLAIN_KEYS_MAX = 64, EXPLAIN_FILE_MAX = 1024 * 1024 };

/* A policy, where it comes from, and its statements as they are written. */
struct loaded_policy {
	const char *from; /* a file's name, "team/app in DIR"; NULL: there is none */
	struct policy_document document;
	cJSON *tree;
};

struct question {
	struct arena arena;
	struct config config; /* account, region and data folder */
	/* as the command line has them; NULL: not said */
	const char *principal, *action, *resource;
	const char *identity_files[EXPLAIN_POLICIES_MAX];
	size_t identity_file_count;
	const char *session_file, *repository_file, *registry_file, *iam_file;
	bool data, account, json; /* said on the command line */
	struct policy_key keys[EXPLAIN_KEYS_MAX];
	size_t key_count;

	/* what question_load makes of them */
	struct loaded_policy identity[EXPLAIN_POLICIES_MAX], session, repository, registry;
	size_t identity_count;
	const struct policy_document *identity_documents[EXPLAIN_POLICIES_MAX];
	struct slice repository_name; /* absent: none is meant */
	struct principal who;
	struct authorize_request request;
};

void question_init(struct question *q);
void question_release(struct question *q);
/* One --context KEY=VALUE; a key that is said again has several values. */
bool question_add_key(struct question *q, const char *word, struct err *err);
/* Who, what, on what: of the words. */
bool question_read(struct question *q, struct err *err);
/* Reads the files and the data folder, and makes the request of them all. */
bool question_load(struct question *q, struct err *err);

/* iam.c: the principal's ids and policies out of the text of iam_file. */
bool question_load_iam(struct question *q, struct slice text, struct err *err);

void report_text(struct question *q, FILE *out);
void report_json(struct question *q, FILE *out);

/* Fills *err; always false, so that a caller can return it. */
bool explain_fail(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
