#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What there is to draw of jobs: scaling.sbatch's table, and gbm-mem-log's.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

tools=$PWD/tools
scaling=$PWD/examples/scaling.sbatch
cd "$work" || exit

# drawn KIND FILE
drawn() {
  if ! command -v gnuplot >/dev/null; then
    skip "gbm_plot draws it" "gnuplot is not installed"
    return
  fi
  ok "gbm_plot draws it" "$tools/gbm_plot" "$1" "$2" -o "$1.png"
}

batch --nodes=2 --ntasks-per-node=1 --job-name=scaling <<END
#!/bin/bash
exec bash '$scaling' --paths 1e5 --steps 20 --payoff asian-call
END
is "a scaling study" "$state" COMPLETED
like "has a line for one node" "$out" '^1,1,100000,[0-9.e+-]+,[0-9.e+-]+$'
like "and one for two" "$out" '^2,2,100000,[0-9.e+-]+,[0-9.e+-]+$'
like "with the same result" "$out" '^Each time the estimate was [0-9.]+\.$'
is "its table is the same" "$(<"scaling-$job.csv")" \
  "$(grep -v '^Each' <<<"$out")"
drawn scaling "scaling-$job.csv"

batch --nodes=2 --ntasks-per-node=1 --gbm-mem-cap=256M <<END
#!/bin/bash
touch memory.csv
srun --overlap -N 2 -n 2 --gbm-mem-report=off \
  "$tools/gbm-mem-log" --every=0.1 >memory.csv &
for ((i = 0; i < 600 && \$(wc -l <memory.csv) < 4; i++)); do sleep 0.1; done
srun --overlap -N 2 -n 2 "$work/hog" -s 2 120
scancel --signal=INT \$SLURM_JOB_ID.0
wait
END
is "a job whose memory is watched" "$state" COMPLETED
memory=$(<memory.csv)
like "on one node" "$memory" '^[0-9.]+,node01,[0-9]+,268435456,0$'
like "and the other" "$memory" '^[0-9.]+,node02,[0-9]+,268435456,0$'
for node in node01 node02; do
  most=$(awk -F, -v node=$node '$2 == node && $3 > most { most = $3 }
    END { printf "%d", most / 1048576 }' memory.csv)
  ok "$node: what the job took is there: $most MB" \
    test "$most" -ge 120 -a "$most" -lt 160
done
drawn memory memory.csv
done_testing
