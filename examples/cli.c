/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct option_spec {
	const char *name;
	const char *arg;     /* NULL: takes none */
	const char *accepts; /* completes "give ..." */
	const char *help;
	bool (*take)(struct cli *cli, size_t at, const char *text);
	size_t at; /* offset of the setting in struct cli */
	int value; /* what an option without an argument sets */
};

static const char *const payoffs[] = {
	[GBM_TERMINAL] = "terminal",
	[GBM_CALL] = "call",
	[GBM_PUT] = "put",
	[GBM_ASIAN_CALL] = "asian-call",
	[GBM_ASIAN_PUT] = "asian-put",
};

static const char *const progresses[] = {
	[CLI_AUTO] = "auto",
	[CLI_ALWAYS] = "always",
	[CLI_NEVER] = "never",
};

static const char *const saves[] = {
	[GBM_SAVE_TERMINAL] = "terminal",
	[GBM_SAVE_PATHS] = "paths",
};

static const char *const dtypes[] = {
	[GBM_F8] = "f8",
	[GBM_F4] = "f4",
};

/* value * 10^exponent, if it fits. */
static bool scale10(uint64_t *value, long exponent)
{
	if (*value == 0)
		return true;
	if (exponent < 0)
		return false; /* the value's last digit is not 0 */
	for (; exponent > 0; exponent--) {
		if (*value > UINT64_MAX / 10)
			return false;
		*value *= 10;
	}
	return true;
}

/* The power of 10 of an exponent or a suffix. */
static bool read_exponent(const char *s, long *exponent)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	long sign = 1, n = 0;

	*exponent = 0;
	if (*s == '\0')
		return true;
	if (tolower((unsigned char)*s) != 'e') {
		suffix = strchr(suffixes, toupper((unsigned char)*s));
		if (!suffix || s[1] != '\0')
			return false;
		*exponent = 3 * (suffix - suffixes + 1);
		return true;
	}
	s++;
	if (*s == '+' || *s == '-')
		sign = *s++ == '-' ? -1 : 1;
	if (*s == '\0')
		return false;
	for (; isdigit((unsigned char)*s); s++)
		if (n < 1000000) /* far beyond any argument's length */
			n = 10 * n + (*s - '0');
	*exponent = sign * n;
	return *s == '\0';
}

bool cli_count(const char *text, uint64_t *value)
{
	uint64_t n = 0;
	long fraction = 0, zeros = 0, exponent, digits = 0;
	bool point = false;
	const char *s;

	for (s = text; isdigit((unsigned char)*s) || (*s == '.' && !point);
	     s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (*s == '.') {
			point = true;
			continue;
		}
		digits++;
		fraction += point;
		zeros++;
		if (digit == 0)
			continue; /* counts only if another digit follows */
		if (!scale10(&n, zeros) || n > UINT64_MAX - digit)
			return false;
		n += digit;
		zeros = 0;
	}
	if (digits == 0 || !read_exponent(s, &exponent) ||
	    !scale10(&n, zeros - fraction + exponent))
		return false;
	*value = n;
	return true;
}

bool cli_size(const char *text, uint64_t *value)
{
	static const char suffixes[] = "KMGT";
	const char *s = text, *suffix = suffixes + 1;
	uint64_t whole = 0, part = 0, unit;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; isdigit((unsigned char)*s); s++) {
		uint64_t digit = (uint64_t)(*s - '0');

		if (whole > (UINT64_MAX - digit) / 10)
			return false;
		whole = 10 * whole + digit;
	}
	if (*s == '.') {
		uint64_t worth = 100000; /* millionths, that the sum is exact */

		if (!isdigit((unsigned char)*++s))
			return false;
		for (; isdigit((unsigned char)*s); s++, worth /= 10)
			part += (uint64_t)(*s - '0') * worth;
	}
	if (*s != '\0') {
		suffix = strchr(suffixes, toupper((unsigned char)*s));
		if (!suffix || s[1] != '\0')
			return false;
	}
	unit = UINT64_C(1) << 10 * (suffix - suffixes + 1);
	part = part * unit / 1000000;
	if (whole > (UINT64_MAX - part) / unit)
		return false;
	*value = whole * unit + part;
	return true;
}

bool cli_range(const char *text, uint64_t *from, uint64_t *to)
{
	const char *colon = strchr(text, ':');
	uint64_t first, end;
	char head[64];
	size_t n;

	if (!colon || (n = (size_t)(colon - text)) >= sizeof(head))
		return false;
	memcpy(head, text, n);
	head[n] = '\0';
	if (!cli_count(head, &first) || !cli_count(colon + 1, &end) ||
	    first >= end || end > UINT64_C(1) << 62)
		return false;
	*from = first;
	*to = end;
	return true;
}

bool cli_number(const char *text, double *value)
{
	double x;
	char *end;

	/* strtod() would also take spaces, hexadecimal, inf and nan. */
	if (text[0] == '\0' || text[strspn(text, "0123456789.eE+-")] != '\0')
		return false;
	x = strtod(text, &end);
	if (*end != '\0' || !isfinite(x))
		return false;
	*value = x;
	return true;
}

bool cli_seconds(const char *text, double *value)
{
	static const char units[] = "smhd";
	static const double seconds[] = { 1.0, 60.0, 3600.0, 86400.0 };
	size_t n = strlen(text);
	const char *unit = n ? strchr(units, text[n - 1]) : NULL;
	char number[48];
	double x;

	if (n >= sizeof(number))
		return false;
	memcpy(number, text, n + 1);
	if (unit)
		number[n - 1] = '\0';
	if (!cli_number(number, &x))
		return false;
	x *= unit ? seconds[unit - units] : 1.0;
	if (!isfinite(x))
		return false;
	*value = x;
	return true;
}

bool cli_levels(const char *text, bool ends, struct cli_levels *levels)
{
	char number[48];

	levels->n = 0;
	for (;;) {
		size_t n = strcspn(text, ",");
		double x;

		if (n >= sizeof(number) || levels->n == CLI_LEVELS)
			return false;
		memcpy(number, text, n);
		number[n] = '\0';
		if (!cli_number(number, &x) ||
		    !(ends ? x >= 0.0 && x <= 1.0 : x > 0.0 && x < 1.0))
			return false;
		levels->level[levels->n++] = x;
		if (text[n] == '\0')
			return true;
		text += n + 1;
	}
}

bool cli_histogram(const char *text, struct cli_histogram *histogram)
{
	const char *colon = strrchr(text, ':');
	size_t n = strlen(text);

	histogram->bins = 0;
	if (colon && colon[1] != '\0' &&
	    strspn(colon + 1, "0123456789.eEKMkm+-") == strlen(colon + 1)) {
		if (!cli_count(colon + 1, &histogram->bins) ||
		    histogram->bins < 1 || histogram->bins > 1000000)
			return false;
		n = (size_t)(colon - text);
	}
	if (n == 0 || n >= CLI_FILE)
		return false;
	memcpy(histogram->file, text, n);
	histogram->file[n] = '\0';
	return true;
}

static bool find(const char *text, const char *const *names, size_t n,
		 size_t *found)
{
	for (*found = 0; *found < n; ++*found)
		if (strcmp(text, names[*found]) == 0)
			return true;
	return false;
}

/* The next item of a list to item; NULL at its end, or for too long an item. */
static const char *next_item(const char *list, char *item, size_t size)
{
	size_t n = strcspn(list, ",");

	if (n >= size)
		return NULL;
	memcpy(item, list, n);
	item[n] = '\0';
	return list + n + (list[n] == ',');
}

/* Items of a list, none of them empty; 0 for no list of at most most. */
static size_t count_items(const char *list, size_t most)
{
	size_t n = 1;

	for (const char *c = list; *c; c++)
		n += *c == ',';
	return n <= most ? n : 0;
}

bool cli_payoffs(const char *names, const char *strikes, struct cli *cli)
{
	size_t n = count_items(names, GBM_MAX_FUNCTIONALS);
	size_t m = count_items(strikes, GBM_MAX_FUNCTIONALS);
	size_t all = n > m ? n : m, which = 0;
	double strike = 0.0;
	char item[48];

	if (!n || !m || (n != m && n != 1 && m != 1))
		return false;
	cli->options.n_others = all - 1;
	for (size_t k = 0; k < all; k++) {
		struct gbm_functional *f =
			k ? &cli->others[k - 1] : &cli->functional;

		*f = (struct gbm_functional)GBM_FUNCTIONAL_INIT;
		if (k < n) {
			names = next_item(names, item, sizeof(item));
			if (!names ||
			    !find(item, payoffs, ARRAY_SIZE(payoffs), &which))
				return false;
		}
		if (k < m) {
			strikes = next_item(strikes, item, sizeof(item));
			if (!strikes || !cli_number(item, &strike) ||
			    strike < 0.0)
				return false;
		}
		f->payoff = (enum gbm_payoff)which;
		f->strike = strike;
	}
	return true;
}

const char *cli_payoff_name(enum gbm_payoff payoff)
{
	return payoffs[payoff];
}

static void *setting(struct cli *cli, size_t at)
{
	return (char *)cli + at;
}

static bool take_number(struct cli *cli, size_t at, const char *text)
{
	return cli_number(text, setting(cli, at));
}

static bool take_positive(struct cli *cli, size_t at, const char *text)
{
	double *x = setting(cli, at);

	return cli_number(text, x) && *x > 0.0;
}

static bool take_seconds(struct cli *cli, size_t at, const char *text)
{
	double *x = setting(cli, at);

	return cli_seconds(text, x) && *x > 0.0;
}

static bool take_checkpoint(struct cli *cli, size_t at, const char *text)
{
	const char **file = setting(cli, at);

	cli->no_checkpoint = strcmp(text, "none") == 0;
	*file = cli->no_checkpoint ? NULL : text;
	return *text != '\0';
}

static bool take_not_negative(struct cli *cli, size_t at, const char *text)
{
	double *x = setting(cli, at);

	return cli_number(text, x) && *x >= 0.0;
}

static bool take_drift(struct cli *cli, size_t at, const char *text)
{
	double *drift = setting(cli, at);

	if (strcmp(text, "rate-dividend") != 0)
		return cli_number(text, drift);
	*drift = (double)NAN;
	return true;
}

static bool take_seed(struct cli *cli, size_t at, const char *text)
{
	return cli_count(text, setting(cli, at));
}

static bool take_count(struct cli *cli, size_t at, const char *text)
{
	uint64_t *n = setting(cli, at);

	return cli_count(text, n) && *n >= 1 && *n <= UINT64_C(1) << 62;
}

static bool take_threads(struct cli *cli, size_t at, const char *text)
{
	unsigned *threads = setting(cli, at);
	uint64_t n;

	if (!cli_count(text, &n) || n < 1 || n > 1024)
		return false;
	*threads = (unsigned)n;
	return true;
}

static bool take_size(struct cli *cli, size_t at, const char *text)
{
	uint64_t *bytes = setting(cli, at);

	return cli_size(text, bytes) && *bytes > 0;
}

static bool take_quantiles(struct cli *cli, size_t at, const char *text)
{
	return cli_levels(text, true, setting(cli, at));
}

static bool take_risks(struct cli *cli, size_t at, const char *text)
{
	return cli_levels(text, false, setting(cli, at));
}

static bool take_histogram(struct cli *cli, size_t at, const char *text)
{
	return cli_histogram(text, setting(cli, at));
}

static bool take_payoffs(struct cli *cli, size_t at, const char *text)
{
	struct cli trial = { .options = GBM_OPTIONS_INIT };
	const char **given = setting(cli, at);

	*given = text;
	return cli_payoffs(text, "100", &trial);
}

static bool take_strikes(struct cli *cli, size_t at, const char *text)
{
	struct cli trial = { .options = GBM_OPTIONS_INIT };
	const char **given = setting(cli, at);

	*given = text;
	return cli_payoffs("call", text, &trial);
}

/* One of the names of an enumeration, which has int's size. */
static bool take_word(struct cli *cli, size_t at, const char *text,
		      const char *const *words, size_t n)
{
	size_t i;
	int value;

	if (!find(text, words, n, &i))
		return false;
	value = (int)i;
	memcpy(setting(cli, at), &value, sizeof(value));
	return true;
}

static bool take_progress(struct cli *cli, size_t at, const char *text)
{
	return take_word(cli, at, text, progresses, ARRAY_SIZE(progresses));
}

static bool take_save(struct cli *cli, size_t at, const char *text)
{
	cli->save_given = true;
	return take_word(cli, at, text, saves, ARRAY_SIZE(saves));
}

static bool take_dtype(struct cli *cli, size_t at, const char *text)
{
	return take_word(cli, at, text, dtypes, ARRAY_SIZE(dtypes));
}

static bool take_file(struct cli *cli, size_t at, const char *text)
{
	const char **file = setting(cli, at);

	*file = text;
	return *text != '\0';
}

static bool take_replay(struct cli *cli, size_t at, const char *text)
{
	enum cli_action *action = setting(cli, at);

	*action = CLI_REPLAY;
	return cli_range(text, &cli->samples.first_path, &cli->paths);
}

#define AT(member) offsetof(struct cli, member)

/* Options without an argument set the enumeration of this type at "at". */
#define FLAG(member, to) NULL, AT(member), to

static const struct option_spec specs[] = {
	{ "spot", "X", "a number > 0, such as 100", "price now (100)",
	  take_positive, AT(model.spot), 0 },
	{ "rate", "X", "a number, such as 0.05",
	  "discount rate, continuous (0.05)", take_number, AT(model.rate), 0 },
	{ "dividend", "X", "a number, such as 0.02", "dividend yield (0)",
	  take_number, AT(model.dividend), 0 },
	{ "drift", "X", "a number or the word rate-dividend",
	  "growth rate of the price (rate-dividend)", take_drift,
	  AT(model.drift), 0 },
	{ "vol", "X", "a number >= 0, such as 0.2", "volatility (0.2)",
	  take_not_negative, AT(model.vol), 0 },
	{ "horizon", "X", "a number >= 0, such as 1",
	  "time simulated, in the unit of the rates (1)", take_not_negative,
	  AT(model.horizon), 0 },
	{ "steps", "N", "a whole number from 1 on, such as 252",
	  "equal time steps (1)", take_count, AT(model.steps), 0 },
	{ "paths", "N",
	  "a whole number from 1 to 2^62, such as 1000000, 1e6 or 1M",
	  "paths of the whole run, over all ranks (1e6)", take_count, AT(paths),
	  0 },
	{ "seed", "N", "a whole number from 0 to 2^64 - 1",
	  "selects the random numbers (1)", take_seed, AT(options.seed), 0 },
	{ "payoff", "LIST",
	  "terminal, call, put, asian-call or asian-put, or up to 16 of them "
	  "with commas between",
	  "terminal, call, put, asian-call or asian-put (terminal)",
	  take_payoffs, AT(payoffs), 0 },
	{ "strike", "LIST",
	  "a number >= 0, such as 100, or up to 16 with commas between",
	  "strike of all payoffs, or one for each (100)", take_strikes,
	  AT(strikes), 0 },
	{ "quantiles", "LIST",
	  "levels from 0 to 1 with commas between them, such as 0.05,0.5,0.95",
	  "quantiles of the payoff, such as 0.05,0.5,0.95", take_quantiles,
	  AT(quantiles), 0 },
	{ "var", "LIST",
	  "levels above 0 and below 1 with commas between them, such as "
	  "0.95,0.99",
	  "value at risk and expected shortfall, such as 0.95", take_risks,
	  AT(risks), 0 },
	{ "cost", "X", "a number, such as 100",
	  "--var: loss = X - payoff (terminal: spot; else: mean)", take_number,
	  AT(cost), 0 },
	{ "fan", "FILE", "a new file's name, such as fan.csv",
	  "percentiles of the price at each step, into a new file", take_file,
	  AT(fan), 0 },
	{ "convergence", "FILE", "a new file's name, such as c.csv",
	  "the estimate after 1024 paths and more, into a new file", take_file,
	  AT(convergence), 0 },
	{ "moments", NULL, NULL,
	  "skewness, kurtosis, and how several payoffs correlate",
	  FLAG(moments, true) },
	{ "histogram", "FILE",
	  "a new file's name, or FILE:BINS with 1 to 1000000 bins, such as "
	  "h.csv:100",
	  "of the first payoff, into a new file; or FILE:BINS", take_histogram,
	  AT(histogram), 0 },
	{ "threads", "N", "a whole number from 1 to 1024",
	  "threads of each rank (its cores)", take_threads, AT(options.threads),
	  0 },
	{ "chunk", "SIZE", "a size such as 64K or 1M",
	  "values that a thread holds at a time (what fits its cache)",
	  take_size, AT(options.chunk_bytes), 0 },
	{ "mem-cap", "SIZE", "a size such as 1500M or 2G",
	  "memory of all ranks on a node (what is there)", take_size,
	  AT(options.mem_cap), 0 },
	{ "out", "FILE", "a file's name, such as out.npy",
	  "write the samples there, for NumPy, and FILE.json", take_file,
	  AT(out), 0 },
	{ "save", "WHAT", "terminal or paths",
	  "terminal: S(T), or paths: S(0) .. S(T) (terminal)", take_save,
	  AT(samples.save), 0 },
	{ "dtype", "TYPE", "f8 or f4",
	  "f8: double, or f4: single precision (f8)", take_dtype,
	  AT(samples.dtype), 0 },
	{ "force", NULL, NULL, "replace FILE when it is there",
	  FLAG(samples.force, 1) },
	{ "shards", NULL, NULL, "write a file for each rank: FILE.0.npy ...",
	  FLAG(samples.shards, 1) },
	{ "verify", "FILE", "a file that --out wrote",
	  "simulate FILE's samples again and compare each byte", take_file,
	  AT(verify), 0 },
	{ "replay", "I:J", "two counts, I < J, such as 0:10",
	  "print the paths I to J - 1, or write them with --out", take_replay,
	  AT(action), 0 },
	{ "like", "FILE", "a file that --out wrote",
	  "for --replay: model, seed and --save of FILE", take_file, AT(like),
	  0 },
	{ "tolerance", "REL", "a number > 0, such as 1e-4",
	  "end when the 95 % half-width is REL of the mean or less",
	  take_positive, AT(tolerance), 0 },
	{ "abs-tolerance", "X", "a number > 0, such as 0.01",
	  "end when the 95 % half-width is X or less", take_positive,
	  AT(abs_tolerance), 0 },
	{ "max-time", "T", "a time > 0, such as 90 (seconds), 10m or 2h",
	  "end after so long; how many paths depends on the clock",
	  take_seconds, AT(max_time), 0 },
	{ "checkpoint", "FILE", "a file's name, such as run.ckpt, or none",
	  "keep the state of the run there, or none (FILE.checkpoint)",
	  take_checkpoint, AT(checkpoint), 0 },
	{ "every", "T", "a time > 0, such as 60 (seconds) or 5m",
	  "--checkpoint: time between two (60)", take_seconds,
	  AT(checkpoint_every), 0 },
	{ "resume", NULL, NULL,
	  "go on from the checkpoint, if there is one; extend FILE",
	  FLAG(resume, true) },
	{ "json", NULL, NULL, "print one JSON object", FLAG(output, CLI_JSON) },
	{ "quiet", NULL, NULL, "print the estimate alone",
	  FLAG(output, CLI_QUIET) },
	{ "progress", "WHEN", "auto, always or never",
	  "auto, always or never; on stderr (auto)", take_progress,
	  AT(progress), 0 },
	{ "dry-run", NULL, NULL, "print the plan and stop",
	  FLAG(action, CLI_DRY_RUN) },
	{ "version", NULL, NULL, "print the version and stop",
	  FLAG(action, CLI_VERSION) },
	{ "help", NULL, NULL, "print this and stop", FLAG(action, CLI_HELP) },
};

/* getopt_long() returns this and the option's place in specs. */
#define FIRST_OPTION 256

/* The user's text, made fit for one line of a terminal. */
struct quoted {
	char text[44];
};

static struct quoted quote(const char *text)
{
	struct quoted q = { "" };
	size_t n = strlen(text), keep = sizeof(q.text) - 1;

	if (n < keep)
		keep = n;
	for (size_t i = 0; i < keep; i++)
		q.text[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
	if (n > keep)
		memcpy(q.text + keep - 3, "...", 3);
	return q;
}

static bool take(struct cli *cli, const struct option_spec *spec,
		 const char *text, char *error)
{
	int value = spec->value;

	if (!spec->arg) {
		/* All flags set what has int's size. */
		memcpy(setting(cli, spec->at), &value, sizeof(value));
		return true;
	}
	if (spec->take(cli, spec->at, text))
		return true;
	snprintf(error, CLI_ERROR_SIZE, "--%s '%s' is not accepted: give %s",
		 spec->name, quote(text).text, spec->accepts);
	return false;
}

_Static_assert(sizeof(enum cli_action) == sizeof(int), "see take()");
_Static_assert(sizeof(enum cli_progress) == sizeof(int), "see take_word()");
_Static_assert(sizeof(enum gbm_save) == sizeof(int), "see take_word()");
_Static_assert(sizeof(enum gbm_dtype) == sizeof(int), "see take_word()");
_Static_assert(sizeof(enum cli_output) == sizeof(int), "see take()");

/* What getopt_long() refused: code is ':' or '?'. */
static void explain(int code, char *const *argv, char *error)
{
	const struct option_spec *spec = NULL;
	const char *text = argv[optind - 1];
	size_t n = strcspn(text, "="), like = 0;

	if (optopt >= FIRST_OPTION)
		spec = &specs[optopt - FIRST_OPTION];
	if (spec && code == ':') {
		snprintf(error, CLI_ERROR_SIZE, "--%s needs a value: give %s",
			 spec->name, spec->accepts);
		return;
	}
	if (spec) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--%s takes no value: give --%s alone", spec->name,
			 spec->name);
		return;
	}
	/* A single dash: getopt has not moved on from a cluster of letters. */
	if (optopt != 0) {
		snprintf(error, CLI_ERROR_SIZE,
			 "unknown option '-%c': options begin with two dashes, "
			 "--help lists them",
			 isprint(optopt) ? optopt : '?');
		return;
	}
	for (size_t i = 0; n > 2 && i < ARRAY_SIZE(specs); i++)
		like += strncmp(specs[i].name, text + 2, n - 2) == 0;
	snprintf(error, CLI_ERROR_SIZE, "%s option '%s': %s",
		 like > 1 ? "ambiguous" : "unknown", quote(text).text,
		 like > 1 ? "write it out, --help lists all"
			  : "--help lists what there is");
}

/* The first of the options in names that was given, or NULL. */
static const char *first_given(const bool *given, const char *const *names)
{
	for (; *names; names++)
		for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
			if (given[i] && strcmp(specs[i].name, *names) == 0)
				return *names;
	return NULL;
}

#define NAMES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define MODEL                                                                  \
	"spot", "rate", "dividend", "drift", "vol", "horizon", "steps",        \
		"paths", "seed"

#define SUMMARY                                                                \
	"quantiles", "var", "cost", "histogram", "fan", "moments", "convergence"

static bool exclude(char *error, const char *option, const char *other,
		    const char *why)
{
	snprintf(error, CLI_ERROR_SIZE, "--%s %s: leave out --%s", option, why,
		 other);
	return false;
}

/* --out, --verify, --replay and what goes with them. */
static bool samples_compatible(const struct cli *cli, const bool *given,
			       char *error)
{
	const char *other;

	if (cli->verify) {
		other = first_given(
			given, NAMES(MODEL, "payoff", "strike", "out", "save",
				     "dtype", "force", "shards", "replay",
				     "like", "dry-run", "json", SUMMARY));
		return !other || exclude(error, "verify", other,
					 "takes all from FILE's manifest");
	}
	if (cli->action == CLI_REPLAY) {
		other = first_given(given, NAMES("paths", "payoff", "strike",
						 "dry-run", "json", SUMMARY));
		if (other)
			return exclude(error, "replay", other,
				       "gives paths, not an estimate");
	} else if (cli->like) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--like is for --replay: give --replay I:J as well");
		return false;
	}
	other = cli->out ? first_given(given, NAMES(SUMMARY)) : NULL;
	if (other)
		return exclude(error, "out", other,
			       "stores samples; a run without it tells this of "
			       "the same paths");
	other = cli->like ? first_given(given, NAMES(MODEL)) : NULL;
	if (other)
		return exclude(error, "like", other,
			       "takes it from FILE's manifest");
	other = first_given(given, NAMES("dtype", "force", "shards"));
	if (!other && cli->action != CLI_REPLAY)
		other = first_given(given, NAMES("save"));
	if (other && !cli->out) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--%s is about a file: give --out FILE as well",
			 other);
		return false;
	}
	return true;
}

static bool compatible(const struct cli *cli, const bool *given, char *error)
{
	bool json = first_given(given, NAMES("json")) != NULL;
	bool quiet = first_given(given, NAMES("quiet")) != NULL;
	const char *other, *more = first_given(
				   given, NAMES("quantiles", "var", "moments"));

	if (quiet && more) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--quiet prints the estimate alone, --%s more: give "
			 "one",
			 more);
		return false;
	}
	if ((quiet || cli->out) && cli->options.n_others) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--%s is for one payoff, --payoff or --strike gives "
			 "%zu: give one",
			 quiet ? "quiet" : "out", 1 + cli->options.n_others);
		return false;
	}
	if (!isnan(cli->cost) && !cli->risks.n) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--cost is what a loss is counted from: give --var "
			 "with it");
		return false;
	}
	more = first_given(given, NAMES("resume", "every"));
	if (more && !cli->checkpoint &&
	    (cli->no_checkpoint ||
	     (!cli->out && (cli->resume || !cli_job())))) {
		snprintf(
			error, CLI_ERROR_SIZE,
			"--%s is about a checkpoint: give --checkpoint FILE as "
			"well, or --out",
			more);
		return false;
	}
	if (cli->resume && cli->samples.force) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--resume goes on, --force begins anew: give one");
		return false;
	}
	if (!more && cli->checkpoint)
		more = "checkpoint";
	other = first_given(given, NAMES("verify", "replay", "convergence"));
	if (more && other)
		return exclude(error, other, more, "has no checkpoint");
	other = first_given(given,
			    NAMES("tolerance", "abs-tolerance", "max-time"));
	more = first_given(given, NAMES("out", "verify", "replay",
					"convergence", "dry-run"));
	if (more && other)
		return exclude(error, other, more, "ends an estimate");
	if (json && quiet) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--json and --quiet exclude each other: give one");
		return false;
	}
	if (quiet && cli->action == CLI_DRY_RUN) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--quiet prints the estimate, --dry-run makes none: "
			 "give one");
		return false;
	}
	return samples_compatible(cli, given, error);
}

const char *cli_job(void)
{
	const char *job = getenv("SLURM_JOB_ID");

	return job && *job && !job[strspn(job, "0123456789")] ? job : NULL;
}

bool cli_parse(struct cli *cli, int argc, char **argv,
	       char error[CLI_ERROR_SIZE])
{
	const struct cli defaults = {
		.paths = 1000000,
		.model = GBM_MODEL_INIT,
		.functional = GBM_FUNCTIONAL_INIT,
		.options = GBM_OPTIONS_INIT,
		.samples = GBM_SAMPLES_OPTIONS_INIT,
		.cost = (double)NAN,
		.checkpoint_every = 60,
	};
	struct option longopts[ARRAY_SIZE(specs) + 1] = { 0 };
	bool given[ARRAY_SIZE(specs)] = { false };
	int code;

	*cli = defaults;
	error[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		longopts[i].name = specs[i].name;
		longopts[i].has_arg =
			specs[i].arg ? required_argument : no_argument;
		longopts[i].val = FIRST_OPTION + (int)i;
	}
	opterr = 0;
	optind = 0; /* glibc: begin anew */
	while ((code = getopt_long(argc, argv, ":", longopts, NULL)) != -1) {
		size_t i = (size_t)code - FIRST_OPTION;

		if (code < FIRST_OPTION) {
			explain(code, argv, error);
			return false;
		}
		if (given[i]) {
			snprintf(error, CLI_ERROR_SIZE,
				 "--%s is given twice: give it once",
				 specs[i].name);
			return false;
		}
		given[i] = true;
		if (!take(cli, &specs[i], optarg, error))
			return false;
		if (cli->action == CLI_HELP || cli->action == CLI_VERSION)
			return true;
	}
	if (optind < argc) {
		snprintf(error, CLI_ERROR_SIZE,
			 "unexpected argument '%s': options begin with two "
			 "dashes, --help lists them",
			 quote(argv[optind]).text);
		return false;
	}
	if (!cli_payoffs(cli->payoffs ? cli->payoffs : "terminal",
			 cli->strikes ? cli->strikes : "100", cli)) {
		snprintf(error, CLI_ERROR_SIZE,
			 "--payoff and --strike are lists of different length: "
			 "give as many of each, or one");
		return false;
	}
	if (cli->options.n_others)
		cli->options.others = cli->others;
	if (cli->quantiles.n || cli->risks.n || cli->histogram.file[0])
		cli->options.collect |= GBM_COLLECT_SKETCH;
	if (cli->fan)
		cli->options.collect |= GBM_COLLECT_FAN;
	if (cli->moments)
		cli->options.collect |= GBM_COLLECT_MOMENTS;
	if (!compatible(cli, given, error))
		return false;
	if (cli->out && !cli->checkpoint && !cli->no_checkpoint &&
	    cli->action != CLI_REPLAY) {
		if ((size_t)snprintf(cli->beside_out, CLI_FILE, "%s.checkpoint",
				     cli->out) >= CLI_FILE) {
			snprintf(error, CLI_ERROR_SIZE,
				 "--out has too long a name: give a shorter "
				 "one");
			return false;
		}
		cli->checkpoint = cli->beside_out;
	}
	if ((cli->tolerance > 0.0 || cli->abs_tolerance > 0.0 ||
	     cli->max_time > 0.0) &&
	    !first_given(given, NAMES("paths")))
		cli->paths = CLI_OPEN_END;
	if (cli->verify)
		cli->action = CLI_VERIFY;
	return true;
}

void cli_help(FILE *out)
{
	static const char head[] =
		"Usage: gbm_sim [OPTION]...\n"
		"Estimates the mean of a payoff over simulated paths of\n"
		"geometric Brownian motion, in memory that does not grow\n"
		"with the number of paths.  Runs alone, under mpirun and\n"
		"under srun --mpi=pmix, with the same result to the last\n"
		"bit.\n\n";
	static const char foot[] =
		"\n"
		"Defaults are in parentheses.  A count may be written\n"
		"4000000, 4e6 or 4M (thousands: K, M, G, T).  A SIZE is\n"
		"written as for Slurm's --mem: K, M, G, T are powers of\n"
		"1024, and a plain number is in megabytes.\n\n"
		"Exit status: 0 success, 1 a result without the tolerance\n"
		"that was asked for, 64 bad input, 65 a file is damaged,\n"
		"70 failure, 71 too little memory, 73 a file cannot be made,\n"
		"74 a result or file could not be written or read, 75 ended\n"
		"by SIGTERM after a checkpoint.\n";

	fputs(head, out);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		int n = fprintf(out, "  --%s%s%s", specs[i].name,
				specs[i].arg ? " " : "",
				specs[i].arg ? specs[i].arg : "");

		fprintf(out, "%*s%s\n", n < 20 ? 20 - n : 1, "", specs[i].help);
	}
	fputs(foot, out);
}
