#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The machine is what the other tests take it for, and Slurm and the plugin work
# in it.
set -u
cd "$(dirname "$0")/../../.." || exit
. tests/slurm/lib.sh

meminfo() {
  awk -v key="$1:" '$1 == key { print int($2 / 1024) }' /proc/meminfo
}

is "cgroup v2 is mounted" "$(stat -fc %T /sys/fs/cgroup)" cgroup2fs
is "and nothing of v1" "$(awk '$3 == "cgroup"' /proc/mounts)" ""
like "with the memory controller" "$(</sys/fs/cgroup/cgroup.controllers)" \
  '\bmemory\b'
at_most "memory is that of a small Pi" "$(meminfo MemTotal)" 2048
ok "and there is swap" [ "$(meminfo SwapTotal)" -ge 500 ]

run srun hostname
like "srun runs a program on a node" "$out" '^node0[12]$'
run srun -N1 cat /proc/self/cgroup
like "in a scope of system.slice" "$out" \
  '^0::/system.slice/node0[12]_slurmstepd.scope/job_[0-9]+/step_0/user/task_0$'
run srun --mem=200 limits
is "below the limits that Slurm sets" "$(anywhere "$out")" "$(slurms 200)"
run srun --mem=100 hog 300
ok "which hold" [ $status -ne 0 ]
unlike "as the program does not end" "$out" '^hog: done'
run srun --gbm-mem-cap=100M limits
is "a cap is lower than they" "$(anywhere "$out")" "$(capped 100 100)"
run srun --gbm-mem-cap=100M hog 200
like "and who reaches it is told" "$err" \
  'gbm: task 0 on node0. was killed: job [0-9]+ reached its 100M RAM cap'
ok "the nodes are idle again" wait_for 30 all_idle
is "nothing is left of the jobs" \
  "$(find /sys/fs/cgroup -type d -name 'job_*')" ""

done_testing
