/*
 * Three steps. While images are added, each is held against each rule, and only bits are kept. Then
 * what they are to each other is made out: images are sorted by digest, so that digests become places
 * (no hash table: digests that others choose cannot slow it down), and what names what, and what
 * refers to what, become edges of a graph, sorted by where they start. Last, decisions spread along the
 * edges.
 *
 * An image goes once all that it waits for has gone, so what waits in a circle never does, and the
 * work is bounded by the edges.
 */
#include "protocol/lifecycle.h"

#include "protocol/lifecycle_rule.h"

#include <assert.h>
#include <stdlib.h>

enum { NO_NODE = UINT32_MAX, ROOM_AT_FIRST = 64 };

/* One cache line. What is in keys is there by its place while images are added, as keys may move. */
struct node {
	int64_t id;
	int64_t pushed_ms; /* ages and rankings */
	uint64_t selected, marked;
	union {
		uint32_t at;       /* in keys; from lifecycle_decide on: */
		const uint8_t *is; /* the digest's key */
	} key;
	uint32_t subject; /* in keys; from lifecycle_decide on a node. NO_NODE: none (here) */
	uint32_t index;   /* that keeps it; NO_NODE: none */
	uint32_t edges;   /* the first that starts here */
	/* Of the indexes that name it, each counted as often as it does: */
	uint32_t unexpired; /* do not go and are not expired */
	uint32_t unsettled; /* do not go and are not archived */
	uint8_t status, action, rule;
	bool wanted : 1; /* action and rule are known: a rule's action applies, or its subject's */
	bool goes : 1;
};

static_assert(sizeof(struct node) <= 64, "struct node fits a cache line");

/* From an index to what it names, from a subject to what refers to it. */
struct edge {
	uint32_t from, to;
	bool refers;
};

struct named {
	uint32_t index_at, child_at; /* in keys */
};

/* Grows by doubling; items are moved then. */
struct list {
	void *at;
	size_t count, room;
};

struct lifecycle {
	const struct lifecycle_policy *policy;
	int64_t now_ms;
	struct list keys;  /* uint8_t: a length, then digest_to_key */
	struct list nodes; /* struct node, by digest from lifecycle_decide on */
	struct list named; /* struct named, until then */
	struct list edges; /* struct edge, by where they start */
	uint32_t *order;   /* nodes, as outcomes are given */
	size_t action_count;
};

/* ---- lists ---- */

/* Room for count more items at the end, which the caller fills. Places are 32 bits wide. */
static void *list_add(struct list *list, size_t count, size_t size)
{
	size_t room = list->room ? list->room : ROOM_AT_FIRST;

	while (room - list->count < count)
		room *= 2;
	if (room > NO_NODE)
		abort();
	if (room != list->room) {
		list->at = realloc(list->at, room * size);
		if (!list->at)
			abort();
		list->room = room;
	}
	list->count += count;
	return (char *)list->at + (list->count - count) * size;
}

static void list_release(struct list *list)
{
	free(list->at);
	*list = (struct list){NULL, 0, 0};
}

static void *array_new(size_t count, size_t size)
{
	void *at = calloc(count + 1, size);

	if (!at)
		abort();
	return at;
}

static struct node *nodes_of(const struct lifecycle *l)
{
	return l->nodes.at;
}

static struct edge *edges_of(const struct lifecycle *l)
{
	return l->edges.at;
}

/* ---- adding ---- */

static uint32_t key_add(struct lifecycle *l, const struct digest *digest)
{
	uint8_t key[DIGEST_KEY_MAX];
	size_t len = digest_to_key(digest, key);
	uint8_t *to = list_add(&l->keys, 1 + len, 1);

	to[0] = (uint8_t)len;
	memcpy(to + 1, key, len);
	return (uint32_t)(to - (uint8_t *)l->keys.at);
}

static const uint8_t *key_at(const struct lifecycle *l, uint32_t at)
{
	return (const uint8_t *)l->keys.at + at;
}

static void key_read(const uint8_t *key, struct digest *out)
{
	if (!digest_from_key(key + 1, key[0], out))
		*out = (struct digest){.algorithm = DIGEST_NONE};
}

/* As the digests order, those of different lengths by that. */
static int key_cmp(const uint8_t *one, const uint8_t *other)
{
	if (one[0] != other[0])
		return one[0] < other[0] ? -1 : 1;
	return memcmp(one + 1, other + 1, one[0]);
}

struct lifecycle *lifecycle_new(const struct lifecycle_policy *policy, int64_t now_ms)
{
	struct lifecycle *l = array_new(1, sizeof(*l));

	l->policy = policy;
	l->now_ms = now_ms;
	return l;
}

void lifecycle_free(struct lifecycle *l)
{
	if (!l)
		return;
	list_release(&l->keys);
	list_release(&l->nodes);
	list_release(&l->named);
	list_release(&l->edges);
	free(l->order);
	free(l);
}

void lifecycle_add(struct lifecycle *l, const struct lifecycle_image *image)
{
	struct node *n = list_add(&l->nodes, 1, sizeof(*n));

	*n = (struct node){
	    .id = image->id,
	    .pushed_ms = lifecycle_pushed_ms(image),
	    .key.at = key_add(l, &image->digest),
	    .subject = NO_NODE,
	    .index = NO_NODE,
	    .status = (uint8_t)image->status,
	};
	if (image->subject.algorithm != DIGEST_NONE)
		n->subject = key_add(l, &image->subject);
	for (size_t r = 0; r < l->policy->count; r++) {
		if (!lifecycle_rule_selects(&l->policy->rules[r], image))
			continue;
		n->selected |= UINT64_C(1) << r;
		if (lifecycle_rule_is_due(&l->policy->rules[r], image, l->now_ms))
			n->marked |= UINT64_C(1) << r;
	}
}

/* Where the index of the child before is kept; NO_NODE when it is another one. */
static uint32_t same_index(const struct lifecycle *l, const struct digest *index)
{
	const struct named *named = l->named.at;
	struct digest last;

	if (l->named.count == 0)
		return NO_NODE;
	key_read(key_at(l, named[l->named.count - 1].index_at), &last);
	return digest_eq(&last, index) ? named[l->named.count - 1].index_at : NO_NODE;
}

void lifecycle_add_child(
    struct lifecycle *l, const struct digest *index, const struct digest *child)
{
	uint32_t index_at = same_index(l, index);
	struct named *named = list_add(&l->named, 1, sizeof(*named));

	named->index_at = index_at != NO_NODE ? index_at : key_add(l, index);
	named->child_at = key_add(l, child);
}

/* ---- what images are to each other ---- */

static int compare_nodes(const void *a, const void *b)
{
	const struct node *one = a, *other = b;

	return key_cmp(one->key.is, other->key.is);
}

static void sort_nodes(struct lifecycle *l)
{
	struct node *nodes = nodes_of(l);

	for (size_t i = 0; i < l->nodes.count; i++)
		nodes[i].key.is = key_at(l, nodes[i].key.at);
	if (l->nodes.count > 0)
		qsort(nodes, l->nodes.count, sizeof(*nodes), compare_nodes);
}

static uint32_t node_find(const struct lifecycle *l, uint32_t at)
{
	struct node wanted = {.key.is = key_at(l, at)};
	const struct node *found = l->nodes.count == 0
	    ? NULL
	    : bsearch(&wanted, l->nodes.at, l->nodes.count, sizeof(wanted), compare_nodes);

	return found ? (uint32_t)(found - nodes_of(l)) : NO_NODE;
}

static void edge_add(struct lifecycle *l, uint32_t from, uint32_t to, bool refers)
{
	struct edge *e = list_add(&l->edges, 1, sizeof(*e));

	*e = (struct edge){from, to, refers};
}

static int compare_edges(const void *a, const void *b)
{
	const struct edge *one = a, *other = b;

	return (one->from > other->from) - (one->from < other->from);
}

static void relate(struct lifecycle *l)
{
	struct node *nodes = nodes_of(l);
	const struct named *named = l->named.at;

	for (size_t i = 0; i < l->named.count; i++) {
		uint32_t index = node_find(l, named[i].index_at);
		uint32_t child = node_find(l, named[i].child_at);

		if (index != NO_NODE && child != NO_NODE)
			edge_add(l, index, child, false);
	}
	list_release(&l->named);
	for (size_t i = 0; i < l->nodes.count; i++) {
		if (nodes[i].subject != NO_NODE)
			nodes[i].subject = node_find(l, nodes[i].subject);
		if (nodes[i].subject == NO_NODE)
			continue;
		nodes[i].selected = nodes[i].marked = 0;
		edge_add(l, nodes[i].subject, (uint32_t)i, true);
	}
	if (l->edges.count > 0)
		qsort(l->edges.at, l->edges.count, sizeof(struct edge), compare_edges);
}

/* Tells each image where its edges start, and how many indexes name it. */
static void count_edges(struct lifecycle *l)
{
	struct node *nodes = nodes_of(l);
	const struct edge *edges = edges_of(l);
	size_t e = 0;

	for (size_t i = 0; i < l->nodes.count; i++) {
		nodes[i].edges = (uint32_t)e;
		for (; e < l->edges.count && edges[e].from == i; e++) {
			if (edges[e].refers)
				continue;
			nodes[edges[e].to].unexpired++;
			nodes[edges[e].to].unsettled += nodes[i].status != LIFECYCLE_ARCHIVED;
		}
	}
}

/* ---- ages and rankings ---- */

struct aged {
	int64_t pushed_ms;
	uint32_t node;
};

static int compare_ages(const void *a, const void *b)
{
	const struct aged *one = a, *other = b;

	if (one->pushed_ms != other->pushed_ms)
		return one->pushed_ms < other->pushed_ms ? -1 : 1;
	return one->node < other->node ? -1 : one->node > other->node;
}

/* All images, oldest first. */
static uint32_t *sort_ages(const struct lifecycle *l)
{
	size_t count = l->nodes.count;
	struct aged *aged = array_new(count, sizeof(*aged));
	uint32_t *by_age = array_new(count, sizeof(*by_age));

	for (size_t i = 0; i < count; i++)
		aged[i] = (struct aged){nodes_of(l)[i].pushed_ms, (uint32_t)i};
	qsort(aged, count, sizeof(*aged), compare_ages);
	for (size_t i = 0; i < count; i++)
		by_age[i] = aged[i].node;
	free(aged);
	return by_age;
}

/* Marks all that a rule selects but for the newest, as many as it keeps. */
static void mark_counted(struct lifecycle *l, size_t rule, const uint32_t *by_age)
{
	uint64_t bit = UINT64_C(1) << rule, count = 0;
	uint64_t keep = (uint64_t)l->policy->rules[rule].count;

	for (size_t i = l->nodes.count; i-- > 0;) {
		struct node *n = &nodes_of(l)[by_age[i]];

		if ((n->selected & bit) && ++count > keep)
			n->marked |= bit;
	}
}

static void mark_all_counted(struct lifecycle *l, const uint32_t *by_age)
{
	for (size_t r = 0; r < l->policy->count; r++)
		if (l->policy->rules[r].count_type == LIFECYCLE_COUNT_MORE_THAN)
			mark_counted(l, r, by_age);
}

/* ---- decisions ---- */

static int first_rule(uint64_t rules)
{
	return rules ? __builtin_ctzll(rules) : -1;
}

/* The first rule that selects an image claims it, whether it marks it or not. */
static void want_by_rule(const struct lifecycle *l, struct node *n)
{
	int rule = first_rule(n->selected);

	if (rule < 0 || !(n->marked & UINT64_C(1) << rule))
		return;
	n->wanted = true;
	n->rule = (uint8_t)rule;
	n->action = (uint8_t)l->policy->rules[rule].action;
}

static bool is_free(const struct node *n)
{
	return (n->action == LIFECYCLE_EXPIRE ? n->unexpired : n->unsettled) == 0;
}

/* Puts an image that nothing holds any more on the stack, once. */
static void let_go(struct lifecycle *l, uint32_t node, uint32_t *stack, size_t *depth)
{
	struct node *n = &nodes_of(l)[node];

	if (!n->wanted || n->goes || !is_free(n))
		return;
	n->goes = true;
	stack[(*depth)++] = node;
}

/* What follows for the end of an edge when its start goes. */
static void pass_on(const struct node *from, struct node *to, bool refers)
{
	if (!refers) {
		to->unexpired -= from->action == LIFECYCLE_EXPIRE;
		to->unsettled -= from->status != LIFECYCLE_ARCHIVED;
	} else if (from->action == LIFECYCLE_EXPIRE || to->status != LIFECYCLE_ARCHIVED) {
		to->wanted = true;
		to->action = from->action;
		to->rule = from->rule;
	}
}

static void spread(struct lifecycle *l)
{
	const struct edge *edges = edges_of(l);
	struct node *nodes = nodes_of(l);
	uint32_t *stack = array_new(l->nodes.count, sizeof(*stack));
	size_t depth = 0;

	for (size_t i = 0; i < l->nodes.count; i++) {
		want_by_rule(l, &nodes[i]);
		let_go(l, (uint32_t)i, stack, &depth);
	}
	while (depth > 0) {
		uint32_t from = stack[--depth];

		for (size_t e = nodes[from].edges; e < l->edges.count && edges[e].from == from;
		     e++) {
			pass_on(&nodes[from], &nodes[edges[e].to], edges[e].refers);
			let_go(l, edges[e].to, stack, &depth);
		}
	}
	free(stack);
}

static bool keeps(const struct node *index, const struct node *child)
{
	if (child->action == LIFECYCLE_EXPIRE)
		return !index->goes || index->action != LIFECYCLE_EXPIRE;
	return !index->goes && index->status != LIFECYCLE_ARCHIVED;
}

/* For each image that would go, an index that keeps it. */
static void find_keepers(struct lifecycle *l)
{
	const struct edge *edges = edges_of(l);
	struct node *nodes = nodes_of(l);

	for (size_t e = 0; e < l->edges.count; e++) {
		const struct node *from = &nodes[edges[e].from];
		struct node *to = &nodes[edges[e].to];

		if (!edges[e].refers && to->wanted && !to->goes && to->index == NO_NODE &&
		    keeps(from, to))
			to->index = edges[e].from;
	}
}

/* ---- the order of carrying out ---- */

/* A heap of places in the order of age: the oldest that waits for nothing is next. */
struct heap {
	uint32_t *at;
	size_t count;
};

static void swap(uint32_t *one, uint32_t *other)
{
	uint32_t kept = *one;

	*one = *other;
	*other = kept;
}

static void heap_push(struct heap *h, uint32_t value)
{
	size_t i = h->count++;

	h->at[i] = value;
	for (; i > 0 && h->at[i] < h->at[(i - 1) / 2]; i = (i - 1) / 2)
		swap(&h->at[i], &h->at[(i - 1) / 2]);
}

static uint32_t heap_pop(struct heap *h)
{
	uint32_t least = h->at[0];
	size_t i = 0, child;

	h->at[0] = h->at[--h->count];
	while ((child = 2 * i + 1) < h->count) {
		if (child + 1 < h->count && h->at[child + 1] < h->at[child])
			child++;
		if (h->at[i] <= h->at[child])
			break;
		swap(&h->at[i], &h->at[child]);
		i = child;
	}
	return least;
}

/* How many others that go an image waits for; itself does not count. */
static uint32_t *count_waits(const struct lifecycle *l)
{
	const struct node *nodes = nodes_of(l);
	const struct edge *edges = edges_of(l);
	uint32_t *waits = array_new(l->nodes.count, sizeof(*waits));

	for (size_t e = 0; e < l->edges.count; e++)
		waits[edges[e].to] += nodes[edges[e].from].goes;
	return waits;
}

/* Those that go, into l->order. */
static void order_going(struct lifecycle *l, const uint32_t *by_age)
{
	const struct node *nodes = nodes_of(l);
	const struct edge *edges = edges_of(l);
	uint32_t *waits = count_waits(l);
	uint32_t *place = array_new(l->nodes.count, sizeof(*place));
	struct heap ready = {array_new(l->nodes.count, sizeof(uint32_t)), 0};

	for (size_t i = 0; i < l->nodes.count; i++) {
		place[by_age[i]] = (uint32_t)i;
		if (nodes[by_age[i]].goes && waits[by_age[i]] == 0)
			heap_push(&ready, (uint32_t)i);
	}
	while (ready.count > 0) {
		uint32_t from = by_age[heap_pop(&ready)];

		l->order[l->action_count++] = from;
		for (size_t e = nodes[from].edges; e < l->edges.count && edges[e].from == from; e++)
			if (--waits[edges[e].to] == 0 && nodes[edges[e].to].goes)
				heap_push(&ready, place[edges[e].to]);
	}
	free(ready.at);
	free(place);
	free(waits);
}

static void order_all(struct lifecycle *l, const uint32_t *by_age)
{
	const struct node *nodes = nodes_of(l);
	size_t at;

	l->order = array_new(l->nodes.count, sizeof(*l->order));
	order_going(l, by_age);
	at = l->action_count;
	for (int wanted = 1; wanted >= 0; wanted--)
		for (size_t i = 0; i < l->nodes.count; i++) {
			const struct node *n = &nodes[by_age[i]];

			if (!n->goes && n->wanted == (bool)wanted)
				l->order[at++] = by_age[i];
		}
}

void lifecycle_decide(struct lifecycle *l)
{
	uint32_t *by_age;

	sort_nodes(l);
	relate(l);
	count_edges(l);
	by_age = sort_ages(l);
	mark_all_counted(l, by_age);
	spread(l);
	find_keepers(l);
	order_all(l, by_age);
	free(by_age);
}

/* ---- outcomes ---- */

size_t lifecycle_count(const struct lifecycle *l)
{
	return l->nodes.count;
}

size_t lifecycle_action_count(const struct lifecycle *l)
{
	return l->action_count;
}

static enum lifecycle_decision decision_of(const struct node *n)
{
	if (!n->wanted)
		return LIFECYCLE_KEPT;
	if (!n->goes)
		return LIFECYCLE_PROTECTED;
	return n->subject == NO_NODE ? LIFECYCLE_ACTED : LIFECYCLE_FOLLOWS;
}

/* The digest of an image; DIGEST_NONE for NO_NODE. */
static void read_digest(const struct lifecycle *l, uint32_t node, struct digest *out)
{
	*out = (struct digest){.algorithm = DIGEST_NONE};
	if (node != NO_NODE)
		key_read(nodes_of(l)[node].key.is, out);
}

void lifecycle_outcome(const struct lifecycle *l, size_t at, struct lifecycle_outcome *out)
{
	const struct node *n = &nodes_of(l)[l->order[at]];

	*out = (struct lifecycle_outcome){
	    .id = n->id,
	    .decision = decision_of(n),
	    .action = (enum lifecycle_action)n->action,
	    .rule = n->rule,
	    .selected = n->selected,
	    .marked = n->marked,
	    .claimed_by = first_rule(n->selected),
	};
	read_digest(l, l->order[at], &out->digest);
	read_digest(l, n->subject, &out->subject);
	read_digest(l, n->index, &out->index);
}
