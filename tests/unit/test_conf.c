/* SPDX-License-Identifier: GPL-3.0-or-later */
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
	ck_assert_str_eq(e.text, "");
}
END_TEST

START_TEST(both_keys)
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
	"min_cap=-64M",	    "min_cap=99999999T",
};

START_TEST(bad_value)
{
	struct conf c;
	struct err e = { { 0 } };

	conf_init(&c);
	ck_assert_msg(
		conf_arg(&c, bad_values[_i], strlen(bad_values[_i]), &e) == -1,
		"%s", bad_values[_i]);
	ck_assert_msg(strncmp(e.text, "plugstack.conf: ", 16) == 0, "%s",
		      e.text);
	ck_assert(!strchr(e.text, '\n'));
	ck_assert_str_eq(c.state_dir, "/run/gbm");
	ck_assert_uint_eq(c.min_cap, 32 << 20);
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

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0,                                       \
			    (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("conf");
	TCase *tc = tcase_create("conf");

	tcase_add_test(tc, defaults);
	tcase_add_test(tc, both_keys);
	LOOP(tc, unknown_words, unknown);
	LOOP(tc, bad_value, bad_values);
	tcase_add_test(tc, dots_inside_a_name_are_fine);
	tcase_add_test(tc, length);
	tcase_add_test(tc, nul_inside);
	tcase_add_test(tc, twice);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
