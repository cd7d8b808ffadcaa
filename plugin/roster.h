/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which jobs of which users are on this host: an empty file for each, made by
 * the prolog before any process of the job is there, and removed by the epilog.
 * Its time is the one since which the job's user may have left something here
 * that belongs to no other job: what a job leaves while its user has another
 * one here is that one's to answer for when it ends.
 *
 * Several slurmd may share the host and what users leave on it, so there is one
 * roster for all of them. All of it happens under a lock that users cannot
 * take: while the last job's leavings are removed, no new job of that user
 * starts.
 */
#ifndef GBM_PLUGIN_ROSTER_H
#define GBM_PLUGIN_ROSTER_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "plugin/err.h"

/* A directory of state_open_dir(), as if it were a node's. */
#define ROSTER_NODE "users"

/*
 * Locks the roster in DIR. Returns a descriptor that holds the lock until it is
 * closed, or -1 and a sentence if somebody else keeps it for over ten seconds.
 */
int roster_lock(int dir, struct err *e);

/* Job JOB of UID is about to start on NODE. */
int roster_enter(int dir, uid_t uid, uint32_t job, const char *node,
		 struct err *e);

/*
 * It has ended. Returns 1 if no other job of UID is here, and SINCE; 0 if there
 * are others, or if nothing is known of this one; -1 and a sentence.
 */
int roster_leave(int dir, uid_t uid, uint32_t job, const char *node,
		 struct timespec *since, struct err *e);

#endif
