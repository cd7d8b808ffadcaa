/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * dieharder (R. G. Brown), its tests called in this process: words that come
 * through a pipe, as dieharder's own program takes them, cost four times the
 * time of the tests and four context switches per 4 KiB.
 *
 *	battery list
 *	battery ORDER SEED PART TEST NTUPLE [PSAMPLES]
 *
 * The first prints "TEST NTUPLE NAME" of all that `dieharder -a` runs.  ORDER
 * is one of words.c, or aes, libdieharder's cipher, to see what a test says of
 * a generator that is beyond doubt.  A line of output for each p-value:
 *
 *	name|ntuple|which|tsamples|psamples|p|verdict
 *
 * The verdict is that of dieharder's "resolve ambiguity" mode (-Y 1), for each
 * p-value by itself: failed, if p or 1 - p is below 1e-6; passed, if neither is
 * below 0.005, which chance alone does once in a hundred; otherwise weak, and
 * 100 samples more are taken for a new p-value of all of them.  What is still
 * weak with 1000 more has failed.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/types.h>

#include <dieharder/Dtest.h>
#include <dieharder/dieharder_test_types.h>
#include <gsl/gsl_rng.h>

#include "tests/stats/order.h"

#define FAIL	 1e-6
#define WEAK	 0.005
#define STEP	 100
#define MORE	 1000
#define P_VALUES 64

/* <dieharder/std_test.h>, which Debian's libdieharder-dev lacks. */
typedef struct {
	unsigned nkps, tsamples, psamples, ntuple;
	double *pvalues;
	char *pvlabel;
	double ks_pvalue, x, y, z;
} Test;

Test **create_test(Dtest *dtest, unsigned tsamples, unsigned psamples);
void std_test(Dtest *dtest, Test **test);
void destroy_test(Dtest *dtest, Test **test);
extern const gsl_rng_type *gsl_rng_aes;

/* libdieharder leaves its globals, with these sizes, to the program. */
#pragma GCC visibility push(default)
#define RNGS	   1000
#define GENERATORS 100
#define NAME	   1024
#define FIELDS	   1024
#define FIELD	   128

const gsl_rng_type *dh_rng_types[RNGS];
const gsl_rng_type **gsl_types;
Dtest *dh_test_types[MAXTESTS];
unsigned dh_num_rngs, dh_num_gsl_rngs, dh_num_dieharder_rngs, dh_num_R_rngs;
unsigned dh_num_hardware_rngs, dh_num_user_rngs, dh_num_reserved_rngs;
unsigned dh_num_diehard_tests, dh_num_sts_tests, dh_num_other_tests;
unsigned dh_num_user_tests, dh_num_tests;
unsigned all, bits, ks_test, kspi, ntuple, overlap = 1, psamples, verbose;
unsigned gvcount, gnumbs[GENERATORS], Seed, Xtrategy, Xstep, Xoff;
unsigned random_max, rmax, rmax_bits, rmax_mask, rgb_operm_k;
unsigned *rgb_persist_rand_uint;
unsigned long seed;
double multiply_p = 1, x_user, y_user, z_user, *ks_pvalue, *ks_pvalue2;
off_t tsamples, filecount;
int fromfile, filenumbits;
char filename[NAME], filetype, splitbuf[FIELDS][FIELD];
struct timeval tv_start, tv_stop;
gsl_rng *rng;
#pragma GCC visibility pop

/* Each word's lower half first, as a pipe would have it. */
static const struct order *order;
static uint64_t words[ORDER_WORDS];
static size_t used = 2 * ORDER_WORDS;

static unsigned long get(void *state)
{
	(void)state;
	if (used == 2 * ORDER_WORDS) {
		order->next(words);
		used = 0;
	}
	used++;
	return (uint32_t)(words[(used - 1) / 2] >> (used - 1) % 2 * 32);
}

static double get_double(void *state)
{
	return (double)get(state) * 0x1p-32;
}

/* Where an order begins is for order->start() to say. */
static void set(void *state, unsigned long s)
{
	(void)state;
	(void)s;
}

static const gsl_rng_type order_type = {
	.name = "order",
	.max = UINT32_MAX,
	.min = 0,
	.size = 0,
	.set = set,
	.get = get,
	.get_double = get_double,
};

static void list(void)
{
	/* As dieharder's run_all_tests() has them. */
	static const struct {
		int test;
		unsigned first, last;
	} tuples[] = {
		{ 200, 1, 12 }, { 201, 2, 5 }, { 202, 2, 5 }, { 203, 0, 32 }
	};

	for (int t = 0; t < MAXTESTS; t++) {
		unsigned first = 0, last = 0;

		if (!dh_test_types[t])
			continue;
		for (size_t i = 0; i < sizeof(tuples) / sizeof(*tuples); i++)
			if (tuples[i].test == t) {
				first = tuples[i].first;
				last = tuples[i].last;
			}
		for (unsigned n = first; n <= last; n++)
			printf("%d %u %s\n", t, n, dh_test_types[t]->sname);
	}
}

static const char *verdict(double p, int last)
{
	double tail = fmin(p, 1 - p);

	/* Not a number is a failure, too. */
	if (!(tail >= FAIL))
		return "failed";
	if (tail >= WEAK)
		return "passed";
	return last ? "failed" : "weak";
}

static void run(Dtest *dtest)
{
	Test **test;
	int decided[P_VALUES] = { 0 };
	unsigned weak;

	Xtrategy = 1;
	Xstep = STEP;
	Xoff = (psamples ? psamples : dtest->psamples_std) + MORE;
	test = create_test(dtest, 0, psamples);
	do {
		weak = 0;
		std_test(dtest, test);
		for (unsigned i = 0; i < dtest->nkps; i++) {
			const char *v = verdict(test[i]->ks_pvalue,
						test[i]->psamples >= Xoff);

			if (decided[i])
				continue;
			decided[i] = strcmp(v, "weak") != 0;
			weak += !decided[i];
			printf("%s|%u|%u|%u|%u|%.8f|%s\n", dtest->sname,
			       test[i]->ntuple, i, test[i]->tsamples,
			       test[i]->psamples, test[i]->ks_pvalue, v);
		}
		fflush(stdout);
	} while (weak);
	destroy_test(dtest, test);
}

int main(int argc, char **argv)
{
	int number;

	dieharder_test_types();
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		list();
		return EXIT_SUCCESS;
	}
	number = argc > 4 ? atoi(argv[4]) : -1;
	if (argc < 6 || argc > 7 || number < 0 || number >= MAXTESTS ||
	    !dh_test_types[number] || dh_test_types[number]->nkps > P_VALUES) {
		fprintf(stderr, "usage: battery ORDER SEED PART TEST NTUPLE "
				"[PSAMPLES] | battery list\n");
		return EXIT_FAILURE;
	}
	seed = strtoul(argv[2], NULL, 10);
	if (strcmp(argv[1], "aes") == 0) {
		rng = gsl_rng_alloc(gsl_rng_aes);
		gsl_rng_set(rng, seed);
	} else {
		order = order_find(argv[1]);
		if (!order) {
			fprintf(stderr, "battery: no order '%s'\n", argv[1]);
			return EXIT_FAILURE;
		}
		order->start(seed, strtoull(argv[3], NULL, 10));
		rng = gsl_rng_alloc(&order_type);
	}
	random_max = UINT32_MAX;
	rmax_bits = 32;
	rmax_mask = UINT32_MAX;
	ntuple = (unsigned)strtoul(argv[5], NULL, 10);
	psamples = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0;
	run(dh_test_types[number]);
	gsl_rng_free(rng);
	return EXIT_SUCCESS;
}
