/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Do whole simulations give the right prices?  Each product is priced with many
 * seeds, and the squares of (price - exact) / standard error are summed: chi-
 * square of as many degrees of freedom as there are seeds.  Through the public
 * calls, seeds in a row as users take them.
 */
#include <time.h>

#include <gbm-mc/gbm.h>

#include "tests/stats/report.h"

struct product {
	const char *name;
	int seeds;
	double paths;
	uint64_t steps;
	double vol;
	enum gbm_payoff payoff;
	double strike;
	int geometric; /* by a callback, against its closed form */
};

static const struct product products[] = {
	{ "call of one step", 100, 16e6, 1, 0.2, GBM_CALL, 100, 0 },
	{ "put of one step", 100, 16e6, 1, 0.2, GBM_PUT, 90, 0 },
	{ "price of one step", 100, 16e6, 1, 0.2, GBM_TERMINAL, 100, 0 },
	{ "call far out of the money", 100, 16e6, 1, 0.2, GBM_CALL, 180, 0 },
	{ "call, vol 1", 100, 16e6, 1, 1, GBM_CALL, 100, 0 },
	{ "call of 12 steps", 100, 2e6, 12, 0.2, GBM_CALL, 100, 0 },
	{ "put of 252 steps", 100, 4e5, 252, 0.2, GBM_PUT, 100, 0 },
	{ "geometric Asian call, 12 steps", 100, 2e6, 12, 0.2, GBM_ASIAN_CALL,
	  100, 1 },
	{ "geometric Asian put, 252 steps", 100, 1e5, 252, 0.2, GBM_ASIAN_PUT,
	  105, 1 },
};

#define N_PRODUCTS (sizeof(products) / sizeof(*products))

/* The payoff of the geometric mean of S over the steps 1.., discounted. */
struct geometric {
	double sign, strike, discount;
};

static int geometric_asian(const struct gbm_block *b, void *user, double *out)
{
	const struct geometric *g = user;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = 0;
	for (size_t t = 1; t < b->n_times; t++)
		for (size_t i = 0; i < b->n_paths; i++)
			out[i] += log(b->values[t * b->stride + i]);
	for (size_t i = 0; i < b->n_paths; i++) {
		double mean = exp(out[i] / (double)(b->n_times - 1));

		out[i] = g->discount * fmax(g->sign * (mean - g->strike), 0);
	}
	return 0;
}

static void check(int status, const char *what)
{
	if (!status)
		return;
	printf("Bail out! %s: %s\n", what, gbm_strerror(status));
	exit(EXIT_FAILURE);
}

/* A seed's (price - exact) / standard error. */
static double deviation(const struct product *p, uint64_t seed)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_functional functional = GBM_FUNCTIONAL_INIT;
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_result r = GBM_RESULT_INIT;
	struct gbm_plan *plan;
	struct geometric g;
	double exact;

	model.steps = p->steps;
	model.vol = p->vol;
	functional.payoff = p->payoff;
	functional.strike = p->strike;
	options.seed = seed;
	check((p->geometric ? gbm_geometric_asian : gbm_reference)(
		      &model, &functional, &exact),
	      p->name);
	if (p->geometric) {
		g.sign = p->payoff == GBM_ASIAN_CALL ? 1 : -1;
		g.strike = p->strike;
		g.discount = exp(-model.rate * model.horizon);
		functional.fn = geometric_asian;
		functional.user = &g;
	}
	check(gbm_plan_create(&plan, &model, &functional, (uint64_t)p->paths,
			      &options, NULL),
	      p->name);
	check(gbm_run(plan, &r), p->name);
	gbm_plan_destroy(&plan);
	return (r.mean - exact) / r.std_error;
}

int main(void)
{
	const char *wanted = getenv("PRICE_SEEDS");
	time_t start = time(NULL);

	for (const struct product *p = products; p < products + N_PRODUCTS;
	     p++) {
		int seeds = wanted ? atoi(wanted) : p->seeds;
		double sum = 0, chi2 = 0;
		char name[128];

		for (int s = 0; s < seeds; s++) {
			double z = deviation(p, (uint64_t)s);

			sum += z;
			chi2 += z * z;
		}
		snprintf(name, sizeof(name), "%s, %d seeds of %g paths", p->name,
			 seeds, p->paths);
		report_chi2(name, chi2, seeds);
		snprintf(name, sizeof(name), "%s, bias over all seeds", p->name);
		report_z(name, sum / sqrt(seeds));
	}
	printf("# %.0f s\n", difftime(time(NULL), start));
	return report_end();
}
