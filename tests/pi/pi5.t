#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A machine with the CPU of a Raspberry Pi 5 and pages of 16 KiB, to which the
# kernel rounds limits, and Slurm 24.11.
set -u
cd "$(dirname "$0")/../.." || exit
exec tests/vm/vm.sh run -r trixie-arm64-16k -- tests/vm/each.sh \
  tests/slurm/{cap_srun,kill_message,swap}.t
