#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# SlurmdParameters=contain_spank: Slurm calls some hooks in processes of their
# own, which share slurmstepd's memory. Nothing must be any different.
set -u
cd "$(dirname "$0")/../../.." || exit

export GBM_CONFIGURE=tests/slurm/newer/configure.sh GBM_NEWER=contain_spank
# shellcheck disable=SC2016 # for the cluster
exec tests/slurm/cluster.sh run -- bash -c '
  scontrol show config | grep -q "^SlurmdParameters .*contain_spank" ||
    echo "not ok - Slurm does not know contain_spank"
  exec "$@"' bash \
  tests/vm/each.sh tests/slurm/{cap_srun,kill_message,steps,report}.t
