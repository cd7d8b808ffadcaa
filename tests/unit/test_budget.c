/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The memory budget, from captured and composed trees under
 * tests/fixtures/budget/, and the chunk that follows from a budget.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libgbm/budget.h"
#include "libgbm/kernel.h"
#include "tests/unit/check_main.h"

#define FIXTURES GBM_SRCDIR "/tests/fixtures/budget/"

#define KIB	  UINT64_C(1024)
#define RESIDENT  (10000 * KIB)	  /* VmRSS of the fixtures */
#define AVAILABLE (8000000 * KIB) /* MemAvailable */

#define V1 "the cgroup's limit (v1)"
#define V2 "the cgroup's limit (v2)"

static struct gbm_budget find(const char *name, uint64_t mem_cap,
			      uint64_t nodes, unsigned ranks, unsigned threads)
{
	char root[sizeof(FIXTURES) + 64];
	struct gbm_budget b;

	snprintf(root, sizeof(root), FIXTURES "%s", name);
	ck_assert_int_eq(
		gbm_budget_find(root, mem_cap, nodes, ranks, threads, &b, NULL),
		GBM_OK);
	return b;
}

static void check(struct gbm_budget b, uint64_t bytes, const char *source)
{
	ck_assert_uint_eq(b.bytes, bytes);
	ck_assert_str_eq(b.source, source);
}

/* What the machine that runs the tests has set must not matter. */
static void setup(void)
{
	static const int which[] = { RLIMIT_AS, RLIMIT_DATA };

	unsetenv("GBM_MEM_CAP");
	for (int i = 0; i < 2; i++) {
		struct rlimit r;

		ck_assert_int_eq(getrlimit(which[i], &r), 0);
		r.rlim_cur = r.rlim_max;
		ck_assert_int_eq(setrlimit(which[i], &r), 0);
		ck_assert_msg(r.rlim_max == RLIM_INFINITY,
			      "run the tests without ulimit -v and -d");
	}
}

START_TEST(cgroups)
{
	static const struct {
		const char *name;
		uint64_t limit;
		const char *source;
	} rows[] = {
		{ "v2", 400000000, V2 },
		{ "v2_grandparent", 250000000, V2 },
		{ "v2_namespace", 350000000, V2 },
		{ "v2_outside", 340000000, V2 },
		{ "v2_outside_root", 345000000, V2 },
		{ "v1", 300000000, V1 },
		{ "hybrid", 310000000, V1 },
		{ "joined", 320000000, V1 },
		{ "docker", 330000000, V1 },
		{ "docker_below", 334000000, V1 },
		{ "docker_other", 336000000, V1 },
		{ "escape", 360000000, V2 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct gbm_budget b = find(rows[i].name, 0, 0, 1, 1);

		ck_assert_msg(b.bytes == rows[i].limit &&
				      !strcmp(b.source, rows[i].source),
			      "%s: %llu by %s", rows[i].name,
			      (unsigned long long)b.bytes, b.source);
		ck_assert_uint_eq(b.resident, RESIDENT);
		check(find(rows[i].name, 0, 0, 3, 1), rows[i].limit / 3,
		      rows[i].source);
	}
}
END_TEST

/* Pages of files are not held. */
START_TEST(pages_of_files)
{
	struct gbm_budget b = find("pages", 0, 0, 2, 1);

	ck_assert_uint_eq(b.resident, 3000 * KIB);
	ck_assert_uint_eq(b.files, 7000 * KIB);
	ck_assert_uint_eq(b.peak, 11000 * KIB);
	check(b, 3000 * KIB + AVAILABLE / 2, "the memory available");
}
END_TEST

START_TEST(no_cgroup_limit)
{
	static const char *const names[] = { "v2_max", "v1_unlimited",
					     "missing_limit_files",
					     "no_cgroups" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		check(find(names[i], 0, 0, 1, 1), RESIDENT + AVAILABLE,
		      "the memory available");
		check(find(names[i], 0, 0, 4, 1), RESIDENT + AVAILABLE / 4,
		      "the memory available");
	}
	check(find("little_memory", 0, 0, 1, 1), RESIDENT + 200000 * KIB,
	      "the memory available");
}
END_TEST

START_TEST(no_files)
{
	struct gbm_budget b = find("nothing", 0, 0, 4, 1);

	check(b, UINT64_MAX, "no limit");
	ck_assert_uint_eq(b.resident, 0);
	b = find("does-not-exist", 0, 0, 1, 1);
	check(b, UINT64_MAX, "no limit");
	check(find("no_meminfo", 0, 0, 1, 1), UINT64_MAX, "no limit");
	check(find("nothing", 123456, 0, 2, 1), 61728, "the caller's cap");
}
END_TEST

START_TEST(least_of_all)
{
	/* v2 has 400000000 in its cgroup. */
	check(find("v2", 399999999, 0, 1, 1), 399999999, "the caller's cap");
	check(find("v2", 400000001, 0, 1, 1), 400000000, V2);
	check(find("v2", 0, 399999998, 2, 1), 199999999,
	      "the NUMA nodes' memory");
	check(find("v2", 0, 400000002, 2, 1), 200000000, V2);
	ck_assert_int_eq(setenv("GBM_MEM_CAP", "399999000", 1), 0);
	check(find("v2", 0, 0, 1, 1), 399999000, "GBM_MEM_CAP");
	check(find("v2", 0, 0, 4, 1), 99999750, "GBM_MEM_CAP");
	check(find("v2", 399998999, 0, 1, 1), 399998999, "the caller's cap");
	ck_assert_int_eq(setenv("GBM_MEM_CAP", "400000001", 1), 0);
	check(find("v2", 0, 0, 1, 1), 400000000, V2);
	ck_assert_int_eq(setenv("GBM_MEM_CAP", "", 1), 0);
	check(find("v2", 0, 0, 1, 1), 400000000, V2);
	/* "Unlimited" is no limit, also here. */
	check(find("v2", UINT64_MAX, 0, 1, 1), 400000000, V2);
}
END_TEST

START_TEST(bad_cap_variable)
{
	static const char *const bad[] = {
		"abc", "-1",   "+1",  "0",   "1.5", "12 ",
		" 12", "0x10", "12K", "1e9", "00",  "99999999999999999999999",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct gbm_error err = { 0, "" };
		struct gbm_budget b;
		char begin[64];

		snprintf(begin, sizeof(begin), "GBM_MEM_CAP=%s: ", bad[i]);
		ck_assert_int_eq(setenv("GBM_MEM_CAP", bad[i], 1), 0);
		ck_assert_msg(gbm_budget_find(FIXTURES "v2", 0, 0, 1, 1, &b,
					      &err) == GBM_EINVAL,
			      "'%s'", bad[i]);
		ck_assert_int_eq(err.status, GBM_EINVAL);
		ck_assert_msg(!strncmp(err.text, begin, strlen(begin)), "%s",
			      err.text);
		ck_assert_ptr_nonnull(strstr(err.text, "bytes"));
	}
}
END_TEST

/* Runs f in a child whose limits it may ruin. */
static void in_child(void (*f)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		f();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		      "status %x", (unsigned)status);
}

static void expect(int ok, int line)
{
	if (!ok)
		_exit(line % 200 + 1);
}

#define EXPECT(condition) expect(condition, __LINE__)

static void limit(int which, uint64_t bytes)
{
	struct rlimit r;

	EXPECT(getrlimit(which, &r) == 0);
	r.rlim_cur = (rlim_t)bytes;
	EXPECT(setrlimit(which, &r) == 0);
}

/* So large that the test itself, and a sanitizer, have room. */
#define LIMIT (UINT64_C(1) << 50)

static int is(struct gbm_budget b, uint64_t bytes, const char *source)
{
	return b.bytes == bytes && !strcmp(b.source, source);
}

static void address_space(void)
{
	const uint64_t size = 50000 * KIB, stack = 16 * KIB * KIB;

	limit(RLIMIT_STACK, stack);
	limit(RLIMIT_AS, LIMIT);
	EXPECT(is(find("rlimits", 0, 0, 1, 1), RESIDENT + LIMIT - size,
		  "RLIMIT_AS"));
	/* A process's own: ranks do not share it, but threads have stacks. */
	EXPECT(is(find("rlimits", 0, 0, 8, 1), RESIDENT + LIMIT - size,
		  "RLIMIT_AS"));
	EXPECT(is(find("rlimits", 0, 0, 1, 5),
		  RESIDENT + LIMIT - size - 4 * stack, "RLIMIT_AS"));
	EXPECT(is(find("rlimits_exceeded", 0, 0, 1, 1), RESIDENT, "RLIMIT_AS"));
	EXPECT(is(find("v2", 0, 0, 1, 1), 400000000, V2));
}

static void data_segment(void)
{
	const uint64_t size = 20000 * KIB, stack = 8 * KIB * KIB;

	/* Where the stack has no limit, a thread's has 8 MiB. */
	limit(RLIMIT_STACK, RLIM_INFINITY);
	limit(RLIMIT_DATA, LIMIT);
	EXPECT(is(find("rlimits", 0, 0, 1, 1), RESIDENT + LIMIT - size,
		  "RLIMIT_DATA"));
	EXPECT(is(find("rlimits", 0, 0, 1, 3),
		  RESIDENT + LIMIT - size - 2 * stack, "RLIMIT_DATA"));
	EXPECT(is(find("rlimits_exceeded", 0, 0, 1, 1), RESIDENT,
		  "RLIMIT_DATA"));
	limit(RLIMIT_AS, LIMIT + 30000 * KIB - 1);
	EXPECT(is(find("rlimits", 0, 0, 1, 1), RESIDENT + LIMIT - size - 1,
		  "RLIMIT_AS"));
}

START_TEST(rlimits)
{
	check(find("rlimits", 0, 0, 1, 1), UINT64_MAX, "no limit");
	in_child(address_space);
	in_child(data_segment);
}
END_TEST

/* The real files of this machine: something is found, and it is sane. */
START_TEST(this_machine)
{
	struct gbm_budget b;

	ck_assert_int_eq(gbm_budget_find("", 0, 0, 1, 1, &b, NULL), GBM_OK);
	ck_assert_uint_gt(b.resident, 100 * KIB);
	ck_assert_uint_gt(b.bytes, b.resident);
	ck_assert_uint_lt(b.bytes, UINT64_C(1) << 50);
	ck_assert_str_ne(b.source, "no limit");
}
END_TEST

__extension__ typedef unsigned __int128 wide;

/* Values and workspace of a chunk, by budget.h. */
static wide bytes_of(uint64_t steps, int with_paths, uint64_t paths)
{
	return with_paths ? ((wide)paths + 8) * 8 * ((wide)steps + 1)
			  : (wide)paths * 8;
}

static wide workspace_of(uint64_t steps, int with_paths, uint64_t paths)
{
	wide item = paths > GBM_BLOCK_PATHS ? paths : GBM_BLOCK_PATHS;

	return with_paths ? bytes_of(steps, 1, paths) + item * 8 : item * 8;
}

static uint64_t next_size(uint64_t paths)
{
	return paths < GBM_BLOCK_PATHS ? paths * 2 : paths + GBM_BLOCK_PATHS;
}

static uint64_t state = 1;

/* Any magnitude up to 2^bits. */
static uint64_t any(unsigned bits)
{
	state = state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return ((state ^ state >> 29) | UINT64_C(1) << 63) >>
	       (64 - 1 - (state >> 33) % bits);
}

START_TEST(chunk_properties)
{
	unsigned found[4] = { 0 };

	for (unsigned turn = 0; turn < 200000; turn++) {
		int with_paths = turn % 4 != 0;
		uint64_t steps = turn % 8 == 1 ? UINT64_C(1) << 40 : any(40);
		uint64_t n = any(62), target = any(63), room = any(63), p;
		uint64_t least = with_paths ? GBM_LANES : GBM_BLOCK_PATHS;
		struct gbm_chunk c;
		int status, fits;

		status = gbm_chunk_find(steps, with_paths, n, target, room, &c);
		if (status == GBM_EINVAL)
			ck_abort_msg("a path of 2^40 steps can be counted");
		p = c.paths;
		fits = workspace_of(steps, with_paths, p) <= room;
		if (c.bytes != bytes_of(steps, with_paths,
					with_paths ? p : c.item) ||
		    c.workspace != workspace_of(steps, with_paths, p) ||
		    c.item % GBM_BLOCK_PATHS || c.item < p ||
		    (c.item > GBM_BLOCK_PATHS && c.item != p) ||
		    c.stride != (with_paths ? p + 8 : 0))
			ck_abort_msg("turn %u: sizes are wrong", turn);
		if (p % (p < GBM_BLOCK_PATHS ? GBM_LANES : GBM_BLOCK_PATHS) ||
		    (p < GBM_BLOCK_PATHS && (p & (p - 1))) || p < least)
			ck_abort_msg("turn %u: %llu paths", turn,
				     (unsigned long long)p);
		if ((status == GBM_OK) != fits ||
		    (status != GBM_OK && status != GBM_ENOMEM))
			ck_abort_msg("turn %u: status %d", turn, status);
		if (p > least && bytes_of(steps, with_paths, p) > target)
			ck_abort_msg("turn %u: above the target", turn);
		if (status == GBM_ENOMEM && p != least)
			ck_abort_msg("turn %u: not the least", turn);
		/* Not more than needed, and no larger one would do. */
		if (p > GBM_BLOCK_PATHS && p >= n + GBM_BLOCK_PATHS)
			ck_abort_msg("turn %u: more than n_paths", turn);
		if (status == GBM_OK && next_size(p) < n &&
		    bytes_of(steps, with_paths, next_size(p)) <= target &&
		    workspace_of(steps, with_paths, next_size(p)) <= room)
			ck_abort_msg("turn %u: could be larger", turn);
		found[status		    ? 0
		      : p == least	    ? 1
		      : p < GBM_BLOCK_PATHS ? 2
					    : 3]++;
	}
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_gt(found[i], 1000);
}
END_TEST

START_TEST(chunk_extremes)
{
	struct gbm_chunk c;

	/* No path of so many steps has a size. */
	ck_assert_int_eq(gbm_chunk_find(UINT64_C(1) << 60, 1, 1, UINT64_MAX,
					UINT64_MAX, &c),
			 GBM_EINVAL);
	/* The least chunk is told also where there is no room at all. */
	ck_assert_int_eq(gbm_chunk_find(UINT64_C(1) << 40, 1, 5, 0, 0, &c),
			 GBM_ENOMEM);
	ck_assert_uint_eq(c.paths, GBM_LANES);
	ck_assert_uint_eq(c.workspace, 16 * 8 * ((UINT64_C(1) << 40) + 1) +
					       8 * GBM_BLOCK_PATHS);
	ck_assert_int_eq(gbm_chunk_find(1, 0, 5, 0, 8191, &c), GBM_ENOMEM);
	ck_assert_int_eq(gbm_chunk_find(1, 0, 5, 0, 8192, &c), GBM_OK);
	ck_assert_uint_eq(c.paths, GBM_BLOCK_PATHS);
	/* Found at once, not by going down from what is far too large. */
	ck_assert_int_eq(gbm_chunk_find(1, 1, UINT64_C(1) << 62, UINT64_MAX,
					UINT64_MAX, &c),
			 GBM_OK);
	ck_assert_uint_ge(c.workspace, UINT64_MAX - 100000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("budget");
	TCase *t = tcase_create("budget");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, cgroups);
	tcase_add_test(t, pages_of_files);
	tcase_add_test(t, no_cgroup_limit);
	tcase_add_test(t, no_files);
	tcase_add_test(t, least_of_all);
	tcase_add_test(t, bad_cap_variable);
	tcase_add_test(t, rlimits);
	tcase_add_test(t, this_machine);
	tcase_add_test(t, chunk_properties);
	tcase_add_test(t, chunk_extremes);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
