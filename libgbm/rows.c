/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "libgbm/builtin.h"
#include "libgbm/rows.h"

/* Whole paths are needed, not only their ends. */
static int with_paths(const struct gbm_plan *plan, const struct gbm_row *row)
{
	return row->save == GBM_SAVE_PATHS || plan->functional.fn;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t gbm_rows_least(const struct gbm_plan *plan, const struct gbm_row *row)
{
	return with_paths(plan, row) ? plan->stream_chunk.paths
				     : GBM_BLOCK_PATHS;
}

/* A callback's values are added up in whole blocks. */
static uint64_t value_bytes(const struct gbm_plan *plan)
{
	if (!plan->functional.fn)
		return 0;
	return larger(plan->stream_chunk.paths, GBM_BLOCK_PATHS) *
	       sizeof(double);
}

uint64_t gbm_rows_bytes(const struct gbm_plan *plan, const struct gbm_row *row,
			uint64_t n)
{
	uint64_t bytes = n * row->bytes;

	if (with_paths(plan, row))
		bytes += plan->stream_chunk.bytes + value_bytes(plan);
	return bytes;
}

int gbm_rows_open(struct gbm_rows *rows, const struct gbm_plan *plan,
		  const struct gbm_row *row, uint64_t capacity)
{
	*rows = (struct gbm_rows){ .plan = plan,
				   .row = *row,
				   .capacity = capacity };
	rows->staged = gbm_plan_alloc(capacity * row->bytes);
	if (!rows->staged)
		return GBM_ENOMEM;
	if (!with_paths(plan, row))
		return GBM_OK;
	rows->paths = gbm_plan_alloc(plan->stream_chunk.bytes);
	if (plan->functional.fn)
		rows->values = gbm_plan_alloc(value_bytes(plan));
	return rows->paths && (rows->values || !plan->functional.fn)
		       ? GBM_OK
		       : GBM_ENOMEM;
}

void gbm_rows_close(struct gbm_rows *rows)
{
	free(rows->staged);
	free(rows->paths);
	free(rows->values);
	*rows = (struct gbm_rows){ 0 };
}

static void flush(struct gbm_rows *rows)
{
	uint64_t first = rows->staged_at, n = rows->n_staged, skip = 0;

	if (first < rows->from)
		skip = rows->from - first < n ? rows->from - first : n;
	if (!rows->code && n > skip)
		rows->code = rows->fn(rows->user, first + skip, n - skip,
				      rows->staged + skip * rows->row.bytes);
	rows->n_staged = 0;
}

/* Room for n rows from path first on, which follow those that are there. */
static unsigned char *stage(struct gbm_rows *rows, uint64_t first, uint64_t n)
{
	unsigned char *at;

	if (rows->n_staged + n > rows->capacity)
		flush(rows);
	if (!rows->n_staged)
		rows->staged_at = first;
	at = rows->staged + rows->n_staged * rows->row.bytes;
	rows->n_staged += n;
	return at;
}

static void store(unsigned char *to, const double *from, size_t n,
		  unsigned float_bytes)
{
	float *f = (float *)(void *)to;

	if (float_bytes == sizeof(double))
		memcpy(to, from, n * sizeof(*from));
	else
		for (size_t i = 0; i < n; i++)
			f[i] = (float)from[i];
}

/*
 * The block's prices, one path after the other.  Tiles: a cache line of each
 * time is read once, and the lines that are written stay in the cache.
 */
static void store_paths(unsigned char *to, const struct gbm_block *block,
			unsigned float_bytes)
{
	const size_t times = block->n_times, lanes = GBM_LANES;
	float *f = (float *)(void *)to;
	double *d = (double *)(void *)to;

	for (size_t i = 0; i < block->n_paths; i += lanes) {
		size_t n =
			block->n_paths - i < lanes ? block->n_paths - i : lanes;

		for (size_t t = 0; t < times; t++) {
			const double *from =
				block->values + t * block->stride + i;

			for (size_t k = 0; k < n; k++)
				if (float_bytes == sizeof(double))
					d[(i + k) * times + t] = from[k];
				else
					f[(i + k) * times + t] = (float)from[k];
		}
	}
}

/* Of the plan's functional, whole blocks. */
static void add_values(void *user, double *values, size_t n)
{
	struct gbm_rows *rows = user;

	gbm_stats_add_block(rows->stats, rows->plan->kernel, values, n);
}

/* Where a kernel's blocks go. */
struct ends {
	struct gbm_rows *rows;
	uint64_t first;
	size_t left; /* the last group may be cut */
};

static void take_ends(void *user, double *values, size_t n)
{
	struct ends *e = user;
	struct gbm_rows *rows = e->rows;

	if (n > e->left)
		n = e->left;
	e->left -= n;
	store(stage(rows, e->first, n), values, n, rows->row.float_bytes);
	e->first += n;
}

static uint64_t groups_of(uint64_t n)
{
	return (n + GBM_GROUP_PATHS - 1) / GBM_GROUP_PATHS;
}

static void run_ends(struct gbm_rows *rows, uint64_t first, size_t n)
{
	struct ends e = { rows, first, n };
	const struct gbm_take take = { take_ends, &e, 0, 0 };

	rows->plan->kernel->terminal(&rows->plan->dynamics,
				     first / GBM_GROUP_PATHS, groups_of(n),
				     NULL, &take);
}

static int run_paths(struct gbm_rows *rows, uint64_t first, uint64_t n)
{
	const struct gbm_plan *plan = rows->plan;
	const struct gbm_functional *f = &plan->functional;
	const uint64_t chunk = plan->stream_chunk.paths;
	struct gbm_block block = {
		.values = rows->paths,
		.n_times = (size_t)(plan->dynamics.steps + 1),
		.stride = (size_t)plan->stream_chunk.stride,
	};
	const double *ends =
		rows->paths + plan->dynamics.steps * plan->stream_chunk.stride;
	size_t n_values = 0;

	for (uint64_t i = 0; i < n && !rows->code; i += chunk) {
		uint64_t m = n - i < chunk ? n - i : chunk;

		gbm_plan_paths(plan, first + i, m, rows->paths, block.stride);
		block.first_path = first + i;
		block.n_paths = (size_t)m;
		if (rows->row.save == GBM_SAVE_PATHS)
			store_paths(stage(rows, first + i, m), &block,
				    rows->row.float_bytes);
		else
			store(stage(rows, first + i, m), ends, (size_t)m,
			      rows->row.float_bytes);
		if (!rows->stats || !f->fn)
			continue;
		rows->code = f->fn(&block, f->user, rows->values + n_values);
		n_values += (size_t)m;
		if (!rows->code &&
		    (n_values % GBM_BLOCK_PATHS == 0 || i + m == n)) {
			for (size_t j = 0; j < n_values; j += GBM_BLOCK_PATHS)
				add_values(rows, rows->values + j,
					   n_values - j < GBM_BLOCK_PATHS
						   ? n_values - j
						   : GBM_BLOCK_PATHS);
			n_values = 0;
		}
	}
	return rows->code;
}

/*
 * A built-in functional has other last bits when it is made of stored prices
 * than by its own kernel: that runs besides, so that a result does not depend
 * on whether its paths are kept.
 */
int gbm_rows_run(struct gbm_rows *rows, uint64_t first, uint64_t n)
{
	const struct gbm_functional *f = &rows->plan->functional;

	rows->code = 0;
	rows->n_staged = 0;
	if (rows->paths)
		run_paths(rows, first, n);
	else
		run_ends(rows, first, (size_t)n);
	flush(rows);
	if (!rows->code && rows->stats && !f->fn)
		gbm_builtin_run(rows->plan, f, first, (size_t)n, add_values,
				rows);
	return rows->code;
}
