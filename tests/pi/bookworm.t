#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A machine with the CPU and the memory of a Raspberry Pi 4, and Slurm 22.05.
set -u
cd "$(dirname "$0")/../.." || exit
GBM_HERE=$(tests/vm/inside/results.sh 'terminal call put asian-call asian-put' \
  "${GBM_BUILD:-build}/bin/gbm_sim") || exit
exec tests/vm/vm.sh run -r bookworm-arm64 -- env GBM_HERE="$GBM_HERE" \
  tests/vm/each.sh tests/vm/inside/{smoke,bits}.t \
  tests/slurm/{cap_srun,kill_message,oom,node_guard,swap}.t
