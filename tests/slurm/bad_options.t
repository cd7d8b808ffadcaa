#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Bad values are refused where they are typed, before anything is allocated.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# refused NAME REGEX COMMAND...: fails, says REGEX, prints nothing else that
# looks like a job.
refused() {
  local name=$1 regex=$2
  shift 2
  run "$@"
  ok "$name: fails" [ $status -ne 0 ]
  like "$name: says why" "$err" "gbm: $regex"
  unlike "$name: runs nothing" "$out$err" 'node0|allocated|Submitted'
}

printf '#!/bin/sh\nhostname\n' >"$work/job"
# shellcheck disable=SC2016 # for the task
job_id=(srun sh -c 'echo $SLURM_JOB_ID')
first=$("${job_id[@]}")
for value in '' 0 -5M 12X 1.5.2G nan 1e9 '128M ' 10M 101% 99999999T 1G1; do
  refused "--gbm-mem-cap='$value'" '--gbm-mem-cap' \
    srun --gbm-mem-cap="$value" hostname
done
for value in '' maybe 10% -1; do
  refused "--gbm-swap='$value'" '--gbm-swap' \
    srun --gbm-mem-cap=128M --gbm-swap="$value" hostname
done
refused "an amount of swap without a cap" \
  '--gbm-swap with a size needs --gbm-mem-cap' srun --gbm-swap=64M hostname
refused "--gbm-mem-report" '--gbm-mem-report=yes .*off, summary or json' \
  srun --gbm-mem-report=yes hostname
refused "sbatch" '--gbm-mem-cap=12X' sbatch --gbm-mem-cap=12X "$work/job"
refused "salloc" '--gbm-mem-cap=12X' salloc --gbm-mem-cap=12X hostname
refused "the variable" 'SLURM_GBM_MEM_CAP=12X' \
  env SLURM_GBM_MEM_CAP=12X srun hostname

printf '#!/bin/sh\n#SBATCH --gbm-mem-cap=12X\nhostname\n' >"$work/job"
refused "a line in a batch script" '--gbm-mem-cap=12X' sbatch "$work/job"

settle
is "none of them has made a job" "$("${job_id[@]}")" \
  $((first + 1))

run srun --help
like "srun --help knows the options" "$out" '--gbm-mem-cap=SIZE'
like "all of them" "$(grep -c '^ *--gbm-' <<<"$out")" '^3$'

done_testing
