/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "plugin/policy.h"

#include "check_main.h"

#define M   (UINT64_C(1) << 20)
#define PI4 (UINT64_C(1892528) * 1024) /* MemTotal of a 2 GB board */

static struct conf conf;

static void setup(void)
{
	conf_init(&conf);
}

static int cap(struct request *r, const char *text, struct err *e)
{
	return policy_cap(r, &conf, "--gbm-mem-cap", text, strlen(text), e);
}

static int swap(struct request *r, const char *text, struct err *e)
{
	return policy_swap(r, "--gbm-swap", text, strlen(text), e);
}

static const struct {
	const char *text;
	const char *sentence;
} refused[] = {
	{ "", "--gbm-mem-cap needs a size, such as 1500M, 1.5G or 80%" },
	{ "x", "--gbm-mem-cap=x is not a size: give a number with K, M, G or T "
	       "(1500M, 1.5G; a plain number is in M), or a share of the "
	       "node's memory (80%)" },
	{ "0", "--gbm-mem-cap=0 is too small: give at least 32M, or Slurm's "
	       "own part of the job has no room" },
	{ "31M", "--gbm-mem-cap=31M is too small: give at least 32M, or "
		 "Slurm's own part of the job has no room" },
	{ "0%", "--gbm-mem-cap=0% is too small: give at least 32M, or "
		"Slurm's own part of the job has no room" },
	{ "101%", "--gbm-mem-cap=101% is more than the node has: give at most "
		  "100%" },
	{ "99999999T", "--gbm-mem-cap=99999999T is too large: no node has that "
		       "much memory" },
	{ "\x1b[2J", "--gbm-mem-cap=?[2J is not a size: give a number with K, "
		     "M, G or T (1500M, 1.5G; a plain number is in M), or a "
		     "share of the node's memory (80%)" },
};

START_TEST(caps_refused)
{
	struct request r = { 0 };
	struct err e = { { 0 } };

	ck_assert_int_eq(cap(&r, refused[_i].text, &e), -1);
	ck_assert_str_eq(e.text, refused[_i].sentence);
	ck_assert(!r.has_cap);
}
END_TEST

START_TEST(a_bad_value_keeps_the_good_one)
{
	struct request r = { 0 };
	struct err e;

	ck_assert_int_eq(cap(&r, "100M", &e), 0);
	ck_assert_int_eq(cap(&r, "1M", &e), -1);
	ck_assert(r.has_cap && r.cap.bytes == 100 * M);
	ck_assert_int_eq(swap(&r, "64M", &e), 0);
	ck_assert_int_eq(swap(&r, "?", &e), -1);
	ck_assert(r.has_swap && r.swap.bytes == 64 * M);
}
END_TEST

START_TEST(admin_minimum)
{
	struct request r = { 0 };
	struct err e;

	conf.min_cap = 64 * M;
	ck_assert_int_eq(cap(&r, "63M", &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "give at least 64M"));
	ck_assert_int_eq(cap(&r, "64M", &e), 0);
}
END_TEST

static const struct {
	const char *text;
	enum swap_mode mode;
	uint64_t bytes;
	const char *shown;
} swaps[] = {
	{ "none", SWAP_NONE, 0, "none" },
	{ "allow", SWAP_ALLOW, 0, "allow" },
	{ "0", SWAP_NONE, 0, "none" },
	{ "512M", SWAP_SIZE, 512 * M, "512M" },
	{ "1.5G", SWAP_SIZE, 1536 * M, "1536M" },
	{ "1K", SWAP_NONE, 0, "none" }, /* below a page */
	{ "100K", SWAP_SIZE, SIZE_ROUND, "64K" },
};

START_TEST(swap_values)
{
	struct request r = { 0 };
	struct err e;
	char text[SWAP_TEXT_MAX];

	ck_assert_int_eq(swap(&r, swaps[_i].text, &e), 0);
	ck_assert(r.has_swap);
	ck_assert_int_eq(r.swap.mode, swaps[_i].mode);
	ck_assert_uint_eq(r.swap.bytes, swaps[_i].bytes);
	ck_assert_str_eq(swap_text(text, &r.swap), swaps[_i].shown);
}
END_TEST

static const char *const bad_swaps[] = {
	"",   "None", "none ", "allowed", "50%",
	"0%", "101%", "-1",    "max",	  "99999999T",
};

START_TEST(swaps_refused)
{
	struct request r = { 0 };
	struct err e = { { 0 } };

	ck_assert_msg(swap(&r, bad_swaps[_i], &e) == -1, "%s", bad_swaps[_i]);
	ck_assert(!r.has_swap);
	ck_assert_msg(strncmp(e.text, "--gbm-swap=", 11) == 0, "%s", e.text);
}
END_TEST

static int report(struct request *r, const char *text, struct err *e)
{
	return policy_report(r, "--gbm-mem-report", text, strlen(text), e);
}

START_TEST(report_values)
{
	struct request r = { 0 };
	struct err e = { { 0 } };

	ck_assert_int_eq(report(&r, "json", &e), 0);
	ck_assert(r.has_report && r.report == REPORT_JSON);
	ck_assert_int_eq(report(&r, "yes", &e), -1);
	ck_assert_str_eq(e.text, "--gbm-mem-report=yes is not known: give off, "
				 "summary or json");
	ck_assert(r.has_report && r.report == REPORT_JSON);
	ck_assert_int_eq(report(&r, "off", &e), 0);
	ck_assert_int_eq(r.report, REPORT_OFF);
	ck_assert_int_eq(report(&r, "", &e), -1);
}
END_TEST

START_TEST(who_is_reported_on)
{
	static const enum conf_report json = REPORT_JSON;
	struct request r = { 0 };
	struct err e;

	ck_assert_int_eq(policy_tells(&r, &conf, NULL), REPORT_OFF);
	ck_assert_int_eq(policy_tells(&r, &conf, &json), REPORT_JSON);
	ck_assert_int_eq(cap(&r, "100M", &e), 0);
	ck_assert_int_eq(policy_tells(&r, &conf, NULL), REPORT_SUMMARY);
	ck_assert_int_eq(policy_tells(&r, &conf, &json), REPORT_JSON);
	ck_assert_int_eq(report(&r, "off", &e), 0);
	ck_assert_int_eq(policy_tells(&r, &conf, NULL), REPORT_OFF);
	ck_assert_int_eq(policy_tells(&r, &conf, &json), REPORT_OFF);
}
END_TEST

static const struct {
	const char *text;
	uint64_t total, cap; /* 0: refused */
} resolved[] = {
	{ "1500M", PI4, 1500 * M },
	{ "1T", PI4, 1024 * 1024 * M }, /* Slurm's limit is the lower one */
	{ "33000K", PI4, 32960 * UINT64_C(1024) },
	{ "100%", PI4, PI4 - PI4 % SIZE_ROUND },
	{ "50%", 4096 * M, 2048 * M },
	{ "12.5%", 4096 * M, 512 * M },
	{ "100%", INT64_MAX, INT64_MAX - INT64_MAX % SIZE_ROUND },
	{ "1%", PI4, 0 },
	{ "80%", 0, 0 }, /* MemTotal could not be read */
};

START_TEST(resolves)
{
	struct request r = { 0 };
	struct limits l = { 77, { SWAP_ALLOW, 77 } };
	struct err e = { { 0 } };
	int rc;

	ck_assert_int_eq(cap(&r, resolved[_i].text, &e), 0);
	rc = policy_resolve(&r, &conf, resolved[_i].total, &l, &e);
	ck_assert_int_eq(rc, resolved[_i].cap ? 0 : -1);
	ck_assert_uint_eq(l.cap, rc == 0 ? resolved[_i].cap : 77);
	if (rc == 0)
		ck_assert_int_eq(l.swap.mode, SWAP_NONE);
	else
		ck_assert_ptr_nonnull(strstr(e.text, "on this node, which is "
						     "too small"));
}
END_TEST

/* A step's own wish beside the job's limits. */
static const struct {
	const char *job_cap, *job_swap; /* NULL: none */
	const char *cap, *swap;
	int rc;
	uint64_t want_cap;
	const char *want_swap;
} steps[] = {
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
	{ NULL, NULL, NULL, "64M", 0, 0, NULL },
	{ NULL, NULL, "100M", NULL, 1, 100, "none" },
	{ NULL, NULL, "100M", "64M", 1, 100, "64M" },
	{ "150M", NULL, NULL, NULL, 1, 150, "none" },
	{ "150M", "64M", NULL, NULL, 1, 150, "64M" },
	{ "150M", "64M", "100M", NULL, 1, 100, "64M" },
	{ "150M", "64M", "300M", NULL, 1, 150, "64M" },
	{ "150M", "64M", NULL, "none", 1, 150, "none" },
	{ "150M", "64M", NULL, "32M", 1, 150, "32M" },
	{ "150M", "64M", NULL, "65M", 1, 150, "64M" },
	{ "150M", "64M", NULL, "allow", 1, 150, "64M" },
	{ "150M", NULL, "100M", "allow", 1, 100, "none" },
	{ "150M", "allow", "100M", "32M", 1, 100, "32M" },
	{ "150M", "allow", "100M", NULL, 1, 100, "allow" },
	{ "150M", NULL, "1%", NULL, -1, 0, NULL },
};

START_TEST(step_against_job)
{
	struct request job = { 0 }, own = { 0 };
	struct limits job_limits, out = { 0 };
	struct err e = { { 0 } };
	char text[SWAP_TEXT_MAX];
	uint64_t asked = 77;
	int rc;

	if (steps[_i].job_cap) {
		ck_assert_int_eq(cap(&job, steps[_i].job_cap, &e), 0);
		if (steps[_i].job_swap)
			ck_assert_int_eq(swap(&job, steps[_i].job_swap, &e), 0);
		ck_assert_int_eq(
			policy_resolve(&job, &conf, PI4, &job_limits, &e), 0);
	}
	if (steps[_i].cap)
		ck_assert_int_eq(cap(&own, steps[_i].cap, &e), 0);
	if (steps[_i].swap)
		ck_assert_int_eq(swap(&own, steps[_i].swap, &e), 0);
	rc = policy_step(&own, &conf, steps[_i].job_cap ? &job_limits : NULL,
			 PI4, &out, &asked, &e);
	ck_assert_int_eq(rc, steps[_i].rc);
	if (rc != 1)
		return;
	ck_assert_uint_eq(out.cap, steps[_i].want_cap * M);
	ck_assert_str_eq(swap_text(text, &out.swap),
			 steps[_i].want_swap);
	ck_assert_uint_eq(asked, own.cap.bytes);
}
END_TEST

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0,                                       \
			    (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("policy");
	TCase *tc = tcase_create("policy");

	tcase_add_checked_fixture(tc, setup, NULL);
	LOOP(tc, caps_refused, refused);
	tcase_add_test(tc, a_bad_value_keeps_the_good_one);
	tcase_add_test(tc, admin_minimum);
	LOOP(tc, swap_values, swaps);
	LOOP(tc, swaps_refused, bad_swaps);
	tcase_add_test(tc, report_values);
	tcase_add_test(tc, who_is_reported_on);
	LOOP(tc, resolves, resolved);
	LOOP(tc, step_against_job, steps);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
