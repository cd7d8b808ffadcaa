/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does the node still answer? Ten times a second, reads what a shell would
 * need (a program file) and writes to memory of its own, as any service does;
 * every second it also starts a program. Upon SIGTERM it prints the longest
 * time in milliseconds from one beat to the next, and ends.
 */
#define _GNU_SOURCE /* clock_nanosleep */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BEAT_MS	  100
#define MEMORY	  (2 << 20)

extern char **environ;

static volatile sig_atomic_t stop;

static void on_signal(int unused)
{
	(void)unused;
	stop = 1;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void start_a_program(void)
{
	char name[] = "true";
	char *args[] = { name, NULL };
	pid_t pid;

	if (posix_spawnp(&pid, name, NULL, NULL, args, environ) == 0)
		waitpid(pid, NULL, 0);
}

int main(void)
{
	static char memory[MEMORY];
	struct sigaction action = { .sa_handler = on_signal };
	const struct timespec beat = { 0, BEAT_MS * 1000000L };
	int64_t last, longest = 0;

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	last = now_ms();
	for (unsigned int n = 0; !stop; n++) {
		char page[4096];
		int64_t now;
		int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

		if (fd < 0 || read(fd, page, sizeof(page)) <= 0)
			return 1;
		close(fd);
		for (size_t i = 0; i < sizeof(memory); i += sizeof(page))
			memory[i]++;
		if (n % (1000 / BEAT_MS) == 0)
			start_a_program();
		nanosleep(&beat, NULL);
		now = now_ms();
		if (now - last - BEAT_MS > longest)
			longest = now - last - BEAT_MS;
		last = now;
	}
	printf("%lld\n", (long long)longest);
	return 0;
}
