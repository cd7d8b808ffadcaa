#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The main job: gbm_sim as an MPI program, started by srun and by mpirun, each
# of its tasks within its share of the cap.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

[ -e "${GBM_BUILD:-build}/lib/gbm-mc/libgbm_mpi.so" ] ||
  skip_all "libgbm_mpi was not built: there is no MPI"

# field NAME: of the JSON object in $out.
field() {
  grep -oE "\"$1\": *[^],}]*" <<<"$out" | sed 's/.*: *//'
}

job=(gbm_sim --paths 3e6 --seed 7 --payoff call --json)
run "${job[@]}"
alone=$(field estimate)
like "gbm_sim alone computes a price" "$alone" '^[0-9]+\.[0-9]+$'

run srun -N2 -n4 --gbm-mem-cap=256M "${job[@]}"
is "four tasks on two nodes are one MPI program" "$status $(field ranks)" "0 4"
is "they get the same bits" "$(field estimate)" "$alone"
is "each task's budget is its share of the cap" "$(field budget_bytes)" \
  "$(mb 128)"
at_most "no task's peak RSS is near it" "$(field peak_rss_bytes)" "$(mb 64)"
is "the peak is told for each node" \
  "$(grep -c '^gbm: step .* peak .* of 256M RAM cap' <<<"$err")" 2

run srun -N1 -n2 --gbm-mem-cap=256M "${job[@]}"
is "two tasks on one node get the same bits" "$(field estimate)" "$alone"

# The least cap that a node grants; MPI alone needs no less than a fifth of it
# (tests/mpi/least_memory.t).
run gbm_sim --paths 1e9 --payoff call --json
more=$(field estimate)
run srun -N1 -n2 --gbm-mem-cap=32M gbm_sim --threads 1 --paths 1e9 \
  --payoff call --json
is "10^9 paths run below 32 MB, with the same bits" "$(field estimate)" "$more"
like "of which not half is used" "$err" \
  '^gbm: step .* peak ([0-9]|1[0-5])(\.[0-9]+)?M of 32M RAM cap'

run srun -N2 -n2 --mpi=none --gbm-mem-cap=256M "${job[@]}"
ok "tasks that MPI does not join are refused" [ $status -ne 0 ]
like "with the way to do it" "$err" '^gbm_sim: .*--mpi=pmix'

settle
cat >"$work/mpirun" <<'END'
#!/bin/bash
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun "$@"
END
batch -N2 --ntasks-per-node=2 --gbm-mem-cap=256M <<END
#!/bin/bash
bash $work/mpirun ${job[*]}
END
is "mpirun in a batch script gets the same bits" \
  "$(field ranks) $(field estimate)" "4 $alone"
is "and the same budget" "$(field budget_bytes)" "$(mb 128)"

done_testing
