#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# In the machine, which becomes node01 and its own controller, as README.md of
# slurm-config/ tells an administrator to: runs a command while Debian's own
# services munge, slurmctld and slurmd run under systemd. Every difference from
# the shipped files is below.
set -u
cd "$(dirname "$0")/../.." || exit
etc=/etc/slurm

mkdir -p $etc && cp -r slurm-config/*.conf slurm-config/plugstack.conf.d $etc &&
  cp -r slurm-config/files/{all,node,controller}/etc/systemd/system /etc/systemd &&
  systemctl daemon-reload &&
  install -m 755 build/plugin/spank_gbm.so /usr/lib/*/slurm-wlm/ &&
  sed -i -e "s/node\[01-04\]/node01/; s/^SlurmctldHost=.*/SlurmctldHost=node01/" \
    -e "s/CPUs=4/CPUs=$(nproc)/; s/CoresPerSocket=4/CoresPerSocket=$(nproc)/" \
    $etc/slurm.conf || exit

# Slurm looks for addresses only where a network is.
ip link add gbm0 type dummy && ip addr add 192.168.1.11/24 dev gbm0 &&
  ip link set gbm0 up && echo '192.168.1.11 node01' >/etc/hosts || exit

systemctl start munge slurmctld slurmd || exit
for ((i = 0; i < 300 * ${GBM_SLOW:-1}; i++)); do
  [ "$(sinfo -h -o %T 2>/dev/null)" != idle ] || break
  sleep 0.2
done
[ "$(sinfo -h -o %T)" = idle ] || {
  sinfo -o '%N %T %E'
  tail -n 15 /var/log/slurm/*.log
  exit 70
}

# For tests/slurm/lib.sh: what it looks for is in /tmp and /run.
export GBM_CLUSTER_DIR=/ GBM_CLUSTER_NODES=1
export SLURM_CONF=$etc/slurm.conf PATH=$PWD/build/bin:$PATH
"$@"
