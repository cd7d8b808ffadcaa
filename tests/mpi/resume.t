#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Samples on disk that were stopped in any way go on, on other ranks and threads,
# and file and manifest are byte for byte those of a run that was not; also
# where the disk was really full, or became read-only.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/mounts.sh
. tests/mpi/lib.sh

sim=$bin/gbm_sim
mkdir "$tmp/whole" "$tmp/o"
# A second or so of one thread, not of whole blocks.
words=(--paths 600003 --steps 2500 --payoff asian-call --quiet
  --progress never)

# begin COMMAND...: in the background, with a checkpoint every 0.1 s; $pid.
begin() {
  touch "$tmp/now"
  "$@" --every 0.1 >"$tmp/first" 2>"$tmp/err" </dev/null &
  pid=$!
}

# ended: the same has come to its end; as after run.
ended() {
  wait "$pid"
  status=$?
  cp "$tmp/first" "$tmp/out"
}

# newer FILE: it becomes newer than the run that was begun, which goes on.
newer() {
  for ((i = 0; i < 1200; i++)); do
    [ "$1" -nt "$tmp/now" ] && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  echo "no $1 from a run that goes on"
  cat "$tmp/err"
  return 1
}

# same DIRECTORY: it holds the whole run's file, or shards, and manifest.
same() {
  local file
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  for file in "$whole"/f.*npy "$whole/f.npy.json"; do
    cmp "$file" "$1/${file##*/}" || return
  done
  is "$(cat "$tmp/out")" "$expected"
}

# again COMMAND...: goes on to the end.
again() {
  run "$@" --resume
}

whole=$tmp/whole
run "$sim" "${words[@]}" --out "$whole/f.npy"
expected=$(cat "$tmp/out")
ok "a run that was not interrupted" is "$status $(wc -l <"$tmp/out")" "0 1"

out=$tmp/o/f.npy
point=$out.checkpoint
for signal in KILL TERM; do
  rm -f "$tmp/o"/*
  begin "$sim" "${words[@]}" --out "$out" --threads 1
  ok "$signal: a checkpoint is written beside it" newer "$point"
  kill -$signal $pid
  wait $pid 2>/dev/null
  code=$?
  [ $signal = KILL ] || ok "TERM: exit status 75" is $code 75
  ok "$signal: it is not complete" grep -q '"complete": false' "$out.json"
  again mpi 3 "$sim" "${words[@]}" --out "$out" --threads 1
  ok "$signal: goes on, on three ranks" same "$tmp/o"
done
again mpi 2 "$sim" "${words[@]}" --out "$out" --threads 1
ok "once more there is nothing to do" same "$tmp/o"
run "$sim" --verify "$out"
ok "and every byte is right" is "$status" 0

# What follows the last checkpoint is of no account.
rm -f "$tmp/o"/*
begin mpi 2 "$sim" "${words[@]}" --out "$out" --threads 1
ok "two ranks write a checkpoint" newer "$point"
pkill -KILL -n -f "^$sim .*--out $out "
wait $pid
perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, 4096 + 8 * 590000, 0;
  print $f "x" x 50000' "$out"
again "$sim" "${words[@]}" --out "$out" --threads 2 --chunk 64K
ok "one of which is killed: one process goes on" same "$tmp/o"

# Before the first checkpoint, at any moment.
for file in f.npy f.npy.json; do
  rm -f "$tmp/o"/*
  begin "$sim" "${words[@]}" --out "$out" --threads 1
  newer "$tmp/o/$file" >/dev/null
  kill -KILL $pid
  wait $pid 2>/dev/null
  [ $file = f.npy ] || rm -f "$out"
  rm -f "$point"*
  again "$sim" "${words[@]}" --out "$out"
  ok "killed when there was $file, and no checkpoint" same "$tmp/o"
done
rm -f "$tmp/o"/*
again "$sim" "${words[@]}" --out "$out"
ok "a run that had not begun" same "$tmp/o"

# Nothing is kept: a signal ends it, and a requeued job begins anew.
rm -f "$tmp/o"/*
"$sim" --paths 1e8 "${words[@]:2}" --out "$out" --checkpoint none \
  >/dev/null 2>&1 &
pid=$!
touch -d @0 "$tmp/now"
newer "$out" >/dev/null
kill -TERM $pid
wait $pid
code=$?
ok "--checkpoint none: SIGTERM ends it" is $code 143
SLURM_RESTART_COUNT=1 run "$sim" "${words[@]}" --out "$out" --checkpoint none \
  --force
ok "--checkpoint none: begins anew by force" same "$tmp/o"
SLURM_RESTART_COUNT=1 run "$sim" "${words[@]}" --out "$out" --checkpoint none
ok "--checkpoint none: not else" refused 73 "is there"

# SIGTERM to all of four ranks, as Slurm sends it, in any kind of file. What
# mpirun would make of it is not asked for.
for kind in '' --shards '--save paths' '--save paths --shards'; do
  rm -f "$tmp/o"/*
  read -ra more <<<"$kind"
  begin mpi 4 "$sim" --paths 1e8 --steps 20 --quiet --progress never \
    --out "$out" --threads 1 "${more[@]}"
  ok "four ranks, $kind: a checkpoint" newer "$point"
  start=$(date +%s%N)
  touch "$tmp/now"
  pkill -TERM -f "^$sim .*--out $out "
  wait $pid
  code=$?
  took=$((($(date +%s%N) - start) / 1000000))
  ok "four ranks, $kind: SIGTERM: exit status 75" is $code 75
  ok "four ranks, $kind: after a checkpoint" [ "$point" -nt "$tmp/now" ]
  ok "four ranks, $kind: within five seconds" [ $took -le 5000 ]
  ok "four ranks, $kind: one sentence" \
    is "$(grep -c 'ended by a signal after .* go on with --resume' "$tmp/err")" 1
done

# Shards.
mkdir "$tmp/shards"
whole=$tmp/shards
run mpi 3 "$sim" "${words[@]}" --out "$whole/f.npy" --shards --threads 1
ok "three shards" is "$status $(cat "$tmp/out")" "0 $expected"
for ranks in 1 2 5; do
  rm -f "$tmp/o"/*
  begin mpi 3 "$sim" "${words[@]}" --out "$out" --shards --threads 1
  ok "shards: a checkpoint" newer "$point"
  pkill -KILL -n -f "^$sim .*--out $out "
  wait $pid
  again mpi $ranks "$sim" "${words[@]}" --out "$out" --shards --threads 1
  ok "shards: goes on, on $ranks ranks" same "$tmp/o"
done
again mpi 2 "$sim" --paths 3000003 "${words[@]:2}" --out "$out" --shards
ok "shards are not extended" refused 64 "--replay 600003:3000003 --out"

# An extension.
whole=$tmp/whole
words=(--paths 700001 --steps 3 --save paths --dtype f4 --quiet)
rm -f "$whole"/* "$tmp/o"/*
run "$sim" "${words[@]}" --out "$whole/f.npy"
expected=$(cat "$tmp/out")
for paths in 100 100001 696320; do
  rm -f "$tmp/o"/*
  run "$sim" --paths $paths "${words[@]:2}" --out "$out"
  again mpi 2 "$sim" "${words[@]}" --out "$out" --threads 1
  ok "$paths paths are extended" same "$tmp/o"
done
run "$sim" --paths 1000 "${words[@]:2}" --out "$out" --resume
ok "not to fewer" refused 64 "more than this run's 1000"
run "$sim" "${words[@]}" --seed 2 --out "$out" --resume
ok "nor with another seed" refused 64 "with another seed"
run "$sim" "${words[@]}" --payoff put --out "$out" --resume
ok "nor another payoff" refused 65 "with another payoff"
run "$sim" "${words[@]}" --out "$out" --resume --force
ok "--resume or --force" refused 64 "give one"
rm "$out"
sed -i 's/"complete": true/"complete": false/' "$out.json"
run "$sim" "${words[@]}" --out "$out" --resume
ok "a damaged manifest" refused 65 "no manifest of samples"
rm "$out.json"
run "$sim" "${words[@]}" --out "$out" --resume
ok "a checkpoint whose file is gone" refused 65 "no manifest"
run "$sim" "${words[@]}" --out "$out"
ok "is not overwritten either" refused 73 "there is a checkpoint"
run "$sim" "${words[@]}" --out "$out" --force
ok "but by force" same "$tmp/o"

if [ $mounts = no ]; then
  skip "full and read-only file systems" "needs root, and mount namespaces"
  done_testing
fi
# Several seconds of one thread, within which the disk becomes full.
words=(--paths 1500001 --steps 4000 --quiet --progress never)
rm -f "$whole"/*
run "$sim" "${words[@]}" --out "$whole/f.npy"
expected=$(cat "$tmp/out")
small=$tmp/small
mkdir "$small"
out=$small/f.npy
point=$tmp/point

mount -t tmpfs -o size=14m tmpfs "$small" || exit
begin "$sim" "${words[@]}" --threads 1 --out "$out" --checkpoint "$point"
ok "tmpfs: a checkpoint" newer "$point"
dd if=/dev/zero of="$small/fill" bs=64K status=none 2>/dev/null
ended
ok "tmpfs: becomes full" refused 74 "make room, then go on with --resume"
again "$sim" "${words[@]}" --out "$out" --checkpoint "$point"
ok "tmpfs: no room yet" refused 73 "make room"
rm "$small/fill"
again mpi 2 "$sim" "${words[@]}" --out "$out" --checkpoint "$point"
ok "tmpfs: goes on once there is room" same "$small"
rm -f "$small"/f* "$point"*
begin mpi 2 "$sim" "${words[@]}" --out "$out" --checkpoint "$point"
ok "tmpfs, two ranks: a checkpoint" newer "$point"
dd if=/dev/zero of="$small/fill" bs=64K status=none 2>/dev/null
ended
ok "tmpfs, two ranks: becomes full" refused 74 "go on with --resume"
rm "$small/fill"
again "$sim" "${words[@]}" --out "$out" --checkpoint "$point"
ok "tmpfs, two ranks: one goes on" same "$small"
umount "$small"
rm -f "$point"*

if ! { truncate -s 40M "$tmp/disk" && mkfs.ext4 -q -F "$tmp/disk" 2>/dev/null &&
  mount -o loop "$tmp/disk" "$small" 2>/dev/null; }; then
  skip "ext4" "needs mkfs.ext4 and loop devices"
  done_testing
fi
# It reserves room for the samples, so that the checkpoint finds none.
begin "$sim" "${words[@]}" --threads 1 --out "$out"
ok "ext4: a checkpoint" newer "$out.checkpoint"
# Again and again: a checkpoint that just replaces another leaves the room of that.
while kill -0 $pid 2>/dev/null; do
  dd if=/dev/zero bs=1K status=none 2>/dev/null >>"$small/fill"
  sleep 0.02
done
ended
ok "ext4, full: no further one" refused 74 "make room"
rm "$small/fill"
again "$sim" "${words[@]}" --out "$out"
ok "ext4: goes on once there is room" same "$small"

rm -f "$small"/f*
begin "$sim" "${words[@]}" --threads 1 --out "$out"
ok "read-only: a checkpoint" newer "$out.checkpoint"
# As an error of the disk does it; a file that is open for writing forbids it.
mount -o remount,abort "$small" 2>/dev/null
ended
ok "read-only, in the midst of it: one sentence" refused 74 "$small"
umount "$small" && e2fsck -fy "$tmp/disk" >"$tmp/fsck" 2>&1
mount -o loop "$tmp/disk" "$small" || exit
again mpi 2 "$sim" "${words[@]}" --out "$out" --threads 1
ok "read-only: goes on when it can be written to again" same "$small"
umount "$small"
done_testing
