/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A run of the library, REPEATS times:
 *
 *	scale call|asian STEPS PATHS THREADS REPEATS
 *
 * prints "SECONDS KIB": the shortest wall time and the peak of this process's
 * memory.  scale_mpi.c: the same on all ranks, THREADS being those of each;
 * the time is the slowest rank's, the memory the largest.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <gbm-mc/gbm.h>
#ifdef SCALE_MPI
#include <gbm-mc/mpi.h>
#endif

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "scale: %s\n", what);
#ifdef SCALE_MPI
	MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
#endif
	exit(EXIT_FAILURE);
}

static struct gbm_plan *make_plan(char **argv)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_functional functional = GBM_FUNCTIONAL_INIT;
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_error err;
	struct gbm_plan *plan;
	uint64_t paths = (uint64_t)strtod(argv[3], NULL);
	int status;

	functional.payoff = strcmp(argv[1], "asian") ? GBM_CALL :
						       GBM_ASIAN_CALL;
	model.steps = strtoul(argv[2], NULL, 10);
	options.threads = (unsigned)strtoul(argv[4], NULL, 10);
#ifdef SCALE_MPI
	status = gbm_mpi_plan_create(&plan, &model, &functional, paths,
				     &options, MPI_COMM_WORLD, &err);
#else
	status = gbm_plan_create(&plan, &model, &functional, paths, &options,
				 &err);
#endif
	if (status)
		die(err.text);
	return plan;
}

/* Seconds of one run, by the slowest rank. */
static double run(const struct gbm_plan *plan)
{
	struct gbm_result r = GBM_RESULT_INIT;
	double seconds;
	int status;

#ifdef SCALE_MPI
	MPI_Barrier(MPI_COMM_WORLD);
	seconds = now();
	status = gbm_mpi_run(plan, MPI_COMM_WORLD, &r);
	seconds = now() - seconds;
	MPI_Allreduce(MPI_IN_PLACE, &seconds, 1, MPI_DOUBLE, MPI_MAX,
		      MPI_COMM_WORLD);
#else
	seconds = now();
	status = gbm_run(plan, &r);
	seconds = now() - seconds;
#endif
	if (status)
		die(gbm_strerror(status));
	return seconds;
}

static long peak_kib(void)
{
	struct rusage usage;
	long kib;

	getrusage(RUSAGE_SELF, &usage);
	kib = usage.ru_maxrss;
#ifdef SCALE_MPI
	MPI_Allreduce(MPI_IN_PLACE, &kib, 1, MPI_LONG, MPI_MAX, MPI_COMM_WORLD);
#endif
	return kib;
}

int main(int argc, char **argv)
{
	struct gbm_plan *plan;
	double best = HUGE_VAL;
	int rank = 0;
	long kib;

#ifdef SCALE_MPI
	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
#endif
	if (argc != 6)
		die("usage: scale call|asian STEPS PATHS THREADS REPEATS");
	plan = make_plan(argv);
	for (int i = 0; i < atoi(argv[5]); i++) {
		double seconds = run(plan);

		best = seconds < best ? seconds : best;
	}
	gbm_plan_destroy(&plan);
	kib = peak_kib();
	if (rank == 0)
		printf("%.6f %ld\n", best, kib);
#ifdef SCALE_MPI
	MPI_Finalize();
#endif
	return EXIT_SUCCESS;
}
