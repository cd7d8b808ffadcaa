/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_FAN_H
#define GBM_FAN_H

/*
 * A sketch of the prices at each step.  They are positive and lie close
 * together, so these sketches have fewer octaves than the public one.
 */

#include <stdint.h>

#include "libgbm/kernel.h"
#include "libgbm/sketch.h"

struct gbm_fan;

/* Bytes of the fan of such paths. */
uint64_t gbm_fan_bytes(const struct gbm_dynamics *d);

/* An empty fan or NULL; free() it. */
struct gbm_fan *gbm_fan_make(const struct gbm_dynamics *d);
struct gbm_fan *gbm_fan_like(const struct gbm_fan *fan);

/* Takes all prices out. */
void gbm_fan_clear(struct gbm_fan *fan);

/*
 * Adds n paths, time-major as in a gbm_block.  Any number of threads may add at
 * a time; they are in each other's way least when they begin at steps apart.
 */
void gbm_fan_add(struct gbm_fan *fan, const double *values, size_t stride,
		 size_t n, uint64_t begin);

/* Whether they can be merged. */
int gbm_fan_same(const struct gbm_fan *a, const struct gbm_fan *b);

void gbm_fan_merge(struct gbm_fan *into, const struct gbm_fan *from);

/* Of a step from 1 on; NULL past the last. */
struct gbm_sketch *gbm_fan_at(const struct gbm_fan *fan, uint64_t step);

#endif
