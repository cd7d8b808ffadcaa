/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prices at each step, in one memory for all threads. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <sched.h>
#include <stdlib.h>

#include "libgbm/fan.h"

/* Standard deviations on either side: of 10^18 paths one goes further. */
#define REACH 9

struct gbm_fan {
	uint64_t steps;
	unsigned octaves;
	size_t each; /* bytes of a step */
	/* Steps, each a lock in a cache line of its own, then its sketch. */
	_Alignas(64) unsigned char bytes[];
};

#define LINE 64

static unsigned octaves_of(const struct gbm_dynamics *d)
{
	double width = 2 * REACH * d->vol2 * sqrt((double)d->steps);

	/* One more on either side, as a range ends within an octave. */
	return width < GBM_SKETCH_OCTAVES - 2 ? (unsigned)ceil(width) + 2
					      : GBM_SKETCH_OCTAVES;
}

static size_t step_bytes(unsigned octaves)
{
	return LINE + (gbm_sketch_size(octaves, 1) + LINE - 1) / LINE * LINE;
}

uint64_t gbm_fan_bytes(const struct gbm_dynamics *d)
{
	/* 2^40 steps of less than 2^20 bytes. */
	return sizeof(struct gbm_fan) + d->steps * step_bytes(octaves_of(d));
}

static int *lock_of(const struct gbm_fan *fan, uint64_t step)
{
	return (int *)(uintptr_t)(fan->bytes + (step - 1) * fan->each);
}

struct gbm_sketch *gbm_fan_at(const struct gbm_fan *fan, uint64_t step)
{
	if (step < 1 || step > fan->steps)
		return NULL;
	return (struct gbm_sketch *)((unsigned char *)lock_of(fan, step) +
				     LINE);
}

static struct gbm_fan *make(uint64_t steps, unsigned octaves)
{
	size_t each = step_bytes(octaves);
	struct gbm_fan *fan;

	if (steps > (PTRDIFF_MAX - sizeof(*fan)) / each)
		return NULL;
	fan = aligned_alloc(LINE, sizeof(*fan) + (size_t)steps * each);
	if (!fan)
		return NULL;
	fan->steps = steps;
	fan->octaves = octaves;
	fan->each = each;
	for (uint64_t t = 1; t <= steps; t++)
		*lock_of(fan, t) = 0;
	gbm_fan_clear(fan);
	return fan;
}

void gbm_fan_clear(struct gbm_fan *fan)
{
	for (uint64_t t = 1; t <= fan->steps; t++)
		gbm_sketch_init(gbm_fan_at(fan, t), fan->octaves, 1);
}

struct gbm_fan *gbm_fan_make(const struct gbm_dynamics *d)
{
	return make(d->steps, octaves_of(d));
}

struct gbm_fan *gbm_fan_like(const struct gbm_fan *fan)
{
	return make(fan->steps, fan->octaves);
}

/* Held for some thousand cycles, by one of a few threads. */
static void lock(int *word)
{
	while (__atomic_exchange_n(word, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void unlock(int *word)
{
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
}

void gbm_fan_add(struct gbm_fan *fan, const double *values, size_t stride,
		 size_t n, uint64_t begin)
{
	for (uint64_t i = 0; i < fan->steps; i++) {
		uint64_t t = 1 + (begin + i) % fan->steps;

		lock(lock_of(fan, t));
		gbm_sketch_add(gbm_fan_at(fan, t), values + t * stride, n);
		unlock(lock_of(fan, t));
	}
}

int gbm_fan_same(const struct gbm_fan *a, const struct gbm_fan *b)
{
	return a->steps == b->steps && a->octaves == b->octaves;
}

void gbm_fan_merge(struct gbm_fan *into, const struct gbm_fan *from)
{
	for (uint64_t t = 1; t <= into->steps; t++)
		gbm_sketch_merge(gbm_fan_at(into, t), gbm_fan_at(from, t));
}
