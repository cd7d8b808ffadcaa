/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * /proc/PID/cgroup of a task of job 17, and after an '@' the name of a
 * directory that its user has made below his own on cgroup v1 and moved the
 * task into. The kernel writes that name as it is, newlines and all.
 */
#include "plugin/procfs.h"

#include "fuzz.h"

#define JOB 17

static bool ends_in(const char *text, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && memcmp(text + len - n, end, n) == 0;
}

static void must_be_split(struct span path, size_t job_len, size_t step_len)
{
	const char *step = path.at + job_len + 1;

	must(job_len < step_len && step_len <= path.len);
	must(ends_in(path.at, job_len, "/job_17") ||
	     (job_len == 6 && memcmp(path.at, "job_17", 6) == 0));
	must(path.at[job_len] == '/');
	must(memcmp(step, "step_", 5) == 0 && step_len - job_len > 6);
	must(!memchr(step, '/', step_len - job_len - 1));
	must(step_len == path.len || path.at[step_len] == '/');
}

/* Where the path of CONTROLLER begins in TEXT, counted once more: the lines. */
static int count(const char *text, size_t len, const char *controller)
{
	int found = 0;

	while (len > 0) {
		size_t end = find_byte(text, len, '\n');
		size_t id = find_byte(text, end, ':');
		size_t list =
			id < end ? find_byte(text + id + 1, end - id - 1, ':')
				 : 0;
		const char *at = text + id + 1;

		if (id < end && id + 1 + list < end) {
			bool mine = !controller && list == 0 && id == 1 &&
				    text[0] == '0';

			for (size_t i = 0; controller && i <= list; i++) {
				size_t n = find_byte(at + i, list - i, ',');

				if (n == strlen(controller) &&
				    memcmp(at + i, controller, n) == 0)
					mine = true;
				i += n;
			}
			found += mine;
		}
		text += end + (end < len);
		len -= end + (end < len);
	}
	return found;
}

static void check(const char *text, size_t len, const char *name,
		  size_t name_len, const char *controller)
{
	struct span path = { NULL, 0 }, forged = { NULL, 0 };
	size_t job_len = 0, step_len = 0, job_again, step_again, before;
	int rc = procfs_cgroup(text, len, controller, &path);
	char *longer;

	must(rc >= -1 && rc <= 1);
	must((rc == 0) == (count(text, len, controller) == 0));
	if (rc < 1)
		return;
	must(count(text, len, controller) == 1);
	must(path.at > text && path.at + path.len <= text + len);
	must(path.len > 0 && path.at[0] == '/' && path.at[-1] == ':');
	must(!memchr(path.at, '\n', path.len));
	before = (size_t)(path.at - text) + path.len;
	must(before == len || text[before] == '\n');
	if (!procfs_split(path, JOB, &job_len, &step_len))
		return;
	must_be_split(path, job_len, step_len);

	/* The user's part changes nothing of Slurm's, or is noticed. */
	longer = malloc(len + 1 + name_len);
	must(longer);
	memcpy(longer, text, before);
	longer[before] = '/';
	if (name_len > 0)
		memcpy(longer + before + 1, name, name_len);
	memcpy(longer + before + 1 + name_len, text + before, len - before);
	rc = procfs_cgroup(longer, len + 1 + name_len, controller, &forged);
	must(rc != 0);
	if (rc > 0) {
		must(forged.at == longer + (path.at - text));
		must(procfs_split(forged, JOB, &job_again, &step_again));
		must(job_again == job_len && step_again == step_len);
	}
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	size_t len = find_byte(text, size, '@');
	const char *name = len < size ? text + len + 1 : "";
	size_t name_len = len < size ? size - len - 1 : 0;

	check(text, len, name, name_len, "memory");
	check(text, len, name, name_len, NULL);
	return 0;
}
