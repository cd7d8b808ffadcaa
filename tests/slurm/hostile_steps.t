#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A user who disturbs the starting and ending of steps: kills what he can kill,
# forks all the time, starts a great many steps (GBM_STEPS; 60 unless it is set).
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh
cd "$work" || exit

# Names of what the processes of slurmd and slurmstepd have open, without
# pipes, sockets and the like, and how many there are of each.
opened() {
  local pid
  for pid in $(pids "$1"); do
    readlink "/proc/$pid/fd/"* 2>/dev/null
  done | sed -E 's/\[.*\]//; s/[0-9]+/N/g' | sort | uniq -c
}

# still_capped NAME
still_capped() {
  ok "$1: the nodes are idle again" wait_for 30 all_idle
  run "${as_user[@]}" srun --gbm-mem-cap=128M limits
  is "$1: the next job has its cap" "$(anywhere "$out")" "$(capped 128 128)"
}

# What a task starts with: nothing of the plugin's. Slurm's own, it closes.
settle
# shellcheck disable=SC2016 # for the task
run "${as_user[@]}" srun -w node01 --gbm-mem-cap=128M sh -c \
  'readlink /proc/$$/fd/* | grep "^/" | grep -v "^/dev/null"'
is "a task inherits no file of the plugin's" "$out" ""

# fork during launch: many tasks, each with children, none of which waits.
cat >forks <<'END'
#!/bin/bash
for n in {1..8}; do
  hog 40 &
  (exec -a child hog 40) &
done >/dev/null 2>&1
limits
wait
END
chmod +x forks
run "${as_user[@]}" srun -w node01 -n8 --overcommit --mem=600M \
  --gbm-mem-cap=128M ./forks
unlike "children of tasks that start are capped as well" \
  "$(grep '^node' <<<"$out" | grep -vx "node01 $(capped 128 128)")" .
like "and some were killed" "$err" 'gbm: .*reached its 128M RAM cap'
still_capped "forks during launch"

# The processes that stepd forks for tasks belong to the user from the moment
# they are his, before they are his program.
cat >killer <<'END'
#!/bin/bash
end=$((SECONDS + 8))
while [ $SECONDS -lt $end ]; do
  for proc in /proc/[0-9]*; do
    [ -O "$proc" ] || continue
    read -r comm <"$proc/comm" || continue
    case $comm in
    slurmstepd)
      kill -KILL "${proc#/proc/}" && echo "killed $comm"
      ;;
    esac
  done
done 2>/dev/null
END
chmod +x killer
settle
run "${as_user[@]}" salloc -w node01 -n2 --overcommit --gbm-mem-cap=128M bash -c '
  srun --overlap -n1 --overcommit ./killer >killed &
  sleep 1
  for n in {1..6}; do
    timeout '$((20 * slow))' srun --overlap -n2 --overcommit limits
  done
  wait'
unlike "whoever kills stepd's children, steps run below the cap or not at all" \
  "$(grep '^node' <<<"$out" | grep -vx "node01 $(capped 128 128)")" .
echo "# stepd's children killed: $(grep -c killed killed)"
still_capped "killed launches"

# shellcheck disable=SC2016 # for the task
run "${as_user[@]}" srun --gbm-mem-cap=128M bash -c '
  kill -KILL $PPID && echo killed
  kill -STOP $PPID && echo stopped'
unlike "stepd itself is not the user's to kill" "$out" 'killed|stopped'
# In here that is all of the user's processes in this cluster.
run "${as_user[@]}" srun -n2 --overcommit --gbm-mem-cap=128M bash -c \
  'hog -s 20 50 & sleep 1; kill -KILL -1; sleep 20'
ok "a step that kills all it can kill ends" [ $status -ne 124 ]
# srun was among them, and without it Slurm keeps the job to its time limit.
scancel -u nobody
still_capped "kill -1"

# A great many steps.
steps=${GBM_STEPS:-60}
run srun -w node01 --gbm-mem-cap=128M true
settle
before=$(opened slurmd)
cat >many <<END
#!/bin/bash
pids() {
  pgrep -x slurmstepd
}
# Those of the job itself, once that of the last step has ended.
own=\$(pids | wc -l)
stepds() {
  for ((i = 0; i < 100; i++)); do
    [ \$(pids | wc -l) -gt \$own ] || break
    sleep 0.1
  done
  for pid in \$(pids); do
    ls /proc/\$pid/fd
  done 2>/dev/null | wc -l
}
srun true
stepds
for ((n = 0; n < $steps; n++)); do
  srun --gbm-mem-cap=64M true || echo "step \$n failed"
done
srun true
stepds
srun limits
END
started=$SECONDS
# As root, who may count what his job's own stepds have open.
BATCH_SECONDS=$((60 + steps * 2)) batch -w node01 --gbm-mem-cap=128M <many
echo "# $steps steps in $((SECONDS - started)) s"
unlike "$steps short steps succeed" "$out" failed
mapfile -t counts < <(grep -x '[0-9]*' <<<"$out")
ok "the stepds that saw them all were counted" [ "${counts[0]:-0}" -gt 5 ]
is "and have no more open than after the first" "${counts[1]:-}" \
  "${counts[0]:-}"
like "the cap still holds at their end" "$out" "^node01 $(capped 128 128)\$"
is "the job is in order" "$state" COMPLETED
ok "the nodes are idle" wait_for 30 all_idle
is "slurmd has no more open than before" "$(opened slurmd)" "$before"

done_testing
