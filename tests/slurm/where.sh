# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# For a job to source: $task, $step and $job are the directories of its memory
# cgroups.
# shellcheck disable=SC2034
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  task=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
  step=${task%/user/*}
else
  task=/sys/fs/cgroup/memory$(awk -F: '$2 == "memory" { print $3 }' \
    /proc/self/cgroup)
  step=${task%/task_*}
fi
job=${step%/step_*}
