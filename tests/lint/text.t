#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What holds for every text file of the tree.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

mapfile -t files < <(tree_files)

# Captured from other systems, or read by programs: as they were.
own() {
  printf '%s\n' "${files[@]}" |
    grep -vE '^(COPYING$|tests/(fixtures|fuzz/corpus)/)'
}

# These have no comments: debian/copyright is about them, too.
commentable() {
  own | grep -vxE 'debian/(changelog|copyright|source/format)'
}

licensed() {
  local bad
  # Within the first three lines: a script's first is its interpreter.
  bad=$(commentable | while read -r file; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' ||
      echo "$file"
  done)
  [ -z "$bad" ] || { echo "no SPDX line in:"; echo "$bad"; return 1; }
}

# nothing_matches GREP-OPTION... PATTERN: in none of our files.
nothing_matches() {
  local found
  found=$(own | xargs -d '\n' grep -nI "$@" /dev/null)
  [ -z "$found" ] || { echo "$found"; return 1; }
}

# Patterns are put together here, so that this file does not match itself.
home_paths() {
  nothing_matches -E "/(home|Users)/[a-z]|(^|[^a-z.}\$])/ro""ot/[a-zA-Z.]"
}

this_checkout() {
  case $PWD in
  /*/*) nothing_matches -F "$PWD" ;;
  esac
}

# The mirrors that apt uses on this machine: read them, never write them down.
mirrors() {
  local host
  while read -r host; do
    nothing_matches -F "$host" || return
  done < <(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE '^[^#]*https?://[^/ ]+' | sed 's|.*//||' | sort -u)
}

executable() {
  local bad
  # A file that is sourced says so on its first line.
  bad=$(own | grep -E '\.(t|sh)$|^\.ci/run$' | while read -r file; do
    [ -x "$file" ] || head -n 1 "$file" | grep -q '^# shellcheck shell=' ||
      echo "$file"
  done)
  [ -z "$bad" ] || { echo "not executable:"; echo "$bad"; return 1; }
}

# Words have a letter or digit: the bars of tables are none.
short_readme() {
  local words
  words=$(tr -s '[:space:]' '\n' <README.md | grep -c '[[:alnum:]]')
  [ "$words" -le 500 ] || { echo "$words words"; return 1; }
}

scripts() {
  own | xargs -d '\n' grep -lIE '^#!/(usr/)?bin/(env )?(ba)?sh|^# shellcheck ' |
    grep -vE '\.md$'
}

ok "there are files to look at" test ${#files[@]} -gt 10
ok "every file has its SPDX line" licensed
ok "no space at the end of a line" nothing_matches '[[:blank:]]$'
ok "no path of somebody's home" home_paths
ok "no path of this checkout" this_checkout
ok "no name of a mirror" mirrors
ok "README.md has 500 words at the most" short_readme
ok "scripts and tests are executable" executable
if command -v shellcheck >/dev/null; then
  ok "shellcheck is content" eval 'scripts | xargs -d "\n" shellcheck -x'
else
  skip "shellcheck is content" "shellcheck is not installed"
fi
done_testing
