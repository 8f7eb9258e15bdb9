/*
 * Turns a service's model (ecr.json, ecr-public.json) into C tables: run at build time, as
 *
 *	model_gen INPUT.json SERVICE OUTPUT.re
 *
 * OUTPUT.re goes through re2c, which makes an automaton of each pattern; what comes out defines
 * `const struct model model_SERVICE` of protocol/model.h.
 *
 * The model's patterns are Java's, of which it uses little: literals, classes, groups, alternation,
 * anchors and counted repetition. They are translated to re2c's spelling here, and always match the
 * whole string, as ECR has them (so that anchors say nothing). Anything else stops the build.
 */
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERNS_MAX = 256, INPUT_MAX = 16 * 1024 * 1024 };

static const char *patterns[PATTERNS_MAX];
static int pattern_count;

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list args;

	fputs("model_gen: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* --- patterns --- */

struct regex {
	const char *pattern; /* for messages */
	const char *at;
	FILE *out;
};

static void put_alternatives(struct regex *r);

static void put_byte(struct regex *r, unsigned char c)
{
	bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	    strchr(" _:/.,@+=", c);

	if (c == '\0')
		die("'%s' ends too early", r->pattern);
	fprintf(r->out, plain ? "%c" : "\\x%02x", c);
}

/* The members of a class such as \w, for use within brackets; NULL when c names none. */
static const char *class_members(char c)
{
	switch (c) {
	case 'w':
		return "a-zA-Z0-9_";
	case 'd':
		return "0-9";
	case 's':
		return " \\t\\n\\v\\f\\r";
	default:
		return NULL;
	}
}

/* [...]: a '-' that is first, last, or behind a range stands for itself. */
static void put_class(struct regex *r)
{
	bool may_open = false; /* a range could begin with what came last */

	fputc('[', r->out);
	if (*r->at == '^')
		fputc(*r->at++, r->out);
	while (*r->at != ']') {
		if (*r->at == '\\' && class_members(r->at[1])) {
			fputs(class_members(r->at[1]), r->out);
			r->at += 2;
			may_open = false;
		} else if (*r->at == '-' && may_open && r->at[1] != ']') {
			fputc(*r->at++, r->out);
			r->at += *r->at == '\\';
			put_byte(r, (unsigned char)*r->at++);
			may_open = false;
		} else {
			r->at += *r->at == '\\';
			put_byte(r, (unsigned char)*r->at++);
			may_open = true;
		}
	}
	r->at++;
	fputc(']', r->out);
}

static void put_escape(struct regex *r)
{
	char c = *r->at++;

	if (class_members(c))
		fprintf(r->out, "[%s]", class_members(c));
	else if (c == 'S')
		fprintf(r->out, "[^\\x00%s]", class_members('s'));
	else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		die("'\\%c' in '%s' is not understood", c, r->pattern);
	else {
		fputc('"', r->out);
		put_byte(r, (unsigned char)c);
		fputc('"', r->out);
	}
}

static void put_group(struct regex *r)
{
	if (strncmp(r->at, "?:", 2) == 0)
		r->at += 2;
	else if (*r->at == '?')
		die("the group '(%.3s' in '%s' is not understood", r->at, r->pattern);
	fputc('(', r->out);
	put_alternatives(r);
	if (*r->at++ != ')')
		die("a group of '%s' is open", r->pattern);
	fputc(')', r->out);
}

static void put_atom(struct regex *r)
{
	char c = *r->at++;

	if (c == '(')
		put_group(r);
	else if (c == '[')
		put_class(r);
	else if (c == '\\')
		put_escape(r);
	else if (c == '.')
		fputs("[^\\x00\\n\\r]", r->out);
	else if (strchr("*+?{}]", c))
		die("'%c' in '%s' is not understood", c, r->pattern);
	else {
		fputc('"', r->out);
		put_byte(r, (unsigned char)c);
		fputc('"', r->out);
	}
}

/* "*", "+", "?", {n}, {n,}, {n,m}: re2c spells them alike */
static void put_quantifier(struct regex *r)
{
	if (*r->at && strchr("*+?", *r->at)) {
		fputc(*r->at++, r->out);
	} else if (*r->at == '{') {
		size_t len = strcspn(r->at, "}") + 1;
		if (strspn(r->at + 1, "0123456789,") != len - 2)
			die("'%.*s' in '%s' is not understood", (int)len, r->at, r->pattern);
		fwrite(r->at, 1, len, r->out);
		r->at += len;
	}
	if (*r->at && strchr("*+?", *r->at))
		die("'%c' behind a quantifier in '%s' is not understood", *r->at, r->pattern);
}

static void put_alternatives(struct regex *r)
{
	bool empty = true;

	for (;; empty = false) {
		while (*r->at == '^' || *r->at == '$')
			r->at++;
		if (*r->at == '\0' || *r->at == ')' || *r->at == '|') {
			if (empty)
				fputs("\"\"", r->out);
			if (*r->at != '|')
				return;
			r->at++;
			fputs(" | ", r->out);
			put_alternatives(r);
			return;
		}
		if (!empty)
			fputc(' ', r->out);
		put_atom(r);
		put_quantifier(r);
	}
}

static int pattern_number(const char *pattern)
{
	for (int i = 0; i < pattern_count; i++) {
		if (strcmp(patterns[i], pattern) == 0)
			return i;
	}
	if (pattern_count == PATTERNS_MAX)
		die("more than %d patterns", PATTERNS_MAX);
	patterns[pattern_count] = pattern;
	return pattern_count++;
}

/* The string reads as if a NUL followed it, and the automaton ends on that NUL and no other. */
static void put_matcher(FILE *out, int number)
{
	struct regex r = {patterns[number], patterns[number], out};

	fprintf(out,
	    "\n// %s\n"
	    "static bool match_%d(const char *at, size_t len)\n"
	    "{\n"
	    "\tsize_t i = 0, mark = 0;\n\n"
	    "\t/*!re2c\n"
	    "\t(",
	    patterns[number], number);
	put_alternatives(&r);
	if (*r.at)
		die("'%s' has a bracket too many", r.pattern);
	fputs(") [\\x00] { return i == len + 1; }\n"
	      "\t* { (void)mark; return false; }\n"
	      "\t*/\n"
	      "}\n",
	    out);
}

static void put_matchers(FILE *out)
{
	fputs("\n/*!re2c\n"
	      "re2c:api = custom;\n"
	      "re2c:api:style = free-form;\n"
	      "re2c:define:YYCTYPE = \"unsigned char\";\n"
	      "re2c:define:YYPEEK = \"(i < len ? (unsigned char)at[i] : 0)\";\n"
	      "re2c:define:YYSKIP = \"++i;\";\n"
	      "re2c:define:YYBACKUP = \"mark = i;\";\n"
	      "re2c:define:YYRESTORE = \"i = mark;\";\n"
	      "re2c:yyfill:enable = 0;\n"
	      "*/\n",
	    out);
	for (int i = 0; i < pattern_count; i++)
		put_matcher(out, i);
}

/* --- tables --- */

static void put_string(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
	fputc('"', out);
}

static const cJSON *get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *member = get(object, name);

	return cJSON_IsString(member) ? member->valuestring : NULL;
}

/* "{ "A", "B", NULL }" of an array of strings */
static void put_names(FILE *out, const char *kind, const char *of, const cJSON *list)
{
	const cJSON *item;

	fprintf(out, "static const char *const %s_%s[] = {", kind, of);
	cJSON_ArrayForEach(item, list) {
		if (!cJSON_IsString(item))
			die("%s of %s are not strings", kind, of);
		put_string(out, item->valuestring);
		fputs(", ", out);
	}
	fputs("NULL};\n", out);
}

static bool is_required(const cJSON *shape, const char *name)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, get(shape, "required")) {
		if (strcmp(item->valuestring, name) == 0)
			return true;
	}
	return false;
}

static void put_members(FILE *out, const cJSON *shapes, const cJSON *shape)
{
	const cJSON *member;

	fprintf(out, "static const struct model_member members_%s[] = {\n", shape->string);
	cJSON_ArrayForEach(member, get(shape, "members")) {
		const char *target = text_of(member, "shape");
		if (!target || !get(shapes, target))
			die("%s.%s has no shape", shape->string, member->string);
		fprintf(out, "    {\"%s\", &shapes[S_%s], %s},\n", member->string, target,
		    is_required(shape, member->string) ? "true" : "false");
	}
	fputs("    {NULL, NULL, false},\n};\n", out);
}

static const char *shape_type(const cJSON *shape)
{
	static const char *const types[][2] = {{"structure", "SHAPE_STRUCTURE"},
	    {"list", "SHAPE_LIST"}, {"map", "SHAPE_MAP"}, {"string", "SHAPE_STRING"},
	    {"integer", "SHAPE_INTEGER"}, {"long", "SHAPE_LONG"}, {"double", "SHAPE_DOUBLE"},
	    {"boolean", "SHAPE_BOOLEAN"}, {"timestamp", "SHAPE_TIMESTAMP"}, {"blob", "SHAPE_BLOB"}};
	const char *type = text_of(shape, "type");

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(types[i][0], type) == 0)
			return types[i][1];
	}
	die("the type of %s is not understood", shape->string);
}

static void put_bound(FILE *out, const cJSON *shape, const char *name)
{
	const cJSON *bound = get(shape, name);

	if (!bound)
		return;
	if (!cJSON_IsNumber(bound))
		die("%s of %s is not a number", name, shape->string);
	fprintf(out, ", .has_%s = true, .%s = %.0f", name, name, bound->valuedouble);
}

static void put_shape(FILE *out, const cJSON *shapes, const cJSON *shape)
{
	const char *pattern = text_of(shape, "pattern");
	const cJSON *element = get(shape, "member") ? get(shape, "member") : get(shape, "value");
	const char *target = element ? text_of(element, "shape") : NULL;

	fprintf(out, "    [S_%s] = {.name = \"%s\", .type = %s", shape->string, shape->string,
	    shape_type(shape));
	put_bound(out, shape, "min");
	put_bound(out, shape, "max");
	if (pattern) {
		fputs(",\n        .pattern = ", out);
		put_string(out, pattern);
		fprintf(out, ", .matches = match_%d", pattern_number(pattern));
	}
	if (get(shape, "enum"))
		fprintf(out, ", .values = values_%s", shape->string);
	if (strcmp(shape_type(shape), "SHAPE_STRUCTURE") == 0)
		fprintf(out, ", .members = members_%s", shape->string);
	if (element) {
		if (!target || !get(shapes, target))
			die("the element of %s has no shape", shape->string);
		fprintf(out, ", .element = &shapes[S_%s]", target);
	}
	fputs("},\n", out);
}

static void put_shapes(FILE *out, const cJSON *shapes)
{
	const cJSON *shape;

	fputs("\nenum {\n", out);
	cJSON_ArrayForEach(shape, shapes)
		fprintf(out, "    S_%s,\n", shape->string);
	fputs(
	    "    SHAPE_COUNT\n};\n\nstatic const struct model_shape shapes[SHAPE_COUNT];\n\n", out);
	cJSON_ArrayForEach(shape, shapes) {
		if (get(shape, "enum"))
			put_names(out, "values", shape->string, get(shape, "enum"));
		if (strcmp(shape_type(shape), "SHAPE_STRUCTURE") == 0)
			put_members(out, shapes, shape);
	}
	fputs("\nstatic const struct model_shape shapes[SHAPE_COUNT] = {\n", out);
	cJSON_ArrayForEach(shape, shapes)
		put_shape(out, shapes, shape);
	fputs("};\n", out);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static void put_operation_shape(
    FILE *out, const cJSON *shapes, const cJSON *operation, const char *which)
{
	const char *name = text_of(operation, which);

	if (!name)
		return;
	if (!get(shapes, name))
		die("%s of %s is not a shape", which, operation->string);
	fprintf(out, ", .%s = &shapes[S_%s]", which, name);
}

static void put_operations(FILE *out, const cJSON *operations, const cJSON *shapes)
{
	size_t count = (size_t)cJSON_GetArraySize(operations), i = 0;
	const cJSON **sorted = calloc(count + 1, sizeof(*sorted)), *item;

	if (!sorted)
		die("out of memory");
	cJSON_ArrayForEach(item, operations)
		sorted[i++] = item;
	qsort(sorted, count, sizeof(*sorted), by_name);
	fputc('\n', out);
	for (i = 0; i < count; i++)
		put_names(out, "errors", sorted[i]->string, get(sorted[i], "errors"));
	fputs("\nstatic const struct model_operation operations[] = {\n", out);
	for (i = 0; i < count; i++) {
		fprintf(out, "    {.name = \"%s\"", sorted[i]->string);
		put_operation_shape(out, shapes, sorted[i], "input");
		put_operation_shape(out, shapes, sorted[i], "output");
		fprintf(out, ",\n        .errors = errors_%s},\n", sorted[i]->string);
	}
	fputs("};\n", out);
	free(sorted);
}

/* Patterns are numbered before the tables that name their functions are written. */
static void number_patterns(const cJSON *shapes)
{
	const cJSON *shape;

	cJSON_ArrayForEach(shape, shapes) {
		if (text_of(shape, "pattern"))
			pattern_number(text_of(shape, "pattern"));
	}
}

static void put_model(FILE *out, const cJSON *root, const char *service)
{
	const cJSON *shapes = get(root, "shapes"), *operations = get(root, "operations");

	if (!shapes || !operations || !text_of(root, "targetPrefix") ||
	    !text_of(root, "signingName"))
		die("shapes, operations, targetPrefix or signingName is missing");
	fputs("// Written by model_gen at build time: change protocol/model/ instead.\n"
	      "#include \"protocol/model.h\"\n",
	    out);
	number_patterns(shapes);
	put_matchers(out);
	put_shapes(out, shapes);
	put_operations(out, operations, shapes);
	fprintf(out, "\nconst struct model model_%s = {\n    .target_prefix = \"%s\",\n", service,
	    text_of(root, "targetPrefix"));
	fprintf(out, "    .signing_name = \"%s\",\n    .operations = operations,\n",
	    text_of(root, "signingName"));
	fputs("    .operation_count = sizeof(operations) / sizeof(operations[0]),\n};\n", out);
}

static cJSON *read_json(const char *path)
{
	FILE *in = fopen(path, "rb");
	char *text = malloc(INPUT_MAX);

	if (!in || !text)
		die("cannot read %s", path);
	cJSON *root = cJSON_ParseWithLength(text, fread(text, 1, INPUT_MAX, in));
	if (!root)
		die("%s is not JSON", path);
	fclose(in);
	free(text);
	return root;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: model_gen INPUT.json SERVICE OUTPUT.re");
	cJSON *root = read_json(argv[1]);
	FILE *out = fopen(argv[3], "w");
	if (!out)
		die("cannot write %s", argv[3]);
	put_model(out, root, argv[2]);
	if (fclose(out) != 0)
		die("cannot write %s", argv[3]);
	cJSON_Delete(root);
	return 0;
}
