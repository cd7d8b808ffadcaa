#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The line at the end: for people, for programs, or none.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# gbm TEXT: the plugin's lines of it.
gbm() {
  grep -E '^(gbm: |\{"gbm":1,)' <<<"$1"
}

settle
run srun -N2 -n4 --gbm-mem-cap=128M hog -s 2 20
is "one line for each node, not for each task" "$(gbm "$err" | wc -l)" 2
like "with the peak of all its tasks" "$err" \
  'gbm: step [0-9]+\.0 on node01: peak 4[0-9]M of 128M RAM cap, swap none$'
like "on both" "$err" \
  'gbm: step [0-9]+\.0 on node02: peak 4[0-9]M of 128M RAM cap, swap none$'

batch -n1 --gbm-mem-cap=128M <<'END'
#!/bin/bash
srun hog 60
srun --gbm-mem-cap=64M hog 30
hog 10
END
like "a step of a batch job has its line" "$out" \
  'gbm: step [0-9]+\.0 on node0.: peak 6[0-9]M of 128M RAM cap'
like "by its own cap" "$out" \
  'gbm: step [0-9]+\.1 on node0.: peak 3[0-9]M of 64M RAM cap'
like "and the job has one, with the peak of it all" \
  "$(gbm "$out" | tail -n 1)" \
  'gbm: job [0-9]+ on node0.: peak [6-9][0-9]M of 128M RAM cap, swap none$'
is "no more" "$(gbm "$out" | wc -l)" 3

run srun --gbm-mem-cap=128M --gbm-mem-report=off hog 20
is "off: nothing" "$(gbm "$err")" ""
run srun --gbm-mem-cap=64M --gbm-mem-report=off hog 100
is "but of kills" "$(gbm "$err" | grep -c 'task 0 .* was killed')" 1
run srun hog 20
is "a job that asks for nothing reads nothing" "$(gbm "$err")" ""

settle
run srun -N2 -n2 --gbm-mem-cap=128M --gbm-mem-report=json hog 20
json=$(gbm "$err")
is "json: one object for each node" "$(grep -c '^{"gbm":1,' <<<"$json")" 2
is "and nothing else" "$(wc -l <<<"$json")" 2
like "with these keys" "$json" '^\{"gbm":1,"job":[0-9]+,"step":"0","node":"node02","cap":134217728,"limit_by":"cap","peak":2[0-9]{7},"swap":"none","swap_peak":(null|0),"kills":0\}$'
if command -v python3 >/dev/null; then
  ok "that a parser takes" python3 -c 'import json, sys
for line in sys.argv[1].splitlines():
    json.loads(line)' "$json"
fi
run srun --mem=100M --gbm-mem-cap=128M --gbm-mem-report=json hog 150
json=$(gbm "$err" | grep '^{')
like "limit_by tells whose limit it was" "$json" \
  '"cap":104857600,"limit_by":"slurm"'
like "kills are counted" "$json" '"kills":1\}$'

batch -n1 --gbm-mem-cap=128M --gbm-mem-report=json <<'END'
#!/bin/bash
srun hog 60
srun --gbm-mem-report=off hog 20
END
is "a batch job's objects" \
  "$(gbm "$out" | grep -oE '"step":"[^"]*"' | tr '\n' ' ')" \
  '"step":"0" "step":"batch" '
like "the last one is of the job" "$(gbm "$out" | tail -n 1)" \
  '"peak":[6-9][0-9]{7},'

done_testing
