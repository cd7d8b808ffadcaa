/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a job and one of its steps ask for, on a node: lines of the job's cap
 * and swap, the step's cap and swap, the node's memory in KiB, and then words
 * of plugstack.conf. An empty line asks for nothing.
 */
#include "plugin/policy.h"
#include "plugin/procfs.h"

#include "fuzz.h"

#define WORDS_MAX 16

static struct span next_line(struct span *rest)
{
	struct span line = *rest;

	line.len = find_byte(rest->at, rest->len, '\n');
	rest->at += line.len + (line.len < rest->len);
	rest->len -= line.len + (line.len < rest->len);
	return line;
}

/* Returns false for a request that is refused. */
static bool ask(struct request *r, const struct conf *c, struct span cap,
		struct span swap)
{
	struct request before;
	struct err e = { { 0 } };
	int rc = 0;

	memset(r, 0, sizeof(*r));
	before = *r;
	if (cap.len > 0)
		rc = policy_cap(r, c, "--gbm-mem-cap", cap.at, cap.len, &e);
	must(cap.len == 0 || r->has_cap == (rc == 0));
	if (rc == 0 && swap.len > 0) {
		before = *r;
		rc = policy_swap(r, "--gbm-swap", swap.at, swap.len, &e);
		must(r->has_swap == (rc == 0));
	}
	if (rc == 0)
		return true;
	must(memcmp(r, &before, sizeof(*r)) == 0);
	must_be_sentence(&e);
	must(strncmp(e.text, "--gbm-", 6) == 0);
	return false;
}

static void must_be_limits(const struct limits *l, const struct conf *c)
{
	must(l->cap % SIZE_ROUND == 0 && l->cap <= INT64_MAX);
	must(l->cap + SIZE_ROUND > c->min_cap);
	must((l->swap.mode == SWAP_SIZE) == (l->swap.bytes > 0));
	must(l->swap.bytes % SIZE_ROUND == 0);
}

static bool resolve(const struct request *r, const struct conf *c,
		    uint64_t total, struct limits *out)
{
	struct err e = { { 0 } };

	if (policy_resolve(r, c, total, out, &e) < 0) {
		must_be_sentence(&e);
		return false;
	}
	must(e.text[0] == '\0');
	must_be_limits(out, c);
	/* Never more than was asked for. */
	must(out->cap <= size_bytes(&r->cap, total));
	if (r->has_swap)
		must(!swap_less(&r->swap, &out->swap));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = { (const char *)data, size };
	struct span job_cap = next_line(&rest), job_swap = next_line(&rest);
	struct span cap = next_line(&rest), swap = next_line(&rest);
	struct span memory = next_line(&rest);
	struct request job, step;
	struct limits limits, out;
	struct err e = { { 0 } };
	uint64_t total = 0, asked = 77;
	struct conf conf;
	bool has_job;
	int rc;

	conf_init(&conf);
	for (int i = 0; i < WORDS_MAX && rest.len > 0; i++) {
		struct span word = next_line(&rest);

		if (conf_arg(&conf, word.at, word.len, &e) < 0)
			return 0;
	}
	if (!procfs_u64(memory.at, memory.len, &total) ||
	    total > INT64_MAX / 1024)
		return 0;
	total *= 1024;
	if (!ask(&job, &conf, job_cap, job_swap) ||
	    !ask(&step, &conf, cap, swap))
		return 0;
	has_job = job.has_cap && resolve(&job, &conf, total, &limits);
	rc = policy_step(&step, &conf, has_job ? &limits : NULL, total, &out,
			 &asked, &e);
	if (rc < 0) {
		must_be_sentence(&e);
		return 0;
	}
	must(rc == (has_job || step.has_cap));
	if (rc == 0)
		return 0;
	must_be_limits(&out, &conf);
	/* A step has no more than it asks for, nor more than its job. */
	if (step.has_cap)
		must(out.cap <= size_bytes(&step.cap, total));
	must((asked > 0) == step.has_cap && (asked == 0 || out.cap <= asked));
	if (has_job) {
		must(out.cap <= limits.cap);
		must(!swap_less(&limits.swap, &out.swap));
	}
	if (step.has_swap)
		must(!swap_less(&step.swap, &out.swap));
	return 0;
}
