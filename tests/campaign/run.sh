#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The campaign: the same programs that take too much memory, against the same
# node, with no limit, with Slurm's --mem and with the plugin. README.md in
# this folder tells what is measured; the table is on stdout.

set -u
cd "$(dirname "$0")/../.." || exit

usage() {
  cat >&2 <<END
usage: run.sh [-n TIMES] v1 [ROW...]
       run.sh [-n TIMES] [-r RELEASE] v2 [none|mem|plugin [ROW...]]

v1   the plugin's rows on a private cluster of this machine, below a limit
v2   in machines of 2 GB with cgroup v2 and swap; all three unless one is named
END
  exit 64
}

# A machine that is silent for this long has frozen: seconds.
SILENCE=240

times=1 release=bookworm
while getopts n:r: option; do
  case $option in
  n) times=$OPTARG ;;
  r) release=$OPTARG ;;
  *) usage ;;
  esac
done
shift $((OPTIND - 1))

columns='row\twith\tgap_ms\tnext_ms\tdaemons\tmessage\tmemory\tstatus\tverdict\n'

v1() {
  GBM_CONFIGURE=tests/campaign/configure.sh GBM_CAMPAIGN=plugin \
    tests/slurm/cluster.sh run -- tests/campaign/rows.sh -n "$times" \
    plugin "$@"
}

# v2 WITH [ROW...]: a machine for as many rows as it survives.
v2() {
  local with=$1 line vm frozen
  # More than the machine has where nothing is to stop it.
  local hog=1600
  [ "$with" != none ] || hog=4000
  shift
  [ $# -gt 0 ] || eval "set -- $(tests/campaign/rows.sh --list)"
  while [ $# -gt 0 ]; do
    exec {vm}< <(exec tests/vm/vm.sh run -r "$release" -s none -t 7200 -- \
      env GBM_CONFIGURE=tests/campaign/configure.sh GBM_CAMPAIGN="$with" \
      tests/slurm/cluster.sh run -- tests/campaign/rows.sh -n "$times" \
      -g 3000 -m $hog "$with" "$@" 2>&1)
    local pid=$!
    frozen=yes
    while [ $# -gt 0 ]; do
      IFS= read -r -t $SILENCE -u $vm line || {
        [ $? -gt 128 ] || frozen=no
        break
      }
      printf '%s\n' "$line"
      # Each row comes TIMES times; the last one takes it off the list.
      case $line in
      "$1"$'\t'*) [ "$times" -gt 1 ] || shift ;;
      esac
    done
    kill -TERM $pid 2>/dev/null
    wait $pid
    exec {vm}<&-
    [ $# -gt 0 ] && [ "$times" -eq 1 ] || return 0
    if [ $frozen = yes ]; then
      printf '%s\t%s\t>%d000\tnever\t?\t?\t?\t?\tfroze\n' "$1" "$with" $SILENCE
    else
      printf '%s\t%s\t?\tnever\t?\t?\t?\t?\tcrashed\n' "$1" "$with"
    fi
    shift
  done
}

world=${1-}
shift
case $world in
v1)
  # shellcheck disable=SC2059 # with tabs
  printf "$columns"
  v1 "$@"
  ;;
v2)
  # shellcheck disable=SC2059
  printf "$columns"
  if [ $# -gt 0 ]; then
    v2 "$@"
  else
    for with in none mem plugin; do
      v2 $with
    done
  fi
  ;;
*) usage ;;
esac
