/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * libgbm_mpi on whatever number of ranks this is started with.  Each check
 * holds on every rank or fails; rank 0 prints TAP.
 *
 * MPI calls that can fail by themselves are replaced by ones that do, through
 * MPI's profiling interface, and what they make and free is counted.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/mpi.h>

static int rank, size;
static int checks, failures;

/* ---- MPI calls that fail when told to */

static const char *fails; /* name of the call that fails on this rank */
static bool corrupts;	  /* MPI_Reduce() is handed a damaged buffer */
static int kept;	  /* objects made and not freed */

static bool failing(const char *call)
{
	return fails && strcmp(fails, call) == 0;
}

int MPI_Comm_split_type(MPI_Comm comm, int type, int key, MPI_Info info,
			MPI_Comm *made)
{
	int code = PMPI_Comm_split_type(comm, type, key, info, made);

	if (failing("MPI_Comm_split_type")) {
		PMPI_Comm_free(made);
		*made = MPI_COMM_NULL;
		return MPI_ERR_INTERN;
	}
	kept++;
	return code;
}

int MPI_Comm_dup(MPI_Comm comm, MPI_Comm *made)
{
	int code = PMPI_Comm_dup(comm, made);

	if (failing("MPI_Comm_dup")) {
		PMPI_Comm_free(made);
		*made = MPI_COMM_NULL;
		return MPI_ERR_INTERN;
	}
	kept++;
	return code;
}

int MPI_Comm_free(MPI_Comm *comm)
{
	kept--;
	return PMPI_Comm_free(comm);
}

int MPI_Type_contiguous(int n, MPI_Datatype from, MPI_Datatype *made)
{
	if (failing("MPI_Type_contiguous"))
		return MPI_ERR_INTERN;
	kept++;
	return PMPI_Type_contiguous(n, from, made);
}

int MPI_Type_commit(MPI_Datatype *type)
{
	if (failing("MPI_Type_commit"))
		return MPI_ERR_INTERN;
	return PMPI_Type_commit(type);
}

int MPI_Type_free(MPI_Datatype *type)
{
	kept--;
	return PMPI_Type_free(type);
}

int MPI_Op_create(MPI_User_function *fn, int commutes, MPI_Op *made)
{
	if (failing("MPI_Op_create"))
		return MPI_ERR_INTERN;
	kept++;
	return PMPI_Op_create(fn, commutes, made);
}

int MPI_Op_free(MPI_Op *op)
{
	kept--;
	return PMPI_Op_free(op);
}

int MPI_Reduce(const void *from, void *to, int n, MPI_Datatype type, MPI_Op op,
	       int root, MPI_Comm comm)
{
	unsigned char *copy;
	int bytes, code;

	if (failing("MPI_Reduce")) {
		PMPI_Reduce(from, to, n, type, op, root, comm);
		return MPI_ERR_INTERN;
	}
	if (!corrupts)
		return PMPI_Reduce(from, to, n, type, op, root, comm);
	PMPI_Type_size(type, &bytes);
	copy = malloc((size_t)bytes);
	if (!copy)
		PMPI_Abort(MPI_COMM_WORLD, 1);
	memcpy(copy, from, (size_t)bytes);
	copy[bytes / 2] ^= 0x55;
	code = PMPI_Reduce(copy, to, n, type, op, root, comm);
	free(copy);
	return code;
}

/* ---- TAP */

static void check(bool good, const char *name)
{
	int mine = good, all = 0;

	PMPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_LAND, MPI_COMM_WORLD);
	checks++;
	failures += !all;
	if (!good)
		fprintf(stderr, "# rank %d: %s\n", rank, name);
	if (rank == 0)
		printf("%sok %d - %s, %d ranks\n", all ? "" : "not ", checks,
		       name, size);
}

/* ---- what is tested */

static bool last_rank(void)
{
	return rank == size - 1;
}

static struct gbm_functional call_payoff(void)
{
	struct gbm_functional call = GBM_FUNCTIONAL_INIT;

	call.payoff = GBM_CALL;
	return call;
}

static struct gbm_plan *plan_of(const struct gbm_functional *functional,
				uint64_t n_paths)
{
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_plan *plan;
	struct gbm_error err;

	model.steps = 3;
	options.threads = 1;
	if (gbm_mpi_plan_create(&plan, &model, functional, n_paths, &options,
				MPI_COMM_WORLD, &err) != GBM_OK)
		fprintf(stderr, "# rank %d: %s\n", rank, err.text);
	return plan;
}

/* Rank 0 sees that all ranges follow one another. */
static bool ranges_good(uint64_t n_paths)
{
	uint64_t mine[2] = { 7, 7 }, *all = malloc(16 * (size_t)size);
	uint64_t next = 0, least = UINT64_MAX, most = 0;
	bool good = all && gbm_mpi_range(MPI_COMM_WORLD, n_paths, &mine[0],
					 &mine[1]) == GBM_OK;

	if (!all)
		PMPI_Abort(MPI_COMM_WORLD, 1);
	PMPI_Allgather(mine, 2, MPI_UINT64_T, all, 2, MPI_UINT64_T,
		       MPI_COMM_WORLD);
	for (int r = 0; r < size; r++) {
		uint64_t first = all[2 * r], count = all[2 * r + 1];
		uint64_t blocks =
			(count + GBM_BLOCK_PATHS - 1) / GBM_BLOCK_PATHS;

		good = good && first == next &&
		       (first % GBM_BLOCK_PATHS == 0 || count == 0) &&
		       (count % GBM_BLOCK_PATHS == 0 ||
			first + count == n_paths);
		next = first + count;
		least = blocks < least ? blocks : least;
		most = blocks > most ? blocks : most;
	}
	free(all);
	return good && next == n_paths && most - least <= 1;
}

static void test_ranges(void)
{
	static const uint64_t n[] = { 1,    1023,	1024,
				      1025, 4096,	5127,
				      8192, 1000000007, UINT64_C(1) << 62 };
	uint64_t first, count;
	bool good = true;

	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++)
		good = ranges_good(n[i]) && good;
	check(good, "ranges cover all paths in whole blocks");
	check(gbm_mpi_range(MPI_COMM_WORLD, 0, &first, &count) == GBM_EINVAL &&
		      gbm_mpi_range(MPI_COMM_WORLD, (UINT64_C(1) << 62) + 1,
				    &first, &count) == GBM_EINVAL &&
		      gbm_mpi_range(MPI_COMM_WORLD, 1, NULL, &count) ==
			      GBM_EINVAL &&
		      gbm_mpi_range(MPI_COMM_NULL, 1, &first, &count) ==
			      GBM_EINVAL,
	      "a range of nothing, too much or no communicator is refused");
}

static bool same_result(const struct gbm_result *a, const struct gbm_result *b)
{
	return a->n == b->n &&
	       memcmp(&a->mean, &b->mean, sizeof(double)) == 0 &&
	       memcmp(&a->variance, &b->variance, sizeof(double)) == 0 &&
	       memcmp(&a->std_error, &b->std_error, sizeof(double)) == 0 &&
	       memcmp(&a->min, &b->min, sizeof(double)) == 0 &&
	       memcmp(&a->max, &b->max, sizeof(double)) == 0;
}

/* 3 blocks: on 4 ranks one has none. */
static void test_run(void)
{
	const struct gbm_functional call = call_payoff();
	static const uint64_t n[] = { 2, 3000, 100003 };
	bool good = true;

	for (size_t i = 0; i < sizeof(n) / sizeof(n[0]); i++) {
		struct gbm_result ours = GBM_RESULT_INIT;
		struct gbm_result alone = GBM_RESULT_INIT;
		struct gbm_plan *plan = plan_of(&call, n[i]);

		good = plan && good &&
		       gbm_mpi_run(plan, MPI_COMM_WORLD, &ours) == GBM_OK &&
		       gbm_run(plan, &alone) == GBM_OK &&
		       same_result(&ours, &alone) && ours.n == n[i];
		gbm_plan_destroy(&plan);
	}
	check(good, "all ranks together give the bits of one");
}

static void test_streams(void)
{
	struct gbm_plan *plan = plan_of(NULL, 3000);
	struct gbm_stats *mine = NULL, *all = NULL;
	struct gbm_result ours = GBM_RESULT_INIT, alone = GBM_RESULT_INIT;
	struct gbm_stream *stream = NULL;
	struct gbm_block block;
	int status;
	bool good =
		plan && gbm_stats_create(&mine) == GBM_OK &&
		gbm_stats_create(&all) == GBM_OK &&
		gbm_mpi_stream_open(&stream, plan, MPI_COMM_WORLD) == GBM_OK;

	check(good, "each rank opens a stream, also one without paths");
	while (good && (status = gbm_stream_next(stream, &block)) != 0) {
		good = status == 1;
		if (good)
			gbm_stats_add(mine, block.values + 3 * block.stride,
				      block.n_paths);
	}
	gbm_stream_close(&stream);
	good = good && gbm_stream_open(&stream, plan, 0, 3000) == GBM_OK;
	while (good && gbm_stream_next(stream, &block) == 1)
		gbm_stats_add(all, block.values + 3 * block.stride,
			      block.n_paths);
	gbm_stream_close(&stream);

	status = gbm_mpi_stats_merge(mine, MPI_COMM_WORLD);
	check(good && status == GBM_OK &&
		      gbm_stats_result(mine, &ours) == GBM_OK &&
		      gbm_stats_result(all, &alone) == GBM_OK &&
		      ours.n == 3000 && same_result(&ours, &alone),
	      "merged statistics have the bits of all paths read by one");
	gbm_stats_destroy(&mine);
	gbm_stats_destroy(&all);
	gbm_plan_destroy(&plan);
}

/* One rank's plan is made to fail; all must return status, and say so. */
static bool plan_fails(const struct gbm_model *model,
		       const struct gbm_options *options, int status,
		       const char *word)
{
	const struct gbm_functional call = call_payoff();
	struct gbm_plan *plan = (struct gbm_plan *)&plan;
	char text[sizeof(((struct gbm_error *)0)->text)], who[32];
	struct gbm_error err = { 0 };
	int got = gbm_mpi_plan_create(&plan, model, &call, 5000, options,
				      MPI_COMM_WORLD, &err);

	gbm_plan_destroy(&plan);
	memcpy(text, err.text, sizeof(text));
	PMPI_Bcast(text, (int)sizeof(text), MPI_CHAR, 0, MPI_COMM_WORLD);
	snprintf(who, sizeof(who), "rank %d", size - 1);
	if (got != status || err.status != status || !strstr(err.text, word) ||
	    strcmp(text, err.text) != 0 || (size > 1 && !strstr(text, who))) {
		fprintf(stderr, "# rank %d: status %d: %s\n", rank, got,
			err.text);
		return false;
	}
	return true;
}

static void test_plan_failures(void)
{
	struct gbm_options options = GBM_OPTIONS_INIT, little = options;
	struct gbm_options odd = options, seeded = options;
	struct gbm_model model = GBM_MODEL_INIT, wrong = model, other = model;
	const struct gbm_functional call = call_payoff();
	struct gbm_plan *plan, **none = NULL;
	struct gbm_error err = { 0 };
	int status;

	options.threads = little.threads = seeded.threads = 1;
	wrong.vol = -1.0;
	little.mem_cap = 1;
	odd.size = 1;
	seeded.seed = (uint64_t)rank;
	other.spot += rank;

	check(plan_fails(last_rank() ? &wrong : &model, &options, GBM_EINVAL,
			 "vol"),
	      "a bad model on one rank fails all, naming the rank");
	check(plan_fails(&model, last_rank() ? &little : &options, GBM_ENOMEM,
			 ""),
	      "too little memory on one rank fails all");
	check(plan_fails(&model, last_rank() ? &odd : &options, GBM_EINVAL,
			 "GBM_OPTIONS_INIT"),
	      "options of another size on one rank fail all");

	status = gbm_mpi_plan_create(last_rank() ? none : &plan, &model, &call,
				     5000, &options, MPI_COMM_WORLD, &err);
	check(status == GBM_EINVAL && (last_rank() || !plan),
	      "no place for the plan on one rank fails all");

	status = gbm_mpi_plan_create(&plan, &model, &call, 5000, &seeded,
				     MPI_COMM_WORLD, &err);
	check(size == 1 ? status == GBM_OK
			: status == GBM_EINVAL && strstr(err.text, "seed"),
	      "different seeds are refused");
	gbm_plan_destroy(&plan);
	status = gbm_mpi_plan_create(&plan, &other, &call, 5000, NULL,
				     MPI_COMM_WORLD, NULL);
	check(size == 1 ? status == GBM_OK : status == GBM_EINVAL,
	      "different models are refused");
	gbm_plan_destroy(&plan);
	check(gbm_mpi_plan_create(&plan, &model, &call, 5000, NULL,
				  MPI_COMM_NULL, &err) == GBM_EINVAL &&
		      !plan && strstr(err.text, "MPI_COMM_NULL"),
	      "no communicator is refused");
}

static void test_shares(void)
{
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	const struct gbm_functional call = call_payoff();
	struct gbm_plan *plan = NULL;
	struct gbm_error err = { 0 };

	options.mem_cap = UINT64_C(1) << 30;
	check(gbm_mpi_plan_create(&plan, &model, &call, 5000, &options,
				  MPI_COMM_WORLD, &err) == GBM_OK &&
		      gbm_plan_info(plan, &info) == GBM_OK &&
		      info.ranks_on_node == (unsigned)size &&
		      info.threads >= 1 &&
		      info.budget_bytes <= options.mem_cap / (unsigned)size,
	      "the ranks of a node share its memory");
	gbm_plan_destroy(&plan);
}

static bool cancelled; /* this rank's callback did */

/* Cancels at every path from *user on, with the rank that has it as the code.
 */
static int cancel_from(const struct gbm_block *block, void *user, double *out)
{
	const uint64_t *from = user;

	for (size_t i = 0; i < block->n_paths; i++)
		out[i] = 0.0;
	if (block->first_path + block->n_paths <= *from)
		return 0;
	cancelled = true;
	return 100 + rank;
}

/* Which rank has which paths is not known before. */
static bool cancelled_by_lowest(int status, int code)
{
	int lowest = cancelled ? rank : size;

	PMPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_INT, MPI_MIN,
		       MPI_COMM_WORLD);
	cancelled = false;
	return status == GBM_ECANCELED && lowest < size && code == 100 + lowest;
}

static void test_cancel(void)
{
	struct gbm_functional functional = GBM_FUNCTIONAL_INIT;
	struct gbm_result result = GBM_RESULT_INIT, *given = &result;
	uint64_t from = 100002;
	struct gbm_plan *plan;
	int status;

	functional.fn = cancel_from;
	functional.user = &from;
	plan = plan_of(&functional, 100003);
	status = gbm_mpi_run(plan, MPI_COMM_WORLD, &result);
	check(cancelled_by_lowest(status, result.user_code),
	      "a cancel at the last path ends all, with its code");

	result.user_code = 0;
	from = 0;
	status = gbm_mpi_run(plan, MPI_COMM_WORLD, &result);
	check(cancelled_by_lowest(status, result.user_code),
	      "of several cancels the lowest rank's counts");

	from = UINT64_MAX;
	status = gbm_mpi_run(plan, MPI_COMM_WORLD, last_rank() ? NULL : given);
	check(status == GBM_EINVAL, "no result on one rank fails all");
	status = gbm_mpi_run(last_rank() ? NULL : plan, MPI_COMM_WORLD, given);
	check(status == GBM_EINVAL, "nor is there a run without a plan");
	gbm_plan_destroy(&plan);
}

static void test_merge_failures(void)
{
	const double values[] = { 1.0, 2.0, 4.0 };
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_stats *stats = NULL;
	bool good = gbm_stats_create(&stats) == GBM_OK;

	if (!good)
		PMPI_Abort(MPI_COMM_WORLD, 1);
	gbm_stats_add(stats, values, 3);
	check(gbm_mpi_stats_merge(last_rank() ? NULL : stats, MPI_COMM_WORLD) ==
		      GBM_EINVAL,
	      "no statistics on one rank fails all");
	corrupts = last_rank();
	check(gbm_mpi_stats_merge(stats, MPI_COMM_WORLD) == GBM_EFORMAT,
	      "damaged statistics of one rank fail all");
	corrupts = false;
	check(gbm_stats_result(stats, &result) == GBM_OK && result.n == 3,
	      "a failed merge leaves the statistics as they were");
	check(gbm_mpi_stats_merge(stats, MPI_COMM_WORLD) == GBM_OK &&
		      gbm_stats_result(stats, &result) == GBM_OK &&
		      result.n == 3 * (uint64_t)size && result.max == 4.0,
	      "and a later one works");
	gbm_stats_destroy(&stats);
}

#define EVERYTHING (GBM_COLLECT_SKETCH | GBM_COLLECT_MOMENTS | GBM_COLLECT_FAN)

static struct gbm_plan *collecting_plan(const struct gbm_functional *functional,
					unsigned collect, uint64_t n,
					int *status)
{
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_plan *plan;

	model.steps = 3;
	options.threads = 1;
	options.collect = collect;
	options.others = functional;
	options.n_others = 1;
	*status = gbm_mpi_plan_create(&plan, &model, functional, n, &options,
				      MPI_COMM_WORLD, NULL);
	return plan;
}

static bool same_parts(const struct gbm_summary *a, const struct gbm_summary *b)
{
	bool same = true;
	size_t n;

	for (size_t part = 0; (n = gbm_summary_packed_size(a, part)); part++) {
		unsigned char *bytes = malloc(2 * n);

		if (!bytes)
			PMPI_Abort(MPI_COMM_WORLD, 1);
		gbm_summary_pack(a, part, bytes);
		gbm_summary_pack(b, part, bytes + n);
		same = same && memcmp(bytes, bytes + n, n) == 0;
		free(bytes);
	}
	return same;
}

static void test_summaries(void)
{
	struct gbm_functional call = call_payoff(), stops = GBM_FUNCTIONAL_INIT;
	struct gbm_summary *ours = NULL, *alone = NULL, *merged = NULL;
	uint64_t from = 40000, first, count;
	struct gbm_plan *plan, *other, *stopping;
	int status, code = 0;

	stops.fn = cancel_from;
	stops.user = &from;
	plan = collecting_plan(&call, EVERYTHING, 50000, &status);
	if (gbm_summary_create(&ours, plan) != GBM_OK ||
	    gbm_summary_create(&alone, plan) != GBM_OK ||
	    gbm_summary_create(&merged, plan) != GBM_OK)
		PMPI_Abort(MPI_COMM_WORLD, 1);
	status = gbm_mpi_run_summary(plan, MPI_COMM_WORLD, ours, &code);
	check(status == GBM_OK && code == 0 &&
		      gbm_run_summary(plan, 0, 50000, alone, NULL) == GBM_OK &&
		      same_parts(ours, alone),
	      "all ranks' summary has the bytes of one");
	gbm_mpi_range(MPI_COMM_WORLD, 50000, &first, &count);
	status = gbm_run_summary(plan, first, count, merged, NULL);
	check(status == GBM_OK &&
		      gbm_mpi_summary_merge(merged, MPI_COMM_WORLD) == GBM_OK &&
		      same_parts(merged, alone),
	      "and so have merged ones");

	check(gbm_mpi_summary_merge(last_rank() ? NULL : ours,
				    MPI_COMM_WORLD) == GBM_EINVAL,
	      "no summary on one rank fails all");
	check(gbm_mpi_run_summary(plan, MPI_COMM_WORLD,
				  last_rank() ? NULL : ours,
				  NULL) == GBM_EINVAL,
	      "nor can a run do without");
	gbm_summary_destroy(&ours);
	if (gbm_summary_create(&ours, plan) != GBM_OK)
		PMPI_Abort(MPI_COMM_WORLD, 1);
	corrupts = last_rank();
	check(gbm_mpi_run_summary(plan, MPI_COMM_WORLD, ours, NULL) ==
		      GBM_EFORMAT,
	      "a damaged part of one rank fails all");
	corrupts = false;

	stopping = collecting_plan(&stops, EVERYTHING, 50000, &status);
	status = gbm_mpi_run_summary(stopping, MPI_COMM_WORLD, ours, &code);
	check(status == GBM_ECANCELED && code >= 100,
	      "a cancel ends a summary's run with its code");
	gbm_plan_destroy(&stopping);

	other = collecting_plan(&call, last_rank() ? 0 : EVERYTHING, 50000,
				&status);
	check(size == 1 || status == GBM_EINVAL,
	      "collecting something else on one rank is refused");
	gbm_plan_destroy(&other);
	if (last_rank()) {
		struct gbm_options options = GBM_OPTIONS_INIT;
		struct gbm_model model = GBM_MODEL_INIT;

		gbm_summary_destroy(&merged);
		if (gbm_plan_create(&other, &model, &call, 50000, &options,
				    NULL) != GBM_OK ||
		    gbm_summary_create(&merged, other) != GBM_OK)
			PMPI_Abort(MPI_COMM_WORLD, 1);
		gbm_plan_destroy(&other);
	}
	status = gbm_mpi_summary_merge(merged, MPI_COMM_WORLD);
	check(status == (size == 1 ? GBM_OK : GBM_EINVAL),
	      "and so is merging summaries of different plans");
	gbm_summary_destroy(&ours);
	gbm_summary_destroy(&alone);
	gbm_summary_destroy(&merged);
	gbm_plan_destroy(&plan);
}

/* Pauses on one rank, after so many times that it was asked. */
static int calls_left;

static int pause_after(void *user)
{
	(void)user;
	return calls_left && !--calls_left;
}

/* From *n on to the goal; what it has is in rank 0's summary. */
static int go_on(const struct gbm_plan *plan, const struct gbm_goal *goal,
		 struct gbm_summary *summary, uint64_t *n,
		 struct gbm_ending *ending)
{
	*ending = (struct gbm_ending)GBM_ENDING_INIT;
	return gbm_mpi_run_until(plan, MPI_COMM_WORLD, goal, summary, n,
				 ending);
}

static void test_until(void)
{
	struct gbm_goal goal = GBM_GOAL_INIT;
	struct gbm_functional call = call_payoff();
	struct gbm_summary *ours, *alone;
	struct gbm_ending e;
	struct gbm_plan *plan;
	uint64_t n = 0, m = 0, own, sum = 0;
	unsigned pauses = 0;
	bool good = true;
	int status;

	plan = collecting_plan(&call, EVERYTHING, 10000000, &status);
	if (gbm_summary_create(&ours, plan) != GBM_OK ||
	    gbm_summary_create(&alone, plan) != GBM_OK)
		PMPI_Abort(MPI_COMM_WORLD, 1);
	goal.abs_tolerance = 0.04;
	good = gbm_run_until(plan, &goal, alone, &m, NULL) == GBM_OK;
	check(good && m > 65536 && m < 10000000,
	      "one process ends where a tolerance is met");
	goal.pause = pause_after;
	do {
		calls_left = last_rank() ? 3 : 0;
		good = go_on(plan, &goal, ours, &n, &e) == GBM_OK && good;
		sum += e.n_own;
		pauses++;
	} while (good && e.why == GBM_WHY_PAUSE && pauses < 10000);
	own = sum;
	PMPI_Allreduce(&own, &sum, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
	check(good && pauses > 1 && e.why == GBM_WHY_TOLERANCE && e.met &&
		      n == m && sum == n,
	      "and so do all, paused again and again by one rank");
	check(rank != 0 || same_parts(ours, alone), "with the same bytes");

	goal.pause = NULL;
	goal.abs_tolerance = 0.0;
	goal.seconds = 1e-9;
	good = go_on(plan, &goal, ours, &n, &e) == GBM_OK;
	check(good && e.why == GBM_WHY_SECONDS && !e.met && n < 10000000 &&
		      n % GBM_BLOCK_PATHS == 0,
	      "a run ends after its seconds");
	n = last_rank() && size > 1 ? 1024 : 0;
	check(go_on(plan, &goal, ours, &n, &e) ==
		      (size > 1 ? GBM_EINVAL : GBM_OK),
	      "different numbers of paths done are refused");
	n = 0;
	goal.tolerance = last_rank() ? -1.0 : 0.0;
	check(go_on(plan, &goal, ours, &n, &e) == GBM_EINVAL,
	      "a goal that is none on one rank fails all");
	gbm_summary_destroy(&ours);
	gbm_summary_destroy(&alone);
	gbm_plan_destroy(&plan);
}

static void test_mpi_failures(void)
{
	static const char *const calls[] = { "MPI_Type_contiguous",
					     "MPI_Type_commit", "MPI_Op_create",
					     "MPI_Reduce" };
	const struct gbm_functional call = call_payoff();
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_plan *plan;
	bool good = true;

	fails = last_rank() ? "MPI_Comm_split_type" : NULL;
	check(plan_fails(&model, &options, GBM_EMPI, "MPI_Comm_split_type"),
	      "MPI_Comm_split_type failing on one rank fails all");
	fails = NULL;

	plan = plan_of(&call, 5000);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fails = last_rank() ? calls[i] : NULL;
		good = gbm_mpi_run(plan, MPI_COMM_WORLD, &result) == GBM_EMPI &&
		       good;
	}
	fails = NULL;
	check(good, "any call of the merge failing on one rank fails all");
	fails = last_rank() ? "MPI_Comm_dup" : NULL;
	good = gbm_mpi_run(plan, MPI_COMM_WORLD, &result) ==
	       (size == 1 ? GBM_OK : GBM_EMPI);
	fails = NULL;
	check(good, "and so does MPI_Comm_dup");
	check(gbm_mpi_run(plan, MPI_COMM_WORLD, &result) == GBM_OK &&
		      result.n == 5000,
	      "and the next run works");
	gbm_plan_destroy(&plan);
}

int main(void)
{
	int provided;

	if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) !=
	    MPI_SUCCESS)
		return EXIT_FAILURE;
	MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);

	test_ranges();
	test_run();
	test_streams();
	test_plan_failures();
	test_shares();
	test_cancel();
	test_merge_failures();
	test_summaries();
	test_until();
	test_mpi_failures();
	check(kept == 0, "nothing that MPI made is left");

	if (rank == 0)
		printf("1..%d\n", checks);
	MPI_Finalize();
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
