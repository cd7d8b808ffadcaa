#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# For the tests beside it: source it in the top directory, then use tap.sh's
# functions and these.
# shellcheck disable=SC2034 # used by those who source it
set -u
. tests/tap.sh

bin=${GBM_BUILD:-$PWD/build}/bin
# The tests' own programs.
helpers=${GBM_BUILD:-$PWD/build}/tests/mpi
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT

# What an outer job, or a user, has set must not steer these runs.
unset GBM_MEM_CAP GBM_ISA "${!OMPI_@}" "${!PMIX_@}" "${!PMI_@}" \
  "${!SLURM_@}" "${!OMP_@}"

# Open MPI leaks in modules that it has unloaded by the time this is reported,
# so that they cannot be told from ours; collective.c counts ours.
[ -z "${SANITIZE-}" ] || export ASAN_OPTIONS=detect_leaks=0

# Open MPI wants to be told to run as root, and to start more ranks than cores.
mpi_options=()
case $(mpirun --version 2>/dev/null) in
*'Open MPI'* | *OpenRTE*)
  mpi_options=(--allow-run-as-root --oversubscribe --bind-to none)
  ;;
esac

# Put before mpirun: a command that runs it, such as taskset's.
around=()

# mpi N COMMAND...
mpi() {
  local ranks=$1
  shift
  "${around[@]}" timeout -k 5 300 mpirun "${mpi_options[@]}" -n "$ranks" "$@"
}

# A CPU that this shell may run on.
first_cpu() {
  taskset -pc $$ | sed 's/.*: *\([0-9]*\).*/\1/'
}

# field FILE KEY...: what one JSON object in FILE holds, values exactly as
# written there, one a line.
field() {
  perl -MJSON::PP -e '
    my $file = shift;
    open my $in, "<", $file or die "$file: $!\n";
    my @lines = <$in>;
    die "$file: @{[scalar @lines]} lines instead of one\n" if @lines != 1;
    my $json = JSON::PP->new->allow_bignum;
    my $object = $json->decode($lines[0]);
    for (@ARGV) {
      die "$file: no $_\n" unless exists $object->{$_};
      my $value = $object->{$_};
      print defined $value ? ref $value eq "ARRAY" ? "@$value" : $value
        : "null", "\n";
    }' "$@"
}

# make_group NAME: a memory cgroup below this shell's own, as $group, removed in
# the end; a command with "${inside[@]}" before it runs there.  Or why there is
# none, in $obstacle.
make_group() {
  local parent
  obstacle=
  if [ "$(id -u)" -ne 0 ]; then
    obstacle="needs root, to make a memory cgroup"
    return 1
  fi
  parent=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' \
    /proc/mounts)
  if [ -z "$parent" ]; then
    obstacle="needs the memory controller of cgroup v1"
    return 1
  fi
  parent+=$(sed -n 's/^[0-9]*:memory://p' /proc/self/cgroup)
  group=${parent%/}/gbm-$1.$$
  if ! mkdir "$group" 2>/dev/null; then
    obstacle="no cgroup can be made in $parent"
    return 1
  fi
  trap 'rm -rf "$tmp"; remove_group' EXIT
  # shellcheck disable=SC2016 # for the shell in the group
  inside=(sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group")
}

# Processes that have ended may be counted for a moment.
remove_group() {
  local i
  for i in 1 2 3 4 5 6 7 8 9; do
    rmdir "$group" 2>/dev/null && return
    sleep 0.1
  done
  rmdir "$group"
}

# is GOT EXPECTED
is() {
  [ "$1" = "$2" ] || { echo "got:      $1"; echo "expected: $2"; return 1; }
}

# run COMMAND...: its streams go to $tmp/out and $tmp/err, its status to $status.
run() {
  "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
  status=$?
}

# What gbm_sim itself wrote on stderr: mpirun adds its own opinion.
own_lines() {
  grep '^gbm_sim: ' "$tmp/err"
}

# refused STATUS WORD: the last run ended with STATUS, wrote no result and one
# sentence that holds WORD.
refused() {
  is "$status" "$1" || { cat "$tmp/err"; return 1; }
  is "$(cat "$tmp/out")" "" || return
  is "$(own_lines | wc -l)" 1 || { cat "$tmp/err"; return 1; }
  own_lines | grep -qF -- "$2" || { cat "$tmp/err"; return 1; }
}
