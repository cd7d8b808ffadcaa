#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The cap is the job's, not each step's: steps share it, and none escapes it.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

cat >"$work/two" <<'END'
#!/bin/bash
# Two steps at the same time, each within the cap, together over it.
for step in 1 2; do
  srun -N1 -n1 --exact --mem=250M hog -s 4 100 >out.$step 2>&1 &
done
wait
cat out.1 out.2 | grep -c '^hog: done'
cat out.1 out.2
END
settle
batch -N1 -n2 --mem=600M --gbm-mem-cap=150M <"$work/two"
is "of two steps that exceed the cap together, one is killed" \
  "$(head -n 1 <<<"$out")" 1
like "the message names the job's cap" "$out" 'reached its 150M RAM cap'

settle
batch -N1 -n2 --mem=600M --gbm-mem-cap=300M <"$work/two"
is "with a cap that has room for both, both end well" \
  "$(grep -v '^gbm:' <<<"$out" | head -n 1)" 2

# Slurm writes its own limit anew when a step starts.
settle
batch --gbm-mem-cap=128M <<'END'
#!/bin/bash
for variable in ${!SLURM_SPANK_@}; do
  unset "$variable"
done
srun limits
srun limits
limits
END
is "a step that does not know of the cap is below it all the same" \
  "$(grep -v '^gbm:' <<<"$out")" "node01 $(capped 128 128)
node01 $(capped 128 128)
node01 $(capped 128 128)"

settle
batch --gbm-mem-cap=128M <<'END'
#!/bin/bash
srun --gbm-mem-cap=64M limits
srun --gbm-mem-cap=64M hog 100
limits
srun --gbm-mem-cap=200M limits
END
like "a step may have a smaller cap of its own" "$out" \
  "node01 $(capped 128 64)\$"
like "which kills it and is named" "$out" \
  'gbm: task 0 .*step [0-9.]+ reached its 64M RAM cap'
is "the job's own cap stays, and a larger one of a step does not count" \
  "$(grep -c "^node01 $(capped 128 128)\$" <<<"$out")" 2
like "the user hears of the latter" "$out" 'gbm: .*200M.*128M'

done_testing
