#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Who dies when the cap is hit: oom=task, step or job in plugstack.conf. All of
# it with -K0: srun's own way of ending a step with its first bad task is off.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

conf=$GBM_CLUSTER_DIR/etc/slurm/plugstack.conf.d/gbm.conf
cp "$conf" "$work/gbm.conf"
# setting WORD: in the plugin's line; every step reads the file anew.
setting() {
  sed "s/^\(required .*\)/\1 $1/" "$work/gbm.conf" >"$conf.new"
  mv "$conf.new" "$conf"
}
trap 'cp "$work/gbm.conf" "$conf"' EXIT

# timed COMMAND...: run, and $seconds that it took.
timed() {
  local start
  start=$(date +%s%N)
  run "$@"
  seconds=$((($(date +%s%N) - start) / 1000000000))
}

# One task of four on two nodes takes too much after a while; the others would
# live on for a minute. A while, since the kernel may take another victim when
# one still starts while the memory of the first is being freed.
minute=$((60 * slow))
one_of_four=(sh -c
  "[ \$SLURM_PROCID != 3 ] || { sleep 2; exec hog 200; }; exec sleep $minute")

nothing_left() {
  ! pgrep -f "^sleep $minute\$" >/dev/null
}

settle
timed srun -N2 -n4 -K0 --gbm-mem-cap=128M "${one_of_four[@]}"
at_most "the step ends with its first lost task, by default" "$seconds" \
  $((30 * slow))
ok "on both nodes" wait_for 3 nothing_left
is "once the lost task is named" \
  "$(grep -c 'gbm: task 3 on node02 was killed' <<<"$err")" 1
is "and once it is said that the others go" \
  "$(grep -c 'gbm: the other tasks of step [0-9]*\.0 end now' <<<"$err")" 1
unlike "they are not blamed on the cap" "$err" 'gbm: task [012] .*killed'
ok "srun fails" [ "$status" -ne 0 ]
job=$(grep -oP 'gbm: .* killed: job \K[0-9]+' <<<"$err")
wait_for 30 job_over "$job" >/dev/null
is "Slurm's state is OUT_OF_MEMORY" "$(job_state "$job")" OUT_OF_MEMORY

settle
timed srun -N2 -n4 -K0 --gbm-mem-cap=128M \
  sh -c "[ \$SLURM_PROCID != 3 ] || { hog 200; exit 9; }; exec sleep $minute"
at_most "a wrapper that fails after its rank was killed is lost, too" \
  "$seconds" $((30 * slow))
timed srun -N2 -n4 -K0 --gbm-mem-cap=128M \
  sh -c '[ $SLURM_PROCID != 3 ] || { hog 200; exit 0; }; sleep 6; echo lives'
is "one that succeeds is not" "$(grep -c lives <<<"$out")" 3
timed srun -N2 -n4 -K0 --gbm-mem-cap=128M \
  sh -c '[ $SLURM_PROCID != 3 ] || kill -9 $$; sleep 6; echo lives'
is "nor does the step end when somebody else kills" \
  "$(grep -c lives <<<"$out")" 3

settle
batch -n1 --gbm-mem-cap=128M <<'END'
#!/bin/bash
hog 200
echo goes on
END
like "a batch script goes on after a program of its own was killed" "$out" \
  'goes on'
is "the state tells, still" "$state" OUT_OF_MEMORY

settle
batch -N2 -n4 --gbm-mem-cap=128M <<END
#!/bin/bash
srun -N2 -n4 -K0 $(printf '%q ' "${one_of_four[@]}")
echo goes on
srun -N2 -n2 hostname
END
like "and after a step of it" "$out" 'goes on'
is "the next step runs on both nodes" "$(grep -c '^node0' <<<"$out")" 2

if [ -e "${GBM_BUILD:-build}/lib/gbm-mc/libgbm_mpi.so" ]; then
  # Rank 3 is an MPI program that grows; all of them wait for each other.
  cat >"$work/rank" <<'END'
#!/bin/bash
[ "$SLURM_PROCID" != 3 ] || exec hog 200
exec gbm_sim --paths 1e12 --payoff call
END
  chmod +x "$work/rank"
  settle
  timed srun -N2 -n4 -K0 --gbm-mem-cap=128M "$work/rank"
  at_most "an MPI program does not hang when it loses a rank" "$seconds" \
    $((20 * slow))
  gone() { ! pgrep -x gbm_sim >/dev/null; }
  ok "its ranks are gone from both nodes" wait_for 3 gone
  ok "and srun fails" [ "$status" -ne 0 ]
fi

setting oom=task
settle
timed srun -N2 -n4 -K0 --gbm-mem-cap=128M \
  sh -c '[ $SLURM_PROCID != 3 ] || exec hog 200; sleep 6; echo lives'
is "oom=task: the others live" "$(grep -c lives <<<"$out")" 3
unlike "nobody says that they end" "$err" 'end now'

setting oom=job
settle
batch -N2 -n4 --gbm-mem-cap=128M <<END
#!/bin/bash
srun -N1 -n1 --overlap -w node01 sleep $minute &
sleep 2
srun -N2 -n4 --overlap -K0 $(printf '%q ' "${one_of_four[@]}")
sleep $minute
echo goes on
END
ok "oom=job: its other steps and its script end" nothing_left
unlike "the script does not go on" "$out" 'goes on'
is "that is said" "$(grep -c 'gbm: all of job [0-9]* ends now' <<<"$out")" 1
ok "the job has not succeeded" [ "$state" != COMPLETED ]
echo "# oom=job, a step of a batch job: $state"
settle
batch -n1 --gbm-mem-cap=128M <<'END'
#!/bin/bash
hog 200
sleep 30
echo goes on
END
unlike "a batch script ends with its program" "$out" 'goes on'
is "out of memory" "$state" OUT_OF_MEMORY
settle
timed srun -N2 -n4 -K0 --gbm-mem-cap=128M "${one_of_four[@]}"
at_most "srun's own job ends" "$seconds" $((20 * slow))
job=$(grep -oP 'gbm: .* killed: job \K[0-9]+' <<<"$err")
wait_for 30 job_over "$job" >/dev/null
is "out of memory, too" "$(job_state "$job")" OUT_OF_MEMORY
settle
timed salloc -K -n1 --gbm-mem-cap=128M \
  sh -c "srun -K0 hog 200; sleep $minute"
at_most "so does the job of a salloc" "$seconds" $((30 * slow))

setting oom=step
settle
# slurmctld hangs: the node does what it can, and the rest when it can.

# start_waiting SRUN-OPTION...: four tasks that wait for $work/go. Then the last
# one takes too much, and the others live on.
start_waiting() {
  rm -f "$work"/up.* "$work/go"
  run srun -N2 -n4 --ntasks-per-node=2 "$@" --gbm-mem-cap=128M sh -c "
    touch $work/up.\$SLURM_PROCID
    until [ -e $work/go ]; do sleep 0.1; done
    [ \$SLURM_PROCID != 3 ] || exec hog 200
    exec sleep $((minute + 1))" &
  wait_for 30 all_up >/dev/null
}
sleepers() { pgrep -fc "^sleep $((minute + 1))\$"; }
sleepers_are() { [ "$(sleepers)" = "$1" ]; }
all_up() { [ "$(find "$work" -name 'up.*' | wc -l)" = 4 ]; }
start_waiting -K0
controller=$(pids slurmctld)
kill -STOP "$controller"
touch "$work/go"
ok "while slurmctld hangs, the tasks of the node end" \
  wait_for 20 sleepers_are 2
kill -CONT "$controller"
ok "those of the other when it is back" wait_for 60 sleepers_are 0
wait
ok "all nodes are well" wait_for 60 all_idle

# The same with srun's own way of ending the step: to each node it sends SIGTERM
# and, after KillWait, SIGKILL. As both reach slurmctld late, it comes first.
start_waiting
kill -STOP "$controller"
touch "$work/go"
wait_for 20 sleepers_are 2 >/dev/null
sleep 1
kill -CONT "$controller"
ok "a step that srun ends as well is over at once" wait_for 15 all_idle
wait

done_testing
