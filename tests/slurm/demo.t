#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The demo holds what it says, and fails when something does not.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

demo=$PWD/tests/slurm/demo.sh
export GBM_BUILD=${GBM_BUILD:-$PWD/build}

# Longer than `run` allows.
timeout $((300 * slow)) "$demo" >"$work/out" 2>&1
is "the demo succeeds" $? 0
out=$(<"$work/out")
# shellcheck disable=SC2016 # a dollar sign
commands=$(grep '^\$ ' <<<"$out")
like "it shows the main job" "$commands" \
  'srun -N2 -n4 --gbm-mem-cap=256M gbm_sim --paths 1e8 --payoff call'
like "the batch script" "$commands" 'sbatch examples/gbm_sim.sbatch'
like "the naive job" "$commands" 'srun .*--gbm-mem-cap=256M naive_gbm'
is "three prices beside the closed form" "$(grep -c '^closed form' <<<"$out")" 3
like "why the naive job was killed" "$out" \
  '^gbm: task .* was killed: .*256M RAM cap'
is "two idle nodes, before and after" \
  "$(grep -c ' 2 *idle node\[01-02\]' <<<"$out")" 2
like "and what to read next" "$out" 'README\.md'

# A naive job that survives must not be shown as a success.
mkdir -p "$work/build/bin"
cp -r "$GBM_BUILD/plugin" "$GBM_BUILD/lib" "$work/build/"
cp "$GBM_BUILD/bin/gbm_sim" "$work/build/bin/"
cp /bin/true "$work/build/bin/naive_gbm"
GBM_BUILD=$work/build timeout $((300 * slow)) "$demo" >"$work/out" 2>&1
is "a naive job that survives fails the demo" $? 1
like "and it says so" "$(<"$work/out")" 'demo: the naive job survived'

memory=/sys/fs/cgroup/memory
! cgroup_v2 || memory=/sys/fs/cgroup
run unshare --mount sh -c "umount -l $memory && exec '$demo'"
is "without cgroups the demo succeeds, too" $status 0
like "saying what is missing" "$err" 'no cgroup memory controller'
like "and prices what it can" "$out" '^closed form'

done_testing
