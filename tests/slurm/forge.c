/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Submits a batch job past srun, sbatch and their plugins, as any user can with
 * Slurm's library, and prints its id:
 *
 *   forge job|prolog BYTES SCRIPT OUTPUT
 *
 * --gbm-mem-cap of that job is a number of BYTES digits, in the environment of
 * the job or in what Slurm hands to the prolog. The job runs SCRIPT, and prints
 * to the file OUTPUT.
 */
#define _GNU_SOURCE /* getcwd */
#include <errno.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char name[] = "_SLURM_SPANK_OPTION_gbm_gbm_mem_cap=";
static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";

static char *option(size_t digits)
{
	char *text = malloc(sizeof(name) + digits);

	if (!text) {
		perror("forge");
		exit(1);
	}
	memcpy(text, name, sizeof(name) - 1);
	memset(text + sizeof(name) - 1, '9', digits);
	text[sizeof(name) - 1 + digits] = '\0';
	return text;
}

/* Slurm's structure has no const. */
static char *script_of(const char *command)
{
	static char text[4096];

	snprintf(text, sizeof(text), "#!/bin/sh\nexec %s\n", command);
	return text;
}

int main(int argc, char **argv)
{
	static char cwd[4096];
	char *environment[] = { path, NULL, NULL }, *prolog[] = { NULL };
	job_desc_msg_t job;
	submit_response_msg_t *answer = NULL;
	bool in_job = argc == 5 && strcmp(argv[1], "job") == 0;

	if (argc != 5 || (!in_job && strcmp(argv[1], "prolog") != 0) ||
	    !getcwd(cwd, sizeof(cwd))) {
		fputs("usage: forge job|prolog BYTES SCRIPT OUTPUT\n", stderr);
		return 64;
	}
	slurm_init_job_desc_msg(&job);
	job.name = argv[0];
	job.user_id = getuid();
	job.group_id = getgid();
	job.min_nodes = job.num_tasks = 1;
	job.script = script_of(argv[3]);
	job.work_dir = cwd;
	job.std_out = argv[4];
	job.environment = environment;
	job.env_size = 1;
	*(in_job ? &environment[job.env_size++] : prolog) =
		option(strtoul(argv[2], NULL, 10));
	if (!in_job) {
		job.spank_job_env = prolog;
		job.spank_job_env_size = 1;
	}
	slurm_init(NULL); /* without it 24.11 ends the program */
	if (slurm_submit_batch_job(&job, &answer) != SLURM_SUCCESS) {
		fprintf(stderr, "forge: %s\n", slurm_strerror(errno));
		return 1;
	}
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(25, 11, 0)
	printf("%u\n", answer->step_id.job_id);
#else
	printf("%u\n", answer->job_id);
#endif
	return 0;
}
