/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_SAMPLES_H
#define GBM_EXAMPLES_SAMPLES_H

/* Files of samples: what gbm_sim does with them beside a run. */

#include "world.h"

/*
 * Makes of the command line what --verify's or --like's manifest says; without
 * one of these, nothing.  Returns enum gbm_status and explains in *err.
 */
int samples_of_manifest(struct cli *cli, struct gbm_error *err);

/*
 * Of a run that writes samples with a checkpoint: it keeps it, heeds signals,
 * and goes on where one ended.  user is where it notes the paths that were done
 * then.
 */
void samples_keep(struct cli *cli, uint64_t *user);

/* Bytes of the file that --out writes, as near as a double can say. */
double samples_bytes(const struct cli *cli);

/*
 * --replay without --out: prints each path on a line, its number and then its
 * prices with all their digits.  Returns enum gbm_status.
 */
int samples_print(const struct cli *cli, const struct gbm_plan *plan);

#endif
