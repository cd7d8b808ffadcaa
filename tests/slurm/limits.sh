#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Run by a job: prints the limits in bytes that hold where it runs, as
#   NODE job LIMIT step LIMIT with-swap LIMIT swappiness JOB STEP
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
