/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program that takes memory in one of the ways in which programs do:
 *
 *   glutton KIND MB [SECONDS]
 *
 * takes MB megabytes, holds them for SECONDS (default 1) and ends. main()'s
 * table says what the kinds are. Run it only where something else sets a limit,
 * or in a machine that may be lost.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MB	((size_t)1 << 20)
#define PIECE	(8 * MB)
#define THREADS 8
#define DEPTH	4 /* 2^4 leaves of the tree of processes */

static size_t want; /* bytes */
static unsigned int hold;

static void fail(const char *what)
{
	fprintf(stderr, "glutton: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Every word different: neither KSM nor zram finds anything to save. */
static void fill(void *at, size_t bytes)
{
	static _Thread_local uint64_t word = 0x9e3779b97f4a7c15;
	uint64_t *words = at;

	for (size_t i = 0; i < bytes / sizeof(*words); i++) {
		word = word * 6364136223846793005u + 1442695040888963407u;
		words[i] = word;
	}
}

static void *map(size_t bytes, int flags, int fd)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		fail("mmap");
	return at;
}

/* BYTES of anonymous memory, piece by piece, with PAUSE between pieces. */
static void take(size_t bytes, int flags, const struct timespec *pause)
{
	for (size_t done = 0; done < bytes; done += PIECE) {
		fill(map(PIECE, flags | MAP_ANONYMOUS, -1), PIECE);
		if (pause)
			nanosleep(pause, NULL);
	}
}

static void by_malloc(void)
{
	for (size_t done = 0; done < want; done += PIECE) {
		void *at = malloc(PIECE);

		if (!at)
			fail("malloc");
		fill(at, PIECE);
	}
}

static void by_creeping(void)
{
	static const struct timespec pause = { 0, 100000000 };

	take(want, MAP_PRIVATE, &pause);
}

static void tree(int depth)
{
	if (depth == 0) {
		take(want >> DEPTH, MAP_PRIVATE, NULL);
		sleep(hold);
		return;
	}
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (pid == 0) {
			tree(depth - 1);
			_exit(0);
		}
	}
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void by_forks(void)
{
	tree(DEPTH);
}

static void *thread(void *unused)
{
	(void)unused;
	take(want / THREADS, MAP_PRIVATE, NULL);
	return NULL;
}

static void by_threads(void)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread, NULL))
			fail("pthread_create");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void by_sharing(void)
{
	take(want, MAP_SHARED, NULL);
}

/* Left behind, as by a program that was killed before its end. */
static void by_dev_shm(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/glutton.%ld", (long)getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)want) < 0)
		fail(name);
	fill(map(want, MAP_SHARED, fd), want);
}

static void by_sysv(void)
{
	const size_t piece = 64 * MB;

	for (size_t done = 0; done < want; done += piece) {
		int id = shmget(IPC_PRIVATE, piece, IPC_CREAT | 0600);
		void *at = id < 0 ? NULL : shmat(id, NULL, 0);

		if (id < 0 || (intptr_t)at == -1)
			fail("shmget");
		fill(at, piece);
	}
}

static void by_locking(void)
{
	struct rlimit limit;
	bool locked = true;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &limit);
	}
	for (size_t done = 0; done < want; done += PIECE) {
		void *at = map(PIECE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		if (locked && mlock(at, PIECE) < 0) {
			locked = false;
			printf("glutton: may lock %zu MB only\n", done / MB);
		}
		fill(at, PIECE);
	}
}

/* A file without a name, which goes when we go. */
static int temporary(void)
{
	char name[] = "glutton.XXXXXX";
	int fd = mkstemp(name);

	if (fd < 0 || unlink(name) < 0)
		fail(name);
	return fd;
}

static void by_writing(void)
{
	char *piece = malloc(PIECE);
	int fd = temporary();

	if (!piece)
		fail("malloc");
	for (size_t done = 0; done < want; done += PIECE) {
		fill(piece, PIECE);
		if (write(fd, piece, PIECE) != (ssize_t)PIECE)
			fail("write");
	}
	free(piece);
}

static void by_mapping(void)
{
	int fd = temporary();

	if (ftruncate(fd, (off_t)want) < 0)
		fail("ftruncate");
	fill(map(want, MAP_SHARED, fd), want);
}

/* All of it again and again, in an order that no read-ahead helps. */
static void by_thrashing(void)
{
	char *at = map(want, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	const size_t pages = want / 4096;
	const time_t end = time(NULL) + (time_t)hold;
	uint64_t word = 1;

	fill(at, want);
	while (time(NULL) < end)
		for (int i = 0; i < 1000; i++) {
			word = word * 6364136223846793005u + 1;
			at[(word >> 20) % pages * 4096]++;
		}
	hold = 0;
}

/* What is in PATH, a short file, up to the first byte that is not text. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Finds the file with the limit of the job that we are in, if in any. */
static bool limit_of_job(char *path, size_t size)
{
	static const char v1[] = ":memory:", v2[] = "0::";
	char text[4096], *dir, *end;
	const char *mount = "/sys/fs/cgroup/memory";
	const char *file = "memory.limit_in_bytes";

	if (!read_text("/proc/self/cgroup", text, sizeof(text)))
		return false;
	dir = strstr(text, v1);
	if (dir) {
		dir += sizeof(v1) - 1;
	} else {
		dir = strstr(text, v2);
		if (!dir)
			return false;
		dir += sizeof(v2) - 1;
		mount = "/sys/fs/cgroup";
		file = "memory.max";
	}
	end = strstr(dir, "/step_");
	if (!end)
		return false;
	*end = '\0';
	return (size_t)snprintf(path, size, "%s%s/%s", mount, dir, file) < size;
}

/* Of "max", which is none, and of none at all: as if there were no end. */
static unsigned long long limit_now(const char *path)
{
	char text[32], *end;
	unsigned long long limit;

	if (!read_text(path, text, sizeof(text)))
		return ~0ull;
	limit = strtoull(text, &end, 10);
	return end == text ? ~0ull : limit;
}

/*
 * Stays a little below the limit of its job until another step's start lifts
 * that, and takes the rest then. Where there is no limit, or nothing lifts it,
 * it takes the rest all the same.
 */
static void by_waiting(void)
{
	static const struct timespec pause = { 0, 200000 };
	const size_t below = 48 * MB;
	const time_t end = time(NULL) + 60;
	unsigned long long limit, now;
	char path[4096];
	size_t first;

	if (!limit_of_job(path, sizeof(path))) {
		puts("glutton: no limit");
		take(want, MAP_PRIVATE, NULL);
		return;
	}
	limit = limit_now(path);
	first = limit < want + below ? limit - below : want;
	take(first, MAP_PRIVATE, NULL);
	do {
		nanosleep(&pause, NULL);
		now = limit_now(path);
	} while (now <= limit && time(NULL) < end);
	if (now > limit && now != ~0ull)
		printf("glutton: the limit is %llu MB for a moment\n",
		       now / MB);
	else
		puts("glutton: nothing lifts the limit");
	fflush(stdout);
	take(want - first, MAP_PRIVATE, NULL);
}

static const struct {
	const char *name;
	void (*take)(void);
	const char *what;
} kinds[] = {
	{ "malloc", by_malloc, "malloc and write, at full speed" },
	{ "creep", by_creeping, "80 MB a second" },
	{ "forks", by_forks, "a tree of 16 processes" },
	{ "threads", by_threads, "8 threads" },
	{ "shared", by_sharing, "shared anonymous memory" },
	{ "devshm", by_dev_shm, "a file in /dev/shm, left behind" },
	{ "sysv", by_sysv, "System V segments, left behind" },
	{ "mlock", by_locking, "locked, as far as the limit allows" },
	{ "cache", by_writing, "written to a file: page cache" },
	{ "mapfile", by_mapping, "written to a mapped file" },
	{ "thrash", by_thrashing, "written at random for SECONDS" },
	{ "window", by_waiting, "the rest when a step's start lifts the limit" },
};

static int usage(void)
{
	fputs("usage: glutton KIND MB [SECONDS]\n", stderr);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		fprintf(stderr, "  %-8s %s\n", kinds[i].name, kinds[i].what);
	return 64;
}

static bool number(const char *text, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return end != text && *end == '\0' && errno == 0 && *out <= 1 << 20;
}

int main(int argc, char **argv)
{
	unsigned long mb, seconds = 1;

	if (argc < 3 || argc > 4 || !number(argv[2], &mb) ||
	    (argc == 4 && !number(argv[3], &seconds)))
		return usage();
	want = mb * MB;
	hold = (unsigned int)seconds;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, argv[1]) == 0) {
			kinds[i].take();
			sleep(hold);
			puts("glutton: done");
			return 0;
		}
	return usage();
}
