/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a user with a vector math library writes by hand: SFC64 in vectors, Box
 * and Muller (1958) with SLEEF.  Of its logarithms the one of 1 ulp: that of
 * 3.5 ulp is ten times slower with AVX-512 (3.5.1, measured on Zen 5).
 */
#include <immintrin.h>
#include <sleef.h>
#include <stdint.h>
#include <string.h>

#include "bench/contender.h"

#if defined(__AVX512F__)
#define N		8
#define SLEEF(f, ulp)	Sleef_##f##d8_##ulp##avx512f
#define ROOT(x)		_mm512_sqrt_pd(x)
typedef Sleef___m512d_2 pair;
#elif defined(__AVX2__) && defined(__FMA__)
#define N		4
#define SLEEF(f, ulp)	Sleef_##f##d4_##ulp##avx2
#define ROOT(x)		_mm256_sqrt_pd(x)
typedef Sleef___m256d_2 pair;
#else
#error "AVX-512, or AVX2 with FMA, is needed here"
#endif

typedef double vd __attribute__((vector_size(8 * N)));
typedef uint64_t vu __attribute__((vector_size(8 * N)));

#define PEER_BLOCK 512

/* Two, since one is a chain of dependent operations. */
static struct {
	vu a, b, c, counter;
} state[2];

/* The next words of a state as numbers in [1, 2). */
static inline vd uniform(int k)
{
	vu a = state[k].a, b = state[k].b, c = state[k].c;
	vu w = a + b + state[k].counter;
	vd u;

	state[k].a = b ^ (b >> 11);
	state[k].b = c + (c << 3);
	state[k].c = (c << 24 | c >> 40) + w;
	state[k].counter += 1;
	w = w >> 12 | UINT64_C(0x3FF) << 52;
	memcpy(&u, &w, sizeof(u));
	return u;
}

static inline void normals(double *z)
{
	for (int i = 0; i < PEER_BLOCK; i += 2 * N) {
		vd u = uniform(0), v = uniform(1);
		vd r = ROOT(-2 * SLEEF(log, u10)(2 - u));
		pair p = SLEEF(sincospi, u35)(2 * v - 3);
		vd x = r * p.x, y = r * p.y;

		memcpy(z + i, &x, sizeof(x));
		memcpy(z + i + N, &y, sizeof(y));
	}
}

#define PEER_EXP_ADD exp_add
static inline void exp_add(double *sum, const double *x)
{
	for (int i = 0; i < PEER_BLOCK; i += N) {
		vd s, e;

		memcpy(&e, x + i, sizeof(e));
		memcpy(&s, sum + i, sizeof(s));
		s += SLEEF(exp, u10)(e);
		memcpy(sum + i, &s, sizeof(s));
	}
}

#include "bench/peer.h"

void contender_init(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	for (int k = 0; k < 2; k++)
		for (int l = 0; l < N; l++) {
			state[k].a[l] = (uint64_t)(k * N + l);
			state[k].counter[l] = 1;
		}
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 2; k++)
			(void)uniform(k);
}
