/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs contenders in turns and writes down every sample:
 *
 *	driver REPEATS MILLISECONDS <CONTENDERS >SAMPLES
 *
 * A line of CONTENDERS is "ROW|WORKLOADS|COMMAND", WORKLOADS being digits.  All
 * are started at once and wait; then REPEATS times each does each workload, a
 * warm-up and a sample of about that many milliseconds (at least 0.5: shorter
 * ones read slow).  One line of SAMPLES is "ROW<TAB>WORKLOAD<TAB>NS_PER_UNIT".
 *
 * Fails when a contender dies or when its numbers are not those of the
 * workload.
 */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/contender.h"

#define MAX_CONTENDERS 32
#define MIN_SECONDS    0.5e-3

struct contender {
	char row[64], workloads[16], command[512];
	pid_t pid;
	FILE *to, *from;
	uint64_t count[W_CLOCK + 1]; /* units of a sample, 0: not known yet */
	double values[W_CLOCK + 1], sum[W_CLOCK + 1], sum2[W_CLOCK + 1];
};

static struct contender contenders[MAX_CONTENDERS];
static unsigned n_contenders;

static void die(const char *what, const char *who)
{
	fprintf(stderr, "bench: %s: %s\n", who, what);
	exit(EXIT_FAILURE);
}

static void read_contenders(void)
{
	char line[640];

	while (fgets(line, sizeof(line), stdin)) {
		struct contender *c = contenders + n_contenders;

		if (n_contenders == MAX_CONTENDERS)
			die("too many contenders", line);
		if (sscanf(line, "%63[^|]|%15[^|]|%511[^\n]", c->row,
			   c->workloads, c->command) != 3)
			die("a line must be ROW|WORKLOADS|COMMAND", line);
		n_contenders++;
	}
}

static void start(struct contender *c)
{
	int down[2], up[2];

	if (pipe(down) || pipe(up))
		die("no pipe", c->row);
	c->pid = fork();
	if (c->pid < 0)
		die("no process", c->row);
	if (c->pid == 0) {
		dup2(down[0], STDIN_FILENO);
		dup2(up[1], STDOUT_FILENO);
		/* Else a contender would hold the others' pipes open. */
		for (int fd = 3; fd < 3 + 4 * MAX_CONTENDERS; fd++)
			close(fd);
		execl("/bin/sh", "sh", "-c", c->command, (char *)NULL);
		_exit(127);
	}
	close(down[0]);
	close(up[1]);
	c->to = fdopen(down[1], "w");
	c->from = fdopen(up[0], "r");
	if (!c->to || !c->from)
		die("no memory", c->row);
}

static struct sample ask(struct contender *c, int w, uint64_t count)
{
	struct sample s;

	fprintf(c->to, "%d %" PRIu64 "\n", w, count);
	fflush(c->to);
	if (fscanf(c->from, "%lf %" SCNu64 " %" SCNu64 " %lf %lf", &s.seconds,
		   &s.units, &s.values, &s.sum, &s.sum2) != 5)
		die("ended without an answer", c->row);
	c->values[w] += (double)s.values;
	c->sum[w] += s.sum;
	c->sum2[w] += s.sum2;
	return s;
}

/* The count that takes about this long, by doubling. */
static uint64_t calibrate(struct contender *c, int w, double seconds)
{
	struct sample s;
	uint64_t count = 4096;

	while (s = ask(c, w, count), s.seconds < seconds / 2)
		count = s.units > count ? 2 * s.units : 2 * count;
	return (uint64_t)((double)s.units * seconds / s.seconds) + 1;
}

static void one_sample(struct contender *c, int w, double seconds)
{
	struct sample s;

	if (!c->count[w])
		c->count[w] = calibrate(c, w, seconds);
	ask(c, w, c->count[w]);
	s = ask(c, w, c->count[w]);
	while (s.seconds < MIN_SECONDS) {
		c->count[w] *= 2;
		s = ask(c, w, c->count[w]);
	}
	printf("%s\t%d\t%.6g\n", c->row, w,
	       1e9 * s.seconds / (double)s.units);
	fflush(stdout);
}

/*
 * Black and Scholes (1973) for the calls; for the Asian call a long run of our
 * own, the standard error being 0.002; for normals their variance.  3 % are
 * allowed: Euler's step of QuantLib misses the call of one step by 2 %.
 */
static void judge(const struct contender *c, int w)
{
	static const double expected[] = { 0, 10.450584, 10.450584, 5.782, 1 };
	double discount = w == W_NORMALS ? 1 : exp(-RATE * HORIZON);
	double n = c->values[w], mean = c->sum[w] / n, se, got;

	if (w == W_CLOCK)
		return;
	se = discount * sqrt((c->sum2[w] / n - mean * mean) / n);
	got = discount * mean;
	if (w == W_NORMALS) {
		if (!(fabs(got) <= 6 * se))
			die("its normals have another mean", c->row);
		got = c->sum2[w] / n;
		se = sqrt(2 / n);
	}
	if (fabs(got - expected[w]) <= 0.03 * expected[w] + 6 * se)
		return;
	fprintf(stderr, "bench: %s: W%d gives %g +- %g instead of %g\n", c->row,
		w, got, se, expected[w]);
	exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
	double seconds;
	int repeats, status = EXIT_SUCCESS;

	if (argc != 3)
		die("usage: driver REPEATS MILLISECONDS", argv[0]);
	repeats = atoi(argv[1]);
	seconds = 1e-3 * atof(argv[2]);
	if (repeats < 1 || !(seconds >= MIN_SECONDS))
		die("needs a repeat and 0.5 ms at least", argv[0]);
	read_contenders();
	for (unsigned i = 0; i < n_contenders; i++)
		start(contenders + i);
	for (int r = 0; r < repeats; r++)
		for (int w = W_TERMINAL; w <= W_CLOCK; w++)
			for (unsigned i = 0; i < n_contenders; i++)
				if (strchr(contenders[i].workloads, '0' + w))
					one_sample(contenders + i, w, seconds);
	for (unsigned i = 0; i < n_contenders; i++) {
		struct contender *c = contenders + i;
		int end;

		fclose(c->to);
		if (waitpid(c->pid, &end, 0) < 0 || end != 0) {
			fprintf(stderr, "bench: %s: ended with status %d\n",
				c->row, end);
			status = EXIT_FAILURE;
		}
		for (int w = W_TERMINAL; w <= W_CLOCK; w++)
			if (strchr(c->workloads, '0' + w))
				judge(c, w);
	}
	return status;
}
