#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The cap in a batch script: for the script itself and for its steps.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

batch <<'END'
#!/bin/bash
#SBATCH -N2
#SBATCH --gbm-mem-cap=128M
limits
srun limits | sort
echo "GBM_MEM_CAP $GBM_MEM_CAP"
END
is "a line #SBATCH --gbm-mem-cap limits the script and its steps" \
  "$(grep -v '^gbm:' <<<"$out")" "node01 $(capped 128 128)
node01 $(capped 128 128)
node02 $(capped 128 128)
GBM_MEM_CAP $(mb 128)"
is "the job has completed" "$state" COMPLETED

batch --gbm-mem-cap=128M <<'END'
#!/bin/bash
srun hog 200
echo "srun says $?"
END
unlike "a step of the script cannot pass the cap" "$out" '^hog: done'
like "its end is explained in the job's output" "$out" \
  'gbm: task 0 on node0. was killed: job [0-9]+ reached its 128M RAM cap'
like "the script itself lives on" "$out" '^srun says [1-9]'

batch --gbm-mem-cap=128M <<'END'
#!/bin/bash
hog 200
echo "hog ended with $?"
END
like "a program of the script cannot pass the cap" "$out" \
  '^hog ended with 137'
like "its end is explained too" "$out" \
  'gbm: a process started by the batch script on node0. was killed'
is "the job's state says what happened" "$state" OUT_OF_MEMORY

batch <<'END'
#!/bin/bash
srun limits
echo "GBM_MEM_CAP ${GBM_MEM_CAP-unset}"
END
is "without the option the plugin does and says nothing" \
  "$(anywhere "$out")" "$(slurms 375)
GBM_MEM_CAP unset"

done_testing
