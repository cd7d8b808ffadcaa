#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a user reads when the cap has stopped a job.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

run srun --gbm-mem-cap=128M hog 200
message=$(grep 'gbm: .*killed' <<<"$err")
is "one sentence says it" "$(grep -c . <<<"$message")" 1
like "which task on which node" "$message" 'task 0 on node0[12]'
like "the cap" "$message" '128M RAM cap'
like "the peak, which is the cap" "$message" 'peak 128M'
like "and what to do" "$message" '--gbm-mem-cap'
like "Slurm says its own part" "$err" 'oom|Out Of Memory'
like "the last line is the peak of the step" "$err" \
  'gbm: step [0-9]+\.0 on node0.: peak 128M of 128M RAM cap, swap none'

run srun --gbm-mem-cap=128M hog 50
like "a job that went well is told its peak, too" "$err" \
  'gbm: step [0-9]+\.0 on node0.: peak [5-9][0-9](\.[0-9]+)?M of 128M RAM cap'
unlike "but nothing of killing" "$err" 'killed'

settle
# shellcheck disable=SC2016 # for the task
run srun -N2 -n2 -K0 --gbm-mem-cap=128M \
  sh -c '[ $SLURM_PROCID = 0 ] || exec hog 200'
message=$(grep 'gbm: .*killed' <<<"$err")
like "of two tasks, the one that was killed is named" "$message" \
  'task 1 on node02'
unlike "and the other is not" "$message" 'task 0'

run srun --gbm-mem-cap=128M hog -f 200
like "a killed child is told from a killed task" "$err" \
  'gbm: a process started by task 0 on node0. was killed'

run srun --mem=100M --gbm-mem-cap=256M hog 200
like "where Slurm's allocation is the limit, --mem is named" "$err" \
  'gbm: task 0 .*100M Slurm allocation.*--mem'

# Somebody ends the job: no word of memory.
run timeout -s INT 60 srun --gbm-mem-cap=128M sh -c 'kill -KILL $$'
unlike "a task killed by something else is not blamed on the cap" "$err" \
  'gbm: .*killed'

done_testing
