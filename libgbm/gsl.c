/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <limits.h>

#include <gbm-mc/gbm.h>
#include <gbm-mc/gsl.h>

static void set(void *state, unsigned long seed)
{
	gbm_rng_init(state, seed, 0);
}

/* Where unsigned long has 32 bits, the upper ones: SFC64's are all good. */
static unsigned long get(void *state)
{
	return (unsigned long)(gbm_rng_u64(state) >>
			       (64 - sizeof(long) * CHAR_BIT));
}

static double get_double(void *state)
{
	return gbm_rng_uniform(state);
}

const gsl_rng_type *gbm_gsl_rng_type(void)
{
	static const gsl_rng_type type = {
		.name = "gbm",
		.max = ULONG_MAX,
		.min = 0,
		.size = sizeof(struct gbm_rng),
		.set = set,
		.get = get,
		.get_double = get_double,
	};

	return &type;
}

int gbm_gsl_rng_set_stream(gsl_rng *r, uint64_t seed, uint64_t stream)
{
	if (!r || r->type != gbm_gsl_rng_type())
		return GBM_EINVAL;
	return gbm_rng_init(r->state, seed, stream);
}
