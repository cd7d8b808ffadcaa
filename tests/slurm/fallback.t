#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Nodes on which Slurm keeps no memory cgroup, in clusters of their own.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

[ -d /sys/fs/cgroup/memory ] ||
  skip_all "on cgroup v2 Slurm makes memory cgroups in any case"

export GBM_BUILD=${GBM_BUILD:-$PWD/build}

# without ARGUMENT COMMAND: in a shell on a cluster of one node without memory
# cgroups, with ARGUMENT in plugstack.conf. The node has one core.
without() {
  local tree=$work/tree
  rm -rf "$tree"
  mkdir "$tree" && cp -r tests slurm-config "$tree" || exit
  sed -i -e 's/^TaskPlugin=.*/TaskPlugin=task\/affinity/' \
    -e 's/^JobAcctGatherType=.*/JobAcctGatherType=jobacct_gather\/none/' \
    "$tree/slurm-config/slurm.conf"
  sed -i "/^required /s/\$/ $1/" \
    "$tree/slurm-config/plugstack.conf.d/gbm.conf"
  run "$tree/tests/slurm/cluster.sh" run -N1 -c1 -- sh -c "$2"
}

if sanitized; then
  skip "fallback=rlimit" "a sanitizer needs more in the task than it is left"
else
# Every process is held to its share, by a limit that it cannot raise.
# shellcheck disable=SC2016 # for the tasks
without fallback=rlimit 'srun -O -n2 --gbm-mem-cap=64M sh -c "
    ulimit -d; ulimit -d 40000 2>/dev/null || echo \$GBM_MEM_CAP"
  srun --gbm-mem-cap=64M hog 100
  echo rc=$?; srun --gbm-mem-cap=64M hog 30
  ulimit -Hd unlimited; ulimit -Sd unlimited
  srun --propagate=ALL --gbm-mem-cap=64M sh -c "
    ulimit -Sd; ulimit -Hd; ulimit -Sd unlimited || ulimit -Hd unlimited ||
      echo held" 2>/dev/null'
is "two tasks have half of the cap each" "$(head -n 4 <<<"$out" | sort -u)" \
  "32768
$(mb 64)"
is "what that leaves out is said once for each" \
  "$(grep -c 'no memory cgroup' <<<"$err")" 3
like "in a sentence" "$err" "^gbm: on node01 there is no memory cgroup: each\
 process is kept to 32M of private memory; shared memory, swap and the job's\
 sum are not counted\$"
like "and no peak is invented" "$err" '^gbm: job [0-9]* on node01: peak not known'
like "100 MB do not fit below 64M" "$out" '^rc=1$'
like "since there is no more to be had" "$err" '^hog: .*Cannot allocate memory'
like "30 MB do" "$out" '^hog: done$'
is "limits that the user hands on do not raise it" "$(tail -n 3 <<<"$out")" \
  "65536
65536
held"
fi

without fallback=off 'srun --gbm-mem-cap=64M hog 100'
is "fallback=off keeps nothing" "$status ${out##*$'\n'}" "0 hog: done"
like "and says so" "$err" "^gbm: on node01 there is no memory cgroup: nothing\
 keeps the job within its cap of 64M\$"

without fallback=refuse 'srun --gbm-mem-cap=64M echo ran; echo rc=$?
  srun echo ran without; echo "drained: $(sinfo -h -t drain -o %N)"'
is "fallback=refuse runs no job with a cap" "$out" "rc=1
ran without
drained: "
like "and says what to set" "$err" '^gbm: job .* no memory cgroup .*TaskPlugin='

done_testing
