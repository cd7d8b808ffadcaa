/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * gbm_sim: the mean of a payoff over many paths, as one process or as many
 * tasks under MPI.
 *
 * Every task takes the same way through this file and all end together with
 * rank 0's exit status; rank 0 alone prints.
 */

#define _POSIX_C_SOURCE 200809L

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <gbm-mc/memory.h>

#include "cli.h"
#include "convergence.h"
#include "progress.h"
#include "rounds.h"
#include "samples.h"
#include "summary.h"
#include "world.h"

/* The 97.5 % quantile of the normal distribution. */
#define Z95 1.959963984540054

/* What a run gave and took. */
struct report {
	struct gbm_result result;
	struct gbm_summary *summary; /* NULL: the result is all */
	struct gbm_plan_info info;
	double reference; /* NAN when there is none */
	struct rounds rounds;
	uint64_t *of_ranks; /* paths that each rank ran; NULL: unknown */
	double seconds;
	double peak_rss;	   /* bytes, the largest of all ranks */
	char peak_node[NODE_NAME]; /* where that was */
};

static bool wants_progress(const struct world *world, const struct cli *cli)
{
	if (world->rank != 0 || cli->progress == CLI_NEVER)
		return false;
	return cli->progress == CLI_ALWAYS || cli->output != CLI_QUIET;
}

/* ---- output */

/*
 * The peak of this program.  getrusage() is second choice: its figure
 * includes what the process held before it became this program.
 */
static double peak_rss(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	struct rusage usage;
	double kilobytes = -1.0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmHWM: %lf kB", &kilobytes) == 1)
			break;
	if (f)
		fclose(f);
	if (kilobytes < 0.0 && getrusage(RUSAGE_SELF, &usage) == 0)
		kilobytes = (double)usage.ru_maxrss;
	return kilobytes < 0.0 ? (double)NAN : 1024.0 * kilobytes;
}

struct text {
	char text[48];
};

static struct text bytes_text(double bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB",
					     "GiB",   "TiB", "PiB" };
	struct text t;
	size_t i = 0;

	while (bytes >= 1024.0 && i < 5) {
		bytes /= 1024.0;
		i++;
	}
	snprintf(t.text, sizeof(t.text),
		 bytes < 100.0 && bytes != (double)(int)bytes ? "%.1f %s"
							      : "%.0f %s",
		 bytes, units[i]);
	return t;
}

/* x with the digits that an error of this size leaves standing. */
static struct text number_text(double x, double error)
{
	struct text t;
	int digits = 17;

	if (!isfinite(x)) {
		snprintf(t.text, sizeof(t.text), "not a finite number");
		return t;
	}
	if (x != 0.0 && isfinite(error) && error > 0.0)
		digits = 2 + (int)floor(log10(fabs(x))) -
			 (int)floor(log10(error));
	if (digits < 2)
		digits = 2;
	if (digits > 17)
		digits = 17;
	snprintf(t.text, sizeof(t.text), "%.*g", digits, x);
	return t;
}

static const char *plural(double n)
{
	return n == 1.0 ? "" : "s";
}

static void print_model(const struct cli *cli)
{
	const struct gbm_model *m = &cli->model;

	printf("payoff       %s", cli_payoff_name(cli->functional.payoff));
	if (cli->functional.payoff != GBM_TERMINAL)
		printf(", strike %g", cli->functional.strike);
	printf("\nmodel        spot %g, rate %g, dividend %g, drift %g, "
	       "vol %g, horizon %g, %" PRIu64 " step%s\n",
	       m->spot, m->rate, m->dividend,
	       isnan(m->drift) ? m->rate - m->dividend : m->drift, m->vol,
	       m->horizon, m->steps, plural((double)m->steps));
}

static void print_tasks(const struct world *world,
			const struct gbm_plan_info *info)
{
	printf("tasks        %d rank%s (%u on this node) x %u thread%s, %s\n",
	       world->size, plural(world->size), info->ranks_on_node,
	       info->threads, plural(info->threads), info->isa);
	printf("chunk        %s of values: %" PRIu64
	       " paths that a thread holds at a time\n",
	       bytes_text((double)info->chunk_bytes).text, info->chunk_paths);
}

static void print_reference(const struct report *r)
{
	double apart = fabs(r->result.mean - r->reference);

	if (!isfinite(r->reference))
		return;
	printf("closed form  %s",
	       number_text(r->reference, r->result.std_error / 100.0).text);
	/* Without volatility only rounding is left of the standard error. */
	if (r->result.std_error > DBL_EPSILON * fabs(r->result.mean))
		printf(", %.2f standard errors away\n",
		       apart / r->result.std_error);
	else
		printf(", %.3g away\n", apart);
}

static void print_file(const struct cli *cli, double seconds)
{
	double bytes = samples_bytes(cli);

	printf("samples      %s in %s", bytes_text(bytes).text, cli->out);
	if (seconds > 0.0)
		printf(", %.3g GB/s", bytes / seconds / 1e9);
	putchar('\n');
}

static void print_text(const struct world *world, const struct cli *cli,
		       const struct report *r)
{
	const struct gbm_result *e = &r->result;
	double half = Z95 * e->std_error;
	bool many_nodes = r->info.ranks_on_node < (unsigned)world->size;

	print_model(cli);
	printf("estimate     %s", number_text(e->mean, half).text);
	if (isfinite(half))
		printf(" +/- %s (95 %%: %s to %s)",
		       number_text(half, half).text,
		       number_text(e->mean - half, half).text,
		       number_text(e->mean + half, half).text);
	putchar('\n');
	print_reference(r);
	if (r->summary)
		summary_text(cli, r->summary);
	printf("paths        %" PRIu64 " in %.3g s, %.3g paths/s\n", e->n,
	       r->seconds, (double)(e->n - r->rounds.start) / r->seconds);
	print_tasks(world, &r->info);
	if (cli->out)
		print_file(cli, r->seconds);
	printf("peak RSS     %s", bytes_text(r->peak_rss).text);
	if (world->size > 1)
		printf(", the largest rank's%s%s", many_nodes ? ", on " : "",
		       many_nodes ? r->peak_node : "");
	printf("; the budget is %s a rank\n",
	       bytes_text((double)r->info.budget_bytes).text);
}

static void json_number(const char *key, double x)
{
	if (isfinite(x))
		printf("\"%s\": %.17g, ", key, x);
	else
		printf("\"%s\": null, ", key);
}

static void json_plan(const struct world *world, const struct cli *cli,
		      const struct gbm_plan_info *info, uint64_t paths)
{
	printf("{\"paths\": %" PRIu64 ", \"steps\": %" PRIu64
	       ", \"seed\": %" PRIu64 ", \"ranks\": %d, \"threads\": %u, "
	       "\"isa\": \"%s\", \"stream_version\": %d, \"chunk_bytes\": "
	       "%" PRIu64 ", \"budget_bytes\": %" PRIu64 ", ",
	       paths, cli->model.steps, cli->options.seed, world->size,
	       info->threads, info->isa, GBM_STREAM_VERSION, info->chunk_bytes,
	       info->budget_bytes);
}

static void json_ranks(const uint64_t *of_ranks, int size)
{
	printf("\"rank_paths\": [");
	for (int i = 0; i < size; i++)
		printf("%s%" PRIu64, i ? ", " : "", of_ranks[i]);
	printf("], ");
}

static void print_json(const struct world *world, const struct cli *cli,
		       const struct report *r)
{
	double half = Z95 * r->result.std_error;

	json_plan(world, cli, &r->info, r->result.n);
	json_number("estimate", r->result.mean);
	json_number("std_error", r->result.std_error);
	if (isfinite(r->result.mean - half) && isfinite(r->result.mean + half))
		printf("\"ci95\": [%.17g, %.17g], ", r->result.mean - half,
		       r->result.mean + half);
	else
		printf("\"ci95\": [null, null], ");
	json_number("reference", r->reference);
	if (cli->out)
		printf("\"out_bytes\": %.0f, ", samples_bytes(cli));
	if (r->summary)
		summary_json(cli, r->summary);
	if (r->rounds.met || r->rounds.unmet)
		printf("\"tolerance_met\": %s, ",
		       r->rounds.met ? "true" : "false");
	if (r->of_ranks)
		json_ranks(r->of_ranks, world->size);
	json_number("seconds", r->seconds);
	json_number("paths_per_second",
		    (double)(r->result.n - r->rounds.start) / r->seconds);
	if (isfinite(r->peak_rss))
		printf("\"peak_rss_bytes\": %.0f}\n", r->peak_rss);
	else
		puts("\"peak_rss_bytes\": null}");
}

/* What a rank is said to need, the most of all. */
struct need {
	double peak, charged;
	double all_charged;   /* the sum */
	char node[NODE_NAME]; /* where the first is */
	struct gbm_memory own;
};

static void print_parts(const struct gbm_memory *m)
{
	const struct {
		uint64_t bytes;
		const char *what;
	} parts[] = {
		{ m->files + m->code, "programs and libraries" },
		{ m->held, "their data" },
		{ m->threads, "chunks and stacks" },
		{ m->summaries, "statistics" },
		{ m->copies, "statistics packed" },
		{ m->writers, "samples to be written" },
	};
	const char *before = "             ";

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		if (!parts[i].bytes)
			continue;
		printf("%s%s %s", before,
		       bytes_text((double)parts[i].bytes).text, parts[i].what);
		before = i == 2 ? ",\n             " : ", ";
	}
	putchar('\n');
}

static void print_need(const struct need *need, bool many_nodes)
{
	printf("memory       %s a rank%s%s; nothing was run\n",
	       bytes_text(need->peak).text, many_nodes ? " at most, on " : "",
	       many_nodes ? need->node : "");
	print_parts(&need->own);
	printf("cgroup       %s a rank", bytes_text(need->charged).text);
	if (need->own.cache)
		printf(", %s of it page cache",
		       bytes_text((double)need->own.cache).text);
	printf("; and programs and libraries,\n"
	       "             if no other job on the node has read them\n");
}

static void print_plan(const struct world *world, const struct cli *cli,
		       const struct gbm_plan_info *info,
		       const struct need *need)
{
	bool many_nodes = info->ranks_on_node < (unsigned)world->size;

	if (cli->output == CLI_JSON) {
		json_plan(world, cli, info, cli->paths);
		printf("\"budget_source\": \"%s\", \"need_bytes\": %.0f, "
		       "\"held_bytes\": %" PRIu64 ", \"cache_bytes\": %" PRIu64
		       ", \"charged_bytes\": %.0f, \"all_charged_bytes\": "
		       "%.0f}\n",
		       info->budget_source, need->peak, need->own.held,
		       need->own.cache, need->charged, need->all_charged);
		return;
	}
	print_model(cli);
	printf("paths        %" PRIu64 ", seed %" PRIu64 "\n", cli->paths,
	       cli->options.seed);
	print_tasks(world, info);
	printf("budget       %s a rank, from %s\n",
	       bytes_text((double)info->budget_bytes).text,
	       info->budget_source);
	if (cli->out)
		print_file(cli, 0.0);
	print_need(need, many_nodes);
}

/* ---- the run */

static int give_up(const struct world *world, int status,
		   const struct gbm_error *err)
{
	complain(world, "%s", err->text[0] ? err->text : gbm_strerror(status));
	return exit_code(status);
}

static int simulate(const struct world *world, const struct cli *cli,
		    const struct gbm_plan *plan, struct progress *progress,
		    FILE *convergence, struct report *report)
{
	struct gbm_error err = { 0 };
	int status = GBM_OK, code = EX_OK;
	double begin;

	begin_progress(progress);
	begin = now();
	if (cli->out)
		status = run_samples(world, cli, plan, &report->result, &err);
	else if (cli->convergence)
		status = run_convergence(world, cli, plan, report->summary,
					 &report->result, convergence);
	else
		code = run_rounds(world, cli, plan, progress, report->summary,
				  &report->result, &report->rounds);
	report->seconds = fmax(now() - begin, 1e-9);
	end_progress(progress);
	if (code != EX_OK)
		return code;
	if (status != GBM_OK && err.text[0]) {
		code = give_up(world, status, &err);
		/* By a signal: there is nobody else who would cancel it. */
		return status == GBM_ECANCELED ? EX_TEMPFAIL : code;
	}
	if (status != GBM_OK) {
		complain(world, "the run failed: %s", gbm_strerror(status));
		return exit_code(status);
	}
	if (gbm_reference(&cli->model, &cli->functional, &report->reference) !=
	    GBM_OK)
		report->reference = (double)NAN;
	if (!cli->convergence) {
		report->of_ranks =
			calloc((size_t)world->size, sizeof(*report->of_ranks));
		if (!report->of_ranks)
			status = GBM_ENOMEM;
		if (worst(world, status) != GBM_OK ||
		    !from_all(world, report->rounds.own, report->of_ranks)) {
			complain(world, "MPI did not gather the ranks' paths");
			return EX_SOFTWARE;
		}
	}
	report->peak_rss = peak_rss();
	if (!largest(world, &report->peak_rss, report->peak_node)) {
		complain(world, "MPI did not gather the ranks' peak memory");
		return EX_SOFTWARE;
	}
	return EX_OK;
}

/* --verify, and --replay with or without --out. */
static int handle_samples(const struct world *world, const struct cli *cli,
			  const struct gbm_plan *plan,
			  struct progress *progress)
{
	bool print = cli->action == CLI_REPLAY && !cli->out;
	struct gbm_error err = { 0 };
	double begin = now();
	int status;

	if (print && world->size > 1) {
		complain(world, "--replay prints its paths in one task: start "
				"one, or give --out FILE");
		return EX_USAGE;
	}
	if (!print)
		begin_progress(progress);
	if (print)
		status = samples_print(cli, plan);
	else if (cli->action == CLI_REPLAY)
		status = write_samples(world, cli, plan, &err);
	else
		status = verify_samples(world, cli, plan, &err);
	end_progress(progress);
	if (status != GBM_OK)
		return give_up(world, status, &err);
	if (print || world->rank != 0 || cli->output == CLI_QUIET)
		return EX_OK;
	if (cli->action == CLI_REPLAY)
		print_file(cli, now() - begin);
	else
		printf("%s: all %" PRIu64 " paths are what seed %" PRIu64
		       " gives\n",
		       cli->verify, cli->paths - cli->samples.first_path,
		       cli->options.seed);
	return EX_OK;
}

static int dry_run(const struct world *world, const struct cli *cli,
		   const struct gbm_plan *plan,
		   const struct gbm_plan_info *info)
{
	struct need need = { .own = GBM_MEMORY_INIT };
	char where[NODE_NAME];
	struct gbm_error err = { 0 };
	uint64_t *all = NULL;
	int status;

	status = worst(world, gbm_plan_memory(plan, memory_flags(world, cli),
					      cli->out ? &cli->samples : NULL,
					      &need.own, &err));
	if (status != GBM_OK)
		return give_up(world, status, &err);
	need.peak = (double)need.own.peak;
	need.charged = (double)need.own.charged;
	all = calloc((size_t)world->size, sizeof(*all));
	if (worst(world, all ? GBM_OK : GBM_ENOMEM) != GBM_OK ||
	    !from_all(world, need.own.charged, all) ||
	    !largest(world, &need.peak, need.node) ||
	    !largest(world, &need.charged, where)) {
		free(all);
		complain(world, "MPI did not gather the ranks' needs");
		return EX_SOFTWARE;
	}
	for (int i = 0; i < world->size; i++)
		need.all_charged += (double)all[i];
	free(all);
	if (world->rank == 0)
		print_plan(world, cli, info, &need);
	return EX_OK;
}

/* The summary, and on rank 0 the files that it is written to. */
static int prepare(const struct world *world, const struct cli *cli,
		   const struct gbm_plan *plan, struct summary_files *files,
		   struct gbm_summary **summary)
{
	char error[CLI_ERROR_SIZE];
	int status = GBM_OK;

	if (!cli->out || cli->options.collect)
		status = gbm_summary_create(summary, plan);
	if (worst(world, status) != GBM_OK) {
		complain(world, "a rank had no memory for what is collected: "
				"give fewer threads or ranks");
		return EX_OSERR;
	}
	if (world->rank == 0 && !summary_open(cli, files, error))
		status = GBM_ECREATE;
	if (worst(world, status) != GBM_OK) {
		complain(world, "%s", world->rank == 0 ? error : "");
		return EX_CANTCREAT;
	}
	return EX_OK;
}

/* Runs, and tells what came out. */
static int run_and_tell(const struct world *world, const struct cli *cli,
			const struct gbm_plan *plan, struct progress *progress,
			struct report *report)
{
	struct summary_files files = { NULL, NULL, NULL };
	char error[CLI_ERROR_SIZE];
	int code = prepare(world, cli, plan, &files, &report->summary);

	if (code == EX_OK)
		code = simulate(world, cli, plan, progress, files.convergence,
				report);
	if (code == EX_OK && world->rank == 0 &&
	    !summary_write(cli, &files, report->summary, error)) {
		complain(world, "%s", error);
		code = EX_IOERR;
	}
	summary_discard(cli, &files);
	if (code == EX_OK && world->rank == 0) {
		if (cli->output == CLI_JSON)
			print_json(world, cli, report);
		else if (cli->output == CLI_QUIET)
			printf("%.17g\n", report->result.mean);
		else
			print_text(world, cli, report);
		if (report->rounds.unmet)
			code = EX_NOT_MET;
	}
	free(report->of_ranks);
	gbm_summary_destroy(&report->summary);
	return code;
}

static int run(const struct world *world, struct cli *cli)
{
	struct progress progress = { .paths = cli->paths };
	struct report report = { .result = GBM_RESULT_INIT,
				 .info = GBM_PLAN_INFO_INIT };
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;
	int code, status;

	/* Not every node may have it. */
	status = worst(world, samples_of_manifest(cli, &err));
	if (status != GBM_OK)
		return give_up(world, status, &err);
	progress.paths = cli->paths - cli->samples.first_path;
	if (world->rank == 0) {
		progress.show = wants_progress(world, cli);
		progress.rewrite =
			cli->progress == CLI_ALWAYS || isatty(STDERR_FILENO);
		cli->options.progress = on_progress;
		cli->options.progress_user = &progress;
	}
	status = make_plan(world, cli, &plan, &err);
	if (status == GBM_OK)
		status = gbm_plan_info(plan, &report.info);
	if (status != GBM_OK) {
		gbm_plan_destroy(&plan);
		return give_up(world, status, &err);
	}

	if (cli->action == CLI_VERIFY || cli->action == CLI_REPLAY) {
		code = handle_samples(world, cli, plan, &progress);
	} else {
		if (cli->out) {
			cli->samples.n_own = &report.rounds.own;
			samples_keep(cli, &report.rounds.start);
		}
		code = cli->action == CLI_DRY_RUN
			       ? dry_run(world, cli, plan, &report.info)
			       : run_and_tell(world, cli, plan, &progress,
					      &report);
	}
	gbm_plan_destroy(&plan);
	return code;
}

static void print_version(void)
{
	printf("gbm_sim %d.%d.%d, libgbm %s, stream version %d, %s MPI\n",
	       GBM_VERSION_MAJOR, GBM_VERSION_MINOR, GBM_VERSION_PATCH,
	       gbm_version(), GBM_STREAM_VERSION,
#ifdef HAVE_MPI
	       "with"
#else
	       "without"
#endif
	);
}

static int act(const struct world *world, int argc, char **argv)
{
	char error[CLI_ERROR_SIZE];
	struct cli cli;

	if (!cli_parse(&cli, argc, argv, error)) {
		complain(world, "%s", error);
		return EX_USAGE;
	}
	if (cli.action != CLI_HELP && cli.action != CLI_VERSION)
		return run(world, &cli);
	if (world->rank == 0 && cli.action == CLI_HELP)
		cli_help(stdout);
	else if (world->rank == 0)
		print_version();
	return EX_OK;
}

/* Results that nobody received are a failure: a full disk, a closed pipe. */
static int flush_output(const struct world *world, int code)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	complain(world, "the result could not be written to stdout: %s",
		 errno ? strerror(errno) : "it was cut short");
	return code == EX_OK ? EX_IOERR : code;
}

/*
 * Without this a closed standard descriptor would be given to the next file
 * opened, and the result would be written into, say, a socket of MPI's.  Opened
 * the wrong way round, so that using it still fails.
 */
static bool hold_standard_descriptors(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	struct world world = { .rank = 0, .size = 1 };
	int code;

	if (!hold_standard_descriptors())
		return EX_OSERR;
	code = start(&world);
	if (code == EX_OK)
		code = act(&world, argc, argv);
	code = flush_output(&world, code);
	return finish(&world, code);
}
