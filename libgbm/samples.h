/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_SAMPLES_H
#define GBM_SAMPLES_H

/* A file of samples' inside, for those who make, fill and compare it. */

#include <sys/types.h>

#include "libgbm/manifest.h"
#include "libgbm/plan.h"
#include "libgbm/rows.h"

struct gbm_samples {
	const struct gbm_plan *plan;
	struct gbm_manifest m;		  /* as it is, or will be, on disk */
	struct gbm_functional functional; /* that m.functional points to */
	struct gbm_row row;
	/* By which name; and the file that is open: a shard, or the only one.
	 */
	char *name;
	char *file;
	unsigned shard;	      /* which, or 0 */
	uint64_t first, rows; /* of that file */
	uint64_t bytes;
	int fd;
	int reads;  /* opened to be compared */
	int server; /* on a file server: see settle() */
	/* Memory, within the plan's budget. */
	uint64_t capacity; /* rows that a thread stages */
	uint64_t window;   /* bytes of the page cache, of each thread */
	/* Of each block: the checksum, as far as its rows are done. */
	uint32_t *crc;
	uint64_t *done;
	/* Of each file: rows written, and those from which a run went on. */
	unsigned n_files;
	uint64_t *written, *resumed;
	int kept; /* there is a checkpoint: it can be resumed */
	/* How far all are before this range, and paths of all for one of it. */
	uint64_t progress_base;
	double progress_scale; /* 0: only this range counts */
	uint32_t *expected; /* what the manifest says, of a file that is read */
	struct gbm_writer
		*writers; /* one for each thread, from the first run on */
	/* The first failure of a thread, and the least row that differs. */
	struct gbm_error error;
	uint64_t bad;
};

/* As much of a file's name as a message has room for. */
struct gbm_shown {
	char text[84];
};
struct gbm_shown gbm_shown(const char *file);

/* Has the disk know which files are in file's directory; 0 or errno. */
int gbm_sync_directory(const char *file);

/* "7.5 GiB" */
struct gbm_size_text {
	char text[24];
};
struct gbm_size_text gbm_size_text(uint64_t bytes);

/*
 * What file, opened by nobody yet, is for the plan: memory, layout, options.
 * The caller closes *samples, also when it fails.
 */
int gbm_samples_new(struct gbm_samples **samples, const char *file,
		    const struct gbm_plan *plan,
		    const struct gbm_samples_options *options,
		    struct gbm_error *err);

/* Notes a failure of a thread: the first one stands.  Returns its status. */
int gbm_samples_fail(struct gbm_samples *s, const struct gbm_error *why);

/* Counts n rows from path first on as done.  Thread-safe. */
void gbm_samples_count(struct gbm_samples *s, uint64_t first, uint64_t n,
		       const unsigned char *bytes);

/* Makes shard the file of *s, closing the one before.  Returns 0 or GBM_ENOMEM.
 */
int gbm_samples_choose(struct gbm_samples *s, unsigned shard);

/*
 * What was packed by a run of the same file with no more rows; returns what is
 * wrong, or NULL.
 */
#define GBM_SAMPLES_PACKED                                                     \
	(16 + 8 * GBM_SAMPLES_SHARDS + 12 * GBM_MANIFEST_BLOCKS)
const char *gbm_samples_restore(struct gbm_samples *s, const void *bytes,
				size_t n);

/* Its rows before the last, incomplete block of paths are done, no others. */
uint64_t gbm_samples_written(const struct gbm_samples *s);

/*
 * The state of a run that writes samples, as gbm_checkpoint_load() has it, also
 * into samples.
 */
struct gbm_summary;
int gbm_checkpoint_load_samples(const char *file, const struct gbm_plan *plan,
				struct gbm_samples *samples,
				struct gbm_summary *summary,
				struct gbm_error *err);

/* file and file.old are gone: 0 or errno. */
int gbm_checkpoint_remove(const char *file);

/* Opens a file that is compared, and looks at its header. */
int gbm_samples_look(struct gbm_samples *s, struct gbm_error *err);

/* Waits for what threads have under way.  Returns 0 or GBM_EIO. */
int gbm_samples_settle(struct gbm_samples *s, struct gbm_error *err);

void gbm_samples_free_writers(struct gbm_samples *s);

/* Where path's row begins in the file. */
off_t gbm_samples_at(const struct gbm_samples *s, uint64_t path);

/* Rows of a block of checksums. */
uint64_t gbm_samples_block_rows(const struct gbm_samples *s, uint32_t block);

/* Reads the manifest of file into *m, and its checksums into crc. */
int gbm_manifest_read(struct gbm_manifest *m, const char *file, uint32_t *crc,
		      struct gbm_error *err);

#endif
