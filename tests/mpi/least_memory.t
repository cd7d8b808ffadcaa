#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# 10^9 paths below the least limit of a memory cgroup that two ranks live in
# which do nothing but MPI_Init() and MPI_Finalize().
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

[ -z "${SANITIZE-}" ] || skip_all "sanitizers need memory of their own"
make_group least || skip_all "$obstacle"

# To a quarter of a MiB: the kernel charges as much at once.
STEP=$((256 << 10))

# limited STEPS COMMAND...: two ranks; mpirun itself is not in the group.
limited() {
  # What the last ranks have left is charged until it is needed.
  echo 0 >"$group/memory.force_empty"
  echo $(($1 * STEP)) >"$group/memory.limit_in_bytes" || exit
  run mpi 2 "${inside[@]}" "${@:2}"
}

# Libraries shall be in memory already, and not be charged.
run mpi 2 "$helpers/nothing"
run mpi 2 "$bin/gbm_sim" --paths 1000 --quiet
too_little=4 enough=128
limited $enough "$helpers/nothing"
ok "MPI lives in 32 MiB" is "$status" 0
while [ $((enough - too_little)) -gt 1 ]; do
  steps=$(((enough + too_little) / 2))
  limited $steps "$helpers/nothing"
  if [ "$status" -eq 0 ]; then enough=$steps; else too_little=$steps; fi
done
echo "# two ranks of MPI live in $((enough * STEP >> 10)) KiB, not in" \
  "$((too_little * STEP >> 10)) KiB"

run "$bin/gbm_sim" --paths 1e9 --payoff call --quiet
alone=$(cat "$tmp/out")
limited $enough "$bin/gbm_sim" --threads 1 --paths 1e9 --payoff call --json
ok "10^9 paths run there" is "$status" 0
ok "with the same bits" is "$(field "$tmp/out" estimate)" "$alone"
ok "by a budget of that limit" is "$(field "$tmp/out" budget_bytes)" \
  $((enough * STEP / 2))
done_testing
