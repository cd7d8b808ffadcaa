/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "samples.h"

#include <inttypes.h>
#include <stdio.h>

#include "rounds.h"

int samples_of_manifest(struct cli *cli, struct gbm_error *err)
{
	struct gbm_samples_info info = GBM_SAMPLES_INFO_INIT;
	const char *file = cli->verify ? cli->verify : cli->like;
	int status;

	if (!file)
		return GBM_OK;
	status = gbm_samples_info(file, &info, err);
	if (status != GBM_OK)
		return status;
	cli->model = info.model;
	cli->options.seed = info.seed;
	if (cli->verify) {
		cli->paths = info.first_path + info.n_paths;
		cli->samples.first_path = info.first_path;
	}
	if (!cli->save_given)
		cli->samples.save = info.save;
	return GBM_OK;
}

/* The first call is from before the run. */
static int ask(void *user, uint64_t done)
{
	uint64_t *start = user;

	if (*start == UINT64_MAX)
		*start = done;
	return asked();
}

void samples_keep(struct cli *cli, uint64_t *start)
{
	/* Nothing is kept of it: a signal ends it as usual. */
	if (!cli->checkpoint)
		return;
	*start = UINT64_MAX;
	cli->samples.checkpoint = cli->checkpoint;
	cli->samples.every = cli->checkpoint_every;
	cli->samples.ask = ask;
	cli->samples.ask_user = start;
	cli->samples.resume = cli->resume || is_restarted();
	cli->samples.force = cli->samples.force && !cli->samples.resume;
	heed_signals();
}

double samples_bytes(const struct cli *cli)
{
	double row = cli->samples.dtype == GBM_F4 ? 4.0 : 8.0;

	if (cli->samples.save == GBM_SAVE_PATHS)
		row *= (double)cli->model.steps + 1.0;
	return row * (double)(cli->paths - cli->samples.first_path) + 4096.0;
}

static void print_block(const struct gbm_block *block, bool ends)
{
	for (size_t i = 0; i < block->n_paths; i++) {
		size_t t = ends ? block->n_times - 1 : 0;

		printf("%" PRIu64, block->first_path + i);
		for (; t < block->n_times; t++)
			printf(" %.17g", block->values[t * block->stride + i]);
		putchar('\n');
	}
}

int samples_print(const struct cli *cli, const struct gbm_plan *plan)
{
	uint64_t first = cli->samples.first_path;
	struct gbm_stream *stream;
	struct gbm_block block;
	int status = gbm_stream_open(&stream, plan, first, cli->paths - first);

	if (status != GBM_OK)
		return status;
	while ((status = gbm_stream_next(stream, &block)) > 0 &&
	       !ferror(stdout))
		print_block(&block, cli->samples.save == GBM_SAVE_TERMINAL);
	gbm_stream_close(&stream);
	return status > 0 ? GBM_OK : status;
}
