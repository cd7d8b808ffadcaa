#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A file 20 times as large as the memory cgroup's limit, whose page cache counts
# against it: the limit is not even reached, nor does memory grow with the file.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

[ -z "${SANITIZE-}" ] || skip_all "sanitizers need memory of their own"
make_group samples || skip_all "$obstacle"
case $(stat -f -c %T "$tmp") in
tmpfs | ramfs) skip_all "TMPDIR is in memory" ;;
esac

M=1048576
# capped LIMIT COMMAND...: run, within LIMIT MiB.
capped() {
  echo $(($1 * M)) >"$group/memory.limit_in_bytes" &&
    echo 0 >"$group/memory.max_usage_in_bytes" &&
    echo 0 >"$group/memory.failcnt" || exit
  run "${inside[@]}" "${@:2}"
}

# stayed_below PERCENT LIMIT: the last run, of what it was allowed.
stayed_below() {
  local peak failed
  peak=$(cat "$group/memory.max_usage_in_bytes")
  failed=$(cat "$group/memory.failcnt")
  echo "peak $((peak / M)) of $2 MiB, $failed times at the limit"
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  [ "$failed" -eq 0 ] && [ $((peak * 100)) -le $(($2 * M * $1)) ]
}

sim=("$bin/gbm_sim" --out "$tmp/o.npy" --force --quiet)
for limit in 32 64; do
  capped $limit "${sim[@]}" --threads 2 --paths $((20 * limit * M / 8))
  ok "20 times $limit MiB of terminal prices" stayed_below 80 $limit
  ok "is what it says" test "$(stat -c %s "$tmp/o.npy")" -ge \
    $((20 * limit * M))
done
capped 64 "${sim[@]}" --threads 2 --save paths --steps 252 --paths 663132
ok "20 times 64 MiB of paths" stayed_below 60 64
capped 32 "$bin/gbm_sim" --verify "$tmp/o.npy" --quiet
# What was read is let go as well: the limit may be reached, but not for long.
ok "verified within 32 MiB" is "$status" 0
mpi_program=$(command -v mpirun)
capped 200 "$mpi_program" "${mpi_options[@]}" -n 2 "${sim[@]}" --threads 1 \
  --paths $((10 * 64 * M / 8))
ok "two ranks" stayed_below 60 200
done_testing
