# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sourced by tests/slurm/cluster.sh, whose put() and $conf and $etc it uses:
# the node as GBM_CAMPAIGN=none, mem or plugin says.

# Half of the machine's memory, the default, would itself be the limit of a row.
mount -o remount,size=4G /dev/shm ||
  die "$EX_UNAVAILABLE" "/dev/shm cannot be made larger"

# How fast the node answers shall not be a question of what else runs on the
# machine. Among the cluster's own programs nothing changes.
for mount in $(cgroup_mounts); do
  [ ! -e "$mount/cpu.shares" ] || echo 10240 >"$mount/cpu.shares"
done

case $GBM_CAMPAIGN in
none) # Cores are handed out and nothing else, as Slurm has it by itself.
  put "$conf" SelectTypeParameters=CR_Core_Memory SelectTypeParameters=CR_Core
  put "$conf" DefMemPerCPU=375 ''
  put "$conf" MaxMemPerNode=1500 ''
  put "$etc/cgroup.conf" ConstrainRAMSpace=yes ConstrainRAMSpace=no
  put "$etc/cgroup.conf" ConstrainSwapSpace=yes ConstrainSwapSpace=no
  rm "$etc/plugstack.conf.d/gbm.conf"
  ;;
mem) # What most guides to a cluster of Pis say, and no more.
  put "$etc/cgroup.conf" ConstrainSwapSpace=yes ConstrainSwapSpace=no
  rm "$etc/plugstack.conf.d/gbm.conf"
  ;;
plugin) # The reserve leaves 1300M, so that two jobs of 700M are too much.
  sed -i "/^required/{
    s/ reserve=[^ ]*//
    s/\$/ reserve=$(awk '$1 == "MemTotal:" { print $2 - 1300 * 1024 }' \
    /proc/meminfo)K/
  }" "$etc/plugstack.conf.d/gbm.conf"
  ;;
esac
