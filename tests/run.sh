#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Runs suites of tests with prove and ends with one line of counts:
#
#   tests/run.sh [unit] [isa] [build] [mpi] [slurm] [vm] [disk] [releases] [pi]
#     [deb] [stats]
#
# The Makefile calls it and says where things are (GBM_BUILD, GBM_MAKE).
# Every test prints TAP; what it printed stays in GBM_BUILD/tests/log/.
# Fails when a test failed, when a suite ran nothing at all, and with
# GBM_NO_SKIP=1 when anything was skipped. GBM_LINT=no leaves out what is said of
# the sources' texts.
set -u
shopt -s nullglob

cd "$(dirname "$0")/.." || exit
export GBM_SRCDIR=$PWD
export GBM_BUILD=${GBM_BUILD:-$PWD/build}
export GBM_MAKE=${GBM_MAKE:-make}

# prove calls this for each test, so that its output is kept.
if [ "${1-}" = --one ]; then
  log=$GBM_BUILD/tests/log/$GBM_SUITE/$(basename "$2")
  "$2" | tee "$log"
  status=${PIPESTATUS[0]}
  echo "# exit $status" >>"$log"
  exit "$status"
fi

# A cluster runs this: the tests of a queue that no other cluster has taken.
if [ "${1-}" = --queue ]; then
  # take: the next of them, in $test.
  take() {
    exec {lock}>"$1.lock"
    flock "$lock"
    read -r test <"$1" && sed -i 1d "$1"
    local status=$?
    exec {lock}>&-
    return $status
  }
  status=0
  while take "$2"; do
    "${@:3}" "$test" || status=$?
  done
  exit $status
fi

# Sanitized code is several times slower than Check's limit of 4 s expects.
[ -z "${SANITIZE-}" ] || export CK_TIMEOUT_MULTIPLIER=10

passed=0 failed=0 skipped=0 skips=() failures=()

fail() {
  failed=$((failed + 1))
  failures+=("$GBM_SUITE: $1")
}

skip() {
  echo "$GBM_SUITE: SKIP $1"
  skipped=$((skipped + 1))
  skips+=("$GBM_SUITE: $1")
}

# Why the Slurm tests cannot run here, or nothing.
slurm_obstacle() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "needs root, as slurmd does to confine jobs"
  elif ! awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { found = 1 }
      END { exit !found }' /proc/mounts &&
    ! grep -qw memory /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
    echo "needs the memory controller of cgroup v1 or v2, which is not mounted"
  elif ! [ -e "$GBM_BUILD/plugin/spank_gbm.so" ]; then
    echo "the plugin was not built: Slurm's headers are missing"
  else
    for program in slurmctld slurmd srun munged; do
      command -v $program >/dev/null || echo "$program is missing"
    done
  fi
}

# vm_obstacle PROGRAM...: why the machines, which need these, cannot be made and
# run here, or nothing.
vm_obstacle() {
  if [ "$(id -u)" -ne 0 ]; then
    echo "needs root, as making the machines' disks does"
  elif ! [ -e "$GBM_BUILD/plugin/spank_gbm.so" ]; then
    echo "the plugin was not built: Slurm's headers are missing"
  else
    for program in mmdebstrap mkfs.ext4 "$@"; do
      command -v "$program" >/dev/null || echo "$program is missing"
    done
  fi
}

# Prints what one log holds: "F text" for a failure, "S reason" for a skip, and
# last the counts, "N passed failed skipped".
read_log() {
  awk '
    /^1\.\.0/ {
      sub(/^1\.\.0 *#? *([Ss][Kk][Ii][Pp][^ ]*)? */, "")
      all = 1; s++; print "S " $0
      next
    }
    /^1\.\.[0-9]/ { planned = substr($1, 4); next }
    /^ok.*# *[Ss][Kk][Ii][Pp]/ {
      seen++; s++; bad = 0
      sub(/^ok *[0-9]* *-? */, "")
      sub(/ *# *[Ss][Kk][Ii][Pp][^ ]* */, ": "); sub(/^: /, "")
      print "S " $0
      next
    }
    /^not ok/ && !/# *TODO/ { seen++; f++; bad = 1; print "F " $0; next }
    /^(not )?ok/ { seen++; p++; bad = 0; next }
    /^Bail out!/ { f++; print "F " $0; next }
    /^# exit / { status = $3; next }
    /^#/ && bad { print "F " $0; next }
    { bad = 0 }
    END {
      if (!all && planned == "") {
        f++; print "F printed no plan (1..N)"
      } else if (!all && planned != seen + 0) {
        f++; print "F planned " planned " tests, ran " seen + 0
      }
      if (status == "" || (status != 0 && !f)) {
        f++; print "F exit status " (status == "" ? "unknown" : status)
      }
      print "N " p + 0, f + 0, s + 0
    }' "$1"
}

# clusters N TEST...: prove in N private clusters side by side, since most of the
# time the tests wait for Slurm. Each takes the next one when it is done, large
# files first: these take longest. The clusters end with this script, however it
# ends.
clusters() {
  local n=$1 i test pids=() status=0 log=$GBM_BUILD/tests/log
  shift
  # shellcheck disable=SC2012 # by size; these names have no blanks
  ls -S "$@" >"$log/queue"
  for ((i = 1; i <= n && i <= $#; i++)); do
    setpriv --pdeathsig TERM tests/slurm/cluster.sh run -- \
      "$PWD/tests/run.sh" --queue "$log/queue" "${prove[@]}" </dev/null \
      >"$log/cluster.$i" 2>&1 &
    pids+=($!)
  done
  for ((i = 1; i <= ${#pids[@]}; i++)); do
    wait "${pids[i - 1]}" || status=$?
    # What prove has to say of each file's success is one line.
    grep -Ev '^(All tests successful\.|Files=1, .*|Result: PASS|\[[0-9:]*\]|)$' \
      "$log/cluster.$i"
  done
  while read -r test; do
    fail "$test was not run"
  done <"$log/queue"
  rm -f "$log/queue" "$log/queue.lock"
  return $status
}

# run COMMAND...: the command that runs the tests of $GBM_SUITE, and what they
# have logged.
run() {
  local log=$GBM_BUILD/tests/log/$GBM_SUITE status file kind text
  local p f s executed=0 failed_before=$failed

  echo "$GBM_SUITE:"
  rm -rf "$log"
  mkdir -p "$log" || exit
  "$@"
  status=$?
  for file in "$log"/*; do
    while read -r kind text; do
      case $kind in
      F) failures+=("$GBM_SUITE/${file##*/}: $text") ;;
      S) skips+=("$GBM_SUITE/${file##*/}: ${text:-no reason given}") ;;
      N)
        read -r p f s <<<"$text"
        passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
        executed=$((executed + p + f))
        ;;
      esac
    done < <(read_log "$file")
  done
  if [ $executed -eq 0 ]; then
    fail "no test was executed"
  elif [ $status -ne 0 ] && [ $failed -eq "$failed_before" ]; then
    fail "ended with status $status although every test passed"
  fi
}

prove=(prove --timer --exec "$PWD/tests/run.sh --one")
case ${V:-0} in 0) ;; *) prove+=(-v) ;; esac
# Clusters, or machines, side by side for the tests that need one.
GBM_CLUSTERS=${GBM_CLUSTERS:-$(($(nproc) < 2 ? 1 : 2))}
for GBM_SUITE in "${@:-unit}"; do
  export GBM_SUITE
  case $GBM_SUITE in
  unit)
    tests=(tests/{kat,node,tools}/*.t)
    [ "${GBM_LINT-}" = no ] || tests=(tests/lint/*.t "${tests[@]}")
    for source in tests/unit/test_*.c tests/fuzz/fuzz_*.c; do
      tests+=("$GBM_BUILD/${source%.c}")
    done
    ;;
  isa | build | mpi | slurm | vm | disk | releases | pi | deb) tests=(tests/"$GBM_SUITE"/*.t) ;;
  stats) tests=("$GBM_BUILD"/tests/stats/{normals,prices} tests/stats/*.t) ;;
  *)
    echo "run.sh: there is no suite '$GBM_SUITE':" \
      "unit isa build mpi slurm vm disk releases pi deb stats" >&2
    exit 2
    ;;
  esac

  if [ ${#tests[@]} -eq 0 ]; then
    fail "there are no tests"
  elif [ "$GBM_SUITE" = build ] && [ -n "${SANITIZE-}" ]; then
    skip "what a sanitizer was built into is not for installation"
  elif [ "$GBM_SUITE" = mpi ] &&
    ! [ -e "$GBM_BUILD/lib/gbm-mc/libgbm_mpi.so" ]; then
    skip "libgbm_mpi was not built: there is no MPI"
  elif [[ $GBM_SUITE = @(vm|disk|releases) ]] &&
    obstacle=$(vm_obstacle qemu-system-x86_64) && [ -n "$obstacle" ]; then
    skip "$obstacle"
  elif [ "$GBM_SUITE" = pi ] && obstacle=$(vm_obstacle qemu-system-aarch64 \
    qemu-aarch64-static arch-test aarch64-linux-gnu-gcc) &&
    [ -n "$obstacle" ]; then
    skip "$obstacle"
  elif [ "$GBM_SUITE" = deb ] && obstacle=$(vm_obstacle qemu-aarch64-static \
    arch-test dpkg-scanpackages) && [ -n "$obstacle" ]; then
    skip "$obstacle"
  elif [ "$GBM_SUITE" = slurm ]; then
    obstacle=$(slurm_obstacle)
    if [ -n "$obstacle" ]; then
      skip "$obstacle"
    else
      run clusters "$GBM_CLUSTERS" "${tests[@]}"
    fi
  elif [ "$GBM_SUITE" = vm ]; then
    run "${prove[@]}" -j "$GBM_CLUSTERS" "${tests[@]}"
  elif [[ $GBM_SUITE = @(unit|isa|build|mpi) ]]; then
    # Large files take longest; what prove starts last should not.
    mapfile -t tests < <(ls -S "${tests[@]}")
    run "${prove[@]}" -j "$(nproc)" "${tests[@]}"
  else
    run "${prove[@]}" "${tests[@]}"
  fi
done

echo
for text in "${skips[@]}"; do
  echo "SKIP $text"
done
for text in "${failures[@]}"; do
  echo "FAIL $text"
done
echo "$passed passed, $failed failed, $skipped skipped"
if [ "${GBM_NO_SKIP:-0}" != 0 ] && [ $skipped -gt 0 ]; then
  echo "Nothing may be skipped in this run (GBM_NO_SKIP=1)." >&2
  exit 1
fi
[ $failed -eq 0 ]
