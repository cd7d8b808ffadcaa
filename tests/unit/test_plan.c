/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans: what is decided, what it says, and when it is refused. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/memory.h>
#include <gbm-mc/summary.h>

#include "libgbm/budget.h"
#include "libgbm/plan.h"
#include "libgbm/topo.h"
#include "tests/unit/check_main.h"

#define MIB (UINT64_C(1) << 20)

static const struct gbm_model model = GBM_MODEL_INIT;
static const struct gbm_functional functional = GBM_FUNCTIONAL_INIT;

static int one(const struct gbm_block *b, void *user, double *out)
{
	(void)user;
	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = 1;
	return 0;
}

static struct gbm_plan_info info_of(const struct gbm_plan *plan)
{
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;

	ck_assert_int_eq(gbm_plan_info(plan, &info), GBM_OK);
	return info;
}

/* What is resident now, and what a sanitizer adds to it while we look. */
static uint64_t resident(void)
{
	struct gbm_budget b;

	ck_assert_int_eq(gbm_budget_find("", 0, 0, 1, 1, &b, NULL), GBM_OK);
	ck_assert_uint_gt(b.resident, 0);
	return b.resident;
}

static void set_cap(uint64_t bytes)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	ck_assert_int_eq(setenv("GBM_MEM_CAP", text, 1), 0);
}

static void setup(void)
{
	unsetenv("GBM_MEM_CAP");
	unsetenv("GBM_ISA");
}

START_TEST(info)
{
	struct gbm_plan_info wrong = GBM_PLAN_INFO_INIT, i;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = model;
	struct gbm_plan *plan;
	struct gbm_topo topo;

	gbm_topo_read(&topo);
	ck_assert_uint_ge(topo.cores, 1);
	ck_assert_uint_ge(topo.cache_bytes, 4096);
	o.seed = UINT64_MAX;
	o.ranks_on_node = 3;
	m.steps = 17;
	ck_assert_int_eq(
		gbm_plan_create(&plan, &m, &functional, 123456789, &o, NULL),
		GBM_OK);
	i = info_of(plan);
	ck_assert_uint_eq(i.n_paths, 123456789);
	ck_assert_uint_eq(i.steps, 17);
	ck_assert_uint_eq(i.seed, UINT64_MAX);
	ck_assert_uint_eq(i.ranks_on_node, 3);
	ck_assert_uint_eq(i.threads, topo.cores);
	ck_assert_uint_eq(i.chunk_bytes, i.chunk_paths * 8);
	ck_assert_uint_le(i.chunk_bytes, topo.cache_bytes);
	ck_assert_uint_le(i.need_bytes, i.budget_bytes);
	ck_assert_uint_gt(i.need_bytes, i.threads * i.chunk_bytes);
	ck_assert_uint_gt(strlen(i.budget_source), 3);
	ck_assert_uint_gt(strlen(i.isa), 3);
	wrong.size--;
	ck_assert_int_eq(gbm_plan_info(plan, &wrong), GBM_EINVAL);
	ck_assert_int_eq(gbm_plan_info(plan, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_plan_info(NULL, &i), GBM_EINVAL);
	gbm_plan_destroy(&plan);
}
END_TEST

/* What is told adds up, and grows by what a run does more. */
START_TEST(memory)
{
	struct gbm_samples_options samples = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_memory m = GBM_MEMORY_INIT, more = GBM_MEMORY_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_error err = { 0, "" };
	struct gbm_plan *plan;

	o.threads = 1;
	o.collect = GBM_COLLECT_SKETCH;
	ck_assert_int_eq(gbm_plan_create(&plan, &model, &functional, 100000000,
					 &o, NULL),
			 GBM_OK);
	ck_assert_int_eq(gbm_plan_memory(plan, 0, NULL, &m, &err), GBM_OK);
	ck_assert_uint_eq(m.charged, m.held + m.threads + m.summaries +
					     m.writers + m.copies + m.cache +
					     m.kernel);
	ck_assert_uint_ge(m.peak, m.held + m.files + m.threads + m.summaries);
	ck_assert_uint_gt(m.summaries, 2 * MIB);
	ck_assert_uint_eq(m.cache + m.writers + m.copies, 0);
	ck_assert_int_eq(
		gbm_plan_memory(plan, GBM_MEMORY_MERGES, NULL, &more, &err),
		GBM_OK);
	ck_assert_uint_gt(more.charged, m.charged);
	m = more;
	ck_assert_int_eq(gbm_plan_memory(plan,
					 GBM_MEMORY_MERGES | GBM_MEMORY_GATHERS,
					 NULL, &more, &err),
			 GBM_OK);
	ck_assert_uint_gt(more.charged, m.charged + MIB);
	ck_assert_int_eq(gbm_plan_memory(plan, 16, NULL, &m, &err), GBM_EINVAL);
	m.size--;
	ck_assert_int_eq(gbm_plan_memory(plan, 0, NULL, &m, &err), GBM_EINVAL);
	ck_assert_int_eq(gbm_plan_memory(NULL, 0, NULL, &more, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_plan_memory(plan, 0, &samples, &more, &err),
			 GBM_OK);
	ck_assert_uint_eq(more.cache, 9 * MIB);
	gbm_plan_destroy(&plan);
}
END_TEST

/* It keeps what was freed, so that what is in use grows with each plan. */
#ifndef __SANITIZE_ADDRESS__
START_TEST(memory_of_a_file)
{
	struct gbm_samples_options samples = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_memory m = GBM_MEMORY_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_error err = { 0, "" };
	struct gbm_plan *plan;

	o.threads = 1;
	ck_assert_int_eq(gbm_plan_create(&plan, &model, &functional, 100000000,
					 &o, NULL),
			 GBM_OK);
	ck_assert_int_eq(gbm_plan_memory(plan, 0, NULL, &m, &err), GBM_OK);
	gbm_plan_destroy(&plan);
	/* Room for the run, not for its file. */
	o.mem_cap = m.held + MIB / 2;
	ck_assert_int_eq(gbm_plan_create(&plan, &model, &functional, 100000000,
					 &o, NULL),
			 GBM_OK);
	ck_assert_int_eq(gbm_plan_memory(plan, 0, NULL, &m, &err), GBM_OK);
	ck_assert_int_eq(gbm_plan_memory(plan, 0, &samples, &m, &err),
			 GBM_ENOMEM);
	ck_assert(strstr(err.text, "raise that limit"));
	gbm_plan_destroy(&plan);
}
END_TEST
#endif

START_TEST(defaults)
{
	struct gbm_plan *plan;
	struct gbm_plan_info i;

	ck_assert_int_eq(gbm_plan_create(&plan, &model, NULL, 1, NULL, NULL),
			 GBM_OK);
	i = info_of(plan);
	ck_assert_uint_eq(i.seed, 1);
	ck_assert_uint_eq(i.ranks_on_node, 1);
	gbm_plan_destroy(&plan);
	ck_assert_int_eq(gbm_plan_create(NULL, &model, NULL, 1, NULL, NULL),
			 GBM_EINVAL);
}
END_TEST

START_TEST(bad_options)
{
	static const struct gbm_options good = GBM_OPTIONS_INIT;
	static const struct {
		const char *begin;
		uint64_t n_paths;
		size_t size;
		unsigned threads, ranks;
	} rows[] = {
		{ "options: ", 1, sizeof(good) - 1, 0, 1 },
		{ "n_paths = 0: ", 0, sizeof(good), 0, 1 },
		{ "n_paths = 4611686018427387905: ", (UINT64_C(1) << 62) + 1,
		  sizeof(good), 0, 1 },
		{ "threads = 4097: ", 1, sizeof(good), 4097, 1 },
		{ "ranks_on_node = 0: ", 1, sizeof(good), 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct gbm_options o = good;
		struct gbm_error err = { 0, "" };
		struct gbm_plan *plan = (struct gbm_plan *)&o;

		o.size = rows[i].size;
		o.threads = rows[i].threads;
		o.ranks_on_node = rows[i].ranks;
		ck_assert_int_eq(gbm_plan_create(&plan, &model, &functional,
						 rows[i].n_paths, &o, &err),
				 GBM_EINVAL);
		ck_assert_ptr_null(plan);
		ck_assert_int_eq(err.status, GBM_EINVAL);
		ck_assert_msg(!strncmp(err.text, rows[i].begin,
				       strlen(rows[i].begin)),
			      "%s", err.text);
	}
}
END_TEST

/* Chunks are what the caller asks for, or what fits the cache. */
START_TEST(chunks)
{
	struct gbm_functional f = functional;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = model;
	struct gbm_plan *plan;
	struct gbm_plan_info i;

	f.fn = one;
	m.steps = 99;
	o.threads = 2;
	for (o.chunk_bytes = 1; o.chunk_bytes < 100 * MIB;
	     o.chunk_bytes = o.chunk_bytes * 5 + 3) {
		ck_assert_int_eq(
			gbm_plan_create(&plan, &m, &f, 10000000, &o, NULL),
			GBM_OK);
		i = info_of(plan);
		ck_assert_uint_eq(i.chunk_bytes, (i.chunk_paths + 8) * 100 * 8);
		ck_assert(i.chunk_bytes <= o.chunk_bytes || i.chunk_paths == 8);
		/* More than half of what was asked for is used. */
		if (o.chunk_bytes > 3 * MIB)
			ck_assert_uint_gt(i.chunk_bytes, o.chunk_bytes / 2);
		ck_assert_uint_eq(i.threads, 2);
		gbm_plan_destroy(&plan);
	}
	/* By default a group at least, however many steps. */
	o.chunk_bytes = 0;
	m.steps = 20000;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000000, &o, NULL),
			 GBM_OK);
	ck_assert_uint_eq(info_of(plan).chunk_paths, 256);
	gbm_plan_destroy(&plan);
	/* A functional that needs no paths holds numbers only. */
	ck_assert_int_eq(
		gbm_plan_create(&plan, &m, &functional, 10000000, &o, NULL),
		GBM_OK);
	ck_assert_uint_ge(info_of(plan).chunk_paths, 1024);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Of what is left above what is in use, threads and then chunks take less. */
START_TEST(little_memory)
{
	struct gbm_functional f = functional;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = model;
	struct gbm_plan_info rich, i;
	struct gbm_plan *plan;
	struct gbm_topo topo;

	gbm_topo_read(&topo);
	f.fn = one;
	m.steps = (1 << 18) - 1; /* 8 paths and 8 of padding: 32 MiB */
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 100000, &o, NULL),
			 GBM_OK);
	rich = info_of(plan);
	ck_assert_uint_eq(rich.chunk_paths, 256);
	ck_assert_uint_eq(rich.threads, topo.cores);
	gbm_plan_destroy(&plan);

	/* Room for one least chunk, not for two. */
	set_cap(resident() + 44 * MIB);
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 100000, &o, NULL),
			 GBM_OK);
	i = info_of(plan);
	ck_assert_uint_eq(i.threads, 1);
	ck_assert_uint_eq(i.chunk_paths, 8);
	ck_assert_uint_le(i.need_bytes, i.budget_bytes);
	ck_assert_str_eq(i.budget_source, "GBM_MEM_CAP");
	gbm_plan_destroy(&plan);

	/* Two threads that the caller insists on do not fit. */
	if (topo.cores > 1) {
		struct gbm_error err = { 0, "" };

		o.threads = 2;
		ck_assert_int_eq(
			gbm_plan_create(&plan, &m, &f, 100000, &o, &err),
			GBM_ENOMEM);
		ck_assert_ptr_null(plan);
		o.threads = 0;
	}
	/* The cap is that of all ranks together. */
	set_cap(4 * (resident() + 44 * MIB));
	o.ranks_on_node = 4;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 100000, &o, NULL),
			 GBM_OK);
	ck_assert_uint_eq(info_of(plan).chunk_paths, 8);
	ck_assert_uint_eq(info_of(plan).threads, 1);
	gbm_plan_destroy(&plan);
	/* The caller's cap works the same way. */
	unsetenv("GBM_MEM_CAP");
	o.ranks_on_node = 1;
	o.mem_cap = resident() + 44 * MIB;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 100000, &o, NULL),
			 GBM_OK);
	ck_assert_str_eq(info_of(plan).budget_source, "the caller's cap");
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(too_little_memory)
{
	struct gbm_error err = { 0, "" };
	struct gbm_functional f = functional;
	struct gbm_model m = model;
	struct gbm_plan *plan = (struct gbm_plan *)&m;
	unsigned long long need, used, budget, threads;
	char source[40];

	set_cap(1000000);
	f.fn = one;
	m.steps = 999999;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10, NULL, &err),
			 GBM_ENOMEM);
	ck_assert_ptr_null(plan);
	ck_assert_int_eq(err.status, GBM_ENOMEM);
	/* The least chunk: 8 paths and a line of padding, 10^6 times. */
	ck_assert_msg(sscanf(err.text,
			     "needs %llu bytes (%llu in use, %llu threads), "
			     "but the budget is %llu bytes by %39[^:]:",
			     &need, &used, &threads, &budget, source) == 5,
		      "%s", err.text);
	ck_assert_uint_eq(budget, 1000000);
	ck_assert_uint_eq(threads, 1);
	ck_assert_str_eq(source, "GBM_MEM_CAP");
	ck_assert_uint_ge(used, 100000);
	ck_assert_uint_ge(need, used + 16 * 8 * 1000000);
	ck_assert_uint_le(need, used + 16 * 8 * 1000000 + MIB);
	ck_assert_ptr_nonnull(strstr(err.text, "raise that limit"));
	ck_assert_uint_lt(strlen(err.text), sizeof(err.text) - 1);

	ck_assert_int_eq(setenv("GBM_MEM_CAP", "lots", 1), 0);
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10, NULL, &err),
			 GBM_EINVAL);
	ck_assert_msg(!strncmp(err.text, "GBM_MEM_CAP=lots: ", 18), "%s",
		      err.text);
	ck_assert_ptr_null(plan);
}
END_TEST

/* Built-in payoffs need no paths: such a plan runs but cannot be streamed. */
START_TEST(stream_that_does_not_fit)
{
	struct gbm_model m = model;
	struct gbm_result r = GBM_RESULT_INIT;
	struct gbm_stream *stream;
	struct gbm_plan *plan;

	m.steps = 999999;
	m.horizon = 0;
	set_cap(resident() + 20 * MIB);
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &functional, 1, NULL, NULL),
			 GBM_OK);
	stream = (struct gbm_stream *)&m;
	ck_assert_int_eq(gbm_stream_open(&stream, plan, 0, 1), GBM_ENOMEM);
	ck_assert_ptr_null(stream);
	ck_assert_int_eq(gbm_run(plan, &r), GBM_OK);
	ck_assert(r.mean == 100);
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(discount_factor)
{
	for (int i = -700; i <= 700; i++) {
		struct gbm_functional f = functional;
		struct gbm_model m = model;
		struct gbm_plan *plan;
		long double want = expl(-0.875L * i);

		m.rate = 0.5 * i;
		m.drift = 0;
		m.horizon = 1.75;
		if (fabs(m.rate * m.horizon) > 700 || i % 35)
			continue;
		ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 1, NULL, NULL),
				 GBM_OK);
		ck_assert(fabsl(plan->discount - want) <= 2.5e-16L * want);
		gbm_plan_destroy(&plan);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan");
	TCase *t = tcase_create("plan");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, info);
	tcase_add_test(t, memory);
#ifndef __SANITIZE_ADDRESS__
	tcase_add_test(t, memory_of_a_file);
#endif
	tcase_add_test(t, defaults);
	tcase_add_test(t, bad_options);
	tcase_add_test(t, chunks);
	tcase_add_test(t, little_memory);
	tcase_add_test(t, too_little_memory);
	tcase_add_test(t, stream_that_does_not_fit);
	tcase_add_test(t, discount_factor);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
