/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a job leaves behind in memory after its last process: files in /dev/shm
 * and SysV segments, which nobody frees but who made them, and which count
 * against all jobs of the node from then on; and what should not be there any
 * more, its cgroup and processes in it.
 *
 * Works as root in the epilog, on what is below ROOT, follows no symbolic link
 * and stops after a bounded number of entries.
 */
#ifndef GBM_PLUGIN_LEFTOVERS_H
#define GBM_PLUGIN_LEFTOVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "plugin/err.h"

#define LEFTOVERS_TEXT_MAX 200

struct leftovers {
	uint32_t
		files; /* removed from /dev/shm: of any kind, directories too */
	uint64_t file_bytes;
	uint32_t segments;
	uint64_t segment_bytes;
	uint32_t failed; /* could not be removed, or were too many */
	int error;	 /* why, of the last one */
};

/*
 * The pid of a process of UID, whoever started it, or 0 if there is none;
 * -errno if that cannot be learnt.
 */
pid_t leftovers_process(int root, uid_t uid);

/* Does a slurmstepd of job JOB run on this host? Also if that is not known. */
bool leftovers_has_stepd(int root, uint32_t job);

/*
 * Removes what UID, who is not root, owns there and made no earlier than SINCE.
 * REMOVE is what removes a segment: shmctl(ID, IPC_RMID), but for tests.
 */
void leftovers_remove(int root, uid_t uid, const struct timespec *since,
		      int (*remove)(int id), struct leftovers *out);

/* "2 files (300M) in /dev/shm, 1 SysV segment (50M)"; OUT, empty for nothing.
 */
const char *leftovers_text(const struct leftovers *l,
			   char out[LEFTOVERS_TEXT_MAX]);

/*
 * The cgroup DIR of a job that has ended: removed if it is there. What of it
 * runs on for a second is ended by END, which is sigkill_in(), but for tests:
 * UID's processes, or, with ALL, Slurm's own as well. Returns 0 when the
 * cgroup is gone; -1 and a sentence that names what is in it if it still is
 * after two seconds.
 */
int leftovers_cgroup(int root, const char *dir, uid_t uid, bool all,
		     int (*end)(int root, pid_t pid, const char *dir),
		     struct err *e);

#endif
