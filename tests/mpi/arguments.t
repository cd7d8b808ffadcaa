#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What gbm_sim is given by hand: one sentence for what it cannot take.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

sim=$bin/gbm_sim

# One command line a row; the last column is what the sentence names.
rows() {
  cat <<'EOF'
--paths 0 | --paths '0'
--paths 1.5 | --paths '1.5'
--paths -1 | --paths '-1'
--paths 1e30 | --paths '1e30'
--paths many | --paths 'many'
--paths | --paths needs a value
--paths= | --paths ''
--steps 0 | --steps '0'
--spot 0 | --spot '0'
--spot nan | --spot 'nan'
--rate 5% | --rate '5%'
--dividend x | --dividend 'x'
--drift rate | --drift 'rate'
--vol -0.2 | --vol '-0.2'
--vol inf | --vol 'inf'
--horizon -1 | --horizon '-1'
--seed -1 | --seed '-1'
--payoff barrier | --payoff 'barrier'
--strike -5 | --strike '-5'
--payoff call, | --payoff 'call,'
--strike 90,x | --strike '90,x'
--payoff call,put --strike 1,2,3 | --payoff and --strike
--payoff call,put --quiet | --quiet
--fan= | --fan ''
--fan x.csv --out x.npy | --out
--convergence= | --convergence ''
--convergence x.csv --checkpoint x.ckpt | --checkpoint
--quiet --moments | --quiet
--moments=yes | --moments takes no value
--threads 0 | --threads '0'
--threads two | --threads 'two'
--chunk 0 | --chunk '0'
--chunk 1X | --chunk '1X'
--mem-cap 80% | --mem-cap '80%'
--mem-cap -1 | --mem-cap '-1'
--progress maybe | --progress 'maybe'
--json=yes | --json takes no value
--quantiles 1.5 | --quantiles '1.5'
--quantiles 0.1,,0.2 | --quantiles '0.1,,0.2'
--quantiles 0.1, | --quantiles '0.1,'
--quantiles half | --quantiles 'half'
--quantiles= | --quantiles ''
--var 0.95,1 | --var '0.95,1'
--var 0 | --var '0'
--cost 5 | --cost
--var 0.9 --cost much | --cost 'much'
--histogram x:0 | --histogram 'x:0'
--histogram :7 | --histogram ':7'
--quiet --quantiles 0.5 | --quiet
--quiet --var 0.5 | --quiet
--json --quiet | --json and --quiet
--quiet --dry-run | --quiet
--seed 1 --seed 2 | --seed is given twice
--nonsense | '--nonsense'
--s 1 | ambiguous
-p 5 | '-p'
1e6 | '1e6'
EOF
}

while IFS= read -r row; do
  read -ra args <<<"${row% | *}"
  run "$sim" "${args[@]}"
  ok "refused: ${args[*]}" refused 64 "${row##* | }"
done < <(rows)

# The library's own checks come through as well.
run "$sim" --rate 1e300 --drift 0 --horizon 1e300
ok "numbers that overflow together end in a sentence or a result" \
  test "$status" -eq 0 -o "$(own_lines | wc -l)" -eq 1
run env GBM_ISA=nonsense "$sim"
ok "refused: GBM_ISA=nonsense" refused 64 GBM_ISA

for args in "--paths 0" "--nonsense" "--vol x" "1e6"; do
  read -ra words <<<"$args"
  run mpi 2 "$sim" "${words[@]}"
  ok "refused once by two ranks: $args" refused 64 "${words[0]}"
done

run "$sim" --mem-cap 1K
ok "too little memory: need and budget" refused 71 "1024 bytes"
run mpi 2 "$sim" --mem-cap 1K
ok "too little memory on two ranks" refused 71 "512 bytes"
run env GBM_MEM_CAP=4096 "$sim"
ok "too little memory by GBM_MEM_CAP" refused 71 "GBM_MEM_CAP"

# Several tasks that no MPI joins.
lone() {
  run env "$@" "$sim" --paths 1000
}
lone SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=0
ok "tasks of srun without MPI" refused 64 "srun --mpi=pmix"
lone SLURM_STEP_NUM_TASKS=4 SLURM_PROCID=3
ok "and only the first says so" is "$status $(cat "$tmp/out" "$tmp/err")" "64 "
lone PMI_SIZE=2 PMI_RANK=0
ok "tasks of another MPI's mpirun" refused 64 "2 tasks"
lone SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0
ok "a single task of srun needs no MPI" is "$status" 0
run mpi 1 sh -c '"$0" --quiet && "$0" --quiet' "$sim"
ok "one task can run it twice: it needs no MPI" \
  is "$status $(wc -l <"$tmp/out")" "0 2"
run mpi 2 env SLURM_STEP_NUM_TASKS=7 SLURM_PROCID=0 "$sim" --json
ok "mpirun inside a Slurm step counts its own ranks" \
  is "$status $(field "$tmp/out" ranks)" "0 2"
done_testing
