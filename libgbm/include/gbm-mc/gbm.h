/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_GBM_H
#define GBM_MC_GBM_H

/*
 * libgbm: Monte Carlo over geometric Brownian motion (GBM) in memory that
 * does not grow with the number of paths.
 *
 *	dS = mu S dt + sigma S dW
 *	S[t+1] = S[t] exp((mu - sigma^2/2) dt + sigma sqrt(dt) Z)
 *
 * A model and a functional of its paths make a plan; a plan is run as a
 * whole, run by ranges of paths, or read as a stream of chunks.
 *
 * Every number is a pure function of (seed, path, step): results are the
 * same bits for any number of threads and ranks and any chunk size.
 * GBM_STREAM_VERSION changes whenever any of these bits may.
 *
 * The library never prints, exits, installs a handler or keeps global
 * state.  Plans are immutable: any number of threads may use one at a time.
 * Streams, statistics and generators belong to one thread at a time.
 *
 * GBM_ISA in the environment chooses the instruction set of plans and of
 * generators made from then on: scalar, avx2 or avx512 on x86-64, scalar or
 * neon on AArch64; unset or empty, the fastest of this CPU.  Any of them gives
 * the same bits: it is for finding out whose fault a wrong number is.
 *
 * Structures that the caller fills begin with their own size and have an
 * initializer (GBM_MODEL_INIT, ...); use it, so that a program keeps working
 * when a later version adds members.
 */

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include <gbm-mc/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The library is compiled with everything else hidden. */
#pragma GCC visibility push(default)

/* Raised whenever any bit of any result may differ from the last release. */
#define GBM_STREAM_VERSION 2

/*
 * Paths are simulated in blocks of this many, aligned to multiples of it:
 * the grain at which ranks and threads share the work.
 */
#define GBM_BLOCK_PATHS 1024

/* What functions return: 0 (or a positive count) for success, else one of: */
enum gbm_status {
	GBM_OK = 0,
	GBM_EINVAL = -1,    /* an argument is outside what is accepted */
	GBM_ENOMEM = -2,    /* the budget or the allocator has too little */
	GBM_ECANCELED = -3, /* a callback returned non-zero */
	GBM_EISA = -4,	    /* GBM_ISA names no instruction set of this CPU */
	GBM_EFORMAT = -5,   /* packed statistics are damaged or foreign */
	GBM_ENOREF = -6,    /* no closed form exists for this functional */
	GBM_EMPI = -7,	    /* an MPI call failed */
	GBM_ECREATE = -8,   /* a file could not be made: nothing was run */
	GBM_EIO = -9,	    /* a file could not be read or written */
	GBM_EDAMAGED = -10, /* a file is damaged, or not what it must be */
	GBM_ENOENT = -11    /* there is no checkpoint */
};

/*
 * A sentence for a status, never NULL, static storage.  Thread-safe.
 */
const char *gbm_strerror(int status);

/* The library's version as "major.minor.patch"; static storage. */
const char *gbm_version(void);

/*
 * What went wrong in a plan's creation, in one sentence that names the
 * offending input and what is accepted.  The caller owns it; functions that
 * take one accept NULL.
 */
struct gbm_error {
	int status;	/* enum gbm_status */
	char text[248]; /* NUL-terminated, no newline */
};

/*
 * The process.  Rates are continuously compounded, per unit of horizon.
 */
struct gbm_model {
	size_t size;	 /* sizeof(struct gbm_model) */
	double spot;	 /* S(0), finite, > 0 */
	double rate;	 /* discount rate of the built-in payoffs, finite */
	double dividend; /* dividend yield, finite */
	double drift;	 /* mu, finite; NAN: rate - dividend */
	double vol;	 /* sigma, finite, >= 0 */
	double horizon;	 /* T, finite, >= 0 */
	uint64_t steps;	 /* equal time steps of T / steps, 1 to 2^40 */
};

#define GBM_MODEL_INIT                                                         \
	{                                                                      \
		sizeof(struct gbm_model), 100.0, 0.05, 0.0, (double)NAN, 0.2,  \
			1.0, 1                                                 \
	}

/*
 * A rectangle of simulated prices, time-major:
 *
 *	values[t * stride + i] = S(t * horizon / steps) of path first_path + i
 *
 * for 0 <= t < n_times (= steps + 1; row 0 is the spot) and
 * 0 <= i < n_paths <= stride.  Owned by the library.
 */
struct gbm_block {
	const double *values; /* in units of the spot */
	uint64_t first_path;
	size_t n_paths;
	size_t n_times;
	size_t stride;
};

/*
 * A user's functional: one number per path.  Writes out[i] for each of the
 * block's n_paths paths.  Returns 0, or non-zero to end the run, which then
 * returns GBM_ECANCELED and hands the value on in gbm_result.user_code.
 *
 * Called from several threads at once, with different blocks, in no
 * particular order and with any n_paths: it must be re-entrant, out[i] may
 * depend on path i only, and it must not throw or longjmp.  block and out are
 * valid during the call only.
 */
typedef int gbm_functional_fn(const struct gbm_block *block, void *user,
			      double *out);

/*
 * Built-in functionals; A is the mean of S over the steps 1..steps.  They are
 * not made of rounded prices: a callback's of the same formula has other last
 * bits.
 */
enum gbm_payoff {
	GBM_TERMINAL = 0, /* S(T), not discounted */
	GBM_CALL,	  /* exp(-rate T) max(S(T) - strike, 0) */
	GBM_PUT,	  /* exp(-rate T) max(strike - S(T), 0) */
	GBM_ASIAN_CALL,	  /* exp(-rate T) max(A - strike, 0) */
	GBM_ASIAN_PUT	  /* exp(-rate T) max(strike - A, 0) */
};

/*
 * What is averaged over the paths: a built-in payoff, or, when fn is set,
 * the user's own (payoff and strike are then ignored).
 */
struct gbm_functional {
	size_t size; /* sizeof(struct gbm_functional) */
	enum gbm_payoff payoff;
	double strike; /* finite, >= 0; in units of the spot */
	gbm_functional_fn *fn;
	void *user; /* handed to fn; owned by the caller, outlives the plan */
};

#define GBM_FUNCTIONAL_INIT                                                    \
	{                                                                      \
		sizeof(struct gbm_functional), GBM_TERMINAL, 100.0, NULL, NULL \
	}

/*
 * Progress of a run: done of total paths of this process.  Called now and
 * then from the thread that called gbm_run(); non-zero ends the run as a
 * functional's return code does.
 */
typedef int gbm_progress_fn(void *user, uint64_t done, uint64_t total);

/* What a plan's summary collects beside mean and variance; to be or'ed. */
#define GBM_COLLECT_SKETCH  1u /* a sketch of each functional's values */
#define GBM_COLLECT_MOMENTS 2u /* skewness, kurtosis, covariances */
#define GBM_COLLECT_FAN	    4u /* a sketch of the prices at each step */

/* Functionals of a plan, in all. */
#define GBM_MAX_FUNCTIONALS 16

struct gbm_options {
	size_t size;   /* sizeof(struct gbm_options) */
	uint64_t seed; /* any value; different seeds give unrelated paths */
	/*
	 * Threads of this process, up to 4096; 0: one per core that it may
	 * run on, or fewer where the budget is small.  Without OpenMP always 1.
	 */
	unsigned threads;
	/*
	 * Bytes of simulated values that one thread holds at a time; 0:
	 * what fits the core's cache, within the budget.  Rounded down to
	 * whole blocks of paths or, below one, to a power of two; but at
	 * least 8 paths, or one block when only one value a path is kept.
	 */
	uint64_t chunk_bytes;
	/*
	 * Bytes that all ranks of this job on this node may use together, 0:
	 * no limit of the caller's.  The budget is the least of this,
	 * GBM_MEM_CAP in the environment, the memory cgroup's and its
	 * ancestors' limits, and the memory that the machine has available,
	 * divided by ranks_on_node; and, per process, RLIMIT_AS and
	 * RLIMIT_DATA.
	 */
	uint64_t mem_cap;
	unsigned ranks_on_node; /* >= 1 */
	gbm_progress_fn *progress;
	void *progress_user; /* handed to progress */
	/*
	 * GBM_COLLECT_*: what the plan's summaries collect (gbm-mc/summary.h).
	 * Their memory is part of the plan's need; gbm_run() does not use it.
	 */
	unsigned collect;
	/*
	 * Further functionals of the same paths, for summaries alone, at most
	 * GBM_MAX_FUNCTIONALS - 1; copied.  Each costs as much time as a run
	 * of its own.
	 */
	const struct gbm_functional *others;
	size_t n_others;
};

#define GBM_OPTIONS_INIT                                                       \
	{                                                                      \
		sizeof(struct gbm_options), 1, 0, 0, 0, 1, NULL, NULL, 0,      \
			NULL, 0                                                \
	}

/* A validated simulation: what is simulated, in which chunks.  Immutable. */
struct gbm_plan;

/* What was decided, for people and logs.  Filled by gbm_plan_info(). */
struct gbm_plan_info {
	size_t size; /* set by the caller: sizeof(struct gbm_plan_info) */
	uint64_t n_paths;
	uint64_t steps;
	uint64_t seed;
	unsigned threads;
	unsigned ranks_on_node;
	uint64_t chunk_paths;	   /* paths that a thread holds at a time */
	uint64_t chunk_bytes;	   /* bytes of values of one such chunk */
	uint64_t budget_bytes;	   /* what this process may use in all */
	const char *budget_source; /* which limit that is; static storage */
	/*
	 * What the budget is to hold: what this process held when the plan was
	 * made, without the pages of programs and libraries, and workspaces of
	 * all its threads.  See gbm_plan_memory() for what it will measure.
	 */
	uint64_t need_bytes;
	const char *isa; /* instruction set of the kernels; static storage */
};

#define GBM_PLAN_INFO_INIT                                                     \
	{                                                                      \
		sizeof(struct gbm_plan_info), 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0, \
			NULL                                                   \
	}

/*
 * Makes a plan for n_paths paths, 1 <= n_paths <= 2^62.  functional may be
 * NULL: such a plan can only be streamed.  options may be NULL for the
 * defaults.  All arguments are copied (but not what user pointers point to).
 *
 * Returns 0 and sets *plan, which the caller frees with gbm_plan_destroy(); or
 * GBM_EINVAL, GBM_ENOMEM (the budget does not hold the smallest chunk), or
 * GBM_EISA, sets *plan to NULL and explains in *err.  Allocates only the plan
 * itself.  Reads /proc, the cgroup file system and the environment.
 */
int gbm_plan_create(struct gbm_plan **plan, const struct gbm_model *model,
		    const struct gbm_functional *functional, uint64_t n_paths,
		    const struct gbm_options *options, struct gbm_error *err);

/* Frees *plan and sets it to NULL; NULL and a pointer to NULL are accepted. */
void gbm_plan_destroy(struct gbm_plan **plan);

/* Fills *info, whose size member the caller set.  Returns 0 or GBM_EINVAL. */
int gbm_plan_info(const struct gbm_plan *plan, struct gbm_plan_info *info);

/* Estimates from n values of a functional. */
struct gbm_result {
	size_t size; /* set by the caller: sizeof(struct gbm_result) */
	uint64_t n;  /* number of values */
	double mean;
	double variance;  /* unbiased, n - 1; NAN when n < 2 */
	double std_error; /* sqrt(variance / n) */
	double min;	  /* NAN when n = 0 */
	double max;
	int user_code; /* non-zero return of a callback, else 0 */
};

#define GBM_RESULT_INIT                                                        \
	{                                                                      \
		sizeof(struct gbm_result), 0, (double)NAN, (double)NAN,        \
			(double)NAN, (double)NAN, (double)NAN, 0               \
	}

/*
 * Runs all paths of the plan in this process.  *result, whose size member the
 * caller set, is filled when 0 is returned; GBM_ECANCELED fills only
 * user_code.  A value that is not a number makes mean and variance NAN.
 * Other errors: GBM_EINVAL (no functional, wrong size), GBM_ENOMEM.
 */
int gbm_run(const struct gbm_plan *plan, struct gbm_result *result);

/*
 * Exact statistics of many values: sums are kept as long integers, so that
 * neither the order of values nor the way they are merged changes a bit.
 */
struct gbm_stats;

/* Returns 0 and sets *stats to empty statistics, or GBM_ENOMEM. */
int gbm_stats_create(struct gbm_stats **stats);

/* Frees *stats and sets it to NULL; NULL and a pointer to NULL are accepted. */
void gbm_stats_destroy(struct gbm_stats **stats);

/*
 * Adds n values, each exactly: how values are split over calls does not matter.
 */
void gbm_stats_add(struct gbm_stats *stats, const double *values, size_t n);

/* Adds what from holds to into; from is unchanged.  Exact. */
void gbm_stats_merge(struct gbm_stats *into, const struct gbm_stats *from);

/* Fills *result (user_code = 0), whose size member the caller set. */
int gbm_stats_result(const struct gbm_stats *stats, struct gbm_result *result);

/* Bytes that gbm_stats_pack() writes: the same on every machine. */
size_t gbm_stats_packed_size(void);

/*
 * Writes the statistics into gbm_stats_packed_size() bytes, little-endian;
 * equal statistics give equal bytes.  Unpacking returns 0, or GBM_EFORMAT when
 * the bytes are not packed statistics of this GBM_STREAM_VERSION.
 */
void gbm_stats_pack(const struct gbm_stats *stats, void *bytes);
int gbm_stats_unpack(struct gbm_stats *stats, const void *bytes, size_t n);

/*
 * Runs the n_paths paths from first_path on and adds them to stats, which the
 * caller owns.  first_path must be a multiple of GBM_BLOCK_PATHS, and so must
 * n_paths unless the range ends where the plan does.  Any split of the plan
 * into such ranges, in any order, gives the bits of gbm_run().  *user_code
 * (may be NULL) receives a callback's non-zero return.  On an error stats are
 * unchanged.
 */
int gbm_run_range(const struct gbm_plan *plan, uint64_t first_path,
		  uint64_t n_paths, struct gbm_stats *stats, int *user_code);

/* An iterator over the paths of a plan, one chunk at a time. */
struct gbm_stream;

/*
 * Opens a stream over n_paths paths from first_path on (any range within the
 * plan; cheapest when it begins at a multiple of GBM_BLOCK_PATHS).  Returns 0
 * and sets *stream, which must be closed before the plan is destroyed, or
 * GBM_EINVAL, GBM_ENOMEM.  All memory that the stream needs is taken here.
 */
int gbm_stream_open(struct gbm_stream **stream, const struct gbm_plan *plan,
		    uint64_t first_path, uint64_t n_paths);

/*
 * Simulates the next chunk, in path order.  Returns 1 and fills *block, valid
 * until the next call on this stream; 0 at the end.  Chunks differ in n_paths.
 */
int gbm_stream_next(struct gbm_stream *stream, struct gbm_block *block);

/* Frees *stream and sets it to NULL; NULL, pointer to NULL are accepted. */
void gbm_stream_close(struct gbm_stream **stream);

/*
 * Random numbers outside a simulation.  Streams of one seed never overlap one
 * another nor the paths' streams, for 2^67 draws each (docs/numerics.md).  The
 * members are private; a copy of the structure is a copy of the generator.
 */
#define GBM_RNG_LANES 8

struct gbm_rng {
	uint64_t a[GBM_RNG_LANES], b[GBM_RNG_LANES], c[GBM_RNG_LANES];
	uint64_t counter;
	uint64_t word[GBM_RNG_LANES]; /* drawn, not yet handed out: from next */
	uint32_t next;
	uint32_t isa;
};

/*
 * Puts *rng at the beginning of a stream.  Returns 0; or GBM_EISA, which
 * callers may ignore: *rng is then as without GBM_ISA, and the numbers are the
 * same.
 */
int gbm_rng_init(struct gbm_rng *rng, uint64_t seed, uint64_t stream);

uint64_t gbm_rng_u64(struct gbm_rng *rng);

/* Uniform on [0, 1), a multiple of 2^-53. */
double gbm_rng_uniform(struct gbm_rng *rng);

/* Standard normal, a pure function of the next 64-bit word. */
double gbm_rng_normal(struct gbm_rng *rng);

/* The next n values of gbm_rng_normal(), faster. */
void gbm_rng_fill_normal(struct gbm_rng *rng, double *out, size_t n);

/*
 * Closed forms.
 *
 * gbm_reference: the exact expectation of a built-in functional under the
 * model: S(0) exp(mu T); Black and Scholes (1973) with Merton's (1973)
 * dividend yield, generalized to any drift; an Asian payoff of one step is
 * European.  Returns 0 and sets *value, GBM_ENOREF where no closed form exists
 * (arithmetic Asian of more than one step, user's functional), GBM_EINVAL.
 *
 * gbm_geometric_asian: the same Asian payoffs on the geometric instead of the
 * arithmetic mean (Kemna and Vorst 1990, discrete): a control for them.
 */
int gbm_reference(const struct gbm_model *model,
		  const struct gbm_functional *functional, double *value);
int gbm_geometric_asian(const struct gbm_model *model,
			const struct gbm_functional *functional, double *value);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
