/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_ISA_H
#define GBM_ISA_H

/* Which kernels this CPU can run. */

#include "libgbm/kernel.h"

struct gbm_error;

/*
 * The fastest kernel of this CPU, or the one that name asks for (name may be
 * NULL or empty).  Returns NULL and explains in *err (GBM_EISA; may be NULL)
 * when name is unknown or the CPU lacks it.  Thread-safe, static storage.
 */
const struct gbm_kernel *gbm_kernel_select(const char *name,
					   struct gbm_error *err);

/* The i-th kernel that this CPU can run, slowest first; NULL past the last. */
const struct gbm_kernel *gbm_kernel_available(unsigned i);

#endif
