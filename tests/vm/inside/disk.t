#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Samples where there is a quota, and on a file server that has one or vanishes:
# one sentence, and the run goes on later with the bytes of one that did not end.
set -u
cd "$(dirname "$0")/../../.." || exit
. tests/mpi/lib.sh

if ! command -v setquota >/dev/null || ! [ -e /usr/sbin/rpc.nfsd ]; then
  skip_all "needs quota and nfs-kernel-server, as the machine of tests/vm has"
fi

sim=$bin/gbm_sim
user=1000
disk=$tmp/disk there=$tmp/there whole=$tmp/whole
mkdir "$disk" "$there" "$whole"
chmod 755 "$tmp"

# leave: nothing stays mounted.
leave() {
  umount -f "$there" 2>/dev/null
  systemctl stop nfs-server
  exportfs -ua
  umount "$disk"
  rm -rf "$tmp"
}
trap leave EXIT

# A user may have so many bytes, which the disk has room for.
truncate -s 60M "$tmp/image" &&
  mkfs.ext4 -q -F -O quota -E quotatype=usrquota:grpquota "$tmp/image" &&
  mount -o loop,usrquota,grpquota "$tmp/image" "$disk" &&
  install -d -o $user -g $user "$disk/own" || exit
# may SIZE: in KiB; none of them: any.
may() {
  setquota -u $user 0 "$1" 0 0 "$disk"
}
as_user() {
  run setpriv --reuid $user --regid $user --clear-groups "$@"
}
same() {
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  cmp "$whole/f.npy" "$1/f.npy" && cmp "$whole/f.npy.json" "$1/f.npy.json"
}

words=(--paths 400001 --quiet --progress never)
run "$sim" "${words[@]}" --out "$whole/f.npy"
ok "a run without a limit" is "$status" 0

home=$disk/own
may 2048
as_user "$sim" "${words[@]}" --out "$home/f.npy"
ok "a quota is too small: said before the run" \
  refused 73 "needs 3.1 MiB, but the disk quota of user $user leaves 2.0 MiB"
ok "which makes no file" is "$(ls "$home")" ""
run "$sim" "${words[@]}" --out "$home/root.npy"
ok "root has none" is "$status" 0
rm "$home"/*
setquota -g $user 0 1024 0 0 "$disk"
may 0
as_user "$sim" "${words[@]}" --out "$home/f.npy"
ok "nor is a group's" refused 73 "quota of group $user leaves 1023 KiB"
setquota -g $user 0 0 0 0 "$disk"
may 4096
as_user "$sim" "${words[@]}" --out "$home/f.npy"
ok "one that suffices" same "$home"
as_user "$sim" "${words[@]}" --out "$home/f.npy" --force
ok "what is replaced counts as room" same "$home"
as_user "$sim" --paths 600001 "${words[@]:2}" --out "$home/f.npy" --resume
ok "it is not extended beyond it" refused 73 "quota of user $user"
as_user "$sim" "${words[@]}" --out "$home/f.npy" --resume
ok "and stays as it was" same "$home"
may 8192
as_user "$sim" --paths 600001 "${words[@]:2}" --out "$home/f.npy" --resume
ok "but once it is raised" is "$status" 0
as_user "$sim" --verify "$home/f.npy" --quiet
ok "and is right" is "$status" 0
rm "$home"/*

# A run that takes a while, and its checkpoints. The file's room is reserved.
long=(--paths 60001 --steps 800 --quiet --progress never --every 0.2)
rm "$whole"/*
run "$sim" "${long[@]}" --out "$whole/f.npy"
# begin DIRECTORY: in the background, by the user; $pid.
begin() {
  setpriv --reuid $user --regid $user --clear-groups \
    "$sim" "${long[@]}" --threads 1 --out "$1/f.npy" \
    >"$tmp/out" 2>"$tmp/err" </dev/null &
  pid=$!
}
# has_checkpoint: what was begun writes one, and goes on.
has_checkpoint() {
  while ! [ -e "$home/f.npy.checkpoint" ]; do
    kill -0 "$pid" || return
    sleep 0.1
  done
}
ended() {
  wait "$pid"
  status=$?
}
begin "$home"
ok "with a quota: a checkpoint" has_checkpoint
may 1
ended
ok "nothing more is allowed: no further one" refused 74 "quota exceeded"
may 4096
as_user "$sim" "${long[@]}" --out "$home/f.npy" --resume
ok "goes on when it is" same "$home"
rm "$home"/*

# A server of files. Its clients do not know the quota.
serve() {
  systemctl start nfs-server &&
    exportfs -o rw,no_root_squash,fsid=0,no_subtree_check 127.0.0.1:"$disk"
}
# client VERSION: gives up on a server after seconds.
client() {
  mount -t nfs -o "vers=$1,soft,timeo=5,retrans=1" 127.0.0.1:/ "$there"
}
serve || exit
for version in 4.2 4.1; do
  ok "NFS $version" client $version
  may 1024
  as_user "$sim" "${words[@]}" --out "$there/own/f.npy"
  if [ $version = 4.2 ]; then
    ok "4.2: no room can be reserved" refused 73 "quota exceeded"
    ok "4.2: no file is made" is "$(ls "$home")" ""
  else
    ok "4.1: found when it is written" refused 74 "quota exceeded"
    may 4096
    as_user "$sim" "${words[@]}" --out "$there/own/f.npy" --resume
    ok "4.1: goes on when it is raised" is "$status" 0
    as_user "$sim" --verify "$there/own/f.npy" --quiet
    ok "4.1: and is right" is "$status" 0
  fi
  # Its client would still know what others remove.
  rm -f "$there/own"/*
  [ $version = 4.1 ] || umount "$there"
done

# It is gone in the midst of it, and there again.
may 0
begin "$there/own"
ok "on the server: a checkpoint" has_checkpoint
systemctl stop nfs-server
ended
ok "it is gone: one sentence" refused 74 "$there/own/f.npy"
serve
run mpi 2 "$sim" "${long[@]}" --out "$there/own/f.npy" --resume
ok "there again: two ranks go on" same "$home"
rm -f "$there/own"/*

# Without the right to write any more.
begin "$there/own"
ok "on the server, again: a checkpoint" has_checkpoint
exportfs -o ro,no_root_squash,fsid=0,no_subtree_check 127.0.0.1:"$disk"
ended
ok "it becomes read-only: one sentence" refused 74 "$there/own/f.npy"
exportfs -o rw,no_root_squash,fsid=0,no_subtree_check 127.0.0.1:"$disk"
as_user "$sim" "${long[@]}" --out "$there/own/f.npy" --resume
ok "it is not any more: goes on" same "$home"
done_testing
