/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who does what of files of paths: see rounds.h. */
#include <stdlib.h>
#include <string.h>

#include "libgbm/rounds.h"

/* That a round is meant to take: half a second. */
#define ROUND_NS UINT64_C(500000000)
/* Blocks, more than any does in that time: products of their sums fit. */
#define MOST_WANTED (UINT64_C(1) << 20)
#define MOST_NS	    UINT64_C(1000000000000)

int gbm_rounds_open(struct gbm_rounds *r, const struct gbm_team *team,
		    unsigned n_files)
{
	size_t size = (size_t)team->size;

	*r = (struct gbm_rounds){ .team = team, .n_files = n_files };
	r->files = calloc(n_files, sizeof(*r->files));
	r->parts = calloc(size, sizeof(*r->parts));
	r->threads = calloc(size, sizeof(*r->threads));
	r->ns = calloc(size, sizeof(*r->ns));
	r->wants = calloc(size, sizeof(*r->wants));
	return r->files && r->parts && r->threads && r->ns && r->wants
		       ? GBM_OK
		       : GBM_ENOMEM;
}

void gbm_rounds_close(struct gbm_rounds *r)
{
	free(r->files);
	free(r->parts);
	free(r->threads);
	free(r->ns);
	free(r->wants);
}

/* A number of this process, to all, who have one of each. */
static int collect(struct gbm_rounds *r, uint64_t mine, uint64_t *all)
{
	const struct gbm_team *t = r->team;

	all[t->rank] = mine;
	return t->size > 1 ? t->collect(t->user, mine, all) : GBM_OK;
}

int gbm_rounds_begin(struct gbm_rounds *r, unsigned threads)
{
	int status = collect(r, threads, r->threads);

	memcpy(r->wants, r->threads, (size_t)r->team->size * sizeof(*r->wants));
	return status;
}

/* ---- dealing */

void gbm_rounds_left(struct gbm_rounds *r, unsigned file, uint64_t at,
		     uint64_t end)
{
	struct gbm_deal d = { .at = at, .end = end > at ? end : at };

	d.base = at - at % GBM_BLOCK_PATHS;
	if (d.at < d.end)
		d.blocks = (d.end - d.base + GBM_BLOCK_PATHS - 1) /
			   GBM_BLOCK_PATHS;
	r->files[file] = d;
}

/* The file that a process works on, or the number of files: none. */
static unsigned file_of(const struct gbm_rounds *r, unsigned rank)
{
	unsigned files = r->n_files, size = (unsigned)r->team->size;
	unsigned file = files < size ? rank % files : rank;

	while (file < files && !r->files[file].blocks)
		file += size;
	return file < files ? file : files;
}

/* Where the part begins that comes after so many wanted blocks. */
static uint64_t border(const struct gbm_deal *d, uint64_t before)
{
	uint64_t block = d->blocks / d->wanted * before +
			 d->blocks % d->wanted * before / d->wanted;
	uint64_t path = d->base + block * GBM_BLOCK_PATHS;

	return path < d->at ? d->at : path < d->end ? path : d->end;
}

uint64_t gbm_rounds_deal(struct gbm_rounds *r, int last)
{
	unsigned size = (unsigned)r->team->size;
	uint64_t all = 0;

	for (unsigned rank = 0; rank < size; rank++) {
		r->parts[rank] = (struct gbm_part){ .file = file_of(r, rank) };
		if (r->parts[rank].file < r->n_files)
			r->files[r->parts[rank].file].wanted += r->wants[rank];
	}
	for (unsigned rank = 0; rank < size; rank++) {
		struct gbm_part *part = r->parts + rank;
		struct gbm_deal *d = r->files + part->file;

		if (part->file == r->n_files)
			continue;
		if (!last && d->blocks > d->wanted)
			d->blocks = d->wanted;
		part->first = border(d, d->before);
		d->before += r->wants[rank];
		part->n = border(d, d->before) - part->first;
		all += part->n;
	}
	return all;
}

/* ---- learning */

/*
 * What each is to do in the next round, from what they say about the last one.
 * A round is at most twice as long as the one before, but as long as the
 * slowest needs for a block in each of its threads; and nobody gets more than
 * four times what he had, for a time may be too good to be true: writes that
 * only went as far as memory.
 */
static void set_wants(struct gbm_rounds *r)
{
	uint64_t longest = 0, slowest = 0, round;

	for (int i = 0; i < r->team->size; i++) {
		uint64_t took = r->parts[i].n / GBM_BLOCK_PATHS * r->ns[i];
		uint64_t once = r->threads[i] * r->ns[i];

		longest = longest > took ? longest : took;
		slowest = slowest > once ? slowest : once;
	}
	round = longest < ROUND_NS / 2 ? 2 * longest : ROUND_NS;
	round = round > slowest ? round : slowest;
	for (int i = 0; i < r->team->size; i++) {
		uint64_t most = 4 * r->wants[i];
		uint64_t blocks = r->ns[i] ? round / r->ns[i] : r->wants[i];

		most = most < MOST_WANTED ? most : MOST_WANTED;
		blocks = blocks < most ? blocks : most;
		blocks -= blocks % r->threads[i];
		r->wants[i] = blocks ? blocks : r->threads[i];
	}
}

int gbm_rounds_learn(struct gbm_rounds *r, double seconds)
{
	const struct gbm_team *t = r->team;
	uint64_t blocks = r->parts[t->rank].n / GBM_BLOCK_PATHS;
	uint64_t mine = r->ns[t->rank];
	int status;

	if (blocks && seconds < 1e-9 * (double)MOST_NS)
		mine = (uint64_t)(1e9 * seconds / (double)blocks + 0.5);
	else if (blocks)
		mine = MOST_NS;
	mine += blocks && !mine;
	status = collect(r, mine, r->ns);
	if (status == GBM_OK)
		set_wants(r);
	return status;
}
