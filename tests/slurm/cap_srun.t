#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# srun --gbm-mem-cap: the limits that the kernel holds, and what they do.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

cap=$(mb 128)
run srun -N2 --gbm-mem-cap=128M limits
is "the limit on every node is the cap, and there is no swapping" \
  "$(sort <<<"$out")" "node01 $(capped 128 128)
node02 $(capped 128 128)"

# shellcheck disable=SC2016 # for the task
run srun -N2 --gbm-mem-cap=128M sh -c 'echo $GBM_MEM_CAP'
is "the tasks find the cap in GBM_MEM_CAP" "$out" "$cap
$cap"

run srun --gbm-mem-cap=128M hog 100
is "what fits below the cap runs to its end" "$status ${out##*$'\n'}" \
  "0 hog: done"

# The control: Slurm's own allocation is 375 MB, so it is the cap that kills.
run srun hog 200
is "200 MB fit without the cap" "$status ${out##*$'\n'}" "0 hog: done"
unlike "a job without the cap hears nothing of the plugin" "$err" gbm

run srun --gbm-mem-cap=128M hog 200
ok "what does not fit below the cap fails" [ $status -ne 0 ]
last=$(tail -n 1 <<<"$out" | tr -dc 0-9)
at_most "it never had more than the cap" "$last" 128
like "it got most of the cap" "$last" '^(112|120|128)$'

run srun --gbm-mem-cap=128M hog -f 200
like "a child of a task is limited like the task" "$out" \
  '^hog: child killed by signal 9'

run srun --mem=300M --gbm-mem-cap=1G limits
is "a cap above what Slurm allocated does not raise the limit" \
  "$(anywhere "$out")" "$(capped 300 300)"
like "and the user is told" "$err" 'gbm: .*1G.*300M.*--mem'

run srun --gbm-mem-cap=128M --gbm-swap=64M limits
is "--gbm-swap=64M allows that much swap on top, as far as Slurm does" \
  "$(anywhere "$out" | sed 's/ swappiness.*//')" \
  "job $cap step $cap with-swap $(mb "$(with_swap 128 64)")"

run srun --gbm-mem-cap=128M --gbm-swap=allow limits
is "--gbm-swap=allow leaves what Slurm allocated" \
  "$(anywhere "$out" | sed 's/ swappiness.*//')" \
  "job $cap step $cap with-swap $(mb "$(slurms_swap 128 375)")"

percent=$(($(mb 64) * 100 / $(usable) + 1))
run srun --mem=1500M --gbm-mem-cap=$percent% limits
read -r _ _ got _ <<<"$out"
less=$(($(usable) * percent / 100 - got))
# Rounded down to whole pages of any machine.
ok "a cap of $percent% is that much of what jobs may use" \
  [ $less -ge 0 -a $less -le 65536 ]

run env SLURM_GBM_MEM_CAP=100M srun limits
is "SLURM_GBM_MEM_CAP stands for the option" \
  "$(anywhere "$out")" "$(capped 100 100)"

run env SLURM_GBM_MEM_CAP=100M srun --gbm-mem-cap=128M limits
is "the option goes before SLURM_GBM_MEM_CAP" \
  "$(anywhere "$out")" "$(capped 128 128)"

settle
run srun limits
is "without the option the limits are Slurm's own" \
  "$(anywhere "$out")" "$(slurms 375)"
is "and nobody says anything" "$err" ""
# shellcheck disable=SC2016 # for the task
run srun sh -c 'echo ${GBM_MEM_CAP-unset}'
is "and GBM_MEM_CAP is not set" "$out" unset

done_testing
