/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_BENCH_PEER_H
#define GBM_BENCH_PEER_H

/*
 * The workloads over a peer's normals, in the form that serves it best; where
 * only the last price counts normals are added up, as in our kernels.  A peer
 * defines contender_init() and, before it includes this,
 *
 *	static inline double normal(void);	the next one: as they come
 *
 * and, if it makes them in bulk or wants the vectors of the math library,
 * PEER_BLOCK, a number of paths to take together (they stay in L1), and
 *
 *	static inline void normals(double *z);	the next PEER_BLOCK of them
 *
 * and perhaps PEER_EXP_ADD, its name for sum[i] += exp(x[i]) of a block.  With
 * PEER_OWN_LOOPS it has defined peer_paths() and peer_normals() itself.
 */

#include <math.h>
#include <stddef.h>

#include "bench/contender.h"

#define DRIFT(steps) ((RATE - VOL * VOL / 2) * HORIZON / (steps))
#define MOVE(steps)  (VOL * sqrt(HORIZON / (steps)))

/* Of max(x, 0) gcc makes a branch, and half of them go unforeseeably. */
static inline double call(double price)
{
	double x = price - STRIKE;

	return (x + fabs(x)) / 2;
}

#if defined(PEER_OWN_LOOPS)

#define FILLS(n) (n)

#elif defined(PEER_BLOCK)

#ifndef PEER_EXP_ADD
#define PEER_EXP_ADD exp_add
static inline void exp_add(double *sum, const double *x)
{
	for (size_t i = 0; i < PEER_BLOCK; i++)
		sum[i] += exp(x[i]);
}
#endif

#define FILLS(n) (((n) + PEER_BLOCK - 1) / PEER_BLOCK)

static void peer_paths(uint64_t blocks, int steps, int asian, struct sample *s)
{
	const double drift = DRIFT(steps), move = MOVE(steps);
	const double share = asian ? SPOT / steps : SPOT;
	double z[PEER_BLOCK], x[PEER_BLOCK], mean[PEER_BLOCK];
	double sum = 0, sum2 = 0;

	for (uint64_t k = 0; k < blocks; k++) {
		for (size_t i = 0; i < PEER_BLOCK; i++)
			x[i] = mean[i] = 0;
		for (int t = 0; t < steps; t++) {
			normals(z);
			if (!asian) {
				for (size_t i = 0; i < PEER_BLOCK; i++)
					x[i] += z[i];
				continue;
			}
			for (size_t i = 0; i < PEER_BLOCK; i++)
				x[i] += drift + move * z[i];
			PEER_EXP_ADD(mean, x);
		}
		if (!asian) {
			for (size_t i = 0; i < PEER_BLOCK; i++)
				x[i] = drift * steps + move * x[i];
			PEER_EXP_ADD(mean, x);
		}
		for (size_t i = 0; i < PEER_BLOCK; i++) {
			double v = call(share * mean[i]);

			sum += v;
			sum2 += v * v;
		}
	}
	s->values = blocks * PEER_BLOCK;
	s->units = s->values * (uint64_t)steps;
	s->sum = sum;
	s->sum2 = sum2;
}

static void peer_normals(uint64_t n, double *buffer)
{
	for (uint64_t k = 0; k < n; k += BUFFER)
		for (size_t i = 0; i < BUFFER; i += PEER_BLOCK)
			normals(buffer + i);
}

#else

#define FILLS(n)   (n)

static void peer_paths(uint64_t n, int steps, int asian, struct sample *s)
{
	const double drift = DRIFT(steps), move = MOVE(steps);
	double sum = 0, sum2 = 0;

	for (uint64_t k = 0; k < n; k++) {
		double x = 0, mean = 0, v;

		for (int t = 0; t < steps; t++) {
			if (asian) {
				x += drift + move * normal();
				mean += exp(x);
			} else {
				x += normal();
			}
		}
		v = call(asian ? SPOT / steps * mean :
				 SPOT * exp(drift * steps + move * x));
		sum += v;
		sum2 += v * v;
	}
	s->values = n;
	s->units = n * (uint64_t)steps;
	s->sum = sum;
	s->sum2 = sum2;
}

static void peer_normals(uint64_t n, double *buffer)
{
	for (uint64_t k = 0; k < n; k += BUFFER)
		for (size_t i = 0; i < BUFFER; i++)
			buffer[i] = normal();
}

#endif

int contender_run(enum workload w, uint64_t count, struct sample *s)
{
	static double buffer[BUFFER];
	uint64_t paths = (count + STEPS - 1) / STEPS;
	double start = cpu_now();

	switch (w) {
	case W_TERMINAL:
		peer_paths(FILLS(count), 1, 0, s);
		break;
	case W_PATH:
		peer_paths(FILLS(paths), STEPS, 0, s);
		break;
	case W_ASIAN:
		peer_paths(FILLS(paths), STEPS, 1, s);
		break;
	case W_NORMALS:
		peer_normals(count, buffer);
		s->units = (count + BUFFER - 1) / BUFFER * BUFFER;
		break;
	default:
		return -1;
	}
	s->seconds = cpu_now() - start;
	if (w == W_NORMALS) {
		s->values = BUFFER;
		for (size_t i = 0; i < BUFFER; i++) {
			s->sum += buffer[i];
			s->sum2 += buffer[i] * buffer[i];
		}
	}
	return 0;
}

#endif
