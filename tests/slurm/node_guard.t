#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What all jobs of a node use together stays below what reserve= leaves them,
# whatever their options, and the node goes on. All of it happens on node01.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

! sanitized ||
  skip_all "a sanitized slurmstepd takes itself what the jobs here may use"

if cgroup_v2; then
  top=$(find /sys/fs/cgroup -type d -name '*node01_slurmstepd.scope')
  limit=memory.max
else
  top=/sys/fs/cgroup/memory/slurm_node01
  limit=memory.limit_in_bytes
fi
daemon=$(slurmd_of node01)

swap=$work/swap
tidy() {
  settings
  ! grep -q "^$swap " /proc/swaps || swapoff "$swap"
  allow_swap 0
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# leave MB [WORD...]: the administrator's settings, and for all jobs so much.
leave() {
  local kb
  kb=$(awk '$1 == "MemTotal:" { print $2 }' /proc/meminfo)
  settings "reserve=$((kb - $1 * 1024))K" "${@:2}"
  trap tidy EXIT
}

# Limits are whole pages of the largest kind; MemTotal need not be.
is_limit() {
  local now
  now=$(<"$top/${2-$limit}")
  [ "$now" -gt $(($(mb "$1") - 65536)) ] && [ "$now" -le "$(mb "$1")" ] && return
  echo "${2-$limit} is $now"
  return 1
}

# The most that was in use since forget_peak, in MB, rounded up. On v2, which
# has nothing to forget it with before Linux 6.12, since the node's start.
peak() {
  local bytes
  bytes=$(cat "$top"/memory.{peak,max_usage_in_bytes} 2>/dev/null)
  echo $(((bytes + 1048575) / 1048576))
}

forget_peak() {
  cgroup_v2 || echo 0 >"$top/memory.max_usage_in_bytes"
}

# never_above NAME MB
never_above() {
  if [ "$earlier" -gt "$2" ]; then
    skip "$1" "earlier jobs have had $earlier MB, which the kernel keeps"
  else
    at_most "$1" "$(peak)" "$2"
  fi
}

on_node01=(-N1 -n1 -w node01)

restart() {
  restart_slurmd node01
  daemon=$(slurmd_of node01)
}

next_job_runs() {
  settle
  run srun "${on_node01[@]}" echo here
  is "$1: the next job runs" "$status $out" "0 here"
  is "$1: slurmd is the same" "$(slurmd_of node01)" "$daemon"
}

settle
forget_peak
earlier=$(peak)
leave 400
restart
ok "slurmd sets the limit when it starts" wait_for 10 is_limit 400
settle

forget_peak
srun "${on_node01[@]}" --gbm-mem-cap=300M hog -s 200 220 \
  >"$work/one" 2>&1 &
one=$!
wait_for 30 grep -q 'has 220 MB' "$work/one"
srun "${on_node01[@]}" --gbm-mem-cap=300M hog -s 1 260 >"$work/two" 2>&1
lives=$(grep -c '^hog: done' "$work/two")
! kill -0 $one 2>/dev/null || lives=$((lives + 1))
is "of two jobs, each within its cap, one lives" "$lives" 1
scancel -u root
wait $one
never_above "the node's jobs never had more than they may" 400
like "who was killed is told why" "$(cat "$work/one" "$work/two")" \
  'gbm: .*killed: .*below its 300M .*The jobs of node01 together reached the 400M'
next_job_runs "after two jobs"

forget_peak
run srun "${on_node01[@]}" --mem=1500M hog 600
ok "a job without any option is killed as well" [ $status -ne 0 ]
unlike "before it has all" "$out" '^hog: (done|has 400 MB)'
never_above "and has no more than all jobs may" 400
next_job_runs "after a job without options"

# At the start of a step Slurm lifts the job's limit to the allocation for some
# 20 ms: other steps of the job then get more than the cap.
forget_peak
cat >"$work/window" <<'END'
#!/bin/bash
hogs=
for _ in 1 2 3; do
  srun --overlap -n1 --mem=1500M hog -s 2 180 &
  hogs="$hogs $!"
done
for _ in 1 2 3 4 5; do
  srun --overlap -n1 --mem=1500M true
done &
job=$(find /sys/fs/cgroup -type d -path '*node01*' -name "job_$SLURM_JOB_ID" \
  -exec test -e '{}/cgroup.procs' ';' -print | grep -E '/memory/|scope')
for pid in $hogs; do
  wait $pid
  cat "$job"/memory.{peak,max_usage_in_bytes} 2>/dev/null
done
wait
END
chmod +x "$work/window"
run salloc "${on_node01[@]}" --mem=1500M --gbm-mem-cap=250M "$work/window"
most=$(grep -xE '[0-9]+' <<<"$out" | sort -n | tail -n 1)
echo "# a job with a cap of 250M had $((most / 1048576)) MB for a moment"
at_most "while Slurm rewrites its limit, a job has no more than all may" \
  "$most" "$(mb 400)"
never_above "nor has the node" 400
next_job_runs "after a job of many steps"

# What is set while a job runs.
srun "${on_node01[@]}" --mem=400M hog -s 100 250 >"$work/one" 2>&1 &
one=$!
wait_for 30 grep -q 'has 250 MB' "$work/one"
leave 500
restart
ok "a restart of slurmd follows a new reserve= upwards" wait_for 10 \
  is_limit 500
leave 450
scontrol reconfigure
ok "slurmd has not lost the limit by a reconfigure" is_limit 500
run srun "${on_node01[@]}" --mem=100M true
ok "and the next step sets the new one" is_limit 450
leave 200
restart
like_log() {
  tail -n 20 "$GBM_CLUSTER_DIR/log/node01.log" | grep -E "$1"
}
ok "when more is in use than shall be, slurmd says so" wait_for 10 \
  like_log 'gbm: .*all jobs together use 2[0-9]*M, more than the 200M'
now=$(<"$top/$limit")
at_most "and it cannot grow" $((now / 1048576)) 300
ok "but the job goes on" kill -0 $one
scancel -u root
wait $one
settle
run srun "${on_node01[@]}" --mem=100M true
ok "after it the next step sets the limit" is_limit 200
settings reserve=none
restart
settle
run srun "${on_node01[@]}" true
ok "reserve=none leaves the limit as it is" is_limit 200

# Real swap.
dd if=/dev/zero of="$swap" bs=1M count=256 status=none
chmod 600 "$swap"
mkswap "$swap" >/dev/null 2>&1
if ! why=$(swapon "$swap" 2>&1); then
  skip "swap_max" "no swap can be had here: $why"
  done_testing
  exit
fi

swap_file=memory.stat
! cgroup_v2 || swap_file=memory.swap.current

# watched COMMAND...: as run; $swapped is the most MB of swap that the node's
# jobs had.
watched() {
  local now most=0 pid
  timeout -k 10 $((120 * slow)) "$@" >"$work/.out" 2>"$work/.err" </dev/null &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    now=$(awk '$1 == "total_swap" { bytes = $2 } NF == 1 { bytes = $1 }
      END { print int(bytes / 1048576) }' "$top/$swap_file")
    [ "$now" -le "$most" ] || most=$now
    sleep 0.05
  done
  wait $pid
  status=$?
  out=$(<"$work/.out")
  err=$(<"$work/.err")
  swapped=$most
}

leave 250 swap_default=allow
allow_swap 100
restart
settle
watched srun "${on_node01[@]}" --mem=1500M hog 350
is "with swap_max=allow, 350 MB fit into 250M and swap" \
  "$status ${out##*$'\n'}" "0 hog: done"
ok "by swapping" [ "$swapped" -ge 80 ]
leave 250 swap_default=64M swap_max=64M
settle
watched srun "${on_node01[@]}" --mem=1500M hog 350
ok "with swap_max=64M they do not" [ $status -ne 0 ]
unlike "though nothing is wrong with the settings" "$err" plugstack
if cgroup_v2; then
  ok "of swap no more is used" is_limit 64 memory.swap.max
else
  ok "of RAM and swap together no more is used" \
    is_limit 314 memory.memsw.limit_in_bytes
fi
leave 250 swap_default=none swap_max=none
settle
# Some pages of dead processes stay in swap until the kernel wants their room.
swapoff "$swap" && swapon "$swap"
watched srun "${on_node01[@]}" --mem=1500M hog 350
ok "nor with swap_max=none" [ $status -ne 0 ]
unlike "with nothing wrong, either" "$err" plugstack
at_most "and then nothing is swapped at all" "$swapped" 0
if cgroup_v2; then
  is "the limit says so" "$(<"$top/memory.swap.max")" 0
else
  ok "the limit says so" is_limit 250 memory.memsw.limit_in_bytes
  is "also to what is made below it later" "$(<"$top/memory.swappiness")" 0
fi

done_testing
