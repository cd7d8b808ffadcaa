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
		rc = policy_swap(r, c, "--gbm-swap", swap.at, swap.len, &e);
		must(r->has_swap == (rc == 0));
	}
	if (rc == 0)
		return true;
	must(memcmp(r, &before, sizeof(*r)) == 0);
	must_be_sentence(&e);
	must(strncmp(e.text, "--gbm-", 6) == 0);
	return false;
}

static void must_be_limits(const struct limits *l, const struct conf *c,
			   uint64_t total)
{
	if (l->cap != NO_CAP) {
		must(l->cap % SIZE_ROUND == 0 && l->cap <= INT64_MAX);
		must(l->cap + SIZE_ROUND > c->min_cap);
		must(l->cap <= policy_most(c, total));
	}
	must((l->swap.mode == SWAP_SIZE) == (l->swap.bytes > 0));
	must(l->swap.bytes % SIZE_ROUND == 0);
	must(!swap_less(&c->swap_max, &l->swap));
}

static bool resolve(const struct request *r, const struct conf *c,
		    uint64_t total, struct limits *out)
{
	struct err e = { { 0 } };

	if (policy_job(r, c, total, out, &e) < 0) {
		must_be_sentence(&e);
		return false;
	}
	must(e.text[0] == '\0');
	must_be_limits(out, c, total);
	/* Never more than was asked for. */
	if (r->has_cap && !r->most)
		must(out->cap <= size_bytes(&r->cap, conf_usable(c, total)));
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
	char *words[WORDS_MAX];
	int rc, n = 0;

	while (n < WORDS_MAX && rest.len > 0) {
		struct span word = next_line(&rest);

		words[n++] = exact_string(word.at, word.len);
	}
	rc = conf_parse(&conf, n, words, &e);
	while (n > 0)
		free(words[--n]);
	if (rc < 0)
		return 0;
	if (!procfs_u64(memory.at, memory.len, &total) ||
	    total > INT64_MAX / 1024)
		return 0;
	total *= 1024;
	if (!ask(&job, &conf, job_cap, job_swap) ||
	    !ask(&step, &conf, cap, swap))
		return 0;
	if (!resolve(&job, &conf, total, &limits))
		return 0;
	rc = policy_step(&step, &conf, &limits, total, &out, &asked, &e);
	if (rc < 0) {
		must_be_sentence(&e);
		return 0;
	}
	must_be_limits(&out, &conf, total);
	/* A step has no more than it asks for, nor more than its job. */
	must((asked > 0) == step.has_cap && (asked == 0 || out.cap <= asked));
	must(out.cap <= limits.cap);
	must(!swap_less(&limits.swap, &out.swap));
	if (step.has_swap)
		must(!swap_less(&step.swap, &out.swap));
	return 0;
}
