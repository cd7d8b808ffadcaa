/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Are they normal, and independent?  Of NORMALS (10^10) normals of the paths'
 * streams: moments, chi-square and Kolmogorov-Smirnov on a histogram, tails,
 * the mean and variance at each place of a group, and correlations of z, of z^2
 * and of one with the other: along a stream, between the paths of a group,
 * between neighbouring groups and between neighbouring seeds.  Nothing is kept,
 * sums are.
 */
#include <omp.h>
#include <stdint.h>
#include <string.h>

#include "libgbm/isa.h"
#include "tests/stats/report.h"

#define ROW   GBM_GROUP_PATHS /* normals of a group at one step */
#define TURNS 64	      /* steps of a unit of work */
#define SIZE  (TURNS * ROW)

/* The histogram: -SPAN to SPAN, and a bin for each rest. */
#define SPAN	 9
#define PER_UNIT 2048
#define BINS	 (2 * SPAN * PER_UNIT)

#define MOMENTS 8

/*
 * Distances in the order in which a group draws: 8 k is k draws of one stream,
 * 256 k is k steps of one path, the others are other paths.
 */
static const unsigned lags[] = { 1,  2,	 3,  4,	 5,  6,	 7,   8,   9,	 10,  11,
				 12, 13, 14, 15, 16, 24, 32,  40,  48,	 56,  64,
				 72, 80, 88, 96, 128, 248, 256, 264, 512, 768, 2560 };
#define LAGS	(sizeof(lags) / sizeof(*lags))
#define MAX_LAG 2560

/* Of a pair of sequences: sums of x y, (x^2 - 1)(y^2 - 1), x (y^2 - 1). */
struct pair {
	double n, xy, x2y2, xy2;
};

struct sums {
	uint64_t bins[BINS + 2];
	double n, power[MOMENTS + 1];
	double place[ROW], place2[ROW]; /* of z and z^2 - 1 */
	struct pair lag[LAGS], group, seed;
};

static void add_pair(struct pair *p, const double *x, const double *y, size_t n)
{
	double xy = 0, x2y2 = 0, xy2 = 0;

#pragma omp simd reduction(+ : xy, x2y2, xy2)
	for (size_t i = 0; i < n; i++) {
		double y2 = y[i] * y[i] - 1;

		xy += x[i] * y[i];
		x2y2 += (x[i] * x[i] - 1) * y2;
		xy2 += x[i] * y2;
	}
	p->n += (double)n;
	p->xy += xy;
	p->x2y2 += x2y2;
	p->xy2 += xy2;
}

static void add_powers(struct sums *s, const double *z)
{
	double p1 = 0, p2 = 0, p3 = 0, p4 = 0, p5 = 0, p6 = 0, p7 = 0, p8 = 0;

#pragma omp simd reduction(+ : p1, p2, p3, p4, p5, p6, p7, p8)
	for (size_t i = 0; i < SIZE; i++) {
		double x = z[i], x2 = x * x, x4 = x2 * x2;

		p1 += x;
		p2 += x2;
		p3 += x2 * x;
		p4 += x4;
		p5 += x4 * x;
		p6 += x4 * x2;
		p7 += x4 * x2 * x;
		p8 += x4 * x4;
	}
	s->power[1] += p1;
	s->power[2] += p2;
	s->power[3] += p3;
	s->power[4] += p4;
	s->power[5] += p5;
	s->power[6] += p6;
	s->power[7] += p7;
	s->power[8] += p8;
	s->n += SIZE;
}

static void add_sequence(struct sums *s, const double *z)
{
	add_powers(s, z);
	for (size_t i = 0; i < SIZE; i++) {
		double at = (z[i] + SPAN) * PER_UNIT;
		size_t bin = at < 0	? BINS :
			     at >= BINS ? BINS + 1 :
					  (size_t)at;

		s->bins[bin]++;
	}
	for (size_t t = 0; t < SIZE; t += ROW)
#pragma omp simd
		for (size_t i = 0; i < ROW; i++) {
			s->place[i] += z[t + i];
			s->place2[i] += z[t + i] * z[t + i] - 1;
		}
	for (size_t l = 0; l < LAGS; l++)
		add_pair(s->lag + l, z, z + lags[l], SIZE - lags[l]);
}

static void make(const struct gbm_kernel *k, uint64_t seed, uint64_t group,
		 double *z)
{
	static _Thread_local uint64_t w[SIZE];
	struct gbm_lanes lanes;

	k->seed(&lanes, seed, GBM_PURPOSE_PATHS, group);
	k->words(&lanes, w, SIZE / GBM_LANES);
	k->normals(w, z, SIZE);
}

/* Two groups of two seeds. */
static void unit(struct sums *s, const struct gbm_kernel *k, uint64_t number)
{
	static _Thread_local double z[2][2][SIZE];
	/* Groups of 128 seeds; then further groups of these. */
	uint64_t seed = number % 64 * 2, group = number / 64 * 2;

	for (unsigned i = 0; i < 2; i++)
		for (unsigned j = 0; j < 2; j++) {
			make(k, seed + i, group + j, z[i][j]);
			add_sequence(s, z[i][j]);
		}
	for (unsigned i = 0; i < 2; i++) {
		add_pair(&s->group, z[i][0], z[i][1], SIZE);
		add_pair(&s->seed, z[0][i], z[1][i], SIZE);
	}
}

static void merge_pair(struct pair *into, const struct pair *from)
{
	into->n += from->n;
	into->xy += from->xy;
	into->x2y2 += from->x2y2;
	into->xy2 += from->xy2;
}

static void merge(struct sums *into, const struct sums *from)
{
	for (size_t i = 0; i < BINS + 2; i++)
		into->bins[i] += from->bins[i];
	into->n += from->n;
	for (size_t k = 1; k <= MOMENTS; k++)
		into->power[k] += from->power[k];
	for (size_t i = 0; i < ROW; i++) {
		into->place[i] += from->place[i];
		into->place2[i] += from->place2[i];
	}
	for (size_t l = 0; l < LAGS; l++)
		merge_pair(into->lag + l, from->lag + l);
	merge_pair(&into->group, &from->group);
	merge_pair(&into->seed, &from->seed);
}

/* E z^k = (k - 1)!! for even k. */
static double normal_moment(int k)
{
	double m = k % 2 ? 0 : 1;

	for (int i = k - 1; i > 1; i -= 2)
		m *= i;
	return m;
}

static void report_moments(const struct sums *s)
{
	char name[64];

	for (int k = 1; k <= MOMENTS; k++) {
		double m = normal_moment(k);
		double variance = normal_moment(2 * k) - m * m;

		snprintf(name, sizeof(name), "mean of z^%d", k);
		report_z(name, (s->power[k] / s->n - m) / sqrt(variance / s->n));
	}
}

/* Expected of n in [a, b]; from the nearer tail, where nothing cancels. */
static double expected(double n, double a, double b)
{
	return a < 0 ? n * (gsl_cdf_ugaussian_P(b) - gsl_cdf_ugaussian_P(a)) :
		       n * (gsl_cdf_ugaussian_Q(a) - gsl_cdf_ugaussian_Q(b));
}

static double edge(size_t bin)
{
	return (double)bin / PER_UNIT - SPAN;
}

static void report_histogram(const struct sums *s)
{
	double chi2 = 0, freedom = -1, e = 0, o = 0, below, d = 0;

	/* Bins are joined from the left until 20 are expected. */
	e = s->n * gsl_cdf_ugaussian_P(-SPAN);
	o = (double)s->bins[BINS];
	below = o;
	for (size_t i = 0; i < BINS; i++) {
		double right = s->n * gsl_cdf_ugaussian_Q(edge(i + 1));

		e += expected(s->n, edge(i), edge(i + 1));
		o += (double)s->bins[i];
		below += (double)s->bins[i];
		d = fmax(d, fabs(below - (s->n - right)));
		if (i + 1 == BINS) {
			e += right;
			o += (double)s->bins[BINS + 1];
		} else if (e < 20 || right < 20) {
			continue;
		}
		chi2 += (o - e) * (o - e) / e;
		freedom++;
		e = o = 0;
	}
	report_chi2("histogram", chi2, freedom);
	d /= sqrt(s->n);
	report("Kolmogorov-Smirnov at the histogram's edges, sqrt(n) D", d,
	       ks_p(d));
}

/* How many beyond: Poisson. */
static void report_tails(const struct sums *s)
{
	char name[64];

	for (int k = 3; k <= 7; k++) {
		double e = 2 * s->n * gsl_cdf_ugaussian_Q(k), z;
		uint64_t o = s->bins[BINS] + s->bins[BINS + 1];
		double p;

		for (size_t i = 0; i < BINS; i++)
			if (edge(i) >= k || edge(i + 1) <= -k)
				o += s->bins[i];
		z = ((double)o - e) / sqrt(e);
		p = e > 1e5 ? erfc(fabs(z) * M_SQRT1_2) :
			      2 * fmin(gsl_cdf_poisson_P((unsigned)o, e),
				       o ? gsl_cdf_poisson_Q((unsigned)o - 1,
							     e) :
					   1);
		snprintf(name, sizeof(name), "beyond %d sigma, %.1f expected", k,
			 e);
		report(name, (double)o, fmin(p, 1));
	}
}

static void report_places(const struct sums *s)
{
	double n = s->n / ROW, chi2 = 0, chi2_squares = 0;

	for (size_t i = 0; i < ROW; i++) {
		chi2 += s->place[i] * s->place[i] / n;
		chi2_squares += s->place2[i] * s->place2[i] / (2 * n);
	}
	report_chi2("mean at each place of a group", chi2, ROW);
	report_chi2("variance at each place of a group", chi2_squares, ROW);
}

static void report_pair(const char *between, const struct pair *p)
{
	char name[128];

	snprintf(name, sizeof(name), "z with z, %s", between);
	report_z(name, p->xy / sqrt(p->n));
	snprintf(name, sizeof(name), "z^2 with z^2, %s", between);
	report_z(name, p->x2y2 / sqrt(4 * p->n));
	snprintf(name, sizeof(name), "z with z^2, %s", between);
	report_z(name, p->xy2 / sqrt(2 * p->n));
}

static void report_pairs(const struct sums *s)
{
	char name[64];

	for (size_t l = 0; l < LAGS; l++) {
		if (lags[l] % ROW == 0)
			snprintf(name, sizeof(name), "%u steps of a path",
				 lags[l] / ROW);
		else if (lags[l] % GBM_LANES == 0)
			snprintf(name, sizeof(name), "%u draws of a stream",
				 lags[l] / GBM_LANES);
		else
			snprintf(name, sizeof(name), "%u paths apart", lags[l]);
		report_pair(name, s->lag + l);
	}
	report_pair("neighbouring groups", &s->group);
	report_pair("neighbouring seeds", &s->seed);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of n sorted values of the uniform law. */
static double ks_distance(const double *u, size_t n)
{
	double d = 0;

	for (size_t i = 0; i < n; i++)
		d = fmax(d, fmax((double)(i + 1) / (double)n - u[i],
				 u[i] - (double)i / (double)n));
	return d;
}

/*
 * Sorted, every value for itself: batches of SIZE values, and of their
 * p-values again.
 */
static void report_batches(const struct gbm_kernel *k)
{
	enum { BATCHES = 4096 };
	static double p[BATCHES];

#pragma omp parallel for schedule(dynamic)
	for (unsigned b = 0; b < BATCHES; b++) {
		static _Thread_local double z[SIZE];

		make(k, 1000, b, z);
		for (size_t i = 0; i < SIZE; i++)
			z[i] = erfc(-z[i] * M_SQRT1_2) / 2;
		qsort(z, SIZE, sizeof(*z), compare);
		/* Stephens' (1970) correction for finite n. */
		p[b] = ks_p(ks_distance(z, SIZE) *
			    (sqrt(SIZE) + 0.12 + 0.11 / sqrt(SIZE)));
	}
	qsort(p, BATCHES, sizeof(*p), compare);
	report("Kolmogorov-Smirnov of 4096 batches of 16384: the least p, times "
	       "4096",
	       p[0], fmin(1, p[0] * BATCHES));
	report("and of their p-values, sqrt(n) D",
	       ks_distance(p, BATCHES) * sqrt(BATCHES),
	       ks_p(ks_distance(p, BATCHES) * sqrt(BATCHES)));
}

int main(void)
{
	const struct gbm_kernel *k = gbm_kernel_select(NULL, NULL);
	const char *wanted = getenv("NORMALS");
	double n = wanted ? strtod(wanted, NULL) : 1e10;
	uint64_t units = (uint64_t)(n / (4.0 * SIZE)) + 1;
	struct sums *all = calloc(1, sizeof(*all));
	double start = omp_get_wtime();
	int failed = !all;

#pragma omp parallel
	{
		struct sums *s = calloc(1, sizeof(*s));

#pragma omp for schedule(dynamic)
		for (uint64_t i = 0; i < units; i++)
			if (s)
				unit(s, k, i);
#pragma omp critical
		{
			if (s && all)
				merge(all, s);
			else
				failed = 1;
		}
		free(s);
	}
	if (failed) {
		fprintf(stderr, "normals: no memory\n");
		return EXIT_FAILURE;
	}
	printf("# %.4g normals, %.0f s, %s\n", all->n, omp_get_wtime() - start,
	       k->name);
	report_moments(all);
	report_histogram(all);
	report_tails(all);
	report_places(all);
	report_pairs(all);
	report_batches(k);
	free(all);
	return report_end();
}
