#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A user who writes the option's variables by hand, past what srun checks, to
# get more than the cap, or to hurt the node. (A NUL cannot be tried: neither
# arguments nor variables can hold one. The parsers are given some by
# tests/fuzz.)
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh
cd "$work" || exit

name=SLURM_SPANK_OPTION_gbm_gbm_mem_cap
nines=$(head -c 130000 /dev/zero | tr '\0' 9) # 128 KiB is the kernel's limit
zeros=$(head -c 300 /dev/zero | tr '\0' 0)
values=(1G 100% '' 0 -1G nan 1e9 ' 1G' $'1G\n' $'\x1b[2J1G' $'1G\xff'
  99999999T 18446744073709551617M "${zeros}1000M" '%s%n%n' "$nines")

# What follows from anything that a step gets to see: the job's cap, or a
# sentence. Never nothing, and never more.
as_it_should_be() {
  local line said=
  while IFS= read -r line; do
    case $line in
    "node01 $(capped 128 128)") said=1 ;;
    "gbm: step"*) ;;
    "gbm: "*)
      said=1
      if [ ${#line} -gt 600 ] || LC_ALL=C grep -q '[^ -~]' <<<"$line"; then
        echo "not a sentence: ${line:0:700}"
        return 1
      fi
      ;;
    *" job "[0-9]*)
      echo "runs without the cap: ${line:0:200}"
      return 1
      ;;
    esac
  done <"$1"
  [ "$said" ] || echo "said nothing"
  [ "$said" ]
}

settle
# shellcheck disable=SC2016 # for the shell in the job
run "${as_user[@]}" salloc -N1 -w node01 --gbm-mem-cap=128M bash -c '
  name=$1 n=0
  shift
  for value; do
    env "_$name=$value" srun --overlap limits >raw.$n 2>&1
    env "SLURM_SPANK__$name=$value" srun --overlap limits >spank.$n 2>&1
    n=$((n + 1))
  done' job "$name" "${values[@]}"
is "a job whose steps forge their options ends" $status 0
for n in "${!values[@]}"; do
  value=$(printf '%q' "${values[n]:0:24}")
  for way in raw spank; do
    ok "$way value $value: the cap or a sentence" as_it_should_be "$way.$n"
  done
done
ok "no node minds" wait_for 30 all_idle

# The job's own option, by srun itself.
for value in "$nines" "${zeros}1000M" $'128M\n' $'\x1b[2J'; do
  run "${as_user[@]}" srun --gbm-mem-cap="$value" hostname
  ok "srun refuses $(printf '%q' "${value:0:16}")" [ $status -ne 0 ]
  like "in a sentence" "$err" '^(srun: )?(error: )?gbm: --gbm-mem-cap=.{1,300}$'
done

# 80 variables of 16 KiB, which look as if they were the plugin's.
many=()
for n in {1..80}; do
  many+=("SLURM_SPANK__SLURM_SPANK_OPTION_gbm_x$n=${nines:0:16384}")
done
run "${as_user[@]}" env "${many[@]}" srun --gbm-mem-cap=128M limits
is "a megabyte of variables changes nothing" "$(anywhere "$out")" \
  "$(capped 128 128)"
ok "nor does it hurt the nodes" wait_for 30 all_idle

# A resource limit of the user's is no limit of the plugin's.
run "${as_user[@]}" bash -c 'ulimit -n 64; ulimit -f 1; ulimit -c 0
  srun --propagate=ALL --gbm-mem-cap=128M limits 2>&1'
like "limits that the user hands on do not hinder the cap" "$out" \
  "^node0. $(capped 128 128)\$"
run "${as_user[@]}" srun --propagate=ALL --gbm-mem-cap=128M bash -c '
  for limit in v d m s l u n; do
    ulimit -$limit unlimited
  done 2>/dev/null
  hog 200'
unlike "no resource limit raises it" "$out" '^hog: done'
ok "the nodes are idle again" wait_for 30 all_idle

done_testing
