#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a user reads when the cap has stopped a job, and when.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

run srun --gbm-mem-cap=128M hog 200
message=$(grep 'gbm: .*killed' <<<"$err")
is "one sentence says it" "$(grep -c . <<<"$message")" 1
like "which task on which node" "$message" 'task 0 on node0[12]'
like "the cap" "$message" '128M RAM cap'
like "the peak, which is the cap" "$message" 'peak 128M'
like "and what to do, and how far" "$message" \
  'Raise --gbm-mem-cap \(this node allows [0-9]+[MG]\), use more nodes, or '
like "Slurm says its own part" "$err" 'oom|Out Of Memory'
like "the last line is the peak of the step" "$err" \
  'gbm: step [0-9]+\.0 on node0.: peak 12[0-9]M of 128M RAM cap, swap none, kills 1'

run srun --gbm-mem-cap=128M hog 50
like "a job that went well is told its peak, too" "$err" \
  'gbm: step [0-9]+\.0 on node0.: peak [5-9][0-9](\.[0-9]+)?M of 128M RAM cap'
unlike "but nothing of killing" "$err" 'kill'

settle
# shellcheck disable=SC2016 # for the task
run srun -N2 -n2 -K0 --gbm-mem-cap=128M \
  sh -c '[ $SLURM_PROCID = 0 ] || exec hog 200'
message=$(grep 'gbm: .*killed' <<<"$err")
like "of two tasks, the one that was killed is named" "$message" \
  'task 1 on node02'
unlike "and the other is not" "$message" 'task 0'

# Three of four die, two of them on one node; none ends the others. Nodes of four
# cores would get three tasks and one.
settings oom=task
settle
# shellcheck disable=SC2016 # for the tasks
run srun -N2 -n4 --ntasks-per-node=2 -K0 --gbm-mem-cap=128M \
  sh -c '[ $SLURM_PROCID = 3 ] || exec hog 200; sleep 3'
is "of several, each is named that was killed, and once" \
  "$(grep -oE 'task [0-9]+ on node0[12] was killed' <<<"$err" | sort)" \
  "task 0 on node01 was killed
task 1 on node01 was killed
task 2 on node02 was killed"
is "the nodes' last lines count them" \
  "$(grep -oE 'node0[12]: peak .*, kills [0-9]+$' <<<"$err" |
    sed 's/: peak.*,//' | sort | xargs)" "node01 kills 2 node02 kills 1"
settings

run srun --gbm-mem-cap=128M hog -f 200
like "a killed child is told from a killed task" "$err" \
  'gbm: a process started by task 0 on node0. was killed'

run srun --mem=100M --gbm-mem-cap=256M hog 200
like "where Slurm's allocation is the limit, --mem is named" "$err" \
  'gbm: task 0 .*100M Slurm allocation.* Raise --mem, '

run srun --gbm-mem-cap=256M sh -c "srun --overlap --gbm-mem-cap=64M hog 200"
like "a step's own cap may be raised to the job's" "$err" \
  'step [0-9]+\.1 reached its 64M RAM cap.*\(this job allows 256M\)'

# Somebody ends the job: no word of memory.
run timeout -s INT $((60 * slow)) srun --gbm-mem-cap=128M sh -c 'kill -KILL $$'
unlike "a task killed by something else is not blamed on the cap" "$err" \
  'gbm: .*killed'

# late FILE: milliseconds from the kill, as noted in FILE by the job that has
# survived it, until the sentence is on the job's stderr.
late() {
  local from
  wait_for 20 test -s "$1" >/dev/null || return
  from=$(<"$1")
  for _ in {1..200}; do
    grep -q 'gbm: .*killed' "$work/.err" && break
    sleep 0.02
  done
  echo $((($(date +%s%N) - from) / 1000000))
}

cat >"$work/lives" <<END
#!/bin/bash
hog -s 5 200
date +%s%N >$work/killed.\$1
sleep 8
END
chmod +x "$work/lives"

settle
run srun --gbm-mem-cap=128M "$work/lives" a &
at_most "a child's death is told within a second, the task lives on" \
  "$(late "$work/killed.a")" $((1000 * slow))
like "as a child's" "$(<"$work/.err")" \
  'a process started by task 0 on node0. was killed: job [0-9]+ reached'
wait
is "and once" "$(grep -c 'gbm: .*killed' "$work/.err")" 1

# A task itself, by one beside it: as soon as it runs no more.
cat >"$work/beside" <<END
#!/bin/bash
if [ "\$SLURM_PROCID" = 1 ]; then
  echo \$\$ >$work/pid
  exec hog 200
fi
until [ -s $work/pid ]; do sleep 0.05; done
pid=\$(<$work/pid)
while grep -q '^State:.[RSD]' /proc/\$pid/status; do
  sleep 0.01
done 2>/dev/null
date +%s%N >$work/killed.c
sleep 5
END
chmod +x "$work/beside"
settings oom=task
settle
run srun -N1 -n2 -K0 --gbm-mem-cap=128M "$work/beside" &
at_most "a task's death is told within a second" \
  "$(late "$work/killed.c")" 1000
like "while the others live on" "$(<"$work/.err")" \
  'gbm: task 1 on node0. was killed: job [0-9]+ reached'
wait
settings

settle
job=$(sbatch --parsable --chdir="$work" --output=.err --gbm-mem-cap=128M \
  "$work/lives" b)
at_most "so it is in a batch script" "$(late "$work/killed.b")" $((1000 * slow))
like "where it is the script's" "$(<"$work/.err")" \
  'a process started by the batch script on node0. was killed'
wait_for 30 job_over "$job"
is "and once" "$(grep -c 'gbm: .*killed' "$work/.err")" 1
is "the job's state is Slurm's" "$(job_state "$job")" OUT_OF_MEMORY

settle
batch --error=%j.err --gbm-mem-cap=128M <<'END'
#!/bin/bash
hog 200
END
unlike "where a job's stderr is a file of its own, stdout has none of it" \
  "$out" gbm:
# On a machine that is too slow to free its memory at once, the kernel may end the
# script as well, which is told instead then.
like "but that file" "$(<"$work/$job.err")" \
  'gbm: (a process started by )?the batch script on node0. was killed'

# Only root may sort the processes of a job of his into cgroups (v1).
cat >"$work/sorts" <<'END'
#!/bin/bash
dir=/sys/fs/cgroup/memory$(grep -oP ':memory:\K.*' /proc/self/cgroup)
[ "$1" = below ] || dir=${dir%/*}
mkdir "$dir/mine" || exit
# A child: this shell stays where it is.
sh -c 'echo $$ >$0/cgroup.procs && exec hog 200' "$dir/mine"
sleep 1
rmdir "$dir/mine"
END
chmod +x "$work/sorts"
if [ -e /sys/fs/cgroup/memory/cgroup.procs ]; then
  settle
  run srun --gbm-mem-cap=128M "$work/sorts" below
  like "a process in a cgroup below the task's is the task's" "$err" \
    'gbm: a process started by task 0 on node0. was killed: job .* reached its'
  is "told once" "$(grep -c 'gbm: .*killed' <<<"$err")" 1
  run srun --gbm-mem-cap=128M "$work/sorts" beside
  like "one beside it is the step's" "$err" \
    'gbm: a process of step [0-9]+\.0 on node0. was killed: job .* reached its'
  is "told once, too" "$(grep -c 'gbm: .*killed' <<<"$err")" 1
fi

# Two dozen hogs, one after the other.
settle
run srun --gbm-mem-cap=64M sh -c 'for i in $(seq 24); do hog 90; sleep 0.5; done'
at_most "many kills are not a flood of lines" \
  "$(grep -c 'gbm: .*killed' <<<"$err")" 17
like "the rest is counted" "$err" \
  'gbm: [0-9]+ more times a process was killed on node0'
like "the summary has all" "$err" ', kills 24$'

done_testing
