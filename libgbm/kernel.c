/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The only copy of the path algorithm.  Compiled once per instruction set, with
 * GBM_VEC_HEADER naming its vec_<isa>.h and GBM_KERNEL_ISA its suffix.
 */
#include GBM_VEC_HEADER
#include "libgbm/kernel.h"
#include "libgbm/normal.h"

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)
#define STR_(a)	   #a
#define STR(a)	   STR_(a)

/* Vectors in a row of lanes, and in a row of partial sums. */
#define LANE_VECS (GBM_LANES / VL)
#define SUM_VECS  (GBM_SUM_LANES / VL)

static void threefry(uint64_t *p0, uint64_t *p1, uint64_t k0, uint64_t k1)
{
	const uint64_t ks[3] = { k0, k1, k0 ^ k1 ^ GBM_THREEFRY_PARITY };

	for (unsigned l = 0; l < GBM_LANES; l += VL) {
		vu x0 = vu_add(vu_load(p0 + l), vu_set1(ks[0]));
		vu x1 = vu_add(vu_load(p1 + l), vu_set1(ks[1]));

		for (unsigned r = 0; r < GBM_THREEFRY_ROUNDS; r++) {
			unsigned j = r / 4 + 1;

			x0 = vu_add(x0, x1);
			x1 = vu_xor(vu_rotl(x1, gbm_threefry_rot[r % 8]), x0);
			if (r % 4 != 3)
				continue;
			x0 = vu_add(x0, vu_set1(ks[j % 3]));
			x1 = vu_add(x1, vu_set1(ks[(j + 1) % 3] + j));
		}
		vu_store(p0 + l, x0);
		vu_store(p1 + l, x1);
	}
}

static void seed_lanes(struct gbm_lanes *s, uint64_t seed,
		       enum gbm_purpose purpose, uint64_t index)
{
	uint64_t unused[GBM_LANES];

	for (unsigned l = 0; l < GBM_LANES; l++) {
		s->a[l] = s->c[l] = index;
		s->b[l] = unused[l] = gbm_counter1(purpose, l);
	}
	threefry(s->a, s->b, seed, GBM_KEY_AB);
	threefry(s->c, unused, seed, GBM_KEY_C);
	s->counter = 1;
}

static void next_words(struct gbm_lanes *s, uint64_t *w, size_t rows)
{
	vu a[LANE_VECS], b[LANE_VECS], c[LANE_VECS];
	vu counter = vu_set1(s->counter), one = vu_set1(1);

	for (unsigned j = 0; j < LANE_VECS; j++) {
		a[j] = vu_load(s->a + j * VL);
		b[j] = vu_load(s->b + j * VL);
		c[j] = vu_load(s->c + j * VL);
	}
	for (size_t i = 0; i < rows; i++) {
		for (unsigned j = 0; j < LANE_VECS; j++) {
			vu out = vu_add(vu_add(a[j], b[j]), counter);

			a[j] = vu_xor(b[j], vu_shr(b[j], 11));
			b[j] = vu_add(c[j], vu_shl(c[j], 3));
			c[j] = vu_add(vu_rotl(c[j], 24), out);
			vu_store(w + i * GBM_LANES + j * VL, out);
		}
		counter = vu_add(counter, one);
	}
	for (unsigned j = 0; j < LANE_VECS; j++) {
		vu_store(s->a + j * VL, a[j]);
		vu_store(s->b + j * VL, b[j]);
		vu_store(s->c + j * VL, c[j]);
	}
	s->counter += rows;
}

/*
 * Bits 12..63 as the fraction of a number in [1, 2), its last bit set: minus
 * 1.5 that is symmetric about 0 and never 0, so that a product of 0 can only
 * mean a slot without a rectangle.
 */
static inline vd normal_of(const uint64_t *w)
{
	vu one = vu_set1(UINT64_C(0x3FF0000000000001));
	vd u = vd_of_bits(vu_or(vu_shr(vu_load(w), 12), one));
	vd x2 = vd_lookup(gbm_normal_x2, w, GBM_NORMAL_SLOTS - 1);

	return vd_mul(x2, vd_sub(u, vd_set1(1.5)));
}

static void normals(const uint64_t *w, double *z, size_t n)
{
	for (size_t i = 0; i < n; i += VL) {
		vd v = normal_of(w + i);
		unsigned rest = vd_zero_mask(v);

		vd_store(z + i, v);
		for (size_t j = i; rest; rest >>= 1, j++)
			if (rest & 1)
				z[j] = gbm_normal_rest(w[j]);
	}
}

static void exp2_n(const double *x, double *out, size_t n)
{
	for (size_t i = 0; i < n; i += VL)
		vd_store(out + i, vm_exp2(vd_load(x + i)));
}

/* A group on its way: log2 of S / S(0) of each path. */
struct group {
	struct gbm_lanes lanes;
	double x[GBM_GROUP_PATHS];
	double z[GBM_GROUP_PATHS];
	uint64_t w[GBM_GROUP_PATHS];
};

static void group_begin(struct group *g, const struct gbm_dynamics *d,
			uint64_t index)
{
	seed_lanes(&g->lanes, d->seed, GBM_PURPOSE_PATHS, index);
	for (size_t i = 0; i < GBM_GROUP_PATHS; i++)
		g->x[i] = 0;
}

/* One step of the paths i0 .. i0 + n - 1 of the group. */
static void group_step(struct group *g, const struct gbm_dynamics *d,
		       size_t i0, size_t n)
{
	vd drift = vd_set1(d->drift2), vol = vd_set1(d->vol2);

	next_words(&g->lanes, g->w, GBM_ROWS);
	normals(g->w + i0, g->z + i0, n);
	for (size_t i = i0; i < i0 + n; i += VL) {
		vd x = vd_add(vd_load(g->x + i), drift);

		vd_store(g->x + i, vd_fma(vol, vd_load(g->z + i), x));
	}
}

static void terminal(const struct gbm_dynamics *d, uint64_t group, double *out)
{
	vd spot = vd_set1(d->spot);
	struct group g;

	group_begin(&g, d, group);
	for (uint64_t t = 0; t < d->steps; t++)
		group_step(&g, d, 0, GBM_GROUP_PATHS);
	for (size_t i = 0; i < GBM_GROUP_PATHS; i += VL)
		vd_store(out + i,
			 vd_mul(spot, vm_exp2(vd_load(g.x + i))));
}

static void average(const struct gbm_dynamics *d, uint64_t group, double *out)
{
	vd scale = vd_set1(d->spot / (double)d->steps);
	double sum[GBM_GROUP_PATHS] = { 0 };
	struct group g;

	group_begin(&g, d, group);
	for (uint64_t t = 0; t < d->steps; t++) {
		group_step(&g, d, 0, GBM_GROUP_PATHS);
		for (size_t i = 0; i < GBM_GROUP_PATHS; i += VL)
			vd_store(sum + i, vd_add(vd_load(sum + i),
						 vm_exp2(vd_load(g.x + i))));
	}
	for (size_t i = 0; i < GBM_GROUP_PATHS; i += VL)
		vd_store(out + i, vd_mul(scale, vd_load(sum + i)));
}

static void paths(const struct gbm_dynamics *d, uint64_t group, size_t row,
		  size_t n_rows, double *out, size_t stride)
{
	vd spot = vd_set1(d->spot);
	size_t i0 = row * GBM_LANES, n = n_rows * GBM_LANES;
	struct group g;

	group_begin(&g, d, group);
	for (size_t i = 0; i < n; i += VL)
		vd_store(out + i, spot);
	for (uint64_t t = 0; t < d->steps; t++) {
		out += stride;
		group_step(&g, d, i0, n);
		for (size_t i = 0; i < n; i += VL)
			vd_store(out + i,
				 vd_mul(spot, vm_exp2(vd_load(g.x + i0 + i))));
	}
}

static void payoff(double *v, size_t n, double sign, double strike,
		   double scale)
{
	vd sg = vd_set1(sign), k = vd_set1(strike), sc = vd_set1(scale);
	size_t full = n - n % VL;

	for (size_t i = 0; i < full; i += VL) {
		vd x = vd_mul(sg, vd_sub(vd_load(v + i), k));

		vd_store(v + i, vd_mul(sc, vd_max(x, vd_set1(0))));
	}
	for (size_t i = full; i < n; i++) {
		double x = sign * (v[i] - strike);

		v[i] = scale * (x > 0 ? x : 0);
	}
}

/* Adds up the lanes: 0 + 16, 1 + 17, ..; then 0 + 8, ..; down to one. */
static double fold(double *lane)
{
	for (unsigned half = GBM_SUM_LANES / 2; half; half /= 2)
		for (unsigned l = 0; l < half; l++)
			lane[l] += lane[l + half];
	return lane[0];
}

static void moments(const double *v, size_t n, struct gbm_moments *m)
{
	size_t full = n - n % GBM_SUM_LANES;
	double sums[GBM_SUM_LANES], los[GBM_SUM_LANES], his[GBM_SUM_LANES];
	double mean;
	vd s[SUM_VECS], lo[SUM_VECS], hi[SUM_VECS], mv;

	for (unsigned j = 0; j < SUM_VECS; j++) {
		s[j] = vd_set1(0);
		lo[j] = hi[j] = vd_set1(v[0]);
	}
	for (size_t i = 0; i < full; i += GBM_SUM_LANES)
		for (unsigned j = 0; j < SUM_VECS; j++) {
			vd x = vd_load(v + i + j * VL);

			s[j] = vd_add(s[j], x);
			lo[j] = vd_min(lo[j], x);
			hi[j] = vd_max(hi[j], x);
		}
	for (unsigned j = 0; j < SUM_VECS; j++) {
		vd_store(sums + j * VL, s[j]);
		vd_store(los + j * VL, lo[j]);
		vd_store(his + j * VL, hi[j]);
	}
	m->min = m->max = v[0];
	for (unsigned l = 0; l < GBM_SUM_LANES; l++) {
		m->min = los[l] < m->min ? los[l] : m->min;
		m->max = his[l] > m->max ? his[l] : m->max;
	}
	for (size_t i = full; i < n; i++) {
		sums[i - full] += v[i];
		m->min = v[i] < m->min ? v[i] : m->min;
		m->max = v[i] > m->max ? v[i] : m->max;
	}
	m->sum = fold(sums);

	mean = m->sum / (double)n;
	mv = vd_set1(mean);
	for (unsigned j = 0; j < SUM_VECS; j++)
		s[j] = vd_set1(0);
	for (size_t i = 0; i < full; i += GBM_SUM_LANES)
		for (unsigned j = 0; j < SUM_VECS; j++) {
			vd x = vd_sub(vd_load(v + i + j * VL), mv);

			s[j] = vd_fma(x, x, s[j]);
		}
	for (unsigned j = 0; j < SUM_VECS; j++)
		vd_store(sums + j * VL, s[j]);
	for (size_t i = full; i < n; i++)
		sums[i - full] = fma(v[i] - mean, v[i] - mean, sums[i - full]);
	m->m2 = fold(sums);
}

const struct gbm_kernel CAT(gbm_kernel_, GBM_KERNEL_ISA) = {
	.name = STR(GBM_KERNEL_ISA),
	.threefry = threefry,
	.seed = seed_lanes,
	.words = next_words,
	.normals = normals,
	.exp2 = exp2_n,
	.terminal = terminal,
	.average = average,
	.paths = paths,
	.payoff = payoff,
	.moments = moments,
};
