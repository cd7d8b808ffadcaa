#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The cap given to salloc: for each srun inside, and for salloc's own shell,
# which slurm.conf puts on the first node.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

run salloc -N2 --gbm-mem-cap=128M srun limits
is "every node of the allocation has the cap" "$(sort <<<"$out")" \
  "node01 $(capped 128 128)
node02 $(capped 128 128)"

run salloc --gbm-mem-cap=128M srun hog 200
unlike "a step of the allocation cannot pass it" "$out" '^hog: done'
like "and is told so" "$err" 'gbm: task 0 on node0. was killed'

settle
# salloc wants a terminal for its shell.
run script -qec "SHELL=$work/limits salloc -Q -n1 --gbm-mem-cap=128M" /dev/null
like "salloc's shell is on a node, below the cap" "$out" \
  "node0. $(capped 128 128)"

run salloc srun limits
is "without the option the limits are Slurm's own" \
  "$(anywhere "$out")" "$(slurms 375)"

done_testing
