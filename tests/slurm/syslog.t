#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# syslog=yes: kills, and nothing else, also go to the node's syslog.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

conf=$GBM_CLUSTER_DIR/etc/slurm/plugstack.conf.d/gbm.conf
cp "$conf" "$work/gbm.conf"

# A /dev of the cluster's own, with a /dev/log in it: the machine's must not be
# touched, and may have none.
mkdir "$work/dev" "$work/new"
mount --rbind /dev "$work/dev" && mount -t tmpfs tmpfs "$work/new" || exit
chmod 755 "$work/new"
for file in null zero full random urandom tty ptmx; do
  touch "$work/new/$file" &&
    mount --bind "$work/dev/$file" "$work/new/$file" || exit
done
for file in pts shm; do
  mkdir "$work/new/$file" &&
    mount --rbind "$work/dev/$file" "$work/new/$file" || exit
done
mount --rbind "$work/new" /dev || exit
perl -MSocket -e '
  $| = 1;
  socket(LOG, AF_UNIX, SOCK_DGRAM, 0) && bind(LOG, sockaddr_un("/dev/log"))
    or die;
  chmod 0666, "/dev/log";
  print "$m\n" while defined recv(LOG, $m, 8192, 0)' \
  >"$work/syslog" 2>&1 &
logger=$!
trap 'kill $logger; cp "$work/gbm.conf" "$conf"; umount -l /dev' EXIT
wait_for 10 test -S /dev/log >/dev/null

run srun --gbm-mem-cap=64M hog 100
like "a job is killed" "$err" 'gbm: task 0 .*was killed'
is "syslog hears nothing of it by default" "$(grep -c 'gbm:' "$work/syslog")" 0

sed 's/^\(required .*\)/\1 syslog=yes/' "$work/gbm.conf" >"$conf"
settle
run srun --gbm-mem-cap=64M hog 20
run srun --gbm-mem-cap=64M hog 100
wait_for 10 grep -q gbm: "$work/syslog" >/dev/null
is "with syslog=yes one line" "$(grep -c 'gbm:' "$work/syslog")" 1
# 28: the facility daemon, a warning.
like "that says the same" "$(<"$work/syslog")" \
  '^<28>.*: gbm: task 0 on node0. was killed: job [0-9]+ reached'

done_testing
