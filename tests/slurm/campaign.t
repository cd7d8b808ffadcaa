#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The scripts of tests/campaign/ do what they are for, by a few small rows, and
# tell a right sentence from wrong ones.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh
. tests/campaign/sentence.sh

advice='Raise --gbm-mem-cap (this node allows 1300M), use more nodes, or stream.'
right="gbm: task 0 on node02 was killed: job 12 reached its 1000M RAM cap (peak"
right+=" 1000M, swap none). $advice"

# judged NAME RESULT TEXT [ROW [STATUS]]
judged() {
  is "$1" "$(judge "${4-malloc}" "${5-1}" node02 '11|12' 1000 <<<"$3")" "$2"
}

judged "the sentence as it must be" right "$right"
judged "none" wrong "slurmstepd: error: Detected 1 oom-kill event(s)"
judged "another task" wrong "${right/task 0/task 1}"
judged "another node" wrong "${right/node02/node01}"
judged "another job" wrong "${right/job 12/job 13}"
judged "another cap" wrong "${right/1000M RAM/1100M RAM}"
judged "another peak" wrong "${right/peak 1000M/peak 900M}"
judged "swap that was not allowed" wrong "${right/swap none/swap 512M}"
judged "the right one and another" wrong "$right"$'\n'"${right/task 0/task 1}"
judged "a right one, but the job ended well" wrong "$right" malloc 0
judged "no kill where there must be one" wrong "" malloc 0
judged "no kill where there need not be one" right "" cache 0
judged "a kill there" right "$right" cache
judged "children" right "${right/task 0/a process started by task 0}" forks
judged "the task where its children were killed" wrong "$right" forks
judged "the rank with the largest balloon" right "${right/task 0/task 3}" balloon
judged "a cap that was not reached" wrong "$right" two_jobs
judged "more for a moment" right "${right/peak 1000M/peak 1090M}" window
judged "but not more than that" wrong "${right/peak 1000M/peak 1190M}" window
judged "a peak with other steps in it" right \
  "${right/peak 1000M/peak 1090M, of which this step 1060M}" window

run tests/campaign/rows.sh -c 200 -m 400 -g 5000 plugin \
  malloc balloon window
is "rows run on a node" "$(grep -c $'\tgood$' <<<"$out") of $(grep -cv '^#' \
  <<<"$out")" "3 of 3"
ok "and that is all they say" [ $status -eq 0 ]
printf '%s\n' "$out" | sed 's/^/# /'
run tests/campaign/rows.sh -c 200 -m 100 plugin malloc
like "a program that takes less than it ought to is no good row" "$out" \
  $'^plugin\tmalloc\t.*\twrong\t.*\tbad$'

printf '# 2026-01-01 00:00 UTC\n# host\tX\n# v1\tLinux Y\n' >"$work/tsv"
row=$'v1\tplugin\tmalloc\t20\t300\talive\tright\t5\tOUT_OF_MEMORY\tgood\t1.0'
printf '%s\n' "$row" "${row/20/7}" >>"$work/tsv"
run tests/campaign/table.sh "$work/tsv"
like "rows become a table" "$out" \
  '^\| malloc \| 20 \| 300 \| alive \| right \| 5 \| OUT_OF_MEMORY \| 2 of 2 good '
is "of good rows" "$status" 0
printf '%s\n' "${row/good/bad}" >>"$work/tsv"
run tests/campaign/table.sh "$work/tsv"
like "one that is not is counted" "$out" '\| 2 of 3 good '
is "and the table's failure" "$status" 1

done_testing
