#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A private Slurm cluster on this one machine: real munged, slurmctld and
# slurmd from the packages, the files of slurm-config/, the plugin from
# build/. README.md in this folder tells how to use it and how it works.
#
# The script runs itself four times over, each inside the other:
#   run     on the machine: makes the directory and the cgroups, and a
#           janitor that removes them whatever happens
#   join    in namespaces of its own: enters the cgroups
#   master  with the cgroups for a root: configuration, daemons, the command
#   node    in a network and with a host name of its own: one slurmd

set -u
self=$(readlink -f "$0")
top=$(readlink -f "${self%/*}/../..")

# Exit status: the command's own, or one of these (sysexits.h).
EX_USAGE=64
EX_UNAVAILABLE=69 # this machine cannot host the cluster
EX_SOFTWARE=70    # it should, but something did not start

# The cluster's own network; nothing outside of it can see these addresses.
NET=192.168.1
MASTER_IP=$NET.10

die() {
  local status=$1
  shift
  printf 'cluster.sh: %s\n' "$*" >&2
  exit "$status"
}

usage() {
  cat <<END
usage: cluster.sh run [-N NODES] [-c CORES] [-- COMMAND [ARGUMENT...]]

Starts a private Slurm cluster of NODES nodes (default 2, up to 9) with CORES
cores each (default: as many as this machine has, but 2 to 4), runs COMMAND
in it (default: a shell), stops it, and returns the COMMAND's exit status.
Needs root, and cgroup v1 or v2.

GBM_KEEP=1   keep the cluster's directory with its logs, and say where it is
GBM_BUILD    where the programs and the plugin are (default: $top/build)
GBM_CONFIGURE  a file of this tree for the shell to read once the cluster's
             configuration is there, and that may change it
GBM_PLUGIN   another plugin than the one in there
GBM_SLOW     how many times longer than usual the start may take
GBM_PRELOAD  libraries for all of Slurm's programs that load the plugin, such
             as the libasan.so that a sanitized one needs; what sanitizers
             report is shown at the end, and makes the exit status 1
END
}

# Mount points of the hierarchies that Slurm uses, one per line: those of
# cgroup v1, or where there is none that of v2. /proc/mounts writes blanks in
# names as \040, which no sane hierarchy has.
cgroup_mounts() {
  awk '$3 == "cgroup" { v1[n++] = $2 }
    $3 == "cgroup2" && !v2 { v2 = $2 }
    END {
      for (i = 0; i < n; i++) print v1[i]
      if (!n && v2) print v2
    }' /proc/self/mounts
}

# The one with the memory controller.
memory_mount() {
  local mount
  for mount in $(cgroup_mounts); do
    if [ -e "$mount/cgroup.controllers" ]; then
      grep -qw memory "$mount/cgroup.controllers" && echo "$mount"
    else
      awk -v mount="$mount" \
        '$2 == mount && ("," $4 ",") ~ /,memory,/ { print $2 }' \
        /proc/self/mounts
    fi
  done
}

# The mount point of cgroup v2, where the cluster runs on that.
v2_mount() {
  local mount
  mount=$(memory_mount)
  [ ! -e "$mount/cgroup.controllers" ] || echo "$mount"
}

# enable DIRECTORY: of cgroup v2, all controllers that it has for those in it.
enable() {
  local controller
  for controller in $(<"$1/cgroup.controllers"); do
    echo "+$controller" >"$1/cgroup.subtree_control" || return
  done
}

# On the machine.

run() {
  local nodes=2 cores option OPTIND=1
  cores=$(nproc)
  [ "$cores" -ge 2 ] || cores=2
  [ "$cores" -le 4 ] || cores=4
  while getopts :N:c:h option; do
    case $option in
    N) nodes=$OPTARG ;;
    c) cores=$OPTARG ;;
    h)
      usage
      exit
      ;;
    :) die $EX_USAGE "-$OPTARG needs a value; see: cluster.sh --help" ;;
    *) die $EX_USAGE "unknown option -$OPTARG; see: cluster.sh --help" ;;
    esac
  done
  shift $((OPTIND - 1))
  case $nodes in
  [1-9]) ;;
  *) die $EX_USAGE "-N '$nodes': the number of nodes is 1 to 9" ;;
  esac
  case $cores in
  [1-9] | [1-5][0-9] | 6[0-4]) ;;
  *) die $EX_USAGE "-c '$cores': the cores of a node are 1 to 64" ;;
  esac

  [ "$(id -u)" = 0 ] ||
    die $EX_UNAVAILABLE "slurmd and cgroups need root; try: sudo $self run"
  local tool missing=
  for tool in munged slurmctld slurmd srun sinfo scontrol ip unshare setpriv; do
    command -v $tool >/dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] ||
    die $EX_UNAVAILABLE "not installed:$missing; try: apt-get install" \
      "munge slurmctld slurmd slurm-client iproute2 util-linux"
  local memory
  memory=$(memory_mount)
  [ -n "$memory" ] ||
    die $EX_UNAVAILABLE "no cgroup memory controller is mounted here;" \
      "see /proc/mounts"
  local build=${GBM_BUILD:-$top/build}
  local plugin=${GBM_PLUGIN:-$build/plugin/spank_gbm.so}
  [ -r "$plugin" ] || die $EX_UNAVAILABLE "$plugin is missing; type: make"

  local dir
  dir=$(mktemp -d "${TMPDIR:-/tmp}/gbm-cluster.XXXXXX") ||
    die $EX_SOFTWARE "cannot make a directory in ${TMPDIR:-/tmp}"
  chmod 755 "$dir"
  # The path of a socket, which is in there, has room for 107 characters.
  [ ${#dir} -le 70 ] || {
    rmdir "$dir"
    die $EX_SOFTWARE "'$TMPDIR' is too long a path; try: TMPDIR=/tmp $self run"
  }
  local name=${dir##*/}

  # The janitor sits in a session of its own and reads from a pipe that
  # nobody writes to. The pipe closes when this script ends in whatever way,
  # SIGKILL included; then the janitor tidies up.
  local leash
  exec {leash}> >(exec setsid bash "$self" --janitor "$dir" "$name")
  local janitor=$!
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  # shellcheck disable=SC2064 # the values of now
  trap "release $leash $janitor $dir" EXIT

  make_cgroups "$name" "$nodes" ||
    die $EX_UNAVAILABLE "cannot make cgroups under $memory (a container?)"

  # All of it dies with this script: unshare by the parent-death signal, its
  # child by --kill-child, and everything else with that child, which is
  # process 1 of its PID namespace. In the background, because bash delays
  # traps while a foreground child runs; --default-signal, because bash
  # makes background children ignore Ctrl-C.
  setpriv --pdeathsig KILL env "--default-signal=INT,QUIT" unshare --mount \
    --pid --fork "--kill-child=KILL" --net --uts --ipc --propagation private \
    bash "$self" --join "$dir" "$nodes" "$cores" "$build" "$plugin" "$@" \
    <&0 {leash}>&- &
  wait $!
}

make_cgroups() {
  local name=$1 nodes=$2 mount file
  for mount in $(cgroup_mounts); do
    mkdir "$mount/$name" || return
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$mount/$name/$file" ] ||
        [ -e "$mount/cgroup.controllers" ] ||
        cat "$mount/$file" >"$mount/$name/$file" || return
    done
  done
  # Whatever goes wrong inside: not more than so many Pis have.
  mount=$(v2_mount)
  if [ -n "$mount" ]; then
    enable "$mount" && echo $((nodes * 2))G >"$mount/$name/memory.max"
  else
    echo $((nodes * 2))G >"$(memory_mount)/$name/memory.limit_in_bytes"
  fi
}

release() {
  local leash=$1
  exec {leash}>&-
  wait "$2" 2>/dev/null
  [ "${GBM_KEEP-}" != 1 ] || printf 'cluster.sh: kept %s\n' "$3" >&2
}

# The janitor.

# Kills what is still inside the cluster's cgroups, and nothing else, then
# removes them and the directory.
janitor() {
  local dir=$1 name=$2 mount left _
  trap '' HUP INT TERM QUIT
  while read -r _; do :; done # until the leash is let go

  for _ in {1..100}; do
    left=
    for mount in $(cgroup_mounts); do
      [ -d "$mount/$name" ] || continue
      find "$mount/$name" -name cgroup.procs -exec cat {} + 2>/dev/null |
        sort -u | xargs -r kill -KILL 2>/dev/null
      # Not by rmdir: users may have nested them deeper than a path is long.
      find "$mount/$name" -depth -type d -delete 2>/dev/null
      [ ! -d "$mount/$name" ] || left="$left $mount/$name"
    done
    [ -n "$left" ] || break
    sleep 0.1
  done
  awk -v dir="$dir/" 'index($1, dir) == 1 { print $1 }' /proc/swaps |
    xargs -r swapoff
  [ -z "$left" ] || printf 'cluster.sh: could not remove%s\n' "$left" >&2
  [ "${GBM_KEEP-}" = 1 ] || rm -rf "$dir"
}

# Into the cluster's cgroups, as process 1 of its PID namespace; the process
# that waits for it stays outside. From there on they are the root.
join() {
  local dir=$1 mount
  for mount in $(cgroup_mounts); do
    echo 0 >"$mount/${dir##*/}/cgroup.procs" ||
      die $EX_UNAVAILABLE "cannot enter the cgroup $mount/${dir##*/}"
  done
  exec unshare --cgroup bash "$self" --master "$@"
}

# In namespaces of its own: the controller, and what the user runs.

master() {
  local dir=$1 nodes=$2 cores=$3 build=$4 plugin=$5 status
  local preload=${GBM_PRELOAD-}
  shift 5
  unset GBM_PRELOAD # a cluster inside this one finds our scripts
  isolate "$dir" ||
    die $EX_UNAVAILABLE "cannot set up namespaces (a container?)"
  configure "$dir" "$nodes" "$cores" "$plugin"
  [ -z "$preload" ] || preload "$dir" "$preload"

  # Whoever runs this in a job of another Slurm shall not carry it over.
  unset "${!SLURM_@}" "${!SBATCH_@}" "${!SALLOC_@}" "${!SRUN_@}" GBM_MEM_CAP
  export SLURM_CONF=$dir/etc/slurm/slurm.conf PATH=$build/bin:$top/tools:$PATH
  export TMPDIR=$dir/tmp GBM_CLUSTER_DIR=$dir GBM_CLUSTER_NODES=$nodes

  start_daemons "$dir" "$nodes"

  # Process 1 of the namespace: when it ends, the kernel kills the daemons.
  if [ $# -gt 0 ]; then
    "$@"
  else
    shell "$dir" "$nodes"
  fi
  status=$?
  [ -z "$preload" ] || reports "$dir" || status=1
  return $status
}

# preload DIR LIBRARIES: puts scripts in the place of Slurm's programs, for
# this cluster only. Those of users by the loader's own option, as a variable
# would be handed on to the jobs; the daemons, which are looked for by their
# names and hand on nothing, by a variable.
preload() {
  local dir=$1 libraries=$2 program path loader how
  loader=$(awk '$6 ~ /\/ld-linux/ { print $6; exit }' /proc/self/maps)
  mkdir "$dir/real" "$dir/preload" || die $EX_SOFTWARE "cannot fill $dir"
  mkdir -m 1777 "$dir/reports" || die $EX_SOFTWARE "cannot fill $dir"
  for program in slurmd slurmstepd srun sbatch salloc; do
    path=$(readlink -f "$(command -v $program || echo /usr/sbin/$program)")
    case $program in
    slurmd | slurmstepd) how="env LD_PRELOAD='$libraries'" ;;
    *) how="$loader --preload '$libraries' --argv0 \"\$0\"" ;;
    esac
    # In each script, as slurmd gives the prolog a new environment. Slurm
    # itself leaks. What wraps the sanitizer's allocator comes before it.
    cat >"$dir/preload/$program" <<END
#!/bin/sh
export ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0
ASAN_OPTIONS=\$ASAN_OPTIONS:handle_sigill=1:log_path=$dir/reports/asan
exec $how $dir/real/$program "\$@"
END
    chmod 755 "$dir/preload/$program"
    touch "$dir/real/$program"
    { mount --bind "$path" "$dir/real/$program" &&
      mount --bind "$dir/preload/$program" "$path"; } ||
      die $EX_UNAVAILABLE "cannot mount over $path"
  done
}

# Fails when there are any.
reports() {
  local file status=0
  for file in "$1"/reports/*; do
    [ -e "$file" ] || continue
    status=1
    printf '%s\n' "--- ${file##*/}:" >&2
    cat "$file" >&2
  done
  return $status
}

isolate() {
  local dir=$1 mount hold=$1/hold
  mount -t proc proc /proc &&
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm || return

  # Only the cluster's own part of each hierarchy is left to be seen, as if
  # it were the whole: two clusters may both have a /slurm_node01.
  mkdir "$hold" || return
  for mount in $(cgroup_mounts); do
    mount --bind "$mount/${dir##*/}" "$hold" && umount -l "$mount" &&
      mount --move "$hold" "$mount" || return
  done
  rmdir "$hold"
  mount=$(v2_mount)
  [ -z "$mount" ] || like_systemd "$mount" || return

  hostname master && ip link set lo up &&
    ip link add pi type bridge && ip addr add $MASTER_IP/24 dev pi &&
    ip link set pi up
}

# like_systemd MOUNT: what Slurm finds on cgroup v2 as systemd would have made
# it. A group with processes in it cannot hand its controllers down; only a
# machine's real root can, to which slurmstepd moves when its step has ended.
# Here it lands in init.scope.
like_systemd() {
  mkdir "$1/init.scope" "$1/system.slice" &&
    echo 0 >"$1/init.scope/cgroup.procs" &&
    enable "$1" && enable "$1/system.slice" &&
    mount --bind "$1/init.scope/cgroup.procs" "$1/cgroup.procs"
}

# put FILE OLD NEW: replaces the one place of FILE that reads OLD. The
# cluster must run on the files that are shipped, so a text that is not
# found, or found twice, is an error and not a warning.
put() {
  local text
  text=$(<"$1")
  case $text in
  *"$2"*"$2"*) die $EX_SOFTWARE "'$2' stands twice in slurm-config/${1##*/}" ;;
  *"$2"*) printf '%s\n' "${text/"$2"/"$3"}" >"$1" ;;
  *) die $EX_SOFTWARE "'$2' is not in slurm-config/${1##*/} any more" ;;
  esac
}

fill() {
  local dir=$1 etc=$1/etc/slurm
  mkdir -p "$etc" "$dir/var/ctld" "$dir/run/munge" "$dir/log" "$dir/plugin" &&
    mkdir -m 1777 "$dir/tmp" &&
    cp -r "$top"/slurm-config/*.{conf,lua} "$top/slurm-config/plugstack.conf.d" \
      "$etc" || return
  # A copy, because users other than root must be able to read it, too.
  install -m 755 "$2" "$dir/plugin/spank_gbm.so"
}

configure() {
  local dir=$1 nodes=$2 cores=$3 plugin=$4
  local etc=$dir/etc/slurm var=$dir/var node
  fill "$dir" "$plugin" || die $EX_SOFTWARE "cannot fill $dir"

  # Everything that differs from slurm-config/:
  local conf=$etc/slurm.conf list="node[01-0$nodes]"
  put "$conf" 'NodeName=node[01-04]' "NodeName=$list"
  put "$conf" 'Nodes=node[01-04]' "Nodes=$list"
  put "$conf" CPUs=4 "CPUs=$cores"
  put "$conf" CoresPerSocket=4 "CoresPerSocket=$cores"
  # Nodes larger than this machine: Slurm must believe the file, and tasks
  # cannot be bound to cores that are not there.
  local kb
  kb=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
  if [ "$cores" -gt "$(nproc)" ] || [ "$kb" -lt $((1792 * 1024)) ]; then
    put "$conf" SlurmctldParameters= \
      $'SlurmdParameters=config_overrides\nSlurmctldParameters='
  fi
  if [ "$cores" -gt "$(nproc)" ]; then
    put "$conf" TaskPlugin=task/affinity,task/cgroup TaskPlugin=task/cgroup
    put "$etc/cgroup.conf" ConstrainCores=yes ConstrainCores=no
  fi
  put "$conf" socket=/run/munge "socket=$dir/run/munge"
  put "$conf" SlurmctldPidFile=/run "SlurmctldPidFile=$dir/run"
  put "$conf" SlurmdPidFile=/run/slurmd.pid "SlurmdPidFile=$dir/run/%n.pid"
  put "$conf" StateSaveLocation=/var/lib/slurm/slurmctld \
    "StateSaveLocation=$var/ctld"
  put "$conf" SlurmdSpoolDir=/var/lib/slurm/slurmd "SlurmdSpoolDir=$var/%n"
  put "$conf" SlurmctldLogFile=/var/log/slurm "SlurmctldLogFile=$dir/log"
  put "$conf" SlurmdLogFile=/var/log/slurm/slurmd.log \
    "SlurmdLogFile=$dir/log/%n.log"
  put "$conf" TmpFS=/var/tmp "TmpFS=$var/%n"
  put "$conf" PlugStackConfig=/etc/slurm "PlugStackConfig=$etc"
  put "$etc/plugstack.conf" "include /etc/slurm" "include $etc"
  put "$etc/plugstack.conf.d/gbm.conf" "required spank_gbm.so" \
    "required $dir/plugin/spank_gbm.so"
  # Each node sees all of the machine's memory: leave its jobs what those of a
  # Pi with 2 GB have.
  local reserve=
  [ "$kb" -le $((2048 * 1024)) ] || reserve=" reserve=$((kb - 1740 * 1024))K"
  put "$etc/plugstack.conf.d/gbm.conf" state_dir=/run/gbm \
    "state_dir=$dir/run/gbm$reserve"

  # systemd is not in here, and would not know the processes by their ids.
  [ -z "$(v2_mount)" ] || printf '\nIgnoreSystemd=yes\n' >>"$etc/cgroup.conf"

  # For tests of other configurations.
  # shellcheck source=/dev/null
  [ -z "${GBM_CONFIGURE-}" ] || . "$top/$GBM_CONFIGURE"

  printf '127.0.0.1 localhost\n%s master\n' $MASTER_IP >"$dir/etc/hosts"
  for ((node = 1; node <= nodes; node++)); do
    mkdir "$var/node0$node"
    printf '%s node0%d\n' $NET.1$node $node >>"$dir/etc/hosts"
  done
  mount --bind "$dir/etc/hosts" /etc/hosts ||
    die $EX_UNAVAILABLE "cannot mount over /etc/hosts"
  chown slurm: "$var/ctld" "$dir/log" ||
    die $EX_UNAVAILABLE "no account 'slurm'; the package slurmctld makes it"
}

start_daemons() {
  local dir=$1 nodes=$2 node
  (umask 077 && head -c 128 /dev/urandom >"$dir/etc/munge.key")

  munged --foreground --force --key-file="$dir/etc/munge.key" \
    --socket="$dir/run/munge/munge.socket.2" \
    --pid-file="$dir/run/munge/munged.pid" --seed-file="$dir/var/munge.seed" \
    --log-file="$dir/log/munged.log" </dev/null &>"$dir/log/munged.out" &
  started $! munged "$dir/log/munged.out"
  wait_until $((10 * ${GBM_SLOW:-1})) test -S "$dir/run/munge/munge.socket.2" ||
    failed munged "made no socket" "$dir/log/munged.log"

  slurmctld -D </dev/null &>"$dir/log/slurmctld.out" &
  started $! slurmctld "$dir/log/slurmctld.out"
  for ((node = 1; node <= nodes; node++)); do
    unshare --net --uts bash "$self" --node "$dir" "$node" \
      </dev/null &>"$dir/log/node0$node.out" &
    started $! "slurmd of node0$node" "$dir/log/node0$node.out"
  done
  disown -a

  # An emulated machine may have GBM_SLOW times as long.
  local seconds=$((60 * ${GBM_SLOW:-1}))
  wait_until $seconds nodes_idle "$nodes"
  case $? in
  0) ;;
  2) failed "$dead" "ended" "$deadlog" ;;
  *)
    sinfo -N -o '%N %T %E' >&2
    failed Slurm "has not got all $nodes nodes idle after $seconds s" \
      "$dir/log/slurmctld.log"
    ;;
  esac
}

declare -A daemon=() daemon_log=()
started() {
  daemon[$1]=$2
  daemon_log[$1]=$3
}

# True (0), not yet (1), or never (2): a daemon is gone.
nodes_idle() {
  local pid
  for pid in "${!daemon[@]}"; do
    kill -0 "$pid" 2>/dev/null && continue
    dead=${daemon[$pid]} deadlog=${daemon_log[$pid]}
    return 2
  done
  [ "$(sinfo -h -N -o %T 2>/dev/null | grep -cx idle)" = "$1" ]
}

# wait_until SECONDS COMMAND...: 0 when COMMAND succeeds, else its last status
wait_until() {
  local end=$((SECONDS + $1)) status
  shift
  while :; do
    "$@"
    status=$?
    [ $status -eq 1 ] && [ $SECONDS -lt $end ] || return $status
    sleep 0.1
  done
}

failed() {
  printf '%s\n' "--- the end of $3:" >&2
  tail -n 15 "$3" >&2
  printf '%s\n' "---" >&2
  die $EX_SOFTWARE "$1 $2; GBM_KEEP=1 keeps all logs"
}

shell() {
  local dir=$1 nodes=$2
  cat <<END
A private Slurm cluster of $nodes node(s). Try:
  sinfo
  srun -N$nodes --gbm-mem-cap=256M hostname
  srun --gbm-mem-cap=128M naive_gbm 1e8
  ls $dir/log
Leave it with 'exit' or Ctrl-D; everything stops then.
END
  # shellcheck disable=SC2016 # for the other shell
  printf '%s\n' '[ ! -r ~/.bashrc ] || . ~/.bashrc' \
    "PATH=$PATH" 'PS1="[gbm cluster] \w \\$ "' >"$dir/etc/bashrc"
  bash --rcfile "$dir/etc/bashrc" -i
}

# With a network and a host name of its own: a node.

node() {
  local dir=$1 node=$2
  local outside=(nsenter --net=/proc/1/ns/net) mount
  mount=$(v2_mount)
  if [ -n "$mount" ]; then
    # As systemd starts slurmd.service; the variable tells slurmd that the
    # group it is in is its own.
    mount+=/system.slice/node0${node}_slurmd.service
    { mkdir "$mount" && echo 0 >"$mount/cgroup.procs"; } ||
      die $EX_SOFTWARE "cannot make the cgroup of node0$node"
    export INVOCATION_ID=1
  fi
  # As in slurmd.service; jobs that lock memory inherit it.
  ulimit -l unlimited
  hostname "node0$node" && ip link set lo up &&
    "${outside[@]}" ip link add "node0$node" type veth \
      peer name eth0 netns $$ &&
    "${outside[@]}" ip link set "node0$node" master pi up &&
    ip addr add "$NET.1$node/24" dev eth0 && ip link set eth0 up &&
    exec slurmd -D
  die $EX_SOFTWARE "cannot set up the network of node0$node"
}

case ${1-} in
run)
  shift
  run "$@"
  ;;
--join | --master | --node | --janitor) "${1#--}" "${@:2}" ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit $EX_USAGE
  ;;
esac
