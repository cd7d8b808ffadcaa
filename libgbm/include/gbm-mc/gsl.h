/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_GSL_H
#define GBM_MC_GSL_H

/*
 * libgbm's random streams for users of GSL: every gsl_ran_* function can
 * draw from them.  Apart from gbm.h so that only they need GSL's headers.
 */

#include <stdint.h>

#include <gsl/gsl_rng.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * For gsl_rng_alloc(); static storage.  gsl_rng_set(r, s) selects stream 0 of
 * seed s.  gsl_rng_get() yields 0 .. ULONG_MAX.
 */
const gsl_rng_type *gbm_gsl_rng_type(void);

/*
 * Moves r to the beginning of a stream: the words of gbm_rng_init(seed,
 * stream).  Returns what that does (gsl_rng_set() has no way to), or
 * GBM_EINVAL when r is not of gbm_gsl_rng_type().
 */
int gbm_gsl_rng_set_stream(gsl_rng *r, uint64_t seed, uint64_t stream);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
