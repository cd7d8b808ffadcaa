/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The kernel's texts about cgroups and memory. Pure: every function takes a
 * buffer with its length, which need not be terminated and may hold any bytes.
 *
 * Part of the input is written by users. On cgroup v1 a user owns the
 * directories of his steps and may name a directory of his own below them
 * anything, newlines included, and the kernel prints such a name into
 * /proc/PID/cgroup as it is. What comes before it in the path is Slurm's.
 */
#ifndef GBM_PLUGIN_PROCFS_H
#define GBM_PLUGIN_PROCFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCFS_PATH_MAX 1024

/* A piece of somebody else's buffer. */
struct span {
	const char *at;
	size_t len;
};

/*
 * Finds the path of a process in /proc/PID/cgroup: of the v1 hierarchy that has
 * CONTROLLER, or of v2 for NULL. Returns 1 and PATH (starting with '/',
 * pointing into TEXT); 0 if there is no such hierarchy; -1 if two lines claim
 * to be it, which only a hostile directory name brings about, or the path is
 * not one.
 */
int procfs_cgroup(const char *text, size_t len, const char *controller,
		  struct span *path);

/*
 * Splits the cgroup path of a task of job JOB at Slurm's directories: PATH[0,
 * *job_len) is the job's and PATH[0, *step_len) the step's, a "step_*" whose
 * parent is "job_JOB", or a SLUID, which does not tell the job. Both are found
 * by their names in the path and never composed, since what stands above them
 * differs with Slurm's version and configuration. The first such pair counts:
 * below it directories may be a user's. Returns false if there is none, or if
 * it is another job's.
 */
bool procfs_split(struct span path, uint32_t job, size_t *job_len,
		  size_t *step_len);

/*
 * Whether LINE of /proc/PID/cgroup (without its newline) is of a process in the
 * cgroup that is found at DIR, or below it. By the last two components of DIR,
 * as those before them depend on where the hierarchy is mounted.
 */
bool procfs_is_in(const char *line, size_t len, const char *dir);

/* One line of /proc/PID/mountinfo that mounts a cgroup hierarchy. */
struct procfs_mount {
	char root[PROCFS_PATH_MAX];  /* cgroup that appears at POINT */
	char point[PROCFS_PATH_MAX]; /* absolute; octal escapes undone */
};

/*
 * Reads one line of mountinfo (without its newline) and returns whether it
 * mounts the v1 hierarchy of CONTROLLER, or v2 for NULL; MOUNT is then set.
 */
bool procfs_mount(const char *line, size_t len, const char *controller,
		  struct procfs_mount *mount);

/*
 * Where the cgroup PATH is found below the file system's root, without a
 * leading slash: MOUNT's point and what of PATH lies below MOUNT's root.
 * Returns its length, or 0 if PATH lies outside, has a ".." (a cgroup outside
 * the reader's namespace) or does not fit SIZE.
 */
size_t procfs_join(const struct procfs_mount *mount, struct span path,
		   char *out, size_t size);

/*
 * The length of PATH without its last LEVELS components, or 0 if that would
 * leave less than PATH[0, least).
 */
size_t procfs_above(const char *path, size_t len, size_t least, int levels);

/*
 * A file that holds one decimal number and perhaps a newline. "max" reads as
 * UINT64_MAX. Returns false for anything else, overflow included.
 */
bool procfs_u64(const char *text, size_t len, uint64_t *value);

/* The number after "KEY " at the start of a line, as in memory.oom_control. */
bool procfs_key_u64(const char *text, size_t len, const char *key,
		    uint64_t *value);

/*
 * Whether /proc/PID/stat is of a process that has ended, is about to, or has
 * been sent a SIGKILL.
 */
bool procfs_dying(const char *text, size_t len);

/* MemTotal and SwapTotal of /proc/meminfo, in bytes. */
bool procfs_mem_total(const char *text, size_t len, uint64_t *bytes);
bool procfs_swap_total(const char *text, size_t len, uint64_t *bytes);

/* Of /proc/PID/status: real, effective, saved and file system user. */
bool procfs_uids(const char *text, size_t len, uint64_t uids[4]);

/* Of the same: has the process ended, but nobody waited for it yet? */
bool procfs_is_zombie(const char *text, size_t len);

/* A line of /proc/sysvipc/shm. */
struct procfs_shm {
	int id;
	uint64_t bytes;
	uint64_t attached;  /* processes */
	uint64_t uid, cuid; /* owner, maker */
	uint64_t ctime;	    /* seconds */
};

bool procfs_shm(const char *line, size_t len, struct procfs_shm *shm);

#endif
