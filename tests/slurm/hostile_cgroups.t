#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A user who tries to leave his cgroups, to change them, or to nest others in
# them: on cgroup v1 Slurm gives him the directories of his steps, on v2 none.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh
cd "$work" || exit
memory=/sys/fs/cgroup/memory
! cgroup_v2 || memory=/sys/fs/cgroup

# attack NAME <SCRIPT: SCRIPT runs in a step of 128 MB, and whatever it did, a
# hog of 300 MB runs after it.
attack() {
  local name=$1
  { echo '#!/bin/bash'; cat where - && echo 'hog 300'; } >attack.sh
  chmod +x attack.sh
  settle
  run "${as_user[@]}" srun --mem=600M --gbm-mem-cap=128M ./attack.sh
  like "$name: the hog has begun" "$out" '^hog: has 8 MB'
  unlike "$name: the cap holds" "$out" '^hog: (done|has 1[3-9]. MB|has [2-9].. )'
  ok "$name: the node is idle again" wait_for 30 all_idle
  ok "$name: no cgroup is left" wait_for 15 no_job_cgroup
}

no_job_cgroup() {
  local left
  left=$(find "$memory" -type d -name 'job_*' 2>/dev/null)
  [ -z "$left" ] || {
    echo "$left"
    return 1
  }
}

attack "writing to every file of the cgroups" <<'END'
for file in $(find "$job/.." -type f 2>/dev/null); do
  for value in -1 1G 0 100 1; do
    echo $value >"$file" && echo "wrote $file"
  done
done 2>/dev/null
END
unlike "none of them could be written" "$out" '^wrote'

attack "moving to other cgroups" <<'END'
for dir in $(find /sys/fs/cgroup -type d -not -path "$job/*" 2>/dev/null) \
  "$job" "$step" "$job"/step_extern "$job"/step_extern/task_0; do
  for file in cgroup.procs tasks; do
    echo $$ >"$dir/$file" && echo "moved to $dir"
  done
done 2>/dev/null
END
unlike "none of them could be entered" "$out" '^moved'

attack "a cgroup of one's own without limits" <<'END'
for dir in "$step" "$task" "$job/step_extern" "$job/step_extern/task_0"; do
  mkdir "$dir/mine" || continue
  echo -1 >"$dir/mine/memory.limit_in_bytes"
  echo -1 >"$dir/mine/memory.memsw.limit_in_bytes"
  echo 100 >"$dir/mine/memory.swappiness"
  echo 0 >"$dir/mine/memory.use_hierarchy"
  echo 1 >"$dir/mine/memory.oom_control"
  echo $$ >"$dir/mine/cgroup.procs"
  rmdir "$task"
done 2>/dev/null
END

attack "renaming and removing Slurm's cgroups" <<'END'
for dir in "$job"/step_*/task_* "$job"/step_* "$job" "$job/.."; do
  mv "$dir" "$dir.old" && echo "renamed $dir"
  rmdir "$dir" && echo "removed $dir"
done 2>/dev/null
END
unlike "none of them could be" "$out" '^(renamed|removed)'

attack "cgroups named like lines of /proc" <<'END'
evil=$(printf 'x\n4:memory:/\n4:memory:%s\n0::/' "${step#/sys/fs/cgroup/memory}")
for dir in "$step" "$task"; do
  # A name may hold anything but a slash.
  mkdir "$dir/${evil//\//_}" && echo $$ >"$dir/${evil//\//_}/cgroup.procs"
  mkdir "$dir/"$'y\n4:memory:' &&
    mkdir "$dir/"$'y\n4:memory:/job_'"$SLURM_JOB_ID" &&
    mkdir "$dir/"$'y\n4:memory:/job_'"$SLURM_JOB_ID/step_0" &&
    echo $$ >"$dir/"$'y\n4:memory:/job_'"$SLURM_JOB_ID/step_0/cgroup.procs"
done 2>/dev/null
END

attack "cgroups nested deeper than any path is long" <<'END'
name=$(printf '%0200d' 0)
cd "$step" 2>/dev/null || exit 0
for level in {1..40}; do
  mkdir $name && cd $name || break
done 2>/dev/null
echo $$ 2>/dev/null >cgroup.procs
cd /
END

# Two steps at once, one of which sits in the other's cgroups.
settle
cat >guest <<'END'
#!/bin/bash
. ./where
for dir in "$job"/step_*; do
  [ "$dir" != "$step" ] && mkdir "$dir/guest" &&
    echo $$ >"$dir/guest/cgroup.procs"
done 2>/dev/null
hog 300
END
chmod +x guest
run "${as_user[@]}" salloc -N1 -n2 --mem=600M --gbm-mem-cap=128M bash -c '
  srun --exact --mem=250M -n1 --gbm-mem-cap=64M sleep 15 &
  sleep 2
  srun --exact --mem=250M -n1 ./guest
  kill $!
  wait'
like "a step in another's cgroup: the hog has begun" "$out" '^hog: has 8 MB'
unlike "and the job's cap holds" "$out" '^hog: (done|has 1[3-9]. MB|has [2-9].. )'

settle
run "${as_user[@]}" srun --gbm-mem-cap=128M limits
is "after all this the next job has its cap" "$(anywhere "$out")" \
  "$(capped 128 128)"
ok "and all nodes are idle" wait_for 30 all_idle

done_testing
