/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L

#include "config.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#ifdef HAVE_MPI
#include <gbm-mc/mpi.h>
#endif

#include "world.h"

/* One line on stderr, from rank 0, in one write. */
void complain(const struct world *world, const char *format, ...)
{
	char line[1024];
	va_list ap;

	if (world->rank != 0)
		return;
	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	fprintf(stderr, "gbm_sim: %s\n", line);
}

int exit_code(int status)
{
	switch (status) {
	case GBM_OK:
		return EX_OK;
	case GBM_EINVAL:
	case GBM_EISA:
		return EX_USAGE;
	case GBM_ENOMEM:
		return EX_OSERR;
	case GBM_ECREATE:
		return EX_CANTCREAT;
	case GBM_EIO:
		return EX_IOERR;
	case GBM_EDAMAGED:
	case GBM_EFORMAT:
		return EX_DATAERR;
	default:
		return EX_SOFTWARE;
	}
}

/* The first of these variables that is set to a number; otherwise -1. */
static long first_number(const char *const *names)
{
	for (; *names; names++) {
		const char *text = getenv(*names);
		char *end;
		long n;

		if (!text || *text == '\0')
			continue;
		n = strtol(text, &end, 10);
		if (*end == '\0' && n >= 0)
			return n;
	}
	return -1;
}

/*
 * How many tasks the launcher started.  mpirun's own variables go first: inside
 * a Slurm job it starts its daemons by srun, and the tasks then carry the
 * daemons' SLURM_STEP_NUM_TASKS.
 */
static long tasks_started(void)
{
	static const char *const names[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE",
					     "SLURM_STEP_NUM_TASKS", NULL };

	return first_number(names);
}

/* This task's number for the launcher: there may be no MPI to ask. */
static long task_number(void)
{
	static const char *const names[] = { "OMPI_COMM_WORLD_RANK",
					     "PMIX_RANK", "PMI_RANK",
					     "SLURM_PROCID", NULL };

	return first_number(names);
}

/*
 * Tasks that MPI does not join would each do the whole run.  Launchers end all
 * tasks when one fails, with whatever status that gives: all wait a moment, so
 * that they end together and task 0 gets its sentence out.
 */
static int refuse_lone_tasks(struct world *world, long tasks)
{
	const struct timespec moment = { 0, 300000000 };

	world->rank = task_number() > 0;
#ifdef HAVE_MPI
	complain(world,
		 "started as %ld tasks that MPI does not join: start it by "
		 "'srun --mpi=pmix' or by the mpirun of the MPI it was built "
		 "with",
		 tasks);
#else
	complain(world,
		 "started as %ld tasks but built without MPI: start a single "
		 "task, or build it with MPI",
		 tasks);
#endif
	nanosleep(&moment, NULL);
	return EX_USAGE;
}

/*
 * hwloc's plugins, for graphics cards, PCI and XML of others, cost a process 2
 * MiB, in MPI_Init() as well; nothing here needs them.  And what is freed goes
 * back at once: glibc would keep some megabytes after the first time.
 */
static void save_memory(void)
{
	setenv("HWLOC_PLUGINS_PATH", "", 0);
#ifdef M_MMAP_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
}

static int write_alone(const struct cli *cli, const struct gbm_plan *plan,
		       struct gbm_error *err)
{
	uint64_t first = cli->samples.first_path;
	struct gbm_samples *samples;
	int status = gbm_samples_create(&samples, cli->out, plan, &cli->samples,
					err);

	if (status == GBM_OK)
		status = gbm_samples_run(samples, first, cli->paths - first,
					 NULL, NULL, err);
	if (status == GBM_OK)
		status = gbm_samples_finish(samples, err);
	gbm_samples_close(&samples);
	return status;
}

static int verify_alone(const struct cli *cli, const struct gbm_plan *plan,
			struct gbm_error *err)
{
	uint64_t first = cli->samples.first_path;
	struct gbm_samples *samples;
	int status = gbm_samples_open(&samples, cli->verify, plan, err);

	if (status == GBM_OK)
		status = gbm_samples_verify(samples, first, cli->paths - first,
					    NULL, err);
	if (status == GBM_OK)
		status = gbm_samples_finish(samples, err);
	gbm_samples_close(&samples);
	return status;
}

#ifdef HAVE_MPI

/*
 * MPI_Init() costs memory, in a process that no launcher started also a daemon,
 * and in a task of srun works once only: a shell there could not run gbm_sim
 * twice.  One task does without; of the parts of a heterogeneous step, each
 * counts its own tasks.
 */
static bool needs_mpi(long tasks)
{
	static const char *const names[] = { "OMPI_COMM_WORLD_SIZE",
					     "PMIX_RANK",
#ifndef OPEN_MPI /* Debian's does not speak what this variable stands for */
					     "PMI_RANK",
#endif
					     NULL };

	return first_number(names) >= 0 &&
	       (tasks != 1 || getenv("SLURM_HET_SIZE"));
}

static int start_mpi(struct world *world)
{
	int provided = MPI_THREAD_SINGLE;

	if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) !=
	    MPI_SUCCESS) {
		complain(world, "MPI_Init failed: is this the mpirun of the "
				"MPI that gbm_sim was built with?");
		return EX_SOFTWARE;
	}
	world->mpi = true;
	if (MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN) !=
		    MPI_SUCCESS ||
	    MPI_Comm_rank(MPI_COMM_WORLD, &world->rank) != MPI_SUCCESS ||
	    MPI_Comm_size(MPI_COMM_WORLD, &world->size) != MPI_SUCCESS) {
		complain(world, "MPI does not tell this task's rank");
		return EX_SOFTWARE;
	}
	if (provided < MPI_THREAD_FUNNELED) {
		complain(world, "this MPI was built without threads: use one "
				"with MPI_THREAD_FUNNELED");
		return EX_SOFTWARE;
	}
	return EX_OK;
}

int start(struct world *world)
{
	long tasks = tasks_started();
	int code = EX_OK;

	save_memory();
	if (needs_mpi(tasks))
		code = start_mpi(world);
	if (code == EX_OK && world->size == 1 && tasks > 1)
		code = refuse_lone_tasks(world, tasks);
	return code;
}

/* All end with the status of rank 0, which alone knows whether it printed. */
int finish(struct world *world, int code)
{
	if (!world->mpi)
		return code;
	if (MPI_Bcast(&code, 1, MPI_INT, 0, MPI_COMM_WORLD) != MPI_SUCCESS &&
	    code == EX_OK)
		code = EX_SOFTWARE;
	if (MPI_Finalize() != MPI_SUCCESS && code == EX_OK) {
		complain(world, "MPI_Finalize failed");
		code = EX_SOFTWARE;
	}
	return code;
}

int make_plan(const struct world *world, const struct cli *cli,
	      struct gbm_plan **plan, struct gbm_error *err)
{
	if (world->mpi)
		return gbm_mpi_plan_create(plan, &cli->model, &cli->functional,
					   cli->paths, &cli->options,
					   MPI_COMM_WORLD, err);
	return gbm_plan_create(plan, &cli->model, &cli->functional, cli->paths,
			       &cli->options, err);
}

int run_samples(const struct world *world, const struct cli *cli,
		const struct gbm_plan *plan, struct gbm_result *result,
		struct gbm_error *err)
{
	return world->mpi ? gbm_mpi_run_samples(plan, MPI_COMM_WORLD, cli->out,
						&cli->samples, result, err)
			  : gbm_run_samples(plan, cli->out, &cli->samples,
					    result, err);
}

int run_until(const struct world *world, const struct gbm_plan *plan,
	      const struct gbm_goal *goal, struct gbm_summary *summary,
	      uint64_t *done, struct gbm_ending *ending)
{
	return world->mpi ? gbm_mpi_run_until(plan, MPI_COMM_WORLD, goal,
					      summary, done, ending)
			  : gbm_run_until(plan, goal, summary, done, ending);
}

bool from_all(const struct world *world, uint64_t mine, uint64_t *all)
{
	if (world->rank == 0)
		all[0] = mine;
	return !world->mpi ||
	       MPI_Gather(&mine, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, 0,
			  MPI_COMM_WORLD) == MPI_SUCCESS;
}

/* A failure shows in the next call that has a status. */
uint64_t from_first(const struct world *world, uint64_t value)
{
	if (world->mpi)
		MPI_Bcast(&value, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
	return value;
}

int write_samples(const struct world *world, const struct cli *cli,
		  const struct gbm_plan *plan, struct gbm_error *err)
{
	return world->mpi ? gbm_mpi_run_samples(plan, MPI_COMM_WORLD, cli->out,
						&cli->samples, NULL, err)
			  : write_alone(cli, plan, err);
}

int verify_samples(const struct world *world, const struct cli *cli,
		   const struct gbm_plan *plan, struct gbm_error *err)
{
	return world->mpi ? gbm_mpi_verify_samples(plan, MPI_COMM_WORLD,
						   cli->verify, err)
			  : verify_alone(cli, plan, err);
}

int worst(const struct world *world, int status)
{
	int least = status;

	if (world->mpi && MPI_Allreduce(&status, &least, 1, MPI_INT, MPI_MIN,
					MPI_COMM_WORLD) != MPI_SUCCESS)
		return GBM_EMPI;
	return least;
}

bool largest(const struct world *world, double *value, char node[NODE_NAME])
{
	char name[MPI_MAX_PROCESSOR_NAME] = "";
	struct {
		double value;
		int rank;
	} mine = { *value, world->rank }, most = mine;
	int n;

	node[0] = '\0';
	if (!world->mpi)
		return true;
	if (MPI_Get_processor_name(name, &n) != MPI_SUCCESS)
		return false;
	if (MPI_Allreduce(&mine, &most, 1, MPI_DOUBLE_INT, MPI_MAXLOC,
			  MPI_COMM_WORLD) != MPI_SUCCESS ||
	    MPI_Bcast(name, MPI_MAX_PROCESSOR_NAME, MPI_CHAR, most.rank,
		      MPI_COMM_WORLD) != MPI_SUCCESS)
		return false;
	*value = most.value;
	snprintf(node, NODE_NAME, "%.*s", NODE_NAME - 1, name);
	return true;
}

#else

int start(struct world *world)
{
	long tasks = tasks_started();

	save_memory();
	return tasks > 1 ? refuse_lone_tasks(world, tasks) : EX_OK;
}

int finish(struct world *world, int code)
{
	(void)world;
	return code;
}

int make_plan(const struct world *world, const struct cli *cli,
	      struct gbm_plan **plan, struct gbm_error *err)
{
	(void)world;
	return gbm_plan_create(plan, &cli->model, &cli->functional, cli->paths,
			       &cli->options, err);
}

int run_samples(const struct world *world, const struct cli *cli,
		const struct gbm_plan *plan, struct gbm_result *result,
		struct gbm_error *err)
{
	(void)world;
	return gbm_run_samples(plan, cli->out, &cli->samples, result, err);
}

int run_until(const struct world *world, const struct gbm_plan *plan,
	      const struct gbm_goal *goal, struct gbm_summary *summary,
	      uint64_t *done, struct gbm_ending *ending)
{
	(void)world;
	return gbm_run_until(plan, goal, summary, done, ending);
}

bool from_all(const struct world *world, uint64_t mine, uint64_t *all)
{
	(void)world;
	all[0] = mine;
	return true;
}

uint64_t from_first(const struct world *world, uint64_t value)
{
	(void)world;
	return value;
}

int write_samples(const struct world *world, const struct cli *cli,
		  const struct gbm_plan *plan, struct gbm_error *err)
{
	(void)world;
	return write_alone(cli, plan, err);
}

int verify_samples(const struct world *world, const struct cli *cli,
		   const struct gbm_plan *plan, struct gbm_error *err)
{
	(void)world;
	return verify_alone(cli, plan, err);
}

int worst(const struct world *world, int status)
{
	(void)world;
	return status;
}

bool largest(const struct world *world, double *value, char node[NODE_NAME])
{
	(void)world;
	(void)value;
	node[0] = '\0';
	return true;
}

#endif
