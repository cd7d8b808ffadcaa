#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# each.sh TEST...: runs the tests one after the other, and makes one TAP stream
# of theirs, in which each has its file's name before its own.
set -u
cd "$(dirname "$0")/../.." || exit

for test; do
  { "$test" </dev/null 2>&1; echo "# exit $?"; } |
    awk -v file="$(basename "$test" .t)" '
      /^(not )?ok/ {
        seen++
        bad = bad || /^not/
        text = $0
        sub(/^(not )?ok *[0-9]* *-? */, "", text)
        print ($1 == "not" ? "not ok" : "ok") " - " file ": " text
        fflush()
        next
      }
      /^1\.\.0/ {
        all = 1
        sub(/^1\.\.0 *#? *([Ss][Kk][Ii][Pp][^ ]*)? */, "")
        print "ok - " file " # SKIP " $0
        next
      }
      /^1\.\.[0-9]+$/ { planned = substr($0, 4); next }
      /^# exit [0-9]+$/ { status = $3; next }
      { print; fflush() }
      END {
        if (!all && (planned == "" || planned != seen + 0))
          print "not ok - " file ": planned " planned + 0 ", ran " seen + 0
        else if (status != 0 && !bad)
          print "not ok - " file ": exit status " status
      }'
done | awk '
  /^(not )?ok/ { sub(/ok/, "ok " ++n); failed = failed || /^not/ }
  { print; fflush() }
  END { print "1.." n + 0; exit failed }'
