#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What gbm_sim takes in each of its modes; memory.t and bench/memory source it
# after lib.sh.
#
#   all_modes COMMAND    calls COMMAND NAME for each mode, with in bytes
#                          $ranks                        0: without MPI
#                          $few, $many                   paths
#                          $few_rss, $many_rss           resident, of one rank
#                          $few_charged, $many_charged   of all, in $group
#                          $said_rss, $said_charged      what --dry-run said
#                        A mode is measured up to three times, until COMMAND
#                        ${satisfied-true} succeeds.
#
# Linux counts resident pages per CPU (or thread) and adds up now and then, and
# shared libraries land at random addresses: the same run differs by 3 % from
# itself.  On one CPU and at fixed addresses it does not.
# shellcheck disable=SC2034,SC2154 # of lib.sh, and for those who source it

around=(setarch -R)
"${around[@]}" true 2>/dev/null || around=()
around+=(taskset -c "$(first_cpu)")
inside=()
make_group memory
files=$tmp/files
mkdir "$files" || exit

# simulate OPTION...: with $options; mpirun itself is not in the group.
simulate() {
  local command=("${inside[@]}" "$bin/gbm_sim" "$@" "${options[@]}"
    --payoff call --json)
  rm -f "$files"/*
  if [ -z "$obstacle" ]; then
    # Pages of files that the last run has read stay charged.
    before=$(cat "$group/memory.usage_in_bytes")
    echo 0 >"$group/memory.max_usage_in_bytes"
  fi
  if [ "$ranks" -eq 0 ]; then
    run "${around[@]}" "${command[@]}"
  else
    run mpi "$ranks" "${command[@]}"
  fi
  [ "$status" -eq 0 ] || { cat "$tmp/err" >&2; return 1; }
}

# peaks PATHS: $rss, $charged.
peaks() {
  rss='' charged=''
  simulate --paths "$1" || return
  rss=$(field "$tmp/out" peak_rss_bytes)
  [ -n "$obstacle" ] ||
    charged=$(($(cat "$group/memory.max_usage_in_bytes") - before))
}

# measure NAME RANKS FEW MANY [OPTION...]
measure() {
  local name=$1 rss charged turn
  ranks=$2 few=$3 many=$4
  options=("${@:5}")
  said_rss='' said_charged=''
  if simulate --dry-run --paths "$many"; then
    said_rss=$(field "$tmp/out" need_bytes)
    said_charged=$(field "$tmp/out" all_charged_bytes)
  fi
  for ((turn = 1; turn <= 3; turn++)); do
    peaks "$few"
    few_rss=$rss few_charged=$charged
    peaks "$many"
    many_rss=$rss many_charged=$charged
    ! "${satisfied-true}" || break
  done
  "$tell" "$name"
}

# little KIB: a budget with as much for each rank, beside what it holds already.
little() {
  local options=()
  simulate --dry-run --threads 1
  echo $(((($(field "$tmp/out" held_bytes) >> 10) + $1) * \
    (ranks ? ranks : 1)))K
}

# Files are written with small buffers, which few paths fill; those of the usual
# size need more.  So do four threads, until each has had its turn.
all_modes() {
  local tell=$1
  # Who is the first to read libraries is charged, now and not later.
  local options=()
  ranks=0
  simulate --paths 1e5
  for ranks in 0 2; do
    measure "no output" "$ranks" 1e6 1e9 --threads 1
    measure "quantiles" "$ranks" 1e6 1e9 --threads 1 --quantiles 0.01,0.5
    measure "fan of 4 steps" "$ranks" 1e5 1e8 --threads 1 --steps 4 \
      --fan "$files/fan.csv"
    measure "checkpoints of quantiles" "$ranks" 1e6 1e9 --threads 1 \
      --quantiles 0.01,0.5 --checkpoint "$files/c" --every 0.1
    measure "terminal prices in a file" "$ranks" 1e5 1e8 --threads 1 \
      --out "$files/o.npy" --mem-cap "$(little 600)"
  done
  ranks=0
  measure "paths of 12 steps in a file" 0 1e4 1e7 --threads 1 --steps 12 \
    --save paths --out "$files/o.npy" --chunk 64K --mem-cap "$(little 900)"
  measure "terminal prices, usual buffers" 0 4e6 1e8 --threads 1 \
    --out "$files/o.npy"
  measure "checkpoints" 0 1e6 1e9 --threads 1 --checkpoint "$files/c" \
    --every 0.1
  measure "quantiles, four threads" 0 1e7 1e9 --threads 4 --quantiles 0.01,0.5
}
