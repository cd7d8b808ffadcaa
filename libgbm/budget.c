/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "libgbm/budget.h"
#include "libgbm/err.h"
#include "libgbm/kernel.h"

/* Stack that a new thread reserves where RLIMIT_STACK does not say. */
#define DEFAULT_STACK (UINT64_C(8) << 20)

static FILE *open_below(const char *root, const char *path)
{
	char full[PATH_MAX];
	int n = snprintf(full, sizeof(full), "%s%s", root, path);

	if (n < 0 || (size_t)n >= sizeof(full))
		return NULL;
	return fopen(full, "re");
}

/* cgroup v1 writes "no limit" as 2^63 less a page. */
#define NO_LIMIT (UINT64_C(1) << 62)

static void lower(struct gbm_budget *b, uint64_t bytes, const char *source)
{
	if (bytes < b->bytes) {
		b->bytes = bytes;
		b->source = source;
	}
}

/* A limit that all ranks of the node share. */
static void lower_shared(struct gbm_budget *b, uint64_t bytes, unsigned ranks,
			 const char *source)
{
	if (bytes < NO_LIMIT)
		lower(b, bytes / ranks, source);
}

/* A file of one number; "max" and what is no number are no limit. */
static uint64_t read_limit(const char *root, const char *path)
{
	FILE *f = open_below(root, path);
	unsigned long long v;

	if (!f)
		return UINT64_MAX;
	if (fscanf(f, "%llu", &v) != 1)
		v = UINT64_MAX;
	fclose(f);
	return v;
}

/* "Name:   123 kB" in a /proc file, in bytes; 0 when absent. */
static uint64_t read_kib(const char *root, const char *path, const char *name)
{
	FILE *f = open_below(root, path);
	unsigned long long kib = 0;
	size_t len = strlen(name);
	char line[256];

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len) && line[len] == ':') {
			if (sscanf(line + len + 1, "%llu", &kib) != 1)
				kib = 0;
			break;
		}
	fclose(f);
	return (uint64_t)kib << 10;
}

/* Undoes mountinfo's octal escapes (\040 is a space) in place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' &&
		    s[2] >= '0' && s[2] <= '7' && s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 +
				       (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

static int has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += len)
		if ((p == list || p[-1] == ',') &&
		    (!p[len] || p[len] == ','))
			return 1;
	return 0;
}

/* Where a cgroup hierarchy is mounted: the cgroup root is seen at point. */
struct mount {
	char root[PATH_MAX];
	char point[PATH_MAX];
};

/* The mount of cgroup2, or of the v1 hierarchy with the memory controller. */
static int find_mount(const char *root, int v2, struct mount *m)
{
	FILE *f = open_below(root, "/proc/self/mountinfo");
	char *line = NULL;
	size_t size = 0;
	int found = 0;

	if (!f)
		return 0;
	/* id parent device root point options [tags] - type source super */
	while (!found && getline(&line, &size, f) > 0) {
		char *save, *field, *type, *super;
		char *dash = strstr(line, " - ");
		int i = 0;

		if (!dash)
			continue;
		*dash = '\0';
		type = strtok_r(dash + 3, " \n", &save);
		super = strtok_r(NULL, " \n", &save);
		super = super ? strtok_r(NULL, " \n", &save) : NULL;
		if (!type || !super ||
		    strcmp(type, v2 ? "cgroup2" : "cgroup") != 0 ||
		    (!v2 && !has_word(super, "memory")))
			continue;
		m->root[0] = m->point[0] = '\0';
		for (field = strtok_r(line, " ", &save); field;
		     field = strtok_r(NULL, " ", &save), i++)
			if ((i == 3 || i == 4) && strlen(field) < PATH_MAX)
				strcpy(i == 3 ? m->root : m->point, field);
		unescape(m->root);
		unescape(m->point);
		found = m->root[0] && m->point[0];
	}
	free(line);
	fclose(f);
	return found;
}

/* This process's cgroup in the v2 or v1 memory hierarchy. */
static int find_cgroup(const char *root, int v2, char path[PATH_MAX])
{
	FILE *f = open_below(root, "/proc/self/cgroup");
	char *line = NULL;
	size_t size = 0;
	int found = 0;

	if (!f)
		return 0;
	/* id:controllers:path; v2 has id 0 and no controllers */
	while (!found && getline(&line, &size, f) > 0) {
		char *controllers = strchr(line, ':'), *p;

		p = controllers ? strchr(++controllers, ':') : NULL;
		if (!p)
			continue;
		*p++ = '\0';
		p[strcspn(p, "\n")] = '\0';
		if (v2 ? *controllers != '\0' || line[0] != '0' :
			 !has_word(controllers, "memory"))
			continue;
		if (strlen(p) < PATH_MAX) {
			strcpy(path, p);
			found = 1;
		}
	}
	free(line);
	fclose(f);
	return found;
}

/* The least limit from the process's cgroup up to the root of the mount. */
static uint64_t cgroup_limit(const char *root, int v2)
{
	const char *file = v2 ? "memory.max" : "memory.limit_in_bytes";
	char path[PATH_MAX], full[2 * PATH_MAX + 32];
	uint64_t least = UINT64_MAX;
	struct mount m;
	char *rel = path;
	size_t len;

	if (!find_cgroup(root, v2, path) || !find_mount(root, v2, &m))
		return UINT64_MAX;
	len = strlen(m.root);
	if (len > 1) {
		if (!strncmp(path, m.root, len) &&
		    (path[len] == '/' || !path[len]))
			rel += len;
		else /* in another namespace: only the mount's root is seen */
			*rel = '\0';
	}
	for (;;) {
		uint64_t limit;
		char *slash;

		snprintf(full, sizeof(full), "%s%s/%s", m.point, rel, file);
		limit = read_limit(root, full);
		if (limit < least)
			least = limit;
		slash = strrchr(rel, '/');
		if (!slash)
			return least;
		*slash = '\0';
	}
}

static int read_cap_variable(uint64_t *cap, struct gbm_error *err)
{
	const char *text = getenv("GBM_MEM_CAP");
	unsigned long long v;
	char *end;

	*cap = UINT64_MAX;
	if (!text || !*text)
		return GBM_OK;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || !v)
		return gbm_error_set(err, GBM_EINVAL,
				     "GBM_MEM_CAP=%.40s: must be a positive "
				     "whole number of bytes",
				     text);
	*cap = v;
	return GBM_OK;
}

/*
 * What a limit on address space or data leaves: what is resident, and the room
 * between what the limit counts now and the limit.
 */
static void lower_by_rlimit(struct gbm_budget *b, uint64_t limit,
			    uint64_t used, const char *source)
{
	if (limit < NO_LIMIT)
		lower(b, b->resident + (limit > used ? limit - used : 0),
		      source);
}

static uint64_t stack_bytes(unsigned threads)
{
	struct rlimit r;
	uint64_t each = DEFAULT_STACK;

	if (getrlimit(RLIMIT_STACK, &r) == 0 && r.rlim_cur < NO_LIMIT / threads)
		each = r.rlim_cur;
	return each * (threads - 1);
}

int gbm_budget_find(const char *root, uint64_t mem_cap, uint64_t memory_bytes,
		    unsigned ranks, unsigned threads, struct gbm_budget *b,
		    struct gbm_error *err)
{
	static const char status[] = "/proc/self/status";
	uint64_t cap, available, stacks = stack_bytes(threads);
	struct rlimit r;

	b->bytes = UINT64_MAX;
	b->source = "no limit";
	b->files = read_kib(root, status, "RssFile");
	b->resident = read_kib(root, status, "VmRSS") - b->files;
	b->peak = read_kib(root, status, "VmHWM");
	if (read_cap_variable(&cap, err))
		return GBM_EINVAL;
	if (mem_cap)
		lower_shared(b, mem_cap, ranks, "the caller's cap");
	lower_shared(b, cap, ranks, "GBM_MEM_CAP");
	lower_shared(b, cgroup_limit(root, 0), ranks,
		     "the cgroup's limit (v1)");
	lower_shared(b, cgroup_limit(root, 1), ranks,
		     "the cgroup's limit (v2)");
	if (memory_bytes)
		lower_shared(b, memory_bytes, ranks, "the NUMA nodes' memory");
	available = read_kib(root, "/proc/meminfo", "MemAvailable");
	if (available)
		lower(b, b->resident + available / ranks,
		      "the memory available");
	if (getrlimit(RLIMIT_AS, &r) == 0)
		lower_by_rlimit(b, r.rlim_cur,
				read_kib(root, status, "VmSize") + stacks,
				"RLIMIT_AS");
	if (getrlimit(RLIMIT_DATA, &r) == 0)
		lower_by_rlimit(b, r.rlim_cur,
				read_kib(root, status, "VmData") + stacks,
				"RLIMIT_DATA");
	return GBM_OK;
}

/* One cache line more than needed: else the rows of a rectangle alias. */
#define STRIDE_PAD 8

static int measure(uint64_t steps, int with_paths, uint64_t paths,
		   struct gbm_chunk *c)
{
	uint64_t row, values;

	c->paths = paths;
	c->item = paths > GBM_BLOCK_PATHS ? paths : GBM_BLOCK_PATHS;
	c->stride = with_paths ? paths + STRIDE_PAD : 0;
	if (__builtin_mul_overflow(c->item, sizeof(double), &values))
		return GBM_EINVAL;
	c->bytes = c->workspace = values;
	if (!with_paths)
		return GBM_OK;
	if (__builtin_mul_overflow(c->stride, sizeof(double), &row) ||
	    __builtin_mul_overflow(row, steps + 1, &c->bytes) ||
	    __builtin_add_overflow(c->bytes, values, &c->workspace))
		return GBM_EINVAL;
	return GBM_OK;
}

/* The next size below: whole blocks, then powers of two. */
static uint64_t next_below(uint64_t paths)
{
	return paths > GBM_BLOCK_PATHS ?
		       (paths - 1) / GBM_BLOCK_PATHS * GBM_BLOCK_PATHS :
		       paths / 2;
}

int gbm_chunk_find(uint64_t steps, int with_paths, uint64_t n_paths,
		   uint64_t target, uint64_t workspace, struct gbm_chunk *chunk)
{
	uint64_t least = with_paths ? GBM_LANES : GBM_BLOCK_PATHS;
	uint64_t each = sizeof(double) * (with_paths ? steps + 1 : 1);
	uint64_t values = with_paths ? sizeof(double) : 0;
	uint64_t paths = target / each;

	if (paths > workspace / (each + values))
		paths = workspace / (each + values);
	if (paths > n_paths)
		paths = n_paths;
	paths = (paths + GBM_BLOCK_PATHS - 1) / GBM_BLOCK_PATHS *
		GBM_BLOCK_PATHS;
	if (paths < GBM_BLOCK_PATHS)
		paths = GBM_BLOCK_PATHS;
	/* Rounded up, then down to what fits: few turns. */
	for (; paths > least; paths = next_below(paths))
		if (!measure(steps, with_paths, paths, chunk) &&
		    chunk->bytes <= target && chunk->workspace <= workspace)
			return GBM_OK;
	if (measure(steps, with_paths, least, chunk))
		return GBM_EINVAL;
	return chunk->workspace <= workspace ? GBM_OK : GBM_ENOMEM;
}
