#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# cluster.sh itself: clusters inside this one, which is a machine like any.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

cluster=$PWD/tests/slurm/cluster.sh
export GBM_BUILD=${GBM_BUILD:-$PWD/build}

# leftovers DIRECTORY: of a cluster that is gone.
leftovers() {
  local found
  found=$(
    pgrep -af "$1"
    find "$1" -maxdepth 0 2>/dev/null
    find /sys/fs/cgroup -maxdepth 2 -name "${1##*/}" 2>/dev/null
  )
  [ -z "$found" ] || {
    echo "$found"
    return 1
  }
}

# shellcheck disable=SC2016 # for the cluster
run "$cluster" run -N1 -- bash -c 'echo $GBM_CLUSTER_DIR; srun hostname; exit 7'
is "the command's exit status is the script's" $status 7
is "the command runs in a working cluster" "${out#*$'\n'}" node01
ok "nothing is left of it" leftovers "${out%%$'\n'*}"

# Two with the same names of nodes, at the same time.
cat >"$work/meet" <<'END'
touch "$1.here"
for ((i = 0; i < 900; i++)); do
  [ ! -e "$2.here" ] || break
  sleep 0.1
done
[ -e "$2.here" ] || echo "never met $2"
srun -N2 sleep 1
srun -N2 hostname | sort | xargs
scontrol -o show jobs | wc -l
END
for side in a b; do
  other=$([ $side = a ] && echo b || echo a)
  timeout $((180 * slow)) "$cluster" run -- bash "$work/meet" "$work/$side" "$work/$other" \
    >"$work/$side.out" 2>&1 &
done
wait
for side in a b; do
  is "two clusters side by side: $side has only its own nodes and jobs" \
    "$(grep -v '^srun: job' "$work/$side.out")" "node01 node02
2"
done

cores=$(($(nproc) * 2))
run "$cluster" run -c $cores -- sh -c "srun -N2 -n$((cores * 2)) hostname"
is "nodes may have more cores than the machine" \
  "$(sort <<<"$out" | uniq -c | xargs)" "$cores node01 $cores node02"

# start: a cluster in the background with a job in it; sets $cluster_pid, $dir
start() {
  rm -f "$work/dir"
  # shellcheck disable=SC2016 # for the cluster
  "$cluster" run -N1 -- bash -c \
    'srun sh -c "echo $GBM_CLUSTER_DIR >$0; sleep 300"' "$work/dir" \
    >/dev/null 2>&1 &
  cluster_pid=$!
  wait_for 90 test -s "$work/dir"
  dir=$(<"$work/dir")
}

start
disown $cluster_pid # bash need not report its end
kill -KILL $cluster_pid
ok "after SIGKILL nothing is left, neither daemons nor the job" \
  wait_for 15 leftovers "$dir"

start
kill -TERM $cluster_pid
wait $cluster_pid
is "SIGTERM ends it" $? 143
ok "and nothing is left" leftovers "$dir"

mkdir -p "$work/build/plugin"
cp "$work/hog" "$work/build/plugin/spank_gbm.so"
run env -u GBM_PLUGIN GBM_BUILD="$work/build" "$cluster" run -N1 -- true
is "a plugin that does not load is a failure to start" $status 70
like "which shows the end of the log" "$err" 'Failed to load plugin'
like "and is said in a sentence" "$err" '^cluster.sh: slurm.* ended'

run env -u GBM_PLUGIN GBM_BUILD="$work/nothing" "$cluster" run -- true
is "a plugin that was not built is found missing" \
  "$status $(grep -o 'type: make' <<<"$err")" "69 type: make"

# What users copy is what is tested, or nothing is.
mkdir -p "$work/tree/tests/slurm"
cp -r slurm-config "$work/tree"
cp "$cluster" "$work/tree/tests/slurm"
sed -i 's/^TmpFS=.*/TmpFS=\/tmp/' "$work/tree/slurm-config/slurm.conf"
run "$work/tree/tests/slurm/cluster.sh" run -N1 -- true
is "a text to be replaced that is gone stops the start" $status 70
like "and is named" "$err" "TmpFS=/var/tmp.* is not in slurm-config/slurm.conf"

run "$cluster" run -N 0 -- true
is "-N 0 is refused" $status 64
run "${as_user[@]}" "$work/tree/tests/slurm/cluster.sh" run -- true
is "without root it says so" "$status $(grep -o 'need root' <<<"$err")" \
  "69 need root"

done_testing
