#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The campaign: the same programs that take too much memory, against the same
# node, with no limit, with Slurm's --mem and with the plugin. README.md in
# this folder tells what is measured; the rows are on stdout.

set -u
cd "$(dirname "$0")/../.." || exit

usage() {
  cat >&2 <<END
usage: run.sh [-n TIMES] [-r RELEASE] all
       run.sh [-n TIMES] v1 [ROW...]
       run.sh [-n TIMES] [-r RELEASE] v2 [none|mem|plugin [ROW...]]
       run.sh [-n TIMES] pi [none|mem|plugin [ROW...]]

v1   the plugin's rows on a private cluster of this machine, below a limit
v2   in machines of 2 GB with cgroup v2 and swap; all three unless one is named
pi   the same on an emulated Raspberry Pi 4, which is slow; only the plugin's
     rows, and few of them, unless others are named
all  the three
END
  exit 64
}

# A machine without a sign of life for this long has frozen: seconds.
silence=120
# The same for one that has not got as far as its first row.
start=600

EX_TEMPFAIL=75 # of rows.sh: a machine that is lost for other rows

# The machine or cluster that is running, if any: it ends with this script.
pid=
stop() {
  [ -z "$pid" ] || kill -TERM "$pid" 2>/dev/null
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

times=1 release=bookworm
while getopts n:r: option; do
  case $option in
  n) times=$OPTARG ;;
  r) release=$OPTARG ;;
  *) usage ;;
  esac
done
shift $((OPTIND - 1))

# told WORLD LINE: a line of rows.sh's, with the world before it and this
# machine's load behind it.
told() {
  case $2 in
  '# alive') ;;
  none$'\t'* | mem$'\t'* | plugin$'\t'*)
    printf '%s\t%s\t%s\n' "$1" "$2" "$(cut -d' ' -f1 /proc/loadavg)"
    ;;
  *) printf '# %s\t%s\n' "$1" "${2#\# }" ;;
  esac
}

# v1 [ROW...]
v1() {
  local line out
  exec {out}< <(exec env GBM_CONFIGURE=tests/campaign/configure.sh \
    GBM_CAMPAIGN=plugin tests/slurm/cluster.sh run -- \
    tests/campaign/rows.sh -n "$times" plugin "$@" 2>&1)
  pid=$!
  while IFS= read -r -u $out line; do
    told v1 "$line"
  done
  wait $pid || told v1 plugin$'\t'"the cluster has ended with status $?"
  pid=
  exec {out}<&-
}

# machine WORLD WITH [ROW...], with vm.sh's options in $vm and those of rows.sh
# in $options: machines for all rows. One that freezes, or does not get over a
# row, is followed by another one for the rest.
machine() {
  local world=$1 with=$2 line out wait status rows
  shift 2
  [ $# -gt 0 ] || eval "set -- $(tests/campaign/rows.sh --list)"
  while [ $# -gt 0 ]; do
    rows=$#
    exec {out}< <(exec tests/vm/vm.sh run "${vm[@]}" -s none -d -- \
      env GBM_CONFIGURE=tests/campaign/configure.sh GBM_CAMPAIGN="$with" \
      tests/slurm/cluster.sh run -- tests/campaign/rows.sh -l \
      "${options[@]}" "$with" "$@" 2>&1)
    pid=$!
    wait=$start status=0
    while :; do
      IFS= read -r -t $wait -u $out line || {
        status=$?
        break
      }
      wait=$silence
      told "$world" "$line"
      case $line in "$with"$'\t'*) shift ;; esac
    done
    if [ $status -gt 128 ]; then # silence, and no end of file
      kill -TERM $pid
    else
      wait=0
    fi
    wait $pid
    status=$?
    pid=
    exec {out}<&-
    [ $# -gt 0 ] || return 0
    [ $wait:$status:$rows != "0:$EX_TEMPFAIL:$#" ] || wait=no
    case $wait:$status in
    0:"$EX_TEMPFAIL") continue ;;
    no:*) line="?\tnever\t?\t?\t?\t?\tnot idle" ;;
    0:*) line="?\tnever\t?\t?\t?\t?\tcrashed" ;;
    "$start":*) line="?\tnever\t?\t?\t?\t?\tdid not start" ;;
    *) line=">${silence}000\tnever\t?\t?\t?\t?\tfroze" ;;
    esac
    told "$world" "$with"$'\t'"$1"$'\t'"$(printf '%b' "$line")"
    shift
  done
}

# v2 WITH [ROW...]
v2() {
  # More than the machine has where nothing is to stop it.
  local hog=1600 vm=(-r "$release" -t 7200) i
  [ "$1" != none ] || hog=2400
  local options=(-g 3000 -m "$hog" -t 400)
  for ((i = 0; i < times; i++)); do
    machine v2 "$@"
  done
}

# pi WITH [ROW...]
pi() {
  local hog=1600 vm=(-r "$release-arm64" -t 36000) i with=$1
  local silence=$((silence * 5)) start=$((start * 5))
  shift
  [ "$with" != none ] || hog=2400
  local options=(-g 3000 -m "$hog" -t 900)
  [ $# -gt 0 ] || set -- quiet malloc creep forks devshm two_jobs naive
  for ((i = 0; i < times; i++)); do
    machine pi "$with" "$@"
  done
}

# every WORLD: with all that a job may be limited by.
every() {
  local with
  for with in none mem plugin; do
    "$1" $with
  done
}

printf '# %s, load %s\n' "$(date -u '+%Y-%m-%d %H:%M UTC')" \
  "$(cut -d' ' -f1-3 /proc/loadavg)"
printf '# host\t%s, %s cores of %s\n' "$(uname -sr)" "$(nproc)" \
  "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
world=${1-}
shift
case $world in
v1) v1 "$@" ;;
v2)
  if [ $# -gt 0 ]; then
    v2 "$@"
  else
    every v2
  fi
  ;;
pi)
  [ $# -gt 0 ] || set -- plugin
  pi "$@"
  ;;
all)
  v1
  every v2
  pi plugin
  ;;
*) usage ;;
esac
