/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/policy.h"

#include <stdio.h>
#include <string.h>

#include "plugin/banned.h"

static uint64_t round_down(uint64_t bytes)
{
	return bytes - bytes % SIZE_ROUND;
}

int policy_cap(struct request *r, const struct conf *c, const char *name,
	       const char *text, size_t len, struct err *e)
{
	char quoted[ERR_QUOTE_MAX], least[SIZE_TEXT_MAX];
	struct size size = { 0 };
	enum size_status status = size_parse(text, len, &size);

	err_quote(quoted, text, len);
	if (len == 0)
		return err_set(e,
			       "%s needs a size, such as 1500M, 1.5G or 80%%",
			       name);
	if (status == SIZE_SPELLING)
		return err_set(e,
			       "%s=%s is not a size: give a number with K, M, "
			       "G or T (1500M, 1.5G; a plain number is in M), "
			       "or a share of the node's memory (80%%)",
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
	if (size.ppm == 0 && size.bytes < c->min_cap)
		return err_set(e,
			       "%s=%s is too small: give at least %s, or "
			       "Slurm's own part of the job has no room",
			       name, quoted, size_format(least, c->min_cap));
	r->cap = size;
	r->has_cap = true;
	return 0;
}

int policy_swap(struct request *r, const char *name, const char *text,
		size_t len, struct err *e)
{
	char quoted[ERR_QUOTE_MAX];

	err_quote(quoted, text, len);
	switch (swap_parse(text, len, &r->swap)) {
	case SIZE_OK:
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

int policy_resolve(const struct request *r, const struct conf *c,
		   uint64_t mem_total, struct limits *out, struct err *e)
{
	char least[SIZE_TEXT_MAX], got[SIZE_TEXT_MAX];
	uint64_t cap = round_down(size_bytes(&r->cap, mem_total));

	if (cap < round_down(c->min_cap))
		return err_set(e,
			       "--gbm-mem-cap comes to %s on this node, which "
			       "is too small: give at least %s",
			       size_format(got, cap),
			       size_format(least, c->min_cap));
	out->cap = cap;
	out->swap.mode = SWAP_NONE;
	out->swap.bytes = 0;
	if (r->has_swap)
		out->swap = r->swap;
	return 0;
}

int policy_step(const struct request *r, const struct conf *c,
		const struct limits *job, uint64_t mem_total,
		struct limits *out, uint64_t *asked, struct err *e)
{
	struct limits own;

	*asked = 0;
	if (!r->has_cap) {
		if (!job)
			return 0;
		*out = *job;
	} else {
		if (policy_resolve(r, c, mem_total, &own, e) < 0)
			return -1;
		*out = own;
		*asked = own.cap;
		if (!job)
			return 1;
		if (job->cap < own.cap)
			out->cap = job->cap;
	}
	out->swap = job->swap;
	if (r->has_swap && swap_less(&r->swap, &job->swap))
		out->swap = r->swap;
	return 1;
}
