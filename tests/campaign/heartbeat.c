/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Does the node still answer? Ten times a second, does what any service does:
 * writes to memory that it has, takes new memory and gives it back, and reads
 * from the disk; every second it also starts a program, and every five seconds
 * it says on stderr that it is alive. Upon SIGTERM it prints the longest time in
 * milliseconds from one beat to the next, less what a beat ought to take, then
 * what each of these took of it, and ends.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, posix_fadvise */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BEAT_MS	  100
#define PAGE	  4096
#define MEMORY	  (2 << 20)
#define FILE_SIZE (1 << 20)

#define EVERY_SECOND (1000 / BEAT_MS)
#define SIGN_OF_LIFE (5 * EVERY_SECOND)

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

/* A file on the disk, without a name, that is in nobody's cache. */
static int temporary(void)
{
	char name[] = "heartbeat.XXXXXX", page[PAGE];
	int fd = mkstemp(name);

	if (fd < 0 || unlink(name) < 0)
		return -1;
	memset(page, 'x', sizeof(page));
	for (int i = 0; i < FILE_SIZE / PAGE; i++)
		if (write(fd, page, PAGE) != PAGE)
			return -1;
	if (fsync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM) != 0)
		return -1;
	return fd;
}

static bool read_disk(int fd, unsigned int n)
{
	off_t at = (off_t)(n % (FILE_SIZE / PAGE)) * PAGE;
	char page[PAGE];

	return posix_fadvise(fd, at, PAGE, POSIX_FADV_DONTNEED) == 0 &&
	       pread(fd, page, PAGE, at) == PAGE;
}

static void touch(char *memory)
{
	for (size_t i = 0; i < MEMORY; i += PAGE)
		memory[i]++;
}

static bool take_new(void)
{
	char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	touch(memory);
	return munmap(memory, MEMORY) == 0;
}

static bool start_a_program(void)
{
	char name[] = "true";
	char *args[] = { name, NULL };
	pid_t pid;
	int status;

	return posix_spawnp(&pid, name, NULL, NULL, args, environ) == 0 &&
	       waitpid(pid, &status, 0) == pid && status == 0;
}

enum part { MEMORY_OWN, MEMORY_NEW, DISK, PROGRAM, SLEEP, N_PARTS };

static const char *const names[N_PARTS] = { "own memory", "new memory", "disk",
					    "program", "sleep" };

static bool work(enum part part, int fd, unsigned int n)
{
	static const struct timespec beat = { 0, BEAT_MS * 1000000L };
	static char memory[MEMORY];

	switch (part) {
	case MEMORY_OWN:
		touch(memory);
		return true;
	case MEMORY_NEW:
		return take_new();
	case DISK:
		return read_disk(fd, n);
	case PROGRAM:
		return n % EVERY_SECOND != 0 || start_a_program();
	default:
		nanosleep(&beat, NULL);
		return true;
	}
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };
	int64_t last, longest = 0, took[N_PARTS], of_longest[N_PARTS] = { 0 };
	int fd = temporary();

	if (fd < 0) {
		perror("heartbeat: no file");
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	last = now_ms();
	for (unsigned int n = 0; !stop; n++) {
		int64_t start = last, now;

		for (int i = 0; i < N_PARTS; i++) {
			if (!work((enum part)i, fd, n)) {
				fprintf(stderr, "heartbeat: %s: %s\n",
					names[i], strerror(errno));
				return 1;
			}
			now = now_ms();
			took[i] = now - last;
			last = now;
		}
		if (n % SIGN_OF_LIFE == 0)
			fputs("# alive\n", stderr);
		if (last - start - BEAT_MS > longest) {
			longest = last - start - BEAT_MS;
			memcpy(of_longest, took, sizeof(took));
		}
	}
	printf("%lld", (long long)longest);
	for (int i = 0; i < N_PARTS; i++)
		printf(", %s %lld", names[i], (long long)of_longest[i]);
	putchar('\n');
	return 0;
}
