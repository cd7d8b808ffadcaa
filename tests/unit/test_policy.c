/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "plugin/policy.h"

#include "check_main.h"

#define M   (UINT64_C(1) << 20)
#define PI4 (UINT64_C(1892528) * 1024) /* MemTotal of a 2 GB board */

static struct conf conf;
static const struct conf *bounds; /* those of the client; root has none */

static void setup(void)
{
	conf_init(&conf);
	bounds = &conf;
}

/* The settings in TEXT, with blanks between them. */
static void configure(const char *text)
{
	struct err e = { { 0 } };

	for (; *text != '\0'; text += strspn(text, " ")) {
		size_t len = strcspn(text, " ");

		ck_assert_msg(conf_arg(&conf, text, len, &e) == 0, "%s",
			      e.text);
		text += len;
	}
}

static int cap(struct request *r, const char *text, struct err *e)
{
	return policy_cap(r, bounds, "--gbm-mem-cap", text, strlen(text), e);
}

static int swap(struct request *r, const char *text, struct err *e)
{
	return policy_swap(r, bounds, "--gbm-swap", text, strlen(text), e);
}

static const struct {
	const char *text;
	const char *sentence;
} refused[] = {
	{ "", "--gbm-mem-cap needs a size, such as 1500M, 1.5G or 80%" },
	{ "x", "--gbm-mem-cap=x is not a size: give a number with K, M, G or T "
	       "(1500M, 1.5G; a plain number is in M), a share of the "
	       "node's memory (80%), or max" },
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
		     "M, G or T (1500M, 1.5G; a plain number is in M), a "
		     "share of the node's memory (80%), or max" },
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
	/* What is written as in the sentence must be good. */
	conf.min_cap = 64 * M + 1;
	ck_assert_int_eq(cap(&r, "64M", &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "give at least 65M"));
	bounds = NULL;
	ck_assert_int_eq(cap(&r, "1M", &e), 0);
}
END_TEST

START_TEST(admin_maximum)
{
	struct request r = { 0 };
	struct err e;

	configure("max_cap=1.5G swap_max=512M");
	ck_assert_int_eq(cap(&r, "1537M", &e), -1);
	ck_assert_str_eq(e.text, "--gbm-mem-cap=1537M is too large: the "
				 "administrator allows 1536M");
	ck_assert_int_eq(cap(&r, "1536M", &e), 0);
	ck_assert_int_eq(cap(&r, "100%", &e), 0); /* the node decides */
	ck_assert_int_eq(swap(&r, "513M", &e), -1);
	ck_assert_str_eq(e.text, "--gbm-swap=513M is too much: the "
				 "administrator allows 512M");
	ck_assert_int_eq(swap(&r, "allow", &e), -1);
	ck_assert_int_eq(swap(&r, "512M", &e), 0);
	conf.max_cap.bytes = 0;
	conf.max_cap.ppm = 1;
	ck_assert_int_eq(cap(&r, "1T", &e), 0);
	bounds = NULL;
	ck_assert_int_eq(swap(&r, "allow", &e), 0);
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

/* What a job asks for, and what it gets. */
static const struct {
	const char *settings, *cap, *swap; /* NULL: not asked for */
	uint64_t total;
	int rc;
	uint64_t want_cap;
	const char *want; /* its swap; or a part of the sentence */
} jobs[] = {
	/* 2 GB: 15 % are less than 256M. */
	{ "", "1500M", NULL, PI4, 0, 1500 * M, "none" },
	{ "", "33000K", NULL, PI4, 0, 32960 * UINT64_C(1024), "none" },
	{ "", "1570M", NULL, PI4, 0, 1570 * M, "none" },
	{ "", "1571M", NULL, PI4, -1, 0,
	  "--gbm-mem-cap comes to 1571M, but this node allows 1570M: give "
	  "less, or max" },
	{ "", "1T", NULL, PI4, -1, 0, "this node allows 1570M" },
	{ "", "100%", NULL, PI4, 0, 25135 * SIZE_ROUND, "none" },
	{ "", "max", NULL, PI4, 0, 25135 * SIZE_ROUND, "none" },
	{ "reserve=none", "100%", NULL, PI4, 0, PI4 - PI4 % SIZE_ROUND,
	  "none" },
	{ "reserve=1G", "50%", NULL, 4096 * M, 0, 1536 * M, "none" },
	{ "reserve=none", "12.5%", NULL, 4096 * M, 0, 512 * M, "none" },
	{ "reserve=none", "100%", NULL, INT64_MAX, 0,
	  INT64_MAX - INT64_MAX % SIZE_ROUND, "none" },
	{ "", "1%", NULL, PI4, -1, 0,
	  "--gbm-mem-cap comes to 16M on this node, which is too small: give "
	  "at least 32M" },
	{ "", "31M", NULL, PI4, -1, 0, "give at least 32M" },
	{ "", "80%", NULL, 0, -1, 0, "/proc/meminfo cannot be read" },
	{ "max_cap=1G", "1G", NULL, 0, 0, 1024 * M, "none" },
	{ "max_cap=1G", "1025M", NULL, 0, -1, 0, "this node allows 1G" },
	{ "max_cap=1G", "max", NULL, PI4, 0, 1024 * M, "none" },
	{ "max_cap=1G", "80%", NULL, PI4, -1, 0, "this node allows 1G" },
	{ "max_cap=50% reserve=none", "max", NULL, 2048 * M, 0, 1024 * M,
	  "none" },
	{ "max_cap=50% reserve=none", "51%", NULL, 2048 * M, -1, 0,
	  "this node allows 1G" },
	/* A bound that is more than the node has. */
	{ "max_cap=4G reserve=none", "max", NULL, 2048 * M, 0, 2048 * M,
	  "none" },
	{ "max_cap=1%", "100M", NULL, PI4, -1, 0,
	  "plugstack.conf: max_cap= comes to 16M on this node, but min_cap= "
	  "to 32M: tell the administrator" },
	{ "", "1G", "allow", PI4, 0, 1024 * M, "allow" },
	{ "swap_default=allow", "1G", NULL, PI4, 0, 1024 * M, "allow" },
	{ "swap_default=64M", "1G", "none", PI4, 0, 1024 * M, "none" },
	{ "swap_max=64M", "1G", "65M", PI4, -1, 0,
	  "--gbm-swap=65M is too much: the administrator allows 64M" },
	{ "swap_max=none", NULL, "allow", PI4, -1, 0, "allows none" },
	/* Jobs that ask for no cap. */
	{ "", NULL, NULL, PI4, 0, NO_CAP, "none" },
	{ "", NULL, NULL, 0, 0, NO_CAP, "none" },
	{ "max_cap=1%", NULL, NULL, PI4, 0, NO_CAP, "none" },
	{ "swap_default=allow", NULL, NULL, PI4, 0, NO_CAP, "allow" },
	{ "", NULL, "64M", PI4, 0, NO_CAP, "64M" },
	{ "default_cap=1G", NULL, NULL, PI4, 0, 1024 * M, "none" },
	{ "default_cap=1G", "1.5G", NULL, PI4, 0, 1536 * M, "none" },
	{ "default_cap=1G", NULL, "64M", PI4, 0, 1024 * M, "64M" },
	{ "default_cap=50% reserve=none", NULL, NULL, 2048 * M, 0, 1024 * M,
	  "none" },
	{ "default_cap=max max_cap=50% reserve=none", NULL, NULL, 2048 * M, 0,
	  1024 * M, "none" },
	{ "default_cap=1G max_cap=25%", NULL, NULL, PI4, -1, 0,
	  "plugstack.conf: default_cap= comes to 1G on this node, but max_cap= "
	  "to 393M: tell the administrator" },
	{ "default_cap=1%", NULL, NULL, PI4, -1, 0,
	  "plugstack.conf: default_cap= comes to 16M on this node, but "
	  "min_cap= to 32M: tell the administrator" },
};

static void ask(struct request *r, const char *its_cap, const char *its_swap)
{
	struct err e = { { 0 } };

	memset(r, 0, sizeof(*r));
	bounds = NULL;
	if (its_cap)
		ck_assert_msg(cap(r, its_cap, &e) == 0, "%s", e.text);
	if (its_swap)
		ck_assert_msg(swap(r, its_swap, &e) == 0, "%s", e.text);
}

START_TEST(limits_of_a_job)
{
	struct limits l = { 77, { SWAP_ALLOW, 77 } };
	struct err e = { { 0 } };
	char text[SWAP_TEXT_MAX];
	struct request r;
	int rc;

	configure(jobs[_i].settings);
	ask(&r, jobs[_i].cap, jobs[_i].swap);
	rc = policy_job(&r, &conf, jobs[_i].total, &l, &e);
	ck_assert_msg(rc == jobs[_i].rc, "%s", e.text);
	if (rc < 0) {
		ck_assert_msg(strstr(e.text, jobs[_i].want), "%s", e.text);
		ck_assert_uint_eq(l.cap, 77);
		return;
	}
	ck_assert_uint_eq(l.cap, jobs[_i].want_cap);
	ck_assert_str_eq(swap_text(text, &l.swap), jobs[_i].want);
	ck_assert_str_eq(e.text, "");
}
END_TEST

/* A step's own wish beside the job's. */
static const struct {
	const char *settings, *job_cap, *job_swap, *cap, *swap;
	int rc;
	uint64_t want_cap; /* M, or NO_CAP */
	const char *want_swap;
} steps[] = {
	{ "", NULL, NULL, NULL, NULL, 0, NO_CAP, "none" },
	{ "", NULL, NULL, NULL, "64M", 0, NO_CAP, "none" },
	{ "", NULL, NULL, "100M", NULL, 0, 100, "none" },
	{ "", NULL, "allow", "100M", "64M", 0, 100, "64M" },
	{ "", NULL, NULL, "1571M", NULL, -1, 0, NULL },
	{ "default_cap=1G", NULL, NULL, NULL, NULL, 0, 1024, "none" },
	{ "default_cap=1G", NULL, NULL, "1.5G", NULL, 0, 1024, "none" },
	{ "", "150M", NULL, NULL, NULL, 0, 150, "none" },
	{ "", "150M", "64M", NULL, NULL, 0, 150, "64M" },
	{ "", "150M", "64M", "100M", NULL, 0, 100, "64M" },
	{ "", "150M", "64M", "300M", NULL, 0, 150, "64M" },
	{ "", "150M", "64M", "99T", NULL, 0, 150, "64M" },
	{ "", "150M", "64M", NULL, "none", 0, 150, "none" },
	{ "", "150M", "64M", NULL, "32M", 0, 150, "32M" },
	{ "", "150M", "64M", NULL, "65M", 0, 150, "64M" },
	{ "", "150M", "64M", NULL, "allow", 0, 150, "64M" },
	{ "", "150M", NULL, "100M", "allow", 0, 100, "none" },
	{ "", "150M", "allow", "100M", "32M", 0, 100, "32M" },
	{ "", "150M", "allow", "100M", NULL, 0, 100, "allow" },
	{ "", "150M", NULL, "1%", NULL, -1, 0, NULL },
	{ "", "150M", NULL, "31M", NULL, -1, 0, NULL },
	{ "", "150M", NULL, "max", NULL, 0, 150, "none" },
};

START_TEST(step_against_job)
{
	struct request job, own;
	struct limits limits, out = { 0 };
	struct err e = { { 0 } };
	char text[SWAP_TEXT_MAX];
	uint64_t asked = 77;
	int rc;

	configure(steps[_i].settings);
	ask(&job, steps[_i].job_cap, steps[_i].job_swap);
	ck_assert_int_eq(policy_job(&job, &conf, PI4, &limits, &e), 0);
	ask(&own, steps[_i].cap, steps[_i].swap);
	rc = policy_step(&own, &conf, &limits, PI4, &out, &asked, &e);
	ck_assert_int_eq(rc, steps[_i].rc);
	if (rc < 0)
		return;
	if (steps[_i].want_cap == NO_CAP)
		ck_assert_uint_eq(out.cap, NO_CAP);
	else
		ck_assert_uint_eq(out.cap, steps[_i].want_cap * M);
	ck_assert_str_eq(swap_text(text, &out.swap), steps[_i].want_swap);
	if (!own.most)
		ck_assert_uint_eq(asked, own.cap.bytes);
}
END_TEST

/* What a job has had since it began stays, whatever the bounds are now. */
START_TEST(bounds_of_a_running_job)
{
	struct limits job, out;
	struct err e = { { 0 } };
	struct request r;
	uint64_t asked;

	ask(&r, "1G", "64M");
	ck_assert_int_eq(policy_job(&r, &conf, PI4, &job, &e), 0);
	configure("max_cap=512M swap_max=none");
	ck_assert_int_eq(policy_step(&r, &conf, &job, PI4, &out, &asked, &e),
			 0);
	ck_assert_uint_eq(out.cap, 1024 * M);
	ck_assert_uint_eq(out.swap.bytes, 64 * M);
	ck_assert_int_eq(policy_job(&r, &conf, PI4, &job, &e), -1);
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
	tcase_add_test(tc, admin_maximum);
	LOOP(tc, swap_values, swaps);
	LOOP(tc, swaps_refused, bad_swaps);
	tcase_add_test(tc, report_values);
	tcase_add_test(tc, who_is_reported_on);
	LOOP(tc, limits_of_a_job, jobs);
	LOOP(tc, step_against_job, steps);
	tcase_add_test(tc, bounds_of_a_running_job);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
