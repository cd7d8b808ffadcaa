#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Slurm 22.05 on cgroup v2, with two nodes.
set -u
cd "$(dirname "$0")/../.." || exit
exec tests/vm/vm.sh run -r bookworm -- tests/vm/each.sh \
  tests/vm/inside/smoke.t tests/slurm/kill_message.t
