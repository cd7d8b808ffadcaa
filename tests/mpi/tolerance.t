#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs that end when they are good enough: after the same number of paths however
# they are cut, shared, stopped and gone on with.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

sim=$bin/gbm_sim
model=(--steps 40 --payoff 'call,put' --progress never)
point=$tmp/point

# result: what does not depend on how $tmp/out was run.
result() {
  field "$tmp/out" paths estimate std_error tolerance_met | xargs
}

run "$sim" "${model[@]}" --tolerance 4e-3 --json
want=$(result)
is_met() {
  [ "$status" -eq 0 ] && grep -q '"tolerance_met": true' "$tmp/out"
}
ok "a tolerance ends a run" is_met
run mpi 3 "$sim" "${model[@]}" --tolerance 4e-3 --json --threads 1
ok "three ranks end after as many paths, with the same bits" \
  is "$(result)" "$want"
run "$sim" "${model[@]}" --tolerance 4e-3 --json --threads 3 --chunk 8K
ok "and so do other threads and chunks" is "$(result)" "$want"

# Stopped twice, and gone on with on two ranks.
for _ in 1 2; do
  timeout -s TERM 0.6 "$sim" "${model[@]}" --tolerance 4e-3 --threads 1 \
    --checkpoint "$point" --resume --every 0.1 &>/dev/null
done
run mpi 2 "$sim" "${model[@]}" --tolerance 4e-3 --json --checkpoint "$point" \
  --resume
ok "and one that was stopped" is "$(result)" "$want"
run "$sim" "${model[@]}" --tolerance 4e-3 --json --checkpoint "$point" --resume
ok "which has nothing left to do" is "$(result)" "$want"

run "$sim" "${model[@]}" --abs-tolerance 1 --json
ok "an absolute tolerance is one, too" is_met
ok "which is looked at from 65536 paths on" is "$(field "$tmp/out" paths)" 65536

run "$sim" "${model[@]}" --tolerance 1e-9 --paths 1e5 --json
ok "a tolerance that is not met is exit status 1" is "$status" 1
ok "with the result" is "$(field "$tmp/out" paths tolerance_met | xargs)" \
  "100000 0"
ok "and a sentence" is "$(own_lines | grep -c 'not met.*more --paths')" 1
run "$sim" --payoff call --strike 1e9 --abs-tolerance 1 --paths 1e5 --json
ok "values that are all 0 meet none" is "$status" 1
run "$sim" --payoff put --vol 0 --strike 120 --tolerance 1e-9 --json
ok "without volatility they do" is_met

run mpi 2 "$sim" --payoff call --steps 200 --max-time 0.5s --json
ok "a time ends a run" is "$status" 0
ok "at a whole block" is "$(($(field "$tmp/out" paths) % 1024))" 0
run "$sim" --payoff call --steps 200 --max-time 0.2 --tolerance 1e-9
ok "before its tolerance is met: that is status 1, too" is "$status" 1
ok "and a sentence" is "$(own_lines | grep -c 'not met.*more --max-time')" 1

for bad in "--tolerance 0" "--abs-tolerance -1" "--max-time 5x"; do
  read -ra words <<<"$bad"
  run "$sim" "${words[@]}"
  ok "$bad is refused" refused 64 "${words[0]}"
done
run "$sim" --max-time 1 --out "$tmp/x.npy"
ok "--out has its paths" refused 64 --max-time

done_testing
