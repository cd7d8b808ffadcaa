#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run by a job: prints the limits in bytes that hold where it runs, as
#   NODE job LIMIT step LIMIT with-swap LIMIT [swappiness JOB STEP]
# On cgroup v2 "max" is no limit; what holds with swap is the step's or, where
# that has none, the job's.

v1() {
  local mount path step job
  mount=$(awk '$3 == "cgroup" && ("," $4 ",") ~ /,memory,/ { print $2; exit }' \
    /proc/self/mounts)
  path=$(awk -F: '("," $2 ",") ~ /,memory,/ { print $3 }' /proc/self/cgroup)
  step=$mount${path%/task_*}
  job=${step%/step_*}
  echo "$(hostname)" \
    job "$(<"$job/memory.limit_in_bytes")" \
    step "$(<"$step/memory.limit_in_bytes")" \
    with-swap "$(cat "$step/memory.memsw.limit_in_bytes" 2>&1)" \
    swappiness "$(<"$job/memory.swappiness")" "$(<"$step/memory.swappiness")"
}

v2() {
  local step job dir max swap
  step=/sys/fs/cgroup$(sed 's/^0:://; s|/user/.*||' /proc/self/cgroup)
  job=${step%/step_*}
  for dir in "$job" "$step"; do
    [ "$(<"$dir/memory.max")" = max ] || max=$(<"$dir/memory.max")
    [ "$(<"$dir/memory.swap.max")" = max ] || swap=$(<"$dir/memory.swap.max")
  done
  [ -n "${max-}" ] && [ -n "${swap-}" ] && max=$((max + swap)) || max=max
  echo "$(hostname)" job "$(<"$job/memory.max")" step "$(<"$step/memory.max")" \
    with-swap "$max"
}

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  v2
else
  v1
fi
