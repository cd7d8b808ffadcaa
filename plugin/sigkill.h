/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ends processes that a cgroup lists. A process's number is used again once it
 * has ended, and who forks fast enough reaches any number within seconds: root
 * must not send a SIGKILL to whoever has it by then.
 */
#ifndef GBM_PLUGIN_SIGKILL_H
#define GBM_PLUGIN_SIGKILL_H

#include <sys/types.h>

/*
 * Sends SIGKILL to PID if it is in the cgroup DIR, a path below ROOT, or in one
 * below that. Returns 0, -ESRCH if it is not, or -errno.
 */
int sigkill_in(int root, pid_t pid, const char *dir);

#endif
