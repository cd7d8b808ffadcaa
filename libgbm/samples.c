/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A file of samples as an object: its memory, layout and checksums. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libgbm/crc32c.h"
#include "libgbm/err.h"
#include "libgbm/npy.h"
#include "libgbm/samples.h"

/* A write is about this long where the budget allows it. */
#define WRITE_BYTES (UINT64_C(1) << 20)
/* What may be on its way to the disk at a time, of one thread. */
#define WINDOW_BYTES (UINT64_C(8) << 20)

#define PACKED_HEAD  16 /* rows, ticket */
#define PACKED_FILE  8	/* rows written */
#define PACKED_BLOCK 12 /* checksum, rows done */

struct gbm_shown gbm_shown(const char *file)
{
	struct gbm_shown shown;
	size_t n = strlen(file), keep = sizeof(shown.text) - 1;

	if (n > keep)
		snprintf(shown.text, sizeof(shown.text), "...%s",
			 file + n - (keep - 3));
	else
		memcpy(shown.text, file, n + 1);
	for (char *c = shown.text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return shown;
}

struct gbm_size_text gbm_size_text(uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB",
					     "GiB",   "TiB", "PiB" };
	struct gbm_size_text t;
	double x = (double)bytes;
	size_t i = 0;

	for (; x >= 1024 && i < 5; i++)
		x /= 1024;
	snprintf(t.text, sizeof(t.text), i && x < 100 ? "%.1f %s" : "%.0f %s",
		 x, units[i]);
	return t;
}

/*
 * Writes and window shrink until they fit into what the plan left of its
 * budget.
 */
static int choose_memory(struct gbm_samples *s, struct gbm_error *err)
{
	const struct gbm_plan *plan = s->plan;
	uint64_t least, left = 0, tables, each;

	if (!plan->stream_chunk.paths && s->m.save == GBM_SAVE_PATHS)
		return gbm_error_set(
			err, GBM_ENOMEM,
			"the budget of %llu bytes, by %s, does "
			"not hold 8 whole paths: raise that limit, "
			"or use fewer steps",
			(unsigned long long)plan->budget.bytes,
			plan->budget.source);
	least = gbm_rows_least(plan, &s->row);
	/* Of this process, and packed: of another one, or for a checkpoint. */
	tables = gbm_samples_packed_size(s) * 2 + s->n_files * PACKED_FILE;
	s->capacity = WRITE_BYTES / s->row.bytes;
	s->capacity -= s->capacity % GBM_BLOCK_PATHS;
	if (s->capacity < least)
		s->capacity = least;
	s->window = WINDOW_BYTES;
	if (plan->budget.bytes > plan->need)
		left = plan->budget.bytes - plan->need;
	for (;;) {
		/* A file that is compared needs a second buffer, no window. */
		each = s->capacity * s->row.bytes;
		each = gbm_rows_bytes(plan, &s->row, s->capacity) +
		       (each > s->window ? each : s->window);
		if (tables + plan->threads * each <= left)
			return GBM_OK;
		if (s->window > WRITE_BYTES / 4)
			s->window /= 2;
		else if (s->capacity / 2 >= least)
			s->capacity /= 2;
		else
			break;
	}
	return gbm_error_set(
		err, GBM_ENOMEM,
		"writing %s needs %llu bytes more than the "
		"simulation's %llu, but the budget is %llu by %s: "
		"raise that limit, or use fewer threads",
		gbm_shown(s->file).text,
		(unsigned long long)(tables + plan->threads * each),
		(unsigned long long)plan->need,
		(unsigned long long)plan->budget.bytes, plan->budget.source);
}

static int choose_layout(struct gbm_samples *s,
			 const struct gbm_samples_options *o,
			 struct gbm_error *err)
{
	struct gbm_manifest *m = &s->m;
	const struct gbm_plan *plan = s->plan;

	m->seed = plan->dynamics.seed;
	m->model = plan->model;
	m->first_path = o->first_path;
	m->rows = plan->n_paths - o->first_path;
	m->save = o->save;
	m->dtype = o->dtype;
	m->stream_version = GBM_STREAM_VERSION;
	if (plan->has_functional) {
		s->functional = plan->functional;
		m->functional = &s->functional;
	}
	m->shards = o->shards;
	if (!gbm_manifest_layout(m))
		return gbm_error_set(err, GBM_EINVAL,
				     "%s would have more bytes than a file can "
				     "have: use fewer paths or steps",
				     gbm_shown(s->name).text);
	s->row.save = m->save;
	s->row.float_bytes = m->dtype == GBM_F4 ? 4 : 8;
	s->row.bytes = gbm_manifest_row_bytes(m);
	s->n_files = m->shards ? m->shards : 1;
	return GBM_OK;
}

int gbm_samples_new(struct gbm_samples **samples, const char *file,
		    const struct gbm_plan *plan,
		    const struct gbm_samples_options *options,
		    struct gbm_error *err)
{
	static const struct gbm_samples_options defaults =
		GBM_SAMPLES_OPTIONS_INIT;
	const struct gbm_samples_options *o = options ? options : &defaults;
	struct gbm_samples *s;
	int status;

	if (!samples)
		return gbm_error_set(err, GBM_EINVAL,
				     "samples: must not be NULL");
	*samples = NULL;
	if (!plan || !file || !*file)
		return gbm_error_set(err, GBM_EINVAL,
				     "file and plan: must be given");
	if (o->size != sizeof(*o) || (unsigned)o->save > GBM_SAVE_PATHS ||
	    (unsigned)o->dtype > GBM_F4 || o->shards > GBM_SAMPLES_SHARDS ||
	    (o->shards && o->shard >= o->shards))
		return gbm_error_set(err, GBM_EINVAL,
				     "samples' options: set them up with "
				     "GBM_SAMPLES_OPTIONS_INIT");
	if (o->first_path >= plan->n_paths)
		return gbm_error_set(err, GBM_EINVAL,
				     "first_path = %llu: must be below the "
				     "plan's %llu paths",
				     (unsigned long long)o->first_path,
				     (unsigned long long)plan->n_paths);
	s = calloc(1, sizeof(*s));
	if (!s)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	*samples = s;
	s->plan = plan;
	s->fd = -1;
	s->name = strdup(file);
	if (!s->name)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	status = choose_layout(s, o, err);
	if (!status && gbm_samples_choose(s, o->shard) != GBM_OK)
		status = gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	if (!status)
		status = choose_memory(s, err);
	if (status)
		return status;
	s->crc = calloc(s->m.n_blocks, sizeof(*s->crc));
	s->done = calloc(s->m.n_blocks, sizeof(*s->done));
	s->written = calloc(s->n_files, sizeof(*s->written));
	s->resumed = calloc(s->n_files, sizeof(*s->resumed));
	if (!s->crc || !s->done || !s->written || !s->resumed)
		return gbm_error_set(err, GBM_ENOMEM, "no memory is left");
	s->m.crc = s->crc;
	return GBM_OK;
}

int gbm_samples_choose(struct gbm_samples *s, unsigned shard)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	free(s->file);
	s->shard = shard;
	s->first = s->m.first_path;
	s->rows = s->m.rows;
	if (s->m.shards) {
		gbm_manifest_shard(&s->m, shard, &s->first, &s->rows);
		s->file = gbm_manifest_shard_name(s->name, shard);
	} else {
		s->file = strdup(s->name);
	}
	s->bytes = GBM_NPY_DATA + s->rows * s->row.bytes;
	return s->file ? GBM_OK : GBM_ENOMEM;
}

void gbm_samples_shard(const struct gbm_samples *s, uint64_t *first_path,
		       uint64_t *n_paths)
{
	*first_path = s->first;
	*n_paths = s->rows;
}

void gbm_samples_close(struct gbm_samples **samples)
{
	struct gbm_samples *s;

	if (!samples || !*samples)
		return;
	s = *samples;
	gbm_samples_free_writers(s);
	if (s->fd >= 0)
		close(s->fd);
	free(s->name);
	free(s->file);
	free(s->crc);
	free(s->done);
	free(s->written);
	free(s->resumed);
	free(s->expected);
	free(s);
	*samples = NULL;
}

uint64_t gbm_samples_ticket(const struct gbm_samples *s)
{
	return s->m.ticket;
}

off_t gbm_samples_at(const struct gbm_samples *s, uint64_t path)
{
	return (off_t)(GBM_NPY_DATA + (path - s->first) * s->row.bytes);
}

uint64_t gbm_samples_block_rows(const struct gbm_samples *s, uint32_t block)
{
	uint64_t left = s->m.rows - block * s->m.block_rows;

	return left < s->m.block_rows ? left : s->m.block_rows;
}

int gbm_samples_fail(struct gbm_samples *s, const struct gbm_error *why)
{
	int status;

#ifdef _OPENMP
#pragma omp critical(gbm_samples_error)
#endif
	{
		if (!s->error.status)
			s->error = *why;
		status = s->error.status;
	}
	return status;
}

/*
 * Checksums of parts of a block, in any order: each is shifted by what follows
 * it in the block, and all are added up.
 */
void gbm_samples_count(struct gbm_samples *s, uint64_t first, uint64_t n,
		       const unsigned char *bytes)
{
	uint64_t row = first - s->m.first_path;

	while (n) {
		uint32_t block = (uint32_t)(row / s->m.block_rows);
		uint64_t at = row % s->m.block_rows;
		uint64_t rows = gbm_samples_block_rows(s, block), part;
		uint32_t crc;

		part = rows - at < n ? rows - at : n;
		crc = gbm_crc32c(0, bytes, (size_t)(part * s->row.bytes));
		crc = gbm_crc32c_shift(crc, (rows - at - part) * s->row.bytes);
		__atomic_fetch_xor(&s->crc[block], crc, __ATOMIC_RELAXED);
		__atomic_fetch_add(&s->done[block], part, __ATOMIC_RELAXED);
		row += part;
		n -= part;
		bytes += part * s->row.bytes;
	}
}

static void put(unsigned char *to, uint64_t x, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (unsigned char)(x >> 8 * i);
}

static uint64_t get(const unsigned char *from, unsigned bytes)
{
	uint64_t x = 0;

	for (unsigned i = 0; i < bytes; i++)
		x |= (uint64_t)from[i] << 8 * i;
	return x;
}

static size_t packed_size(const struct gbm_samples *s, uint32_t n_blocks)
{
	return PACKED_HEAD + (size_t)s->n_files * PACKED_FILE +
	       (size_t)n_blocks * PACKED_BLOCK;
}

size_t gbm_samples_packed_size(const struct gbm_samples *s)
{
	return packed_size(s, s->m.n_blocks);
}

void gbm_samples_pack(const struct gbm_samples *s, void *bytes)
{
	unsigned char *to = bytes;

	put(to, s->m.rows, 8);
	put(to + 8, s->m.ticket, 8);
	to += PACKED_HEAD;
	for (unsigned i = 0; i < s->n_files; i++, to += PACKED_FILE)
		put(to, s->written[i], PACKED_FILE);
	for (uint32_t i = 0; i < s->m.n_blocks; i++, to += PACKED_BLOCK) {
		put(to, s->crc[i], 4);
		put(to + 4, s->done[i], 8);
	}
}

int gbm_samples_merge(struct gbm_samples *s, const void *bytes, size_t n)
{
	const unsigned char *files = (const unsigned char *)bytes + PACKED_HEAD;
	const unsigned char *from;
	uint64_t first, rows = 0;

	if (!s || !bytes || n != gbm_samples_packed_size(s) ||
	    get(bytes, 8) != s->m.rows)
		return GBM_EFORMAT;
	from = files + (size_t)s->n_files * PACKED_FILE;
	for (unsigned i = 0; i < s->n_files; i++) {
		rows = s->m.rows;
		if (s->m.shards)
			gbm_manifest_shard(&s->m, i, &first, &rows);
		if (s->written[i] > rows ||
		    get(files + i * PACKED_FILE, 8) > rows - s->written[i])
			return GBM_EFORMAT;
	}
	for (uint32_t i = 0; i < s->m.n_blocks; i++)
		if (get(from + i * PACKED_BLOCK + 4, 8) >
		    gbm_samples_block_rows(s, i) - s->done[i])
			return GBM_EFORMAT;
	for (uint32_t i = 0; i < s->m.n_blocks; i++, from += PACKED_BLOCK) {
		s->crc[i] ^= (uint32_t)get(from, 4);
		s->done[i] += get(from + 4, 8);
	}
	for (unsigned i = 0; i < s->n_files; i++)
		s->written[i] += get(files + i * PACKED_FILE, 8);
	return GBM_OK;
}

void gbm_samples_forget(struct gbm_samples *s)
{
	memset(s->crc, 0, s->m.n_blocks * sizeof(*s->crc));
	memset(s->done, 0, s->m.n_blocks * sizeof(*s->done));
	memset(s->written, 0, s->n_files * sizeof(*s->written));
}

/*
 * In a file with more rows blocks are the same, or several of them are one; in
 * which more rows may follow.
 */
const char *gbm_samples_restore(struct gbm_samples *s, const void *bytes,
				size_t n)
{
	const unsigned char *from = bytes;
	struct gbm_manifest old = s->m;
	uint64_t left;

	if (n < PACKED_HEAD)
		return "a part is damaged";
	old.rows = get(from, 8);
	s->m.ticket = get(from + 8, 8);
	if (old.rows > s->m.rows)
		return "it has more paths than this run";
	if (old.rows != s->m.rows && s->m.shards)
		return "shards cannot be extended";
	if (!gbm_manifest_layout(&old) || n < packed_size(s, old.n_blocks))
		return "a part is damaged";
	gbm_samples_forget(s);
	from += PACKED_HEAD;
	for (unsigned i = 0; i < s->n_files; i++, from += PACKED_FILE)
		s->resumed[i] = s->written[i] = get(from, 8);
	for (left = old.rows; left; from += PACKED_BLOCK) {
		uint64_t row = old.rows - left, done = get(from + 4, 8);
		uint64_t rows = left < old.block_rows ? left : old.block_rows;
		uint32_t block = (uint32_t)(row / s->m.block_rows);
		uint64_t end = block * s->m.block_rows +
			       gbm_samples_block_rows(s, block);
		uint32_t crc = (uint32_t)get(from, 4);

		s->crc[block] ^= gbm_crc32c_shift(crc, (end - row - rows) *
							       s->row.bytes);
		s->done[block] += done;
		left -= rows;
	}
	return NULL;
}

uint64_t gbm_samples_front(const struct gbm_samples *s, unsigned shard)
{
	return shard < s->n_files ? s->written[shard] : 0;
}

void gbm_samples_set_front(struct gbm_samples *s, unsigned shard, uint64_t rows)
{
	if (shard < s->n_files)
		s->resumed[shard] = rows;
}

uint64_t gbm_samples_written(const struct gbm_samples *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->n_files; i++)
		n += s->written[i];
	return n;
}

int gbm_samples_complete(const struct gbm_samples *s)
{
	return s->m.complete;
}
