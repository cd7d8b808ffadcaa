#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The digits of docs/tutorial.md are what its commands print.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

tutorial=$PWD/docs/tutorial.md
cd "$tmp" || exit

# shown PATTERN: each line of the output that matches is in the tutorial.
shown() {
  local line n=0
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  while IFS= read -r line; do
    n=$((n + 1))
    grep -qxF -- "    $line" "$tutorial" ||
      { echo "not in the tutorial: $line"; return 1; }
  done < <(grep -E -- "$1" "$tmp/out")
  [ "$n" -gt 0 ] || { echo "nothing matches $1"; return 1; }
}

# command_of WORDS: what stands in the tutorial, on two lines perhaps, from
# gbm_sim on.
command_of() {
  sed -e ':again' -e '/\\$/{N; s/\\\n */ /; b again' -e '}' "$tutorial" |
    grep -F -- "$1" | grep -o 'gbm_sim .*' | head -n 1
}
simulate() {
  local words
  read -r -a words < <(command_of "$1")
  ok "the tutorial has a command with $1" test ${#words[@]} -gt 2
  run "$bin/${words[0]}" "${words[@]:1}"
}

simulate "--paths 1e8 --payoff call"
ok "and its price" shown '^(payoff|model|estimate|closed form)'
simulate "--histogram prices.csv"
ok "and its quantiles and risks" shown \
  '^(quantiles|risk|fan|histogram|  0\.[0-9]+) '
simulate "--convergence asian.csv"
ok "and its estimate" shown '^[0-9.]+$'
ok "which scaling.sbatch has too" grep -qF \
  "Each time the estimate was $(<"$tmp/out")." "$tutorial"
simulate "--out s.npy"
simulate "--verify s.npy"
ok "and what it says" shown '^s.npy: all'
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
  run /usr/bin/python3 "$OLDPWD/examples/read_samples.py" s.npy --path 4711
  ok "and NumPy's figures" shown .
else
  skip "and NumPy's figures" "python3-numpy is not installed"
fi
done_testing
