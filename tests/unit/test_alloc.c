/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What slurmstepd does with a task before its program runs, and when it ends,
 * allocates nothing: neither here nor in functions of the C library that would
 * do it for us.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/conf.h"
#include "plugin/guard.h"
#include "plugin/state.h"
#include "tests/unit/tree.h"

#include "check_main.h"

#define M      (UINT64_C(1) << 20)
#define TASK   4242
#define STEPD  4000
#define V1_JOB "sys/fs/cgroup/memory/slurm_pi1/uid_1000/job_17"
#define V2_JOB "sys/fs/cgroup/system.slice/pi1_slurmstepd.scope/job_17"

static atomic_uint allocations;

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(HAS_ASAN)

int __sanitizer_install_malloc_and_free_hooks(
	void (*on_malloc)(const volatile void *, size_t),
	void (*on_free)(const volatile void *));

static void on_malloc(const volatile void *p, size_t size)
{
	(void)p;
	(void)size;
	allocations++;
}

static void on_free(const volatile void *p)
{
	(void)p;
}

static void start_counting(void)
{
	ck_assert_int_gt(
		__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free),
		0);
}

#else

/* Also for calls from the C library itself. */
#pragma GCC visibility push(default)

/* glibc's own, by the names that it keeps for this. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	allocations++;
	return __libc_realloc(p, size);
}

void *memalign(size_t align, size_t size)
{
	allocations++;
	return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size)
{
	*p = memalign(align, size);
	return *p ? 0 : ENOMEM;
}

#pragma GCC visibility pop

static void start_counting(void)
{
}

#endif

static const struct limits job = { 150 * M, { SWAP_NONE, 0 } };
static const struct limits own = { 64 * M, { SWAP_SIZE, 16 * M } };
static struct cap_host host;

/* As slurmstepd has it: not from the heap. */
static struct cap_step *page(void)
{
	void *p = mmap(NULL, cap_size(2), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(p, MAP_FAILED);
	return p;
}

static void use(const char *tree)
{
	host.root = tree_open(tree);
	host.self = STEPD;
	start_counting();
}

#define none_of(call)                                                          \
	do {                                                                   \
		unsigned before = allocations;                                 \
		(void)(call);                                                  \
		ck_assert_msg(allocations == before, "%s allocates", #call);   \
	} while (0)

static void *volatile kept;

START_TEST(allocations_are_counted)
{
	unsigned before;

	start_counting();
	before = allocations;
	kept = malloc(1);
	free(kept);
	kept = strdup("text");
	free(kept);
	ck_assert_uint_eq(allocations, before + 2);
}
END_TEST

/* All that cap.h has, whatever comes of it. */
static void whole_step(struct cap_step *c)
{
	char text[CAP_TEXT_MAX];
	struct pollfd p = { .fd = -1 };
	struct err e;
	bool news;

	none_of((cap_place(c, 0, TASK), 0));
	none_of((cap_place(c, 1, TASK), 0));
	none_of(cap_verdict(c, 0));
	none_of(cap_notice(c, text));
	none_of(cap_bytes(c));
	if (!cap_verdict(c, 0) && c->backend != &cap_rlimit)
		none_of(cap_enter(c, &e));
	none_of(cap_watch(c, &p));
	if (p.fd >= 0)
		close(p.fd);
	none_of(news = cap_news(c));
	if (news) {
		none_of(cap_look(c, 0, text));
		none_of(cap_look_around(c, text));
	}
	none_of(cap_explain(c, 0, SIGKILL, text));
	none_of(cap_kill_all(c));
	none_of(cap_summary(c, text));
	none_of(cap_json(c, text));
}

static const struct {
	const char *tree;
	const char *task; /* whose counter of kills goes up, or NULL */
	const char *file, *counter;
	enum conf_fallback fallback;
} steps[] = {
	{ "cgroup1/hybrid", V1_JOB "/step_0/task_0", "memory.oom_control",
	  "oom_kill 1\n", FALLBACK_RLIMIT },
	{ "cgroup2/scope", V2_JOB "/step_0/user/task_0", "memory.events",
	  "oom_kill 1\n", FALLBACK_RLIMIT },
	{ "cgroup1/container", NULL, NULL, NULL, FALLBACK_RLIMIT },
	{ "cgroup1/none", NULL, NULL, NULL, FALLBACK_RLIMIT },
	{ "cgroup1/none", NULL, NULL, NULL, FALLBACK_REFUSE },
	{ "cgroup1/none", NULL, NULL, NULL, FALLBACK_OFF },
};

START_TEST(a_step)
{
	struct conf conf = { .fallback = steps[_i].fallback };
	struct cap_step *c = page();
	char text[CAP_TEXT_MAX];

	use(steps[_i].tree);
	none_of((cap_init(c, &host, &conf, "pi1", 17, 2, &job, &own), 0));
	whole_step(c);
	if (!steps[_i].task)
		return;
	c->tasks[0].ended = false;
	tree_put(steps[_i].task, steps[_i].file, steps[_i].counter);
	none_of(cap_news(c));
	none_of(cap_look(c, 0, text));
	none_of(cap_explain(c, 0, SIGKILL, text));
	ck_assert_ptr_nonnull(strstr(text, " was killed: "));
}
END_TEST

/* A step that is refused, with the sentences that say why. */
START_TEST(a_step_that_is_refused)
{
	struct conf conf = { .warn = _i > 0 };
	struct cap_step *c = page();

	use("cgroup2/scope");
	tree_put(V2_JOB, "memory.max", "much\n");
	none_of((cap_init(c, &host, &conf, "pi1", 17, 2, &job, &own), 0));
	whole_step(c);
	ck_assert_int_eq(cap_verdict(c, 0) != NULL, _i == 0);
}
END_TEST

START_TEST(notes_of_jobs)
{
	struct state s = { .job = 17, .uid = 1000, .limits = job };
	struct conf conf;
	static char word[] = "max_cap=1G";
	char *words[] = { word };
	uint64_t asked;
	struct request r = { .has_cap = true, .cap = { 64 * M, 0 } };
	struct limits out;
	struct err e;
	int dir;

	use("cgroup1/none");
	none_of(conf_parse(&conf, 1, words, &e));
	none_of(dir = state_open_dir(host.root, "/run/gbm", "pi1", true,
				     geteuid(), &e));
	ck_assert_int_ge(dir, 0);
	none_of(state_save(dir, &s, &e));
	none_of(state_load(dir, 17, 1000, geteuid(), &s, &e));
	none_of(state_load(dir, 18, 1000, geteuid(), &s, &e));
	none_of(policy_job(&r, &conf, 1800 * M, &out, &e));
	none_of(policy_step(&r, &conf, &job, 1800 * M, &out, &asked, &e));
	r.cap.bytes = 9000 * M;
	none_of(policy_job(&r, &conf, 1800 * M, &out, &e));
	close(dir);
}
END_TEST

START_TEST(guard_of_all)
{
	static const struct swap none = { SWAP_NONE, 0 };
	struct guard guard;
	struct err e;

	use(_i == 0 ? "cgroup1/hybrid" : "cgroup2/scope");
	none_of(guard_of_task(&host, TASK, 17, &guard, &e));
	none_of(guard_apply(&host, &guard, 1000 * M, &none, &e));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("alloc");
	TCase *tc = tcase_create("alloc");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, NULL, tree_close);
	tcase_add_test(tc, allocations_are_counted);
	tcase_add_loop_test(tc, a_step, 0,
			    (int)(sizeof(steps) / sizeof(steps[0])));
	tcase_add_loop_test(tc, a_step_that_is_refused, 0, 2);
	tcase_add_test(tc, notes_of_jobs);
	tcase_add_loop_test(tc, guard_of_all, 0, 2);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
