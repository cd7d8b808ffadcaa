/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup v2: not supported yet. The probe recognises it so that the user is
 * told so, rather than that his job has no memory cgroup; as it never succeeds,
 * no other slot is ever called.
 */
#include "plugin/backend.h"

#include <inttypes.h>
#include <stdio.h>

#include "plugin/sysroot.h"

#include "plugin/banned.h"

static int v2_probe(const struct cap_host *host, pid_t pid, uint32_t job,
		    struct cap_place *place, struct err *e)
{
	char path[64], text[8192];
	struct span cgroup;
	size_t job_len, step_len;
	ssize_t n;

	(void)place;
	snprintf(path, sizeof(path), "proc/%jd/cgroup", (intmax_t)pid);
	n = sysroot_read(host->root, path, text, sizeof(text));
	if (n < 0 || procfs_cgroup(text, (size_t)n, NULL, &cgroup) != 1 ||
	    !procfs_split(cgroup, job, &job_len, &step_len))
		return 0;
	return err_set(e, "cgroup v2 is not supported yet by this version");
}

const struct cap_backend cap_cgroup2 = {
	.name = "cgroup v2",
	.probe = v2_probe,
};
