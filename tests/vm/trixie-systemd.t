#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Slurm 24.11 on cgroup v2, as Debian's services below systemd.
set -u
cd "$(dirname "$0")/../.." || exit
exec tests/vm/vm.sh run -r trixie -s systemd -- \
  tests/vm/each.sh tests/vm/inside/smoke.t tests/vm/inside/systemd.t
