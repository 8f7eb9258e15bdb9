/*
 * Turns: how many bytes of large bodies are worked on at once, over all loops. Internal to server/http.
 *
 * A body beyond BODY_MEMORY_BYTES is received into a file (spill.h), so that it costs no memory however long
 * that takes; reading it does. Its request gets a turn when those before it leave room, in the order in
 * which bodies were complete, and has it until its reply is made: what a client sends, or does not send, never
 * decides how long.
 */
#ifndef DRYDOCK_SERVER_HTTP_TURNS_H
#define DRYDOCK_SERVER_HTTP_TURNS_H

#include "server/http/http.h"

#include <pthread.h>

enum turn_state { TURN_NONE, TURN_WAITS, TURN_TAKEN };

struct turn {
	struct turn *next;
	uint64_t bytes;
	struct http_loop *loop;
	struct http_task task; /* posted to the loop when the turn has come */
	enum turn_state state; /* guarded by the mutex while it waits */
};

struct turns {
	pthread_mutex_t mutex;
	uint64_t total, taken; /* bytes; one body larger than total gets its turn alone */
	struct turn *first, **last;
};

void turns_init(struct turns *turns, uint64_t total);
void turns_release(struct turns *turns);
/*
 * bytes, loop and task.run are set. True: the turn is taken. False: it waits, and the task is posted once it
 * is taken; until then the turn stays where it is.
 */
bool turn_take(struct turns *turns, struct turn *turn);
/* Gives it back if it was taken, and lets those have theirs that now fit. */
void turn_give(struct turns *turns, struct turn *turn);

#endif
