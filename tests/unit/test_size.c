/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/err.h"
#include "plugin/size.h"

#include "check_main.h"

#define K UINT64_C(1024)
#define M (K * 1024)
#define G (M * 1024)
#define T (G * 1024)

static const struct {
	const char *text;
	uint64_t bytes;
	uint32_t ppm;
} good[] = {
	{ "1500M", 1500 * M, 0 },
	{ "1500m", 1500 * M, 0 },
	{ "1500", 1500 * M, 0 }, /* as --mem: megabytes */
	{ "1.5G", 1536 * M, 0 },
	{ "1.5g", 1536 * M, 0 },
	{ "1.5", 1536 * K, 0 },
	{ "64K", 64 * K, 0 },
	{ "0.000001K", 0, 0 },
	{ "2T", 2 * T, 0 },
	{ "0.5T", 512 * G, 0 },
	{ "1.999999T", UINT64_C(2199022156040), 0 },
	{ "0", 0, 0 },
	{ "0.0", 0, 0 },
	{ "007M", 7 * M, 0 },
	{ "1.0000009M", M, 0 }, /* seventh digit dropped, never above */
	{ "8388607T", 8388607 * T, 0 },
	{ "80%", 0, 800000 },
	{ "100%", 0, 1000000 },
	{ "100.0%", 0, 1000000 },
	{ "12.5%", 0, 125000 },
	{ "0.0001%", 0, 1 },
	{ "0%", 0, 0 },
};

static const char *const bad_spelling[] = {
	"",	" ",	 "M",	      "-1M",   "+1M",
	"1 M",	" 1M",	 "1M ",	      "1MB",   "1MiB",
	"1P",	"1e9",	 "0x10M",     "1,5G",  ".5G",
	"1.G",	"1..5G", "1.5.5",     "1.5GG", "max",
	"nan",	"inf",	 "%",	      "%80",   "80%%",
	"80%M", "1G%",	 "all",	      "1\n",   "1M\n",
	".",	"1.-5G", "\xc2\xb2M", "1.5",   "99999999999999999999999999x",
};

static const char *const too_large[] = {
	"8388608T",
	"9223372036854775807T",
	"9223372036854775808",
	"18446744073709551616",
	"18446744073709551616K",
	"184467440737095516160000000000000000000000000000000M",
	"99999999999999999999999999.5G",
	"101%",
	"100.0001%",
	"100.000001%",
	"18446744073709551617%",
};

START_TEST(good_sizes)
{
	struct size s = { 77, 77 };

	ck_assert_int_eq(size_parse(good[_i].text, strlen(good[_i].text), &s),
			 SIZE_OK);
	ck_assert_msg(s.bytes == good[_i].bytes && s.ppm == good[_i].ppm,
		      "%s: %llu bytes, %u ppm", good[_i].text,
		      (unsigned long long)s.bytes, s.ppm);
}
END_TEST

START_TEST(bad_sizes)
{
	const char *text = bad_spelling[_i];
	size_t len = strlen(text);
	struct size s = { 77, 77 };

	/* The one well-formed entry turns bad by a NUL inside its length. */
	if (strcmp(text, "1.5") == 0)
		len++;
	ck_assert_msg(size_parse(text, len, &s) == SIZE_SPELLING, "'%s'", text);
	ck_assert(s.bytes == 77 && s.ppm == 77);
}
END_TEST

START_TEST(large_sizes)
{
	struct size s = { 77, 77 };

	ck_assert_msg(size_parse(too_large[_i], strlen(too_large[_i]), &s) ==
			      SIZE_TOO_LARGE,
		      "'%s'", too_large[_i]);
	ck_assert(s.bytes == 77 && s.ppm == 77);
}
END_TEST

START_TEST(length_is_obeyed)
{
	struct size s;

	ck_assert_int_eq(size_parse("12345", 2, &s), SIZE_OK);
	ck_assert(s.bytes == 12 * M);
	ck_assert_int_eq(size_parse("12\0M", 4, &s), SIZE_SPELLING);
	ck_assert_int_eq(size_parse("1.", 2, &s), SIZE_SPELLING);
	ck_assert_int_eq(size_parse("1.5G", 3, &s), SIZE_OK);
	ck_assert(s.bytes == 1536 * K);
}
END_TEST

START_TEST(any_byte_is_survived)
{
	struct size s;

	for (int c = 0; c < 256; c++) {
		char text[3] = { '1', (char)c, '5' };

		size_parse(text, 1, &s);
		size_parse(text, 2, &s);
		size_parse(text, 3, &s);
		size_parse(text + 1, 1, &s);
	}
	for (size_t len = 0; len < 4096; len++) {
		static char text[4096];

		memset(text, '9', sizeof(text));
		ck_assert_int_eq(size_parse(text, len, &s),
				 len == 0 || len > SIZE_SPELLED_MAX
					 ? SIZE_SPELLING
				 : len <= 12 ? SIZE_OK
					     : SIZE_TOO_LARGE);
	}
}
END_TEST

static const struct {
	uint64_t bytes;
	const char *text;
} shown[] = {
	{ 0, "0K" },
	{ 1, "0K" },
	{ 512, "1K" },
	{ 33 * K, "33K" },
	{ M, "1M" },
	{ M + M / 2 - 1, "1M" },
	{ M + M / 2, "2M" },
	{ 1500 * M, "1500M" },
	{ 1536 * M, "1536M" },
	{ G, "1G" },
	{ G + 1, "1024M" },
	{ 2 * G, "2G" },
	{ 3 * T, "3T" },
	{ INT64_MAX, "8796093022208M" },
	{ UINT64_MAX, "17592186044416M" },
};

START_TEST(formats)
{
	char out[SIZE_TEXT_MAX];

	ck_assert_str_eq(size_format(out, shown[_i].bytes), shown[_i].text);
}
END_TEST

START_TEST(quotes)
{
	char out[ERR_QUOTE_MAX], text[4 * ERR_QUOTE_MAX];

	ck_assert_str_eq(err_quote(out, "a\0b\n\x1b[31m\xff", 9), "a?b??[31m");
	ck_assert_str_eq(err_quote(out, "", 0), "");
	memset(text, 'x', sizeof(text));
	err_quote(out, text, ERR_QUOTE_MAX - 1);
	ck_assert_uint_eq(strlen(out), ERR_QUOTE_MAX - 1);
	ck_assert(!strstr(out, "..."));
	err_quote(out, text, sizeof(text));
	ck_assert_uint_eq(strlen(out), ERR_QUOTE_MAX - 1);
	ck_assert_str_eq(out + strlen(out) - 4, "x...");
}
END_TEST

START_TEST(errors_are_cut)
{
	struct err e = { { 0 } };

	ck_assert_int_eq(err_set(&e, "%0*d", 2 * ERR_TEXT_MAX, 7), -1);
	ck_assert_uint_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	ck_assert_int_eq(err_set(&e, "%s is wrong", "x"), -1);
	ck_assert_str_eq(e.text, "x is wrong");
}
END_TEST

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0,                                       \
			    (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("size");
	TCase *tc = tcase_create("size");

	LOOP(tc, good_sizes, good);
	LOOP(tc, bad_sizes, bad_spelling);
	LOOP(tc, large_sizes, too_large);
	LOOP(tc, formats, shown);
	tcase_add_test(tc, length_is_obeyed);
	tcase_add_test(tc, any_byte_is_survived);
	tcase_add_test(tc, quotes);
	tcase_add_test(tc, errors_are_cut);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
