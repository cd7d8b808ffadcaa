/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_CLI_H
#define GBM_EXAMPLES_CLI_H

/*
 * The command line of gbm_sim: text in, settings or one sentence out.  Prints
 * only what cli_help() is asked for, allocates nothing.  Not thread-safe: it
 * sits on getopt_long().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <gbm-mc/gbm.h>
#include <gbm-mc/samples.h>

enum cli_action {
	CLI_RUN,
	CLI_DRY_RUN,
	CLI_VERIFY,
	CLI_REPLAY,
	CLI_HELP,
	CLI_VERSION
};
enum cli_output { CLI_TEXT, CLI_JSON, CLI_QUIET };
enum cli_progress { CLI_AUTO, CLI_ALWAYS, CLI_NEVER };

/* Levels of quantiles or risks. */
#define CLI_LEVELS 32

struct cli_levels {
	size_t n; /* 0: not asked for */
	double level[CLI_LEVELS];
};

/* A file's name, NUL-terminated; empty: none. */
#define CLI_FILE 1024

struct cli_histogram {
	char file[CLI_FILE];
	uint64_t bins; /* 0: as many as suit the values */
};

/* Paths when something else is to end the run. */
#define CLI_OPEN_END UINT64_C(1000000000000)

struct cli {
	enum cli_action action;
	enum cli_output output;
	enum cli_progress progress;
	uint64_t paths; /* of a replay, the end of its range */
	struct gbm_model model;
	struct gbm_functional functional;
	/* Further payoffs, to which options points: do not copy this. */
	struct gbm_functional others[GBM_MAX_FUNCTIONALS - 1];
	struct gbm_options options;
	/* Files of samples: what is written, compared, taken as a model. */
	const char *out, *verify, *like; /* NULL when not given; of argv */
	struct gbm_samples_options samples;
	bool save_given; /* what is saved is not taken from a manifest */
	const char *payoffs, *strikes; /* as given, of argv; NULL: not */
	struct cli_levels quantiles;   /* from 0 to 1 */
	struct cli_levels risks;       /* above 0 and below 1 */
	double cost;		       /* NAN: not given */
	int moments;		       /* a bool */
	struct cli_histogram histogram;
	double tolerance, abs_tolerance; /* of the half-width; 0: none */
	double max_time;		 /* seconds; 0: any */
	const char *checkpoint;		 /* NULL: none; of argv, or the next */
	char beside_out[CLI_FILE];
	bool no_checkpoint;	 /* nor is one wanted */
	double checkpoint_every; /* seconds */
	int resume;		 /* a bool */
	const char *fan;	 /* a file, of argv; NULL: none */
	const char *convergence; /* likewise */
};

/* Holds any message of cli_parse(), NUL included. */
#define CLI_ERROR_SIZE 256

/*
 * Fills *cli and returns true; or returns false and writes one sentence, of
 * printable characters and without a newline, into error.  --help and
 * --version end the parsing where they stand.  May reorder argv.
 */
bool cli_parse(struct cli *cli, int argc, char **argv,
	       char error[CLI_ERROR_SIZE]);

/*
 * A whole number: digits with an optional fraction and a decimal exponent or
 * suffix (K, M, G, T: thousands).  "1.5e9" is exact, "1.5" is refused, and so
 * is what exceeds 64 bits.
 */
bool cli_count(const char *text, uint64_t *value);

/*
 * A size as Slurm's --mem has it, in bytes: digits and K, M, G or T (powers
 * of 1024); without a suffix, M.  Also with a fraction, of which six digits
 * count: "1.5G".
 */
bool cli_size(const char *text, uint64_t *value);

/* "I:J", counts, I < J: the paths from I to J - 1. */
bool cli_range(const char *text, uint64_t *from, uint64_t *to);

/* Seconds, as a number, or with s, m, h or d behind it. */
bool cli_seconds(const char *text, double *value);

/* A finite decimal number. */
bool cli_number(const char *text, double *value);

/*
 * Levels from 0 to 1, ends included or not: decimal numbers with commas between
 * them, at least one and at most CLI_LEVELS.
 */
bool cli_levels(const char *text, bool ends, struct cli_levels *levels);

/* FILE, or FILE:BINS with 1 to 10^6 bins: what follows the last colon, if a
 * number. */
bool cli_histogram(const char *text, struct cli_histogram *histogram);

/*
 * Payoffs and strikes, lists with commas between: of equal length, or one for
 * all.  The first pair goes to cli->functional, the others to cli->others.
 */
bool cli_payoffs(const char *payoffs, const char *strikes, struct cli *cli);

/* The number of the job of Slurm that this runs in, or NULL. */
const char *cli_job(void);

/* "call" for GBM_CALL; static storage. */
const char *cli_payoff_name(enum gbm_payoff payoff);

void cli_help(FILE *out);

#endif
