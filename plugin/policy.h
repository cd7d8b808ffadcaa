/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From what was asked for to limits in bytes, or to a sentence that says why
 * not. Pure: the same functions serve the client, as a courtesy before anything
 * is allocated, and root in slurmstepd, where they decide.
 *
 * The cap is a job's on one node; a step may ask for less for itself, never for
 * more. Nothing here knows of the limit that Slurm set: a backend only lowers,
 * so the smaller of the two holds.
 */
#ifndef GBM_PLUGIN_POLICY_H
#define GBM_PLUGIN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin/conf.h"
#include "plugin/err.h"
#include "plugin/size.h"
#include "plugin/swap.h"

/* The options as given; false for one that was not. */
struct request {
	bool has_cap;
	bool has_swap;
	bool has_report;
	struct size cap;
	struct swap swap;
	enum conf_report report;
};

struct limits {
	uint64_t cap; /* bytes, multiple of SIZE_ROUND */
	struct swap swap;
};

/*
 * Read the value of an option into R. NAME is what the user wrote it with
 * ("--gbm-mem-cap") and begins the sentence in E when the value is refused
 * (-1; R is unchanged then).
 */
int policy_cap(struct request *r, const struct conf *c, const char *name,
	       const char *text, size_t len, struct err *e);
int policy_swap(struct request *r, const char *name, const char *text,
		size_t len, struct err *e);
int policy_report(struct request *r, const char *name, const char *text,
		  size_t len, struct err *e);

/*
 * How a job that asks for R, or a step of a job that has JOB (else NULL), is
 * reported on: not at all, unless a cap or a report was asked for.
 */
enum conf_report policy_tells(const struct request *r, const struct conf *c,
			      const enum conf_report *job);

/*
 * The limits of R, which has a cap, on a node with MEM_TOTAL bytes of RAM:
 * percentages are of that, and swap is none unless R says otherwise. -1 and a
 * sentence in E if a percentage comes out below the smallest cap.
 */
int policy_resolve(const struct request *r, const struct conf *c,
		   uint64_t mem_total, struct limits *out, struct err *e);

/*
 * The limits of a step. JOB is the job's own, or NULL if it has none; R is what
 * the step asks for. Returns 1 and OUT; 0 if there is nothing to do; -1 and a
 * sentence. *LOWERED says whether the job's cap is below what R asks for.
 */
int policy_step(const struct request *r, const struct conf *c,
		const struct limits *job, uint64_t mem_total,
		struct limits *out, uint64_t *asked, struct err *e);

#endif
