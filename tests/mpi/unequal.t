#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# One rank that runs a quarter of the time: it gets fewer paths instead of making
# the others wait. Judged by what each rank has run, as time depends on what else
# this machine does.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

sim=$bin/gbm_sim
paths=200000000
run=(--paths "$paths" --steps 4 --payoff call --json --threads 1)

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
  local all job
  mpi 2 "$sim" "${run[@]}" >"$tmp/out" 2>"$tmp/err" &
  job=$!
  for ((i = 0; i < 600; i++)); do
    mapfile -t all < <(pids)
    [ ${#all[@]} -lt 2 ] || break
    sleep 0.05
  done
  [ ${#all[@]} -eq 2 ] || return
  throttle "${all[$1]}"
  wait "$job" || { sed 's/^/# /' "$tmp/err" && return 1; }
}

# few RANK: this rank has less than 45 % of the paths, where a fixed split gave
# it half. A quarter of the speed is 20 %, on a machine that does nothing else.
few() {
  local did
  read -ra did < <(field "$tmp/out" rank_paths)
  echo "paths of the ranks: ${did[*]}"
  [ $((did[0] + did[1])) -eq "$paths" ] &&
    [ $((did[$1] * 100)) -lt $((paths * 45)) ] &&
    [ "${did[$1]}" -gt 0 ]
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

# What is written to a file is shared out in another way.
paths=20000000
run=(--paths "$paths" --steps 64 --payoff call --json --threads 1 --dtype f4)
"$sim" "${run[@]}" --out "$tmp/alone.npy" >"$tmp/alone" 2>/dev/null
run+=(--out "$tmp/a.npy" --force)
for keeps in "" "--checkpoint $tmp/c"; do
  # shellcheck disable=SC2206
  run+=($keeps)
  ok "a file with rank 1 slowed${keeps:+, and a checkpoint}" slowed 1
  ok "rank 1 writes few paths" few 1
  few 1 | sed 's/^/# /'
  ok "the file has the same bytes" cmp "$tmp/a.npy" "$tmp/alone.npy"
done
done_testing
