/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_BUILTIN_H
#define GBM_BUILTIN_H

/* The built-in functionals, over the kernels. */

#include <stddef.h>
#include <stdint.h>

#include "libgbm/plan.h"

/*
 * Makes the values of a built-in functional of the n paths from first on, a
 * multiple of GBM_BLOCK_PATHS, and hands them to take, in path order and blocks
 * of GBM_BLOCK_PATHS, the last of which may be shorter; take may spoil them.
 */
void gbm_builtin_run(const struct gbm_plan *plan,
		     const struct gbm_functional *f, uint64_t first, size_t n,
		     void (*take)(void *user, double *values, size_t n),
		     void *user);

#endif
