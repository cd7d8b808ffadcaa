#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# slurm-config/ does what its comments say. The cluster runs on those files.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# Not what a call of another test's was told.
complaints() {
  grep -hiE 'unrecogni|unknown (key|param)|invalid|deprecat|obsolete|defunct|parse error|has been removed|ignored' \
    "$GBM_CLUSTER_DIR"/log/*.log | grep -vE 'MailProg is invalid| _slurm_rpc_|Invalid node state'
}
is "the daemons read them without a complaint" "$(complaints)" ""

# The names in the lines that differ from what is shipped.
differing() {
  diff slurm-config/slurm.conf "$SLURM_CONF" |
    sed -n 's/^> \([A-Za-z]*\)=.*/\1/p' | sort -u | grep -vxE \
    '(SlurmctldPid|SlurmdPid|SlurmctldLog|SlurmdLog)File|(NodeNam|PartitionNam)e|AuthInfo|StateSaveLocation|SlurmdSpoolDir|TmpFS|PlugStackConfig'
}
if [ "$(nproc)" -ge 2 ]; then
  is "only addresses, sizes and paths differ from slurm-config/" \
    "$(differing)" ""
else
  skip "only addresses, sizes and paths differ from slurm-config/" \
    "a machine of one core cannot bind tasks to two"
fi

total=$(sinfo -h -o %C | cut -d/ -f4)
started=$SECONDS
run srun -n $((total + 1)) hostname
ok "more tasks than cores are refused" [ $status -ne 0 ]
like "in words" "$err" 'More processors requested than permitted'
at_most "at once" $((SECONDS - started)) $((5 * slow))

run sbatch --mem=1600M --wrap=hostname
ok "more memory than a node gives away is refused" [ $status -ne 0 ]
run srun -N $((GBM_CLUSTER_NODES + 1)) hostname
ok "more nodes than there are, too" [ $status -ne 0 ]
is "nothing is left waiting" "$(squeue -h -t PENDING)" ""

run sinfo -h -N -o %N
unlike "the controller computes nothing" "$out" master

# shellcheck disable=SC2016 # for the tasks
run srun -N1 -n2 sh -c 'taskset -cp $$ | sed "s/.*: //"'
if [ "$(nproc)" -ge 2 ]; then
  is "two tasks run on a core each" \
    "$(sort -u <<<"$out" | grep -cx '[0-9]*')" 2
else
  skip "two tasks run on a core each" "this machine has but one"
fi

run srun --mem=0 limits
like "--mem=0 gives 1500 MB, all that a node gives away" "$out" \
  " job $(mb 1500) "

settle
started=$SECONDS
run srun -N2 -n2 sh -c "[ \$SLURM_PROCID = 0 ] || exit 3; sleep $((50 * slow))"
at_most "when one task fails, the others do not go on" \
  $((SECONDS - started)) $((40 * slow))
ok "and the step has failed" [ $status -ne 0 ]

done_testing
