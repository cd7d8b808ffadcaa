#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What each check says about nodes that are well and nodes that are not.  The
# nodes are data: tests/fixtures/node/README tells how they are written.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/node/lib.sh

for tree in bookworm trixie; do
  tree $tree "$work/tree"
  run --root "$work/tree"
  is "a good node of $tree: exit status" "$status" 0
  is "a good node of $tree: nothing but OK" "$(grep -v '^OK' <<<"$out")" ""
  is "a good node of $tree: no other output" "$err" ""
done
is "each of the 23 checks speaks" "$(awk '{ print $2 }' <<<"$out" | sort -nu |
  xargs)" "$(seq -s ' ' 23)"

# judge NUMBER: the case in $on, $changes, $expected, $fixes.
judge() {
  local number=$1 line file='' wanted text
  tree "$on" "$work/tree" || return
  for line in "${changes[@]}"; do
    case $line in
    '@ '*)
      file=$work/tree/${line#@ }
      mkdir -p "${file%/*}" && : >"$file" || return
      ;;
    '| '* | '|') line=${line#|} && printf '%s\n' "${line# }" >>"$file" || return ;;
    '- '*) rm -r "$work/tree/${line#- }" || return ;;
    '~ '*)
      read -r _ file line <<<"$line"
      cp "$work/tree/$file" "$work/before"
      sed -i -E "$line" "$work/tree/$file" || return
      ! cmp "$work/before" "$work/tree/$file" || return
      ;;
    esac
  done >&2
  run --root "$work/tree"
  echo "$out"
  [ -z "$err" ] || {
    echo "stderr: $err"
    return 1
  }
  read -r wanted text <<<"$expected"
  same "$(worst "$number")" "$wanted" || return
  grep -E "^$wanted +$number " <<<"$out" | grep -qF -e "$text" || {
    echo "wanted: $wanted $text"
    return 1
  }
  for text in "${fixes[@]}"; do
    grep -F -e "$text" <<<"$out" | grep -q '^        ' || {
      echo "no command with: $text"
      return 1
    }
  done
}

count=0 numbers=
for cases in "$fixtures"/*.cases; do
  number=$((10#$(basename "$cases" | cut -c 1-2)))
  name=
  finish() {
    [ -z "$name" ] || ok "$number: $name" judge "$number"
    [ -z "$name" ] || count=$((count + 1)) numbers+=" $number.${expected%% *}"
  }
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
    '= '*)
      finish
      name=${line#= } on=bookworm changes=() expected='' fixes=()
      ;;
    'on '*) on=${line#on } ;;
    'expect '*) expected=${line#expect } ;;
    'fix '*) fixes+=("${line#fix }") ;;
    [@\|~-]*) changes+=("$line") ;;
    '' | '#'*) ;;
    *) ok "'$line' of $cases is understood" false ;;
    esac
  done <"$cases"
  finish
done

# The good trees are the good ones of each.
each_has_a_bad_one() {
  local n
  for ((n = 1; n <= 23; n++)); do
    [[ $numbers == *" $n."[WFI]* ]] || echo "check $n has no bad node"
  done | { ! grep .; }
}
ok "each check has a bad node" each_has_a_bad_one
ok "there are many" test $count -ge 60
done_testing
