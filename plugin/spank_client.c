/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In srun, sbatch and salloc, as the user: what is refused here is refused
 * before anything is allocated. A courtesy: root reads all of it afresh.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* setenv */
#endif

#include "plugin/spank_gbm.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/banned.h"

static struct {
	bool ours[N_OPTIONS]; /* the user's variable became Slurm's */
	bool swap_given;      /* for this job, and not for all in a variable */
} client;

/*
 * Slurm calls for each place in which an option stands, the weakest first: the
 * lines of a batch script, the environment, the command line. It does not say
 * which it is, but the environment's value is known.
 */
int client_option(int which, const char *value)
{
	const char *name = option_names[which].option;
	const char *environment = getenv(option_names[which].slurms);
	struct err e = { { 0 } };

	if (environment && strcmp(environment, value) == 0) {
		if (client.ours[which])
			name = option_names[which].variable;
	} else if (which == OPT_SWAP) {
		client.swap_given = true;
	}
	if (gbm_parse_option(which, &gbm.conf, name, value, &e) < 0) {
		gbm_say(e.text);
		return -1;
	}
	return 0;
}

int client_init(spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		gbm_say(e.text);
		return -1;
	}
	if (gbm_register_options(sp) < 0) {
		gbm_say("Slurm did not take the options --gbm-mem-cap, "
			"--gbm-swap and --gbm-mem-report");
		return -1;
	}
	/* Inside a job Slurm's own variable holds the job's value already. */
	for (int i = 0; i < N_OPTIONS; i++) {
		const char *value = getenv(option_names[i].variable);

		if (value && !getenv(option_names[i].slurms))
			client.ours[i] =
				setenv(option_names[i].slurms, value, 0) == 0;
	}
	return 0;
}

int client_post_opt(void)
{
	const struct request *r = &gbm.request;
	const struct size *fallback = &gbm.conf.default_cap;

	/* Without a cap, swap can be had or not; an amount of it is what a job
	 * uses beyond its cap. */
	if (client.swap_given && r->swap.mode == SWAP_SIZE && !r->has_cap &&
	    fallback->bytes == 0 && fallback->ppm == 0) {
		gbm_say("--gbm-swap with a size needs --gbm-mem-cap: swap is "
			"counted beyond the cap");
		return -1;
	}
	return 0;
}
