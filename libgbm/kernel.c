/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The only copy of the path algorithm.  Compiled once per instruction set, with
 * GBM_VEC_HEADER naming its vec_<isa>.h and GBM_KERNEL_ISA its suffix.
 */
#include <string.h>

#include GBM_VEC_HEADER
#include "libgbm/kernel.h"
#include "libgbm/normal.h"

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)
#define STR_(a)	   #a
#define STR(a)	   STR_(a)

/* No vector across two cache lines. */
#define ALIGNED _Alignas(64)

/* Vectors in a row of lanes, and in a row of partial sums. */
#define LANE_VECS (GBM_LANES / VL)
#define SUM_VECS  (GBM_SUM_LANES / VL)

/*
 * Groups seeded together, and vectors that go through Threefry together: its
 * rounds are one chain in which each operation waits for the last.
 */
#define SEED_GROUPS 4
#define SEED_LANES  (SEED_GROUPS * GBM_LANES)
#define SEED_VECS   4

/* Threefry2x64-20 of SEED_LANES counters (p0[i], p1[i]), in place. */
static inline void threefry_n(uint64_t *p0, uint64_t *p1, uint64_t k0,
			      uint64_t k1)
{
	const uint64_t ks[3] = { k0, k1, k0 ^ k1 ^ GBM_THREEFRY_PARITY };

	for (size_t i = 0; i < SEED_LANES; i += SEED_VECS * VL) {
		vu x0[SEED_VECS], x1[SEED_VECS];

		for (size_t v = 0; v < SEED_VECS; v++) {
			x0[v] = vu_add(vu_load(p0 + i + v * VL), vu_set1(ks[0]));
			x1[v] = vu_add(vu_load(p1 + i + v * VL), vu_set1(ks[1]));
		}
		for (unsigned r = 0; r < GBM_THREEFRY_ROUNDS; r++) {
			vu add0 = vu_set1(ks[(r / 4 + 1) % 3]);
			vu add1 = vu_set1(ks[(r / 4 + 2) % 3] + r / 4 + 1);
			int rot = gbm_threefry_rot[r % 8];

			for (size_t v = 0; v < SEED_VECS; v++) {
				x0[v] = vu_add(x0[v], x1[v]);
				x1[v] = vu_xor(vu_rotl(x1[v], rot), x0[v]);
				if (r % 4 != 3)
					continue;
				x0[v] = vu_add(x0[v], add0);
				x1[v] = vu_add(x1[v], add1);
			}
		}
		for (size_t v = 0; v < SEED_VECS; v++) {
			vu_store(p0 + i + v * VL, x0[v]);
			vu_store(p1 + i + v * VL, x1[v]);
		}
	}
}

static void threefry(uint64_t *x0, uint64_t *x1, uint64_t k0, uint64_t k1)
{
	uint64_t p0[SEED_LANES] = { 0 }, p1[SEED_LANES] = { 0 };

	memcpy(p0, x0, GBM_LANES * sizeof(*x0));
	memcpy(p1, x1, GBM_LANES * sizeof(*x1));
	threefry_n(p0, p1, k0, k1);
	memcpy(x0, p0, GBM_LANES * sizeof(*x0));
	memcpy(x1, p1, GBM_LANES * sizeof(*x1));
}

/* The starting states of the lanes of SEED_GROUPS consecutive indices. */
struct seeds {
	uint64_t a[SEED_LANES], b[SEED_LANES], c[SEED_LANES];
};

static void seed_groups(struct seeds *s, uint64_t seed,
			enum gbm_purpose purpose, uint64_t index)
{
	uint64_t unused[SEED_LANES];

	for (unsigned i = 0; i < SEED_LANES; i++) {
		s->a[i] = s->c[i] = index + i / GBM_LANES;
		s->b[i] = unused[i] = gbm_counter1(purpose, i % GBM_LANES);
	}
	threefry_n(s->a, s->b, seed, GBM_KEY_AB);
	threefry_n(s->c, unused, seed, GBM_KEY_C);
}

static void seed_lanes(struct gbm_lanes *lanes, uint64_t seed,
		       enum gbm_purpose purpose, uint64_t index)
{
	struct seeds s;

	seed_groups(&s, seed, purpose, index);
	memcpy(lanes->a, s.a, sizeof(lanes->a));
	memcpy(lanes->b, s.b, sizeof(lanes->b));
	memcpy(lanes->c, s.c, sizeof(lanes->c));
	lanes->counter = 1;
}

/* Lanes in registers. */
struct sfc64 {
	vu a[LANE_VECS], b[LANE_VECS], c[LANE_VECS], counter;
};

static inline void sfc64_load(struct sfc64 *s, const struct gbm_lanes *lanes)
{
	for (size_t v = 0; v < LANE_VECS; v++) {
		s->a[v] = vu_load(lanes->a + v * VL);
		s->b[v] = vu_load(lanes->b + v * VL);
		s->c[v] = vu_load(lanes->c + v * VL);
	}
	s->counter = vu_set1(lanes->counter);
}

static inline void sfc64_save(const struct sfc64 *s, struct gbm_lanes *lanes,
			      size_t rows)
{
	for (size_t v = 0; v < LANE_VECS; v++) {
		vu_store(lanes->a + v * VL, s->a[v]);
		vu_store(lanes->b + v * VL, s->b[v]);
		vu_store(lanes->c + v * VL, s->c[v]);
	}
	lanes->counter += rows;
}

/* The next row of words. */
static inline void sfc64_row(struct sfc64 *s, uint64_t *w)
{
	for (size_t v = 0; v < LANE_VECS; v++) {
		vu out = vu_add(vu_add(s->a[v], s->b[v]), s->counter);

		s->a[v] = vu_xor(s->b[v], vu_shr(s->b[v], 11));
		s->b[v] = vu_add(s->c[v], vu_shl(s->c[v], 3));
		s->c[v] = vu_add(vu_rotl(s->c[v], 24), out);
		vu_store(w + v * VL, out);
	}
	s->counter = vu_add(s->counter, vu_set1(1));
}

static void words(struct gbm_lanes *lanes, uint64_t *w, size_t rows)
{
	struct sfc64 s;

	sfc64_load(&s, lanes);
	for (size_t row = 0; row < rows; row++)
		sfc64_row(&s, w + row * GBM_LANES);
	sfc64_save(&s, lanes, rows);
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

/* A row of normals; returns which of them the rectangles did not give. */
static inline uint8_t normals_row(const uint64_t *w, double *z)
{
	unsigned rest = 0;

	for (size_t v = 0; v < LANE_VECS; v++) {
		vd n = normal_of(w + v * VL);

		vd_store(z + v * VL, n);
		rest |= vd_zero_mask(n) << (v * VL);
	}
	return (uint8_t)rest;
}

/*
 * Those of a whole group, where the rows said so: few, so out of the loop.
 * Bit i of a little-endian word of row bytes is element i of these rows.
 */
static void normals_rest(const uint64_t *w, double *z, const uint8_t *rest)
{
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
		       "rest is read as little-endian words");
	for (size_t i = 0; i < GBM_GROUP_PATHS; i += 64) {
		uint64_t m;

		memcpy(&m, rest + i / GBM_LANES, sizeof(m));
		for (; m; m &= m - 1) {
			size_t k = i + (size_t)__builtin_ctzll(m);

			z[k] = gbm_normal_rest(w[k]);
		}
	}
}

static void normals(const uint64_t *w, double *z, size_t n)
{
	for (size_t i = 0; i < n; i += GBM_LANES)
		for (unsigned m = normals_row(w + i, z + i); m; m &= m - 1) {
			size_t k = i + (size_t)__builtin_ctz(m);

			z[k] = gbm_normal_rest(w[k]);
		}
}

static void exp2_n(const double *x, double *out, size_t n)
{
	for (size_t i = 0; i < n; i += VL)
		vd_store(out + i, vm_exp2(vd_load(x + i)));
}

/* What becomes of a step's prices 2^x. */
enum sink {
	SINK_NONE,  /* not needed */
	SINK_ONLY,  /* out[i] = spot 2^x; there is no other step, x is not kept */
	SINK_STORE, /* out[i] = spot 2^x */
	SINK_ADD    /* out[i] += 2^x */
};

/*
 * A step of a group passes three stages: its words, their normals, the move
 * of x = log2(S / S(0)) by them.  Words depend on no prices, so while one step
 * moves, the next one's normals and the words of the one after that are made
 * in the same loop: the stages load different parts of a core, and look-ups
 * are slow in words that were stored just before.
 */
struct pipeline {
	const struct gbm_dynamics *d;
	struct seeds seeds;
	struct gbm_lanes lanes;
	ALIGNED double x[GBM_GROUP_PATHS];
	/* What a stage leaves for the next; two, taken in turns. */
	ALIGNED double z[2][GBM_GROUP_PATHS];
	ALIGNED uint64_t w[2][GBM_GROUP_PATHS];
	uint8_t rest[GBM_ROWS];
};

/* The dynamics in registers. */
struct dynamics {
	vd drift, vol, spot;
};

static inline struct dynamics dynamics_load(const struct gbm_dynamics *d)
{
	return (struct dynamics){ vd_set1(d->drift2), vd_set1(d->vol2),
				  vd_set1(d->spot) };
}

static inline void move_row(const struct dynamics *d, double *x,
			    const double *z, enum sink sink, double *out)
{
	for (size_t i = 0; i < GBM_LANES; i += VL) {
		vd y = sink == SINK_ONLY ? d->drift :
					   vd_add(vd_load(x + i), d->drift);

		y = vd_fma(d->vol, vd_load(z + i), y);
		if (sink != SINK_ONLY)
			vd_store(x + i, y);
		if (sink == SINK_STORE || sink == SINK_ONLY)
			vd_store(out + i, vd_mul(d->spot, vm_exp2(y)));
		else if (sink == SINK_ADD)
			vd_store(out + i,
				 vd_add(vd_load(out + i), vm_exp2(y)));
	}
}

/* All three stages of the three steps at hand; k counts turns. */
static inline void full_turn(struct pipeline *p, uint64_t k, enum sink sink,
			     double *out)
{
	const struct dynamics d = dynamics_load(p->d);
	const uint64_t *w0 = p->w[(k + 1) % 2];
	const double *z0 = p->z[(k + 1) % 2];
	uint64_t *w1 = p->w[k % 2];
	double *z1 = p->z[k % 2];
	struct sfc64 s;

	sfc64_load(&s, &p->lanes);
	for (size_t row = 0; row < GBM_ROWS; row++) {
		size_t i = row * GBM_LANES;

		sfc64_row(&s, w1 + i);
		p->rest[row] = normals_row(w0 + i, z1 + i);
		move_row(&d, p->x + i, z0 + i, sink, out + i);
	}
	sfc64_save(&s, &p->lanes, GBM_ROWS);
}

static void move(struct pipeline *p, uint64_t k, enum sink sink, double *out)
{
	const struct dynamics d = dynamics_load(p->d);

	for (size_t i = 0; i < GBM_GROUP_PATHS; i += GBM_LANES)
		move_row(&d, p->x + i, p->z[(k + 1) % 2] + i, sink, out + i);
}

/* Puts the lanes at the beginning of a group's streams. */
static void begin_group(struct pipeline *p, uint64_t group, int first)
{
	size_t i = group % SEED_GROUPS * GBM_LANES;

	if (first || i == 0)
		seed_groups(&p->seeds, p->d->seed, GBM_PURPOSE_PATHS,
			    group - group % SEED_GROUPS);
	memcpy(p->lanes.a, p->seeds.a + i, sizeof(p->lanes.a));
	memcpy(p->lanes.b, p->seeds.b + i, sizeof(p->lanes.b));
	memcpy(p->lanes.c, p->seeds.c + i, sizeof(p->lanes.c));
	p->lanes.counter = 1;
}

/*
 * Runs n_groups groups.  Each step's prices go to sink, or, with last_only,
 * those of the last step only.  out moves on by step_stride after each step
 * that has a sink and by group_stride after each group.
 */
static inline void run(const struct gbm_dynamics *d, uint64_t group,
		       uint64_t n_groups, enum sink sink, int last_only,
		       double *out, size_t step_stride, size_t group_stride)
{
	const uint64_t units = n_groups * d->steps;
	uint64_t words_step = 0, words_group = group, move_step = 0;
	struct pipeline p;

	p.d = d;
	for (uint64_t k = 0; k < units + 2; k++) {
		int with_words = k < units;
		int with_normals = k > 0 && k <= units;
		int with_move = k > 1;
		enum sink to = last_only && move_step + 1 < d->steps ?
				       SINK_NONE :
				       sink;

		if (with_words && words_step == 0)
			begin_group(&p, words_group, k == 0);
		if (with_move && move_step == 0 && sink != SINK_ONLY)
			memset(p.x, 0, sizeof(p.x));
		if (with_words && with_normals && with_move) {
			if (to == SINK_NONE)
				full_turn(&p, k, SINK_NONE, out);
			else
				full_turn(&p, k, sink, out);
		} else {
			if (with_words)
				words(&p.lanes, p.w[k % 2], GBM_ROWS);
			for (size_t row = 0; with_normals && row < GBM_ROWS;
			     row++)
				p.rest[row] = normals_row(
					p.w[(k + 1) % 2] + row * GBM_LANES,
					p.z[k % 2] + row * GBM_LANES);
			if (with_move)
				move(&p, k, to, out);
		}
		if (with_normals)
			normals_rest(p.w[(k + 1) % 2], p.z[k % 2], p.rest);
		if (with_words && ++words_step == d->steps) {
			words_step = 0;
			words_group++;
		}
		if (with_move) {
			if (to != SINK_NONE)
				out += step_stride;
			if (++move_step == d->steps) {
				move_step = 0;
				out += group_stride;
			}
		}
	}
}

static void terminal(const struct gbm_dynamics *d, uint64_t group,
		     uint64_t n_groups, double *out)
{
	if (d->steps == 1)
		run(d, group, n_groups, SINK_ONLY, 1, out, 0, GBM_GROUP_PATHS);
	else
		run(d, group, n_groups, SINK_STORE, 1, out, 0,
		    GBM_GROUP_PATHS);
}

static void average(const struct gbm_dynamics *d, uint64_t group,
		    uint64_t n_groups, double *out)
{
	vd scale = vd_set1(d->spot / (double)d->steps);
	size_t n = (size_t)n_groups * GBM_GROUP_PATHS;

	memset(out, 0, n * sizeof(*out));
	run(d, group, n_groups, SINK_ADD, 0, out, 0, GBM_GROUP_PATHS);
	for (size_t i = 0; i < n; i += VL)
		vd_store(out + i, vd_mul(scale, vd_load(out + i)));
}

/* Some rows of a group: a whole step's prices are made, and these copied. */
static void some_rows(const struct gbm_dynamics *d, uint64_t group, size_t row,
		      size_t n_rows, double *out, size_t stride)
{
	const struct dynamics dyn = dynamics_load(d);
	struct pipeline p;

	p.d = d;
	begin_group(&p, group, 1);
	memset(p.x, 0, sizeof(p.x));
	for (uint64_t t = 0; t < d->steps; t++) {
		size_t i = row * GBM_LANES;

		words(&p.lanes, p.w[0], GBM_ROWS);
		normals(p.w[0] + i, p.z[0] + i, n_rows * GBM_LANES);
		for (size_t r = 0; r < n_rows; r++, i += GBM_LANES)
			move_row(&dyn, p.x + i, p.z[0] + i, SINK_STORE,
				 out + r * GBM_LANES);
		out += stride;
	}
}

static void paths(const struct gbm_dynamics *d, uint64_t group, size_t row,
		  size_t n_rows, double *out, size_t stride)
{
	vd spot = vd_set1(d->spot);

	for (size_t i = 0; i < n_rows * GBM_LANES; i += VL)
		vd_store(out + i, spot);
	if (n_rows == GBM_ROWS)
		run(d, group, 1, SINK_STORE, 0, out + stride, stride, 0);
	else
		some_rows(d, group, row, n_rows, out + stride, stride);
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
	.words = words,
	.normals = normals,
	.exp2 = exp2_n,
	.terminal = terminal,
	.average = average,
	.paths = paths,
	.payoff = payoff,
	.moments = moments,
};
