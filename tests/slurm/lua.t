#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# slurm-config/*.lua keep --mem equal to the cap.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# Run inside a cluster whose Slurm calls one of the two. For each line OPTIONS
# prints the memory that such a job is given, by srun or by sbatch.
cat >"$work/given" <<'EOF'
#!/bin/bash
memory() {
  scontrol -o show job "$1" | grep -o 'MinMemory[A-Za-z]*=[^ ]*'
}
while read -r options; do
  # shellcheck disable=SC2086 # words
  job=$(sbatch --parsable --hold -n1 --output=/dev/null $options --wrap=true)
  echo "$options $(memory "$job")"
  scancel "$job"
done <<'LINES'
--gbm-mem-cap=128M
--gbm-mem-cap=0.25G
--gbm-mem-cap=200000k
--gbm-mem-cap=128M --mem=100M
--gbm-mem-cap=128M --mem=300M
--gbm-mem-cap=128M --mem=0
--gbm-mem-cap=128M --mem-per-cpu=300M
--gbm-mem-cap=1%
--gbm-mem-cap=max
--mem=300M
--mem-per-cpu=375M
LINES
echo "variable $(SLURM_GBM_MEM_CAP=128M srun -n1 sh -c 'scontrol -o show job \
  $SLURM_JOB_ID' | grep -o 'MinMemory[A-Za-z]*=[^ ]*')"
salloc -Q -n1 --gbm-mem-cap=200M srun -n1 --gbm-mem-cap=100M limits
EOF
wanted="--gbm-mem-cap=128M MinMemoryNode=128M
--gbm-mem-cap=0.25G MinMemoryNode=256M
--gbm-mem-cap=200000k MinMemoryNode=196M
--gbm-mem-cap=128M --mem=100M MinMemoryNode=100M
--gbm-mem-cap=128M --mem=300M MinMemoryNode=128M
--gbm-mem-cap=128M --mem=0 MinMemoryNode=0
--gbm-mem-cap=128M --mem-per-cpu=300M MinMemoryCPU=300M
--gbm-mem-cap=1% MinMemoryCPU=375M
--gbm-mem-cap=max MinMemoryCPU=375M
--mem=300M MinMemoryNode=300M
--mem-per-cpu=375M MinMemoryCPU=375M
variable MinMemoryNode=128M
node01 $(capped 200 100)"
chmod +x "$work/given"

tree=$work/tree
mkdir -p "$tree/tests/slurm"
cp tests/slurm/cluster.sh "$tree/tests/slurm"
export GBM_BUILD=${GBM_BUILD:-$PWD/build}
for plugin in CliFilterPlugins JobSubmitPlugins; do
  rm -rf "$tree/slurm-config"
  cp -r slurm-config "$tree"
  # As README.md has the line.
  sed -n "s/^ *\($plugin=lua\)\$/\1/p" slurm-config/README.md \
    >>"$tree/slurm-config/slurm.conf"
  run "$tree/tests/slurm/cluster.sh" run -N1 -- "$work/given"
  is "$plugin=lua: what jobs are given" "$out" "$wanted"
  like "who said more than the cap is told" "$err" \
    'gbm: --mem is lowered to the cap, 128M'
done

done_testing
