#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# `make demo`: the main job on a real Slurm. Runs real commands and shows each
# before it runs. Fails if what it shows is not what it says.
set -u
self=$(readlink -f "$0")
top=$(readlink -f "${self%/*}/../..")
export GBM_BUILD=${GBM_BUILD:-$top/build}
EX_UNAVAILABLE=69 # of cluster.sh: this machine cannot host a cluster

# What stands on standard input, below an empty line.
text() {
  printf '\n'
  cat
}

# show COMMAND...: as if it were typed; what it prints stays in $log, too.
show() {
  printf '\n$ %s\n' "$*"
  "$@" 2>&1 | tee "$log"
  return "${PIPESTATUS[0]}"
}

fail() {
  printf '\ndemo: %s\n' "$*" >&2
  exit 1
}

# The interval in the output of gbm_sim must hold the closed form beside it.
price_holds() {
  local low high exact
  read -r low high < <(
    sed -n 's/^estimate.*95 %: \([^ ]*\) to \([^)]*\)).*/\1 \2/p' "$1"
  )
  exact=$(sed -n 's/^closed form *\([^, ]*\).*/\1/p' "$1")
  awk -v low="${low:-x}" -v exact="${exact:-x}" -v high="${high:-x}" 'BEGIN {
    exit !(low + 0 > 0 && low + 0 <= exact + 0 && exact + 0 <= high + 0)
  }' || fail "the interval '${low-} to ${high-}' does not hold the closed form" \
    "'${exact-}'"
}

wait_for() {
  local end=$((SECONDS + $1 * ${GBM_SLOW:-1}))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return
    sleep 0.2
  done
}

# By what sinfo prints: its own filter takes nodes for idle that still tidy up.
both_idle() {
  [ "$(sinfo -h -N -o %T | xargs)" = "idle idle" ]
}

job_over() {
  [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]
}

read_next() {
  text <<'END'
Read next:
  README.md               what else there is
  tests/slurm/README.md   a cluster of your own to try things in: make cluster
  slurm-config/README.md  the same configuration for real Raspberry Pis
  examples/               programs on the library, and a batch script to copy
END
}

inside() {
  local job status
  cd "$GBM_CLUSTER_DIR/tmp" || exit
  ln -s "$top/examples" examples
  log=$PWD/log

  text <<'END'
This is a real Slurm of two nodes, on this machine and gone when the demo
ends. Its configuration is slurm-config/, made for 2 GB Raspberry Pis.
END
  show sinfo || fail "sinfo failed"

  text <<'END'
The main job: the price of a European call from 100 million random paths, by
four MPI tasks on two nodes. On each node it may use 256 MB of RAM. It needs
a small part of that, because paths are streamed and never stored. The price
by Black and Scholes stands below the estimate, and must lie in its interval.
END
  show srun -N2 -n4 --gbm-mem-cap=256M gbm_sim --paths 1e8 --payoff call ||
    fail "the main job failed"
  price_holds "$log"
  [ "$(grep -c '^gbm: step .*: peak .* of 256M RAM cap' "$log")" = 2 ] ||
    fail "the plugin has not told the peak on both nodes"

  text <<'END'
The same from a batch script. The cap is one of the lines above its commands:
END
  show grep '^#SBATCH' examples/gbm_sim.sbatch
  show sbatch examples/gbm_sim.sbatch || fail "sbatch failed"
  job=$(tr -dc 0-9 <"$log")
  wait_for 120 job_over "$job" || fail "the batch job does not end"
  show cat "gbm_sim-$job.out" || fail "the batch job left no output"
  price_holds "$log"

  text <<'END'
Now the way it is written first: every sample is kept in one array, and the
mean taken in the end. 100 million samples take 800 MB. On a Pi without a cap
this is the job that fills the RAM, then the swap, until nothing answers any
more. Under the cap:
END
  wait_for 30 both_idle
  show srun -N2 -n2 --gbm-mem-cap=256M naive_gbm 1e8
  status=$?
  [ $status -ne 0 ] || fail "the naive job survived its cap"
  grep -q '^gbm: .* was killed: .* reached its 256M RAM cap' "$log" ||
    fail "the naive job failed with status $status, but not by its cap"

  text <<'END'
The job is gone. The nodes have not noticed:
END
  wait_for 30 both_idle || fail "the nodes are not idle: $(sinfo -N)"
  show sinfo
  show srun -N2 -n2 --gbm-mem-cap=256M gbm_sim --paths 1e6 --payoff call ||
    fail "the nodes do not answer"
  price_holds "$log"

  text <<'END'
The naive job without a cap is not run here.
END
  read_next
}

# What can be had without a cluster. Nothing would stop the naive job here.
without_cluster() {
  local log
  log=$(mktemp) || exit
  # shellcheck disable=SC2064 # the name of now
  trap "rm -f '$log'" EXIT
  PATH=$GBM_BUILD/bin:$PATH

  text <<'END'
So there is no Slurm here that could limit a job, and the plugin cannot be
shown. The library keeps a limit by itself, too: the price of a European call
from 100 million random paths, within 256 MB of RAM.
END
  show gbm_sim --paths 1e8 --payoff call --mem-cap 256M ||
    fail "gbm_sim failed"
  price_holds "$log"
  if [ -e "$GBM_BUILD/lib/gbm-mc/libgbm_mpi.so" ] &&
    command -v mpirun >/dev/null; then
    text <<'END'
The same by two MPI tasks, with the same result to the last bit:
END
    # Open MPI asks twice before it runs as root, and counts cores.
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    export OMPI_MCA_rmaps_base_oversubscribe=1
    show mpirun -n 2 gbm_sim --paths 1e8 --payoff call --mem-cap 256M ||
      fail "gbm_sim failed under mpirun"
    price_holds "$log"
  fi
  text <<'END'
To see the rest, type: sudo make demo    (on a machine or a virtual one, not in
a container)
END
  read_next
}

if [ "${1-}" = --inside ]; then
  inside
  exit
fi
[ -x "$GBM_BUILD/bin/gbm_sim" ] || fail "gbm_sim is not built; type: make"
"${self%/*}/cluster.sh" run -N2 -- "$self" --inside
status=$?
[ $status -eq $EX_UNAVAILABLE ] || exit $status
without_cluster
