#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gbm-mem-log finds the job's counters on both versions of cgroups.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

log=$PWD/tools/gbm-mem-log
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit
export SLURMD_NODENAME=pi01

# logged NAME: the lines of a second, without their times; to be ended by TERM.
logged() {
  "$log" --every 0.1 --root "$1" >"$1.csv" &
  local pid=$! status
  sleep 0.5
  kill -TERM $pid
  wait $pid
  status=$?
  [ $status -eq 0 ] || echo "status $status"
  awk -F, -v OFS=, '{ if (NR > 1 && $1 !~ /^0\.[0-9][0-9]$/) print; $1 = "" }
    !seen[$0]++' "$1.csv"
}

is() {
  [ "$1" = "$2" ] && return
  printf 'got:\n%s\nwanted:\n%s\n' "$1" "$2"
  return 1
}

mkdir -p v2/proc/self v2/sys/fs/cgroup/system.slice/job_17/step_0/user/task_0
echo "0::/system.slice/job_17/step_0/user/task_0" >v2/proc/self/cgroup
echo "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0" >v2/proc/self/mounts
job=v2/sys/fs/cgroup/system.slice/job_17
echo 7000000 >$job/memory.current
echo 268435456 >$job/memory.max
echo 4096 >$job/memory.swap.current
ok "cgroup v2" is "$(logged v2)" ",node,used,cap,swap
,pi01,7000000,268435456,4096"
ok "several lines" [ "$(wc -l <v2.csv)" -ge 4 ]
echo max >$job/memory.max
rm $job/memory.swap.current
ok "without a cap, without swap" is "$(logged v2)" ",node,used,cap,swap
,pi01,7000000,,0"
ok "gbm_plot takes it" eval '! command -v gnuplot >/dev/null ||
  "$OLDPWD/tools/gbm_plot" memory v2.csv'
rm $job/memory.current
ok "without the controller" eval \
  '"$log" --root v2 2>&1 | grep -q "is the memory controller on"'

job=v1/sys/fs/cgroup/memory/slurm_pi1/uid_0/job_17
mkdir -p v1/proc/self $job/step_batch/task_0
cat >v1/proc/self/cgroup <<'END'
11:pids:/system.slice/slurmd.service
4:memory:/slurm_pi1/uid_0/job_17/step_batch/task_0
0::/system.slice/slurmd.service
END
cat >v1/proc/self/mounts <<'END'
cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0
cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,memory 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
END
echo 5000000 >$job/memory.usage_in_bytes
echo 100000000 >$job/memory.limit_in_bytes
printf 'swap 0\nhierarchical_memory_limit 100000000\ntotal_swap 4096\ntotal_cache 7\n' \
  >$job/memory.stat
ok "cgroup v1" is "$(logged v1)" ",node,used,cap,swap
,pi01,5000000,100000000,4096"
echo 9223372036854771712 >$job/memory.limit_in_bytes
rm $job/memory.stat
ok "without a cap, without swap" is "$(logged v1)" ",node,used,cap,swap
,pi01,5000000,,0"

# refused STATUS SENTENCE ARGUMENT...
refused() {
  local said status
  said=$("$log" "${@:3}" 2>&1)
  status=$?
  [ "$status" -eq "$1" ] && [[ $said == "gbm-mem-log: "*"$2"* ]] && return
  echo "status $status: $said"
  return 1
}
echo "0::/user.slice" >v2/proc/self/cgroup
ok "outside of a job" refused 69 "no task of a Slurm job" --root v2
ok "a bad time" refused 64 "--every '0' is not accepted" --every 0
ok "an unknown option" refused 64 "unknown option '-x'" -x
ok "an option without its value" refused 64 "needs a value" --every
done_testing
