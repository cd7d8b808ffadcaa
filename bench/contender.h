/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_BENCH_CONTENDER_H
#define GBM_BENCH_CONTENDER_H

/*
 * A contender is a program that does some of the workloads for whoever asks:
 * it reads lines "WORKLOAD COUNT" and answers each with a line
 *
 *	SECONDS UNITS VALUES SUM SUM_OF_SQUARES
 *
 * of CPU time, elements done (COUNT is a wish), and the moments of the values
 * that the workload is about, by which the asker sees that it was done.  The
 * main program is contender.c; a contender defines the two functions below.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum workload {
	W_TERMINAL = 1, /* a call on paths of one step; per path */
	W_PATH,		/* a call on paths of STEPS steps; per step */
	W_ASIAN,	/* an Asian call on such paths; per step */
	W_NORMALS,	/* normals into a buffer in L1; per normal */
	W_CLOCK		/* dependent additions; per addition */
};

#define STEPS 252
#define BUFFER 1024 /* normals of W_NORMALS: 8 KiB */

/* The model, the same for all. */
#define SPOT	100.0
#define STRIKE	100.0
#define RATE	0.05
#define VOL	0.2
#define HORIZON 1.0

struct sample {
	double seconds;
	uint64_t units;
	uint64_t values; /* payoffs, not discounted, or normals */
	double sum, sum2;
};

/* CPU seconds of this thread. */
double cpu_now(void);

/* Reads the program's arguments; exits with a sentence if it cannot run. */
void contender_init(int argc, char **argv);

/*
 * Does about count units of the workload and fills *s, whose members are 0.
 * Times only the work.  Returns 0, or -1 if it has no such workload.
 */
int contender_run(enum workload w, uint64_t count, struct sample *s);

#ifdef __cplusplus
}
#endif

#endif
