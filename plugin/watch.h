/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A thread that sleeps until the kernel says that memory ran short, and then
 * lets its owner look. It touches nothing between watch_start() and the first
 * watch_ring(): slurmstepd changes its effective user and forks its tasks in
 * between, and what is to be waited for is not known yet.
 */
#ifndef GBM_PLUGIN_WATCH_H
#define GBM_PLUGIN_WATCH_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct watch_owner {
	/*
	 * What poll(2) is to wait for: descriptor and events. The descriptor is
	 * read after each event, and closed at the end. -1 if there is none:
	 * then only watch_ring() makes it look.
	 */
	int (*open)(struct pollfd *kernel);

	/*
	 * Called after a ring, and several times in the second after an event:
	 * the kernel tells of the need before it kills.
	 */
	void (*look)(void);
};

struct watch {
	const struct watch_owner *owner;
	pthread_t thread;
	int bell; /* eventfd */
	atomic_bool stop;
	bool running;
};

/* W is zeroed. Returns 0 or -errno: W then does nothing, and nobody looks. */
int watch_start(struct watch *w, const struct watch_owner *owner);

/* May be called from a process that shares memory with the one that started it.
 */
void watch_ring(struct watch *w);

/* Waits until the thread has ended: none may be left when Slurm unloads us. */
void watch_stop(struct watch *w);

#endif
