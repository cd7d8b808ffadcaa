#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# One rank that runs a quarter of the time: it gets fewer paths instead of making
# the others wait. Judged by what each rank has run, as time depends on what else
# this machine does.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

sim=$bin/gbm_sim
run=(--paths 2e8 --steps 4 --payoff call --json --threads 1)

# pids: of the ranks of the run that is going on, in their order.
pids() {
  pgrep -f "^$sim ${run[*]}" | while read -r pid; do
    echo "$(tr '\0' '\n' <"/proc/$pid/environ" |
      sed -n 's/^OMPI_COMM_WORLD_RANK=//p') $pid"
  done | sort -n | cut -d' ' -f2
}

# throttle PID: stops it for three quarters of each fifth of a second until it
# ends.
throttle() {
  while kill -STOP "$1" 2>/dev/null; do
    sleep 0.15
    kill -CONT "$1" 2>/dev/null
    sleep 0.05
  done
}

# slowed RANK: runs with that rank slowed; its output is in $tmp/out.
slowed() {
  local all
  mpi 2 "$sim" "${run[@]}" >"$tmp/out" 2>"$tmp/err" &
  for ((i = 0; i < 600; i++)); do
    mapfile -t all < <(pids)
    [ ${#all[@]} -lt 2 ] || break
    sleep 0.05
  done
  [ ${#all[@]} -eq 2 ] || return
  throttle "${all[$1]}"
  wait
}

# few RANK: this rank has less than 45 % of the paths, where a fixed split gave
# it half. A quarter of the speed is 20 %, on a machine that does nothing else.
few() {
  local paths
  read -ra paths < <(field "$tmp/out" rank_paths)
  echo "paths of the ranks: ${paths[*]}"
  [ $((paths[0] + paths[1])) -eq 200000000 ] &&
    [ $((paths[$1] * 100)) -lt $(((paths[0] + paths[1]) * 45)) ] &&
    [ "${paths[$1]}" -gt 0 ]
}

"$sim" "${run[@]}" >"$tmp/alone" 2>/dev/null
want=$(field "$tmp/alone" estimate std_error)
for rank in 1 0; do
  ok "a run with rank $rank slowed ends" slowed $rank
  ok "rank $rank has few paths" few $rank
  few $rank | sed 's/^/# /'
  ok "the result has the same bits" is \
    "$(field "$tmp/out" estimate std_error)" "$want"
done
done_testing
