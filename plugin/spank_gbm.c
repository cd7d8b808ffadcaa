/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hooks: what Slurm calls, by the kind of process that it calls it in. Of
 * the hooks in slurmstepd only task_init may fail: its -1 ends the task cleanly
 * and leaves the node idle, whereas a failure of any earlier one drains the
 * node. Whatever goes wrong before is therefore kept until then.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strnlen */
#endif

#include "plugin/spank_gbm.h"

#include <slurm/slurm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/procfs.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

SPANK_PLUGIN(gbm, 1)

/* More than any good value has: the rest only ends up in a "...". */
#define VALUE_MAX 256

struct gbm gbm;

static int option_given(int val, const char *text, int remote);

/* Slurm's structure has no const; it copies the strings. */
static char cap_name[] = "gbm-mem-cap";
static char cap_arg[] = "SIZE";
static char cap_usage[] = "keep the job within SIZE of RAM on each node: "
			  "1500M, 1.5G, 80% of what jobs may use, or max";
static char swap_name[] = "gbm-swap";
static char swap_arg[] = "none|SIZE|allow";
static char swap_usage[] = "swap that the job may use beyond --gbm-mem-cap";

static char report_name[] = "gbm-mem-report";
static char report_arg[] = "off|summary|json";
static char report_usage[] = "what to print of the job's memory at its end";

struct spank_option options[N_OPTIONS] = {
	{ cap_name, cap_arg, cap_usage, 1, OPT_CAP, option_given },
	{ swap_name, swap_arg, swap_usage, 1, OPT_SWAP, option_given },
	{ report_name, report_arg, report_usage, 1, OPT_REPORT, option_given },
};

const struct option_names option_names[N_OPTIONS] = {
	{ "--gbm-mem-cap", "SLURM_GBM_MEM_CAP",
	  "SLURM_SPANK__SLURM_SPANK_OPTION_gbm_gbm_mem_cap" },
	{ "--gbm-swap", "SLURM_GBM_SWAP",
	  "SLURM_SPANK__SLURM_SPANK_OPTION_gbm_gbm_swap" },
	{ "--gbm-mem-report", "SLURM_GBM_MEM_REPORT",
	  "SLURM_SPANK__SLURM_SPANK_OPTION_gbm_gbm_mem_report" },
};

void gbm_say(const char *text)
{
	slurm_spank_log("gbm: %s", text);
}

int gbm_parse_option(int which, const struct conf *bounds, const char *name,
		     const char *value, struct err *e)
{
	size_t len = strnlen(value, VALUE_MAX);

	switch (which) {
	case OPT_CAP:
		return policy_cap(&gbm.request, bounds, name, value, len, e);
	case OPT_SWAP:
		return policy_swap(&gbm.request, bounds, name, value, len, e);
	case OPT_REPORT:
	default:
		return policy_report(&gbm.request, name, value, len, e);
	}
}

void gbm_root_option(int which, const char *value)
{
	struct err e = { { 0 } };

	if (gbm_parse_option(which, NULL, option_names[which].option,
			     value ? value : "", &e) < 0)
		gbm.option_bad = e;
}

bool gbm_asked(void)
{
	const struct request *r = &gbm.request;

	return r->has_cap || r->has_swap || r->has_report ||
	       gbm.option_bad.text[0] != '\0';
}

static int option_given(int val, const char *text, int remote)
{
	if (val < 0 || val >= N_OPTIONS)
		return -1;
	if (!remote)
		return client_option(val, text ? text : "");
	gbm_root_option(val, text);
	return 0;
}

int gbm_register_options(spank_t sp)
{
	for (int i = 0; i < N_OPTIONS; i++)
		if (spank_option_register(sp, &options[i]) != ESPANK_SUCCESS)
			return -1;
	return 0;
}

const char *gbm_node_name(char *host, size_t size)
{
	const char *name = getenv("SLURMD_NODENAME");

	if (name && name[0] != '\0')
		return name;
	if (gethostname(host, size) < 0)
		return "";
	host[size - 1] = '\0';
	return host;
}

uint64_t gbm_mem_total(int root)
{
	char text[8192];
	ssize_t n = sysroot_read(root, "proc/meminfo", text, sizeof(text));
	uint64_t bytes;

	if (n > 0 && procfs_mem_total(text, (size_t)n, &bytes))
		return bytes;
	return 0;
}

int slurm_spank_init(spank_t sp, int ac, char **av)
{
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
		return client_init(sp, ac, av);
	case S_CTX_REMOTE:
		return step_init(sp, ac, av);
	case S_CTX_SLURMD:
		node_init(ac, av);
		return 0;
	case S_CTX_ERROR:
	case S_CTX_JOB_SCRIPT:
	default:
		return 0;
	}
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	(void)ac;
	(void)av;
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
		return client_post_opt();
	case S_CTX_REMOTE:
		return step_post_opt(sp);
	case S_CTX_ERROR:
	case S_CTX_SLURMD:
	case S_CTX_JOB_SCRIPT:
	default:
		return 0;
	}
}

/* Always 0: a failure would drain the node. */
int slurm_spank_job_prolog(spank_t sp, int ac, char **av)
{
	job_prolog(sp, ac, av);
	return 0;
}

int slurm_spank_job_epilog(spank_t sp, int ac, char **av)
{
	return job_epilog(sp, ac, av);
}

int slurm_spank_task_post_fork(spank_t sp, int ac, char **av)
{
	(void)ac;
	(void)av;
	return spank_context() == S_CTX_REMOTE ? step_post_fork(sp) : 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
	(void)ac;
	(void)av;
	return spank_context() == S_CTX_REMOTE ? step_task_init(sp) : 0;
}

int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
	(void)ac;
	(void)av;
	return spank_context() == S_CTX_REMOTE ? step_task_exit(sp) : 0;
}

int slurm_spank_exit(spank_t sp, int ac, char **av)
{
	(void)sp;
	(void)ac;
	(void)av;
	if (spank_context() == S_CTX_REMOTE)
		step_exit();
	return 0;
}
