/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_TESTS_STATS_REPORT_H
#define GBM_TESTS_STATS_REPORT_H

/*
 * TAP of statistical tests, each line with its p-value.  Seeds are fixed: what
 * passed once passes as long as no bit changes.  A test fails when p is below
 * one in a million, which chance does in one of 10,000 runs of a hundred tests.
 */

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_math.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define P_FAIL 1e-6

static int report_count, report_failed;
static double report_least = 1;

/* p: the probability of anything as far off as this, or further. */
static inline void report(const char *name, double statistic, double p)
{
	int ok = p >= P_FAIL;

	report_count++;
	report_failed += !ok;
	report_least = fmin(report_least, p);
	printf("%sok %d - %s: %.6g, p = %.4g\n", ok ? "" : "not ",
	       report_count, name, statistic, p);
	fflush(stdout);
}

/* A standard normal statistic; both signs count. */
static inline void report_z(const char *name, double z)
{
	report(name, z, erfc(fabs(z) * M_SQRT1_2));
}

/* Too large and too small are both wrong. */
static inline void report_chi2(const char *name, double chi2, double freedom)
{
	double p = gsl_cdf_chisq_P(chi2, freedom);
	double q = gsl_cdf_chisq_Q(chi2, freedom);
	char text[160];

	snprintf(text, sizeof(text), "%s, chi2(%.0f)", name, freedom);
	report(text, chi2, 2 * fmin(p, q));
}

/* Kolmogorov and Smirnov: the asymptotic law of sqrt(n) D, large n. */
static inline double ks_p(double x)
{
	double p = 0;

	if (x < 0.2)
		return 1;
	for (int k = 1; k <= 100; k++)
		p += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * x * x);
	return fmin(fmax(p, 0), 1);
}

static inline int report_end(void)
{
	printf("1..%d\n# least p of %d: %.4g\n", report_count, report_count,
	       report_least);
	return report_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
