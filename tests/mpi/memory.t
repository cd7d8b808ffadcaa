#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A thousand times as many paths need the same memory, within 1 %, in every mode,
# and as much as --dry-run has said, within 10 %: resident memory, and what a
# memory cgroup is charged.
#
# The kernel charges a cgroup in lots of 64 pages for each CPU, used or not, until
# another cgroup's process on that CPU takes the rest of it away. A peak is the
# difference of two figures with a lot in it or not, and so off by one at most, on
# the one CPU that these runs have; two peaks differ by two.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

[ -z "${SANITIZE-}" ] || skip_all "sanitizers keep freed memory for a while"
. tests/mpi/memory_modes.sh
case $(stat -f -c %T "$tmp") in
tmpfs | ramfs) obstacle="TMPDIR is in memory" ;;
esac
[ -z "$obstacle" ] || skip "what a cgroup is charged" "$obstacle"
lots=$((2 * 64 * $(getconf PAGESIZE)))

# within PERCENT A B [BYTES]: B is A, but for PERCENT of it and BYTES.
within() {
  echo "$2 and $3 bytes: more than $1 % and ${4:-0} bytes apart"
  [ "${2:-0}" -gt 0 ] && [ "${3:-0}" -gt 0 ] &&
    [ $((100 * ($3 > $2 ? $3 - $2 : $2 - $3))) -le \
      $(($1 * $2 + 100 * ${4:-0})) ]
}

# Whatever else this machine does takes lots away from both ranks at any time;
# memory that grows with the number of paths does so each time.
satisfied() {
  [ -n "$obstacle" ] ||
    within 1 "$few_charged" "$many_charged" "$lots" >/dev/null
}
satisfied=satisfied

# Called by all_modes.
check() {
  local name=$1
  [ "$ranks" -eq 0 ] || name+=", $ranks ranks"
  ok "$name: $many paths take what $few take" \
    within 1 "$few_rss" "$many_rss"
  ok "$name: --dry-run says how much" within 10 "$said_rss" "$many_rss"
  [ -z "$obstacle" ] || return
  ok "$name: nor is the cgroup charged more" \
    within 1 "$few_charged" "$many_charged" "$lots"
  ok "$name: that is what --dry-run says" \
    within 10 "$said_charged" "$many_charged" "$lots"
}
all_modes check
done_testing
