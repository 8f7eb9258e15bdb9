/* From starting a server to its first answer. */
#include "load_scenarios.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load_http.h"

#define START_LIMIT_US 60000000
#define POLL_NS 100000

extern char **environ;

static bool first_answer(const struct run *run, const char *request)
{
	char buf[1024];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answered = connect(fd, (const struct sockaddr *)&run->addr, sizeof(run->addr)) == 0 &&
	    send(fd, request, strlen(request), MSG_NOSIGNAL) > 0 &&
	    recv(fd, buf, sizeof(buf), 0) > 8 && memcmp(buf, "HTTP/1.", 7) == 0;

	close(fd);
	return answered;
}

static pid_t command_spawn(char **command)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	pid_t pid = -1;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attr);
	error = posix_spawnp(&pid, command[0], &actions, &attr, command, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (error) {
		fprintf(stderr, "load: cannot start %s: %s\n", command[0], strerror(error));
		return -1;
	}
	return pid;
}

int start_main(const char *host, const char *path, char **command)
{
	struct run run = {.host = host};
	struct timespec pause = {.tv_nsec = POLL_NS};
	char request[512];
	uint64_t started, took = 0;
	pid_t pid;
	int status;

	if (run_resolve(&run) != 0)
		return 2;
	snprintf(request, sizeof(request),
	    "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path ? path : "/v2/", host);
	started = now_us();
	pid = command_spawn(command);
	if (pid < 0)
		return 1;
	for (;;) {
		if (first_answer(&run, request)) {
			took = now_us() - started;
			break;
		}
		if (waitpid(pid, &status, WNOHANG) == pid) {
			fprintf(stderr, "load: %s ended before it answered\n", command[0]);
			return 1;
		}
		if (now_us() - started > START_LIMIT_US)
			break;
		nanosleep(&pause, NULL);
	}
	kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (took == 0) {
		fprintf(stderr, "load: %s gave no answer in %d s\n", command[0],
		    START_LIMIT_US / 1000000);
		return 1;
	}
	printf("{\"ops\":1,\"seconds\":%.6f,\"errors\":0,\"bytes\":0,\"p50_us\":%llu,\"p99_us\":%"
	       "llu}\n",
	    (double)took / 1e6, (unsigned long long)took, (unsigned long long)took);
	return 0;
}
