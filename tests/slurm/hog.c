/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A program that takes memory, for jobs that are meant to meet their limit:
 *
 *   hog [-f] [-s SECONDS] MB
 *
 * Writes to MB megabytes, eight at a time, says so, and holds them. With -f a
 * child does it, so that the job's own process survives the child. Never run it
 * outside of a job: nothing else limits it.
 */
#define _GNU_SOURCE /* MAP_ANONYMOUS, getopt */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEP_MB 8
#define MB	((size_t)1 << 20)

static int usage(void)
{
	fputs("usage: hog [-f] [-s SECONDS] MB\n", stderr);
	return 64;
}

static bool number(const char *text, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return end != text && *end == '\0' && errno == 0 && *out <= 1 << 20;
}

static int take(unsigned long mb, unsigned long seconds)
{
	uint64_t word = 0x9e3779b97f4a7c15;

	for (unsigned long done = 0; done < mb;) {
		unsigned long now = mb - done < STEP_MB ? mb - done : STEP_MB;
		uint64_t *piece = mmap(NULL, now * MB, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (piece == MAP_FAILED) {
			perror("hog: mmap");
			return 1;
		}
		/* Every word different: neither KSM nor zram finds anything to
		 * save. */
		for (size_t i = 0; i < now * MB / sizeof(*piece); i++) {
			word = word * 6364136223846793005u + 1;
			piece[i] = word;
		}
		done += now;
		printf("hog: has %lu MB\n", done);
	}
	sleep((unsigned int)seconds);
	puts("hog: done");
	return 0;
}

static int in_child(unsigned long mb, unsigned long seconds)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		return take(mb, seconds);
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("hog: child");
		return 1;
	}
	if (WIFSIGNALED(status)) {
		printf("hog: child killed by signal %d\n", WTERMSIG(status));
		return 0;
	}
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	unsigned long mb, seconds = 0;
	bool child = false;
	int opt;

	while ((opt = getopt(argc, argv, "fs:")) != -1) {
		if (opt == 'f')
			child = true;
		else if (opt != 's' || !number(optarg, &seconds))
			return usage();
	}
	if (argc - optind != 1 || !number(argv[optind], &mb))
		return usage();
	setvbuf(stdout, NULL, _IOLBF, 0);
	return child ? in_child(mb, seconds) : take(mb, seconds);
}
