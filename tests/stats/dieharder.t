#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# dieharder (R. G. Brown) on the words of the streams, in several orders
# (words.c).  Takes hours.  What it printed is in GBM_BUILD/tests/stats/.
#
#   ORDERS="single paths"   only these
#   DIEHARDER="-d 15"       these tests instead of all (-a)
#
# A p-value below 1e-6 or above 1 - 1e-6 is a failure at once.  One outside of
# 0.005..0.995, which chance gives once in a hundred, is tried again with another
# seed, and a third time; three in a row are a failure.  diehard_sums is not
# judged: its author lists it as "Do Not Use".
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

read -ra orders <<<"${ORDERS:-single paths starts seeds}"
read -ra tests <<<"${DIEHARDER:--a}"
words=$GBM_BUILD/tests/stats/words
results=$GBM_BUILD/tests/stats

command -v dieharder >/dev/null || skip_all "dieharder is not installed"
# Results of another run must not count.
rm -f "$results"/dieharder-*

# dieharder_on ORDER SEED ARGUMENT..., to lines "test|ntuple|samples|of|p".
dieharder_on() {
  "$words" "$1" "$2" | dieharder -g 200 -D test_name -D ntuple -D tsamples \
    -D psamples -D pvalues -D no_whitespace -c '|' "${@:3}"
}

# again ORDER SEED TEST NTUPLE K: the K-th p-value of such a test.
again() {
  local args=(-d "$3")
  # The others have but one tuple, or go through all of theirs.
  case $3 in rgb_bitdist | rgb_minimum_distance | rgb_permutations | \
    rgb_lagged_sum | dab_*) args+=(-n "$4") ;;
  esac
  dieharder_on "$1" "$2" "${args[@]}" |
    tee -a "$results/dieharder-$1-again.txt" |
    awk -F '|' -v test="$3" -v ntuple="$4" -v k="$5" \
      '$1 == test && $2 == ntuple && ++n == k { print $5 }'
}

# is extreme|weak P
is() {
  awk -v p="$2" -v bound="$([ "$1" = weak ] && echo 0.005 || echo 1e-6)" \
    'BEGIN { exit !(p !~ /^[01]\.[0-9]+$/ || p < bound || p > 1 - bound) }'
}

# judge ORDER TEST NTUPLE K P: leaves all p-values in $said.
judge() {
  local p=$5 seed

  said=$p
  for seed in 2 3; do
    is extreme "$p" && return 1
    is weak "$p" || return 0
    p=$(again "$1" $seed "$2" "$3" "$4")
    said="$said, then ${p:-nothing}"
  done
  ! is weak "$p"
}

for order in "${orders[@]}"; do
  while [ "$(jobs -pr | wc -l)" -ge "$(nproc)" ]; do wait -n; done
  dieharder_on "$order" 1 "${tests[@]}" >"$results/dieharder-$order.txt" &&
    touch "$results/dieharder-$order.end" &
done
wait

for order in "${orders[@]}"; do
  declare -A seen=()
  while IFS='|' read -r test ntuple _ _ p; do
    key=$test.$ntuple
    seen[$key]=$((${seen[$key]-0} + 1))
    if [ "$test" = diehard_sums ]; then
      echo "# not judged: $order: $test: p = $p"
      continue
    fi
    if judge "$order" "$test" "$ntuple" "${seen[$key]}" "$p"; then
      verdict=true
    else
      verdict=false
    fi
    ok "$order: $test $ntuple: p = $said" $verdict
  done <"$results/dieharder-$order.txt"
  ok "$order: dieharder came to its end, with ${#seen[@]} tests" \
    test ${#seen[@]} -gt 0 -a -e "$results/dieharder-$order.end"
  unset seen
done
done_testing
