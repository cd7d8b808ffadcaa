#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# examples/read_samples.py reads what gbm_sim writes, and makes the same paths
# by a generator of its own, to the bit.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

python=/usr/bin/python3 # Debian's, for which python3-numpy is
$python -c 'import numpy' 2>/dev/null ||
  skip_all "python3-numpy is not installed"
read=("$python" "$PWD/examples/read_samples.py")
export PYTHONDONTWRITEBYTECODE=1

tables() {
  PYTHONPATH=examples $python - libgbm/normal_table.h <<'END'
import re, sys
import read_samples as ours
text = open(sys.argv[1]).read()
x2 = [float.fromhex(v) for v in re.findall(r"^\s.*", text, re.M)
      for v in re.findall(r"-?0x[0-9a-f.]+p[-+][0-9]+", v)]
alias = [int(v, 16) for v in re.findall(r"0x[0-9a-f]{16}\b", text)]
define = dict(re.findall(r"#define GBM_NORMAL_(\w+) (\S+)", text))
assert len(x2) == len(alias) == 2048
assert [v.hex() for v in ours.X2] == [v.hex() for v in x2]
assert ours.ALIAS == alias
assert ours.BANDS == int(define["BANDS"])
assert ours.INFLECTION == int(define["INFLECTION"])
assert ours.CAP == float.fromhex(define["CAP"])
assert ours.CONVEX_GAP == float(define["CONVEX_GAP"])
assert ours.CONCAVE_GAP == float(define["CONCAVE_GAP"])
END
}
ok "its tables of the normal are libgbm's, made in decimal" tables

# Against exact fractions.
fused() {
  PYTHONPATH=examples $python - <<'END'
from fractions import Fraction as F
import numpy as np
import read_samples as ours
r = np.random.default_rng(1)
n = 20000
a, b = r.normal(size=(2, n))
c = r.normal(size=n) * 2.0 ** r.integers(-60, 60, n)
c[:n // 2] = -(a * b)[:n // 2]  # the rounding error of the product
c[:n // 4] *= 1 + 2.0**-52
got = ours.fma(a, b, c)
for i in range(n):
    want = float(F(a[i]) * F(b[i]) + F(c[i]))
    assert got[i] == want, (a[i], b[i], c[i], got[i], want)
END
}
ok "its fused multiply-add rounds once" fused

# The three lines of its beginning.
cd "$tmp" || exit
"$bin/gbm_sim" --paths 3000 --steps 60 --save paths --out s.npy --quiet \
  >"$tmp/mean"
three_lines() {
  sed -n '/^    import numpy/,/^    print/{s/^    //p;/^print/q}' "${read[1]}" >three.py
  is "$(wc -l <three.py)" 3 && $python three.py >out || return
  perl -e '
    my ($mean) = <STDIN> =~ /^\(3000, 61\) (.*)/ or die "no shape\n";
    die "$mean is not $ARGV[0]\n" if abs($mean / $ARGV[0] - 1) > 1e-12' \
    "$(<mean)" <out
}
ok "three lines read whole paths" three_lines

# reads WORDS ARGUMENT...
reads() {
  local words=$1
  shift
  "${read[@]}" "$@" >out 2>&1 || { cat out; return 1; }
  grep -qF -- "$words" out || { cat out; return 1; }
}
# refuses WORDS ARGUMENT...: in one line, without a trace of Python's.
refuses() {
  local words=$1
  shift
  ! "${read[@]}" "$@" >out 2>err || { echo "took $*"; return 1; }
  is "$(wc -l <err)" 1 || { cat err; return 1; }
  grep -q "^read_samples.py: " err && grep -qF -- "$words" err && return
  cat err
  return 1
}

ok "it finds them bit for bit" \
  reads "paths 2816 to 2999 are, bit for bit" s.npy --path 2999
"$bin/gbm_sim" --paths 2000 --steps 3 --vol 0.7 --drift 0.1 --horizon 2 \
  --seed 18446744073709551615 --dtype f4 --out t.npy --quiet >mean
ok "the end of other paths, in single precision" \
  reads "paths 512 to 767 are, bit for bit" t.npy --path 600
"$bin/gbm_sim" --replay 1e12:1000000000300 --steps 5 --save paths --out r.npy \
  >/dev/null
ok "and paths far away" \
  reads "paths 1000000000000 to 1000000000255 are" r.npy
# A module that is not there. It is found before the real one.
mkdir without
echo 'raise ImportError' >without/matplotlib.py
if command -v gnuplot >/dev/null; then
  export PYTHONPATH=without
  ok "it draws a fan" reads "drawn: s.png" s.npy --plot s.png
  ok "and a histogram" reads "drawn: t.svg" t.npy --plot t.svg
  ok "which are there" test -s s.png -a -s t.svg
  # 160 MB each, of which a copy would need as much; NumPy itself takes 50.
  "$bin/gbm_sim" --paths 2e7 --out large.npy --quiet >/dev/null
  "$bin/gbm_sim" --paths 5e6 --steps 3 --save paths --out wide.npy --quiet \
    >/dev/null
  for file in large wide; do
    ok "a $file file is not copied into memory" env OPENBLAS_NUM_THREADS=1 \
      prlimit --data=100000000 "${read[@]}" $file.npy --plot $file.svg
  done
  rm -f large.* wide.*
  unset PYTHONPATH
else
  skip "it draws" "gnuplot is not installed"
fi
# Too large for all who test; where it is, it is used.
if $python -c 'import matplotlib' 2>/dev/null; then
  rm -f s.png t.svg
  ok "by matplotlib, too" reads "drawn: s.png" s.npy --plot s.png
  ok "the histogram" reads "drawn: t.svg" t.npy --plot t.svg
  ok "and both are there" test -s s.png -a -s t.svg
fi

mpi 2 "$bin/gbm_sim" --paths 2000 --steps 3 --save paths --out h.npy --shards \
  --quiet >mean
ok "a shard" reads "paths 1024 to 1279 are, bit for bit" h.1.npy
ok "whose paths are its own" refuses "the file has 1024 to 1999" h.1.npy --path 7
ok "not what lists them" refuses "of --shards one of those" h.npy

ok "a path that is not there" \
  refuses "the file has 0 to 2999" s.npy --path 3000
cp s.npy damaged.npy
cp s.npy.json damaged.npy.json
# In path 7's price at step 30.
printf '\x55' | dd of=damaged.npy bs=1 conv=notrunc status=none \
  seek=$((4096 + (7 * 61 + 30) * 8 + 1))
ok "a byte that is not what it was" \
  refuses "path 7 is not what seed 1 gives" damaged.npy
sed 's/"complete": true/"complete": false/' s.npy.json >damaged.npy.json
ok "a run that has not ended" refuses "is not complete" damaged.npy
sed 's/"stream_version": [0-9]*/"stream_version": 1/' s.npy.json \
  >damaged.npy.json
ok "numbers of another version" refuses "stream version is 1" damaged.npy
ok "no such file" refuses "none.npy" none.npy
echo '{}' >mean.json
for text in '{}' '[]' '{"complete": true}' 1; do
  echo "$text" >mean.json
  ok "what is no sample: $text" refuses "that gbm_sim --out" mean
done
if $python -c 'import matplotlib' 2>/dev/null; then
  ok "no place for matplotlib's picture" refuses "nowhere/s.png" s.npy \
    --plot nowhere/s.png
fi
if command -v gnuplot >/dev/null; then
  PYTHONPATH=without ok "no place for gnuplot's" refuses "nowhere/s.png" s.npy \
    --plot nowhere/s.png
else
  skip "no place for gnuplot's" "gnuplot is not installed"
fi
echo 'raise ImportError' >without/numpy.py
PYTHONPATH=without ok "no NumPy" refuses "apt install python3-numpy" s.npy
done_testing
