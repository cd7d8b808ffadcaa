/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_SUMMARY_H
#define GBM_EXAMPLES_SUMMARY_H

/*
 * What gbm_sim tells beside mean and standard error: on stdout, and in files of
 * comma-separated values, whose lines are these:
 *
 *	--histogram	from,to,count
 *	--fan		time, then the price at each level of --quantiles
 *	--convergence	paths,estimate,std_error,reference (empty: none)
 */

#include <stdbool.h>
#include <stdio.h>

#include <gbm-mc/summary.h>

#include "cli.h"

/* The files that were asked for; NULL: not. */
struct summary_files {
	FILE *histogram, *fan, *convergence;
};

/*
 * Makes the files, which must not be there yet, before the run: a name that
 * cannot be had costs nothing then.  Returns true; or false with one sentence
 * in error and no file left.
 */
bool summary_open(const struct cli *cli, struct summary_files *files,
		  char error[CLI_ERROR_SIZE]);

/* Writes and closes the files; false and a sentence when that failed. */
bool summary_write(const struct cli *cli, struct summary_files *files,
		   struct gbm_summary *summary, char error[CLI_ERROR_SIZE]);

/* Closes and removes files that the run has nothing for. */
void summary_discard(const struct cli *cli, struct summary_files *files);

/* Lines for people. */
void summary_text(const struct cli *cli, struct gbm_summary *summary);

/* Members of a JSON object, each with a comma behind it. */
void summary_json(const struct cli *cli, struct gbm_summary *summary);

#endif
