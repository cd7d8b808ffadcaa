#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gbm-top shows what the kernel counts of a job: by itself on a node, and from
# elsewhere by a step of the job's.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

top=$PWD/tools/gbm-top
refused() {
  run "$top" "${@:3}"
  is "$1: exit status" "$status" 64
  is "$1: one line" "$(wc -l <<<"$err")" 1
  like "$1: that says what" "$err" "$2"
}
refused "an unknown option" "'--all' is no option" --all
refused "no interval" "-i '0': give a number" -i 0
refused "a bad count" "-n 'x': give a number" -nx
refused "no job" "'node01' is no job's number" node01
run "$top" -n1 4711
is "a job that is not there: exit status" "$status" 69
is "one line" "$(wc -l <<<"$err")" 1
like "that says which" "$err" '^gbm-top: job 4711: '

settle
install -m 755 "$top" "$work/gbm-top"
cat >"$work/script" <<END
#!/bin/bash
srun -N2 -n2 hog -s $((30 * slow)) 60
END
run "${as_user[@]}" sbatch --parsable -N2 -n2 --mem=300M --gbm-mem-cap=200M \
  --job-name=holds60 --output=/dev/null "$work/script"
job=$out
holds() {
  "$top" --local -n1 "$job" | awk '$4 ~ /^node0/ { n += $6 + 0 > 58 }
    END { exit n != 2 }'
}
ok "a job takes 60 MB on each node" wait_for 20 holds

# column NUMBER: of the rows in $out.
column() {
  awk -v n="$1" -v job="$job" '$1 == job { printf "%s ", $n }' <<<"$out"
}
run "$top" --local -n1
like "on a node: when" "$out" '^20[0-9-]+T[0-9:]+$'
is "which nodes" "$(column 4)" "node01 node02 "
is "whose" "$(column 2)" "nobody nobody "
is "which job" "$(column 3)" "holds60 holds60 "
is "the cap is the plugin's" "$(column 5)" "200M 200M "
within() {
  awk -v job="$job" '$1 == job && $6 + 0 >= 60 && $6 + 0 < 110 &&
    $8 + 0 >= $6 + 0 && $8 + 0 < 120 && ($6 / 2 - $7) ^ 2 <= 1 { n++ }
    END { exit n != 2 }' <<<"$out" || { echo "$out"; return 1; }
}
ok "use and peak are what it takes, and some MB" within
is "no swap" "$(column 9)" "0M 0M "
is "no kill" "$(column 10)" "0 0 "

# As the user, by a step; the same figures.
run "${as_user[@]}" "$work/gbm-top" -n1 "$job"
is "from elsewhere: 0" "$status$err" 0
is "both nodes" "$(column 4)" "node01 node02 "
is "the cap" "$(column 5)" "200M 200M "
is "no kill, too" "$(column 10)" "0 0 "
run "${as_user[@]}" "$work/gbm-top" -n1 --json "$job"
if command -v python3 >/dev/null; then
  # shellcheck disable=SC2016 # Python
  ok "--json is JSON, with numbers" python3 -c 'import json, sys
rows = [json.loads(line) for line in sys.argv[1].splitlines()]
assert len(rows) == 2, rows
for row in rows:
    assert row["gbm_top"] == 1 and row["job"] == int(sys.argv[2])
    assert row["cap"] == 200 << 20 and row["peak"] >= row["use"] > 60 << 20
    assert row["kills"] == 0' "$out" "$job"
fi

# What gbm-top(1) says of sstat.
run "${as_user[@]}" sstat -n -P -a -j "$job" -o JobID,MaxRSS,MaxRSSNode,AveRSS
# On cgroup v2 Slurm counts the page cache, too.
like "sstat knows the largest task's memory" "$out" \
  "^$job\.0\|(([6-9]|1[01])[0-9]{4}K|([6-9]|1[01])[0-9](\.[0-9]+)?M)\|node0[12]\|"

# Again and again, and no step is left of it.
run timeout -s INT $((6 * slow)) "${as_user[@]}" "$work/gbm-top" -i 1 "$job"
at_least_three() {
  printf '%s\n' "$out" "$err"
  [ "$(grep -c USER <<<"$out")" -ge 3 ] &&
    [ "$(awk -v job="$job" '$1 == job' <<<"$out" | wc -l)" -ge 6 ]
}
ok "it goes on until it is stopped" at_least_three
no_step() {
  [ "$(squeue -h -s -j "$job" -o %j | grep -c gbm-top)" = 0 ]
}
ok "then its step ends" wait_for 20 no_step
is "and not the job" "$(job_state "$job")" RUNNING
scancel "$job"
settle

# A kill is counted. With oom=task the job goes on.
settings oom=task
cat >"$work/script" <<END
#!/bin/bash
hog 300
hog -s 20 10
END
run "${as_user[@]}" sbatch --parsable -N1 -n1 --mem=100M --gbm-mem-cap=64M \
  --output=/dev/null "$work/script"
job=$out
killed() {
  "$top" --json --local -n1 "$job" | grep '"kills":1}'
}
ok "a kill is counted" wait_for 20 killed
scancel "$job"
settle

# The recipe of the manual: what all jobs needed.
batch -n1 --gbm-mem-cap=128M --gbm-mem-report=json <<'END'
#!/bin/bash
srun hog 40
END
cp "$work/$job.out" "$work/slurm-$job.out"
if command -v python3 >/dev/null; then
  recipe=$(sed -n '/^\.\\" recipe/,/^\.Ed/p' docs/gbm-top.1 | grep -v '^\.')
  run sh -c "cd '$work' && $recipe"
  like "the recipe of gbm-top(1) lists peaks" "$out" "^$job +0 +node0[12] +[45][0-9]M of 128M"
fi
done_testing
