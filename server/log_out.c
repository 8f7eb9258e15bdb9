/*
 * The way of a log line to standard error. See log_out.h.
 *
 * Standard error is left as it was given to us: making it non-blocking would change it for all processes that
 * have it too. Instead poll(2) is asked first. A pipe or a socket that says it is writable takes LOG_LINE_MAX
 * bytes without waiting, and files always do; a terminal may say so and stop half-way, so that for one all lines
 * go through the queue. `writing` makes sure that one thread at a time is at write(2), and lines stay in order.
 */
#include "server/log_out.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STACK_BYTES = 256 * 1024, PATIENCE_S = 1 };

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;   /* there is something to write; something was written */
	bool started;                /* there is a thread; constant once others run */
	bool terminal, file;         /* what it is, as started; a file is always writable */
	bool writing;                /* somebody is at write(2), without the lock */
	bool torn;                   /* the last write broke off within a line; the writer's */
	char queue[LOG_QUEUE_BYTES]; /* whole lines, round and round */
	size_t head, len;
	char rest[LOG_LINE_MAX]; /* what a direct write left over: comes before the queue */
	size_t rest_len;
	uint64_t delivered; /* writes that are over, whatever came of them */
	_Atomic uint64_t lost, unsaid;
} out = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool writable(int timeout_ms)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLOUT);
}

/* Writes all of it, or what goes; how much. patient: waits where somebody has made it non-blocking. */
static size_t put(const char *at, size_t len, bool patient)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(STDERR_FILENO, at + done, len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || (errno != EINTR && !(errno == EAGAIN && patient)))
			break;
		else if (errno == EAGAIN)
			writable(-1);
	}
	return done;
}

static void lose(uint64_t lines)
{
	atomic_fetch_add(&out.lost, lines);
	atomic_fetch_add(&out.unsaid, lines);
}

/* With the lock. */
static bool enqueue(struct slice line)
{
	size_t tail = (out.head + out.len) % LOG_QUEUE_BYTES, first = LOG_QUEUE_BYTES - tail;

	if (line.len > LOG_QUEUE_BYTES - out.len) {
		lose(1);
		return false;
	}
	first = line.len < first ? line.len : first;
	memcpy(out.queue + tail, line.at, first);
	memcpy(out.queue, line.at + first, line.len - first);
	out.len += line.len;
	pthread_cond_signal(&out.wake);
	return true;
}

/* With the lock: what was left over, else as many whole lines as fit; their length. */
static size_t dequeue(char chunk[LOG_LINE_MAX])
{
	size_t len = out.len < LOG_LINE_MAX ? out.len : LOG_LINE_MAX, first;
	const char *end;

	if (out.rest_len) {
		len = out.rest_len;
		memcpy(chunk, out.rest, len);
		out.rest_len = 0;
		return len;
	}
	first = LOG_QUEUE_BYTES - out.head < len ? LOG_QUEUE_BYTES - out.head : len;
	memcpy(chunk, out.queue + out.head, first);
	memcpy(chunk + first, out.queue, len - first);
	end = memrchr(chunk, '\n', len);
	assert(end); /* a line fits a chunk */
	len = (size_t)(end + 1 - chunk);
	out.len -= len;
	out.head = out.len ? (out.head + len) % LOG_QUEUE_BYTES : 0;
	return len;
}

/* Without the lock, while `writing` is ours: waits for whoever reads, however long. */
static void deliver(const char *chunk, size_t len)
{
	size_t done;
	uint64_t lines = 0;

	if (out.torn && put("\n", 1, true) == 0) {
		done = 0;
	} else {
		done = put(chunk, len, true);
		out.torn = done < len && done > 0 && chunk[done - 1] != '\n';
	}
	for (size_t i = done; i < len; i++)
		lines += chunk[i] == '\n';
	if (lines)
		lose(lines);
}

static void *drain(void *arg)
{
	char chunk[LOG_LINE_MAX];

	pthread_mutex_lock(&out.lock);
	for (;;) {
		size_t len;

		while (out.writing || (out.rest_len == 0 && out.len == 0))
			pthread_cond_wait(&out.wake, &out.lock);
		len = dequeue(chunk);
		out.writing = true;
		pthread_mutex_unlock(&out.lock);
		deliver(chunk, len);
		pthread_mutex_lock(&out.lock);
		out.writing = false;
		out.delivered++;
		pthread_cond_broadcast(&out.idle);
	}
	return arg;
}

void log_out_start(void)
{
	pthread_condattr_t monotonic;
	pthread_attr_t attr;
	pthread_t thread;
	struct stat st;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&out.wake, NULL);
	pthread_cond_init(&out.idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	out.terminal = isatty(STDERR_FILENO);
	out.file = fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	out.started = pthread_create(&thread, &attr, drain, NULL) == 0;
	pthread_attr_destroy(&attr);
}

/* By its caller, while `writing` is his. What does not go at once is left to the thread. */
static void write_at_once(struct slice line)
{
	size_t done = out.torn ? 0 : put(line.at, line.len, false);

	pthread_mutex_lock(&out.lock);
	out.rest_len = line.len - done;
	memcpy(out.rest, line.at + done, out.rest_len);
	out.writing = false;
	out.delivered++;
	if (out.rest_len || out.len)
		pthread_cond_signal(&out.wake);
	pthread_cond_broadcast(&out.idle);
	pthread_mutex_unlock(&out.lock);
}

bool log_out(struct slice line)
{
	bool at_once, taken = true;

	assert(line.len <= LOG_LINE_MAX);
	if (!out.started)
		return put(line.at, line.len, true) == line.len;
	pthread_mutex_lock(&out.lock);
	at_once = !out.terminal && !out.writing && out.rest_len == 0 && out.len == 0 &&
	    (out.file || writable(0));
	if (at_once)
		out.writing = true;
	else
		taken = enqueue(line);
	pthread_mutex_unlock(&out.lock);
	if (at_once)
		write_at_once(line);
	return taken;
}

uint64_t log_out_take_lost(void)
{
	uint64_t lost = 0;

	if (atomic_load(&out.unsaid) == 0)
		return 0;
	pthread_mutex_lock(&out.lock);
	if (out.len < LOG_QUEUE_BYTES / 2)
		lost = atomic_exchange(&out.unsaid, 0);
	pthread_mutex_unlock(&out.lock);
	return lost;
}

uint64_t log_out_lost(void)
{
	return atomic_load(&out.lost);
}

void log_out_end(void)
{
	if (!out.started)
		return;
	pthread_mutex_lock(&out.lock);
	while (out.writing || out.rest_len || out.len) {
		uint64_t delivered = out.delivered;
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += PATIENCE_S;
		if (pthread_cond_timedwait(&out.idle, &out.lock, &until) == ETIMEDOUT &&
		    out.delivered == delivered)
			break;
	}
	pthread_mutex_unlock(&out.lock);
}
