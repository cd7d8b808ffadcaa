#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The scope of the jobs where systemd has made it, and the daemons as our drop-ins
# have systemd keep them.
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

# protected UNIT: what the kernel has of it: the OOM score, the memory that is
# left to it, and the swap that it may use.
protected() {
  local pid dir
  pid=$(systemctl show -P MainPID "$1")
  dir=/sys/fs/cgroup$(systemctl show -P ControlGroup "$1")
  echo "$(<"/proc/$pid/oom_score_adj") $(<"$dir/memory.min")" \
    "$(<"$dir/memory.swap.max")"
}
is "slurmd is protected" "$(protected slurmd)" "-1000 67108864 0"
is "and munged" "$(protected munge)" "-1000 16777216 0"
is "and slurmctld" "$(protected slurmctld)" "-900 67108864 0"
is "and the slice that they are in" \
  "$(</sys/fs/cgroup/system.slice/memory.min)" $((96 << 20))
run srun -N1 cat /proc/self/oom_score_adj
is "a job is not" "$out" 0

restarted() {
  local pid
  pid=$(systemctl show -P MainPID slurmd)
  [ "$pid" -gt 0 ] && [ "$pid" != "$1" ] &&
    [ "$(sinfo -h -o %T)" = "$2" ]
}
id=$(sbatch --parsable --output=/dev/null --wrap='exec sleep 600')
# The slurmstepd of its script; what it forks has its name until it executes that.
stepd() {
  pgrep -o -f "slurmstepd: \[$id\.batch"
}
ok "a job runs" wait_for 30 stepd
before=$(stepd)
pid=$(systemctl show -P MainPID slurmd)
kill -SEGV "$pid"
ok "slurmd that crashes comes back" wait_for 30 restarted "$pid" mixed
is "and has the job still" "$(job_state "$id")" RUNNING
is "by the same slurmstepd" "$(stepd)" "$before"
scancel "$id"
settle

done_testing
