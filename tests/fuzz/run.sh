#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs each FUZZER (build-fuzz/fuzz_NAME) for FUZZ_SECONDS on one core. What it
# learns stays in build-fuzz/NAME and is used again; what it finds is shown and
# kept in build-fuzz/found.
set -u
cd "$(dirname "$0")/../.." || exit

status=0
for fuzzer; do
  name=${fuzzer##*/fuzz_}
  learnt=build-fuzz/$name log=build-fuzz/$name.log
  mkdir -p "$learnt" build-fuzz/found || exit
  if nice -n 19 "$fuzzer" -max_total_time="${FUZZ_SECONDS:-60}" \
    -max_len=4096 -timeout=10 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/found/$name-" \
    "$learnt" "tests/fuzz/corpus/$name" >"$log" 2>&1; then
    echo "$name: $(awk '$1 == "stat::number_of_executed_units:" {
      print $2 }' "$log") inputs, nothing found"
  else
    status=1
    grep -vE '^(#[0-9]+|INFO:|Running:|stat::|"\\)' "$log" | tail -n 40
    echo "$name: FAILED, see $log; put the file found, under a name that" \
      "tells what it is, into tests/fuzz/corpus/$name once it is mended"
  fi
done
exit $status
