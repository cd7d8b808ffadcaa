#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Slurm 24.11 on cgroup v2.
set -u
shopt -s extglob
cd "$(dirname "$0")/../.." || exit
exec tests/vm/vm.sh run -r trixie -t 10800 -- tests/vm/each.sh \
  tests/vm/inside/smoke.t tests/slurm/!(fallback).t tests/slurm/newer/*.t
