/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/conf.h"

#include "check_main.h"

START_TEST(defaults)
{
	struct conf c;
	struct err e = { { 0 } };

	ck_assert_int_eq(conf_parse(&c, 0, NULL, &e), 0);
	ck_assert_str_eq(c.state_dir, "/run/gbm");
	ck_assert_uint_eq(c.min_cap, 32 << 20);
	ck_assert_uint_eq(c.max_cap.ppm, SIZE_PPM_ALL);
	ck_assert_uint_eq(c.default_cap.bytes + c.default_cap.ppm, 0);
	ck_assert_uint_eq(c.reserve.bytes + c.reserve.ppm, 0);
	ck_assert(c.guard);
	ck_assert_int_eq(c.swap_default.mode, SWAP_NONE);
	ck_assert_int_eq(c.swap_max.mode, SWAP_ALLOW);
	ck_assert_int_eq(c.fallback, FALLBACK_RLIMIT);
	ck_assert(!c.warn);
	ck_assert_int_eq(c.oom, OOM_STEP);
	ck_assert_int_eq(c.report, REPORT_SUMMARY);
	ck_assert(!c.syslog && !c.drain);
	ck_assert_str_eq(e.text, "");
}
END_TEST

static int parse(struct conf *c, const char *word)
{
	struct err e = { { 0 } };

	conf_init(c);
	return conf_arg(c, word, strlen(word), &e);
}

START_TEST(each_key)
{
	struct conf c;

	ck_assert_int_eq(parse(&c, "state_dir=/tmp/x-1.y/gbm"), 0);
	ck_assert_str_eq(c.state_dir, "/tmp/x-1.y/gbm");
	ck_assert_int_eq(parse(&c, "min_cap=64M"), 0);
	ck_assert_uint_eq(c.min_cap, 64 << 20);
	ck_assert_int_eq(parse(&c, "max_cap=1500M"), 0);
	ck_assert_uint_eq(c.max_cap.bytes, 1500 << 20);
	ck_assert_uint_eq(c.max_cap.ppm, 0);
	ck_assert_int_eq(parse(&c, "max_cap=80%"), 0);
	ck_assert_uint_eq(c.max_cap.ppm, 800000);
	ck_assert_int_eq(parse(&c, "max_cap=max"), 0);
	ck_assert_uint_eq(c.max_cap.ppm, SIZE_PPM_ALL);
	ck_assert_int_eq(parse(&c, "default_cap=1G"), 0);
	ck_assert_uint_eq(c.default_cap.bytes, 1 << 30);
	ck_assert_int_eq(parse(&c, "default_cap=max"), 0);
	ck_assert_uint_eq(c.default_cap.ppm, SIZE_PPM_ALL);
	ck_assert_int_eq(parse(&c, "default_cap=none"), 0);
	ck_assert_uint_eq(c.default_cap.bytes + c.default_cap.ppm, 0);
	ck_assert_int_eq(parse(&c, "reserve=300M"), 0);
	ck_assert_uint_eq(c.reserve.bytes, 300 << 20);
	ck_assert(c.guard);
	ck_assert_int_eq(parse(&c, "reserve=20%"), 0);
	ck_assert_uint_eq(c.reserve.ppm, 200000);
	ck_assert_int_eq(parse(&c, "reserve=none"), 0);
	ck_assert(!c.guard);
	ck_assert_int_eq(parse(&c, "swap_default=64M"), 0);
	ck_assert_int_eq(c.swap_default.mode, SWAP_SIZE);
	ck_assert_uint_eq(c.swap_default.bytes, 64 << 20);
	ck_assert_int_eq(parse(&c, "swap_max=none"), 0);
	ck_assert_int_eq(c.swap_max.mode, SWAP_NONE);
	ck_assert_int_eq(parse(&c, "fallback=refuse"), 0);
	ck_assert_int_eq(c.fallback, FALLBACK_REFUSE);
	ck_assert_int_eq(parse(&c, "fallback=off"), 0);
	ck_assert_int_eq(c.fallback, FALLBACK_OFF);
	ck_assert_int_eq(parse(&c, "on_error=warn"), 0);
	ck_assert(c.warn);
	ck_assert_int_eq(parse(&c, "oom=job"), 0);
	ck_assert_int_eq(c.oom, OOM_JOB);
	ck_assert_int_eq(parse(&c, "oom=task"), 0);
	ck_assert_int_eq(c.oom, OOM_TASK);
	ck_assert_int_eq(parse(&c, "report=json"), 0);
	ck_assert_int_eq(c.report, REPORT_JSON);
	ck_assert_int_eq(parse(&c, "report=off"), 0);
	ck_assert_int_eq(c.report, REPORT_OFF);
	ck_assert_int_eq(parse(&c, "syslog=yes"), 0);
	ck_assert(c.syslog);
	ck_assert_int_eq(parse(&c, "drain=yes"), 0);
	ck_assert(c.drain);
}
END_TEST

/* What the manual shows is taken as it is shown. */
START_TEST(examples_of_the_manual)
{
	FILE *page = fopen(GBM_SRCDIR "/docs/spank_gbm.8", "r");
	char line[256], *words[1];
	struct conf c;
	struct err e;
	int n = 0;

	ck_assert_ptr_nonnull(page);
	while (fgets(line, sizeof(line), page)) {
		line[strcspn(line, "\n")] = '\0';
		words[0] = line + 4;
		if (strncmp(line, ".Dl ", 4) != 0 || !strchr(line, '=') ||
		    strchr(words[0], ' '))
			continue;
		ck_assert_msg(conf_parse(&c, 1, words, &e) == 0, "%s: %s",
			      words[0], e.text);
		n++;
	}
	fclose(page);
	ck_assert_int_ge(n, 13);
}
END_TEST

START_TEST(usable)
{
	const uint64_t mb = 1 << 20;
	struct conf c;

	conf_init(&c);
	ck_assert_uint_eq(conf_usable(&c, 2000 * mb), 1700 * mb);
	ck_assert_uint_eq(conf_usable(&c, 1024 * mb), 768 * mb);
	ck_assert_uint_eq(conf_usable(&c, 256 * mb), 0);
	ck_assert_uint_eq(conf_usable(&c, 0), 0);
	ck_assert_int_eq(parse(&c, "reserve=100M"), 0);
	ck_assert_uint_eq(conf_usable(&c, 2000 * mb), 1900 * mb);
	ck_assert_uint_eq(conf_usable(&c, 100 * mb), 0);
	ck_assert_int_eq(parse(&c, "reserve=25%"), 0);
	ck_assert_uint_eq(conf_usable(&c, 2000 * mb), 1500 * mb);
	ck_assert_int_eq(parse(&c, "reserve=none"), 0);
	ck_assert_uint_eq(conf_usable(&c, 2000 * mb), 2000 * mb);
}
END_TEST

START_TEST(several_words)
{
	char a[] = "state_dir=/tmp/x-1.y/gbm", b[] = "min_cap=64M";
	char *av[] = { a, b };
	struct conf c;
	struct err e;

	ck_assert_int_eq(conf_parse(&c, 2, av, &e), 0);
	ck_assert_str_eq(c.state_dir, "/tmp/x-1.y/gbm");
	ck_assert_uint_eq(c.min_cap, 64 << 20);
}
END_TEST

static const char *const unknown[] = {
	"",
	"=",
	"foo",
	"foo=1",
	"state_dir",
	"min_cap",
	"State_dir=/a",
	"state_dir ",
	"state_di=/a",
	"state_dirs=/a",
	" min_cap=64M",
};

START_TEST(unknown_words)
{
	struct conf c;
	struct err e = { { 0 } };

	conf_init(&c);
	ck_assert_int_eq(conf_arg(&c, unknown[_i], strlen(unknown[_i]), &e),
			 -1);
	ck_assert_msg(strstr(e.text, "is not an argument of spank_gbm.so"),
		      "%s", e.text);
	ck_assert_str_eq(c.state_dir, "/run/gbm");
}
END_TEST

static const char *const bad_values[] = {
	"state_dir=",	    "state_dir=run",	 "state_dir=/",
	"state_dir=/a/",    "state_dir=//a",	 "state_dir=/a//b",
	"state_dir=/a/./b", "state_dir=/a/..",	 "state_dir=/../a",
	"state_dir=/.",	    "state_dir=/a b",	 "state_dir=/a\nb",
	"state_dir=/\xff",  "min_cap=",		 "min_cap=31M",
	"min_cap=50%",	    "min_cap=x",	 "min_cap=64MB",
	"min_cap=-64M",	    "min_cap=99999999T", "max_cap=",
	"max_cap=none",	    "max_cap=31M",	 "max_cap=101%",
	"max_cap=0%",	    "default_cap=0",	 "default_cap=off",
	"reserve=0",	    "reserve=100%",	 "reserve=",
	"reserve=off",	    "swap_max=50%",	 "swap_max=",
	"swap_default=-1",  "fallback=",	 "fallback=warn",
	"on_error=",	    "on_error=ignore",	 "oom=",
	"oom=node",	    "report=yes",	 "report=jso",
	"syslog=1",	    "drain=true",	 "drain=",
};

START_TEST(bad_value)
{
	struct conf c, untouched;
	struct err e = { { 0 } };

	conf_init(&c);
	ck_assert_msg(
		conf_arg(&c, bad_values[_i], strlen(bad_values[_i]), &e) == -1,
		"%s", bad_values[_i]);
	ck_assert_msg(strncmp(e.text, "plugstack.conf: ", 16) == 0, "%s",
		      e.text);
	ck_assert(!strchr(e.text, '\n'));
	conf_init(&untouched);
	ck_assert_mem_eq(&c, &untouched, sizeof(c));
}
END_TEST

START_TEST(dots_inside_a_name_are_fine)
{
	static const char word[] = "state_dir=/..a/.b/c..";
	struct conf c;
	struct err e;

	conf_init(&c);
	ck_assert_int_eq(conf_arg(&c, word, sizeof(word) - 1, &e), 0);
	ck_assert_str_eq(c.state_dir, "/..a/.b/c..");
}
END_TEST

START_TEST(length)
{
	char word[10 + CONF_STATE_DIR_MAX + 1] = "state_dir=/";
	struct conf c;
	struct err e;

	memset(word + 11, 'x', sizeof(word) - 11);
	conf_init(&c);
	ck_assert_int_eq(conf_arg(&c, word, 10 + CONF_STATE_DIR_MAX, &e), -1);
	conf_init(&c);
	ck_assert_int_eq(conf_arg(&c, word, 9 + CONF_STATE_DIR_MAX, &e), 0);
	ck_assert_uint_eq(strlen(c.state_dir), CONF_STATE_DIR_MAX - 1);
}
END_TEST

START_TEST(nul_inside)
{
	static const char word[] = "state_dir=/a\0b";
	struct conf c;
	struct err e;

	conf_init(&c);
	ck_assert_int_eq(conf_arg(&c, word, sizeof(word) - 1, &e), -1);
}
END_TEST

START_TEST(twice)
{
	char a[] = "min_cap=64M", b[] = "min_cap=128M";
	char *av[] = { a, b };
	struct conf c;
	struct err e;

	ck_assert_int_eq(conf_parse(&c, 2, av, &e), -1);
	ck_assert_str_eq(e.text, "plugstack.conf: min_cap= is given twice");
}
END_TEST

/* Bounds that no node can keep together, and some that one can. */
static const struct {
	const char *one, *other;
	const char *sentence; /* NULL: fine */
} bounds[] = {
	{ "max_cap=64M", "min_cap=65M",
	  "plugstack.conf: max_cap= is below min_cap=" },
	{ "default_cap=64M", "min_cap=65M",
	  "plugstack.conf: default_cap= is below min_cap=" },
	{ "default_cap=65M", "max_cap=64M",
	  "plugstack.conf: default_cap= is above max_cap=" },
	{ "default_cap=80%", "max_cap=79%",
	  "plugstack.conf: default_cap= is above max_cap=" },
	{ "swap_default=65M", "swap_max=64M",
	  "plugstack.conf: swap_default= is above swap_max=" },
	{ "swap_default=allow", "swap_max=1T",
	  "plugstack.conf: swap_default= is above swap_max=" },
	{ "max_cap=64M", "min_cap=64M", NULL },
	{ "default_cap=64M", "max_cap=64M", NULL },
	{ "default_cap=64M", "max_cap=1%", NULL },
	{ "default_cap=1%", "max_cap=64M", NULL },
	{ "default_cap=max", "max_cap=1%", NULL },
	{ "default_cap=none", "min_cap=1G", NULL },
	{ "swap_default=64M", "swap_max=64M", NULL },
};

START_TEST(bounds_together)
{
	struct conf c;

	for (int i = 0; i < 2; i++) {
		char a[32], b[32], *av[] = { a, b };
		struct err e = { { 0 } };
		bool good = !bounds[_i].sentence;

		snprintf(a, sizeof(a), "%s",
			 i ? bounds[_i].one : bounds[_i].other);
		snprintf(b, sizeof(b), "%s",
			 i ? bounds[_i].other : bounds[_i].one);
		ck_assert_int_eq(conf_parse(&c, 2, av, &e), good ? 0 : -1);
		ck_assert_str_eq(e.text, good ? "" : bounds[_i].sentence);
	}
}
END_TEST

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0,                                       \
			    (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("conf");
	TCase *tc = tcase_create("conf");

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, each_key);
	tcase_add_test(tc, examples_of_the_manual);
	tcase_add_test(tc, usable);
	tcase_add_test(tc, several_words);
	LOOP(tc, unknown_words, unknown);
	LOOP(tc, bad_value, bad_values);
	tcase_add_test(tc, dots_inside_a_name_are_fine);
	tcase_add_test(tc, length);
	tcase_add_test(tc, nul_inside);
	tcase_add_test(tc, twice);
	LOOP(tc, bounds_together, bounds);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
