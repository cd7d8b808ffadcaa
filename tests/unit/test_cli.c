/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L

#include <stdlib.h>
#include <string.h>

#include "examples/cli.h"

#include "check_main.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define K	      UINT64_C(1024)
#define M	      (K * 1024)

/* ---- values */

static const struct {
	const char *text;
	uint64_t value;
} counts[] = {
	{ "0", 0 },
	{ "1", 1 },
	{ "007", 7 },
	{ "1e9", 1000000000 },
	{ "1E9", 1000000000 },
	{ "1e+9", 1000000000 },
	{ "1e09", 1000000000 },
	{ "1.5e9", 1500000000 },
	{ "4M", 4000000 },
	{ "4m", 4000000 },
	{ "1.5K", 1500 },
	{ "0.001K", 1 },
	{ "2G", 2000000000 },
	{ "3T", 3000000000000 },
	{ "1.0", 1 },
	{ "1.", 1 },
	{ ".5e1", 5 },
	{ "1000e-3", 1 },
	{ "1000000000000000000000000e-24", 1 },
	{ "0e999999999999", 0 },
	{ "9007199254740993", UINT64_C(9007199254740993) }, /* 2^53 + 1 */
	{ "4611686018427387904", UINT64_C(1) << 62 },
	{ "18446744073709551615", UINT64_MAX },
	{ "1844674407370955161.5e1", UINT64_MAX },
};

static const char *const bad_counts[] = {
	"",
	"-1",
	"+1",
	" 1",
	"1 ",
	"1.5",
	"1.50",
	"1e",
	"1e+",
	"1e-1",
	"e9",
	".",
	".e1",
	"1..0",
	"1.2.3",
	"1e9e9",
	"1e9M",
	"1MM",
	"1MB",
	"1P",
	"M",
	"0x10",
	"inf",
	"nan",
	"1,000",
	"1e20",
	"20e18",
	"18446744073709551616",
	"1e999999999999999999999",
	"1e-999999999999999999999",
	"1\n",
	"\xff",
};

START_TEST(count_exact)
{
	uint64_t value = 77;

	ck_assert_msg(cli_count(counts[_i].text, &value), "%s refused",
		      counts[_i].text);
	ck_assert_uint_eq(value, counts[_i].value);
}
END_TEST

START_TEST(count_refused)
{
	uint64_t value = 77;

	ck_assert_msg(!cli_count(bad_counts[_i], &value), "'%s' gave %llu",
		      bad_counts[_i], (unsigned long long)value);
	ck_assert_uint_eq(value, 77);
}
END_TEST

static const struct {
	const char *text;
	uint64_t value;
} sizes[] = {
	{ "1500M", 1500 * M },
	{ "1500m", 1500 * M },
	{ "1500", 1500 * M },
	{ "64K", 64 * K },
	{ "2G", 2048 * M },
	{ "1T", 1024 * 1024 * M },
	{ "1.5G", 1536 * M },
	{ "0.5", 512 * K },
	{ "0.0000009T", 0 }, /* the seventh digit does not count */
	{ "1.000001M", M + 1 },
	{ "0", 0 },
	{ "16777215T", UINT64_C(16777215) << 40 },
};

static const char *const bad_sizes[] = {
	"",
	"-1M",
	"+1M",
	" 1M",
	"1M ",
	"M",
	"1MB",
	"1KK",
	"1P",
	".5G",
	"1.",
	"1.M",
	"1.5.5M",
	"1e9",
	"0x1M",
	"16777216T",
	"17592186044416M",
	"99999999999999999999",
	"80%",
	"1\n",
	"\xff",
};

START_TEST(size_exact)
{
	uint64_t value = 77;

	ck_assert_msg(cli_size(sizes[_i].text, &value), "%s refused",
		      sizes[_i].text);
	ck_assert_uint_eq(value, sizes[_i].value);
}
END_TEST

START_TEST(size_refused)
{
	uint64_t value = 77;

	ck_assert_msg(!cli_size(bad_sizes[_i], &value), "'%s' gave %llu",
		      bad_sizes[_i], (unsigned long long)value);
	ck_assert_uint_eq(value, 77);
}
END_TEST

static const struct {
	const char *text;
	double value;
} numbers[] = {
	{ "0", 0.0 },	    { "-0.05", -0.05 },	    { "+2", 2.0 },
	{ ".5", 0.5 },	    { "5.", 5.0 },	    { "1e-3", 1e-3 },
	{ "1E308", 1e308 }, { "-1e-320", -1e-320 }, { "1e-999", 0.0 },
};

static const char *const bad_numbers[] = {
	"",	  " 1",	      "1 ",   "1,5",   "inf",	 "-inf", "nan",
	"NAN(1)", "infinity", "0x10", "1e999", "-1e999", "1e",	 "e",
	"--1",	  "1-1",      "5%",   "\xff",  "-",
};

START_TEST(number_exact)
{
	double value = 77.0;

	ck_assert_msg(cli_number(numbers[_i].text, &value), "%s refused",
		      numbers[_i].text);
	ck_assert_double_eq(value, numbers[_i].value);
}
END_TEST

START_TEST(number_refused)
{
	double value = 77.0;

	ck_assert_msg(!cli_number(bad_numbers[_i], &value), "'%s' gave %g",
		      bad_numbers[_i], value);
	ck_assert_double_eq(value, 77.0);
}
END_TEST

/* ---- command lines */

#define MAX_ARGS 40

/* getopt_long() reorders what it is given: hand it a copy. */
static bool parse(struct cli *cli, const char *const *args, char *error)
{
	char *argv[MAX_ARGS + 2];
	static char name[] = "gbm_sim";
	int argc = 1;
	bool accepted;

	argv[0] = name;
	for (; *args; args++) {
		ck_assert_int_lt(argc, MAX_ARGS);
		argv[argc] = strdup(*args);
		ck_assert_ptr_nonnull(argv[argc]);
		argc++;
	}
	argv[argc] = NULL;
	accepted = cli_parse(cli, argc, argv, error);
	while (argc > 1)
		free(argv[--argc]);
	return accepted;
}

#define ARGS(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(level_lists)
{
	static const char *const bad[] = { "",	      ",",    "0.5,", ",0.5",
					   "0.1 0.2", "1.01", "-0.1", "nan",
					   "0.5;0.6", "50%" };
	char many[CLI_LEVELS * 2 + 2] = "0";
	struct cli_levels l;

	ck_assert(cli_levels("0,0.25,5e-1,1", true, &l));
	ck_assert(l.n == 4 && l.level[0] == 0 && l.level[1] == 0.25 &&
		  l.level[2] == 0.5 && l.level[3] == 1);
	ck_assert(cli_levels("0.99", false, &l));
	ck_assert(l.n == 1 && l.level[0] == 0.99);
	ck_assert(!cli_levels("0", false, &l));
	ck_assert(!cli_levels("0.5,1", false, &l));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!cli_levels(bad[i], true, &l), "'%s'", bad[i]);
	for (size_t i = 1; i < CLI_LEVELS; i++)
		strcat(many, ",0");
	ck_assert(cli_levels(many, true, &l) && l.n == CLI_LEVELS);
	strcat(many, ",0");
	ck_assert(!cli_levels(many, true, &l));
}
END_TEST

START_TEST(histogram_files)
{
	static const struct {
		const char *text, *file; /* NULL: refused */
		uint64_t bins;
	} rows[] = {
		{ "h.csv", "h.csv", 0 },
		{ "h.csv:50", "h.csv", 50 },
		{ "a:b:1e3", "a:b", 1000 },
		{ "dir:x/h.csv", "dir:x/h.csv", 0 },
		{ "h:", "h:", 0 },
		{ "h.csv:0", NULL, 0 },
		{ "h.csv:1000001", NULL, 0 },
		{ "h.csv:1.5", NULL, 0 },
		{ "h.csv:-3", NULL, 0 },
		{ ":7", NULL, 0 },
		{ "", NULL, 0 },
	};
	struct cli_histogram h;
	char name[CLI_FILE + 1];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool good = cli_histogram(rows[i].text, &h);

		ck_assert_msg(good == (rows[i].file != NULL), "'%s'",
			      rows[i].text);
		if (!good)
			continue;
		ck_assert_str_eq(h.file, rows[i].file);
		ck_assert_uint_eq(h.bins, rows[i].bins);
	}
	memset(name, 'x', CLI_FILE);
	name[CLI_FILE] = '\0';
	ck_assert(!cli_histogram(name, &h));
	ck_assert(cli_histogram(name + 1, &h));
}
END_TEST

START_TEST(payoff_lists)
{
	static const char *const bad[][2] = {
		{ "", "100" },
		{ "call,", "100" },
		{ "call,digital", "1" },
		{ "call", "" },
		{ "call", "1,,2" },
		{ "call,put", "1,2,3" },
		{ "call", "-1" },
		{ "call", "x" },
		{ "call", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1" },
	};
	struct cli cli = { .options = GBM_OPTIONS_INIT };

	ck_assert(cli_payoffs("put", "90", &cli));
	ck_assert_uint_eq(cli.options.n_others, 0);
	ck_assert(cli.functional.payoff == GBM_PUT &&
		  cli.functional.strike == 90);
	ck_assert(cli_payoffs("call", "90,110", &cli));
	ck_assert_uint_eq(cli.options.n_others, 1);
	ck_assert(cli.functional.strike == 90 && cli.others[0].strike == 110);
	ck_assert(cli.others[0].payoff == GBM_CALL);
	ck_assert(cli_payoffs("call,terminal,asian-put", "80", &cli));
	ck_assert_uint_eq(cli.options.n_others, 2);
	ck_assert(cli.others[1].payoff == GBM_ASIAN_PUT &&
		  cli.others[1].strike == 80);
	ck_assert(cli.others[1].size == sizeof(struct gbm_functional));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_msg(!cli_payoffs(bad[i][0], bad[i][1], &cli),
			      "'%s', '%s'", bad[i][0], bad[i][1]);
}
END_TEST

START_TEST(defaults)
{
	const char *const none[] = { NULL };
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	ck_assert(parse(&cli, none, error));
	ck_assert_str_eq(error, "");
	ck_assert_int_eq(cli.action, CLI_RUN);
	ck_assert_int_eq(cli.output, CLI_TEXT);
	ck_assert_int_eq(cli.progress, CLI_AUTO);
	ck_assert_uint_eq(cli.paths, 1000000);
	ck_assert_double_eq(cli.model.spot, 100.0);
	ck_assert_double_eq(cli.model.rate, 0.05);
	ck_assert_double_eq(cli.model.dividend, 0.0);
	ck_assert_double_nan(cli.model.drift);
	ck_assert_double_eq(cli.model.vol, 0.2);
	ck_assert_double_eq(cli.model.horizon, 1.0);
	ck_assert_uint_eq(cli.model.steps, 1);
	ck_assert_int_eq(cli.functional.payoff, GBM_TERMINAL);
	ck_assert_double_eq(cli.functional.strike, 100.0);
	ck_assert(!cli.functional.fn);
	ck_assert_uint_eq(cli.options.seed, 1);
	ck_assert_uint_eq(cli.options.threads, 0);
	ck_assert_uint_eq(cli.options.chunk_bytes, 0);
	ck_assert_uint_eq(cli.options.mem_cap, 0);
	ck_assert_uint_eq(cli.options.ranks_on_node, 1);
	ck_assert_uint_eq(cli.model.size, sizeof(struct gbm_model));
	ck_assert_uint_eq(cli.functional.size, sizeof(struct gbm_functional));
	ck_assert_uint_eq(cli.options.size, sizeof(struct gbm_options));
}
END_TEST

START_TEST(every_option)
{
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	ck_assert_msg(
		parse(&cli,
		      ARGS("--spot", "90", "--rate=-0.01", "--dividend",
			   "-0.02", "--drift=0.07", "--vol", "0",
			   "--horizon=0.5", "--steps", "252", "--paths=1.5e9",
			   "--seed", "18446744073709551615", "--payoff",
			   "asian-put", "--strike", "0", "--threads", "3",
			   "--chunk", "64K", "--mem-cap=1500M", "--json",
			   "--progress", "never", "--dry-run"),
		      error),
		"%s", error);
	ck_assert_int_eq(cli.action, CLI_DRY_RUN);
	ck_assert_int_eq(cli.output, CLI_JSON);
	ck_assert_int_eq(cli.progress, CLI_NEVER);
	ck_assert_uint_eq(cli.paths, 1500000000);
	ck_assert_double_eq(cli.model.spot, 90.0);
	ck_assert_double_eq(cli.model.rate, -0.01);
	ck_assert_double_eq(cli.model.dividend, -0.02);
	ck_assert_double_eq(cli.model.drift, 0.07);
	ck_assert_double_eq(cli.model.vol, 0.0);
	ck_assert_double_eq(cli.model.horizon, 0.5);
	ck_assert_uint_eq(cli.model.steps, 252);
	ck_assert_int_eq(cli.functional.payoff, GBM_ASIAN_PUT);
	ck_assert_double_eq(cli.functional.strike, 0.0);
	ck_assert_uint_eq(cli.options.seed, UINT64_MAX);
	ck_assert_uint_eq(cli.options.threads, 3);
	ck_assert_uint_eq(cli.options.chunk_bytes, 64 * K);
	ck_assert_uint_eq(cli.options.mem_cap, 1500 * M);
}
END_TEST

START_TEST(samples)
{
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	ck_assert(parse(&cli, ARGS("--paths=5"), error));
	ck_assert_ptr_null(cli.out);
	ck_assert_uint_eq(cli.samples.size, sizeof(cli.samples));
	/* Names are argv's own, which parse() has freed. */
	ck_assert_msg(parse(&cli,
			    ARGS("--out=a", "--save", "paths", "--dtype", "f4",
				 "--force"),
			    error),
		      "%s", error);
	ck_assert_ptr_nonnull(cli.out);
	ck_assert_int_eq(cli.action, CLI_RUN);
	ck_assert_int_eq(cli.samples.save, GBM_SAVE_PATHS);
	ck_assert_int_eq(cli.samples.dtype, GBM_F4);
	ck_assert_int_eq(cli.samples.force, 1);
	ck_assert(parse(&cli, ARGS("--verify=a", "--threads=2"), error));
	ck_assert_int_eq(cli.action, CLI_VERIFY);
	ck_assert(parse(&cli, ARGS("--replay=1K:4e18", "--like=a"), error));
	ck_assert_int_eq(cli.action, CLI_REPLAY);
	ck_assert_uint_eq(cli.samples.first_path, 1000);
	ck_assert_uint_eq(cli.paths, UINT64_C(4000000000000000000));
	ck_assert(!cli.save_given);
	ck_assert(parse(&cli, ARGS("--replay=0:1", "--save=terminal"), error));
	ck_assert(cli.save_given);
}
END_TEST

/* --every is about a checkpoint that a job of Slurm has by itself, too. */
START_TEST(checkpoints)
{
	static const char *const none[] = { NULL, "", "12a", "-1" };
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		if (none[i])
			setenv("SLURM_JOB_ID", none[i], 1);
		else
			unsetenv("SLURM_JOB_ID");
		ck_assert_ptr_null(cli_job());
		ck_assert(!parse(&cli, ARGS("--every=5"), error));
		ck_assert_ptr_nonnull(strstr(error, "--every is about"));
		ck_assert(parse(&cli, ARGS("--every=5", "--out=a"), error));
		ck_assert(parse(&cli, ARGS("--every=5", "--checkpoint=a"),
				error));
	}
	setenv("SLURM_JOB_ID", "12", 1);
	ck_assert_str_eq(cli_job(), "12");
	ck_assert_msg(parse(&cli, ARGS("--every=5"), error), "%s", error);
	ck_assert_double_eq(cli.checkpoint_every, 5.0);
	ck_assert_ptr_null(cli.checkpoint);
	/* But not which of them: that has the job's number in its name. */
	ck_assert(!parse(&cli, ARGS("--resume"), error));
	ck_assert_ptr_nonnull(strstr(error, "--resume is about"));
	ck_assert(!parse(&cli, ARGS("--every=5", "--checkpoint=none"), error));
	ck_assert(!parse(&cli,
			 ARGS("--every=5", "--checkpoint=none", "--out=a"),
			 error));
	ck_assert(!parse(&cli, ARGS("--resume", "--checkpoint=none", "--out=a"),
			 error));
	ck_assert(!parse(&cli, ARGS("--every=5", "--verify=a"), error));
	unsetenv("SLURM_JOB_ID");
}
END_TEST

START_TEST(words)
{
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	ck_assert(parse(&cli, ARGS("--drift", "rate-dividend"), error));
	ck_assert_double_nan(cli.model.drift);
	for (int p = GBM_TERMINAL; p <= GBM_ASIAN_PUT; p++) {
		enum gbm_payoff payoff = (enum gbm_payoff)p;

		ck_assert(parse(&cli, ARGS("--payoff", cli_payoff_name(payoff)),
				error));
		ck_assert_int_eq(cli.functional.payoff, payoff);
	}
	ck_assert(parse(&cli, ARGS("--progress=always", "--quiet"), error));
	ck_assert_int_eq(cli.progress, CLI_ALWAYS);
	ck_assert_int_eq(cli.output, CLI_QUIET);
	/* An unambiguous beginning will do, as everywhere. */
	ck_assert(parse(&cli, ARGS("--path", "5"), error));
	ck_assert_uint_eq(cli.paths, 5);
}
END_TEST

START_TEST(help_and_version_stop)
{
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	ck_assert(parse(&cli, ARGS("--help", "--nonsense"), error));
	ck_assert_int_eq(cli.action, CLI_HELP);
	ck_assert(parse(&cli, ARGS("--version", "nonsense"), error));
	ck_assert_int_eq(cli.action, CLI_VERSION);
	ck_assert(!parse(&cli, ARGS("--nonsense", "--help"), error));
}
END_TEST

/* Bad command lines, and what the sentence must hold. */
static const struct {
	const char *args[4];
	const char *names;
	const char *fix;
} bad_lines[] = {
	{ { "--spot", "0" }, "--spot '0'", "a number > 0" },
	{ { "--spot=-1" }, "--spot '-1'", "a number > 0" },
	{ { "--spot", "nan" }, "--spot 'nan'", "a number > 0" },
	{ { "--rate", "5%" }, "--rate '5%'", "a number" },
	{ { "--dividend", "" }, "--dividend ''", "a number" },
	{ { "--drift", "rate" }, "--drift 'rate'", "rate-dividend" },
	{ { "--vol", "-0.1" }, "--vol '-0.1'", "a number >= 0" },
	{ { "--horizon", "inf" }, "--horizon 'inf'", "a number >= 0" },
	{ { "--steps", "0" }, "--steps '0'", "a whole number from 1" },
	{ { "--steps", "2.5" }, "--steps '2.5'", "a whole number from 1" },
	{ { "--paths", "1.5" }, "--paths '1.5'", "a whole number from 1" },
	{ { "--paths", "0" }, "--paths '0'", "a whole number from 1" },
	{ { "--paths=-5" }, "--paths '-5'", "a whole number from 1" },
	{ { "--paths", "5e18" }, "--paths '5e18'", "to 2^62" },
	{ { "--seed", "-1" }, "--seed '-1'", "a whole number" },
	{ { "--payoff", "calls" }, "--payoff 'calls'", "asian-call" },
	{ { "--payoff", "Call" }, "--payoff 'Call'", "asian-call" },
	{ { "--strike", "-1" }, "--strike '-1'", "a number >= 0" },
	{ { "--threads", "0" }, "--threads '0'", "from 1 to" },
	{ { "--threads", "1025" }, "--threads '1025'", "from 1 to" },
	{ { "--chunk", "0" }, "--chunk '0'", "a size" },
	{ { "--mem-cap", "1500X" }, "--mem-cap '1500X'", "a size" },
	{ { "--progress", "yes" },
	  "--progress 'yes'",
	  "auto, always or never" },
	{ { "--paths" }, "--paths needs a value", "a whole number" },
	{ { "--json", "--spot" }, "--spot needs a value", "a number" },
	{ { "--paths", "--json" }, "--paths '--json'", "a whole number" },
	{ { "--json=1" }, "--json takes no value", "give --json alone" },
	{ { "--json", "--json" }, "--json is given twice", "once" },
	{ { "--seed=1", "--seed=2" }, "--seed is given twice", "once" },
	{ { "--json", "--quiet" }, "--json and --quiet", "give one" },
	{ { "--quiet", "--dry-run" }, "--quiet", "give one" },
	{ { "--out", "" }, "--out ''", "out.npy" },
	{ { "--save", "all" }, "--save 'all'", "terminal or paths" },
	{ { "--dtype", "f2" }, "--dtype 'f2'", "f8 or f4" },
	{ { "--save", "paths" }, "--save is about a file", "--out FILE" },
	{ { "--dtype", "f4" }, "--dtype is about a file", "--out FILE" },
	{ { "--shards" }, "--shards is about a file", "--out FILE" },
	{ { "--verify=a", "--shards" }, "--verify takes", "--shards" },
	{ { "--force" }, "--force is about a file", "--out FILE" },
	{ { "--replay", "5:5" }, "--replay '5:5'", "I < J" },
	{ { "--replay", "5" }, "--replay '5'", "I < J" },
	{ { "--replay", "5:x" }, "--replay '5:x'", "I < J" },
	{ { "--replay", ":5" }, "--replay ':5'", "I < J" },
	{ { "--replay=0:5e18" }, "--replay '0:5e18'", "I < J" },
	{ { "--replay=0:5", "--force" }, "--force is about", "--out FILE" },
	{ { "--replay=0:5", "--paths=9" }, "--replay gives", "leave out" },
	{ { "--replay=0:5", "--json" }, "--replay gives", "--json" },
	{ { "--like=a.npy" }, "--like is for --replay", "--replay I:J" },
	{ { "--like=a", "--replay=0:5", "--vol=1" }, "--like takes", "--vol" },
	{ { "--verify=a", "--seed=1" }, "--verify takes", "leave out --seed" },
	{ { "--verify=a", "--out=b" }, "--verify takes", "leave out --out" },
	{ { "--verify=a", "--replay=0:5" }, "--verify takes", "--replay" },
	{ { "--nonsense" }, "unknown option '--nonsense'", "--help" },
	{ { "--nonsense=7" }, "unknown option '--nonsense=7'", "--help" },
	{ { "--s", "1" }, "ambiguous option '--s'", "write it out" },
	{ { "-n", "7" }, "'-n'", "two dashes" },
	{ { "-json" }, "'-j'", "two dashes" },
	{ { "-\n" }, "'-?'", "two dashes" },
	{ { "1e6" }, "unexpected argument '1e6'", "two dashes" },
	{ { "--", "--json" }, "unexpected argument '--json'", "two dashes" },
	{ { "--json", "-" }, "unexpected argument '-'", "two dashes" },
	{ { "" }, "unexpected argument ''", "two dashes" },
	{ { "--paths", "1\n2" }, "--paths '1?2'", "a whole number" },
	{ { "--paths", "\x1b[31m9" }, "--paths '?[31m9'", "a whole number" },
	{ { "--pay\xc3\xa4" },
	  "unknown option '--pay?"
	  "?'",
	  "--help" },
	{ { "--payoff", "%s%n%s" }, "--payoff '%s%n%s'", "asian-call" },
};

START_TEST(sentence)
{
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	ck_assert(!parse(&cli, bad_lines[_i].args, error));
	ck_assert_msg(strstr(error, bad_lines[_i].names), "%s", error);
	ck_assert_msg(strstr(error, bad_lines[_i].fix), "%s", error);
	ck_assert_msg(strlen(error) < CLI_ERROR_SIZE - 1, "cut: %s", error);
}
END_TEST

/* Values far longer than any message still give one short printable line. */
START_TEST(long_values)
{
	static const char *const options[] = { "--paths",   "--seed",
					       "--spot",    "--payoff",
					       "--mem-cap", "--drift",
					       "--progress" };
	const size_t n = 100000;
	char *text = malloc(n + 1), error[CLI_ERROR_SIZE];
	struct cli cli;

	ck_assert_ptr_nonnull(text);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		memset(text, i % 2 ? '\t' : '9', n);
		text[n] = '\0';
		ck_assert(!parse(&cli, ARGS(options[i], text), error));
		ck_assert_ptr_nonnull(strstr(error, options[i]));
		ck_assert_ptr_nonnull(strstr(error, "..."));
		for (const char *c = error; *c; c++)
			ck_assert_msg(*c >= ' ' && *c <= '~', "%s", error);
	}
	memset(text, 'x', n);
	memcpy(text, "--", 2);
	ck_assert(!parse(&cli, ARGS(text), error));
	ck_assert_ptr_nonnull(strstr(error, "unknown option"));
	ck_assert(!parse(&cli, ARGS(text + 2), error));
	ck_assert_ptr_nonnull(strstr(error, "unexpected argument"));
	free(text);
}
END_TEST

START_TEST(help_lists_all)
{
	static const char *const options[] = {
		"spot",	   "rate",     "dividend", "drift",   "vol",
		"horizon", "steps",    "paths",	   "seed",    "payoff",
		"strike",  "threads",  "chunk",	   "mem-cap", "json",
		"quiet",   "progress", "dry-run",  "version", "help",
		"out",	   "save",     "dtype",	   "force",   "verify",
		"replay",  "like",     "shards",
	};
	char text[8192] = "", option[32];
	FILE *f = tmpfile();
	size_t n;

	ck_assert_ptr_nonnull(f);
	cli_help(f);
	rewind(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	ck_assert_uint_lt(n, sizeof(text) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		snprintf(option, sizeof(option), "\n  --%s ", options[i]);
		ck_assert_msg(strstr(text, option), "no --%s", options[i]);
	}
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		ck_assert_msg(strlen(line) <= 80, "%s", line);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("cli");
	TCase *values = tcase_create("values"), *lines = tcase_create("lines");

	tcase_add_loop_test(values, count_exact, 0, ARRAY_SIZE(counts));
	tcase_add_loop_test(values, count_refused, 0, ARRAY_SIZE(bad_counts));
	tcase_add_loop_test(values, size_exact, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(values, size_refused, 0, ARRAY_SIZE(bad_sizes));
	tcase_add_loop_test(values, number_exact, 0, ARRAY_SIZE(numbers));
	tcase_add_loop_test(values, number_refused, 0, ARRAY_SIZE(bad_numbers));
	suite_add_tcase(s, values);
	tcase_add_test(values, level_lists);
	tcase_add_test(values, histogram_files);
	tcase_add_test(values, payoff_lists);
	tcase_add_test(lines, defaults);
	tcase_add_test(lines, every_option);
	tcase_add_test(lines, checkpoints);
	tcase_add_test(lines, samples);
	tcase_add_test(lines, words);
	tcase_add_test(lines, help_and_version_stop);
	tcase_add_loop_test(lines, sentence, 0, ARRAY_SIZE(bad_lines));
	tcase_add_test(lines, long_values);
	tcase_add_test(lines, help_lists_all);
	suite_add_tcase(s, lines);
	return s;
}

int main(void)
{
	return gbm_check_main(suite()) ? EXIT_FAILURE : EXIT_SUCCESS;
}
