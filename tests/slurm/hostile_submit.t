#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A user who submits by a program of his own: options of any length get past
# srun and sbatch.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

install -m 755 "${GBM_BUILD:-build}/tests/slurm/forge" "$work/forge" || exit

# forged job|prolog BYTES: sets $out, what the job printed, and $err, forge's.
forged() {
  local job
  job=$(cd "$work" &&
    "${as_user[@]}" forge "$1" "$2" "$work/limits" forged 2>.err)
  err=$(<"$work/.err")
  out=
  if [ -z "$job" ]; then
    echo "# no job: $err"
    return
  fi
  wait_for 60 job_over "$job"
  out=$(<"$work/forged")
}

settle
for bytes in 300 100000 1000000 10000000; do
  forged job $bytes
  like "$bytes digits in the job's environment: refused in a sentence" "$out" \
    'gbm: --gbm-mem-cap=9{60}\.\.\. is not a size'
  unlike "and nothing runs" "$out" '^node'
done
for bytes in 300 100000; do
  forged prolog $bytes
  like "$bytes digits for the prolog: refused in a sentence" "$out" \
    'gbm: --gbm-mem-cap=9{60}\.\.\. is not a size'
done
# What Slurm does not hand on is as if it had not been said.
forged prolog 10000000
like "10 MB for the prolog: Slurm's limits hold" "$out" \
  "^node0. $(slurms 375)\$"
ok "no node minds" wait_for 30 all_idle
cat >"$work/script" <<END
#!/bin/bash
#SBATCH --gbm-mem-cap=$(head -c 10000000 /dev/zero | tr '\0' 9)
hostname
END
run sbatch "$work/script"
ok "sbatch refuses a line of 10 MB" [ $status -ne 0 ]
like "in a sentence" "$err" '^gbm: --gbm-mem-cap=9{60}\.\.\. is not a size'

# In between, Slurm hands on what the kernel does not take. In a cluster of its
# own, with the script that keeps such jobs out.
cat >"$work/drain" <<'EOF'
#!/bin/bash
for bytes in 140000 200000 250000; do
  forge prolog $bytes hostname forged && echo "$bytes: submitted"
done
sleep 2
sinfo -h -N -o '%N %T'
srun --gbm-mem-cap=128M limits
EOF
chmod +x "$work/drain"
tree=$work/tree
mkdir -p "$tree/tests/slurm"
cp tests/slurm/cluster.sh "$tree/tests/slurm"
cp -r slurm-config "$tree"
sed -n "s/^ *\(JobSubmitPlugins=lua\)\$/\1/p" slurm-config/README.md \
  >>"$tree/slurm-config/slurm.conf"
export GBM_BUILD=${GBM_BUILD:-$PWD/build}
cd "$work" || exit
run "$tree/tests/slurm/cluster.sh" run -N1 -- "$work/drain"
is "job_submit.lua refuses what would drain a node" "$out" "node01 idle
node01 $(capped 128 128)"
said=$(grep -c '^forge: error: gbm: the options of Slurm.s plugins' <<<"$err")
is "in a sentence, each time" "$said" 3

done_testing
