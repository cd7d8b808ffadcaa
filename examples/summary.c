/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "summary.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The 97.5 % quantile of the normal distribution. */
#define Z95 1.959963984540054

/* Of a histogram that finds its bins itself. */
#define MOST_BINS 1000

static const struct gbm_functional *payoff_of(const struct cli *cli, size_t k)
{
	return k ? &cli->others[k - 1] : &cli->functional;
}

static size_t payoffs(const struct cli *cli)
{
	return 1 + cli->options.n_others;
}

static struct gbm_result result_of(struct gbm_summary *summary, size_t k)
{
	struct gbm_result result = GBM_RESULT_INIT;

	gbm_stats_result(gbm_summary_stats(summary, k), &result);
	return result;
}

/* What a loss is counted from: what the payoff costs, as near as is known. */
static double cost_of(const struct cli *cli, struct gbm_summary *summary,
		      size_t k)
{
	if (!isnan(cli->cost))
		return cli->cost;
	return payoff_of(cli, k)->payoff == GBM_TERMINAL
		       ? cli->model.spot
		       : result_of(summary, k).mean;
}

/* ---- files */

static bool open_new(const char *option, const char *name, FILE **file,
		     char error[CLI_ERROR_SIZE])
{
	*file = fopen(name, "wxe");
	if (*file)
		return true;
	snprintf(error, CLI_ERROR_SIZE, "%s %.100s: %s%s", option, name,
		 strerror(errno),
		 errno == EEXIST ? ": remove it, or give another name" : "");
	return false;
}

bool summary_open(const struct cli *cli, struct summary_files *files,
		  char error[CLI_ERROR_SIZE])
{
	*files = (struct summary_files){ NULL, NULL, NULL };
	if (cli->histogram.file[0] &&
	    !open_new("--histogram", cli->histogram.file, &files->histogram,
		      error))
		return false;
	if ((cli->fan && !open_new("--fan", cli->fan, &files->fan, error)) ||
	    (cli->convergence && !open_new("--convergence", cli->convergence,
					   &files->convergence, error))) {
		summary_discard(cli, files);
		return false;
	}
	return true;
}

void summary_discard(const struct cli *cli, struct summary_files *files)
{
	if (files->histogram) {
		fclose(files->histogram);
		unlink(cli->histogram.file);
	}
	if (files->fan) {
		fclose(files->fan);
		unlink(cli->fan);
	}
	if (files->convergence) {
		fclose(files->convergence);
		unlink(cli->convergence);
	}
	*files = (struct summary_files){ NULL, NULL, NULL };
}

static bool close_written(const char *option, const char *name, FILE *file,
			  bool good, char error[CLI_ERROR_SIZE])
{
	int why = 0;

	errno = 0;
	good = good && !ferror(file);
	if (fflush(file) != 0 || !good)
		why = errno;
	good = good && why == 0;
	if (fclose(file) != 0 && good) {
		why = errno;
		good = false;
	}
	if (!good)
		snprintf(error, CLI_ERROR_SIZE,
			 "%s %.100s could not be written: %s", option, name,
			 why ? strerror(why) : "it was cut short");
	return good;
}

static bool write_histogram(const struct cli *cli,
			    const struct gbm_sketch *sketch, FILE *file)
{
	size_t bins = cli->histogram.bins ? (size_t)cli->histogram.bins
					  : gbm_sketch_bins(sketch, MOST_BINS);
	double *edges = malloc((bins + 1) * sizeof(*edges));
	uint64_t *counts = malloc((bins + 2) * sizeof(*counts));
	bool good = edges && counts &&
		    gbm_sketch_histogram(sketch, (double)NAN, (double)NAN, bins,
					 edges, counts) == GBM_OK;

	if (good)
		fputs("from,to,count\n", file);
	for (size_t i = 0; good && i < bins; i++)
		fprintf(file, "%.17g,%.17g,%" PRIu64 "\n", edges[i],
			edges[i + 1], counts[i + 1]);
	free(edges);
	free(counts);
	return good;
}

/* The levels of --quantiles, or some that make a fan. */
static struct cli_levels fan_levels(const struct cli *cli)
{
	static const struct cli_levels usual = {
		7, { 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99 }
	};

	return cli->quantiles.n ? cli->quantiles : usual;
}

static bool write_fan(const struct cli *cli, struct gbm_summary *summary,
		      FILE *file)
{
	const struct cli_levels levels = fan_levels(cli);
	const struct gbm_model *m = &cli->model;

	fputs("time", file);
	for (size_t i = 0; i < levels.n; i++)
		fprintf(file, ",%.15g", levels.level[i]);
	for (uint64_t t = 0; t <= m->steps; t++) {
		const struct gbm_sketch *sketch = gbm_summary_fan(summary, t);

		fprintf(file, "\n%.15g",
			m->horizon * ((double)t / (double)m->steps));
		for (size_t i = 0; i < levels.n; i++) {
			struct gbm_quantile q = GBM_QUANTILE_INIT;

			q.value = m->spot;
			if (t && gbm_sketch_quantile(sketch, levels.level[i],
						     &q) != GBM_OK)
				return false;
			fprintf(file, ",%.17g", q.value);
		}
	}
	fputs("\n", file);
	return true;
}

bool summary_write(const struct cli *cli, struct summary_files *files,
		   struct gbm_summary *summary, char error[CLI_ERROR_SIZE])
{
	const struct summary_files f = *files;
	bool good = true;

	if (f.histogram) {
		files->histogram = NULL;
		good = close_written(
			"--histogram", cli->histogram.file, f.histogram,
			write_histogram(cli, gbm_summary_sketch(summary, 0),
					f.histogram),
			error);
	}
	if (good && f.fan) {
		files->fan = NULL;
		good = close_written("--fan", cli->fan, f.fan,
				     write_fan(cli, summary, f.fan), error);
	}
	if (good && f.convergence) {
		files->convergence = NULL;
		good = close_written("--convergence", cli->convergence,
				     f.convergence, true, error);
	}
	return good;
}

/* ---- stdout */

static void text_quantiles(const struct cli *cli,
			   const struct gbm_sketch *sketch)
{
	printf("quantiles    of %" PRIu64
	       " values, each within %.2g %% of the sample's\n",
	       gbm_sketch_count(sketch), 100.0 * GBM_SKETCH_ERROR);
	for (size_t i = 0; i < cli->quantiles.n; i++) {
		struct gbm_quantile q = GBM_QUANTILE_INIT;

		gbm_sketch_quantile(sketch, cli->quantiles.level[i], &q);
		printf("  %-10g %.6g (95 %%: %.6g to %.6g)\n", q.level, q.value,
		       q.ci_lo, q.ci_hi);
	}
}

static void text_risks(const struct cli *cli, const struct gbm_sketch *sketch,
		       double cost)
{
	printf("risk         of the loss %.6g - payoff, of %" PRIu64
	       " values\n",
	       cost, gbm_sketch_count(sketch));
	for (size_t i = 0; i < cli->risks.n; i++) {
		struct gbm_risk r = GBM_RISK_INIT;

		gbm_sketch_risk(sketch, cost, cli->risks.level[i], &r);
		printf("  %-10g VaR %.6g (the sample's: %.6g to %.6g), ES %.6g "
		       "+/- %.2g (%.6g to %.6g)\n",
		       r.level, r.var, r.var_lo, r.var_hi, r.es,
		       Z95 * r.es_std_error, r.es_lo, r.es_hi);
	}
}

static void text_moments(struct gbm_summary *summary, size_t k)
{
	struct gbm_shape shape = GBM_SHAPE_INIT;

	gbm_summary_shape(summary, k, &shape);
	printf("moments      of %" PRIu64
	       " values: standard deviation %.6g, skewness %.6g, excess "
	       "kurtosis %.6g\n",
	       shape.n, sqrt(result_of(summary, k).variance), shape.skewness,
	       shape.excess_kurtosis);
}

static void print_name(const struct cli *cli, size_t k)
{
	const struct gbm_functional *f = payoff_of(cli, k);

	printf("%s", cli_payoff_name(f->payoff));
	if (f->payoff != GBM_TERMINAL)
		printf(" %g", f->strike);
}

/* Of further payoffs, what the first one's lines tell already. */
static void text_payoff(const struct cli *cli, struct gbm_summary *summary,
			size_t k)
{
	struct gbm_result result = result_of(summary, k);
	double exact;

	printf("payoff       ");
	print_name(cli, k);
	printf("\nestimate     %.8g +/- %.2g (95 %%)", result.mean,
	       Z95 * result.std_error);
	if (gbm_reference(&cli->model, payoff_of(cli, k), &exact) == GBM_OK)
		printf(", closed form %.8g", exact);
	putchar('\n');
}

static void text_correlations(const struct cli *cli,
			      struct gbm_summary *summary)
{
	for (size_t i = 0; i < payoffs(cli); i++)
		for (size_t j = i + 1; j < payoffs(cli); j++) {
			struct gbm_covariance c = GBM_COVARIANCE_INIT;

			gbm_summary_covariance(summary, i, j, &c);
			printf("%s", i == 0 && j == 1 ? "correlation  "
						      : "             ");
			print_name(cli, i);
			printf(" and ");
			print_name(cli, j);
			printf(": %.6g, covariance %.6g\n", c.correlation,
			       c.covariance);
		}
}

void summary_text(const struct cli *cli, struct gbm_summary *summary)
{
	for (size_t k = 0; k < payoffs(cli); k++) {
		const struct gbm_sketch *sketch =
			gbm_summary_sketch(summary, k);

		if (k)
			text_payoff(cli, summary, k);
		if (cli->moments)
			text_moments(summary, k);
		if (cli->quantiles.n)
			text_quantiles(cli, sketch);
		if (cli->risks.n)
			text_risks(cli, sketch, cost_of(cli, summary, k));
	}
	if (cli->moments)
		text_correlations(cli, summary);
	if (cli->fan)
		printf("fan          of %" PRIu64 " prices at each step, each "
		       "within %.2g %% of the sample's, in %s\n",
		       gbm_sketch_count(gbm_summary_fan(summary, 1)),
		       100.0 * GBM_SKETCH_ERROR, cli->fan);
	if (cli->convergence)
		printf("convergence  of the estimate, from %d paths on, in "
		       "%s\n",
		       GBM_BLOCK_PATHS, cli->convergence);
	if (cli->histogram.file[0])
		printf("histogram    of %" PRIu64 " values, in %s\n",
		       gbm_sketch_count(gbm_summary_sketch(summary, 0)),
		       cli->histogram.file);
}

/* JSON has no infinities and no NaN. */
static void json_number(const char *before, double x)
{
	if (isfinite(x))
		printf("%s%.17g", before, x);
	else
		printf("%snull", before);
}

static void json_quantile(const struct gbm_quantile *q)
{
	printf("{\"level\": %.15g, \"n\": %" PRIu64, q->level, q->n);
	json_number(", \"value\": ", q->value);
	json_number(", \"lo\": ", q->lo);
	json_number(", \"hi\": ", q->hi);
	json_number(", \"ci95\": [", q->ci_lo);
	json_number(", ", q->ci_hi);
	printf("]}");
}

static void json_risk(const struct gbm_risk *r)
{
	printf("{\"level\": %.15g, \"n\": %" PRIu64, r->level, r->n);
	json_number(", \"cost\": ", r->cost);
	json_number(", \"var\": ", r->var);
	json_number(", \"var_lo\": ", r->var_lo);
	json_number(", \"var_hi\": ", r->var_hi);
	json_number(", \"es\": ", r->es);
	json_number(", \"es_lo\": ", r->es_lo);
	json_number(", \"es_hi\": ", r->es_hi);
	json_number(", \"es_std_error\": ", r->es_std_error);
	printf("}");
}

/* What is told of one payoff; a comma behind each member. */
static void json_payoff(const struct cli *cli, struct gbm_summary *summary,
			size_t k)
{
	const struct gbm_sketch *sketch = gbm_summary_sketch(summary, k);
	struct gbm_shape shape = GBM_SHAPE_INIT;

	if (cli->moments) {
		gbm_summary_shape(summary, k, &shape);
		json_number("\"variance\": ", result_of(summary, k).variance);
		json_number(", \"skewness\": ", shape.skewness);
		json_number(", \"excess_kurtosis\": ", shape.excess_kurtosis);
		printf(", ");
	}
	for (size_t i = 0; i < cli->quantiles.n; i++) {
		struct gbm_quantile q = GBM_QUANTILE_INIT;

		gbm_sketch_quantile(sketch, cli->quantiles.level[i], &q);
		printf("%s", i ? ", " : "\"quantiles\": [");
		json_quantile(&q);
	}
	if (cli->quantiles.n)
		printf("], \"quantile_error\": %.17g, ", GBM_SKETCH_ERROR);
	for (size_t i = 0; i < cli->risks.n; i++) {
		struct gbm_risk r = GBM_RISK_INIT;

		gbm_sketch_risk(sketch, cost_of(cli, summary, k),
				cli->risks.level[i], &r);
		printf("%s", i ? ", " : "\"risk\": [");
		json_risk(&r);
	}
	if (cli->risks.n)
		printf("], ");
}

/* All payoffs, the first one too. */
static void json_payoffs(const struct cli *cli, struct gbm_summary *summary)
{
	for (size_t k = 0; k < payoffs(cli); k++) {
		struct gbm_result result = result_of(summary, k);
		const struct gbm_functional *f = payoff_of(cli, k);
		double exact;

		if (gbm_reference(&cli->model, f, &exact) != GBM_OK)
			exact = (double)NAN;
		printf("%s{\"payoff\": \"%s\", ", k ? ", " : "\"payoffs\": [",
		       cli_payoff_name(f->payoff));
		if (f->payoff != GBM_TERMINAL)
			printf("\"strike\": %.17g, ", f->strike);
		json_payoff(cli, summary, k);
		json_number("\"estimate\": ", result.mean);
		json_number(", \"std_error\": ", result.std_error);
		json_number(", \"reference\": ", exact);
		printf("}");
	}
	printf("], ");
}

static void json_matrix(const char *name, const struct cli *cli,
			struct gbm_summary *summary, bool correlation)
{
	printf("\"%s\": [", name);
	for (size_t i = 0; i < payoffs(cli); i++) {
		for (size_t j = 0; j < payoffs(cli); j++) {
			struct gbm_covariance c = GBM_COVARIANCE_INIT;

			gbm_summary_covariance(summary, i, j, &c);
			json_number(j	? ", "
				    : i ? ", ["
					: "[",
				    correlation ? c.correlation : c.covariance);
		}
		printf("]");
	}
	printf("], ");
}

void summary_json(const struct cli *cli, struct gbm_summary *summary)
{
	json_payoff(cli, summary, 0);
	if (payoffs(cli) < 2)
		return;
	json_payoffs(cli, summary);
	if (!cli->moments)
		return;
	json_matrix("covariance", cli, summary, false);
	json_matrix("correlation", cli, summary, true);
}
