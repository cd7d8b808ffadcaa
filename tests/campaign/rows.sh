#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What a node does under programs that take too much memory. Runs inside a
# cluster, on the node, and prints one line per row and repetition, with tabs:
#
#   WITH ROW GAP_MS NEXT_MS DAEMONS MESSAGE BACK_MS STATE VERDICT
#
# and lines that begin with # about them. README.md in this folder says what the
# columns are.

set -u

usage() {
  cat >&2 <<END
usage: rows.sh [-n TIMES] [-c CAP_MB] [-m HOG_MB] [-g GAP_MS] [-t SECONDS]
               [-l] none|mem|plugin [ROW...]

Runs the rows (default: all) without any limit, with Slurm's --mem, or with
--gbm-mem-cap. Run it in a cluster only: tests/campaign/run.sh does. A job may
take 180 s, or SECONDS, the next one a third of that, and the return of memory a
36th. With -l a sign of life is printed every five seconds. Ends with 75 when
the node is lost for other rows.
END
  exit 64
}

EX_TEMPFAIL=75

rows='quiet malloc creep forks threads shared devshm sysv mlock cache mapfile
  thrash balloon two_jobs window naive'
if [ "${1-}" = --list ]; then
  # shellcheck disable=SC2086 # a list
  echo $rows
  exit
fi

here=$(cd "$(dirname "$0")" && pwd) || exit
# shellcheck source=tests/campaign/sentence.sh
. "$here/sentence.sh"

times=1 cap=1000 hog=1600 gap_limit=1000 patience=180 life=
while getopts n:c:m:g:t:l option; do
  case $option in
  n) times=$OPTARG ;;
  c) cap=$OPTARG ;;
  m) hog=$OPTARG ;;
  g) gap_limit=$OPTARG ;;
  t) patience=$OPTARG ;;
  l) life=1 ;;
  *) usage ;;
  esac
done
shift $((OPTIND - 1))
with=${1-}
shift
# What is to be written at random must fit, else it is just one more malloc.
case $with in
none) limit=() thrash=$((hog - 300)) ;;
mem) limit=("--mem=${cap}M") thrash=$((cap + cap * 4 / 10)) ;;
plugin)
  limit=("--mem=$((cap + cap / 10))M" "--gbm-mem-cap=${cap}M")
  thrash=$((cap + cap * 4 / 10))
  ;;
*) usage ;;
esac

[ -n "${GBM_CLUSTER_DIR-}" ] || {
  echo 'rows.sh: run this in a cluster; see tests/campaign/README.md' >&2
  exit 64
}
build=${GBM_BUILD:-build}
work=$(mktemp -d "$GBM_CLUSTER_DIR/tmp/campaign.XXXXXX") || exit
chmod 1777 "$work"
install -m 755 "$build"/tests/campaign/{glutton,heartbeat,balloon_mpi} \
  "$work" || exit
cd "$work" || exit
[ -n "$life" ] || exec {life}>"$work/beat"

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
  as nobody timeout "$patience" srun -n1 -w "$node" "${limit[@]}" "$@"
}

# Each row runs its jobs and returns a status; their stderr is looked at.

row_quiet() { one sleep 10; }
row_forks() { one glutton forks "$hog"; }
row_thrash() { one glutton thrash "$thrash" 20; }
row_naive() { one naive_gbm "$((hog / 8))e6"; }

# Two ranks on each node; those on the last one are the first to have too much,
# and the last rank has more than the other. There may be more ranks than cores.
row_balloon() {
  OMPI_MCA_mpi_yield_when_idle=1 as nobody timeout "$patience" srun -N "$nodes" \
    --ntasks-per-node=2 --mpi=pmix "${limit[@]}" balloon_mpi "$hog"
}

# Each within its limit, but not both within the node; neither begins before
# both are there.
row_two_jobs() {
  local first mb=$((hog * 6 / 10)) status=0 limit=()
  case $with in
  mem) limit=(--mem=700M) mb=680 ;;
  plugin) limit=(--mem=700M --gbm-mem-cap=700M) mb=680 ;;
  esac
  cat >"$work/both" <<END
#!/bin/bash
touch $work/up.\$1
until [ -e $work/up.1 ] && [ -e $work/up.2 ]; do sleep 0.1; done
exec glutton malloc $mb 8
END
  chmod +x "$work/both"
  rm -f "$work"/up.*
  one both 1 &
  first=$!
  one both 2 || status=$?
  wait $first || status=$?
  return $status
}

# Slurm lifts a job's limit at the start of each of its steps, and this job
# waits for that.
row_window() {
  cat >"$work/window" <<END
#!/bin/bash
(sleep 3; while srun --overlap -n1 true; do :; done) &
srun --overlap -n1 glutton window $hog
status=\$?
kill %1
exit \$status
END
  rm -f "$work/window.out"
  as nobody timeout "$patience" sbatch --quiet --wait -w "$node" -n2 "${limit[@]}" \
    --output="$work/window.out" "$work/window"
  local status=$?
  grep '^glutton:' "$work/window.out"
  cat "$work/window.out" >&2
  return $status
}

run_row() {
  if declare -F "row_$1" >/dev/null; then
    "row_$1"
  else
    one glutton "$1" "$hog"
  fi
}

# What is left of the node's memory in KB: of the node alone where nodes share
# a machine, else of the machine.
memory_left() {
  local dir=/sys/fs/cgroup/memory/slurm_$node key value _
  if [ -r "$dir" ]; then
    echo $((($(<"$dir/memory.limit_in_bytes") - \
      $(<"$dir/memory.usage_in_bytes")) / 1024))
  else
    while read -r key value _; do
      [ "$key" != MemAvailable: ] || echo "$value"
    done </proc/meminfo
  fi
}

# back BEFORE: milliseconds until all but 2 % of what was left before is left
# again, or "no" after five seconds, or as much longer as everything may take.
back() {
  local start now
  start=$(now_ms)
  while now=$(($(now_ms) - start)); do
    [ "$(memory_left)" -lt $(($1 - $1 / 50)) ] || {
      echo $now
      return
    }
    [ $now -lt $((patience * 1000 / 36)) ] || break
    sleep 0.1
  done
  echo no
}

# The daemons that were there at the beginning, by their process ids.
daemons() {
  pgrep -x 'slurmd|munged|slurmctld' | sort | tr '\n' ' '
}

all_idle() {
  [ "$(sinfo -h -N -o %T | sort -u)" = idle ]
}

# What an earlier row's jobs still do is not the next one's.
settle() {
  local end=$((SECONDS + patience / 3))
  until all_idle; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.5
  done
}

# jobs_of_row: ID and state of each, as "12 OUT_OF_MEMORY", one per line.
jobs_of_row() {
  squeue -h -t all -u nobody -o '%i %T' | sort -n |
    awk -v last="$last_job" '$1 > last'
}

message() {
  local row=$1 status=$2 ids
  if [ "$with" != plugin ]; then
    grep -qE 'oom|Out Of Memory|killed' "$work/err" && echo Slurm || echo none
    return
  fi
  ids=$(awk '{ print $1 }' <<<"$jobs" | paste -sd '|')
  judge "$row" "$status" "$node" "$ids" "$cap" <"$work/err"
}

lost() {
  echo "# the node is lost for other rows"
  exit $EX_TEMPFAIL
}

measure() {
  local row=$1 before alive beat gap='' parts='' next start status back
  local up=dead told verdict=good
  settle || lost
  before=$(memory_left)
  alive=$(daemons)
  last_job=$(squeue -h -t all -o %i | sort -n | tail -n 1)
  "$work/heartbeat" 2>&"$life" >"$work/gap" &
  beat=$!
  run_row "$row" >"$work/out" 2>"$work/err"
  status=$?
  start=$(now_ms)
  back "$before" >"$work/back" &
  back=$!
  if as daemon timeout $((patience / 3)) srun -n1 -w "$node" --mem=50 true \
    >"$work/next" 2>&1; then
    next=$(($(now_ms) - start))
  else
    next=never
  fi
  wait $back
  back=$(<"$work/back")
  [ "$(daemons)" != "$alive" ] || up=alive
  kill -TERM $beat
  wait $beat
  IFS=, read -r gap parts <"$work/gap"
  settle
  jobs=$(jobs_of_row)
  told=$(message "$row" $status)
  # Only then did the row do what it is for.
  [ "$row$with" != windowplugin ] ||
    grep -q 'for a moment' "$work/out" || told=missed
  case $told in right | Slurm | none) ;; *) verdict=bad ;; esac
  [ "$next" != never ] && [ "${gap:-0}" -le "$gap_limit" ] &&
    [ -n "$gap" ] && [ "$back" != no ] && [ $up = alive ] || verdict=bad
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$with" "$row" \
    "${gap:-died}" "$next" $up "$told" "$back" \
    "$(awk '{ print $2 }' <<<"$jobs" | sort -u | paste -sd,)" $verdict
  [ "${gap:-0}" -le "$gap_limit" ] || echo "# of the gap:$parts"
  [ $verdict = good ] ||
    cat "$work"/{err,out,next,beat} - <<<"$jobs" 2>/dev/null | sed 's/^/# /'
  # Leftovers of one row are not the next one's.
  rm -f /dev/shm/glutton.*
  ipcs -m | awk '$3 == "nobody" { print $2 }' | xargs -r -n1 ipcrm -m
  case $next$up$gap in
  never* | *dead* | *alive) lost ;;
  esac
}

nodes=$(sinfo -h -N -o %N | sort -u | wc -l)
node=$(sinfo -h -N -o %N | sort -u | tail -n 1)
# shellcheck disable=SC2086 # a list
[ $# -gt 0 ] || set -- $rows
echo "# $(uname -sr), $(nproc) cores, $(awk '
  { mb[$1] = int($2 / 1024) }
  END { print mb["MemTotal:"] " MB, " mb["SwapTotal:"] " MB of swap" }
  ' /proc/meminfo), Slurm $(sinfo --version | cut -d' ' -f2)"
for ((i = 0; i < times; i++)); do
  for row; do
    measure "$row"
  done
done
