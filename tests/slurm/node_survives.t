#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A job that overflows its cap on every node is the only thing that suffers.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

daemons() {
  pids slurmd slurmctld munged | sort
}

settle
before=$(daemons)
run srun -N2 -n2 --gbm-mem-cap=128M hog 1000
ok "the job fails" [ $status -ne 0 ]
ended=$SECONDS
ok "all nodes are idle again within ten seconds" wait_for 10 all_idle
run srun -N2 hostname
is "and answer the next job" "$status $(sort <<<"$out" | xargs)" \
  "0 node01 node02"
at_most "within ten seconds more" $((SECONDS - ended)) $((20 * slow))
# There may be more: slurmd forks.
is "no daemon has died" "$(comm -23 <(echo "$before") <(daemons))" ""
is "no node is drained" "$(sinfo -h -R)" ""

# A step that is refused must not drain the node either.
run env _SLURM_SPANK_OPTION_gbm_gbm_mem_cap=nonsense srun hostname
ok "a value that reaches only slurmstepd is refused there" [ $status -ne 0 ]
unlike "before the task starts" "$out" node
like "in words" "$err" 'gbm: .*nonsense'
ok "and the nodes stay idle" wait_for 10 all_idle

done_testing
