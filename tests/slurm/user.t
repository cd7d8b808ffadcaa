#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# An ordinary user: can use the cap, and cannot undo it.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh
cd "$work" || exit

settle
run "${as_user[@]}" srun --gbm-mem-cap=128M sh -c 'id -un; limits'
is "the cap holds for a user who is not root" "$(anywhere "$out")" "nobody
$(capped 128 128)"

run "${as_user[@]}" srun --gbm-mem-cap=128M hog 200
unlike "who cannot pass it" "$out" '^hog: done'
like "and is told so" "$err" 'gbm: task 0 on node0. was killed: .*128M RAM cap'

cat >raise <<'END'
#!/bin/bash
. ./where
for dir in "$step" "$job"; do
  limits=$(ls "$dir"/memory.{limit_in_bytes,memsw.limit_in_bytes,max,swap.max})
  [ "$limits" ] || echo "no limit in $dir"
  for limit in $limits; do
    echo 1G >"$limit" && echo "raised $limit"
  done
done 2>/dev/null
limits
END
chmod +x raise
run "${as_user[@]}" srun --gbm-mem-cap=128M ./raise
is "the limits are not the user's to raise" "$(anywhere "$out")" \
  "$(capped 128 128)"

# sbatch hands the option to the nodes in a variable that anybody can set.
settle
run "${as_user[@]}" salloc --gbm-mem-cap=128M env \
  SLURM_SPANK__SLURM_SPANK_OPTION_gbm_gbm_mem_cap=1G \
  _SLURM_SPANK_OPTION_gbm_gbm_mem_cap=1G srun limits
is "a forged variable does not raise the job's cap" "$(anywhere "$out")" \
  "$(capped 128 128)"

run "${as_user[@]}" srun --gbm-mem-cap=128M sh -c "
  find $GBM_CLUSTER_DIR/run/gbm -type f -name job_\$SLURM_JOB_ID | wc -l
  find $GBM_CLUSTER_DIR/run/gbm -writable | wc -l"
is "the plugin's notes are read-only to the user" "${out//$'\n'/ }" "1 0"

done_testing
