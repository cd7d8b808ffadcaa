/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_sigmask */
#endif

#include "plugin/watch.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plugin/banned.h"

/*
 * Milliseconds between looks after an event. They add up to one second, in
 * which a process that fills its cap over and over again makes no more of them.
 */
static const int pauses[] = { 20, 80, 200, 300, 400 };
#define N_PAUSES (sizeof(pauses) / sizeof(pauses[0]))

/* As much as Slurm gives its own: its functions keep buffers there. */
#define STACK_BYTES ((size_t)1 << 20)

/* A counter, or a file that is read anew from its start; false if gone. */
static bool drain(int fd)
{
	char text[512];

	(void)lseek(fd, 0, SEEK_SET);
	return read(fd, text, sizeof(text)) >= 0 || errno == EAGAIN ||
	       errno == EINTR;
}

static void *watch_main(void *arg)
{
	struct watch *w = arg;
	struct pollfd kernel = { .fd = -1 },
		      p[2] = { { .fd = w->bell, .events = POLLIN } };
	size_t pause = N_PAUSES;
	bool opened = false;

	while (!w->stop) {
		bool resting = pause < N_PAUSES;
		int n;

		p[1] = kernel;
		p[1].revents = 0;
		if (resting)
			p[1].fd = -1;
		p[0].revents = 0;
		n = poll(p, 2, resting ? pauses[pause] : -1);
		if (n < 0 && errno != EINTR)
			break;
		if (n < 0 || w->stop)
			continue;
		if (p[0].revents != 0) {
			(void)drain(w->bell);
			if (!opened && w->owner->open(&kernel) < 0)
				kernel.fd = -1;
			opened = true;
			w->owner->look();
			pause = 0;
		} else if (n == 0) {
			w->owner->look();
			pause++;
		} else if (drain(kernel.fd)) {
			pause = 0;
		} else {
			close(kernel.fd);
			kernel.fd = -1;
		}
	}
	if (kernel.fd >= 0)
		close(kernel.fd);
	return NULL;
}

int watch_start(struct watch *w, const struct watch_owner *owner)
{
	pthread_attr_t attr;
	sigset_t all, before;
	int rc;

	w->owner = owner;
	w->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->bell < 0)
		return -errno;
	rc = pthread_attr_init(&attr);
	if (rc == 0) {
		rc = pthread_attr_setstacksize(&attr, STACK_BYTES);
		/* Signals are for slurmstepd's own threads. */
		sigfillset(&all);
		if (rc == 0)
			rc = pthread_sigmask(SIG_SETMASK, &all, &before);
		if (rc == 0) {
			rc = pthread_create(&w->thread, &attr, watch_main, w);
			pthread_sigmask(SIG_SETMASK, &before, NULL);
		}
		pthread_attr_destroy(&attr);
	}
	if (rc != 0) {
		close(w->bell);
		return -rc;
	}
	w->running = true;
	return 0;
}

void watch_ring(struct watch *w)
{
	static const uint64_t one = 1;

	/* It can only fail if it has been rung 2^64 times. */
	if (w->running && write(w->bell, &one, sizeof(one)) < 0)
		return;
}

void watch_stop(struct watch *w)
{
	if (!w->running)
		return;
	w->stop = true;
	watch_ring(w);
	pthread_join(w->thread, NULL);
	close(w->bell);
	w->running = false;
}
