#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Samples on disk: the same bytes by any number of ranks and threads, any chunk
# and instruction set; found damage; and what is said when there is no room.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/mounts.sh
. tests/mpi/lib.sh

sim=$bin/gbm_sim
out=$tmp/o.npy
python=/usr/bin/python3 # Debian's, for which python3-numpy is
# What is run, and as what it is saved.
cases=("--paths 300007 --payoff call |"
  "--paths 300007 --steps 3 --payoff asian-call | --dtype f4"
  "--paths 50001 --steps 4 | --save paths"
  "--paths 50001 --steps 5 --payoff asian-put | --save paths --dtype f4")

# written COMMAND...: ends well and writes what $tmp/1.npy holds.
written() {
  rm -f "$out"*
  run "$@" --out "$out" --quiet
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  cmp "$tmp/1.npy" "$out" || return
  is "$(cat "$tmp/out")" "$expected" || return
  diff "$tmp/1.npy.json" <(sed s/o.npy/1.npy/ "$out.json")
}

complete() {
  is "$(grep -o '"complete": [a-z]*' "$1.json")" "\"complete\": $2"
}

for args in "${cases[@]}"; do
  read -ra words <<<"${args%|*}"
  expected=$("$sim" "${words[@]}" --quiet)
  read -ra words <<<"${args/|/}"
  rm -f "$tmp"/1.npy*
  run "$sim" "${words[@]}" --out "$tmp/1.npy" --quiet --threads 1
  ok "$args: the estimate is that without --out" \
    is "$status $(cat "$tmp/out")" "0 $expected"
  ok "$args: is complete" complete "$tmp/1.npy" true
  ok "$args: 2 threads, chunk 64K" \
    written "$sim" "${words[@]}" --threads 2 --chunk 64K
  for ranks in 1 2 3; do
    ok "$args: $ranks ranks" written mpi $ranks "$sim" "${words[@]}"
  done
  ok "$args: 7 ranks, of which most share a page" \
    written mpi 7 "$sim" "${words[@]}" --threads 1
  for isa in scalar neon avx2 avx512; do
    GBM_ISA=$isa "$sim" --dry-run >/dev/null 2>&1 || continue
    ok "$args: by $isa" written env GBM_ISA=$isa "$sim" "${words[@]}"
  done
  run "$sim" --verify "$tmp/1.npy"
  ok "$args: verified" \
    grep -q "all ${words[1]} paths are what seed 1 gives" "$tmp/out"
  run mpi 3 "$sim" --verify "$tmp/1.npy" --quiet
  ok "$args: verified by 3 ranks" is "$status $(cat "$tmp/out")" "0 "
done

# numpy SCRIPT: with a, what the last command wrote, and p, the last case.
numpy() {
  $python -c "
import numpy as np
a = np.load('$tmp/a.npy', mmap_mode='r')
p = np.load('$tmp/1.npy', mmap_mode='r')
$1"
}
rm -f "$tmp"/a.npy*
run "$sim" --paths 50001 --steps 5 --out "$tmp/a.npy" --json
ok "samples and JSON" is "$status" 0
if $python -c 'import numpy' 2>/dev/null; then
  ok "NumPy maps them" numpy "
assert a.shape == (50001,) and a.dtype == '<f8' and a.offset == 4096, a.shape
assert p.shape == (50001, 6) and p.dtype == '<f4', p.shape
assert (a.astype('f4') == p[:, 5]).all() and (p[:, 0] == 100).all()"
  ok "the estimate is their mean" numpy "
m = $(field "$tmp/out" estimate)
assert abs(a.mean() / m - 1) < 1e-13, a.mean()"
else
  skip "NumPy maps them" "python3-numpy is not installed"
fi
ok "the size is in the JSON" is "$(field "$tmp/out" out_bytes)" \
  "$(stat -c %s "$tmp/a.npy")"
# A header of 4096 bytes by NumPy's rules, without NumPy.
ok "the header is format 1.0 and ends on a page" perl -e '
  open my $f, "<:raw", $ARGV[0] or die; read $f, my $h, 4096;
  my ($magic, $major, $minor, $n) = unpack "a6CCv", $h;
  die "$magic $major $minor $n\n"
    if $magic ne "\x93NUMPY" || $major != 1 || $minor != 0 || $n != 4086;
  my $dict = substr $h, 10;
  die $dict if $dict !~ /^\{.descr.: .<f8., .fortran_order.: False, .shape.: \(50001,\), \} *\n$/
    ' "$tmp/a.npy"
ok "the blocks' checksums are in the manifest" perl -MJSON::PP -e '
  local $/; open my $f, "<", $ARGV[0] or die;
  my $m = decode_json(<$f>);
  die unless $m->{complete} && $m->{seed} == 1 && $m->{model}{steps} == 5 &&
    $m->{data_offset} == 4096 && @{$m->{crc32c}} == 1' "$tmp/a.npy.json"

# Replay.
run "$sim" --replay 3:6 --like "$tmp/1.npy"
ok "replay prints three paths of six prices" \
  is "$status $(wc -lw <"$tmp/out" | xargs)" "0 3 21"
cp "$tmp/out" "$tmp/replayed"
run "$sim" --replay 3:6 --steps 5 --save paths
ok "the same from the command line" cmp "$tmp/out" "$tmp/replayed"
run "$sim" --replay 49999:50003 --steps 5
ok "stored paths and some that were not" is "$status $(wc -l <"$tmp/out")" "0 4"
if $python -c 'import numpy' 2>/dev/null; then
  tail -c 16 "$tmp/a.npy" >"$tmp/tail"
  ok "with the bits of the file" $python -c "
import numpy as np
rows = [line.split() for line in open('$tmp/out')]
a = np.fromfile('$tmp/tail')
assert [r[0] for r in rows] == ['49999', '50000', '50001', '50002'], rows
assert float(rows[0][1]) == a[0] and float(rows[1][1]) == a[1]"
fi
for ranks in 1 3; do
  run mpi $ranks "$sim" --replay 1000:41000 --like "$tmp/a.npy" \
    --out "$tmp/r$ranks.npy"
  ok "replayed into a file by $ranks ranks: those bytes" \
    cmp <(tail -c +4097 "$tmp/r$ranks.npy") \
    <(tail -c +$((4097 + 8000)) "$tmp/a.npy" | head -c 320000)
done
run mpi 2 "$sim" --verify "$tmp/r3.npy"
ok "and verified" is "$status" 0
run mpi 2 "$sim" --replay 1:2
ok "two ranks do not print paths" refused 64 "--out FILE"

# A file for each rank.
for ranks in 1 3; do
  rm -f "$tmp"/s.*npy*
  run mpi $ranks "$sim" --paths 50001 --steps 5 --out "$tmp/s.npy" --shards \
    --quiet
  shards=()
  for ((k = 0; k < ranks; k++)); do
    shards+=("$tmp/s.$k.npy")
  done
  ok "$ranks shards, one after the other, are the file" cmp \
    <(for shard in "${shards[@]}"; do tail -c +4097 "$shard"; done) \
    <(tail -c +4097 "$tmp/a.npy")
  ok "and there are no others" \
    is "$status $(echo "$tmp"/s.*)" \
      "0 ${shards[*]} $tmp/s.npy.checkpoint $tmp/s.npy.json"
  for readers in 1 2; do
    run mpi $readers "$sim" --verify "$tmp/s.npy"
    ok "$ranks shards verified by $readers ranks" is "$status" 0
  done
done
run mpi 3 "$sim" --out "$tmp/s.npy" --shards
ok "shards that are there" refused 73 "is there"
# by_force RANKS FILES OPTION...: what is there then, but for checkpoint and manifest.
by_force() {
  run mpi "$1" "$sim" --paths 50001 --out "$tmp/s.npy" --force --quiet "${@:3}"
  local files=("$tmp"/s.*npy)
  is "$status ${files[*]##*/}" "0 $2"
}
ok "fewer take their place, and the rest goes" by_force 2 "s.0.npy s.1.npy" --shards
ok "so does one file" by_force 2 s.npy
ok "and shards that of a file" by_force 3 "s.0.npy s.1.npy s.2.npy" --shards
rm "$tmp"/s.npy.* "$tmp/s.0.npy" "$tmp/s.2.npy"
run mpi 3 "$sim" --out "$tmp/s.npy" --shards
ok "one shard that is there" refused 73 "s.1.npy is there"
ok "and the others are gone again" is "$(echo "$tmp"/s.*)" "$tmp/s.1.npy"
if $python -c 'import numpy' 2>/dev/null; then
  ok "NumPy reads a shard" $python -c "
import numpy as np
assert np.load('$tmp/s.1.npy', mmap_mode='r').shape[0] > 16000"
fi

# Damage.
damage() { # FILE OFFSET
  printf '\xa5' | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
damage "$tmp/a.npy" $((4096 + 8 * 33333 + 7))
damage "$tmp/a.npy" $((4096 + 8 * 44444 + 7))
run "$sim" --verify "$tmp/a.npy"
ok "a damaged byte is found" refused 65 "path 33333 is the first"
run mpi 3 "$sim" --verify "$tmp/a.npy"
ok "by ranks too" refused 65 "path 33333 is the first"
damage "$tmp/r1.npy" 20
run "$sim" --verify "$tmp/r1.npy"
ok "a damaged header" refused 65 header
truncate -s -1 "$tmp/r3.npy"
run mpi 2 "$sim" --verify "$tmp/r3.npy"
ok "a short file" refused 65 "by its manifest"
run "$sim" --verify "$tmp/none.npy"
ok "a file that is not there" refused 74 "none.npy.json"
sed -i 's/"version": 1/"version": 9/' "$tmp/r3.npy.json"
run mpi 2 "$sim" --verify "$tmp/r3.npy"
ok "a manifest of another version" refused 65 "another version"

# What is there stays.
echo precious >"$out"
rm -f "$out".*
run "$sim" --out "$out"
ok "an existing file" refused 73 "o.npy is there"
run mpi 2 "$sim" --out "$out"
ok "and once by two ranks" refused 73 "o.npy is there"
ok "is not touched" is "$(cat "$out")" precious
run "$sim" --out "$out" --force --quiet
ok "is replaced by force" is "$status $(stat -c %s "$out")" "0 8004096"
run "$sim" --out "$tmp/none/o.npy"
ok "a directory that is not there" refused 73 "make its directory"
run bash -c 'ulimit -f 100; exec "$0" "$@"' "$sim" --out "$tmp/l.npy"
ok "RLIMIT_FSIZE" refused 73 "RLIMIT_FSIZE allows 100 KiB"
ok "makes no file" test ! -e "$tmp/l.npy"
run "$sim" --out "$tmp/l.npy" --paths 1e18
ok "more than there is room for" refused 73 "free: make room"
run "$sim" --out "$tmp/l.npy" --paths 4e18
ok "more than a file can have" refused 64 "more bytes than a file"
run "$sim" --out "$tmp/l.npy" --steps 1e9 --save paths --mem-cap 100M
ok "more than memory can hold of a path" refused 71 "fewer steps"
run "$sim" --out "$tmp/l.npy" --dry-run --paths 1e6
ok "--dry-run says how large and makes nothing" \
  eval 'grep -q "samples      7.6 MiB in " "$tmp/out" && [ ! -e "$tmp/l.npy" ]'

# A run that is killed.
run bash -c 'timeout -s KILL 2 "$@"; true' - "$sim" --steps 1000 --paths 1e8 --out "$tmp/k.npy" \
  --threads 1
ok "a killed run leaves a manifest that says so" complete "$tmp/k.npy" false
run "$sim" --verify "$tmp/k.npy"
ok "and is not verified" refused 65 "not complete"
rm -f "$tmp/k.npy"

if [ $mounts = no ]; then
  skip "full and read-only file systems" "needs root, and mount namespaces"
  done_testing
fi
small=$tmp/small
mkdir "$small"
mount -t tmpfs -o size=14m tmpfs "$small" || exit
# Room for it when it begins, and then somebody else comes.
crowd_out() {
  rm -f "$small"/*
  "$@" --steps 4000 --paths 1.5e6 --out "$small/f.npy" >"$tmp/out" \
    2>"$tmp/err" </dev/null &
  for _ in {1..100}; do
    [ ! -e "$small/f.npy.json" ] || break
    sleep 0.05
  done
  dd if=/dev/zero of="$small/fill" bs=64K status=none 2>/dev/null
  wait $!
  status=$?
}
crowd_out "$sim"
ok "a disk that becomes full" refused 74 "No space left on device (0 bytes free)"
ok "which leaves what is not complete" complete "$small/f.npy" false
crowd_out mpi 2 "$sim"
ok "a disk that becomes full, two ranks" refused 74 "No space left on device"
rm -f "$small"/*
run "$sim" --paths 2e6 --out "$small/g.npy"
ok "too small a disk, before the run" refused 73 "g.npy needs 15.3 MiB, but"
run "$sim" --paths 1.4e6 --out "$small/g.npy" --quiet
run "$sim" --paths 1.5e6 --out "$small/g.npy" --force --quiet
ok "what is replaced counts as room" is "$status" 0
mount -o remount,ro "$small" || exit
run "$sim" --out "$small/h.npy"
ok "a read-only file system" refused 73 "Read-only file system"
run mpi 2 "$sim" --out "$small/g.npy" --force
ok "with a file to replace" refused 73 "Read-only file system"
ok "which is still there" test -s "$small/g.npy"
umount "$small"

# A file system on a device reserves room at once.
if truncate -s 24M "$tmp/disk" && mkfs.ext4 -q -F "$tmp/disk" 2>/dev/null &&
  mount -o loop "$tmp/disk" "$small" 2>/dev/null; then
  "$sim" --steps 2000 --paths 1.5e6 --out "$small/f.npy" --quiet \
    >"$tmp/first" 2>&1 </dev/null &
  for _ in {1..100}; do
    [ ! -e "$small/f.npy.json" ] || break
    sleep 0.05
  done
  run "$sim" --paths 1.5e6 --out "$small/g.npy"
  ok "a second run finds no room that the first will need" \
    refused 73 "g.npy needs 11.4 MiB, but"
  dd if=/dev/zero of="$small/fill" bs=64K status=none 2>/dev/null
  wait $!
  ok "and the first ends well on a disk that is full" \
    is "$? $(wc -l <"$tmp/first")" "0 1"
  run "$sim" --verify "$small/f.npy"
  ok "with every byte" is "$status" 0
  umount "$small"
else
  skip "room that is reserved" "needs mkfs.ext4 and loop devices"
fi
done_testing
