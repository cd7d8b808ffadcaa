#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# table.sh FILE...: what run.sh has printed, as tables in Markdown: one for each
# world and setting, in which rows that ran several times are one, with the
# worst of their figures. Fails when a row of the plugin's is not good, or there
# is none.
set -u

cat <<END
<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
# The last results of the campaign

What the rows and columns are, is in README.md. Where a row ran several times,
figures are the largest.
END
cat "$@" | awk -F '\t' '
  # worse A B: a word (never, no, ?) is worse than any number.
  function worse(a, b) {
    if (a == "" || b !~ /^[0-9]+$/)
      return b
    return a !~ /^[0-9]+$/ || a + 0 > b + 0 ? a : b
  }
  function also(list, word) {
    if (list == "" || list == word)
      return word
    return index(", " list ",", ", " word ",") ? list : list ", " word
  }
  /^# 20[0-9][0-9]-/ { date = substr($0, 3, 10); next }
  /^# host\t/ { host = $2; next }
  /^# [a-z0-9]+\tLinux / {
    node[substr($1, 3)] = $2
    next
  }
  /^#/ { next }
  NF != 11 {
    print "table.sh: not a row: " $0 | "cat >&2"
    bad++
    next
  }
  {
    table = $1 SUBSEP $2
    if (!(table in rows)) {
      tables[++n_tables] = table
      dates[table] = date
      hosts[table] = host
      nodes[table] = node[$1]
    }
    dates[table] = also(dates[table], date)
    key = table SUBSEP $3
    if (!(key in runs))
      name[table, ++rows[table]] = $3
    runs[key]++
    gap[key] = worse(gap[key], $4)
    next_job[key] = worse(next_job[key], $5)
    daemons[key] = also(daemons[key], $6)
    message[key] = also(message[key], $7)
    back[key] = worse(back[key], $8)
    state[key] = also(state[key], $9)
    good[key] += $10 == "good"
    verdict[key] = also(verdict[key], $10)
    load[key] = worse(load[key], int($11 + 0.5))
    if ($2 == "plugin") {
      seen = 1
      bad += $10 != "good"
    }
  }
  END {
    title["none"] = "no limit"
    title["mem"] = "Slurm'\''s --mem"
    title["plugin"] = "the plugin"
    for (t = 1; t <= n_tables; t++) {
      split(tables[t], part, SUBSEP)
      printf "\n## %s, %s\n\n", part[1], title[part[2]]
      printf "%s. On %s, %s.\n\n", nodes[tables[t]], hosts[tables[t]], \
        dates[tables[t]]
      print "| row | gap_ms | next_ms | daemons | message | back_ms | state |" \
        " verdict | load |"
      print "|---|---|---|---|---|---|---|---|---|"
      for (r = 1; r <= rows[tables[t]]; r++) {
        row = name[tables[t], r]
        key = tables[t] SUBSEP row
        if (runs[key] > 1)
          verdict[key] = good[key] " of " runs[key] " good"
        printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", row, \
          gap[key], next_job[key], daemons[key], message[key], back[key], \
          state[key], verdict[key], load[key]
      }
    }
    exit (bad || !seen)
  }'
