/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The streams of words, inside the kernels and as callers get them. */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_randist.h>

#include <gbm-mc/gbm.h>
#include <gbm-mc/gsl.h>

#include "libgbm/isa.h"
#include "tests/unit/check_main.h"
#include "tests/unit/values.h"

/* Random numbers for the tests themselves: not from what is tested. */
static uint64_t lcg_state = 1;

static uint64_t lcg(void)
{
	lcg_state = lcg_state * UINT64_C(6364136223846793005) +
		    UINT64_C(1442695040888963407);
	return lcg_state ^ lcg_state >> 29;
}

static void two_words(const char *text, uint64_t w[2])
{
	unsigned long long a, b;

	ck_assert_msg(text && sscanf(text, "%16llx|%16llx", &a, &b) == 2,
		      "not two words: %s", text);
	w[0] = a;
	w[1] = b;
}

START_TEST(threefry_known_answers)
{
	const struct gbm_kernel *k;
	const struct value *v = NULL;
	unsigned rows = 0;

	while ((v = value_next(v, "rng_kat"))) {
		uint64_t counter[2], key[2], want[2];

		ck_assert_str_eq(value_text(v, "generator"), "threefry2x64");
		ck_assert(value_number(v, "rounds") == 20);
		two_words(value_text(v, "counter"), counter);
		two_words(value_text(v, "key"), key);
		two_words(v->text, want);
		rows++;
		for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
			for (unsigned lane = 0; lane < GBM_LANES; lane++) {
				uint64_t x0[GBM_LANES], x1[GBM_LANES];

				for (unsigned l = 0; l < GBM_LANES; l++) {
					x0[l] = lcg();
					x1[l] = lcg();
				}
				x0[lane] = counter[0];
				x1[lane] = counter[1];
				k->threefry(x0, x1, key[0], key[1]);
				ck_assert_msg(x0[lane] == want[0] &&
						      x1[lane] == want[1],
					      "%s: %s lane %u", v->id, k->name,
					      lane);
			}
	}
	ck_assert_uint_eq(rows, 3);
}
END_TEST

struct sfc64 {
	uint64_t a, b, c, counter;
};

/* Written from the description of the generator, not from ours. */
static uint64_t sfc64_next(struct sfc64 *s)
{
	uint64_t out = s->a + s->b + s->counter++;

	s->a = s->b ^ (s->b >> 11);
	s->b = s->c * 9;
	s->c = ((s->c << 24) | (s->c >> 40)) + out;
	return out;
}

/* The step backwards, from the proof in docs/numerics.md. */
static void sfc64_undo(struct gbm_lanes *s)
{
	/* 9 times this is 1 modulo 2^64. */
	const uint64_t ninth = UINT64_C(0x8E38E38E38E38E39);

	s->counter--;
	for (unsigned l = 0; l < GBM_LANES; l++) {
		uint64_t c = s->b[l] * ninth, b = s->a[l], out;

		for (unsigned i = 0; i < 6; i++)
			b = s->a[l] ^ b >> 11;
		out = s->c[l] - (c << 24 | c >> 40);
		s->a[l] = out - b - s->counter;
		s->b[l] = b;
		s->c[l] = c;
	}
}

START_TEST(steps_can_be_undone)
{
	const struct gbm_kernel *k;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (unsigned turn = 0; turn < 1000; turn++) {
			size_t rows = lcg() >> 40 & 15;
			uint64_t w[16 * GBM_LANES];
			struct gbm_lanes s, before;

			for (unsigned l = 0; l < GBM_LANES; l++) {
				s.a[l] = lcg();
				s.b[l] = turn ? lcg() : 0;
				s.c[l] = turn > 1 ? lcg() : UINT64_MAX;
			}
			s.counter = turn ? lcg() : UINT64_MAX;
			before = s;
			k->words(&s, w, rows);
			ck_assert_uint_eq(s.counter, before.counter + rows);
			while (rows--)
				sfc64_undo(&s);
			ck_assert_mem_eq(&s, &before, sizeof(s));
		}
}
END_TEST

/*
 * Threefry2x64-20 backwards, to what it was after some of its rounds.  After
 * none of them: (a, b) says which stream it begins.
 */
static void threefry_undo(uint64_t x[2], uint64_t k0, uint64_t k1,
			  unsigned rounds)
{
	static const unsigned rotation[8] = { 16, 42, 12, 31, 16, 32, 24, 21 };
	const uint64_t parity = UINT64_C(0x1BD11BDAA9FC1A22);
	const uint64_t key[3] = { k0, k1, k0 ^ k1 ^ parity };

	for (unsigned round = 20; round-- > rounds;) {
		unsigned r = rotation[round % 8], j = round / 4 + 1;

		if (round % 4 == 3) {
			x[0] -= key[j % 3];
			x[1] -= key[(j + 1) % 3] + j;
		}
		x[1] ^= x[0];
		x[1] = x[1] >> r | x[1] << (64 - r);
		x[0] -= x[1];
	}
	if (rounds == 0) {
		x[0] -= k0;
		x[1] -= k1;
	}
}

START_TEST(states_say_their_stream)
{
	const struct gbm_kernel *k;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (unsigned turn = 0; turn < 1000; turn++) {
			uint64_t seed = turn ? lcg() : 0;
			uint64_t index = turn > 1 ? lcg() : UINT64_MAX;
			struct gbm_lanes s;

			k->seed(&s, seed, (enum gbm_purpose)(turn % 2), index);
			for (unsigned l = 0; l < GBM_LANES; l++) {
				uint64_t x[2] = { s.a[l], s.b[l] };

				threefry_undo(x, seed, 1, 0);
				ck_assert_uint_eq(x[0], index);
				ck_assert_uint_eq(
					x[1], (uint64_t)(turn % 2) << 48 | l);
			}
		}
}
END_TEST

START_TEST(words_are_sfc64)
{
	static const size_t rows[] = { 1, 2, 31, 32, 33, 1000, 0, 1 };
	static uint64_t w[1001 * GBM_LANES];
	const struct gbm_kernel *k;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++) {
		struct sfc64 ref[GBM_LANES];
		struct gbm_lanes lanes;

		/* Close to its end, the counter must wrap around. */
		lanes.counter = UINT64_MAX - 40;
		for (unsigned l = 0; l < GBM_LANES; l++) {
			lanes.a[l] = lcg();
			lanes.b[l] = lcg();
			lanes.c[l] = lcg();
			ref[l] = (struct sfc64){ lanes.a[l], lanes.b[l],
						 lanes.c[l], lanes.counter };
		}
		for (size_t j = 0; j < sizeof(rows) / sizeof(*rows); j++) {
			size_t n = rows[j] * GBM_LANES;

			memset(w, 0x55, sizeof(w));
			k->words(&lanes, w, rows[j]);
			for (size_t x = 0; x < n; x++)
				ck_assert_msg(
					w[x] == sfc64_next(ref + x % GBM_LANES),
					"%s word %zu", k->name, x);
			ck_assert_uint_eq(w[n], UINT64_C(0x5555555555555555));
		}
		for (unsigned l = 0; l < GBM_LANES; l++) {
			ck_assert_uint_eq(lanes.a[l], ref[l].a);
			ck_assert_uint_eq(lanes.b[l], ref[l].b);
			ck_assert_uint_eq(lanes.c[l], ref[l].c);
			ck_assert_uint_eq(lanes.counter, ref[l].counter);
		}
	}
}
END_TEST

/* The state as rng.h defines it, by the function with known answers. */
START_TEST(seed_is_threefry)
{
	static const uint64_t some[] = { 0,	     1,		 255,
					 1ull << 32, 1ull << 63, UINT64_MAX };
	static const enum gbm_purpose purposes[] = { GBM_PURPOSE_PATHS,
						     GBM_PURPOSE_USER };
	const size_t n = sizeof(some) / sizeof(*some);
	const struct gbm_kernel *k;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (size_t x = 0; x < n * n * 2; x++) {
			enum gbm_purpose purpose = purposes[x % 2];
			uint64_t seed = some[x / 2 % n];
			uint64_t index = some[x / 2 / n];
			uint64_t a[GBM_LANES], b[GBM_LANES];
			struct gbm_lanes lanes;

			for (unsigned l = 0; l < GBM_LANES; l++) {
				a[l] = index;
				b[l] = ((uint64_t)purpose << 48) + l;
			}
			gbm_kernel_scalar.threefry(a, b, seed, 1);
			k->seed(&lanes, seed, purpose, index);
			ck_assert_mem_eq(lanes.a, a, sizeof(a));
			ck_assert_mem_eq(lanes.b, b, sizeof(b));
			for (unsigned l = 0; l < GBM_LANES; l++) {
				uint64_t early[2] = { a[l], b[l] };

				threefry_undo(early, seed, 1, 12);
				ck_assert_uint_eq(lanes.c[l], early[1]);
			}
			ck_assert_uint_eq(lanes.counter, 1);
		}
}
END_TEST

struct pair {
	uint64_t a, b;
};

static int compare_pairs(const void *x, const void *y)
{
	const struct pair *p = x, *q = y;

	if (p->a != q->a)
		return p->a < q->a ? -1 : 1;
	return (p->b > q->b) - (p->b < q->b);
}

START_TEST(seeds_are_distinct)
{
	enum { DENSE = 20000, SPARSE = 64 };
	const size_t n = (size_t)(DENSE + SPARSE) * 2 * GBM_LANES;
	const struct gbm_kernel *k = gbm_kernel_select(NULL, NULL);
	struct pair *p = calloc(n, sizeof(*p));
	uint64_t counter = 0;
	size_t used = 0;

	ck_assert_ptr_nonnull(p);
	for (unsigned i = 0; i < DENSE + SPARSE; i++)
		for (int purpose = 0; purpose < 2; purpose++) {
			struct gbm_lanes s;

			k->seed(&s, 42, (enum gbm_purpose)purpose,
				i < DENSE ? i : UINT64_MAX << (i - DENSE));
			for (unsigned l = 0; l < GBM_LANES; l++)
				p[used++] = (struct pair){ s.a[l], s.b[l] };
			counter |= s.counter;
		}
	ck_assert_uint_eq(used, n);
	ck_assert_uint_eq(counter, 1);
	qsort(p, n, sizeof(*p), compare_pairs);
	for (size_t i = 1; i < n; i++)
		ck_assert(compare_pairs(p + i - 1, p + i) != 0);
	free(p);
}
END_TEST

/* What gbm_rng_*() hand out, from the kernel's words in their order. */
static void reference_words(uint64_t seed, uint64_t stream, uint64_t *w,
			    size_t rows)
{
	struct gbm_lanes s;

	gbm_kernel_scalar.seed(&s, seed, GBM_PURPOSE_USER, stream);
	gbm_kernel_scalar.words(&s, w, rows);
}

START_TEST(rng_any_interleaving)
{
	enum { ROWS = 4000, WORDS = ROWS * GBM_LANES };
	static uint64_t w[WORDS];
	static double z[WORDS], out[3 * GBM_GROUP_PATHS];
	unsigned kinds = 0;

	for (uint64_t stream = 0; stream < 3; stream++) {
		struct gbm_rng rng;
		size_t at = 0;

		reference_words(7, stream, w, ROWS);
		gbm_kernel_scalar.normals(w, z, WORDS);
		gbm_rng_init(&rng, 7, stream);
		for (;;) {
			unsigned kind = (unsigned)(lcg() >> 40) % 4;
			size_t n = (size_t)(lcg() >> 40) % 20;

			if (kind == 3 && n > 15)
				n = (n - 15) * 160 + lcg() % 8;
			if (at + n > WORDS)
				break;
			kinds |= n ? 1u << kind : 0;
			if (kind == 3) {
				out[n] = -7;
				gbm_rng_fill_normal(&rng, out, n);
				ck_assert_mem_eq(out, z + at, n * sizeof(*out));
				ck_assert(out[n] == -7);
				at += n;
				continue;
			}
			for (; n; n--, at++)
				if (kind == 0)
					ck_assert_uint_eq(gbm_rng_u64(&rng),
							  w[at]);
				else if (kind == 1)
					ck_assert(gbm_rng_normal(&rng) ==
						  z[at]);
				else
					ck_assert(gbm_rng_uniform(&rng) ==
						  ldexp((double)(w[at] >> 11),
							-53));
		}
	}
	ck_assert_uint_eq(kinds, 15);
}
END_TEST

/* Forced, refused, and a copy from a machine that has more of them. */
START_TEST(rng_heeds_gbm_isa)
{
	const struct gbm_kernel *k;
	gsl_rng *r = gsl_rng_alloc(gbm_gsl_rng_type());
	double want[100], got[100];
	struct gbm_rng rng;

	unsetenv("GBM_ISA");
	ck_assert_int_eq(gbm_rng_init(&rng, 3, 5), GBM_OK);
	ck_assert_uint_eq(rng.isa, 0);
	gbm_rng_fill_normal(&rng, want, 100);
	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++) {
		ck_assert_int_eq(setenv("GBM_ISA", k->name, 1), 0);
		ck_assert_int_eq(gbm_rng_init(&rng, 3, 5), GBM_OK);
		ck_assert_uint_eq(rng.isa, i + 1);
		gbm_rng_fill_normal(&rng, got, 100);
		ck_assert_mem_eq(want, got, sizeof(want));
	}
	ck_assert_int_eq(setenv("GBM_ISA", "sse9", 1), 0);
	ck_assert_int_eq(gbm_rng_init(&rng, 3, 5), GBM_EISA);
	ck_assert_int_eq(gbm_gsl_rng_set_stream(r, 3, 5), GBM_EISA);
	ck_assert_uint_eq(rng.isa, 0);
	gbm_rng_fill_normal(&rng, got, 100);
	ck_assert_mem_eq(want, got, sizeof(want));

	ck_assert_int_eq(setenv("GBM_ISA", "", 1), 0);
	ck_assert_int_eq(gbm_rng_init(&rng, 3, 5), GBM_OK);
	rng.isa = 77;
	gbm_rng_fill_normal(&rng, got, 100);
	ck_assert_mem_eq(want, got, sizeof(want));
	gsl_rng_free(r);
}
END_TEST

START_TEST(rng_copy_is_same_stream)
{
	struct gbm_rng a, b, other;
	double za[77], zb[77];
	unsigned same = 0;

	gbm_rng_init(&a, 3, 5);
	for (int i = 0; i < 13; i++)
		gbm_rng_u64(&a);
	b = a;
	gbm_rng_fill_normal(&a, za, 77);
	for (int i = 0; i < 77; i++)
		zb[i] = gbm_rng_normal(&b);
	ck_assert_mem_eq(za, zb, sizeof(za));
	ck_assert_uint_eq(gbm_rng_u64(&a), gbm_rng_u64(&b));

	gbm_rng_init(&a, 3, 5);
	gbm_rng_init(&b, 3, 6);
	gbm_rng_init(&other, 4, 5);
	for (int i = 0; i < 1000; i++) {
		uint64_t w = gbm_rng_u64(&a);

		same += w == gbm_rng_u64(&b);
		same += w == gbm_rng_u64(&other);
	}
	ck_assert_uint_eq(same, 0);
}
END_TEST

/* A stream for callers is none of the paths' streams of the same number. */
START_TEST(rng_is_apart_from_paths)
{
	struct gbm_lanes paths, user;

	gbm_kernel_scalar.seed(&paths, 9, GBM_PURPOSE_PATHS, 4);
	gbm_kernel_scalar.seed(&user, 9, GBM_PURPOSE_USER, 4);
	for (unsigned i = 0; i < GBM_LANES; i++)
		for (unsigned j = 0; j < GBM_LANES; j++)
			ck_assert(paths.a[i] != user.a[j]);
}
END_TEST

START_TEST(gsl_generator)
{
	gsl_rng *r = gsl_rng_alloc(gbm_gsl_rng_type()), *copy;
	struct gbm_rng rng;

	ck_assert_str_eq(gsl_rng_name(r), "gbm");
	ck_assert_uint_eq(gsl_rng_max(r), ULONG_MAX);
	ck_assert_uint_eq(gsl_rng_min(r), 0);

	gsl_rng_set(r, 12);
	gbm_rng_init(&rng, 12, 0);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(gsl_rng_get(r),
				  gbm_rng_u64(&rng) >>
					  (64 - sizeof(long) * CHAR_BIT));
	for (int i = 0; i < 100; i++)
		ck_assert(gsl_rng_uniform(r) == gbm_rng_uniform(&rng));

	copy = gsl_rng_clone(r);
	ck_assert_uint_eq(gsl_rng_get(copy), gsl_rng_get(r));
	gsl_rng_get(copy);
	ck_assert_uint_ne(gsl_rng_get(copy), gsl_rng_get(r));
	gsl_rng_memcpy(copy, r);
	ck_assert_uint_eq(gsl_rng_get(copy), gsl_rng_get(r));
	gsl_rng_free(copy);

	ck_assert_int_eq(gbm_gsl_rng_set_stream(r, 12, 345), 0);
	gbm_rng_init(&rng, 12, 345);
	for (int i = 0; i < 100; i++)
		ck_assert(gsl_rng_uniform(r) == gbm_rng_uniform(&rng));
	gsl_rng_free(r);
}
END_TEST

/* GSL's own functions on our words: moments within 6 standard errors. */
START_TEST(gsl_functions_draw_from_it)
{
	const int n = 200000;
	gsl_rng *r = gsl_rng_alloc(gbm_gsl_rng_type());
	double m1 = 0, m2 = 0;
	int low = 0;

	ck_assert_int_eq(gbm_gsl_rng_set_stream(r, 1, 2), 0);
	for (int i = 0; i < n; i++) {
		double z = gsl_ran_gaussian(r, 2) / 2;

		m1 += z;
		m2 += z * z;
		low += gsl_rng_uniform_int(r, 10) < 3;
	}
	ck_assert_double_le(fabs(m1), 6 * sqrt(n));
	ck_assert_double_le(fabs(m2 - n), 6 * sqrt(2.0 * n));
	ck_assert_double_le(fabs(low - 0.3 * n), 6 * sqrt(0.21 * n));
	gsl_rng_free(r);
}
END_TEST

START_TEST(gsl_other_types_are_refused)
{
	gsl_rng *r = gsl_rng_alloc(gsl_rng_mt19937);
	unsigned long before;

	gsl_rng_set(r, 1);
	before = gsl_rng_get(r);
	gsl_rng_set(r, 1);
	ck_assert_int_eq(gbm_gsl_rng_set_stream(r, 1, 2), GBM_EINVAL);
	ck_assert_uint_eq(gsl_rng_get(r), before);
	ck_assert_int_eq(gbm_gsl_rng_set_stream(NULL, 1, 2), GBM_EINVAL);
	gsl_rng_free(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rng");
	TCase *t = tcase_create("rng");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, threefry_known_answers);
	tcase_add_test(t, steps_can_be_undone);
	tcase_add_test(t, states_say_their_stream);
	tcase_add_test(t, words_are_sfc64);
	tcase_add_test(t, seed_is_threefry);
	tcase_add_test(t, seeds_are_distinct);
	tcase_add_test(t, rng_any_interleaving);
	tcase_add_test(t, rng_heeds_gbm_isa);
	tcase_add_test(t, rng_copy_is_same_stream);
	tcase_add_test(t, rng_is_apart_from_paths);
	tcase_add_test(t, gsl_generator);
	tcase_add_test(t, gsl_functions_draw_from_it);
	tcase_add_test(t, gsl_other_types_are_refused);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
