/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_ROWS_H
#define GBM_ROWS_H

/*
 * Simulated prices as rows of bytes in path order, as they stand in a file;
 * and the values of the plan's functional.
 */

#include <stddef.h>
#include <stdint.h>

#include <gbm-mc/samples.h>

#include "libgbm/plan.h"
#include "libgbm/stats.h"

/* What a row is. */
struct gbm_row {
	enum gbm_save save;
	unsigned float_bytes; /* 8 or 4 */
	uint64_t bytes;	      /* of a row: one float, or steps + 1 */
};

/*
 * Takes n rows from path first on; non-zero ends the work on this item with
 * that code.  bytes are valid during the call only.
 */
typedef int gbm_rows_fn(void *user, uint64_t first, uint64_t n,
			const unsigned char *bytes);

/* What a thread works with. */
struct gbm_rows {
	const struct gbm_plan *plan;
	struct gbm_row row;
	gbm_rows_fn *fn;
	void *user;
	uint64_t from;		 /* rows of paths before this are left out */
	struct gbm_stats *stats; /* NULL: the functional is left out */
	double *paths;		 /* a rectangle of prices, or NULL */
	double *values;		 /* of a callback, whole blocks; or NULL */
	unsigned char *staged;
	uint64_t capacity;	      /* rows in staged */
	uint64_t staged_at, n_staged; /* first path and rows of what is there */
	int code;		      /* the first non-zero one of fn */
};

/* Bytes of what gbm_rows_open() allocates, with the capacity for n rows. */
uint64_t gbm_rows_bytes(const struct gbm_plan *plan, const struct gbm_row *row,
			uint64_t n);

/* The least capacity. */
uint64_t gbm_rows_least(const struct gbm_plan *plan, const struct gbm_row *row);

/*
 * Sets *rows up, with fn, user, from and stats left to the caller.  The plan's
 * stream_chunk must not be empty.  Returns 0 or GBM_ENOMEM; close it in any
 * case.
 */
int gbm_rows_open(struct gbm_rows *rows, const struct gbm_plan *plan,
		  const struct gbm_row *row, uint64_t capacity);
void gbm_rows_close(struct gbm_rows *rows);

/*
 * Works on n paths from first on, a multiple of GBM_BLOCK_PATHS; with stats, so
 * must n be, but at the plan's end.  Returns 0 or a code of fn's or of the
 * plan's own functional.
 */
int gbm_rows_run(struct gbm_rows *rows, uint64_t first, uint64_t n);

#endif
