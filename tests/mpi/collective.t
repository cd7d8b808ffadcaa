#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# libgbm_mpi's calls, with failures on one rank only: collective.c.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

for ranks in 1 2 3 4; do
  ok "collective calls on $ranks ranks" mpi $ranks "$helpers/collective"
done
done_testing
