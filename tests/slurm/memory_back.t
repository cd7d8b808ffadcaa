#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# After a job nothing of it is left: no memory, no cgroup, no note.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

meminfo() {
  awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo
}

cgroups_of_jobs() {
  find /sys/fs/cgroup -type d -name 'job_*' 2>/dev/null
}

# In kB: two percent of all memory, within 64 to 256 MB.
slack=$(($(meminfo MemTotal) / 50))
[ $slack -ge 65536 ] || slack=65536
[ $slack -le 262144 ] || slack=262144

memory_is_back() {
  local now
  now=$(meminfo MemAvailable)
  [ "$now" -ge $((before - slack)) ] || {
    echo "MemAvailable was $before kB, is $now kB"
    return 1
  }
}

nothing() {
  local text
  text=$("$@")
  [ -z "$text" ] || {
    echo "$text"
    return 1
  }
}

settle
# MB per node: much more than the slack, where the machine can spare it.
size=$(($(meminfo MemAvailable) / 1024 / 4))
[ $size -le 500 ] || size=500

before=$(meminfo MemAvailable)
srun -N2 -n2 --mem=1500M --gbm-mem-cap=1G hog -s 100 $size >"$work/log" 2>&1 &
step=$!
ok "both nodes hold $size MB" wait_for 60 \
  sh -c "[ \$(grep -c 'has $size MB' '$work/log') = 2 ]"
is "meanwhile each node has noted the cap" "$(state_files | wc -l)" 2
ok "and memory is missing" [ $((before - $(meminfo MemAvailable))) -ge \
  $((2 * size * 1024 - slack)) ]
scancel -u root
wait $step
ok "when it is cancelled, memory comes back" wait_for 60 memory_is_back
ok "no cgroup of the job is left" wait_for 15 nothing cgroups_of_jobs
ok "no note of the plugin is left" wait_for 15 nothing state_files

run srun -N2 -n2 --mem=1500M --gbm-mem-cap=$((size / 2))M hog $size
ok "a job that the cap kills" [ $status -ne 0 ]
ok "gives its memory back" wait_for 60 memory_is_back
ok "and leaves no cgroup" wait_for 15 nothing cgroups_of_jobs
ok "and no note" wait_for 15 nothing state_files

done_testing
