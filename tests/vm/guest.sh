#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# In the machine, started by its gbm.service: gets it ready, runs the command
# that vm.sh was given, and leaves the exit status. Then systemd powers off.
set -u
cd /gbm || exit
slurm='' slow='' command=()
# shellcheck source=/dev/null
. ./job

# Their names are made by udev.
for ((i = 0; i < 100; i++)); do
  [ ! -e /dev/virtio-ports/gbm.out ] || [ ! -e /dev/virtio-ports/gbm.status ] ||
    break
  sleep 0.1
done
exec {status}>/dev/virtio-ports/gbm.status || exit

fallocate -l 512M /swap && chmod 600 /swap && mkswap /swap >/dev/null &&
  swapon /swap || exit
ip link set lo up
echo '127.0.0.1 localhost node01' >/etc/hosts

# On the disk; from trixie on, /tmp is in RAM.
export TMPDIR=/var/tmp HOME=/root LANG=C.UTF-8
# For tests/slurm/lib.sh.
export GBM_SLOW=$slow
case $slurm in
cluster) command=(tests/slurm/cluster.sh run -- "${command[@]}") ;;
systemd) command=(tests/vm/node.sh "${command[@]}") ;;
esac
"${command[@]}" </dev/null >/dev/virtio-ports/gbm.out 2>&1
echo $? >&$status
