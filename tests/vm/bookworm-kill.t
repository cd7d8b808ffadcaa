#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The same as bookworm.t: what a user is told of a kill, which takes as long as
# all the rest.
set -u
cd "$(dirname "$0")/../.." || exit
exec tests/vm/vm.sh run -r bookworm -- tests/vm/each.sh \
  tests/slurm/kill_message.t
