/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/policy.h"

#include <stdio.h>
#include <string.h>

#include "plugin/banned.h"

static uint64_t round_down(uint64_t bytes)
{
	return bytes - bytes % SIZE_ROUND;
}

#define MIB (UINT64_C(1) << 20)

/* Bounds in words: what is written as in the sentence must be within them. */
static const char *at_most(char out[SIZE_TEXT_MAX], uint64_t bytes)
{
	return size_format(out, bytes < MIB ? bytes : bytes - bytes % MIB);
}

static const char *at_least(char out[SIZE_TEXT_MAX], uint64_t bytes)
{
	return size_format(out, bytes + (MIB - bytes % MIB) % MIB);
}

static int check_cap(const struct size *cap, const struct conf *bounds,
		     const char *name, const char *quoted, struct err *e)
{
	char text[SIZE_TEXT_MAX];

	if (cap->ppm > 0)
		return 0;
	if (cap->bytes < bounds->min_cap)
		return err_set(e,
			       "%s=%s is too small: give at least %s, or "
			       "Slurm's own part of the job has no room",
			       name, quoted, at_least(text, bounds->min_cap));
	if (bounds->max_cap.ppm == 0 && cap->bytes > bounds->max_cap.bytes)
		return err_set(e,
			       "%s=%s is too large: the administrator "
			       "allows %s",
			       name, quoted,
			       at_most(text, bounds->max_cap.bytes));
	return 0;
}

int policy_cap(struct request *r, const struct conf *bounds, const char *name,
	       const char *text, size_t len, struct err *e)
{
	bool most = len == 3 && memcmp(text, "max", 3) == 0;
	char quoted[ERR_QUOTE_MAX];
	struct size size = { 0 };
	enum size_status status = SIZE_OK;

	if (!most)
		status = size_parse(text, len, &size);
	err_quote(quoted, text, len);
	if (len == 0)
		return err_set(e,
			       "%s needs a size, such as 1500M, 1.5G or 80%%",
			       name);
	if (status == SIZE_SPELLING)
		return err_set(e,
			       "%s=%s is not a size: give a number with K, M, "
			       "G or T (1500M, 1.5G; a plain number is in M), "
			       "a share of the node's memory (80%%), or max",
			       name, quoted);
	if (status == SIZE_TOO_LARGE && text[len - 1] == '%')
		return err_set(e,
			       "%s=%s is more than the node has: give at most "
			       "100%%",
			       name, quoted);
	if (status == SIZE_TOO_LARGE)
		return err_set(e,
			       "%s=%s is too large: no node has that much "
			       "memory",
			       name, quoted);
	if (bounds && !most && check_cap(&size, bounds, name, quoted, e) < 0)
		return -1;
	r->cap = size;
	r->most = most;
	r->has_cap = true;
	return 0;
}

static int check_swap(const struct swap *swap, const struct conf *c,
		      const char *name, struct err *e)
{
	char asked[SWAP_TEXT_MAX], most[SWAP_TEXT_MAX];

	if (!swap_less(&c->swap_max, swap))
		return 0;
	return err_set(e, "%s=%s is too much: the administrator allows %s",
		       name, swap_text(asked, swap),
		       swap_text(most, &c->swap_max));
}

int policy_swap(struct request *r, const struct conf *bounds, const char *name,
		const char *text, size_t len, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];
	struct swap swap;

	err_quote(quoted, text, len);
	switch (swap_parse(text, len, &swap)) {
	case SIZE_OK:
		if (bounds && check_swap(&swap, bounds, name, e) < 0)
			return -1;
		r->swap = swap;
		r->has_swap = true;
		return 0;
	case SIZE_TOO_LARGE:
		return err_set(e,
			       "%s=%s is too large: no node has that much swap",
			       name, quoted);
	case SIZE_SPELLING:
	default:
		return err_set(e,
			       "%s=%s is not known: give none, allow, or a "
			       "size such as 512M",
			       name, quoted);
	}
}

int policy_report(struct request *r, const char *name, const char *text,
		  size_t len, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	if (!conf_report_word(text, len, &r->report))
		return err_set(e,
			       "%s=%s is not known: give off, summary or json",
			       name, err_quote(quoted, text, len));
	r->has_report = true;
	return 0;
}

enum conf_report policy_tells(const struct request *r, const struct conf *c,
			      const enum conf_report *job)
{
	if (r->has_report)
		return r->report;
	if (job)
		return *job;
	return r->has_cap ? c->report : REPORT_OFF;
}

uint64_t policy_most(const struct conf *c, uint64_t mem_total)
{
	uint64_t usable = conf_usable(c, mem_total);
	uint64_t most = size_bytes(&c->max_cap, usable);

	/* Unknown, only a bound in bytes is one. */
	if (mem_total > 0 && most > usable)
		most = usable;
	return round_down(most);
}

static uint64_t cap_bytes(const struct size *cap, const struct conf *c,
			  uint64_t mem_total)
{
	return round_down(size_bytes(cap, conf_usable(c, mem_total)));
}

/* The administrator's own words disagree here: nobody's job can mend that. */
static int bad_setting(struct err *e, const char *key, uint64_t bytes,
		       const char *other, uint64_t bound)
{
	char text[SIZE_TEXT_MAX], limit[SIZE_TEXT_MAX];

	return err_set(e,
		       "plugstack.conf: %s= comes to %s on this node, but "
		       "%s= to %s: tell the administrator",
		       key, size_format(text, bytes), other,
		       size_format(limit, bound));
}

static int check_default(const struct conf *c, uint64_t cap, uint64_t most,
			 struct err *e)
{
	if (cap < round_down(c->min_cap))
		return bad_setting(e, "default_cap", cap, "min_cap",
				   c->min_cap);
	if (cap > most)
		return bad_setting(e, "default_cap", cap, "max_cap", most);
	return 0;
}

static int check_asked(const struct conf *c, uint64_t cap, uint64_t most,
		       struct err *e)
{
	char text[SIZE_TEXT_MAX], bound[SIZE_TEXT_MAX];

	if (cap < round_down(c->min_cap))
		return err_set(e,
			       "--gbm-mem-cap comes to %s on this node, which "
			       "is too small: give at least %s",
			       size_format(text, cap),
			       at_least(bound, c->min_cap));
	if (cap > most)
		return err_set(e,
			       "--gbm-mem-cap comes to %s, but this node "
			       "allows %s: give less, or max",
			       size_format(text, cap), at_most(bound, most));
	return 0;
}

/* CAP of a job on this node: what it asks for, or the default. */
static int job_cap(const struct request *r, const struct conf *c,
		   uint64_t mem_total, uint64_t *cap, struct err *e)
{
	uint64_t most = policy_most(c, mem_total);
	bool has_default = c->default_cap.bytes > 0 || c->default_cap.ppm > 0;

	*cap = NO_CAP;
	if (!r->has_cap && !has_default)
		return 0;
	if (most == 0 && mem_total == 0)
		return err_set(e, "what this node's memory allows is not "
				  "known: /proc/meminfo cannot be read");
	if (most < round_down(c->min_cap))
		return bad_setting(e, "max_cap", most, "min_cap", c->min_cap);
	if (!r->has_cap) {
		*cap = cap_bytes(&c->default_cap, c, mem_total);
		if (c->default_cap.ppm == SIZE_PPM_ALL)
			*cap = most;
		return check_default(c, *cap, most, e);
	}
	*cap = r->most ? most : cap_bytes(&r->cap, c, mem_total);
	return check_asked(c, *cap, most, e);
}

int policy_job(const struct request *r, const struct conf *c,
	       uint64_t mem_total, struct limits *out, struct err *e)
{
	struct limits limits;

	if (job_cap(r, c, mem_total, &limits.cap, e) < 0)
		return -1;
	limits.swap = c->swap_default;
	if (r->has_swap) {
		if (check_swap(&r->swap, c, "--gbm-swap", e) < 0)
			return -1;
		limits.swap = r->swap;
	}
	*out = limits;
	return 0;
}

int policy_step(const struct request *r, const struct conf *c,
		const struct limits *job, uint64_t mem_total,
		struct limits *out, uint64_t *asked, struct err *e)
{
	uint64_t most = policy_most(c, mem_total), cap;

	*out = *job;
	*asked = 0;
	if (r->has_cap) {
		cap = r->most ? most : cap_bytes(&r->cap, c, mem_total);
		/* Not the bounds of today for what the job has had since it
		 * began: a step finds its job's options in its environment. */
		if (cap < job->cap && check_asked(c, cap, most, e) < 0)
			return -1;
		*asked = cap;
		if (cap < out->cap)
			out->cap = cap;
	}
	if (r->has_swap && swap_less(&r->swap, &job->swap))
		out->swap = r->swap;
	return 0;
}
