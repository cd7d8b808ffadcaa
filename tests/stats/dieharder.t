#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# All tests of dieharder (R. G. Brown) on the words of the streams, in several
# orders (words.c), each 8 to 15 minutes of CPU.  battery.c says what a failure is.
#
#   ORDERS="single paths"   only these
#   TESTS="203 10"          only this test and ntuple, a line each
#
# All p-values are in GBM_BUILD/tests/stats/dieharder-ORDER.txt.  diehard_sums is
# not judged: its author lists it as "Do Not Use", and with 1000 samples it fails
# a cipher.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

read -ra orders <<<"${ORDERS:-single paths starts seeds thirds}"
results=$GBM_BUILD/tests/stats
export battery=$results/battery

[ -x "$battery" ] ||
  skip_all "battery was not built: libdieharder-dev is not installed"
# Results of another run must not count.
rm -f "$results"/dieharder-*

# Every line of `battery list` has a part of the order to itself, its number.
all=$("$battery" list | awk '{ print NR - 1, $1, $2 }')
chosen=$(echo "$all" | if [ -n "${TESTS-}" ]; then
  awk -v tests="$TESTS" 'BEGIN {
      n = split(tests, line, "\n")
      for (i = 1; i <= n; i++) wanted[line[i]] = 1
    }
    ($2 " " $3) in wanted'
else cat; fi)

# As dieharder's own program says it, on words through a pipe.
own_program() {
  "$results/words" "$1" 1 | dieharder -g 200 -d "$2" -D pvalues |
    grep -Eo '[01]\.[0-9]{8}'
}
agree() {
  local ours theirs
  ours=$("$battery" "$1" 1 0 "$2" 0 | cut -d '|' -f 6)
  theirs=$(own_program "$1" "$2")
  if [ -z "$ours" ] || [ "$ours" != "$theirs" ]; then
    echo "$ours, but dieharder says $theirs"
    return 1
  fi
}
for order in "${orders[@]}"; do
  ok "$order: the same p-values as by dieharder's own program" agree "$order" 15
done

for order in "${orders[@]}"; do
  export order
  # shellcheck disable=SC2016 # for the inner shell
  echo "$chosen" | nice -n 19 xargs -P "$(nproc)" -L 1 sh -c '
    "$battery" "$order" 1 "$0" "$1" "$2" >"${battery%/*}/dieharder-$order.$0"'
  ok "$order: all tests came to their end" test $? -eq 0
  while read -r part _; do
    cat "$results/dieharder-$order.$part"
    rm "$results/dieharder-$order.$part"
  done <<<"$chosen" >"$results/dieharder-$order.txt"
  while IFS='|' read -r test ntuple which _ samples p verdict; do
    name="$order: $test $ntuple.$which, $samples samples: p = $p"
    if [ "$test" = diehard_sums ] || [ "$verdict" = weak ]; then
      echo "# $name: $verdict"
    else
      ok "$name" test "$verdict" = passed
    fi
  done <"$results/dieharder-$order.txt"
done
done_testing
