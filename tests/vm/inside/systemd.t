#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The scope of the jobs where systemd has made it.
set -u
cd "$(dirname "$0")/../../.." || exit
. tests/slurm/lib.sh

is "process 1 is systemd" "$(ps -o comm= 1)" systemd
is "slurmd runs as a service" "$(systemctl is-active slurmd)" active
is "systemd knows the scope of the jobs" \
  "$(systemctl is-active node01_slurmstepd.scope)" active
run srun true
is "a job leaves it there" "$status $(systemctl is-active \
  node01_slurmstepd.scope)" "0 active"
systemctl restart slurmd
settle
run srun -N1 cat /proc/self/cgroup
like "after a restart of slurmd jobs are in it, too" "$out" \
  '^0::/system.slice/node01_slurmstepd.scope/job_'
is "slurmd itself is not" "$(cut -d/ -f2-3 "/proc/$(pidof -s slurmd)/cgroup")" \
  system.slice/slurmd.service

done_testing
