#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gbm-node-check's options, exit statuses and JSON, what it prints of trees that
# want to do harm, and that it waits for nobody.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/node/lib.sh

# refused NAME TEXT OPTION...: with one sentence that has TEXT.
refused() {
  local name=$1 text=$2
  shift 2
  run "$@"
  is "$name: exit status" "$status" 64
  is "$name: nothing on stdout" "$out" ""
  is "$name: a line that says what" \
    "$(wc -l <<<"$err") $(grep -cF -e "$text" <<<"$err")" "1 1"
}

refused "an unknown option" "'--jason' is no option; see: gbm-node-check --help" --jason
refused "a word too many" "'all' is no option" all
refused "no value" "--root needs a value" --root
refused "an empty one" "--share needs a value" --share=
refused "a tree that is none" "--root '$work/none' is no directory" --root "$work/none"
refused "a name that is none" "--node 'a b' is no name of a node" --node 'a b'
refused "a command for a name" "is no name of a node" --node '$(echo ran >&2)'
refused "a share that is none" "give a path that begins with /" --share clusterfs
mkdir "$work/empty"
refused "--self-test of a captured tree" "leave out --root" --self-test --root "$work/empty"
refused "--self-test in Slurm's check" "takes too long" --self-test --health

run --help
is "--help: exit status" "$status" 0
described() {
  local option
  while read -r option _; do
    grep -qE "^\.It Fl ${option#-}( |\$)" docs/gbm-node-check.8 ||
      { echo "$option is not in docs/gbm-node-check.8" && return 1; }
  done < <(grep -E '^  --[a-z-]+' <<<"$out")
}
ok "the manual has the options of --help" described

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  is "--self-test without root: exit status" "$(setpriv --reuid=nobody \
    --regid=nogroup --clear-groups bash -s -- --self-test <"$check" \
    >/dev/null 2>&1; echo $?)" 77
else
  skip "--self-test without root" "needs root to become somebody else"
fi

tree bookworm "$work/tree"
run --root "$work/tree"
is "a good node: 0" "$status" 0
sed -i 's/^KillOnBadExit=1/KillOnBadExit=0/' "$work/tree/etc/slurm/slurm.conf"
run --root "$work/tree"
is "a WARN: 1" "$status" 1
sed -i 's/^DefMemPerCPU=.*//' "$work/tree/etc/slurm/slurm.conf"
run "--root=$work/tree/"
is "a FAIL: 2" "$status" 2
run --root "$work/tree" --node node03
is "another name is known, too" "$(worst 7)" OK

# Commands to paste do what they promise.
paste_fix() {
  grep -A 1 "^FAIL *$1 " <<<"$out" | sed -n 's/^        sudo //p' |
    sed "s|/etc/slurm|$work/tree/etc/slurm|g; s| && sudo systemctl.*||" |
    bash
}
sed -i 's/RealMemory=1792/RealMemory=4096/' "$work/tree/etc/slurm/slurm.conf"
run --root "$work/tree"
is "RealMemory is wrong" "$(worst 7)" FAIL
paste_fix 7
run --root "$work/tree"
is "and right after what was pasted" "$(worst 7)" OK
sed -i 's/^TaskPlugin=.*/TaskPlugin=task\/none/' "$work/tree/etc/slurm/slurm.conf"
run --root "$work/tree"
is "TaskPlugin is wrong" "$(worst 5)" FAIL
paste_fix 5
run --root "$work/tree"
is "and right after what was pasted, too" "$(worst 5)" OK

# JSON, of a good node, of a bad one, and of none.
valid() {
  if command -v jq >/dev/null; then
    jq -e '(.checks | length) == 23 and
      ([.checks[].number] == [range(1; 24)]) and
      ([.checks[] | select(.findings | length == 0)] == []) and
      ([.checks[].status, .checks[].findings[].status] | unique -
        ["OK", "INFO", "WARN", "FAIL", "NOT_CHECKED"] == [])' <<<"$out"
  else
    python3 -c 'import json, sys
assert [c["number"] for c in json.load(sys.stdin)["checks"]] == list(range(1, 24))
' <<<"$out"
  fi
}
json() {
  if command -v jq >/dev/null || python3 -c '' 2>/dev/null; then
    ok "$1: JSON" valid
  else
    skip "$1: JSON" "neither jq nor python3 is installed"
  fi
}
run --root "$work/tree" --json
json "a bad node"
is "a bad node: its exit status" "$status" 2
tree trixie "$work/tree"
run --root "$work/tree" --json
json "a good node"
is "and its exit status" "$status" 0
run --root "$work/empty" --json
json "an empty tree"
run --root "$work/empty"
is "an empty tree: nothing is called good or bad without being seen" \
  "$(awk '$1 != "-" { print $2 }' <<<"$out" | xargs)" ""

# hostile NAME: the tree in $work/tree; text, JSON and nothing else.
hostile() {
  run --root "$work/tree"
  is "$1: no word of bash's" "$err" ""
  is "$1: 23 checks" "$(grep -v '^ ' <<<"$out" | awk '{ print $2 }' |
    sort -nu | wc -l)" 23
  is "$1: printable" "$(LC_ALL=C grep -c '[^ -~]' <<<"$out")" 0
  run --root "$work/tree" --json
  json "$1"
}
# each_file SCRIPT WORD...: for each file of a good node, which is $0 in it.
each_file() {
  tree bookworm "$work/tree"
  find "$work/tree" -type f -exec sh -c "$1" {} "${@:2}" \;
}
each_file ': >"$0"'
hostile "empty files"
each_file 'head -c 3000 /dev/urandom >"$0"'
hostile "noise for files"
# Commands in there would be seen on stderr.
{
  printf '\033[2J\303\n\r\t'
  printf '%s\n' '"\\"$(echo ran >&2)`echo ran >&2`;&|<>%s'"'" \
    'a[$(echo ran >&2)]=1' 'x=$(echo ran >&2)'
} >"$work/quotes"
each_file 'cp "$1" "$0"' "$work/quotes"
hostile "quotes and commands for files"
each_file 'sed -i "s/[0-9][0-9]*/99999999999999999999999999/g" "$0"'
hostile "huge numbers"
each_file 'sed -i "s/[0-9][0-9]*/-1/g" "$0"'
hostile "negative numbers"
each_file 'rm "$0"; mkdir "$0"'
hostile "directories for files"
each_file 'rm "$0"; ln -s "${0##*/}" "$0"'
hostile "links to themselves"
each_file 'rm "$0"; mkfifo "$0"'
hostile "pipes that nobody writes to"
tree bookworm "$work/tree"
awk 'BEGIN { for (i = 0; i < 60000; i++) printf "NodeName=node[%s]", i
  print ""; for (i = 0; i < 60000; i++) print "TaskPlugin=x" i }' \
  >"$work/tree/etc/slurm/slurm.conf"
head -c 3000000 /dev/zero | tr '\0' ' ' >"$work/tree/etc/hosts"
hostile "long files"
tree bookworm "$work/tree"
mkdir "$work/tree/etc/slurm/a b"
mv "$work/tree" "$work/a tree; with 'all' \$(that)"
run --root "$work/a tree; with 'all' \$(that)"
is "a tree with a strange name" "$status" 0

# For real, with programs of ours in the place of Slurm's, which all hang: only
# that nobody is waited for, and nothing else, is shown by this.
mkdir "$work/bin"
for program in scontrol srun slurmd munge unmunge systemctl timedatectl chronyc \
  vcgencmd; do
  printf '#!/bin/sh\ntrap "" TERM INT HUP\nwhile :; do sleep 60; done\n' \
    >"$work/bin/$program"
  chmod +x "$work/bin/$program"
done
started=$(date +%s%N)
PATH=$work/bin:$PATH SLURM_CONF=$PWD/slurm-config/slurm.conf run --node node01
took=$((($(date +%s%N) - started) / 1000000))
echo "# $took ms when every program hangs"
ok "it waits for no program" test $took -lt 15000
is "and says so" "$(grep -c 'did not answer within' <<<"$out")" \
  "$(grep -c 'did not answer' <<<"$out")"
ok "of some" grep -q 'did not answer within' <<<"$out"
is "and does not call that a fault" "$(grep '^FAIL' <<<"$out" | grep -cE \
  'munge does|controller refuses')" 0
# Each of them ends with its timeout.
hangers() {
  pgrep -fa "$work/bin/"
}
for ((i = 0; i < 100; i++)); do
  hangers || break
  sleep 0.1
done
ok "none of them is left" eval '! hangers'
done_testing
