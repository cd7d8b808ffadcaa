#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# --gbm-swap on a machine that has swap: none is the default and means none.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

# The janitor of the cluster does this, too, if we cannot.
file=$work/swap
swap_off() {
  ! grep -q "^$file " /proc/swaps || swapoff "$file"
  allow_swap 0
}
trap swap_off EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

dd if=/dev/zero of="$file" bs=1M count=512 status=none
chmod 600 "$file"
mkswap "$file" >/dev/null 2>&1
why=$(swapon "$file" 2>&1) || skip_all "no swap can be had here: $why"

# run_watched COMMAND...: as run; sets $swapped, the most MB of swap that its
# job was seen to use.
run_watched() {
  local now most=0 watched
  timeout -k 10 $((120 * slow)) "$@" >"$work/.out" 2>"$work/.err" </dev/null &
  watched=$!
  while kill -0 $watched 2>/dev/null; do
    now=$(swap_used)
    [ "$now" -le "$most" ] || most=$now
    sleep 0.05
  done
  wait $watched
  status=$?
  out=$(<"$work/.out")
  err=$(<"$work/.err")
  swapped=$most
}

# MB, of all jobs in this cluster. The machine may have others that swap.
swap_used() {
  local file=memory.stat
  ! cgroup_v2 || file=memory.swap.current
  find /sys/fs/cgroup -name 'job_*' -prune -exec cat {}/$file \; 2>/dev/null |
    awk '$1 == "total_swap" { bytes += $2 } NF == 1 { bytes += $1 }
      END { print int(bytes / 1048576) }'
}

settle
if ! grants_swap; then
  run srun --gbm-mem-cap=128M --gbm-swap=64M hog 200
  like "who asks for swap is told when Slurm grants none" "$err" \
    'gbm: --gbm-swap=64M is above what Slurm grants on node0.: none holds'
  like "and hears of none when killed" "$err" 'gbm: .*killed: .*, swap none\)'
fi
allow_swap 100

run_watched srun --gbm-mem-cap=128M hog -s 2 200
ok "without the option, 200 MB do not fit below 128M" [ $status -ne 0 ]
like "as the user is told" "$err" 'gbm: .*128M RAM cap .*swap none'
at_most "and nothing was swapped" "$swapped" 8

run_watched srun --gbm-mem-cap=128M --gbm-swap=150M hog -s 2 200
is "with 150M of swap they do" "$status ${out##*$'\n'}" "0 hog: done"
ok "and swap was used" [ "$swapped" -ge 60 ]

run_watched srun --gbm-mem-cap=128M --gbm-swap=150M hog -s 2 350
ok "350 MB do not" [ $status -ne 0 ]
at_most "and no more was swapped than was allowed" "$swapped" 152

done_testing
