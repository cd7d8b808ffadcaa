/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a node remembers of a job between its prolog, its steps and its epilog:
 * one small file STATE_DIR/NODE/job_ID. The node's name is in the path because
 * several slurmd may run on one host.
 *
 * The file decides a limit that root sets, so it counts only if root wrote it:
 * every directory on the way and the file itself belong to OWNER (root; tests
 * run as anybody), nobody else may write to them, and none is a symbolic link.
 * A file that fails this, or does not parse, is an error and never "no file".
 */
#ifndef GBM_PLUGIN_STATE_H
#define GBM_PLUGIN_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin/err.h"
#include "plugin/policy.h"

#define STATE_TEXT_MAX 1024

struct state {
	uint32_t job;
	uint32_t uid;
	bool refused; /* the job's option was bad: REASON, and no limits */
	struct err reason;
	struct limits limits;
	enum conf_report report;
};

/*
 * Pure. The text has one "key value" a line, all keys in fixed order, and
 * starts with its version, so that a node that was upgraded between a job's
 * prolog and its last step notices. state_format() returns the length.
 */
size_t state_format(const struct state *s, char out[STATE_TEXT_MAX]);
bool state_parse(const char *text, size_t len, struct state *s);

/*
 * Opens the directory of NODE, made with its parents first if CREATE. Returns a
 * descriptor that the caller closes; -1 and a sentence in E; or, without
 * CREATE, STATE_NONE if there is no such directory.
 */
#define STATE_NONE (-2)
int state_open_dir(int root, const char *state_dir, const char *node,
		   bool create, uid_t owner, struct err *e);

/*
 * Returns 1 and S; 0 if the job has no file, or a file that some earlier job
 * with the same id left here (another user's); -1 and a sentence in E.
 */
int state_load(int dir, uint32_t job, uint32_t uid, uid_t owner,
	       struct state *s, struct err *e);

/* Writes S so that a reader finds all of it or the previous file. */
int state_save(int dir, const struct state *s, struct err *e);

/*
 * For when state_save() failed: makes every state_load() of JOB an error, so
 * that a job whose cap is not known does not run without it.
 */
int state_block(int dir, uint32_t job);

/* Removes whatever state_save() or state_block() made; 0 or -errno. */
int state_remove(int dir, uint32_t job);

#endif
