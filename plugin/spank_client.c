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

#include "plugin/banned.h"

static struct {
	/* Slurm hands over the environment's value first. */
	bool from_environment[N_OPTIONS];
	bool ours[N_OPTIONS]; /* which we put there, from the user's variable */
	bool swap_given;      /* on the command line */
} client;

int client_option(int which, const char *value)
{
	const char *name = option_names[which].option;
	struct err e = { { 0 } };

	if (client.from_environment[which]) {
		client.from_environment[which] = false;
		if (client.ours[which])
			name = option_names[which].variable;
	} else if (which == OPT_SWAP) {
		client.swap_given = true;
	}
	if (gbm_parse_option(which, name, value, &e) < 0) {
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
		client.from_environment[i] =
			getenv(option_names[i].slurms) != NULL;
	}
	return 0;
}

int client_post_opt(void)
{
	/* A variable may stand there for all jobs, an option is for this one.
	 */
	if (client.swap_given && !gbm.request.has_cap) {
		gbm_say("--gbm-swap needs --gbm-mem-cap: swap is counted "
			"beyond "
			"the cap");
		return -1;
	}
	return 0;
}
