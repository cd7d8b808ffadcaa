/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MODEL_H
#define GBM_MODEL_H

/* Checks of what callers ask for, and what follows from a model. */

#include <gbm-mc/gbm.h>

#include "libgbm/kernel.h"

#define GBM_LOG2E 0x1.71547652b82fep+0

/* Return 0, or GBM_EINVAL with the offending member named in *err. */
int gbm_model_check(const struct gbm_model *model, struct gbm_error *err);
int gbm_functional_check(const struct gbm_functional *functional,
			 struct gbm_error *err);

/* Of a model that passed the check: mu, with the default resolved. */
double gbm_model_drift(const struct gbm_model *model);

void gbm_model_dynamics(const struct gbm_model *model, uint64_t seed,
			struct gbm_dynamics *dynamics);

#endif
