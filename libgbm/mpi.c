/* SPDX-License-Identifier: GPL-3.0-or-later */

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <hwloc.h>

#include <gbm-mc/mpi.h>

#include "libgbm/mpi_team.h"

#define MAX_PATHS (UINT64_C(1) << 62)

/* Linux's largest NR_CPUS; hardware threads beyond are not shared out. */
#define MAX_CPUS 8192

/* Cores and hardware threads are all that is asked of it. */
static bool load_topology(hwloc_topology_t *topology)
{
	if (hwloc_topology_init(topology) != 0)
		return false;
	if (hwloc_topology_set_all_types_filter(
		    *topology, HWLOC_TYPE_FILTER_KEEP_NONE) == 0 &&
	    hwloc_topology_set_type_filter(*topology, HWLOC_OBJ_CORE,
					   HWLOC_TYPE_FILTER_KEEP_ALL) == 0 &&
	    hwloc_topology_load(*topology) == 0)
		return true;
	hwloc_topology_destroy(*topology);
	return false;
}

/* Sets users[cpu] to 1 for each hardware thread this process is bound to. */
static void mark_binding(hwloc_topology_t topology, unsigned short *users)
{
	hwloc_bitmap_t bound = hwloc_bitmap_alloc();
	int cpu = -1;

	if (!bound)
		return;
	if (hwloc_get_cpubind(topology, bound, HWLOC_CPUBIND_PROCESS) != 0)
		hwloc_bitmap_copy(bound, hwloc_get_root_obj(topology)->cpuset);
	hwloc_bitmap_and(bound, bound, hwloc_get_root_obj(topology)->cpuset);
	while ((cpu = hwloc_bitmap_next(bound, cpu)) >= 0)
		if (cpu < MAX_CPUS)
			users[cpu] = 1;
	hwloc_bitmap_free(bound);
}

/* A core that n ranks may use counts 1/n for each of them. */
static unsigned fair_share(hwloc_topology_t topology,
			   const unsigned short *mine,
			   const unsigned short *users)
{
	hwloc_obj_type_t type = HWLOC_OBJ_CORE;
	hwloc_obj_t core = NULL;
	double share = 0.0;

	/* Some virtual machines show hardware threads only. */
	if (hwloc_get_nbobjs_by_type(topology, type) <= 0)
		type = HWLOC_OBJ_PU;
	while ((core = hwloc_get_next_obj_by_type(topology, type, core))) {
		unsigned most = 0;
		int cpu = -1;

		while ((cpu = hwloc_bitmap_next(core->cpuset, cpu)) >= 0)
			if (cpu < MAX_CPUS && mine[cpu] && users[cpu] > most)
				most = users[cpu];
		if (most)
			share += 1.0 / most;
	}
	/* Three thirds may add up to a little less than one. */
	share += 1e-9;
	return share < 1.0 ? 1 : (unsigned)share;
}

/*
 * Counts the ranks of the node, collective over them, and shares out the cores
 * that they may run on.  Operating system numbers are compared, because each
 * rank's hwloc counts only what its own cpuset lets it see.  A rank that cannot
 * see its cores gets one thread: slower, never wrong.
 */
static void share_node(MPI_Comm node, unsigned *ranks, unsigned *threads,
		       struct outcome *outcome)
{
	unsigned short mine[MAX_CPUS] = { 0 }, users[MAX_CPUS] = { 0 };
	hwloc_topology_t topology;
	bool seen = load_topology(&topology);
	int size = 1;

	if (seen)
		mark_binding(topology, mine);
	if (mpi_ok(outcome, "MPI_Comm_size", MPI_Comm_size(node, &size)))
		*ranks = (unsigned)size;
	*threads = 1;
	if (mpi_ok(outcome, "MPI_Allreduce",
		   MPI_Allreduce(mine, users, MAX_CPUS, MPI_UNSIGNED_SHORT,
				 MPI_SUM, node)) &&
	    seen)
		*threads = fair_share(topology, mine, users);
	if (seen)
		hwloc_topology_destroy(topology);
}

/*
 * The plan of this rank.  A share of the cores that was not asked for is
 * lowered to what the memory holds, as gbm_plan_create() does with its own.
 */
static void create(struct gbm_plan **plan, const struct gbm_model *model,
		   const struct gbm_functional *functional, uint64_t n_paths,
		   const struct gbm_options *options, unsigned share,
		   struct outcome *outcome)
{
	struct gbm_options mine = *options;
	struct gbm_error why = { 0 };
	int status;

	if (options->threads == 0)
		mine.threads = share;
	do {
		status = gbm_plan_create(plan, model, functional, n_paths,
					 &mine, &why);
		share = mine.threads;
		mine.threads = (share + 1) / 2;
	} while (status == GBM_ENOMEM && options->threads == 0 && share > 1);
	fail(outcome, status, why.text[0] ? why.text : NULL);
}

/* The finalizer of SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t mix(uint64_t digest, uint64_t word)
{
	digest = (digest ^ word) + UINT64_C(0x9e3779b97f4a7c15);
	digest = (digest ^ (digest >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	digest = (digest ^ (digest >> 27)) * UINT64_C(0x94d049bb133111eb);
	return digest ^ (digest >> 31);
}

static uint64_t mix_number(uint64_t digest, double number)
{
	uint64_t word = 0;

	if (!isnan(number)) /* of which there are many */
		memcpy(&word, &number, sizeof(word));
	return mix(digest, word);
}

static uint64_t mix_functional(uint64_t digest,
			       const struct gbm_functional *functional)
{
	if (!functional)
		return mix(digest, 1);
	if (functional->fn) /* at a different address on every rank */
		return mix(digest, 2);
	digest = mix(mix(digest, 3), (uint64_t)functional->payoff);
	return mix_number(digest, functional->strike);
}

static uint64_t digest_of(const struct gbm_model *model,
			  const struct gbm_functional *functional,
			  uint64_t n_paths, const struct gbm_options *options)
{
	uint64_t digest =
		mix(mix(mix(0, n_paths), options->seed), model->steps);

	digest = mix(digest, options->collect);
	digest = mix_number(digest, model->spot);
	digest = mix_number(digest, model->rate);
	digest = mix_number(digest, model->dividend);
	digest = mix_number(digest, model->drift);
	digest = mix_number(digest, model->vol);
	digest = mix_number(digest, model->horizon);
	digest = mix_functional(digest, functional);
	for (size_t i = 0; i < options->n_others; i++)
		digest = mix_functional(digest, options->others + i);
	return digest;
}

/*
 * Collective.  A program that reads its input on rank 0 and forgets to send it
 * to the others would otherwise get an average over different models.
 */
static void require_same(const struct team *team, uint64_t digest,
			 const char *otherwise, struct outcome *outcome)
{
	uint64_t mine[2] = { digest, ~digest }, most[2] = { digest, ~digest };

	if (mpi_ok(outcome, "MPI_Allreduce",
		   MPI_Allreduce(mine, most, 2, MPI_UINT64_T, MPI_MAX,
				 team->comm)) &&
	    most[0] != ~most[1])
		fail(outcome, GBM_EINVAL, otherwise);
}

int gbm_mpi_plan_create(struct gbm_plan **plan, const struct gbm_model *model,
			const struct gbm_functional *functional,
			uint64_t n_paths, const struct gbm_options *options,
			MPI_Comm comm, struct gbm_error *err)
{
	struct gbm_options mine = GBM_OPTIONS_INIT;
	struct outcome outcome = { 0 };
	struct gbm_plan *made = NULL;
	MPI_Comm node = MPI_COMM_NULL;
	unsigned share = 1;
	struct team team;

	if (plan)
		*plan = NULL;
	if (!join(&team, comm, &outcome))
		goto out;

	mpi_ok(&outcome, "MPI_Comm_split_type",
	       MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, team.rank,
				   MPI_INFO_NULL, &node));
	if (agree(&team, &outcome) != GBM_OK) {
		if (node != MPI_COMM_NULL)
			MPI_Comm_free(&node); /* failed anyway */
		goto out;
	}

	if (options && options->size == sizeof(mine))
		mine = *options;
	else if (options)
		fail(&outcome, GBM_EINVAL,
		     "the options' size is not sizeof(struct gbm_options): "
		     "begin with GBM_OPTIONS_INIT");
	if (!plan)
		fail(&outcome, GBM_EINVAL,
		     "plan is NULL: give the address of a pointer");
	share_node(node, &mine.ranks_on_node, &share, &outcome);
	mpi_ok(&outcome, "MPI_Comm_free", MPI_Comm_free(&node));
	if (outcome.status == GBM_OK)
		create(&made, model, functional, n_paths, &mine, share,
		       &outcome);
	if (agree(&team, &outcome) == GBM_OK)
		require_same(&team,
			     digest_of(model, functional, n_paths, &mine),
			     "the ranks were given different models, "
			     "functionals, numbers of paths, seeds or things "
			     "to collect: give all the same",
			     &outcome);
	if (outcome.status != GBM_OK)
		gbm_plan_destroy(&made);
	else
		*plan = made;
out:
	if (err) {
		err->status = outcome.status;
		memcpy(err->text, outcome.text, sizeof(err->text));
	}
	return outcome.status;
}

int gbm_mpi_range(MPI_Comm comm, uint64_t n_paths, uint64_t *first_path,
		  uint64_t *count)
{
	struct outcome outcome = { 0 };
	struct team team;

	if (!first_path || !count || n_paths == 0 || n_paths > MAX_PATHS)
		return GBM_EINVAL;
	if (!join(&team, comm, &outcome))
		return outcome.status;
	range_of(&team, n_paths, first_path, count);
	return GBM_OK;
}

int gbm_mpi_stream_open(struct gbm_stream **stream, const struct gbm_plan *plan,
			MPI_Comm comm)
{
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	uint64_t first, count;
	int status;

	if (stream)
		*stream = NULL;
	status = gbm_plan_info(plan, &info);
	if (status == GBM_OK)
		status = gbm_mpi_range(comm, info.n_paths, &first, &count);
	if (status == GBM_OK)
		status = gbm_stream_open(stream, plan, first, count);
	return status;
}

/*
 * What ranks exchange: one byte, 0 or a negated status, and a packed part of a
 * summary.  MPI gives an operation no way to fail, hence the byte.
 */
static void merge_op(void *in, void *inout, int *len, MPI_Datatype *type)
{
	const unsigned char *from = in;
	unsigned char *into = inout;
	int n = 0, status;

	if (MPI_Type_size(*type, &n) != MPI_SUCCESS || n < 1)
		return;
	for (int i = 0; i < *len; i++, from += n, into += n) {
		if (from[0] != 0)
			into[0] = from[0];
		if (into[0] != 0)
			continue;
		status = gbm_summary_merge_packed(into + 1, from + 1,
						  (size_t)n - 1);
		into[0] = (unsigned char)-status;
	}
}

static bool make_merge(size_t n, MPI_Datatype *type, MPI_Op *op,
		       struct outcome *outcome)
{
	return mpi_ok(outcome, "MPI_Type_contiguous",
		      MPI_Type_contiguous((int)n, MPI_BYTE, type)) &&
	       mpi_ok(outcome, "MPI_Type_commit", MPI_Type_commit(type)) &&
	       mpi_ok(outcome, "MPI_Op_create", MPI_Op_create(merge_op, 1, op));
}

/* Statistics, or a part of a summary. */
struct merged {
	struct gbm_stats *stats; /* NULL: the part */
	struct gbm_summary *summary;
	size_t part;
};

static void merged_pack(const struct merged *m, void *bytes)
{
	if (m->stats)
		gbm_stats_pack(m->stats, bytes);
	else
		gbm_summary_pack(m->summary, m->part, bytes);
}

static int merged_unpack(const struct merged *m, const void *bytes, size_t n)
{
	return m->stats ? gbm_stats_unpack(m->stats, bytes, n)
			: gbm_summary_unpack(m->summary, m->part, bytes, n);
}

/* Collective; size is the same on every rank, NULL for m a failure. */
static int merge_all(const struct team *team, const struct merged *m,
		     size_t size, struct outcome *outcome)
{
	size_t n = 1 + size;
	unsigned char *bytes = calloc(2, n), *sum = bytes ? bytes + n : NULL;
	MPI_Datatype type = MPI_DATATYPE_NULL;
	MPI_Op op = MPI_OP_NULL;

	if (!m || n > INT_MAX)
		fail(outcome, GBM_EINVAL, NULL);
	else if (!bytes)
		fail(outcome, GBM_ENOMEM, NULL);
	else if (make_merge(n, &type, &op, outcome))
		merged_pack(m, bytes + 1);
	if (agree(team, outcome) != GBM_OK)
		goto out;

	/*
	 * One rank folds and the others copy, rather than MPI_Allreduce: there
	 * each rank may fold for itself, and fail for itself.
	 */
	if (!mpi_ok(outcome, "MPI_Reduce",
		    MPI_Reduce(bytes, sum, 1, type, op, 0, team->comm)) &&
	    team->rank == 0)
		sum[0] = (unsigned char)-GBM_EMPI;
	mpi_ok(outcome, "MPI_Bcast", MPI_Bcast(sum, 1, type, 0, team->comm));
	if (outcome->status == GBM_OK && sum[0] != 0)
		fail(outcome, -(int)sum[0], NULL);
	if (agree(team, outcome) == GBM_OK)
		fail(outcome, merged_unpack(m, sum + 1, size), NULL);
out:
	if (op != MPI_OP_NULL)
		mpi_ok(outcome, "MPI_Op_free", MPI_Op_free(&op));
	if (type != MPI_DATATYPE_NULL)
		mpi_ok(outcome, "MPI_Type_free", MPI_Type_free(&type));
	free(bytes);
	return outcome->status;
}

static int merge_stats(const struct team *team, struct gbm_stats *stats,
		       struct outcome *outcome)
{
	const struct merged m = { .stats = stats };

	return merge_all(team, stats ? &m : NULL, gbm_stats_packed_size(),
			 outcome);
}

/* All parts' sizes as one number, and how many there are. */
static uint64_t digest_of_parts(const struct gbm_summary *summary)
{
	uint64_t digest = 0;
	size_t part = 0, size;

	do {
		size = gbm_summary_packed_size(summary, part++);
		digest = mix(digest, size);
	} while (size);
	return digest;
}

static int merge_summary(const struct team *team, struct gbm_summary *summary,
			 struct outcome *outcome)
{
	struct merged m = { .summary = summary };
	size_t size;

	if (!summary)
		fail(outcome, GBM_EINVAL, NULL);
	if (agree(team, outcome) != GBM_OK)
		return outcome->status;
	require_same(team, digest_of_parts(summary),
		     "the ranks' summaries do not collect the same: make them "
		     "from the same plan",
		     outcome);
	for (; outcome->status == GBM_OK; m.part++) {
		size = gbm_summary_packed_size(summary, m.part);
		if (!size)
			break;
		merge_all(team, &m, size, outcome);
	}
	return outcome->status;
}

int gbm_mpi_stats_merge(struct gbm_stats *stats, MPI_Comm comm)
{
	struct outcome outcome = { 0 };
	struct team team;

	if (!join(&team, comm, &outcome))
		return outcome.status;
	return merge_stats(&team, stats, &outcome);
}

int gbm_mpi_summary_merge(struct gbm_summary *summary, MPI_Comm comm)
{
	struct outcome outcome = { 0 };
	struct team team;

	if (!join(&team, comm, &outcome))
		return outcome.status;
	return merge_summary(&team, summary, &outcome);
}

/* All of the plan, each rank what it takes of it, into one of the two. */
static void run_shares(const struct team *team, const struct gbm_plan *plan,
		       struct gbm_stats *stats, struct gbm_summary *summary,
		       struct outcome *outcome)
{
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	struct counter counter;
	uint64_t next = 0;

	fail(outcome, gbm_plan_info(plan, &info), NULL);
	if (agree(team, outcome) != GBM_OK)
		return;
	if (gbm_counter_open(&counter, team, NULL, outcome) == GBM_OK)
		gbm_counter_run(&counter, plan, &next, info.n_paths, summary,
				stats, outcome);
	gbm_counter_close(&counter, outcome);
}

int gbm_mpi_run(const struct gbm_plan *plan, MPI_Comm comm,
		struct gbm_result *result)
{
	struct outcome outcome = { 0 };
	struct gbm_stats *stats = NULL;
	struct team team;

	if (!join(&team, comm, &outcome))
		return outcome.status;
	if (!result || result->size != sizeof(*result))
		fail(&outcome, GBM_EINVAL, NULL);
	else
		fail(&outcome, gbm_stats_create(&stats), NULL);
	run_shares(&team, plan, stats, NULL, &outcome);
	if (outcome.status == GBM_OK &&
	    merge_stats(&team, stats, &outcome) == GBM_OK)
		fail(&outcome, gbm_stats_result(stats, result), NULL);
	else if (outcome.status == GBM_ECANCELED && result &&
		 result->size == sizeof(*result))
		result->user_code = outcome.user_code;
	gbm_stats_destroy(&stats);
	return outcome.status;
}

int gbm_mpi_run_summary(const struct gbm_plan *plan, MPI_Comm comm,
			struct gbm_summary *summary, int *user_code)
{
	struct outcome outcome = { 0 };
	struct team team;

	if (user_code)
		*user_code = 0;
	if (!join(&team, comm, &outcome))
		return outcome.status;
	if (!summary)
		fail(&outcome, GBM_EINVAL, NULL);
	run_shares(&team, plan, NULL, summary, &outcome);
	if (outcome.status == GBM_OK)
		merge_summary(&team, summary, &outcome);
	else if (outcome.status == GBM_ECANCELED && user_code)
		*user_code = outcome.user_code;
	return outcome.status;
}

/* ---- until something is reached */

static bool has_tolerance(const struct gbm_goal *goal)
{
	return goal->tolerance > 0 || goal->abs_tolerance > 0;
}

static bool is_check(uint64_t n, uint64_t n_paths)
{
	return n == n_paths || (n && gbm_goal_check(n - 1) == n);
}

/* Whether all ranks' summaries together meet it; they stay as they are. */
static bool all_met(const struct team *team, const struct gbm_plan *plan,
		    const struct gbm_goal *goal, struct gbm_summary *summary,
		    struct outcome *outcome)
{
	struct gbm_stats *sum = NULL, *mine;
	int met = 1;

	for (size_t k = 0; (mine = gbm_summary_stats(summary, k)) &&
			   outcome->status == GBM_OK;
	     k++) {
		fail(outcome, gbm_stats_create(&sum), NULL);
		if (sum)
			gbm_stats_merge(sum, mine);
		if (merge_stats(team, sum, outcome) == GBM_OK)
			met = met && gbm_goal_met(goal, plan, sum);
		gbm_stats_destroy(&sum);
	}
	return met && outcome->status == GBM_OK;
}

/* From *next on; the summaries are not merged. */
static void run_to_goal(const struct team *team, const struct gbm_plan *plan,
			const struct gbm_goal *goal, uint64_t n_paths,
			struct gbm_summary *summary, uint64_t *next,
			struct gbm_ending *e, struct outcome *outcome)
{
	bool checks = has_tolerance(goal), late = false, paused = false;
	uint64_t last =
		goal->paths && goal->paths < n_paths ? goal->paths : n_paths;
	struct counter counter;

	gbm_counter_open(&counter, team, goal, outcome);
	while (outcome->status == GBM_OK) {
		uint64_t end = last;

		if (checks && is_check(*next, n_paths))
			e->met = all_met(team, plan, goal, summary, outcome);
		if (e->met || *next >= last || paused)
			break;
		if (checks && gbm_goal_check(*next) < end)
			end = gbm_goal_check(*next);
		gbm_counter_run(&counter, plan, next, end, summary, NULL,
				outcome);
		paused = counter.closed;
		late = counter.late;
	}
	e->why = e->met		 ? GBM_WHY_TOLERANCE
		 : *next >= last ? GBM_WHY_PATHS
		 : late		 ? GBM_WHY_SECONDS
				 : GBM_WHY_PAUSE;
	e->n_own = counter.own_paths;
	gbm_counter_close(&counter, outcome);
}

static bool is_goal(const struct gbm_goal *g)
{
	return g && g->size == sizeof(*g) && isfinite(g->tolerance) &&
	       isfinite(g->abs_tolerance) && isfinite(g->seconds) &&
	       g->tolerance >= 0 && g->abs_tolerance >= 0 && g->seconds >= 0 &&
	       g->paths % GBM_BLOCK_PATHS == 0;
}

int gbm_mpi_run_until(const struct gbm_plan *plan, MPI_Comm comm,
		      const struct gbm_goal *goal, struct gbm_summary *summary,
		      uint64_t *n_done, struct gbm_ending *ending)
{
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	struct gbm_ending e = GBM_ENDING_INIT;
	struct outcome outcome = { 0 };
	uint64_t digest = 0, next = 0;
	struct team team;

	if (!join(&team, comm, &outcome))
		return outcome.status;
	fail(&outcome, gbm_plan_info(plan, &info), NULL);
	if (!is_goal(goal) || !summary || !n_done || *n_done > info.n_paths ||
	    (*n_done % GBM_BLOCK_PATHS && *n_done != info.n_paths) ||
	    (ending && ending->size != sizeof(*ending)))
		fail(&outcome, GBM_EINVAL, NULL);
	if (outcome.status == GBM_OK) {
		next = *n_done;
		digest = mix(mix(0, next), goal->paths);
		digest = mix_number(mix_number(digest, goal->tolerance),
				    goal->abs_tolerance);
	}
	if (agree(&team, &outcome) == GBM_OK)
		require_same(&team, digest,
			     "the ranks were given different tolerances or "
			     "numbers of paths done: give all the same",
			     &outcome);
	if (outcome.status == GBM_OK) {
		if (team.rank != 0)
			gbm_summary_clear(summary);
		run_to_goal(&team, plan, goal, info.n_paths, summary, &next, &e,
			    &outcome);
	}
	if (outcome.status == GBM_OK)
		merge_summary(&team, summary, &outcome);
	if (outcome.status == GBM_OK)
		*n_done = next;
	e.user_code = outcome.user_code;
	if (ending && ending->size == sizeof(*ending))
		*ending = e;
	return outcome.status;
}
