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
	bool most; /* the cap is all that max_cap= allows, and not CAP */
	struct size cap;
	struct swap swap;
	enum conf_report report;
};

/* More than any limit: applied like one, it changes nothing. */
#define NO_CAP UINT64_MAX

struct limits {
	uint64_t cap; /* bytes, multiple of SIZE_ROUND; or NO_CAP */
	struct swap swap;
};

/*
 * Read the value of an option into R. NAME is what the user wrote it with
 * ("--gbm-mem-cap") and begins the sentence in E when the value is refused
 * (-1; R is unchanged then). With BOUNDS (else NULL) what is outside of them on
 * any node is refused as well.
 */
int policy_cap(struct request *r, const struct conf *bounds, const char *name,
	       const char *text, size_t len, struct err *e);
int policy_swap(struct request *r, const struct conf *bounds, const char *name,
		const char *text, size_t len, struct err *e);
int policy_report(struct request *r, const char *name, const char *text,
		  size_t len, struct err *e);

/*
 * How a job that asks for R, or a step of a job that has JOB (else NULL), is
 * reported on: not at all, unless a cap or a report was asked for.
 */
enum conf_report policy_tells(const struct request *r, const struct conf *c,
			      const enum conf_report *job);

/*
 * The largest cap of a job on a node with MEM_TOTAL bytes of RAM (0: unknown);
 * 0 if that cannot be told.
 */
uint64_t policy_most(const struct conf *c, uint64_t mem_total);

/*
 * The limits of a job that asks for R, which may be nothing, on a node with
 * MEM_TOTAL bytes of RAM: for what R does not say, the administrator's
 * defaults. -1 and a sentence in E if a bound is passed, or the defaults do not
 * agree with the bounds on this node.
 */
int policy_job(const struct request *r, const struct conf *c,
	       uint64_t mem_total, struct limits *out, struct err *e);

/*
 * The limits of a step that asks for R, in a job whose own are JOB: never more
 * than those. *ASKED is the cap in bytes that R asks for, or 0. -1 and a
 * sentence in E as above.
 */
int policy_step(const struct request *r, const struct conf *c,
		const struct limits *job, uint64_t mem_total,
		struct limits *out, uint64_t *asked, struct err *e);

#endif
