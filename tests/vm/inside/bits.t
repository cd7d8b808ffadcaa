#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gbm_sim gives the same bytes as on the machine that has started this one:
# these are in GBM_HERE.
set -u
cd "$(dirname "$0")/../../.." || exit
. tests/slurm/lib.sh

[ -n "${GBM_HERE-}" ] || skip_all "GBM_HERE has no results to compare with"

# gives NAME WANTED COMMAND...
gives() {
  run tests/vm/inside/results.sh "$(cut -d' ' -f1 <<<"$2")" "${@:3}"
  is "$1" "$out" "$2"
  [ "$out" = "$2" ] || printf 'status %s\n%s\n' $status "$err" | sed 's/^/# /'
}

is "there are five results" "$(grep -c . <<<"$GBM_HERE")" 5
run gbm_sim --paths 1000 --json
ok "gbm_sim runs" [ $status -eq 0 ]
like "by the CPU's own vectors" "$out" '"isa": "(neon|avx2|avx512)"'
gives "the results are the same bytes" "$GBM_HERE" gbm_sim
gives "without vectors, too" "$GBM_HERE" env GBM_ISA=scalar gbm_sim
gives "and in a capped job of four ranks on two nodes" \
  "$(grep '^call' <<<"$GBM_HERE")" srun -N2 -n4 --gbm-mem-cap=256M gbm_sim

done_testing
