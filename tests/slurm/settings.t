#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The administrator's settings: defaults, bounds, and what is done about errors.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

settle
settings max_cap=200M min_cap=64M swap_max=64M
run srun --gbm-mem-cap=256M hostname
like "a cap above max_cap is refused, with the bound" "$err" \
  'gbm: --gbm-mem-cap=256M .*allows 200M'
run srun --gbm-mem-cap=48M hostname
like "one below min_cap, too" "$err" 'gbm: --gbm-mem-cap=48M .*at least 64M'
run srun --gbm-mem-cap=100M --gbm-swap=65M hostname
like "and swap above swap_max" "$err" 'gbm: --gbm-swap=65M .*allows 64M'
run srun --gbm-mem-cap=max limits
is "max is max_cap" "$(anywhere "$out")" "$(capped 200 200)"

# Past the client, as a user may: to root on the node.
settings
printf '#!/bin/sh\nsleep 3\nexec limits\n' >"$work/later"
chmod +x "$work/later"
job=$(sbatch --parsable -n1 --chdir="$work" --output=%j.out \
  --gbm-mem-cap=256M --hold "$work/later")
settings max_cap=200M
scontrol release "$job"
wait_for 60 job_over "$job"
like "the node refuses it as well" "$(<"$work/$job.out")" \
  'gbm: --gbm-mem-cap comes to 256M, but this node allows 200M'
is "and the job fails" "$(job_state "$job")" FAILED
run srun --gbm-mem-cap=80% hostname
like "a share above max_cap is for the node to refuse" "$err" \
  'gbm: --gbm-mem-cap comes to .*, but this node allows 200M'
is "where nothing runs" "$status $out" "1 "
ok "and which stays idle" wait_for 10 all_idle

settings default_cap=128M
run srun limits
is "default_cap is for jobs that ask for none" "$(anywhere "$out")" \
  "$(capped 128 128)"
is "who hear nothing of it" "$err" ""
run srun hog 200
like "unless they reach it" "$err" 'gbm: task 0 .*its 128M RAM cap'
run srun --gbm-mem-cap=160M limits
is "those that ask for more have it" "$(anywhere "$out")" "$(capped 160 160)"
run srun --gbm-swap=64M limits
is "--gbm-swap=64M goes beyond the default" \
  "$(anywhere "$out" | sed 's/ swappiness.*//')" \
  "job $(mb 128) step $(mb 128) with-swap $(mb "$(with_swap 128 64)")"
settle
batch -n1 <<'EOF'
#!/bin/bash
srun --gbm-mem-cap=256M limits
EOF
like "a step cannot leave it" "$out" "$(capped 128 128)"
like "and is told so" "$out" 'gbm: .*256M.* has a cap of 128M'

settings swap_default=allow
run srun limits
is "swap_default=allow leaves jobs as Slurm has them" "$(anywhere "$out")" \
  "job $(mb 375) step $(mb 375) with-swap $(mb "$(slurms_swap 375 375)")$(
    swappiness "$(cat /sys/fs/cgroup/memory/memory.swappiness 2>/dev/null)")"
run srun --gbm-swap=none limits
is "but --gbm-swap=none, which needs no cap" "$(anywhere "$out")" \
  "$(slurms 375)"

settings report=off
run srun --gbm-mem-cap=128M limits
is "report=off is the default of --gbm-mem-report" "$err" ""

settle
# refused NAME REGEX SETTING...
refused() {
  local name=$1 regex=$2
  shift 2
  settings "$@"
  run srun hostname
  like "$name" "$status $err" "^1 .*gbm: plugstack.conf: $regex"
}
refused "an unknown setting" "'max_cpa=1G' is not" max_cpa=1G
refused "a bad value" "min_cap=1M must be" min_cap=1M
refused "a setting given twice" 'oom= is given twice' oom=job oom=step
refused "bounds that contradict each other" 'max_cap= is below min_cap=' \
  max_cap=64M min_cap=128M
refused "defaults above their bound" 'swap_default= is above swap_max=' \
  swap_default=1G swap_max=64M
# About 32M where max_cap is less: this node alone knows.
settings default_cap=100M max_cap=0.1%
run srun hostname
is "bounds that contradict each other on this node: the job fails" "$status" 1
like "and says why" "$err" \
  '^gbm: plugstack.conf: (default|max)_cap= comes to .*administrator'
settings
ok "no node is drained for any of it" wait_for 10 all_idle

# A node whose own file is bad, while that of the client is good.
mkdir "$work/client"
sed "s|^PlugStackConfig=.*|PlugStackConfig=$work/client/plugstack.conf|" \
  "$SLURM_CONF" >"$work/client/slurm.conf"
cp "$(dirname "$SLURM_CONF")/cgroup.conf" "$work/client"
cp "$GBM_CLUSTER_DIR/etc/slurm/plugstack.conf.d/gbm.conf" \
  "$work/client/plugstack.conf"
client=(env "SLURM_CONF=$work/client/slurm.conf")
settings max_cpa=1G
run "${client[@]}" srun --gbm-mem-cap=128M hostname
like "a node with a bad file refuses a cap" "$err" \
  "^gbm: plugstack.conf: 'max_cpa=1G' is not .*administrator"
is "and runs nothing" "$status $out" "1 "
run "${client[@]}" srun limits
is "a job that asks for nothing runs as without the plugin" \
  "$status $(anywhere "$out" | sed 's/ with-swap.*//') $err" \
  "0 $(slurms 375 | sed 's/ with-swap.*//') "
ok "and the nodes stay idle" wait_for 10 all_idle
settings

# Something that holds no cap: the notes of jobs are not root's alone.
settle
chmod 777 "$GBM_CLUSTER_DIR/run/gbm"
run srun --gbm-mem-cap=128M hostname
is "where a cap cannot be kept, the job fails" "$status" 1
like "and says why" "$err" '^gbm: the state directory .* is not root.s alone'
run srun limits
is "but not for jobs without one" "$status $err" "0 "
settings on_error=warn
run srun -w node01 --gbm-mem-cap=128M hostname
is "on_error=warn lets it run" "$status $out" "0 node01"
like "and warns" "$err" 'gbm: .* runs without its cap: .*state dir'
run srun --gbm-mem-cap=10000% hostname
ok "a bad value is refused all the same" [ $status -ne 0 ]
chmod 755 "$GBM_CLUSTER_DIR/run/gbm"
settings

done_testing
