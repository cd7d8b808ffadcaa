/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_SAMPLES_H
#define GBM_MC_SAMPLES_H

/*
 * Simulated prices on disk: one file in NumPy's format (.npy), written in
 * memory that does not grow with it, by any number of threads and processes,
 * with the same bytes for any of these; and beside it a manifest in JSON, by
 * the same name and ".json", which says how to make the file again.
 *
 * Rows are in path order.  Each process writes whole cells of the file, of
 * GBM_SAMPLES_CELL bytes, which begin with rows of its own: no page of memory
 * is written by two of them, as NFS needs it.  Where a cell goes on into the
 * next process' rows, these few are simulated by both.
 *
 * What is written leaves the page cache at once (sync_file_range(2) and
 * posix_fadvise(2); fdatasync(2) on NFS): it counts against a memory cgroup.
 *
 * numpy.load(file, mmap_mode="r") reads it.
 */

#include <gbm-mc/gbm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define GBM_SAMPLES_CELL 65536

enum gbm_save {
	GBM_SAVE_TERMINAL = 0, /* S(T): shape (n,) */
	GBM_SAVE_PATHS	       /* S(0) .. S(T): shape (n, steps + 1) */
};

enum gbm_dtype {
	GBM_F8 = 0, /* double precision */
	GBM_F4	    /* rounded to single precision */
};

/* What gbm_samples_ask_fn returns. */
enum gbm_samples_next {
	GBM_SAMPLES_GO_ON = 0,
	GBM_SAMPLES_SAVE, /* a checkpoint, and go on */
	GBM_SAMPLES_END	  /* a checkpoint, and end with GBM_ECANCELED */
};

/*
 * Called every half second or so, on every rank, with the paths that are done;
 * the first time before the run, when what it returns does not count.  The
 * largest answer of all ranks counts.
 */
typedef int gbm_samples_ask_fn(void *user, uint64_t done);

struct gbm_samples_options {
	size_t size; /* sizeof(struct gbm_samples_options) */
	enum gbm_save save;
	enum gbm_dtype dtype;
	int force; /* non-zero: what is there by this name is replaced */
	/*
	 * The path of the first row; the last is the plan's last.  The rows
	 * from 0 on are those of the estimate.
	 */
	uint64_t first_path;
	/*
	 * 0: one file.  Else so many, up to GBM_SAMPLES_SHARDS, of which this
	 * process writes number shard, from 0: "out.npy" is then out.0.npy,
	 * out.1.npy, ..., each a file for NumPy, and out.npy.json.  Their rows
	 * are the parts of gbm_mpi_range(); gbm_samples_shard() has them.
	 */
	unsigned shards;
	unsigned shard;
	/*
	 * For gbm_run_samples() and gbm_mpi_run_samples(): a checkpoint, as of
	 * <gbm-mc/checkpoint.h>, of the file and the estimate, by this name;
	 * NULL: none.  It is written every so many seconds (0: 60), after the
	 * samples that it counts are on the disk, and stays when the run has
	 * ended.  Only rank 0 needs to reach it.
	 */
	const char *checkpoint;
	double every;
	/*
	 * Non-zero: go on from the checkpoint: see gbm_samples_resume().  The
	 * number of ranks, threads and the chunk may be others.
	 */
	int resume;
	gbm_samples_ask_fn *ask; /* NULL: nobody is asked */
	void *ask_user;
	/* NULL, or where the paths go that this process has run, this time. */
	uint64_t *n_own;
};

#define GBM_SAMPLES_SHARDS 4096

#define GBM_SAMPLES_OPTIONS_INIT                                               \
	{                                                                      \
		sizeof(struct gbm_samples_options), GBM_SAVE_TERMINAL, GBM_F8, \
			0, 0, 0, 0, NULL, 0.0, 0, NULL, NULL, NULL             \
	}

/* A file of samples, open in this process. */
struct gbm_samples;

/*
 * Creates a file of the plan's samples in its final size, with its header and a
 * manifest that says that it is not complete.  Before it does: an existing
 * file is refused without options->force, with which it goes together with
 * options->checkpoint, if any; so is a file that RLIMIT_FSIZE does
 * not allow, or that the file system or a quota of the user or the group has no
 * room for.  The quota of a file server is only seen where room is reserved
 * beforehand (not NFS before 4.2).  options may be NULL.
 *
 * Returns 0 and sets *samples, which the caller closes before the plan is
 * destroyed; or GBM_EINVAL, GBM_ENOMEM (the budget does not hold the smallest
 * buffers), GBM_ECREATE (nothing was changed, unless an old file was to be
 * replaced), and explains in *err, naming the file.
 */
int gbm_samples_create(struct gbm_samples **samples, const char *file,
		       const struct gbm_plan *plan,
		       const struct gbm_samples_options *options,
		       struct gbm_error *err);

/*
 * Opens, to write into it, what another process has created with the same plan
 * and options and this ticket; GBM_ECREATE when the file here is not that one.
 * Of shards each process creates its own: number 0 by gbm_samples_create(),
 * which also makes the manifest, the others by this, which only they need to
 * be able to reach.
 */
int gbm_samples_join(struct gbm_samples **samples, const char *file,
		     const struct gbm_plan *plan,
		     const struct gbm_samples_options *options, uint64_t ticket,
		     struct gbm_error *err);
uint64_t gbm_samples_ticket(const struct gbm_samples *samples);

struct gbm_summary; /* of <gbm-mc/summary.h> */

/*
 * Opens a file in order to go on with it, after options->checkpoint, and sets
 * *summary, an empty one of the plan, to the state then.  What was written
 * later is written again.  A file that is complete is extended when the plan
 * has more paths; of shards it is not, whose borders would move.  Without a
 * checkpoint, a file that is not complete is begun anew in its place, and a
 * file that is not there is created.
 *
 * gbm_samples_front() is where to go on; other processes join as ever, with
 * the same options, and are told by gbm_samples_set_front() in each of them.
 *
 * Returns as gbm_samples_create(); or GBM_EDAMAGED when the checkpoint, or what
 * it says about the file, is of no use; GBM_EINVAL when the file is of another
 * run.  The file is not changed then.
 */
int gbm_samples_resume(struct gbm_samples **samples, const char *file,
		       const struct gbm_plan *plan,
		       const struct gbm_samples_options *options,
		       struct gbm_summary *summary, struct gbm_error *err);

/*
 * Rows that are done of a shard, or of the only file, shard 0: its first ones.
 * A run goes on after them.  All is done when it is complete.
 */
uint64_t gbm_samples_front(const struct gbm_samples *samples, unsigned shard);
void gbm_samples_set_front(struct gbm_samples *samples, unsigned shard,
			   uint64_t rows);
int gbm_samples_complete(const struct gbm_samples *samples);

/*
 * Syncs what is open of it, and opens another shard instead, which is made if
 * it is not there: 0, GBM_EIO or GBM_ECREATE.  Several processes may write into
 * one shard, as they do into one file.
 */
int gbm_samples_move(struct gbm_samples *samples, unsigned shard,
		     struct gbm_error *err);

/* The paths of this process' shard, or of the only file. */
void gbm_samples_shard(const struct gbm_samples *samples, uint64_t *first_path,
		       uint64_t *n_paths);

/*
 * Simulates the n_paths paths from first_path on, once, in all threads of the
 * plan; writes them, and adds the plan's functional to *stats, with the bits of
 * gbm_run_range().  stats may be NULL, and so is it for a plan without a
 * functional; with it the range must be as gbm_run_range() wants it, without
 * any range from options.first_path on will do, but within the shard.
 *
 * Returns 0, when a part may still be on its way to the disk; or GBM_EIO,
 * explains in *err, and stats are unchanged; or as gbm_run_range().  One thread
 * at a time.
 */
int gbm_samples_run(struct gbm_samples *samples, uint64_t first_path,
		    uint64_t n_paths, struct gbm_stats *stats, int *user_code,
		    struct gbm_error *err);

/*
 * What has been written so far, by checksum: to hand it to another process, or
 * to go on later.  Its size follows from the plan and options, and is below
 * 240 KB for any number of paths.  Merging adds what another process wrote,
 * and returns 0 or GBM_EFORMAT; who has handed it on forgets it, if he goes on
 * writing.
 */
size_t gbm_samples_packed_size(const struct gbm_samples *samples);
void gbm_samples_pack(const struct gbm_samples *samples, void *bytes);
int gbm_samples_merge(struct gbm_samples *samples, const void *bytes, size_t n);
void gbm_samples_forget(struct gbm_samples *samples);

/* Waits until all that this process wrote is on the disk: 0 or GBM_EIO. */
int gbm_samples_sync(struct gbm_samples *samples, struct gbm_error *err);

/*
 * Syncs, and replaces the manifest by one that says that the file is complete,
 * with checksums: called by one process, after it has merged what the others
 * wrote and they have synced.  GBM_EIO when that is not all of the file.
 */
int gbm_samples_finish(struct gbm_samples *samples, struct gbm_error *err);

/*
 * Removes the file and its manifest again, by who created it: a run that could
 * not begin.
 */
void gbm_samples_remove(struct gbm_samples *samples);

/* Frees *samples and sets it to NULL; NULL, pointer to NULL are accepted. */
void gbm_samples_close(struct gbm_samples **samples);

/*
 * gbm_run() and all of the above: the plan's samples as one file. GBM_ECANCELED
 * with options->ask: ended, to be resumed.
 */
int gbm_run_samples(const struct gbm_plan *plan, const char *file,
		    const struct gbm_samples_options *options,
		    struct gbm_result *result, struct gbm_error *err);

/*
 * Processes that write or compare a file together, for gbm_team_run_samples():
 * what gbm_mpi_run_samples() is made of.  All functions are collective and
 * return 0 or a status; size 1 needs none of them.
 */
struct gbm_team {
	int rank, size;
	void *user;
	/*
	 * The status, code and text of the lowest rank that failed become those
	 * of all, with its name in the text.
	 */
	int (*agree)(void *user, int status, int *code, struct gbm_error *err);
	/* Rank 0's n bytes, to all. */
	int (*share)(void *user, void *bytes, size_t n);
	/* The largest value of all ranks, to all. */
	int (*most)(void *user, int *value);
	/* Each rank's mine, in their order, to all[size] of all. */
	int (*collect)(void *user, uint64_t mine, uint64_t *all);
	/* Merges the samples of all ranks on rank 0, and stats unless NULL. */
	int (*gather)(void *user, struct gbm_samples *samples,
		      struct gbm_stats *stats);
};

/* gbm_run_samples(), collective; result may be NULL. */
int gbm_team_run_samples(const struct gbm_plan *plan,
			 const struct gbm_team *team, const char *file,
			 const struct gbm_samples_options *options,
			 struct gbm_result *result, struct gbm_error *err);

/*
 * gbm_samples_open(), gbm_samples_verify() and gbm_samples_finish() of the
 * whole file, collective, with what these return; *err names the first block
 * that differs.
 */
int gbm_team_verify_samples(const struct gbm_plan *plan,
			    const struct gbm_team *team, const char *file,
			    struct gbm_error *err);

/* What a manifest says. */
struct gbm_samples_info {
	size_t size; /* set by the caller: sizeof(struct gbm_samples_info) */
	struct gbm_model model;
	uint64_t seed;
	uint64_t first_path;
	uint64_t n_paths; /* rows */
	enum gbm_save save;
	enum gbm_dtype dtype;
	int complete;
	int stream_version; /* GBM_STREAM_VERSION of who wrote it */
	unsigned shards;    /* 0: one file */
};

#define GBM_SAMPLES_INFO_INIT                                                  \
	{                                                                      \
		sizeof(struct gbm_samples_info), GBM_MODEL_INIT, 0, 0, 0,      \
			GBM_SAVE_TERMINAL, GBM_F8, 0, 0, 0                     \
	}

/*
 * Reads the manifest of a file of samples.  Returns 0; GBM_EINVAL; GBM_EIO when
 * it cannot be read; GBM_EFORMAT when it is damaged or of a later version.
 */
int gbm_samples_info(const char *file, struct gbm_samples_info *info,
		     struct gbm_error *err);

/*
 * Opens a file of samples in order to compare it; plan is one of the model and
 * seed of gbm_samples_info(), of first_path + n_paths paths.  Header and size
 * are compared here.  Returns 0, or as gbm_samples_info(), or GBM_EDAMAGED.
 */
int gbm_samples_open(struct gbm_samples **samples, const char *file,
		     const struct gbm_plan *plan, struct gbm_error *err);

/*
 * Simulates n_paths paths from first_path on again, in all threads of the plan,
 * and compares every byte of their rows.  Returns 0; GBM_EDAMAGED, explains in
 * *err, and *bad (may be NULL) is the least path whose row differs; GBM_EIO;
 * GBM_ECANCELED.
 */
int gbm_samples_verify(struct gbm_samples *samples, uint64_t first_path,
		       uint64_t n_paths, uint64_t *bad, struct gbm_error *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
