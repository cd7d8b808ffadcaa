#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Where the options may stand, which of them counts, and that they reach jobs of
# every kind.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# Without what the plugin says.
limits_of() {
  anywhere "$(grep -v '^gbm:' <<<"$1" | sort)"
}

twice() {
  printf '%s\n%s\n' "$1" "$1"
}

cat >"$work/lines" <<'EOF'
#!/bin/bash
#SBATCH --gbm-mem-cap=128M
limits
srun limits
EOF
settle
batch <"$work/lines"
is "a line of the script" "$(limits_of "$out")" "$(twice "$(capped 128 128)")"
SLURM_GBM_MEM_CAP=112M batch <"$work/lines"
is "the variable counts before it, as Slurm's own do" \
  "$(limits_of "$out")" "$(twice "$(capped 112 112)")"
SLURM_GBM_MEM_CAP=112M batch --gbm-mem-cap=96M <"$work/lines"
is "the command line before both" \
  "$(limits_of "$out")" "$(twice "$(capped 96 96)")"

settle
cat >"$work/bare" <<EOF
#!/bin/bash
$work/limits
srun --export=NONE $work/limits
EOF
SLURM_GBM_MEM_CAP=128M batch --export=NONE <"$work/bare"
is "--export=NONE does not lose the variable's cap" \
  "$(limits_of "$out")" "$(twice "$(capped 128 128)")"
batch --export=NONE --gbm-mem-cap=128M <"$work/bare"
is "nor the option's" "$(limits_of "$out")" "$(twice "$(capped 128 128)")"

settle
run env SLURM_GBM_SWAP=64M srun --gbm-mem-cap=128M limits
is "SLURM_GBM_SWAP stands for --gbm-swap" \
  "$(anywhere "$out" | sed 's/ swappiness.*//')" \
  "job $(mb 128) step $(mb 128) with-swap $(mb "$(with_swap 128 64)")"
run env SLURM_GBM_SWAP=64M srun limits
is "and may stand for all jobs, also those without a cap" \
  "$status $(anywhere "$out" | grep -o 'job [0-9]*')" "0 job $(mb 375)"

run env SLURM_GBM_SWAP=64M srun --gbm-mem-cap=128M --gbm-swap=none limits
is "but not before the option" "$(anywhere "$out")" "$(capped 128 128)"
settle
cat >"$work/lines" <<'EOF'
#!/bin/bash
#SBATCH --gbm-mem-cap=128M --gbm-swap=64M --gbm-mem-report=off
srun limits
EOF
batch <"$work/lines"
is "all three as lines of the script" \
  "$(anywhere "$out" | sed '/^gbm: --gbm-swap=/d; s/ swappiness.*//')" \
  "job $(mb 128) step $(mb 128) with-swap $(mb "$(with_swap 128 64)")"
SLURM_GBM_SWAP=none SLURM_GBM_MEM_REPORT=summary batch <"$work/lines"
is "before which the variables count" "$(limits_of "$out")" \
  "$(capped 128 128)"
like "all of them" "$out" 'gbm: job [0-9]+ on node0.: peak '
run env SLURM_GBM_MEM_CAP=128M salloc -n1 srun limits
is "salloc heeds the variable" "$(anywhere "$out")" "$(capped 128 128)"
run env SLURM_GBM_MEM_CAP=128M salloc -n1 --gbm-mem-cap=112M srun limits
is "after its option" "$(anywhere "$out")" "$(capped 112 112)"

run srun --gbm-mem-cap=128M --gbm-mem-report=off limits
is "--gbm-mem-report=off: not a word" "$err" ""
run env SLURM_GBM_MEM_REPORT=off srun --gbm-mem-cap=128M limits
is "SLURM_GBM_MEM_REPORT stands for it" "$err" ""
run env SLURM_GBM_MEM_REPORT=off srun --gbm-mem-cap=128M \
  --gbm-mem-report=summary limits
like "and counts after it" "$err" 'gbm: .*peak .* of 128M RAM cap'
settle
batch --gbm-mem-cap=128M --gbm-mem-report=off <<'EOF'
#!/bin/bash
for variable in ${!SLURM_SPANK_@}; do
  unset "$variable"
done
srun limits
EOF
unlike "it is the job's, also for a step that does not know of it" "$out" gbm:
run srun --gbm-mem-report=summary hog 50
like "a job without a cap is reported on if it wants" "$err" \
  'gbm: .*peak [5-9][0-9]M of 375M Slurm allocation, swap none'

run srun --mem=1500M --gbm-mem-cap=max limits
most=$(usable)
if [ "$most" -le "$(mb 1500)" ]; then
  is "max is what jobs may use" "$(anywhere "$out" | grep -o 'job [0-9]*')" \
    "job $((most - most % 65536))"
else
  is "max is more than Slurm gives here, which holds" \
    "$(anywhere "$out")" "$(capped 1500 1500)"
fi

settle
cat >"$work/script" <<'EOF'
#!/bin/bash
limits
srun limits
EOF
job=$(sbatch --parsable --wait --array=1-2 --chdir="$work" \
  --output=array.%a.out --gbm-mem-cap=128M "$work/script")
for i in 1 2; do
  is "an array job: task $i" "$(limits_of "$(cat "$work/array.$i.out")")" \
    "$(twice "$(capped 128 128)")"
done

settle
# Without PMIx: srun of 22.05 has one agent of it for each part of a job and,
# seldom, waits for one that never ends, also when it is told to.
run srun --mpi=none -n1 --gbm-mem-cap=128M limits : -n1 limits
is "srun of two components: the cap is for both" \
  "$(limits_of "$out")" "$(twice "$(capped 128 128)")"
batch <<'EOF'
#!/bin/bash
#SBATCH -n1 --gbm-mem-cap=128M
#SBATCH hetjob
#SBATCH -n1
limits
srun --mpi=none --het-group=0,1 limits
EOF
is "a batch job of two components, too" "$(limits_of "$out")" \
  "$(twice "$(capped 128 128)")
$(capped 128 128)"

settle
cat >"$work/again" <<'EOF'
#!/bin/bash
srun limits
[ -n "${SLURM_RESTART_COUNT-}" ] || sleep 60
EOF
job=$(sbatch --parsable --requeue --open-mode=append --chdir="$work" \
  --output=again.out --gbm-mem-cap=128M "$work/again")
wait_for 60 grep -qs '^gbm: step' "$work/again.out"
scontrol requeue "$job"
# Slurm waits two minutes before it starts a job again, unless it is told. In the
# second in which the job was ended its node refuses it, and it has failed.
wait_for 30 eval '[ "$(job_state "$job")" = PENDING ]'
sleep 2
over_now() {
  scontrol update JobId="$job" StartTime=now >/dev/null 2>&1
  job_over "$job"
}
wait_for 90 over_now
is "a job that is queued again has its cap again" \
  "$(limits_of "$(grep -o '^node.*' "$work/again.out")")" \
  "$(twice "$(capped 128 128)")"
is "and completes" "$(job_state "$job")" COMPLETED

settle
batch --gbm-mem-cap=128M -n1 --mem=350M <<'EOF'
#!/bin/bash
srun --mem=150M hog -s 8 80 &
sleep 3
srun --overlap --mem=150M limits
srun --overlap --mem=150M hog 80
wait
EOF
like "a step that overlaps another has the cap" "$out" \
  "^node0. $(capped 128 128)\$"
like "and shares it" "$out" 'job [0-9]+ reached its 128M RAM cap'

# salloc reads the file itself: what it finds there needs no restart.
settle
sed 's/^LaunchParameters=.*//' "$SLURM_CONF" >"$work/slurm.conf"
run env SLURM_CONF="$work/slurm.conf" salloc -n1 --gbm-mem-cap=128M \
  sh -c 'hostname; srun limits'
is "salloc without an interactive step: its steps are below the cap" \
  "$(anywhere "$out")" "master
$(capped 128 128)"
# salloc starts the shell of the account, which needs a terminal. A bash that is
# faster than salloc in asking for it stops, and nobody wakes it.
cat >"$work/type" <<'EOF'
#!/bin/sh
while sleep 1; do
  pkill -CONT -P "$(pgrep -d , -x salloc)"
  echo 'echo "it is on $(hostname)"; exit'
done | script -qec 'salloc -Q -n1 --gbm-mem-cap=128M' /dev/null
EOF
chmod +x "$work/type"
run env SLURM_CONF="$work/slurm.conf" "$work/type"
is "salloc with its shell comes to an end" $status 0
like "and the shell is where it was typed, outside of all caps" "$out" \
  'it is on master'

done_testing
