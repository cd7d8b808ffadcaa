/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MANIFEST_H
#define GBM_MANIFEST_H

/* What is known of a file of samples, and its form on disk: JSON. */

#include <stddef.h>
#include <stdint.h>

#include <gbm-mc/samples.h>

/* Checksums are of blocks of rows; no more than this many for any file. */
#define GBM_MANIFEST_BLOCKS 16384

struct gbm_manifest {
	struct gbm_model model;
	uint64_t seed;
	uint64_t first_path, rows;
	uint64_t columns; /* 0: one number a row */
	enum gbm_save save;
	enum gbm_dtype dtype;
	int stream_version;
	int complete;
	uint64_t ticket; /* of a file that is not complete */
	/* The functional whose estimate was made; NULL when there was none. */
	const struct gbm_functional *functional;
	unsigned shards;     /* 0: one file */
	uint64_t block_rows; /* the last block may have fewer */
	uint32_t n_blocks;
	uint32_t *crc; /* CRC-32C of each block; owned by whoever set it */
};

/*
 * Fills what follows from the plan's own figures: columns, block_rows,
 * n_blocks.  Returns the size of the file in bytes, or 0 when it is more than a
 * file can have.
 */
uint64_t gbm_manifest_layout(struct gbm_manifest *m);

/* Bytes of one row. */
uint64_t gbm_manifest_row_bytes(const struct gbm_manifest *m);

/* More than a manifest of one file has, beside its name; and of a shard. */
#define GBM_MANIFEST_SIZE  (GBM_MANIFEST_BLOCKS * 16 + 8192)
#define GBM_MANIFEST_SHARD 1700

/* The rows of a shard, in whole blocks of paths. */
void gbm_manifest_shard(const struct gbm_manifest *m, unsigned shard,
			uint64_t *first_path, uint64_t *rows);

/*
 * The name of shard's file, by that of all, which may be with directories:
 * "a.npy" has "a.0.npy".  The caller frees it; NULL without memory.
 */
char *gbm_manifest_shard_name(const char *file, unsigned shard);

/*
 * Writes m for the file of this name (without directories) into text.  Returns
 * its length, or 0 when size is too small.
 */
size_t gbm_manifest_print(const struct gbm_manifest *m, const char *name,
			  char *text, size_t size);

/*
 * Reads n bytes of text into *m.  crc receives the checksums, for
 * which m->n_blocks is the number, at most GBM_MANIFEST_BLOCKS.  Returns
 * NULL, or what is wrong, in static storage.
 */
const char *gbm_manifest_parse(struct gbm_manifest *m, const char *text,
			       size_t n, uint32_t crc[GBM_MANIFEST_BLOCKS]);

/* "terminal", "f8": static storage. */
const char *gbm_save_name(enum gbm_save save);
const char *gbm_dtype_name(enum gbm_dtype dtype);

#endif
