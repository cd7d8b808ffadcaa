#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Slurm 24.11 on this machine's kernel and its cgroup v1.
set -u
cd "$(dirname "$0")/../.." || exit
exec tests/vm/release.sh run trixie -- tests/slurm/cluster.sh run -- \
  tests/vm/each.sh tests/slurm/*.t tests/slurm/newer/*.t
