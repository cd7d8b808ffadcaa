# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# For the tests in this folder; source it from the top of the tree. It adds to
# tests/tap.sh what tests on a cluster need:
#
#   $work    a directory of this test alone, writable by every user, with the
#            programs `hog` (hog.c) and `limits` (limits.sh) for jobs to run,
#            and `where` (where.sh) for them to source
#   run      a command with its $out, $err and $status
#   is, like, unlike, at_most    compare values
#   wait_for, all_idle, job_state, state_files    look at the cluster

# shellcheck source=tests/tap.sh
. tests/tap.sh

if [ -z "${GBM_CLUSTER_DIR-}" ]; then
  echo "Bail out! Run this in a cluster: tests/slurm/cluster.sh run -- prove $0"
  exit 1
fi

work=$(mktemp -d "$GBM_CLUSTER_DIR/tmp/test.XXXXXX") || exit
chmod 1777 "$work"
install -m 755 "${GBM_BUILD:-build}/tests/slurm/hog" "$work/hog" || exit
install -m 755 tests/slurm/limits.sh "$work/limits" || exit
install -m 644 tests/slurm/where.sh "$work/where" || exit
PATH=$work:$PATH

# How many times longer than on hardware anything may take: an emulated machine
# (tests/vm) has more than 1. Limits in seconds are to be multiplied by it.
slow=${GBM_SLOW:-1}

# Bytes of N MB.
mb() {
  echo $(($1 * 1024 * 1024))
}

# run COMMAND...: for two minutes at most.
run() {
  timeout -k 10 $((120 * slow)) "$@" >"$work/.out" 2>"$work/.err" </dev/null
  status=$?
  out=$(<"$work/.out")
  err=$(<"$work/.err")
}

# as_user, before a command: as an account that may do nothing special.
# shellcheck disable=SC2034 # for the tests
as_user=(setpriv --reuid=nobody --regid=nogroup --clear-groups
  env HOME="$work")

# cgroup_v2: is that what the cluster runs on?
cgroup_v2() {
  [ -e /sys/fs/cgroup/cgroup.controllers ]
}

# sanitized: is the plugin, by `make check-slurm-asan`?
sanitized() {
  grep -q __asan_init "$GBM_CLUSTER_DIR/plugin/spank_gbm.so"
}

# capped JOB STEP: what `limits` prints below caps of so many MB without swap.
capped() {
  echo "job $(mb "$1") step $(mb "$2") with-swap $(mb "$2")$(swappiness 0)"
}

# grants_swap: do Slurm's limits leave any to jobs? With cgroup v1 it limits the
# sum of memory and swap, with v2 the swap; there Slurm up to 23.02.5 takes
# AllowedSwapSpace=0 for as much as memory.
grants_swap() {
  ! cgroup_v2 || [[ $(sinfo --version) == *\ 22.05.* ]]
}

# allow_swap PERCENT: makes them, also elsewhere. With 0 it is as before.
allow_swap() {
  grants_swap && return
  sed -i "s/^AllowedSwapSpace=.*/AllowedSwapSpace=$1/" \
    "$GBM_CLUSTER_DIR/etc/slurm/cgroup.conf"
  scontrol reconfigure
  settle
}

# slurms_swap CAP MB: memory and swap that Slurm's limits of a job of so many MB
# leave to a cap.
slurms_swap() {
  if ! cgroup_v2; then
    echo "$2"
  elif grants_swap; then
    echo $(($1 + $2))
  else
    echo "$1"
  fi
}

# with_swap CAP MB: what is left to a cap and so much swap, of which Slurm grants
# all or nothing.
with_swap() {
  if grants_swap; then
    echo $(($1 + $2))
  else
    echo "$1"
  fi
}

# The end of a line of `limits`, which cgroup v2 has not.
swappiness() {
  cgroup_v2 || echo " swappiness $1 $1"
}

# slurms MB: what `limits` prints where the limits are Slurm's; there is no
# swapping, since that holds for every job.
slurms() {
  if cgroup_v2; then
    echo "job $(mb "$1") step $(mb "$1") with-swap $(mb "$1")"
  else
    capped "$1" "$1"
  fi
}

# What a node's jobs may use together, in bytes: what the cluster's own reserve=
# leaves of all memory, or by default all but 15 % or 256 MB.
usable() {
  awk '
    $1 == "required" && match($0, / reserve=[0-9]+K/) {
      reserve = substr($0, RSTART + 9, RLENGTH - 10) * 1024
    }
    $1 == "MemTotal:" {
      all = $2 * 1024
      if (!reserve) {
        reserve = all * 0.15
        if (reserve < 256 * 1048576)
          reserve = 256 * 1048576
      }
      printf "%d\n", all - reserve
    }' "$GBM_CLUSTER_DIR/etc/slurm/plugstack.conf.d/gbm.conf" /proc/meminfo
}

# settings [WORD...]: the plugin's arguments from now on, beside those of the
# cluster; a reserve= instead of its own. Each command and each step reads them
# anew. The tests of a file find and leave none, also when it is stopped
# half-way.
settings() {
  local file=$GBM_CLUSTER_DIR/etc/slurm/plugstack.conf.d/gbm.conf
  [ -e "$work/gbm.conf" ] || {
    cp "$file" "$work/gbm.conf"
    trap settings EXIT
  }
  local edit="s|\$|${*:+ $*}|"
  [[ "$*" != *reserve=* ]] || edit="s| reserve=[^ ]*||; $edit"
  # In one piece: a step may be reading it.
  sed "/^required /{ $edit; }" "$work/gbm.conf" >"$file.new" &&
    mv "$file.new" "$file"
}

# anywhere TEXT: without the name of the node, where Slurm may choose it.
anywhere() {
  printf '%s\n' "${1//node0[1-9] /}"
}

same() {
  [ "$1" = "$2" ] && return
  printf 'got:\n%s\nwanted:\n%s\n' "$1" "$2"
  return 1
}

# is NAME GOT WANTED
is() {
  ok "$1" same "$2" "$3"
}

matches() {
  grep -qE -- "$2" <<<"$1" && return
  printf 'nothing matches: %s\nin:\n%s\n' "$2" "$1"
  return 1
}

matches_not() {
  grep -E -- "$2" <<<"$1" || return 0
  printf 'should not match: %s\n' "$2"
  return 1
}

# like NAME TEXT REGEX, unlike NAME TEXT REGEX: by lines.
like() {
  ok "$1" matches "$2" "$3"
}

unlike() {
  ok "$1" matches_not "$2" "$3"
}

is_at_most() {
  [ "$1" -le "$2" ] 2>/dev/null && return
  printf '%s is not at most %s\n' "${1:-nothing}" "$2"
  return 1
}

# at_most NAME NUMBER LIMIT
at_most() {
  ok "$1" is_at_most "$2" "$3"
}

# wait_for SECONDS COMMAND...: until COMMAND succeeds; $slow times longer.
wait_for() {
  local end=$((SECONDS + $1 * slow)) said
  shift
  until said=$("$@" 2>&1); do
    [ $SECONDS -lt $end ] || {
      printf 'waited in vain for: %s\n%s\n' "$*" "$said"
      return 1
    }
    sleep 0.2
  done
}

# By what sinfo prints: its own filter takes nodes for idle that still tidy up.
all_idle() {
  [ "$(sinfo -h -N -o %T | sort -u)" = idle ] || {
    sinfo -N -o '%N %T %E'
    return 1
  }
}

# settle: the next job shall not wait for the leftovers of the last one.
settle() {
  wait_for 30 all_idle >/dev/null
}

job_state() {
  scontrol -o show job "$1" | grep -o 'JobState=[A-Z_]*' | cut -d= -f2
}

# With all of its components.
job_over() {
  local states
  states=$(job_state "$1")
  [ -n "$states" ] &&
    ! grep -qE 'PENDING|RUNNING|COMPLETING|CONFIGURING' <<<"$states"
}

# shellcheck disable=SC2034 # all for the tests
# batch [OPTION...] <SCRIPT: a job from beginning to end, for $BATCH_SECONDS (60)
# at most; sets $job, $out (the job's output), $err (sbatch's own) and $state.
batch() {
  job=
  cat >"$work/script"
  err=$(sbatch --parsable --chdir="$work" --output=%j.out "$@" \
    "$work/script" 2>&1 >"$work/.job")
  status=$?
  job=$(<"$work/.job")
  [ $status -eq 0 ] || return
  wait_for "${BATCH_SECONDS:-60}" job_over "$job" || scancel "$job"
  out=$(<"$work/$job.out")
  state=$(job_state "$job")
}

# What the plugin remembers of jobs, on all nodes: their caps.
state_files() {
  [ ! -d "$GBM_CLUSTER_DIR/run/gbm" ] ||
    find "$GBM_CLUSTER_DIR/run/gbm" -type f -name 'job_*'
}

# pids NAME...: of Slurm's daemons. Where a reconfigure starts one anew, it has
# the full name of its file, Debian's slurmd-wlm.
pids() {
  local names=$*
  pgrep -x "(${names// /|})(-wlm)?"
}

# The pid of slurmd of NODE, which has a host name of its own.
slurmd_of() {
  local pid
  for pid in $(pids slurmd); do
    [ "$(nsenter --uts --target "$pid" hostname 2>/dev/null)" != "$1" ] ||
      echo "$pid"
  done
}

# keep_place NODE: the namespaces of its slurmd outlive it, for start_slurmd.
keep_place() {
  local pid
  pid=$(slurmd_of "$1")
  exec {place_net}<"/proc/$pid/ns/net" {place_uts}<"/proc/$pid/ns/uts"
}

# start_slurmd NODE: in the place that was kept. On v2 it starts in its service's
# group, which systemd would have made anew: Slurm 24.11 puts the next jobs below
# the group in which it starts.
start_slurmd() {
  local service=
  if cgroup_v2; then
    service=/sys/fs/cgroup/system.slice/$1_slurmd.service
    find "$service" -depth -type d -delete
    mkdir "$service" || return
  fi
  nsenter "--net=/proc/self/fd/$place_net" "--uts=/proc/self/fd/$place_uts" \
    bash -c "${service:+echo 0 >$service/cgroup.procs && INVOCATION_ID=1} \
      exec slurmd -D $place_net<&- $place_uts<&-" \
    </dev/null &>>"$GBM_CLUSTER_DIR/log/$1.out" &
  disown
  exec {place_net}<&- {place_uts}<&-
  wait_for 20 eval "[ -n \"\$(slurmd_of $1)\" ]"
}

# restart_slurmd NODE [SIGNAL]: ends slurmd and starts it again in its place.
restart_slurmd() {
  local pid
  pid=$(slurmd_of "$1")
  keep_place "$1" || return
  kill -s "${2:-TERM}" "$pid"
  wait_for 20 sh -c "! kill -0 $pid 2>/dev/null"
  start_slurmd "$1"
}
