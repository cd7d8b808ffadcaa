#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A user, or an accident, that gets at the place where the plugin keeps its
# notes of jobs.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh
cd "$work" || exit

notes=$GBM_CLUSTER_DIR/run/gbm
conf=$GBM_CLUSTER_DIR/etc/slurm/plugstack.conf.d/gbm.conf
cp "$conf" "$work/conf"

# state_dir DIR: for all hooks from now on, as each reads the file anew. The
# epilog of the last job shall still find what its prolog noted.
state_dir() {
  settle
  sed "s|state_dir=.*|state_dir=$1|" "$work/conf" >"$conf.new"
  mv "$conf.new" "$conf"
}
leave() {
  mv "$work/conf" "$conf"
  ! mountpoint -q "$notes/node01" || umount "$notes/node01"
}
trap leave EXIT

# what the user's job says and does with a cap of its own
capped_job() {
  settle
  run "${as_user[@]}" srun -w node01 --gbm-mem-cap=128M limits
}

# refused NAME REGEX: a capped job is, for that reason.
refused() {
  capped_job
  ok "$1: the job is refused" [ $status -ne 0 ]
  like "$1: in a sentence" "$err" "$2"
  is "$1: nothing runs" "$out" ""
  ok "$1: the node stays idle" wait_for 30 all_idle
}

capped_job
is "at first all is well" "$out" "node01 $(capped 128 128)"

# shellcheck disable=SC2016 # for the shell in the job
run "${as_user[@]}" srun -w node01 --gbm-mem-cap=128M sh -c '
  cd "$1" && cd .. || exit
  for dir in . gbm gbm/node01; do
    echo x >$dir/job_1 && echo "wrote in $dir"
    mkdir $dir/job_2 && echo "made a directory in $dir"
    ln -s /etc/passwd $dir/.new_job_3 && echo "linked in $dir"
    mv $dir $dir.old && echo "moved $dir"
    rm -f $dir/job_* && rmdir $dir && echo "removed $dir"
  done 2>/dev/null
  for note in gbm/node01/job_*; do
    echo "cap 1073741824" >"$note" && echo "wrote $note"
    ln "$note" /tmp/gbm_note.$$ && echo "linked $note" && rm /tmp/gbm_note.$$
    rm -f "$note" && echo "removed $note"
  done 2>/dev/null
  echo tried' sh "$notes"
is "the notes are not the user's to change" "$out" tried

# Where everybody may write, a user can be there first.
"${as_user[@]}" mkdir "$work/users"
state_dir "$work/users"
refused "a directory of the user's" 'not root.s alone'
"${as_user[@]}" mkdir "$work/users/gbm"
state_dir "$work/users/gbm"
refused "a directory below one of the user's" 'not root.s alone'
"${as_user[@]}" ln -s "$GBM_CLUSTER_DIR/etc" "$work/link"
state_dir "$work/link"
refused "a link of the user's" 'cannot be'
state_dir "$work/link/gbm"
refused "a directory behind a link" 'cannot be'
mkdir -m 777 "$work/open"
state_dir "$work/open"
refused "a directory that all may write to" 'not root.s alone'
mkdir "$work/open/gbm"
state_dir "$work/open/gbm"
refused "a directory below such a one" 'not root.s alone'
echo >"$work/file"
state_dir "$work/file"
refused "a file" 'cannot be'
is "nothing was made behind the link" \
  "$(find "$GBM_CLUSTER_DIR/etc" -name 'gbm' -o -name 'node0*')" ""
run "${as_user[@]}" srun -w node01 hostname
is "who asks for nothing is not disturbed" "$out" node01
state_dir "$notes"

# A note of another job's with the same number. Numbers start again when
# slurmctld loses its state.
# shellcheck disable=SC2016 # for the task
srun -w node01 --gbm-mem-cap=64M sh -c 'cat "$1"/job_$SLURM_JOB_ID' sh \
  "$notes/node01" >"$work/note"
# note JOB UID MB: as the plugin writes them.
note() {
  sed -E "s/^job .*/job $1/; s/^uid .*/uid $2/; s/^cap .*/cap $(mb "$3")/" \
    "$work/note"
}
uid=$("${as_user[@]}" id -u)
settle
# shellcheck disable=SC2016 # for the task
last=$(srun sh -c 'echo $SLURM_JOB_ID')
for stale in $((last + 1)) $((last + 2)); do
  note "$stale" 12345 64 >"$notes/node01/job_$stale"
done
run "${as_user[@]}" srun -w node01 --mem=300M limits
is "the note of an earlier job with this number is not used" "$out" \
  "node01 $(slurms 300)"
capped_job
is "nor where the job has a cap of its own" "$out" "node01 $(capped 128 128)"

# meddled COMMAND: runs COMMAND, with $file the note of the one $job, then a step
# of it; sets $after, what that said.
settle
# shellcheck disable=SC2016 # for the shell in the job
"${as_user[@]}" salloc -w node01 --mem=300M bash -c '
  echo $SLURM_JOB_ID >job.id
  for ((n = 1; ; n++)); do
    until [ -e go.$n ]; do
      [ ! -e stop ] || exit 0
      sleep 0.1
    done
    srun limits >after.$n 2>&1
    touch done.$n
  done' </dev/null &>"$work/salloc" &
salloc=$!
wait_for 30 test -s job.id
job=$(<job.id) file=$notes/node01/job_$job n=0
meddled() {
  n=$((n + 1))
  "$1"
  touch "go.$n"
  wait_for 30 test -e "done.$n"
  rm -rf "$file"
  after=$(<"after.$n")
}
# Called by the name that meddled is given.
# shellcheck disable=SC2317
{
  roots() { note "$job" "$uid" 64 >"$file"; }
  anothers() { note "$job" 12345 64 >"$file"; }
  other_number() { note 4294967295 "$uid" 64 >"$file"; }
  users_own() {
    note "$job" "$uid" 290 >"$file"
    chown nobody "$file"
  }
  open_to_all() {
    note "$job" "$uid" 290 >"$file"
    chmod 666 "$file"
  }
  two_names() {
    note "$job" "$uid" 290 >"$GBM_CLUSTER_DIR/etc/note"
    ln "$GBM_CLUSTER_DIR/etc/note" "$file"
  }
  a_link() {
    note "$job" "$uid" 290 >"$GBM_CLUSTER_DIR/etc/note"
    ln -s "$GBM_CLUSTER_DIR/etc/note" "$file"
  }
  a_fifo() { mkfifo "$file"; }
  a_directory() { mkdir "$file"; }
  a_large_one() { head -c 100000 /dev/zero >"$file"; }
  half_of_one() { note "$job" "$uid" 64 | head -c 40 >"$file"; }
}
meddled roots
like "a note of this job's counts" "$after" "^node01 $(capped 64 64)\$"
meddled anothers
unlike "a note of another user's job does not count" "$after" 'gbm:'
like "and does not hinder this one" "$after" '^node01 job [0-9]'
for damage in other_number users_own open_to_all two_names a_link a_fifo \
  a_directory a_large_one half_of_one; do
  meddled $damage
  like "a note that is damaged (${damage//_/ }): refused in a sentence" \
    "$after" 'gbm: .*(damaged|cannot be read).*administrator'
  unlike "and nothing runs" "$after" ' job [0-9]'
done
touch stop
wait $salloc
ok "no node minds" wait_for 30 all_idle

# A disk without room, then one without even a name left.
full() {
  settle
  mount -t tmpfs -o "mode=755,$1" gbm "$notes/node01" || return
  dd if=/dev/zero of="$notes/node01/ballast" bs=4k status=none 2>/dev/null
  rm -f "$notes/node01/one_name_less"
  true
}
ok "a full disk below the notes" full size=16k
refused "a full disk" 'gbm: .*(damaged|cannot)'
printf '#!/bin/sh\nsrun hostname\n' >job
run "${as_user[@]}" sbatch --wait --chdir="$work" --output=out -w node01 \
  --gbm-mem-cap=128M job
ok "a full disk: a batch job fails" [ $status -ne 0 ]
like "a full disk: and says why" "$(<out)" 'gbm: .*(damaged|cannot)'
unlike "a full disk: it has not run" "$(<out)" '^node01$'
ok "a full disk: the node stays idle" wait_for 30 all_idle
umount "$notes/node01"

ok "a disk without inodes" full size=1M,nr_inodes=2
capped_job
unlike "a disk without inodes: no step runs without its cap" \
  "$(grep -vE " step $(mb 128) with-swap $(mb 128)( |\$)" <<<"$out")" '^node01'
run "${as_user[@]}" sbatch --wait --chdir="$work" --output=out -w node01 \
  --gbm-mem-cap=128M job
ok "a disk without inodes: a batch job fails" [ $status -ne 0 ]
like "a disk without inodes: and says why" "$(<out)" 'gbm: '
ok "a disk without inodes: the node stays idle" wait_for 30 all_idle
umount "$notes/node01"

capped_job
is "with room again, all is well again" "$out" "node01 $(capped 128 128)"
ok "and nothing is noted of any job" wait_for 15 sh -c \
  '[ -z "$(find "$1" -type f ! -name lock)" ]' sh "$notes"

done_testing
