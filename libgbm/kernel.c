/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The only copy of the path algorithm.  Compiled once per instruction set, with
 * GBM_VEC_HEADER naming its vec_<isa>.h and GBM_KERNEL_ISA its suffix.
 */
#include <float.h>
#include <string.h>

#include GBM_VEC_HEADER
#include "libgbm/kernel.h"
#include "libgbm/normal.h"

#define CAT_(a, b) a##b
#define CAT(a, b)  CAT_(a, b)
#define STR_(a)	   #a
#define STR(a)	   STR_(a)

/*
 * For functions that their constant arguments turn into others: left to itself,
 * gcc makes one of them that asks at run time.
 */
#define FORCE_INLINE static inline __attribute__((always_inline))

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

/* One round of Threefry2x64 on all vectors; the rotation is a constant. */
#define ROUND(rotation)                                                        \
	for (size_t v = 0; v < SEED_VECS; v++) {                               \
		x0[v] = vu_add(x0[v], x1[v]);                                  \
		x1[v] = vu_xor(vu_rotl(x1[v], rotation), x0[v]);               \
	}

/*
 * Threefry2x64-20 (Salmon et al., SC11) of SEED_LANES counters (p0[i], p1[i]),
 * in place: its rotations, and a word of the key after every four rounds.
 * early[i] is the second word as it was after 12 of them.
 */
static inline void threefry_n(uint64_t *p0, uint64_t *p1, uint64_t *early,
			      uint64_t k0, uint64_t k1)
{
	const uint64_t ks[3] = { k0, k1, k0 ^ k1 ^ GBM_THREEFRY_PARITY };

	for (size_t i = 0; i < SEED_LANES; i += SEED_VECS * VL) {
		vu x0[SEED_VECS], x1[SEED_VECS];

		for (size_t v = 0; v < SEED_VECS; v++) {
			x0[v] = vu_add(vu_load(p0 + i + v * VL),
				       vu_set1(ks[0]));
			x1[v] = vu_add(vu_load(p1 + i + v * VL),
				       vu_set1(ks[1]));
		}
		for (unsigned j = 1; j <= 5; j++) {
			vu add0 = vu_set1(ks[j % 3]);
			vu add1 = vu_set1(ks[(j + 1) % 3] + j);

			if (j % 2) {
				ROUND(16) ROUND(42) ROUND(12) ROUND(31)
			} else {
				ROUND(16) ROUND(32) ROUND(24) ROUND(21)
			}
			for (size_t v = 0; v < SEED_VECS; v++) {
				x0[v] = vu_add(x0[v], add0);
				x1[v] = vu_add(x1[v], add1);
				if (j == 3)
					vu_store(early + i + v * VL, x1[v]);
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
	uint64_t early[SEED_LANES];

	memcpy(p0, x0, GBM_LANES * sizeof(*x0));
	memcpy(p1, x1, GBM_LANES * sizeof(*x1));
	threefry_n(p0, p1, early, k0, k1);
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
	for (unsigned i = 0; i < SEED_LANES; i++) {
		s->a[i] = index + i / GBM_LANES;
		s->b[i] = gbm_counter1(purpose, i % GBM_LANES);
	}
	threefry_n(s->a, s->b, s->c, seed, GBM_KEY);
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
	vu a[LANE_VECS], b[LANE_VECS], c[LANE_VECS], counter, one;
};

static inline void sfc64_load(struct sfc64 *s, const struct gbm_lanes *lanes)
{
	for (size_t v = 0; v < LANE_VECS; v++) {
		s->a[v] = vu_load(lanes->a + v * VL);
		s->b[v] = vu_load(lanes->b + v * VL);
		s->c[v] = vu_load(lanes->c + v * VL);
	}
	s->counter = vu_set1(lanes->counter);
	s->one = vu_keep(vu_set1(1));
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
	s->counter = vu_add(s->counter, s->one);
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
 * The normals of a vector of words as products x2 u.  u: bits 12..63 as the
 * fraction of a number in [1, 2), its last bit set, minus 1.5: symmetric about
 * 0 and never 0.  x2 is -0 for the words that are left to gbm_normal_rest().
 */
static inline void normal_factors(const uint64_t *w, vd *x2, vd *u)
{
	vu one = vu_set1(UINT64_C(0x3FF0000000000001));

	*x2 = vd_lookup(gbm_normal_x2, w, GBM_NORMAL_SLOTS - 1);
	*u = vd_sub(vd_of_bits(vu_or(vu_shr(vu_load(w), 12), one)),
		    vd_set1(1.5));
}

/*
 * y = before + normals of a row of words; before may be NULL, for 0.  Returns
 * rest, moved on by a row, with a bit for each normal that its rectangle does
 * not give: it counts as 0.
 */
FORCE_INLINE uint64_t add_row(const uint64_t *w, const double *before,
			      double *y, uint64_t rest)
{
	vm is_rest[LANE_VECS];

	for (size_t v = 0; v < LANE_VECS; v++) {
		vd x2, u;

		normal_factors(w + v * VL, &x2, &u);
		vd_store(y + v * VL,
			 before ? vd_fma(x2, u, vd_load(before + v * VL))
				: vd_mul(x2, u));
		is_rest[v] = vd_sign(x2);
	}
	return rest >> GBM_LANES | vm_bits8(is_rest) << (64 - GBM_LANES);
}

/* Rows that fit in such bits. */
#define REST_ROWS (64 / GBM_LANES)

/*
 * Adds the normals that were left; bit 0 stands for w[0].  Returns whether one
 * of them is beyond GBM_NORMAL_BODY.  Not inlined: nine times of ten there are
 * none, and its constants would be loaded for nothing.
 */
static __attribute__((noinline)) int add_rest(uint64_t rest, const uint64_t *w,
					      double *y)
{
	int beyond = 0;

	for (; rest; rest &= rest - 1) {
		int i = __builtin_ctzll(rest);
		double z = gbm_normal_rest(w[i]);

		y[i] += z;
		beyond |= fabs(z) > GBM_NORMAL_BODY;
	}
	return beyond;
}

/*
 * The same for a group, with what add_row() returned for each of its rows.
 * Outside of the loops over the rows, since a mispredicted branch empties the
 * core.
 */
static inline int add_rests(const uint64_t *rest, const uint64_t *w, double *y)
{
	int beyond = 0;

	for (size_t row = 0; row < GBM_ROWS; row += REST_ROWS) {
		size_t i = row * GBM_LANES;

		if (rest[row + REST_ROWS - 1])
			beyond |= add_rest(rest[row + REST_ROWS - 1], w + i,
					   y + i);
	}
	return beyond;
}

/*
 * y = before + normals of the words of a group; before may be NULL.  Returns
 * what add_rest() does.
 */
FORCE_INLINE int sums(const uint64_t *w, const double *before, double *y)
{
	uint64_t rest[GBM_ROWS], bits = 0;

	for (size_t row = 0; row < GBM_ROWS; row++) {
		size_t i = row * GBM_LANES;

		rest[row] = bits =
			add_row(w + i, before ? before + i : NULL, y + i, bits);
	}
	return add_rests(rest, w, y);
}

static void exp2_n(const double *x, double *out, size_t n)
{
	for (size_t i = 0; i < n; i += VL)
		vd_store(out + i, vm_exp2(vd_load(x + i)));
}

/* What becomes of a step's prices S. */
enum sink {
	SINK_NONE,  /* not needed */
	SINK_STORE, /* out[i] = S */
	SINK_VALUE, /* out[i] = max(slope S / spot + offset, 0) */
	SINK_ADD,   /* out[i] += S / spot */
	/* The same, each S / spot being made of the last one: */
	SINK_GROW7, /* by a polynomial of degree 7, */
	SINK_GROW9, /* 9, */
	SINK_GROW11 /* and 11 */
};

/* Degree of a step's growth as a polynomial in its normal, or 0. */
FORCE_INLINE unsigned growth_degree(enum sink sink)
{
	return sink == SINK_GROW7    ? 7
	       : sink == SINK_GROW9  ? 9
	       : sink == SINK_GROW11 ? 11
				     : 0;
}

/* The largest exponent of 2 that a step of a path can have, up or down. */
static double largest_move(const struct gbm_dynamics *d)
{
	return fabs(d->drift2) + GBM_NORMAL_MOST * fabs(d->vol2);
}

/* Whether no price can ever need vm_exp2_far(). */
static int always_near(const struct gbm_dynamics *d)
{
	return (double)d->steps * largest_move(d) <= VM_EXP2_NEAR;
}

/* A step's prices; what it holds is in registers. */
struct step {
	enum sink sink;
	int near; /* always_near() */
	vd drift, vol, spot;
	vd slope, offset;
	vd terms[VM_GROWTH_TERMS];
	double *growth; /* S / spot */
	double *out;
};

FORCE_INLINE void exp2_row(const struct step *s, const vd *x, int far,
			   double *out)
{
	for (size_t v = 0; v < LANE_VECS; v++) {
		vd e = far ? vm_exp2_far(x[v]) : vm_exp2_near(x[v]);

		if (s->sink == SINK_VALUE)
			e = vd_max(vd_fma(s->slope, e, s->offset), vd_set1(0));
		else if (s->sink == SINK_ADD)
			e = vd_add(vd_load(out + v * VL), e);
		else
			e = vd_mul(s->spot, e);
		vd_store(out + v * VL, e);
	}
}

/* Vectors that grow together. */
#define GROW_VECS (LANE_VECS < VM_GROWTH_VECS ? LANE_VECS : VM_GROWTH_VECS)

/* g 2^x as g + g (2^x - 1), the larger part of which is exact. */
FORCE_INLINE void grow_row(const struct step *s, const double *z, size_t i)
{
	for (size_t v = 0; v < LANE_VECS; v += GROW_VECS) {
		vd x[GROW_VECS], more[GROW_VECS];

		for (size_t j = 0; j < GROW_VECS; j++)
			x[j] = vd_load(z + i + j * VL);
		vm_growth(x, s->terms, growth_degree(s->sink), GROW_VECS, more);
		for (size_t j = 0; j < GROW_VECS; j++, i += VL) {
			vd g = vd_load(s->growth + i);

			g = vd_fma(g, more[j], g);
			vd_store(s->growth + i, g);
			vd_store(s->out + i, vd_add(vd_load(s->out + i), g));
		}
	}
}

/* The prices of the row from path i on, whose normals add up to y[i]. */
FORCE_INLINE void price_row(const struct step *s, const double *y, size_t i)
{
	vd x[LANE_VECS];
	vm far;

	if (s->sink == SINK_NONE)
		return;
	if (growth_degree(s->sink)) {
		grow_row(s, y, i);
		return;
	}
	for (size_t v = 0; v < LANE_VECS; v++) {
		vm is_far;

		x[v] = vd_fma(s->vol, vd_load(y + i + v * VL), s->drift);
		is_far = vd_abs_above(x[v], vd_set1(VM_EXP2_NEAR));
		far = v ? vm_or(far, is_far) : is_far;
	}
	if (!s->near && vm_any(far))
		exp2_row(s, x, 1, s->out + i);
	else
		exp2_row(s, x, 0, s->out + i);
}

static inline void prices(const struct step *s, const double *y)
{
	for (size_t i = 0; i < GBM_GROUP_PATHS; i += GBM_LANES)
		price_row(s, y, i);
}

/*
 * The next group's words to w_new, prices of the sums in y, and then in their
 * place sums of the words w.  In one loop: they depend on each other in
 * nothing, and load different parts of a core.  Returns what sums() does.
 */
FORCE_INLINE int turn(struct gbm_lanes *lanes, uint64_t *w_new,
		      const struct step *step, const uint64_t *w,
		      const double *before, double *y)
{
	uint64_t rest[GBM_ROWS], bits = 0;
	struct sfc64 s;

	sfc64_load(&s, lanes);
	for (size_t row = 0; row < GBM_ROWS; row++) {
		size_t i = row * GBM_LANES;

		sfc64_row(&s, w_new + i);
		price_row(step, y, i);
		rest[row] = bits =
			add_row(w + i, before ? before + i : NULL, y + i, bits);
	}
	sfc64_save(&s, lanes, GBM_ROWS);
	return add_rests(rest, w, y);
}

static void normals(const uint64_t *w, double *z, size_t n)
{
	for (; n >= GBM_GROUP_PATHS; n -= GBM_GROUP_PATHS) {
		sums(w, NULL, z);
		w += GBM_GROUP_PATHS;
		z += GBM_GROUP_PATHS;
	}
	for (; n; n -= GBM_LANES) {
		add_rest(add_row(w, NULL, z, 0) >> (64 - GBM_LANES), w, z);
		w += GBM_LANES;
		z += GBM_LANES;
	}
}

/* A load waits for a store before it to the same offset of another such page.
 */
#define PAGE 4096

static void fill(struct gbm_lanes *lanes, double *z, size_t rows)
{
	typedef uint64_t group_words[GBM_GROUP_PATHS];
	ALIGNED char room[PAGE + 2 * sizeof(group_words)];
	/* Words lie a quarter of a page beyond the normals made of them. */
	size_t shift = ((uintptr_t)z + PAGE / 4 - (uintptr_t)room) % PAGE;
	group_words *w = (group_words *)(room + shift / 64 * 64); /* in turns */
	const struct step none = { .sink = SINK_NONE };
	size_t k = 0;

	if (rows >= GBM_ROWS) {
		words(lanes, w[0], GBM_ROWS);
		for (rows -= GBM_ROWS; rows >= GBM_ROWS; rows -= GBM_ROWS) {
			turn(lanes, w[!k], &none, w[k], NULL, z);
			z += GBM_GROUP_PATHS;
			k = !k;
		}
		sums(w[k], NULL, z);
		z += GBM_GROUP_PATHS;
	}
	words(lanes, w[0], rows);
	normals(w[0], z, rows * GBM_LANES);
}

/*
 * A step of a group passes three stages: its words are drawn, their normals are
 * added to each path's sum y, and the prices 2^(vol y + drift t) go to a sink;
 * where these grow by products, y is the normals of one step.  While one step's
 * prices are made, the next one's normals and the words of the one after that
 * are, in the same turn.
 */
struct pipeline {
	const struct gbm_dynamics *d;
	const struct gbm_take *take;
	ALIGNED struct seeds seeds;
	ALIGNED struct gbm_lanes lanes;
	vd terms[VM_GROWTH_TERMS];
	/* Where SINK_GROW7 leaves a step to SINK_GROW9. */
	vd more_terms[VM_GROWTH_TERMS];
	ALIGNED uint64_t w[2][GBM_GROUP_PATHS]; /* taken in turns */
	/*
	 * A row's load waits for a store before it to the same offset of
	 * another page: so the same row has another offset in each array.
	 */
	ALIGNED char apart1[512];
	ALIGNED double y[GBM_GROUP_PATHS];
	ALIGNED char apart2[512];
	ALIGNED double growth[GBM_GROUP_PATHS];
	ALIGNED char apart3[512];
	ALIGNED double block[GBM_BLOCK_PATHS]; /* to be taken */
};

/*
 * Of step t.  One by one, since a compiler would set and copy also what the
 * sink has no use for.
 */
static inline void make_step(struct step *step, struct pipeline *p, uint64_t t,
			     enum sink sink, int near, double *out)
{
	const struct gbm_dynamics *d = p->d;

	step->sink = sink;
	step->near = near;
	step->drift = vd_set1((double)t * d->drift2);
	step->vol = vd_set1(d->vol2);
	step->spot = vd_set1(d->spot);
	step->growth = p->growth;
	step->out = out;
	if (sink == SINK_VALUE) {
		step->slope = vd_set1(p->take->slope);
		step->offset = vd_set1(p->take->offset);
	}
	if (growth_degree(sink))
		for (unsigned k = 0; k <= growth_degree(sink); k++)
			step->terms[k] = p->terms[k];
}

/*
 * A step whose normals are not all within GBM_NORMAL_BODY, one in 145.  Not
 * inlined, as it would crowd the loops of the others.
 */
static __attribute__((noinline)) void grow_more(struct pipeline *p, double *out)
{
	struct step step;

	step.sink = SINK_GROW9;
	step.growth = p->growth;
	step.out = out;
	for (unsigned k = 0; k <= growth_degree(step.sink); k++)
		step.terms[k] = p->more_terms[k];
	prices(&step, p->y);
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

static void growth_terms(const struct gbm_dynamics *d, unsigned degree,
			 vd *terms)
{
	double t[VM_GROWTH_TERMS];

	vm_growth_terms(d->vol2, d->drift2, degree, t);
	for (unsigned k = 0; k <= degree; k++)
		terms[k] = vd_set1(t[k]);
}

/* Before the first prices of a group, those that add up or grow. */
static inline void begin_prices(struct pipeline *p, enum sink sink, double *out)
{
	if (sink == SINK_STORE || sink == SINK_VALUE)
		return;
	memset(out, 0, GBM_GROUP_PATHS * sizeof(*out));
	if (growth_degree(sink))
		for (size_t i = 0; i < GBM_GROUP_PATHS; i += VL)
			vd_store(p->growth + i, vd_set1(1));
}

/* What is left to do for a group whose prices are complete. */
static inline void end_group(const struct gbm_dynamics *d, enum sink sink,
			     double *out)
{
	double share = 1, scale = d->spot / (double)d->steps;

	if (sink == SINK_STORE || sink == SINK_VALUE)
		return;
	/* Of a tiny spot the division would leave few bits. */
	if (scale < DBL_MIN) {
		share = 1 / (double)d->steps;
		scale = d->spot;
	}
	for (size_t i = 0; i < GBM_GROUP_PATHS; i += VL) {
		vd mean = vd_mul(vd_load(out + i), vd_set1(share));

		vd_store(out + i, vd_mul(mean, vd_set1(scale)));
	}
}

/*
 * Runs n_groups groups.  Each step's prices go to sink, or, with last_only,
 * those of the last step only.  out moves on by step_stride after each step
 * and by group_stride after each group; with take, it is p.block, which is
 * taken as soon as it is complete, and then used again.
 */
FORCE_INLINE void run(const struct gbm_dynamics *d, uint64_t group,
		      uint64_t n_groups, enum sink sink, int near,
		      int last_only, double *out, size_t step_stride,
		      size_t group_stride, const struct gbm_take *take)
{
	const uint64_t units = n_groups * d->steps;
	const struct step none = { .sink = SINK_NONE };
	/* The step that each stage is at, from 0. */
	uint64_t words_at = 0, sums_at = 0, prices_at = 0;
	int beyond = 0; /* a normal of the sums, which are of one step then */
	struct pipeline p;

	p.d = d;
	p.take = take;
	if (growth_degree(sink))
		growth_terms(d, growth_degree(sink), p.terms);
	if (sink == SINK_GROW7)
		growth_terms(d, 9, p.more_terms);
	if (take)
		out = p.block;
	for (uint64_t k = 0; k < units + 2; k++) {
		int with_words = k < units;
		int with_sums = k > 0 && k <= units;
		int with_prices = k > 1;
		int silent = last_only && prices_at + 1 < d->steps;
		uint64_t *w_new = p.w[k % 2], *w = p.w[(k + 1) % 2];
		const double *before =
			sums_at && !growth_degree(sink) ? p.y : NULL;
		struct step step;

		make_step(&step, &p, prices_at + 1, sink, near, out);
		if (with_words && words_at == 0)
			begin_group(&p, group++, k == 0);
		if (with_prices && prices_at == 0)
			begin_prices(&p, sink, out);
		if (sink == SINK_GROW7 && with_prices && beyond) {
			grow_more(&p, out);
			silent = 1;
		}
		if (with_words && with_sums && with_prices) {
			if (silent && before)
				beyond = turn(&p.lanes, w_new, &none, w, p.y,
					      p.y);
			else if (silent)
				beyond = turn(&p.lanes, w_new, &none, w, NULL,
					      p.y);
			else if (before)
				beyond = turn(&p.lanes, w_new, &step, w, p.y,
					      p.y);
			else
				beyond = turn(&p.lanes, w_new, &step, w, NULL,
					      p.y);
		} else {
			if (with_words)
				words(&p.lanes, w_new, GBM_ROWS);
			if (with_prices && !silent)
				prices(&step, p.y);
			if (with_sums)
				beyond = sums(w, before, p.y);
		}
		if (with_words && ++words_at == d->steps)
			words_at = 0;
		if (with_sums && ++sums_at == d->steps)
			sums_at = 0;
		if (with_prices) {
			out += step_stride;
			if (++prices_at == d->steps) {
				prices_at = 0;
				end_group(d, sink, out);
				out += group_stride;
				if (take && (out == p.block + GBM_BLOCK_PATHS ||
					     k == units + 1)) {
					take->fn(take->user, p.block,
						 (size_t)(out - p.block));
					out = p.block;
				}
			}
		}
	}
}

static void terminal(const struct gbm_dynamics *d, uint64_t group,
		     uint64_t n_groups, double *out,
		     const struct gbm_take *take)
{
	if (always_near(d))
		run(d, group, n_groups, SINK_STORE, 1, 1, out, 0,
		    GBM_GROUP_PATHS, take);
	else
		run(d, group, n_groups, SINK_STORE, 0, 1, out, 0,
		    GBM_GROUP_PATHS, take);
}

static int is_normal(double x)
{
	return isfinite(x) && fabs(x) >= DBL_MIN;
}

static int value(const struct gbm_dynamics *d, uint64_t group,
		 uint64_t n_groups, const struct gbm_take *take)
{
	if (!always_near(d) || !is_normal(take->slope) ||
	    (take->offset != 0 && !is_normal(take->offset)))
		return 0;
	run(d, group, n_groups, SINK_VALUE, 1, 1, NULL, 0, GBM_GROUP_PATHS,
	    take);
	return 1;
}

static void average(const struct gbm_dynamics *d, uint64_t group,
		    uint64_t n_groups, double *out, const struct gbm_take *take)
{
	double usual = fabs(d->drift2) + GBM_NORMAL_BODY * fabs(d->vol2);

	if (always_near(d) && usual <= VM_EXP2_SMALL &&
	    largest_move(d) <= VM_EXP2_QUARTER)
		run(d, group, n_groups, SINK_GROW7, 1, 0, out, 0,
		    GBM_GROUP_PATHS, take);
	else if (always_near(d) && largest_move(d) <= VM_EXP2_QUARTER)
		run(d, group, n_groups, SINK_GROW9, 1, 0, out, 0,
		    GBM_GROUP_PATHS, take);
	else if (always_near(d) && largest_move(d) <= VM_EXP2_HALF)
		run(d, group, n_groups, SINK_GROW11, 1, 0, out, 0,
		    GBM_GROUP_PATHS, take);
	else if (always_near(d))
		run(d, group, n_groups, SINK_ADD, 1, 0, out, 0, GBM_GROUP_PATHS,
		    take);
	else
		run(d, group, n_groups, SINK_ADD, 0, 0, out, 0, GBM_GROUP_PATHS,
		    take);
}

/* Some rows of a group: all its sums are made, and these rows' prices. */
static void some_rows(const struct gbm_dynamics *d, uint64_t group, size_t row,
		      size_t n_rows, double *out, size_t stride)
{
	struct pipeline p;

	p.d = d;
	begin_group(&p, group, 1);
	for (uint64_t t = 1; t <= d->steps; t++) {
		struct step step;

		make_step(&step, &p, t, SINK_STORE, 0, out);
		words(&p.lanes, p.w[0], GBM_ROWS);
		sums(p.w[0], t > 1 ? p.y : NULL, p.y);
		for (size_t r = 0; r < n_rows; r++)
			price_row(&step, p.y + row * GBM_LANES, r * GBM_LANES);
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
		run(d, group, 1, SINK_STORE, 0, 0, out + stride, stride, 0,
		    NULL);
	else
		some_rows(d, group, row, n_rows, out + stride, stride);
}

FORCE_INLINE void payoff_n(double *v, size_t n, int call, double strike,
			   double scale)
{
	vd k = vd_set1(strike), sc = vd_set1(scale);
	size_t full = n - n % VL;

	for (size_t i = 0; i < full; i += VL) {
		vd s = vd_load(v + i), x = call ? vd_sub(s, k) : vd_sub(k, s);

		vd_store(v + i, vd_mul(sc, vd_max(x, vd_set1(0))));
	}
	for (size_t i = full; i < n; i++) {
		double x = call ? v[i] - strike : strike - v[i];

		v[i] = scale * (x > 0 ? x : 0);
	}
}

static void payoff(double *v, size_t n, double sign, double strike,
		   double scale)
{
	if (sign > 0)
		payoff_n(v, n, 1, strike, scale);
	else
		payoff_n(v, n, 0, strike, scale);
}

/* Adds up the lanes: 0 + 16, 1 + 17, ..; then 0 + 8, ..; down to one. */
static double fold(vd *s)
{
	double lane[VL];

	for (size_t half = SUM_VECS / 2; half; half /= 2)
		for (size_t v = 0; v < half; v++)
			s[v] = vd_add(s[v], s[v + half]);
	vd_store(lane, s[0]);
	for (size_t half = VL / 2; half; half /= 2)
		for (size_t l = 0; l < half; l++)
			lane[l] += lane[l + half];
	return lane[0];
}

/* The n values that are less than a row of lanes, and fill in the others. */
static void last_row(double *last, const double *v, size_t n, double fill)
{
	for (size_t l = 0; l < GBM_SUM_LANES; l++)
		last[l] = l < n ? v[l] : fill;
}

static void extremes(struct gbm_moments *m, const double *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		m->min = v[i] < m->min ? v[i] : m->min;
		m->max = v[i] > m->max ? v[i] : m->max;
	}
}

static inline void add_squares(vd *s, const double *v, vd mean)
{
	for (size_t j = 0; j < SUM_VECS; j++) {
		vd x = vd_sub(vd_load(v + j * VL), mean);

		s[j] = vd_fma(x, x, s[j]);
	}
}

static void moments(const double *v, size_t n, struct gbm_moments *m)
{
	size_t n_last = n % GBM_SUM_LANES, full = n - n_last;
	double last[GBM_SUM_LANES], mean;
	/* Extremes need no order, and registers are scarce. */
	vd s[SUM_VECS], lo[2], hi[2];

	for (size_t j = 0; j < SUM_VECS; j++)
		s[j] = vd_set1(0);
	lo[0] = lo[1] = hi[0] = hi[1] = vd_set1(v[0]);
	for (size_t i = 0; i < full; i += GBM_SUM_LANES)
		for (size_t j = 0; j < SUM_VECS; j++) {
			vd x = vd_keep(vd_load(v + i + j * VL));

			s[j] = vd_add_by_product(s[j], x);
			lo[j % 2] = vd_min(lo[j % 2], x);
			hi[j % 2] = vd_max(hi[j % 2], x);
		}
	m->min = m->max = v[0];
	vd_store(last, vd_min(lo[0], lo[1]));
	extremes(m, last, VL);
	vd_store(last, vd_max(hi[0], hi[1]));
	extremes(m, last, VL);
	extremes(m, v + full, n_last);
	/* Of 0 and -0 neither is less: the order must not be seen. */
	m->min += 0.0;
	m->max += 0.0;
	if (n_last) {
		last_row(last, v + full, n_last, 0);
		for (size_t j = 0; j < SUM_VECS; j++)
			s[j] = vd_add(s[j], vd_load(last + j * VL));
	}
	m->sum = fold(s);

	mean = m->sum / (double)n;
	for (size_t j = 0; j < SUM_VECS; j++)
		s[j] = vd_set1(0);
	for (size_t i = 0; i < full; i += GBM_SUM_LANES)
		add_squares(s, v + i, vd_set1(mean));
	if (n_last) {
		last_row(last, v + full, n_last, mean);
		add_squares(s, last, vd_set1(mean));
	}
	m->m2 = fold(s);
}

const struct gbm_kernel CAT(gbm_kernel_, GBM_KERNEL_ISA) = {
	.name = STR(GBM_KERNEL_ISA),
	.threefry = threefry,
	.seed = seed_lanes,
	.words = words,
	.normals = normals,
	.fill = fill,
	.exp2 = exp2_n,
	.terminal = terminal,
	.value = value,
	.average = average,
	.paths = paths,
	.payoff = payoff,
	.moments = moments,
};
