#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run by a job: prints the limits in bytes that hold where it runs, as
#   NODE job LIMIT step LIMIT with-swap LIMIT [swappiness JOB STEP]
# On cgroup v2 the job's limits hold for its steps, which need none of their own.

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

# least DIRECTORY... FILE: of those directories' limits that is in force.
least() {
  local file=${*: -1} dir
  for dir in "${@:1:$#-1}"; do
    cat "$dir/$file"
  done | sort -n | awk '$1 != "max" { print; n++; exit } END { if (!n) print "max" }'
}

v2() {
  local step job max swap
  step=/sys/fs/cgroup$(sed 's/^0:://; s|/user/.*||' /proc/self/cgroup)
  job=${step%/step_*}
  max=$(least "$job" "$step" memory.max)
  swap=$(least "$job" "$step" memory.swap.max)
  case $max$swap in
  *max*) swap=max ;;
  *) swap=$((max + swap)) ;;
  esac
  echo "$(hostname)" job "$(<"$job/memory.max")" step "$max" with-swap "$swap"
}

if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  v2
else
  v1
fi
