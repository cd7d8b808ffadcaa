#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a node does under programs that take too much memory. Runs inside a
# cluster, on the node, and prints one line per row and repetition, with tabs:
#
#   ROW WITH GAP_MS NEXT_MS DAEMONS MESSAGE MEMORY STATUS VERDICT
#
# README.md in this folder says what the columns are.

set -u

usage() {
  cat >&2 <<END
usage: rows.sh [-n TIMES] [-c CAP_MB] [-m HOG_MB] [-g GAP_MS]
               none|mem|plugin [ROW...]

Runs the rows (default: all) without any limit, with Slurm's --mem, or with
--gbm-mem-cap. Run it in a cluster only: tests/campaign/run.sh does.
END
  exit 64
}

rows='malloc creep forks threads shared devshm sysv mlock cache mapfile thrash
  balloon two_jobs window naive'
if [ "${1-}" = --list ]; then
  # shellcheck disable=SC2086 # a list
  echo $rows
  exit
fi

times=1 cap=1000 hog=1600 gap_limit=1000
while getopts n:c:m:g: option; do
  case $option in
  n) times=$OPTARG ;;
  c) cap=$OPTARG ;;
  m) hog=$OPTARG ;;
  g) gap_limit=$OPTARG ;;
  *) usage ;;
  esac
done
shift $((OPTIND - 1))
with=${1-}
shift
case $with in
none) limit=() ;;
mem) limit=("--mem=${cap}M") ;;
plugin) limit=("--mem=$((cap + 100))M" "--gbm-mem-cap=${cap}M") ;;
*) usage ;;
esac

[ -n "${GBM_CLUSTER_DIR-}" ] || {
  echo 'rows.sh: run this in a cluster; see tests/campaign/README.md' >&2
  exit 64
}
build=${GBM_BUILD:-build}
work=$(mktemp -d "$GBM_CLUSTER_DIR/tmp/campaign.XXXXXX") || exit
chmod 1777 "$work"
install -m 755 "$build"/tests/campaign/{glutton,heartbeat} "$work" || exit
cd "$work" || exit

# Whose job takes the memory, and whose comes next.
as() {
  local user=$1
  shift
  setpriv --reuid="$user" --regid=nogroup --clear-groups \
    env HOME="$work" PATH="$work:$PATH" "$@"
}

now_ms() {
  local t=$EPOCHREALTIME
  echo $((${t%.*} * 1000 + 10#${t#*.} / 1000))
}

# one PROGRAM...: in a job on the node, limited as the row wants.
one() {
  as nobody timeout 180 srun -n1 -w "$node" "${limit[@]}" "$@"
}

# Each row runs its jobs and returns a status; their stderr is looked at.

row_forks() { one glutton forks "$hog"; }
row_naive() { one naive_gbm "$((hog / 8))e6"; }
row_cache() { one glutton cache "$hog"; }

# A rank on each node; only the last one takes too much.
row_balloon() {
  # shellcheck disable=SC2016 # for the task
  as nobody timeout 180 srun -N "$nodes" --ntasks-per-node=2 "${limit[@]}" sh -c '
    [ "$SLURM_PROCID" = $((SLURM_NTASKS - 1)) ] || exec sleep 60
    exec glutton malloc '"$hog"
}

# Each within its limit, but not both within the node.
row_two_jobs() {
  local first mb=$((hog * 6 / 10)) status=0 limit=()
  case $with in
  mem) limit=(--mem=700M) mb=680 ;;
  plugin) limit=(--mem=700M --gbm-mem-cap=700M) mb=680 ;;
  esac
  one glutton malloc $mb 8 &
  first=$!
  one glutton malloc $mb 8 || status=$?
  wait $first || status=$?
  return $status
}

# Slurm lifts a job's limit at the start of each of its steps.
row_window() {
  cat >"$work/window" <<END
#!/bin/bash
(while srun --overlap -n1 true; do :; done) &
srun --overlap -n1 glutton creep $hog
status=\$?
kill %1
exit \$status
END
  as nobody timeout 180 sbatch --quiet --wait -w "$node" -n2 "${limit[@]}" \
    --output="$work/window.out" "$work/window"
  local status=$?
  cat "$work/window.out" >&2
  return $status
}

run_row() {
  if declare -F "row_$1" >/dev/null; then
    "row_$1"
  elif [ "$1" = thrash ]; then
    one glutton thrash "$hog" 20
  else
    one glutton "$1" "$hog"
  fi
}

# Of the node alone where nodes share a machine, else of the machine.
memory_used() {
  local cgroup=/sys/fs/cgroup/memory/slurm_$node/memory.usage_in_bytes
  if [ -r "$cgroup" ]; then
    echo $(($(<"$cgroup") / 1048576))
  else
    awk '$1 == "MemTotal:" { all = $2 } $1 == "MemAvailable:" { free = $2 }
      END { print int((all - free) / 1024) }' /proc/meminfo
  fi
}

# Memory is back when no more than 2 % of a 2 GB node is missing, in 5 s.
memory_is_back() {
  local before=$1 end=$((SECONDS + 5))
  while [ $SECONDS -le $end ]; do
    [ "$(memory_used)" -gt $((before + 40)) ] || return 0
    sleep 0.2
  done
  return 1
}

# The daemons that were there at the beginning, by their process ids.
daemons() {
  pgrep -x 'slurmd|munged|slurmctld' | sort | tr '\n' ' '
}

# What a row has to say on its job's stderr; nothing where the job may end well.
sentence='gbm: (task|a process|[0-9]+ processes).* killed: .*(RAM cap|together)'
message() {
  local status=$1
  if [ "$with" != plugin ]; then
    grep -qE 'oom|Out Of Memory|killed' "$work/err" && echo Slurm || echo none
  elif [ "$status" = 0 ]; then
    ! grep -q 'gbm: .*killed' "$work/err" && echo right || echo wrong
  else
    grep -qE "$sentence" "$work/err" && echo right || echo wrong
  fi
}

measure() {
  local row=$1 before alive beat gap next start status
  before=$(memory_used)
  alive=$(daemons)
  "$work/heartbeat" >"$work/gap" &
  beat=$!
  run_row "$row" >"$work/out" 2>"$work/err"
  status=$?
  start=$(now_ms)
  if as daemon timeout 60 srun -n1 -w "$node" --mem=50 true \
    >"$work/next" 2>&1; then
    next=$(($(now_ms) - start))
  else
    next=never
  fi
  local back=no up=dead told verdict=good
  ! memory_is_back "$before" || back=back
  [ "$(daemons)" != "$alive" ] || up=alive
  kill -TERM $beat
  wait $beat
  gap=$(<"$work/gap")
  told=$(message $status)
  [ "$next" != never ] && [ "$gap" -le "$gap_limit" ] && [ $back = back ] &&
    [ $up = alive ] && [ "$told" != wrong ] || verdict=bad
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$row" "$with" "$gap" \
    "$next" $up "$told" $back "$status" $verdict
  [ $verdict = good ] || sed 's/^/# /' "$work/err" "$work/next"
  # Leftovers of one row are not the next one's.
  rm -f /dev/shm/glutton.*
  ipcs -m | awk '$3 == "nobody" { print $2 }' | xargs -r -n1 ipcrm -m
}

nodes=$(sinfo -h -N -o %N | sort -u | wc -l)
node=$(sinfo -h -N -o %N | sort -u | tail -n 1)
# shellcheck disable=SC2086 # a list
[ $# -gt 0 ] || set -- $rows
for ((i = 0; i < times; i++)); do
  for row; do
    measure "$row"
  done
done
