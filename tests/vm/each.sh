#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# each.sh TEST...: runs the tests one after the other, and makes one TAP stream
# of theirs, in which each has its file's name before its own.
set -u
cd "$(dirname "$0")/../.." || exit

n=0 failed=0
# result OK TEXT
result() {
  n=$((n + 1))
  [ "$1" = ok ] || failed=$((failed + 1))
  echo "$1 $n - $2"
}

ok='^((not )?ok)( +[0-9]+)?( +-)? *(.*)$'
skipped='^1\.\.0 *#? *([Ss][Kk][Ii][Pp][^ ]*)? *(.*)$'
# Not by awk, some of which wait for a few KB before they read a line.
for test; do
  file=$(basename "$test" .t) seen=0 before=$failed planned=''
  while IFS= read -r line; do
    if [[ $line =~ $ok ]]; then
      seen=$((seen + 1))
      result "${BASH_REMATCH[1]}" "$file: ${BASH_REMATCH[5]}"
    elif [[ $line =~ $skipped ]]; then
      planned=0
      result ok "$file # SKIP ${BASH_REMATCH[2]}"
    elif [[ $line =~ ^1\.\.[0-9]+$ ]]; then
      planned=${line#1..}
    else
      printf '%s\n' "$line"
    fi
  done < <("$test" </dev/null 2>&1)
  wait $!
  status=$?
  if [ "$planned" != $seen ]; then
    result "not ok" "$file: planned ${planned:-nothing}, ran $seen"
  elif [ $status -ne 0 ] && [ $failed = "$before" ]; then
    result "not ok" "$file: exit status $status"
  fi
done
echo "1..$n"
[ $failed = 0 ]
