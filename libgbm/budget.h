/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_BUDGET_H
#define GBM_BUDGET_H

/* How much memory this process may use, and the chunk that follows. */

#include <stdint.h>

#include <gbm-mc/gbm.h>

struct gbm_budget {
	uint64_t bytes;	    /* memory that this process may come to hold */
	const char *source; /* the limit that it follows from; static storage */
	/*
	 * Bytes resident now: what is held, and pages of files, which are
	 * programs and libraries.  The kernel reads these again when it needs
	 * their room, and all processes of the node share them.
	 */
	uint64_t resident;
	uint64_t files;
	uint64_t peak; /* the most that both were so far; 0: unknown */
};

/*
 * The least of: mem_cap (0: none), GBM_MEM_CAP, the memory cgroup (v1 and v2,
 * every ancestor), memory_bytes (0: none), MemAvailable, each divided by
 * ranks >= 1; and the rlimits, less the stacks of threads - 1 more threads.
 * Files are read below root ("" for the real one; tests pass a fixture); the
 * rlimits are this process's own.  Returns 0, or GBM_EINVAL when GBM_MEM_CAP
 * is no number of bytes.
 */
int gbm_budget_find(const char *root, uint64_t mem_cap, uint64_t memory_bytes,
		    unsigned ranks, unsigned threads,
		    struct gbm_budget *budget, struct gbm_error *err);

/* What a thread holds at a time. */
struct gbm_chunk {
	uint64_t paths;	    /* in path order, aligned to multiples of it */
	uint64_t item;	    /* whole blocks, >= paths: a thread's unit of work */
	uint64_t stride;    /* of the rectangle of paths, 0 when there is none */
	uint64_t bytes;	    /* of the simulated values */
	uint64_t workspace; /* of all that a thread allocates for it */
};

/*
 * The largest chunk of at most target bytes of values and workspace bytes in
 * all, but at least one row of lanes (or, without paths, one block).
 * steps >= 1.  with_paths: whole paths of steps + 1 prices are held, else
 * one number per path.  n_paths bounds the chunk.  Returns 0, or GBM_ENOMEM
 * with *chunk the smallest possible one, or GBM_EINVAL when even that is
 * more bytes than can be counted.
 */
int gbm_chunk_find(uint64_t steps, int with_paths, uint64_t n_paths,
		   uint64_t target, uint64_t workspace,
		   struct gbm_chunk *chunk);

#endif
