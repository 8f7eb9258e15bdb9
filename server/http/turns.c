/* Who may read a large body now. See turns.h. */
#include "server/http/turns.h"

#include <assert.h>

void turns_init(struct turns *turns, uint64_t total)
{
	pthread_mutex_init(&turns->mutex, NULL);
	turns->total = total;
	turns->taken = 0;
	turns->first = NULL;
	turns->last = &turns->first;
}

void turns_release(struct turns *turns)
{
	assert(!turns->first && turns->taken == 0);
	pthread_mutex_destroy(&turns->mutex);
}

static bool fits(const struct turns *turns, const struct turn *turn)
{
	return turns->taken == 0 || turns->taken + turn->bytes <= turns->total;
}

static void take(struct turns *turns, struct turn *turn)
{
	turns->taken += turn->bytes;
	turn->state = TURN_TAKEN;
}

bool turn_take(struct turns *turns, struct turn *turn)
{
	bool taken;

	pthread_mutex_lock(&turns->mutex);
	taken = !turns->first && fits(turns, turn);
	if (taken) {
		take(turns, turn);
	} else {
		turn->state = TURN_WAITS;
		turn->next = NULL;
		*turns->last = turn;
		turns->last = &turn->next;
	}
	pthread_mutex_unlock(&turns->mutex);
	return taken;
}

void turn_give(struct turns *turns, struct turn *turn)
{
	struct turn *next;

	assert(turn->state != TURN_WAITS);
	if (turn->state != TURN_TAKEN)
		return;
	turn->state = TURN_NONE;
	pthread_mutex_lock(&turns->mutex);
	turns->taken -= turn->bytes;
	while ((next = turns->first) && fits(turns, next)) {
		turns->first = next->next;
		if (!turns->first)
			turns->last = &turns->first;
		take(turns, next);
		http_post(next->loop, &next->task);
	}
	pthread_mutex_unlock(&turns->mutex);
}
