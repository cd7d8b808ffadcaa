/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The thread, with a counter in the place of the kernel's. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "plugin/watch.h"

#include "check_main.h"

static int kernel_fd;
static atomic_int opened, looked;

static int open_counter(struct pollfd *kernel)
{
	opened++;
	kernel_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	kernel->fd = kernel_fd;
	kernel->events = POLLIN;
	return 0;
}

static int open_nothing(struct pollfd *kernel)
{
	opened++;
	kernel->fd = 12345;
	return -1;
}

static void look(void)
{
	looked++;
}

static const struct watch_owner owner = { open_counter, look };
static const struct watch_owner blind = { open_nothing, look };

static void nap(int ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

/* Until LOOKED is at least N, for ten seconds at most. */
static void wait_looks(int n)
{
	for (int i = 0; i < 1000 && looked < n; i++)
		nap(10);
	ck_assert_int_ge(looked, n);
}

static void settle(void)
{
	int before;

	do {
		before = looked;
		nap(600);
	} while (looked != before);
}

static int entries(const char *dir)
{
	DIR *d = opendir(dir);
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

START_TEST(nothing_before_the_first_ring)
{
	struct watch w = { 0 };

	ck_assert_int_eq(watch_start(&w, &owner), 0);
	nap(100);
	ck_assert_int_eq(opened, 0);
	ck_assert_int_eq(looked, 0);
	watch_stop(&w);
	ck_assert_int_eq(opened, 0);
}
END_TEST

START_TEST(looks_after_an_event)
{
	static const uint64_t one = 1;
	struct watch w = { 0 };
	int before;

	ck_assert_int_eq(watch_start(&w, &owner), 0);
	watch_ring(&w);
	wait_looks(1);
	ck_assert_int_eq(opened, 1);
	settle();
	before = looked;
	ck_assert_int_eq(write(kernel_fd, &one, sizeof(one)), sizeof(one));
	/* The kernel tells before it kills: not once only. */
	wait_looks(before + 3);
	settle();
	before = looked;
	nap(700);
	ck_assert_int_eq(looked, before);
	watch_ring(&w);
	wait_looks(before + 1);
	ck_assert_int_eq(opened, 1);
	watch_stop(&w);
}
END_TEST

START_TEST(a_storm_of_events)
{
	static const uint64_t one = 1;
	struct watch w = { 0 };
	int before;

	ck_assert_int_eq(watch_start(&w, &owner), 0);
	watch_ring(&w);
	wait_looks(1);
	settle();
	before = looked;
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(write(kernel_fd, &one, sizeof(one)),
				 sizeof(one));
		nap(5);
	}
	/* Five looks a second; this took one, or more on a busy machine. */
	ck_assert_int_ge(looked, before + 1);
	ck_assert_int_le(looked, before + 60);
	watch_stop(&w);
}
END_TEST

START_TEST(nothing_to_wait_for)
{
	struct watch w = { 0 };

	ck_assert_int_eq(watch_start(&w, &blind), 0);
	watch_ring(&w);
	wait_looks(1);
	settle();
	watch_ring(&w);
	wait_looks(3);
	ck_assert_int_eq(opened, 1);
	watch_stop(&w);
}
END_TEST

START_TEST(nothing_is_left)
{
	struct watch w = { 0 };
	int fds, threads;

	watch_stop(&w); /* never started */
	watch_ring(&w);
	fds = entries("/proc/self/fd");
	threads = entries("/proc/self/task");
	for (int i = 0; i < 50; i++) {
		memset(&w, 0, sizeof(w));
		ck_assert_int_eq(watch_start(&w, &owner), 0);
		if (i % 2) {
			watch_ring(&w);
			wait_looks(1);
		}
		watch_stop(&w);
		watch_stop(&w);
	}
	ck_assert_int_eq(entries("/proc/self/fd"), fds);
	ck_assert_int_eq(entries("/proc/self/task"), threads);
}
END_TEST

static void *seen_by;

static void on_signal(int sig)
{
	(void)sig;
	seen_by = (void *)pthread_self();
}

START_TEST(signals_are_not_its_own)
{
	struct sigaction act = { .sa_handler = on_signal };
	struct watch w = { 0 };
	sigset_t usr1;

	sigaction(SIGUSR1, &act, NULL);
	ck_assert_int_eq(watch_start(&w, &owner), 0);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	kill(getpid(), SIGUSR1);
	nap(100);
	ck_assert_ptr_null(seen_by);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	ck_assert_ptr_eq(seen_by, (void *)pthread_self());
	watch_stop(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("watch");
	TCase *tc = tcase_create("watch");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nothing_before_the_first_ring);
	tcase_add_test(tc, looks_after_an_event);
	tcase_add_test(tc, a_storm_of_events);
	tcase_add_test(tc, nothing_to_wait_for);
	tcase_add_test(tc, nothing_is_left);
	tcase_add_test(tc, signals_are_not_its_own);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
