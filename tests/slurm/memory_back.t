#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# After a job nothing of it is left: no memory, no cgroup, no note.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

meminfo() {
  awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo
}

# Without those of earlier tests: where slurmd lacks CAP_SYS_RESOURCE, as in some
# containers, it cannot keep slurmstepd from being killed for want of memory,
# and what the one of an extern step would have ended then stays.
cgroups_of_jobs() {
  find /sys/fs/cgroup -type d -name 'job_*' 2>/dev/null |
    grep -vxF -e "${earlier-}" || :
}
earlier=$(cgroups_of_jobs)

# In kB: two percent of all memory, within 64 to 256 MB.
slack=$(($(meminfo MemTotal) / 50))
[ $slack -ge 65536 ] || slack=65536
[ $slack -le 262144 ] || slack=262144

# On a machine that others use as well, what the jobs and daemons of this
# cluster hold says more: in kB, other than page cache.
if ! cgroup_v2; then
  meminfo() {
    if [ "$1" = MemAvailable ]; then
      awk '$1 == "total_rss" || $1 == "total_shmem" || $1 == "total_swap" {
        used += $2 / 1024 } END { printf "%d\n", 16777216 - used }' \
        /sys/fs/cgroup/memory/memory.stat
    else
      awk -v key="$1:" '$1 == key { print $2 }' /proc/meminfo
    fi
  }
  slack=32768
fi

memory_is_back() {
  local now
  now=$(meminfo MemAvailable)
  [ "$now" -ge $((before - slack)) ] || {
    echo "$((before - now)) kB are missing"
    return 1
  }
}

nothing() {
  local text
  text=$("$@")
  [ -z "$text" ] || {
    echo "$text"
    return 1
  }
}

settle
# MB per node: much more than the slack, where the machine can spare it.
size=$(($(meminfo MemAvailable) / 1024 / 4))
[ $size -le 500 ] || size=500

before=$(meminfo MemAvailable)
srun -N2 -n2 --mem=1500M --gbm-mem-cap=1G hog -s 100 $size >"$work/log" 2>&1 &
step=$!
ok "both nodes hold $size MB" wait_for 60 \
  sh -c "[ \$(grep -c 'has $size MB' '$work/log') = 2 ]"
is "meanwhile each node has noted the cap" "$(state_files | wc -l)" 2
ok "and memory is missing" [ $((before - $(meminfo MemAvailable))) -ge \
  $((2 * size * 1024 - slack)) ]
scancel -u root
wait $step
ok "when it is cancelled, memory comes back" wait_for 60 memory_is_back
ok "no cgroup of the job is left" wait_for 15 nothing cgroups_of_jobs
ok "no note of the plugin is left" wait_for 15 nothing state_files

run srun -N2 -n2 --mem=1500M --gbm-mem-cap=$((size / 2))M hog $size
ok "a job that the cap kills" [ $status -ne 0 ]
ok "gives its memory back" wait_for 60 memory_is_back
ok "and leaves no cgroup" wait_for 15 nothing cgroups_of_jobs
ok "and no note" wait_for 15 nothing state_files

# What a user leaves in memory that outlives processes. Not with srun: that runs
# here as the same user, who then has a process on the "node" (all nodes of this
# cluster share /dev/shm and the processes).
cat >"$work/leave" <<'END'
#!/bin/bash
echo "$1" >"/dev/shm/gbm-test-$1"
mkdir "/dev/shm/gbm-test-$1-dir"
head -c 30M /dev/zero >"/dev/shm/gbm-test-$1-dir/file"
ln -s "$PWD/precious" "/dev/shm/gbm-test-$1-link"
ipcmk -M 20M
END
chmod +x "$work/leave"
echo mine >"$work/precious"
chmod 666 "$work/precious"

# left_by NAME: its files in /dev/shm; segments: of nobody's.
left_by() {
  find /dev/shm -name "gbm-test-$1*"
}
segments() {
  awk '$8 == uid' uid="$(id -u nobody)" /proc/sysvipc/shm
}
user_batch() {
  (cd "$work" && "${as_user[@]}" sbatch --parsable --output=%j.out "$@")
}
log_has() {
  cat "$GBM_CLUSTER_DIR"/log/node0?.log | grep -E "$1" >/dev/null
}

settle
before=$(meminfo MemAvailable)
echo root >/dev/shm/gbm-test-root
"${as_user[@]}" sh -c 'echo earlier >/dev/shm/gbm-test-earlier'
setpriv --reuid=games --regid=nogroup --clear-groups \
  sh -c 'echo other >/dev/shm/gbm-test-other'
job=$(user_batch -w node01 --wrap="$work/leave one; ls /dev/shm")
ok "a job ends" wait_for 60 job_over "$job"
like "that left files in /dev/shm" "$(<"$work/$job.out")" 'gbm-test-one-dir'
ok "they are gone soon after" wait_for 5 nothing left_by one
ok "so are SysV segments" wait_for 5 nothing segments
is "what its links pointed to is not touched" "$(<"$work/precious")" mine
is "nor is what is older, or another user's" \
  "$(cat /dev/shm/gbm-test-{root,earlier,other} | xargs)" "root earlier other"
like_log="gbm: job $job of user $(id -u nobody) left behind, and this removed: "
ok "the log says what was removed" wait_for 5 \
  log_has "$like_log"'4 files \(30M\) in /dev/shm, 1 SysV segment \(20M\)'

# Each way for a job to end before its time.
job=$(user_batch -w node01 --gbm-mem-cap=300M \
  --wrap="$work/leave two; hog -s 100 150")
wait_for 60 grep -q 'has 150 MB' "$work/$job.out"
scancel "$job"
ok "a job that is cancelled" wait_for 60 job_over "$job"
ok "leaves no file" wait_for 5 nothing left_by two
ok "no segment" nothing segments
ok "no cgroup" wait_for 15 nothing cgroups_of_jobs
ok "no note" nothing state_files

job=$(user_batch -w node01 --gbm-mem-cap=200M \
  --wrap="$work/leave three; hog 300")
ok "a job that its cap kills" wait_for 60 job_over "$job"
ok "leaves no file or segment" wait_for 5 \
  nothing eval 'left_by three; segments; cgroups_of_jobs; state_files'
ok "and memory comes back" wait_for 5 memory_is_back

# The least time limit is a minute.
timed=$(user_batch -w node02 --time=0:01 --gbm-mem-cap=200M \
  --wrap="$work/leave four; hog -s 300 100")

# The last job of a user answers for all.
first=$(user_batch -w node01 --wrap="$work/leave five")
wait_for 60 job_over "$first"
settled() {
  ! squeue -h -t COMPLETING -o %i | grep -q .
}
wait_for 20 settled
ok "what a job leaves while its user has another one stays" \
  [ -e /dev/shm/gbm-test-five ]
ok "a job over its time limit" wait_for 150 job_over "$timed"
is "is seen to be that" "$(job_state "$timed")" TIMEOUT
ok "leaves no file or segment, nor does the earlier one" wait_for 5 \
  nothing eval 'left_by four; left_by five; segments'
ok "and no cgroup or note" wait_for 15 \
  nothing eval 'cgroups_of_jobs; state_files'
ok "and memory comes back" wait_for 5 memory_is_back

# A user who is logged in may need it.
settle
"${as_user[@]}" sleep 1000 &
login=$!
job=$(user_batch -w node01 --wrap="$work/leave six")
wait_for 60 job_over "$job"
ok "while its user has another process here, the log says so" wait_for 5 \
  log_has "gbm: job $job: what it left in /dev/shm stays"
ok "and it stays" [ -e /dev/shm/gbm-test-six ]
kill $login
rm -r /dev/shm/gbm-test-six*
segments | awk '{ print $2 }' | xargs -rn 1 ipcrm -m

# What nobody can end holds its memory: here a process that is frozen.
memory_cgroup_of() {
  find /sys/fs/cgroup/memory/slurm_node01 -name "job_$1"
}
frozen=/sys/fs/cgroup/freezer/frozen
# held WORD...: a job on node01 that such a process has got into, with the
# administrator's settings; sets $job and $holder.
held() {
  settings "$@"
  settle
  rm -f "$work/go"
  job=$(user_batch -w node01 --wrap="until [ -e $work/go ]; do sleep 0.1; done")
  wait_for 30 eval '[ -n "$(memory_cgroup_of "$job")" ]' >/dev/null
  sleep 1000 &
  holder=$!
  mkdir -p $frozen "$(memory_cgroup_of "$job")/left"
  echo $holder >"$(memory_cgroup_of "$job")/left/cgroup.procs"
  echo $holder >$frozen/cgroup.procs
  echo FROZEN >$frozen/freezer.state
  touch "$work/go"
  wait_for 60 job_over "$job"
}
let_go() {
  echo THAWED >$frozen/freezer.state
  kill -KILL $holder 2>/dev/null
  wait $holder 2>/dev/null
  wait_for 5 rmdir "$(memory_cgroup_of "$job")/left" >/dev/null
  rmdir "$(memory_cgroup_of "$job")"
}
drained() {
  sinfo -h -N -n node01 -o '%T %E' | grep -E '^drain.* Epilog error'
}
if [ -e /sys/fs/cgroup/freezer ]; then
  held drain=no
  ok "the log says what holds the memory of a job" wait_for 15 \
    log_has "gbm: job $job: process $holder \(sleep\) is still in its cgroup"
  ok "the node goes on" wait_for 15 all_idle
  let_go
  held drain=yes
  ok "with drain=yes it is drained" wait_for 20 drained
  let_go
  scontrol update nodename=node01 state=resume
  ok "until it is resumed" wait_for 15 all_idle
  rmdir $frozen
else
  skip "what nobody can end" "SIGKILL ends even what cgroup v2 has frozen"
  settings drain=yes
fi
run srun -w node01 --gbm-mem-cap=128M true
settle
ok "a job that leaves nothing drains nothing" all_idle
settings

# The node fails: nobody who knew of the job is left.
settle
job=$(user_batch -w node01 --no-requeue --gbm-mem-cap=300M \
  --wrap="$work/leave seven; hog -s 300 150")
wait_for 60 grep -q 'has 150 MB' "$work/$job.out"
# A slurmd that stands still is as good as dead to the others.
kill -STOP "$(slurmd_of node01)"
# shellcheck disable=SC2046 # one word each
kill -KILL $(pgrep -f "slurmstepd: \[$job\.")
scontrol update nodename=node01 state=down reason=test
ok "when slurmd and slurmstepd have died, the job is lost" \
  wait_for 60 job_over "$job"
ok "its processes are not" pgrep -u nobody hog
restart_slurmd node01 KILL
wait_for 10 all_idle >/dev/null ||
  scontrol update nodename=node01 state=resume
ok "until slurmd is back" wait_for 60 nothing pgrep -u nobody
ok "its files and segments, too" wait_for 15 \
  nothing eval 'left_by seven; segments'
# Those of other controllers are Slurm's to remove, and hold no memory.
ok "its cgroup and note, too" wait_for 30 \
  nothing eval 'cgroups_of_jobs | grep -E "memory|scope"; state_files'
ok "and memory comes back" wait_for 5 memory_is_back
ok "the node serves again" wait_for 30 all_idle
rm -f /dev/shm/gbm-test-{root,earlier,other}

done_testing
