# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of the build share; sourced.

# run_make WORD...: as the make that started these tests was called.
run_make() {
  eval "$GBM_MAKE --no-print-directory \"\$@\""
}

# make_value VARIABLE
make_value() {
  run_make "print-$1"
}

# map_names MAP: the names that a version map exports, sorted.
map_names() {
  sed 's|/\*.*\*/||' "$1" | tr -s ';:{}' '\n' |
    awk '$1 == "global" { on = 1; next }
      $1 == "local" { on = 0 }
      on && NF { print $1 }' | sort
}
