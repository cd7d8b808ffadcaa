/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* NAME_MAX */
#endif

#include "plugin/guard.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "plugin/cgroup.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

/* The most that the kernel takes; it reads back as whatever it calls none. */
#define NO_LIMIT  ((uint64_t)INT64_MAX)
#define UNLIMITED (UINT64_C(1) << 62)

#define SWAPPINESS "memory.swappiness" /* v1 only */
#define HIGH	   "memory.high"       /* v2 only */

struct counter {
	const char *limit;
	const char *usage;
};

/* On v1 the second is of RAM and swap together. */
static const struct counter ram_of[] = {
	{ "memory.limit_in_bytes", "memory.usage_in_bytes" },
	{ "memory.max", "memory.current" },
};
static const struct counter swap_of[] = {
	{ "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes" },
	{ "memory.swap.max", "memory.swap.current" },
};

int guard_of_task(const struct cap_host *host, pid_t pid, uint32_t job,
		  struct guard *g, struct err *e)
{
	const struct cap_backend *const both[] = { &cap_cgroup1, &cap_cgroup2 };
	struct cap_place place;

	for (int i = 0; i < 2; i++) {
		int rc = both[i]->probe(host, pid, job, &place, e);

		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		if (place.top_len == 0)
			return err_set(e, "the directory above all jobs is "
					  "not mounted where slurmd can see "
					  "it");
		g->v2 = i == 1;
		memcpy(g->path, place.path, sizeof(g->path));
		g->top_len = place.top_len;
		return 1;
	}
	return 0;
}

/* Is DIR[0, LEN)/NAME there, with a limit? */
static bool look(const struct cap_host *host, struct guard *g, const char *dir,
		 size_t len, const char *name)
{
	uint64_t limit;
	int n = snprintf(g->path, sizeof(g->path), "%.*s%s%s", (int)len, dir,
			 name[0] ? "/" : "", name);

	if (n < 0 || (size_t)n >= sizeof(g->path))
		return false;
	g->top_len = (size_t)n;
	return cgroup_get(host, g->path, ram_of[g->v2].limit, &limit) == 0;
}

static bool look_v1(const struct cap_host *host, const char *node,
		    const char *own, size_t root_len, struct guard *g)
{
	size_t above = procfs_above(own, strlen(own), root_len + 1, 1);
	char name[NAME_MAX + 1];

	/* With MemSpecLimit= slurmd keeps itself in slurm[_NODE]/system. */
	if (above > 0 && strcmp(own + above, "/system") == 0 &&
	    look(host, g, own, above, ""))
		return true;
	/* Where several slurmd can run on a host, each has its own. */
	snprintf(name, sizeof(name), "slurm_%.200s", node);
	return look(host, g, own, root_len, name) ||
	       look(host, g, own, root_len, "slurm");
}

static bool look_v2(const struct cap_host *host, const char *node,
		    const char *own, size_t root_len, struct guard *g)
{
	static const char scope[] = "slurmstepd.scope";
	size_t above = procfs_above(own, strlen(own), root_len, 1);
	char name[NAME_MAX + 1];

	/* slurmd that was not started by systemd moves in itself. */
	if (above > root_len + sizeof(scope) - 1 &&
	    memcmp(own + above + 1 - sizeof(scope), scope, sizeof(scope) - 1) ==
		    0 &&
	    look(host, g, own, above, ""))
		return true;
	/* Beside slurmd's own service, from 26.05 on in whose "slurmd" it is; or
	 * where that is by default. */
	snprintf(name, sizeof(name), "%.200s_%s", node, scope);
	for (int levels = 1; levels <= 2; levels++) {
		above = procfs_above(own, strlen(own), root_len, levels);
		if (above > 0 && (look(host, g, own, above, name) ||
				  look(host, g, own, above, scope)))
			return true;
	}
	snprintf(name, sizeof(name), "system.slice/%.200s_%s", node, scope);
	if (look(host, g, own, root_len, name))
		return true;
	snprintf(name, sizeof(name), "system.slice/%s", scope);
	return look(host, g, own, root_len, name);
}

/* Has the v2 hierarchy at DIR[0, LEN) the memory controller? */
static bool counts_memory(const struct cap_host *host, const char *dir,
			  size_t len)
{
	char path[PROCFS_PATH_MAX + 40], text[512];
	ssize_t n;

	snprintf(path, sizeof(path), "%.*s/cgroup.controllers", (int)len, dir);
	n = sysroot_read(host->root, path, text, sizeof(text));
	/* No other controller has the word in its name. */
	return n > 0 && strstr(text, "memory");
}

int guard_of_slurmd(const struct cap_host *host, const char *node,
		    struct guard *g, struct err *e)
{
	char own[PROCFS_PATH_MAX];
	size_t root_len;
	int rc = cgroup_self(host, "memory", own, &root_len, e);

	g->v2 = rc == 0;
	if (rc == 0)
		rc = cgroup_self(host, NULL, own, &root_len, e);
	if (rc < 0)
		return -1;
	if (rc == 0 || (g->v2 && !counts_memory(host, own, root_len)))
		return err_set(e, "this kernel's memory controller is missing "
				  "or off (on a Raspberry Pi: "
				  "cgroup_enable=memory in cmdline.txt)");
	return (g->v2 ? look_v2 : look_v1)(host, node, own, root_len, g);
}

static const char *top(const struct guard *g, char out[PROCFS_PATH_MAX])
{
	memcpy(out, g->path, g->top_len);
	out[g->top_len] = '\0';
	return out;
}

/* Without a limit is the same, however the kernel spells it. */
static bool same(uint64_t a, uint64_t b)
{
	return a == b || (a >= UNLIMITED && b >= UNLIMITED);
}

/*
 * More is in use than may be: let it at least not grow. Slurm's own processes in
 * there need a little, or a job is killed for what they take.
 */
static void hold(const struct cap_host *host, const char *dir,
		 const struct counter *c, uint64_t now)
{
	uint64_t usage;

	if (cgroup_get(host, dir, c->usage, &usage) < 0)
		return;
	usage += CONF_CAP_FLOOR - usage % SIZE_ROUND;
	if (usage < now)
		(void)cgroup_set(host, dir, c->limit, usage);
}

/*
 * v2 would kill for a limit that is below what is in use. Its memory.high
 * reclaims at once and never kills.
 */
static int make_room(const struct cap_host *host, const char *dir,
		     uint64_t most)
{
	const char *usage_file = ram_of[1].usage;
	uint64_t usage, high;
	int rc = cgroup_get(host, dir, usage_file, &usage);

	if (rc < 0 || usage <= most)
		return rc;
	rc = cgroup_get(host, dir, HIGH, &high);
	if (rc == 0)
		rc = cgroup_set(host, dir, HIGH, most);
	if (rc < 0)
		return rc;
	rc = cgroup_get(host, dir, usage_file, &usage);
	(void)cgroup_set(host, dir, HIGH, high > NO_LIMIT ? NO_LIMIT : high);
	return rc == 0 && usage > most ? -EBUSY : rc;
}

/* Brings C to WANT; returns 0, 1 if it was not there yet, or -errno. */
static int bring(const struct cap_host *host, const char *dir,
		 const struct counter *c, uint64_t want)
{
	uint64_t now;
	int rc = cgroup_get(host, dir, c->limit, &now);

	if (rc < 0 || same(now, want))
		return rc;
	if (c == &ram_of[1] && want < now)
		rc = make_room(host, dir, want);
	if (rc == 0)
		rc = cgroup_set(host, dir, c->limit, want);
	if (rc == -EBUSY)
		hold(host, dir, c, now);
	if (rc == 0)
		rc = cgroup_get(host, dir, c->limit, &now);
	if (rc < 0)
		return rc;
	return same(now, want) ? 1 : -EAGAIN;
}

/*
 * Reclaim asks the directory that a page belongs to, so every one from ours to
 * the task's has to say so; those made below them later inherit it. Where swap
 * is allowed again, ours takes back what it has from above.
 */
static int set_swappiness(const struct cap_host *host, const struct guard *g,
			  bool none)
{
	char dir[PROCFS_PATH_MAX];
	size_t above = procfs_above(g->path, g->top_len, 1, 1);
	uint64_t now, general;
	int rc;

	if (!none) {
		rc = cgroup_get(host, top(g, dir), SWAPPINESS, &now);
		if (rc < 0 || now > 0)
			return rc;
		memcpy(dir, g->path, above);
		dir[above] = '\0';
		rc = cgroup_get(host, dir, SWAPPINESS, &general);
		return rc < 0 || general == 0 ? rc
					      : cgroup_set(host, top(g, dir),
							   SWAPPINESS, general);
	}
	for (size_t len = g->top_len;; len++) {
		if (g->path[len] != '/' && g->path[len] != '\0')
			continue;
		memcpy(dir, g->path, len);
		dir[len] = '\0';
		rc = cgroup_lower(host, dir, SWAPPINESS, 0, &now);
		if (rc < 0 || g->path[len] == '\0')
			return rc;
	}
}

static uint64_t swap_wanted(bool v2, uint64_t bytes, const struct swap *swap)
{
	uint64_t ram = v2 ? 0 : bytes;

	if (swap->mode == SWAP_ALLOW || swap->bytes > NO_LIMIT - ram)
		return NO_LIMIT;
	return ram + swap->bytes;
}

/*
 * v1 keeps limit <= memsw, so what is raised goes memsw first; v2 shall find no
 * swap to push pages into.
 */
static int bring_both(const struct cap_host *host, const char *dir, bool v2,
		      uint64_t bytes, const struct swap *swap)
{
	const struct counter *order[] = { &ram_of[v2], &swap_of[v2] };
	uint64_t want = swap_wanted(v2, bytes, swap), now;
	int changed = 0;

	if (cgroup_get(host, dir, swap_of[v2].limit, &now) < 0)
		return bring(host, dir, &ram_of[v2], bytes);
	if (v2 || want > now) {
		order[0] = &swap_of[v2];
		order[1] = &ram_of[v2];
	}
	for (int i = 0; i < 2; i++) {
		int rc = bring(host, dir, order[i],
			       order[i] == &ram_of[v2] ? bytes : want);

		if (rc < 0)
			return rc;
		changed |= rc;
	}
	return changed;
}

int guard_apply(const struct cap_host *host, const struct guard *g,
		uint64_t bytes, const struct swap *swap, struct err *e)
{
	char dir[PROCFS_PATH_MAX], used[SIZE_TEXT_MAX], most[SIZE_TEXT_MAX];
	uint64_t now = 0;
	int changed, rc = 0;

	changed = bring_both(host, top(g, dir), g->v2, bytes, swap);
	if (changed >= 0 && !g->v2)
		rc = set_swappiness(host, g, swap->mode == SWAP_NONE);
	if (changed == -EBUSY) {
		(void)cgroup_get(host, dir, ram_of[g->v2].usage, &now);
		return err_set(e,
			       "all jobs together use %s, more than the %s "
			       "that they may: they get no more, and the next "
			       "step tries again",
			       size_format(used, now),
			       size_format(most, bytes));
	}
	if (changed < 0 || rc < 0)
		return err_set(e,
			       "the limit of all jobs together cannot be "
			       "set: %s",
			       err_cause(changed < 0 ? -changed : -rc));
	if (swap->mode == SWAP_SIZE &&
	    cgroup_get(host, dir, swap_of[g->v2].limit, &now) < 0)
		return err_set(e, "this kernel does not count swap: swap_max= "
				  "does not hold for all jobs together");
	return changed;
}
