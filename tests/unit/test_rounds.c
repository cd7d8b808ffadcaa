/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who does what in rounds; times are made up here, and so are the others. */
#include <string.h>

#include "libgbm/rounds.h"
#include "tests/unit/check_main.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BLOCK	      ((uint64_t)GBM_BLOCK_PATHS)
#define MOST	      9

/* What all say in the next collective call, which status it returns. */
static uint64_t said[MOST];
static int status;

static int collect(void *user, uint64_t mine, uint64_t *all)
{
	struct gbm_team *team = user;

	said[team->rank] = mine;
	memcpy(all, said, (size_t)team->size * sizeof(*all));
	return status;
}

static struct gbm_team team;
static struct gbm_rounds rounds;

/* Rank 0 of so many processes, of a thread each, and of so many files. */
static void open_rounds(int size, unsigned files)
{
	team = (struct gbm_team){ .size = size,
				  .user = &team,
				  .collect = collect };
	for (int i = 0; i < size; i++)
		said[i] = 1;
	status = GBM_OK;
	ck_assert_int_eq(gbm_rounds_open(&rounds, &team, files), GBM_OK);
	ck_assert_int_eq(gbm_rounds_begin(&rounds, 1), GBM_OK);
}

/* The round was as long as each needs for its part, which takes so many ns. */
static void learn(const uint64_t *block_ns)
{
	uint64_t blocks = rounds.parts[0].n / BLOCK;

	memcpy(said, block_ns, (size_t)team.size * sizeof(*said));
	ck_assert_int_eq(gbm_rounds_learn(&rounds, 1e-9 * (double)block_ns[0] *
							   (double)blocks),
			 GBM_OK);
}

/* The parts of a file follow each other, and end where blocks or the file do;
 * returns where the last one ends. */
static uint64_t check_parts(unsigned file, uint64_t at, uint64_t end)
{
	for (int i = 0; i < team.size; i++) {
		const struct gbm_part *p = rounds.parts + i;

		if (p->file != file)
			continue;
		ck_assert_uint_eq(p->first, at);
		at += p->n;
		ck_assert_uint_le(at, end);
		ck_assert(at % BLOCK == 0 || at == end || p->n == 0);
	}
	return at;
}

/* All of it is dealt out once, in rounds of half a second in the end. */
START_TEST(to_the_end)
{
	static const uint64_t ends[] = { 1, 2047, 2048, 300 * BLOCK,
					 2000 * BLOCK + 77 };
	const uint64_t ns[MOST] = { 3000000, 1000000, 12000000, 900000, 3000000,
				    3000000, 500000,  2000000,	700000 };
	uint64_t from = _i % 2 ? 5000 : 0;

	for (size_t e = 0; e < ARRAY_SIZE(ends); e++) {
		uint64_t at = from, end = from + ends[e], n;

		open_rounds(1 + _i, 1);
		for (;;) {
			gbm_rounds_left(&rounds, 0, at, end);
			n = gbm_rounds_deal(&rounds, 0);
			ck_assert_uint_eq(check_parts(0, at, end), at + n);
			if (n == 0)
				break;
			for (int i = 0; i < team.size; i++)
				ck_assert_uint_le(rounds.parts[i].n / BLOCK *
							  ns[i],
						  500000000);
			at += n;
			learn(ns);
		}
		ck_assert_uint_eq(at, end);
		gbm_rounds_close(&rounds);
	}
}
END_TEST

/* In the fourth round a rank of a quarter of the speed has a quarter. */
START_TEST(unequal)
{
	const uint64_t ns[] = { 1000000, 4000000, 2000000 };
	const uint64_t many = UINT64_C(1) << 40;
	uint64_t last = 0;

	open_rounds(3, 1);
	for (int round = 0; round < 12; round++) {
		const struct gbm_part *p = rounds.parts;
		uint64_t took;

		gbm_rounds_left(&rounds, 0, 0, many);
		gbm_rounds_deal(&rounds, 0);
		took = p[1].n / BLOCK * ns[1];
		if (round == 0)
			ck_assert_uint_eq(p[0].n, p[1].n);
		if (round >= 3) {
			ck_assert_uint_eq(p[0].n, 4 * p[1].n);
			ck_assert_uint_eq(p[0].n, 2 * p[2].n);
			ck_assert_uint_ge(took, last);
		}
		last = took;
		learn(ns);
	}
	ck_assert_uint_eq(last, 500000000);
	gbm_rounds_close(&rounds);
}
END_TEST

/*
 * One time that is too good to be true, one that is far too long, and one that
 * fell behind: half a second's work each again, within a few rounds.
 */
START_TEST(moods)
{
	uint64_t ns[] = { 1000000, 1000000 };
	const uint64_t odd[] = { 1, UINT64_C(1) << 50, 50000000 };
	const uint64_t many = UINT64_C(1) << 50;

	open_rounds(2, 1);
	for (int round = 0; round < 30; round++) {
		uint64_t usual = ns[1];

		gbm_rounds_left(&rounds, 0, 0, many);
		gbm_rounds_deal(&rounds, 0);
		/* Not for more than two seconds, at their usual speed. */
		for (int i = 0; i < 2; i++) {
			ck_assert_uint_gt(rounds.parts[i].n, 0);
			ck_assert_uint_le(rounds.parts[i].n / BLOCK * usual,
					  2000000000);
		}
		if (round == 15)
			ns[1] = odd[_i];
		learn(ns);
		ns[1] = usual;
	}
	ck_assert_uint_eq(rounds.wants[1], 500);
	ck_assert_uint_eq(rounds.wants[0], 500);
	gbm_rounds_close(&rounds);
}
END_TEST

/* Where a block takes seconds, the slowest does one and the others do more. */
START_TEST(long_blocks)
{
	const uint64_t ns[] = { UINT64_C(5000000000), UINT64_C(20000000000),
				UINT64_C(900000000) };

	open_rounds(3, 1);
	for (int round = 0; round < 4; round++) {
		gbm_rounds_left(&rounds, 0, 0, UINT64_C(1) << 40);
		gbm_rounds_deal(&rounds, 0);
		learn(ns);
	}
	ck_assert_uint_eq(rounds.wants[0], 4);
	ck_assert_uint_eq(rounds.wants[1], 1);
	ck_assert_uint_eq(rounds.wants[2], 22);
	gbm_rounds_close(&rounds);
}
END_TEST

/* Each thread has as many blocks as the others of its process. */
START_TEST(threads)
{
	const uint64_t ns[] = { 130000000, 520000000 };

	open_rounds(2, 1);
	said[1] = 3;
	ck_assert_int_eq(gbm_rounds_begin(&rounds, 4), GBM_OK);
	for (int round = 0; round < 6; round++) {
		gbm_rounds_left(&rounds, 0, 0, UINT64_C(1) << 40);
		gbm_rounds_deal(&rounds, 0);
		ck_assert_uint_eq(rounds.parts[0].n % (4 * BLOCK), 0);
		ck_assert_uint_eq(rounds.parts[1].n % (3 * BLOCK), 0);
		learn(ns);
	}
	/* 1.56 s, and so 12 blocks. */
	ck_assert_uint_eq(rounds.wants[0], 12);
	ck_assert_uint_eq(rounds.wants[1], 3);
	gbm_rounds_close(&rounds);
}
END_TEST

/* A file each, and the next when it is done; more ranks than files share. */
START_TEST(files)
{
	open_rounds(2, 5);
	for (unsigned i = 0; i < 5; i++)
		gbm_rounds_left(&rounds, i, 1000 * BLOCK * i,
				1000 * BLOCK * i + BLOCK);
	ck_assert_uint_eq(gbm_rounds_deal(&rounds, 0), 2 * BLOCK);
	ck_assert_uint_eq(rounds.parts[0].file, 0);
	ck_assert_uint_eq(rounds.parts[1].file, 1);
	gbm_rounds_left(&rounds, 0, BLOCK, BLOCK);
	gbm_rounds_left(&rounds, 1, 1000 * BLOCK, 1001 * BLOCK);
	ck_assert_uint_eq(gbm_rounds_deal(&rounds, 1), 2 * BLOCK);
	ck_assert_uint_eq(rounds.parts[0].file, 2);
	ck_assert_uint_eq(rounds.parts[0].first, 2000 * BLOCK);
	ck_assert_uint_eq(rounds.parts[1].file, 1);
	gbm_rounds_left(&rounds, 1, 0, 0);
	gbm_rounds_left(&rounds, 3, 0, 0);
	ck_assert_uint_eq(gbm_rounds_deal(&rounds, 0), BLOCK);
	ck_assert_uint_eq(rounds.parts[1].n, 0);
	gbm_rounds_close(&rounds);

	open_rounds(5, 2);
	gbm_rounds_left(&rounds, 0, 0, 100 * BLOCK);
	gbm_rounds_left(&rounds, 1, 100 * BLOCK, 100 * BLOCK + 3);
	ck_assert_uint_eq(gbm_rounds_deal(&rounds, 1), 100 * BLOCK + 3);
	ck_assert_uint_eq(check_parts(0, 0, 100 * BLOCK), 100 * BLOCK);
	ck_assert_uint_eq(check_parts(1, 100 * BLOCK, 100 * BLOCK + 3),
			  100 * BLOCK + 3);
	ck_assert_uint_eq(rounds.parts[0].n, 34 * BLOCK - BLOCK);
	gbm_rounds_close(&rounds);
}
END_TEST

/* With numbers that are as large as they get, nothing overflows. */
START_TEST(large)
{
	const uint64_t ns[MOST] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	const uint64_t end = UINT64_C(1) << 62;

	open_rounds(MOST, 1);
	for (int round = 0; round < 40; round++) {
		gbm_rounds_left(&rounds, 0, 0, end);
		ck_assert_uint_gt(gbm_rounds_deal(&rounds, 0), 0);
		check_parts(0, 0, end);
		learn(ns);
	}
	ck_assert_uint_gt(rounds.wants[MOST - 1], 0);
	gbm_rounds_left(&rounds, 0, 0, end);
	ck_assert_uint_eq(gbm_rounds_deal(&rounds, 1), end);
	ck_assert_uint_eq(check_parts(0, 0, end), end);
	for (int i = 0; i < MOST; i++)
		ck_assert_uint_lt(rounds.parts[i].n, end / MOST + 2 * BLOCK);
	gbm_rounds_close(&rounds);
}
END_TEST

START_TEST(failures)
{
	open_rounds(2, 1);
	status = GBM_EMPI;
	ck_assert_int_eq(gbm_rounds_begin(&rounds, 1), GBM_EMPI);
	ck_assert_int_eq(gbm_rounds_learn(&rounds, 1.0), GBM_EMPI);
	gbm_rounds_close(&rounds);
	/* One process asks nobody. */
	open_rounds(1, 1);
	team.collect = NULL;
	gbm_rounds_left(&rounds, 0, 0, BLOCK);
	ck_assert_uint_eq(gbm_rounds_deal(&rounds, 0), BLOCK);
	ck_assert_int_eq(gbm_rounds_learn(&rounds, 1e12), GBM_OK);
	ck_assert_uint_eq(rounds.wants[0], 1);
	gbm_rounds_close(&rounds);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rounds");
	TCase *t = tcase_create("rounds");

	tcase_add_loop_test(t, to_the_end, 0, MOST);
	tcase_add_test(t, unequal);
	tcase_add_loop_test(t, moods, 0, 3);
	tcase_add_test(t, long_blocks);
	tcase_add_test(t, threads);
	tcase_add_test(t, files);
	tcase_add_test(t, large);
	tcase_add_test(t, failures);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
