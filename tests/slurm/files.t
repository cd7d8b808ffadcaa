#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The files of slurm-config/files, and what install-node.sh and
# install-controller.sh make of all of them, as those read them who will: this
# release's systemd, sysctl and Slurm. That a job runs below slurm.conf and
# cgroup.conf each test here shows.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# machine NAME: the tree of one that has been set up by OPTION...
machine() {
  local dir=$work/$1 role=$2
  shift 2
  mkdir -p "$dir/etc" "$dir/usr/lib/x/slurm-wlm"
  : >"$dir/usr/lib/x/slurm-wlm/spank_gbm.so"
  echo "$role" >"$dir/etc/hostname"
  printf '127.0.0.1 localhost\n' >"$dir/etc/hosts"
  [ "$role" = master ] && role=controller || role=node
  "slurm-config/install-$role.sh" --root "$dir" "$@" --yes
}
ok "install-node.sh" machine node node01 --share /clusterfs
ok "install-controller.sh" machine controller master --share /clusterfs \
  --network 192.168.1.0/24

# verify TREE UNIT: what systemd says of Debian's unit with our drop-in.
verify() {
  SYSTEMD_UNIT_PATH=$work/$1/etc/systemd/system: systemd-analyze verify \
    --man=no --recursive-errors=no "$2" 2>&1 |
    grep -F "$work/$1"
}
if command -v systemd-analyze >/dev/null; then
  for unit in node:slurmd node:munge controller:slurmctld controller:munge; do
    tree=${unit%:*} unit=${unit#*:}.service
    dir=$work/$tree/etc/systemd/system/$unit.d
    is "systemd knows all of $tree's $unit.d" "$(verify "$tree" "$unit")" ""
    printf '[Service]\nMemoryMinimum=1\n' >"$dir/99-wrong.conf"
    like "and would tell what it does not" "$(verify "$tree" "$unit")" \
      "MemoryMinimum.*ignoring"
    rm "$dir/99-wrong.conf"
  done
  # Not a service of this machine, perhaps.
  printf '[Service]\nType=notify\nExecStart=/bin/true\nRestart=on-failure\n' \
    >"$work/node/etc/systemd/system/ssh.service"
  is "of ssh.service.d, too" "$(verify node ssh.service)" ""
  for tree in node controller; do
    is "of $tree's system.slice.d" "$(verify $tree system.slice)" ""
  done
else
  skip "systemd knows all of the drop-ins" "there is no systemd-analyze"
fi

# The boot of a node does not wait for the share.
generator=/usr/lib/systemd/system-generators/systemd-fstab-generator
if [ -x $generator ]; then
  mkdir "$work/units"
  SYSTEMD_FSTAB=$work/node/etc/fstab $generator "$work/units" "$work/units" \
    "$work/units" 2>"$work/.err"
  is "systemd reads the line of fstab" "$(<"$work/.err")" ""
  like "as a mount of NFS" "$(<"$work/units/clusterfs.mount")" '^Type=nfs4$'
  like "hard" "$(<"$work/units/clusterfs.mount")" '^Options=hard,.*timeo=600'
  ok "that is mounted when it is used" test -e "$work/units/clusterfs.automount"
  ok "and wanted, not required" test -L \
    "$work/units/remote-fs.target.wants/clusterfs.automount"
else
  skip "systemd reads the line of fstab" "there is no $generator"
fi

sysctls() {
  sed -n 's/^\([a-z][a-z_.]*\) = .*/\1/p' "$work/node/etc/sysctl.d/99-gbm.conf"
}
run sysctl --dry-run -p "$work/node/etc/sysctl.d/99-gbm.conf"
is "sysctl reads its file" "$status$err" 0
is "all lines of it" "$(wc -l <<<"$out")" 6
is "which this kernel has" "$(sysctls | while read -r key; do
  [ -w "/proc/sys/${key//.//}" ] || echo "$key"
done)" ""

# Not among what the tests install: it would take the place of another daemon.
if command -v chronyd >/dev/null; then
  run chronyd -p -f "$work/node/etc/chrony/sources.d/gbm.sources"
  is "chrony reads a node's source" "$status" 0
  run chronyd -p -f "$work/controller/etc/chrony/conf.d/gbm.conf"
  is "and the controller's file" "$status" 0
fi

# Slurm's: another cluster than the one that runs here, by a controller of its
# own.
machine other master --nodes 'big[1-3]' --cores 8 --ram 7900 >/dev/null
etc=$work/other/etc/slurm
mkdir "$work/ctld"
chown slurm: "$work/ctld"
cp "$GBM_CLUSTER_DIR/etc/slurm/plugstack.conf" "$etc"
sed -i "s|/var/lib/slurm/slurmctld|$work/ctld|; s|^SlurmctldPidFile=.*|SlurmctldPidFile=$work/ctld/pid|
  s|^SlurmctldLogFile=.*|SlurmctldLogFile=$work/ctld/log|
  s|^PlugStackConfig=.*|PlugStackConfig=$etc/plugstack.conf|
  s|^AuthInfo=.*|$(grep ^AuthInfo= "$SLURM_CONF")|; \$a SlurmctldPort=7817" "$etc/slurm.conf"
for node in 1 2 3; do
  sed -i "\$a NodeName=unused$node NodeAddr=127.0.0.1 State=FUTURE" "$etc/slurm.conf"
done
sed -i '/^NodeName=big/s/$/ NodeAddr=127.0.0.1 Port=[7901-7903]/' "$etc/slurm.conf"
SLURM_CONF=$etc/slurm.conf slurmctld -D </dev/null >"$work/ctld/out" 2>&1 &
pid=$!
says_nodes() {
  SLURM_CONF=$etc/slurm.conf sinfo -h -N -o '%N %c %m' >"$work/.nodes" 2>&1 &&
    [ -s "$work/.nodes" ]
}
ok "slurmctld takes another cluster's slurm.conf" wait_for 30 says_nodes
like "with its nodes" "$(<"$work/.nodes")" '^big3 8 7616$'
like "and memory" "$(SLURM_CONF=$etc/slurm.conf scontrol show config)" \
  'DefMemPerCPU += 809$'
kill $pid
wait $pid
is "and complains of nothing" "$(grep -iE \
  'unrecogni|unknown|invalid|deprecat|obsolete|defunct|parse error|removed|ignored' \
  "$work/ctld/log" "$work/ctld/out" | grep -v MailProg)" ""

# What protects slurmd is not the jobs'. Its -1000 not everybody may set, but
# slurmstepd does with any.
settle
pid=$(slurmd_of node01)
was=$(<"/proc/$pid/oom_score_adj")
echo 500 >"/proc/$pid/oom_score_adj"
run srun -w node01 cat /proc/self/oom_score_adj
is "a task has its own oom_score_adj, not slurmd's" "$out" 0
batch -w node01 <<'END'
#!/bin/bash
cat /proc/self/oom_score_adj
END
is "so has a batch script" "$out" 0
echo "$was" >"/proc/$pid/oom_score_adj" 2>/dev/null
done_testing
