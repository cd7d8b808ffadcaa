/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Filling a file of samples, and comparing one. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "libgbm/err.h"
#include "libgbm/npy.h"
#include "libgbm/samples.h"
#include "libgbm/share.h"

/* A code of ours that ends a run, where functionals may return any. */
#define FAILED (-1)

#define MAX_EXTENTS 64

/* Bytes of the file that were written and are on their way to the disk. */
struct extent {
	off_t at, n;
};

/* A thread's. */
struct gbm_writer {
	struct gbm_samples *s;
	struct gbm_rows rows;
	struct gbm_stats stats;
	off_t from, to;	      /* what may be written, in bytes of the file */
	int counts;	      /* rows are this process' own */
	unsigned char *there; /* what a file that is compared holds */
	struct extent extents[MAX_EXTENTS];
	unsigned oldest, n_extents;
	uint64_t pending; /* bytes of all extents */
};

static off_t cell_from(off_t at)
{
	return (at + GBM_SAMPLES_CELL - 1) / GBM_SAMPLES_CELL *
	       GBM_SAMPLES_CELL;
}

static int io_failed(struct gbm_writer *w, const char *what, off_t at,
		     int error)
{
	struct gbm_samples *s = w->s;
	struct statvfs fs;
	struct gbm_error why;
	char room[48] = "";

	if (error == ENOSPC && fstatvfs(s->fd, &fs) == 0)
		snprintf(room, sizeof(room), " (%s free)",
			 gbm_size_text((uint64_t)fs.f_bavail * fs.f_frsize)
				 .text);
	gbm_error_set(&why, GBM_EIO,
		      "%s: %s at byte %llu of %llu failed: %s%s: %s%s",
		      gbm_shown(s->file).text, what, (unsigned long long)at,
		      (unsigned long long)s->bytes, strerror(error), room,
		      error == ENOSPC || error == EDQUOT
			      ? "make room"
			      : "look after its file system",
		      s->kept	 ? ", then go on with --resume"
		      : s->reads ? " and run again"
				 : " and run again; by its manifest it is not "
				   "complete");
	gbm_samples_fail(s, &why);
	return FAILED;
}

/* ---- the page cache */

/* Whole pages only: outwards, where a neighbour's dirty ones stay. */
static void drop_oldest(struct gbm_writer *w)
{
	struct extent *e = &w->extents[w->oldest];

	posix_fadvise(w->s->fd, e->at - e->at % GBM_SAMPLES_CELL,
		      cell_from(e->n) + GBM_SAMPLES_CELL, POSIX_FADV_DONTNEED);
	w->pending -= (uint64_t)e->n;
	w->oldest = (w->oldest + 1) % MAX_EXTENTS;
	w->n_extents--;
}

/*
 * Waits for the oldest extent, and lets go of its pages.  On a file server only
 * a sync lets them go, of all extents at once: sync_file_range() does not have
 * the server commit.
 */
static int settle(struct gbm_writer *w)
{
	const unsigned how = SYNC_FILE_RANGE_WAIT_BEFORE |
			     SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
	const struct extent *e = &w->extents[w->oldest];
	int fd = w->s->fd, all = w->s->server, status = -1;

	if (!all) {
		status = sync_file_range(fd, e->at, e->n, how);
		all = status != 0 &&
		      (errno == EINVAL || errno == ESPIPE || errno == ENOSYS);
	}
	if (all)
		status = fdatasync(fd);
	if (status != 0)
		return io_failed(w, "writing", e->at, errno);
	do
		drop_oldest(w);
	while (all && w->n_extents);
	return 0;
}

static int settle_all(struct gbm_writer *w)
{
	int code = 0;

	while (w->n_extents && !code)
		code = settle(w);
	return code;
}

static int let_go(struct gbm_writer *w, off_t at, off_t n)
{
	int code = 0;

	if (!w->s->server) /* begin; errors are seen when it is waited for */
		(void)sync_file_range(w->s->fd, at, n, SYNC_FILE_RANGE_WRITE);
	if (w->n_extents == MAX_EXTENTS)
		code = settle(w);
	if (code)
		return code;
	w->extents[(w->oldest + w->n_extents++) % MAX_EXTENTS] =
		(struct extent){ at, n };
	w->pending += (uint64_t)n;
	while (w->n_extents && w->pending > w->s->window && !code)
		code = settle(w);
	return code;
}

/* ---- writing */

static int write_bytes(struct gbm_writer *w, const unsigned char *bytes,
		       off_t at, off_t n)
{
	int code = 0;

	while (n > 0 && !code) {
		/* Not more than may be in the page cache. */
		size_t part =
			(uint64_t)n > w->s->window ? w->s->window : (size_t)n;
		ssize_t written = pwrite(w->s->fd, bytes, part, at);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return io_failed(w, "writing", at,
					 written < 0 ? errno : ENOSPC);
		code = let_go(w, at, written);
		bytes += written;
		at += written;
		n -= written;
	}
	return code;
}

static int put_rows(void *user, uint64_t first, uint64_t n,
		    const unsigned char *bytes)
{
	struct gbm_writer *w = user;
	off_t at = gbm_samples_at(w->s, first);
	off_t end = gbm_samples_at(w->s, first + n), skip = 0;

	if (w->counts)
		gbm_samples_count(w->s, first, n, bytes);
	if (at < w->from)
		skip = (w->from < end ? w->from : end) - at;
	if (end > w->to)
		end = w->to;
	if (at + skip >= end)
		return 0;
	return write_bytes(w, bytes + skip, at + skip, end - at - skip);
}

/* ---- comparing */

static int damaged(struct gbm_writer *w, uint64_t path)
{
	struct gbm_samples *s = w->s;
	uint64_t row = path - s->m.first_path;
	uint32_t block = (uint32_t)(row / s->m.block_rows);
	uint64_t first = s->m.first_path + block * s->m.block_rows;
	uint64_t last = first + gbm_samples_block_rows(s, block) - 1;
	struct gbm_error why;

	gbm_error_set(&why, GBM_EDAMAGED,
		      "%s: block %u, paths %llu to %llu, is not what the seed "
		      "gives: path %llu is the first that differs%s",
		      gbm_shown(s->file).text, block, (unsigned long long)first,
		      (unsigned long long)last, (unsigned long long)path,
		      s->m.complete ? ""
				    : "; by its manifest it is not complete");
#ifdef _OPENMP
#pragma omp critical(gbm_samples_error)
#endif
	if (s->error.status != GBM_EIO && path < s->bad) {
		s->error = why;
		s->bad = path;
	}
	return FAILED;
}

static int compare_rows(void *user, uint64_t first, uint64_t n,
			const unsigned char *bytes)
{
	struct gbm_writer *w = user;
	const size_t row = (size_t)w->s->row.bytes, all = (size_t)n * row;
	off_t at = gbm_samples_at(w->s, first);
	size_t got = 0;

	gbm_samples_count(w->s, first, n, bytes);
	while (got < all) {
		ssize_t part = pread(w->s->fd, w->there + got, all - got,
				     at + (off_t)got);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return io_failed(w, "reading", at + (off_t)got,
					 part < 0 ? errno : EIO);
		got += (size_t)part;
	}
	posix_fadvise(w->s->fd, at, (off_t)all, POSIX_FADV_DONTNEED);
	for (uint64_t i = 0; memcmp(bytes, w->there, all) != 0 && i < n; i++)
		if (memcmp(bytes + i * row, w->there + i * row, row) != 0)
			return damaged(w, first + i);
	return 0;
}

/* ---- threads */

static int run_item(void *user, unsigned thread, uint64_t first, uint64_t n)
{
	const struct gbm_samples *s = user;

	return gbm_rows_run(&s->writers[thread].rows, first, n);
}

void gbm_samples_free_writers(struct gbm_samples *s)
{
	for (unsigned i = 0; s->writers && i < s->plan->threads; i++) {
		gbm_rows_close(&s->writers[i].rows);
		free(s->writers[i].there);
	}
	free(s->writers);
	s->writers = NULL;
}

/* Ready for a range, of paths from first on.  Returns 0 or GBM_ENOMEM. */
static int ready_writers(struct gbm_samples *s, uint64_t first, off_t from,
			 off_t to, int with_stats)
{
	int made = s->writers != NULL, status = GBM_OK;
	unsigned n = s->plan->threads;

	if (!made)
		s->writers = calloc(n, sizeof(*s->writers));
	if (!s->writers)
		return GBM_ENOMEM;
	for (unsigned i = 0; i < n && !status; i++) {
		struct gbm_writer *w = s->writers + i;

		if (!made)
			status = gbm_rows_open(&w->rows, s->plan, &s->row,
					       s->capacity);
		if (!made && !status && s->reads) {
			w->there = gbm_plan_alloc(s->capacity * s->row.bytes);
			status = w->there ? GBM_OK : GBM_ENOMEM;
		}
		w->s = s;
		w->from = from;
		w->to = to;
		w->counts = 1;
		w->rows.fn = s->reads ? compare_rows : put_rows;
		w->rows.user = w;
		w->rows.from = first;
		gbm_stats_zero(&w->stats);
		w->rows.stats = with_stats ? &w->stats : NULL;
	}
	if (status)
		gbm_samples_free_writers(s);
	return status;
}

int gbm_samples_settle(struct gbm_samples *s, struct gbm_error *err)
{
	int status = GBM_OK;

	s->error.status = GBM_OK;
	for (unsigned i = 0; s->writers && i < s->plan->threads; i++)
		if (settle_all(s->writers + i) != 0)
			status = s->error.status;
	if (status && err)
		*err = s->error;
	return status;
}

/*
 * What of the last cell the next rows fill, which belong to somebody else: they
 * are simulated here too, and not counted.
 */
static int complete_cell(struct gbm_writer *w, uint64_t first, off_t from,
			 off_t cell_end)
{
	const struct gbm_samples *s = w->s;
	uint64_t row = s->row.bytes;
	uint64_t n = ((uint64_t)(cell_end - from) + row - 1) / row;

	w->counts = 0;
	w->from = from;
	w->to = cell_end;
	w->rows.stats = NULL;
	w->rows.from = first;
	return gbm_rows_run(&w->rows, first - first % GBM_BLOCK_PATHS,
			    first % GBM_BLOCK_PATHS + n);
}

/*
 * Blocks of an item: as many as the buffers hold, but every thread shall have
 * its part of a range that may be short: what is done until the next checkpoint.
 */
static uint64_t item_blocks(const struct gbm_samples *s, uint64_t first,
			    uint64_t end)
{
	uint64_t most = (s->capacity + GBM_BLOCK_PATHS - 1) / GBM_BLOCK_PATHS;
	uint64_t blocks = (end - first + GBM_BLOCK_PATHS - 1) / GBM_BLOCK_PATHS;
	uint64_t each = most * s->plan->threads;
	uint64_t items = (blocks + each - 1) / each * s->plan->threads;

	return (blocks + items - 1) / items;
}

/* All items of a range; a code of ours is turned into the status that it is. */
static int share_out(struct gbm_samples *s, uint64_t first, uint64_t end,
		     int *code)
{
	struct gbm_share share = { .plan = s->plan,
				   .first = first,
				   .n = end - first,
				   .fn = run_item,
				   .user = s };
	int status;

	share.item = item_blocks(s, first, end) * GBM_BLOCK_PATHS;
	share.base = s->progress_base;
	share.scale = s->progress_scale;
	share.total = s->m.rows;
	status = gbm_share_run(&share, code);
	if (status && s->error.status) {
		*code = 0;
		return s->error.status;
	}
	return status;
}

static int write_range(struct gbm_samples *s, uint64_t first, uint64_t end,
		       struct gbm_stats *stats, int *code)
{
	const uint64_t start = first - first % GBM_BLOCK_PATHS;
	off_t from = gbm_samples_at(s, first), to = gbm_samples_at(s, end);
	/* The cell before was not written to its end, as others' are. */
	int alone =
		first == s->first || first == s->first + s->resumed[s->shard];
	off_t own_from = alone ? from : cell_from(from);
	off_t own_to = cell_from(to);
	int status;

	if ((uint64_t)own_to > s->bytes)
		own_to = (off_t)s->bytes;
	status = ready_writers(s, first, own_from, to, stats != NULL);
	if (!status)
		status = share_out(s, start, end, code);
	/* A cell that began before this range is another's all of it. */
	if (!status && own_to > to && own_from <= to &&
	    complete_cell(s->writers, end, to, own_to) != 0)
		status = s->error.status;
	if (!status && stats)
		for (unsigned i = 0; i < s->plan->threads; i++)
			gbm_stats_merge(stats, &s->writers[i].stats);
	if (!status)
		s->written[s->shard] += end - first;
	return status;
}

/* Within first .. first + rows. */
static int within(uint64_t first_path, uint64_t n_paths, uint64_t first,
		  uint64_t rows)
{
	return first_path >= first && first_path - first <= rows &&
	       n_paths <= rows - (first_path - first);
}

int gbm_samples_run(struct gbm_samples *s, uint64_t first_path,
		    uint64_t n_paths, struct gbm_stats *stats, int *user_code,
		    struct gbm_error *err)
{
	int status, code = 0;

	if (user_code)
		*user_code = 0;
	if (!s || s->reads || !within(first_path, n_paths, s->first, s->rows) ||
	    (stats &&
	     (!s->plan->has_functional || first_path % GBM_BLOCK_PATHS ||
	      (n_paths % GBM_BLOCK_PATHS &&
	       first_path + n_paths < s->plan->n_paths))))
		return gbm_error_set(err, GBM_EINVAL,
				     "a range of samples must be within the "
				     "file, and of whole blocks for an "
				     "estimate");
	if (n_paths == 0)
		return GBM_OK;
	s->error.status = GBM_OK;
	status = write_range(s, first_path, first_path + n_paths, stats, &code);
	if (user_code)
		*user_code = code;
	if (status && s->error.status && err)
		*err = s->error;
	else if (status)
		gbm_error_set(err, status, "%s", gbm_strerror(status));
	return status;
}

/* What of a range is in the file that is open. */
static int compare_file(struct gbm_samples *s, uint64_t first, uint64_t end)
{
	uint64_t last = s->first + s->rows;
	int status, code;

	first = first > s->first ? first : s->first;
	end = end < last ? end : last;
	if (first >= end)
		return GBM_OK;
	status = ready_writers(s, first, 0, 0, 0);
	return status ? status
		      : share_out(s, first - first % GBM_BLOCK_PATHS, end,
				  &code);
}

int gbm_samples_verify(struct gbm_samples *s, uint64_t first_path,
		       uint64_t n_paths, uint64_t *bad, struct gbm_error *err)
{
	struct gbm_error why = { 0 };
	int status = GBM_OK;

	if (!s || !s->reads ||
	    !within(first_path, n_paths, s->m.first_path, s->m.rows))
		return gbm_error_set(err, GBM_EINVAL,
				     "a range to compare must be within the "
				     "file");
	if (n_paths == 0)
		return GBM_OK;
	s->error.status = GBM_OK;
	s->bad = UINT64_MAX;
	if (!s->m.shards)
		status = compare_file(s, first_path, first_path + n_paths);
	for (unsigned i = 0; i < s->m.shards && !status; i++) {
		uint64_t first, rows;

		gbm_manifest_shard(&s->m, i, &first, &rows);
		if (first + rows <= first_path || first >= first_path + n_paths)
			continue;
		status = gbm_samples_choose(s, i);
		if (!status)
			status = gbm_samples_look(s, &why);
		if (status)
			s->error = why;
		else
			status = compare_file(s, first_path,
					      first_path + n_paths);
	}
	if (bad)
		*bad = s->bad;
	if (status && s->error.status && err)
		*err = s->error;
	else if (status)
		gbm_error_set(err, status, "%s", gbm_strerror(status));
	return status;
}
