/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the files that see Slurm's headers share. Slurm loads the plugin into
 * every srun, sbatch and salloc as the user (spank_client.c), as root into each
 * slurmstepd, where each process serves one step (spank_step.c), into the
 * short-lived process that runs the prolog and the epilog of a job
 * (spank_job.c), and into slurmd (spank_node.c). The hooks themselves are in
 * spank_gbm.c.
 */
#ifndef GBM_PLUGIN_SPANK_GBM_H
#define GBM_PLUGIN_SPANK_GBM_H

#include <slurm/spank.h>
#include <stdbool.h>
#include <stdint.h>

#include "plugin/conf.h"
#include "plugin/err.h"
#include "plugin/policy.h"
#include "plugin/state.h"

#define ROOT_UID ((uid_t)0)

enum { OPT_CAP, OPT_SWAP, OPT_REPORT, N_OPTIONS };

/* How a user may set an option without the command line, and where Slurm looks
 * for it. */
struct option_names {
	const char *option;
	const char *variable;
	const char *slurms;
};

extern const struct option_names option_names[N_OPTIONS];
extern struct spank_option options[N_OPTIONS];

/* What this process was told; zero until init. */
struct gbm {
	struct conf conf;
	struct err conf_bad; /* slurmstepd: plugstack.conf cannot be followed */
	struct request request;
	struct err option_bad; /* root: a value that srun would have refused */
};

extern struct gbm gbm;

/* To the job's stderr while it is connected, else to a log; one line. */
void gbm_say(const char *text);

int gbm_register_options(spank_t sp);

/* Reads the value of option WHICH, called NAME in messages, into gbm.request;
 * BOUNDS as policy.h has it. */
int gbm_parse_option(int which, const struct conf *bounds, const char *name,
		     const char *value, struct err *e);

/*
 * In slurmstepd this may be called twice, first with the launch message's value
 * and then with that of the environment, which the user may have written by
 * hand: a bad one is remembered in gbm.option_bad.
 */
void gbm_root_option(int which, const char *value);

/* Did the user ask for anything, be it in vain? */
bool gbm_asked(void);

/* This node as Slurm calls it, from the environment that slurmd made, which the
 * user cannot reach. HOST is room for HOST_NAME_MAX + 1 bytes. */
const char *gbm_node_name(char *host, size_t size);

/* Bytes, or 0. */
uint64_t gbm_mem_total(int root);

/* spank_client.c */
int client_init(spank_t sp, int ac, char **av);
int client_option(int which, const char *value);
int client_post_opt(void);

/* spank_step.c */
int step_init(spank_t sp, int ac, char **av);
int step_post_opt(spank_t sp);
int step_post_fork(spank_t sp);
int step_task_init(spank_t sp);
int step_task_exit(spank_t sp);
void step_exit(void);

/* spank_end.c: ends the tasks of a step, or also the rest of its job, on all
 * nodes. Takes a second or two. */
void end_everywhere(uint32_t job, uint32_t step, bool whole_job);

/*
 * spank_node.c: what all jobs of this node may use together, in slurmd as soon
 * as it starts and then again for each step, whose task PID of job JOB shows
 * where that is. Only logs what goes wrong.
 */
void node_init(int ac, char **av);
void node_guard(int root, uint32_t job, pid_t pid);

/* spank_job.c */
void job_prolog(spank_t sp, int ac, char **av);
/* -1, which drains the node, only if something stays and drain=yes. */
int job_epilog(spank_t sp, int ac, char **av);

/*
 * When slurmd starts: does the epilog's work for jobs whose slurmstepd have all
 * died, as by the kernel's hand. Slurm forgets these jobs and what runs of
 * them.
 */
void job_lost(int root);

/*
 * The limits of job JOB of user UID as its options say, or the sentence why it
 * can have none, noted in DIR for all of its steps. Where that fails (-1 and a
 * sentence in E) the job is kept from running without its cap.
 */
int job_note(int dir, uint32_t job, uint32_t uid, int root, struct state *s,
	     struct err *e);

#endif
