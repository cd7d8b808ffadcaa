#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A run longer than its time limit, by examples/long_run.sbatch: its signal, a
# node that dies, requeues; and the result is the one of a run in one go.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# estimate FILE: the number that --quiet prints, which has all digits.
estimate() {
  grep -E '^[0-9]+\.[0-9]+$' "$1"
}

# said FILE TEXT
said() {
  grep -qF -- "$2" "$1" 2>/dev/null
}

batch_host() {
  scontrol -o show job "$1" | grep -o 'BatchHost=[^ ]*' | cut -d= -f2
}

is_running() {
  [ "$(job_state "$1")" = RUNNING ]
}

# kill_node NODE: as if its power failed: slurmd, all slurmstepd and the tasks.
# They are known by the host name of their namespace.
kill_node() {
  local pid pids=()
  for pid in $(pgrep -x "slurmd(-wlm)?|slurmstepd|gbm_sim|bash|srun|sleep"); do
    [ "$(nsenter --uts --target "$pid" hostname 2>/dev/null)" != "$1" ] ||
      pids+=("$pid")
  done
  [ ${#pids[@]} -gt 2 ] && kill -KILL "${pids[@]}"
}

# reboot NODE: it comes back without what only its kernel had: cgroups, and the
# plugin's notes in /run.
reboot() {
  find /sys/fs/cgroup -depth -type d -path "*$1*/job_*" -exec rmdir {} +
  rm -f "$GBM_CLUSTER_DIR/run/gbm/$1"/job_* \
    "$GBM_CLUSTER_DIR/run/gbm/users"/*."$1"
  start_slurmd "$1"
}

# starts_again JOB: without the two minutes that Slurm lets a requeued job wait,
# since a node that has run it refuses it until then. The other one has not.
starts_again() {
  [ "$(job_state "$1")" != PENDING ] ||
    { sleep 2 && scontrol update "jobid=$1" starttime=now; }
  is_running "$1"
}

# Emulated, vectors are many times slower than on hardware.
paths=${GBM_LONG_PATHS:-$([ "$slow" -gt 1 ] && echo 2e7 || echo 4e8)}
what=(--paths "$paths" --steps 8 --payoff asian-call --quiet)
cd "$work" || exit
sbatch=${GBM_SRCDIR:-$OLDPWD}/examples/long_run.sbatch

# On one node, with one task on each: so a node that dies can be replaced.
submit=(sbatch --parsable --nodes=1 --ntasks-per-node=1 --cpus-per-task=1
  --gbm-mem-cap=256M "$sbatch" "${what[@]}" --threads 1 --every 1)
id=$("${submit[@]}")
like "the batch script is taken" "$id" '^[0-9]+$'
log=$work/long_run-$id.out
point=$work/long_run-$id.ckpt
ok "it writes a checkpoint" wait_for 30 test -s "$point"

# A node dies, and Slurm is told, as it would find out itself within minutes.
node=$(batch_host "$id")
touch -d @0 "$work/then"
cp --preserve "$point" "$work/then"
ok "with the next checkpoint" wait_for 30 test "$point" -nt "$work/then"
keep_place "$node"
ok "all of $node is killed" kill_node "$node"
scontrol update "nodename=$node" state=down reason=test
ok "the job is requeued" wait_for 40 eval \
  "scontrol -o show job $id | grep -q ' Restarts=1 '"
ok "and runs again" wait_for 40 starts_again "$id"
other=$(batch_host "$id")
ok "on the other node" [ "$other" != "$node" ]
ok "where it was" wait_for 20 said "$log" 'goes on after'
ok "until it ends" wait_for 90 job_over "$id"
is "well" "$(job_state "$id")" COMPLETED
run gbm_sim "${what[@]}"
whole=$out
is "with the bytes of a run in one go" "$(estimate "$log")" "$whole"
reboot "$node"
scontrol update "nodename=$node" state=resume
ok "$node comes back" wait_for 60 all_idle

# What the time limit does, without waiting for it.
settle
id=$("${submit[@]}")
log=$work/long_run-$id.out
ok "another run writes a checkpoint" \
  wait_for 30 test -s "$work/long_run-$id.ckpt"
node=$(batch_host "$id")
scancel --signal=TERM "$id.0"
ok "SIGTERM ends it, to go on" wait_for 20 said "$log" 'ended by a signal after'
ok "the script has it requeued" wait_for 20 eval \
  "scontrol -o show job $id | grep -q 'JobState=PENDING.* Restarts=1 '"
scontrol update "jobid=$id" "excnodelist=$node"
ok "it runs again" wait_for 40 starts_again "$id"
ok "where it was" wait_for 20 said "$log" 'goes on after'
ok "until it ends" wait_for 90 job_over "$id"
is "well" "$(job_state "$id")" COMPLETED
is "with the bytes of a run in one go" "$(estimate "$log")" "$whole"

# A checkpoint that nobody asked for. The first run would take days.
cat >"$work/twice" <<END
#!/bin/bash
timeout -s TERM 3 gbm_sim --paths 1e12 --payoff put --progress never
echo status \$?
gbm_sim --payoff put --tolerance 2e-3 --quiet
echo left: gbm_sim-*
END
settle
batch -N1 --ntasks=1 --error=%j.err <"$work/twice"
errors=$(<"$work/$job.err")
like "a long run under Slurm keeps its state without being asked" "$errors" \
  "keeps its state in gbm_sim-$job-[0-9a-f]{8}\.ckpt"
like "SIGTERM ends it well" "$errors" 'ended by a signal after'
like "the same run in this job goes on" "$errors" 'ckpt: goes on after'
like "and removes it when it ends" "$out" 'left: gbm_sim-\*$'
batch -N1 --ntasks=1 --error=%j.err <<END
#!/bin/bash
timeout -s TERM 3 gbm_sim --paths 1e12 --payoff put --progress never \
  --checkpoint none
echo status \$? gbm_sim-*
END
like "--checkpoint none keeps nothing" "$out" '^status (124|143) gbm_sim-\*$'

done_testing
