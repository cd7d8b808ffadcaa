#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gbm-node-check on a real node: nothing that it calls a FAIL, a cap that is
# proven to kill, and nodes that are drained and undrained, by hand and by Slurm.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

check=$PWD/tools/gbm-node-check
etc=$GBM_CLUSTER_DIR/etc/slurm
install -m 755 "$check" "$work/gbm-node-health"
cp -r "$etc" "$work/good"
cp -r "$etc" "$work/bad"
sed -i '/^DefMemPerCPU=/d' "$work/bad/slurm.conf"

state() {
  scontrol -o show node "$1" | grep -o ' State=[^ ]*' | cut -d= -f2
}
reason() {
  scontrol -o show node "$1" | sed -n 's/.* Reason=\(.*\) \[.*/\1/p'
}
is_state() {
  [ "$(state "$1")" = "$2" ]
}
tidy() {
  cp "$work"/good/{slurm,cgroup}.conf "$etc"
  scontrol reconfigure
  scontrol update nodename=ALL state=undrain 2>/dev/null
  wait_for 30 all_idle
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

settle
# It does not wait long for Slurm's answers, which a slow machine may need.
for ((i = 0; i < 10; i++)); do
  run "$check" --node node01
  [[ $out == *"did not answer"* ]] || break
done
is "nothing on a node of the cluster is a FAIL" "$(grep -A 1 '^FAIL' <<<"$out")" ""
like "its plugin is loaded" "$out" 'OK   12 plugin: srun loads'
like "its controller is asked" "$out" "OK   16 same-configuration: as on the contr"
like "its clock, too" "$out" "OK   13 clock: this clock and the controller's ag"

if sanitized; then
  skip "--self-test" "a sanitized program needs more than its cap"
else
  run "$check" --node node01 --self-test
  like "a cap of the kernel's kills" "$out" \
    'OK    3 cap: the kernel killed a program of 160 MB at a cap of 64 MB'
  like "one of --gbm-mem-cap kills" "$out" \
    'OK    3 cap: srun --gbm-mem-cap=64M: gbm: .* reached its 64M RAM cap'
fi
is "no cgroup of the test is left" \
  "$(find /sys/fs/cgroup -name 'gbm-self-test*' 2>/dev/null)" ""
settle

# health FOLDER: of node01, by the slurm.conf in there.
health() {
  SLURM_CONF=$work/$1/slurm.conf SLURMD_NODENAME=node01 run "$work/gbm-node-health"
}
health good
is "a good node stays as it is" "$(state node01)" IDLE
health bad
is "a bad one is drained" "$(state node01)" IDLE+DRAIN
is "with our mark" "$(reason node01)" "gbm-check: DefMem"
like "and sinfo -R shows all of it" "$(sinfo -R -h)" '^gbm-check: DefMem  *root'
health bad
is "once" "$(reason node01)" "gbm-check: DefMem"
health good
ok "and undrained when it is good again" wait_for 30 is_state node01 IDLE
scontrol update nodename=node01 state=drain reason='new card'
health good
is "what an administrator has drained stays drained" "$(state node01)" IDLE+DRAIN
health bad
is "and keeps its reason" "$(reason node01)" "new card"
scontrol update nodename=node01 state=undrain
wait_for 30 all_idle

# By slurmd, which takes a program's name only, and hands on nothing but
# SLURMD_NODENAME: where slurm.conf has another place, somebody must say so. An
# emulated machine needs seconds for one, and Slurm does not wait for the last.
printf '#!/bin/sh\nSLURM_CONF=%s exec %s\n' "$etc/slurm.conf" \
  "$work/gbm-node-health" >"$work/health"
chmod 755 "$work/health"
sed -i "s|^#HealthCheckProgram=.*|HealthCheckProgram=$work/health|
  s|^#HealthCheckInterval=.*|HealthCheckInterval=$((slow > 1 ? 10 * slow : 2))|
  s|^#HealthCheckNodeState=.*|HealthCheckNodeState=ANY|" "$etc/slurm.conf"
scontrol reconfigure
is "slurm.conf's lines are ready to be used" \
  "$(scontrol show config | awk '$1 ~ /^HealthCheck(Program|Node)/ { print $3 }' |
    xargs)" "ANY $work/health"
sed -i 's/^ConstrainRAMSpace=yes/ConstrainRAMSpace=no/' "$etc/cgroup.conf"
ok "Slurm drains a node that goes bad" wait_for 60 eval \
  '[ "$(reason node01)" = "gbm-check: limits" ]'
cp "$work/good/cgroup.conf" "$etc"
ok "and uses its nodes again when they are good" wait_for 60 all_idle
run srun -w node01 hostname
is "jobs run there" "$out" node01
done_testing
