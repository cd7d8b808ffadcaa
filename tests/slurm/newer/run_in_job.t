#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# PrologFlags=RunInJob: Slurm calls no SPANK prolog then, and the batch script's
# step, or the one of salloc's shell, notes the job's cap.
set -u
cd "$(dirname "$0")/../../.." || exit
. tests/slurm/lib.sh

# Without the variables that tell srun of it, a step has the job's cap by the
# node's note alone.
cat >"$work/steps" <<'END'
#!/bin/bash
for variable in ${!SLURM_SPANK_@}; do
  unset "$variable"
done
srun limits
srun hog 200
echo "notes: $(find "$GBM_CLUSTER_DIR/run/gbm" -name 'job_*' | wc -l)"
END
chmod +x "$work/steps"

# In a cluster of one node.
cat >"$work/inside" <<'END'
#!/bin/bash
# section NAME COMMAND...: with its output below NAME.
section() {
  echo "-- $1"
  "${@:2}" 2>&1
  for _ in {1..100}; do
    [ "$(sinfo -h -o %T)" != idle ] || break
    sleep 0.1
  done
}
cd "$TMPDIR" || exit
section config scontrol show config
section sbatch sbatch -Q --wait -n1 --gbm-mem-cap=128M --output=out "$1/steps"
section batch cat out
section salloc script -qec \
  "SHELL=$1/steps salloc -Q -n1 --gbm-mem-cap=100M" /dev/null
section srun srun -Q --gbm-mem-cap=96M limits
section plain srun -Q limits
section left find "$GBM_CLUSTER_DIR/run/gbm" -name 'job_*'
section state sinfo -h -o %T
END
chmod +x "$work/inside"

run env GBM_CONFIGURE=tests/slurm/newer/configure.sh GBM_NEWER=run_in_job \
  tests/slurm/cluster.sh run -N1 -- "$work/inside" "$work"

said() {
  tr -d '\r' <<<"$out" | sed -n "/^-- $1\$/,/^-- /{ /^-- /!p; }"
}

like "Slurm runs with the flag" "$(said config)" '^PrologFlags .*RunInJob'
like "a batch job's cap holds for steps that do not know of it" \
  "$(said batch)" "^node01 $(capped 128 128)\$"
like "kills" "$(said batch)" 'killed: job [0-9]+ reached its 128M RAM cap'
like "and is noted" "$(said batch)" '^notes: 1$'
like "so is that of salloc's shell" "$(said salloc)" \
  "node01 $(capped 100 100)\r?\$"
like "whose note is another one" "$(said salloc)" '^notes: 1$'
like "an srun of its own has its step's" "$(said srun)" \
  " step $(mb 96) with-swap $(mb 96)"
is "without the option the limits are Slurm's own" \
  "$(anywhere "$(said plain)")" "$(slurms 375)"
is "no note is left" "$(said left)" ""
is "and the node is idle" "$(said state)" idle

done_testing
