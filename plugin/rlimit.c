/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Nodes without a memory cgroup: a cap per process is not supported yet. Last
 * in the table, so that whatever no other backend knows ends here.
 */
#include "plugin/backend.h"

#include "plugin/banned.h"

static int rlimit_probe(const struct cap_host *host, pid_t pid, uint32_t job,
			struct cap_place *place, struct err *e)
{
	(void)host;
	(void)pid;
	(void)job;
	(void)place;
	return err_set(e,
		       "Slurm keeps no memory cgroup for it, and without one "
		       "no cap can be kept by this version: the administrator "
		       "sets TaskPlugin=task/cgroup and ConstrainRAMSpace=yes");
}

const struct cap_backend cap_rlimit = {
	.name = "rlimit",
	.probe = rlimit_probe,
};
