#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gbm_plot makes a picture of each kind, and one sentence of what is none.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

plot=$PWD/tools/gbm_plot
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit
unset DISPLAY

{
  echo "time,0.99,0.05,0.5,0.95,0.01"
  for t in 0 1 2 3; do
    echo "$t,$((100 + 20 * t)),$((100 - 9 * t)),10$t,$((100 + 11 * t)),70"
  done
} >fan.csv
printf 'from,to,count\n60,80,99000\n80,100,600000\n100,120,500000\n120,160.5,35567\n' \
  >histogram.csv
cat >convergence.csv <<'END'
paths,estimate,std_error,reference
1024,10.2,0.5,10.45
2048,10.6,0.35,10.45
100000,10.44,0.05,10.45
END
cat >scaling.csv <<'END'
nodes,tasks,paths,seconds,paths_per_second
1,4,1e9,41.2,2.4e7
2,8,1e9,20.9,4.8e7
4,16,1e9,10.9,9e7
END
# As two nodes leave it, with a header each.
cat >memory.csv <<'END'
seconds,node,used,cap,swap
seconds,node,used,cap,swap
0.00,node01,8000000,268435456,0
0.00,node02,9000000,,4096
1.00,node01,80000000,268435456,0
1.00,node02,90000000,268435456,0
END

if ! command -v gnuplot >/dev/null; then
  skip_all "gnuplot is not installed"
fi

# is_png FILE WIDTH HEIGHT: with anything in it but white.
is_png() {
  perl -e '
    my ($file, $width, $height) = @ARGV;
    open my $in, "<:raw", $file or die "$file: $!\n";
    read $in, my $head, 24 or die "$file is empty\n";
    my ($magic, $length, $type, $w, $h) = unpack "a8 N a4 N N", $head;
    die "no PNG\n" if $magic ne "\x89PNG\r\n\x1a\n" || $type ne "IHDR";
    die "$w x $h\n" if $w != $width || $h != $height;
    die "nothing in it\n" if -s $in < 5000' "$@"
}

# is_svg FILE WIDTH HEIGHT WORD...: with these words.
is_svg() {
  local file=$1 word
  if ! grep -q "viewBox=\"0 0 $2 $3\"" "$file" ||
    ! grep -q '</svg>' "$file"; then
    head -n 5 "$file"
    return 1
  fi
  for word in "${@:4}"; do
    grep -qF -- ">$word" "$file" || {
      echo "no '$word' in it, but:"
      grep -o '<text>.*</text>' "$file"
      return 1
    }
  done
}

# says_nothing COMMAND...
says_nothing() {
  local said
  if ! said=$("$@" 2>&1) || [ -n "$said" ]; then
    echo "failed, or said: $said"
    return 1
  fi
}

while IFS='|' read -r kind words; do
  mapfile -t words < <(tr ';' '\n' <<<"$words")
  ok "$kind: a PNG" says_nothing "$plot" "$kind" "$kind.csv"
  ok "of the usual size, beside the data" is_png "$kind.png" 1000 700
  ok "$kind: an SVG" says_nothing "$plot" "$kind" "$kind.csv" \
    -o "$kind.svg" --size=800x500
  ok "of its size, with its words" is_svg "$kind.svg" 800 500 "${words[@]}"
done <<'END'
fan|Percentiles of the price;time (years);price (unit of the spot);median;90 % of the paths (0.05 to 0.95);98 % of
histogram|Prices at the end of 1,234,567 paths;simulated;log-normal density;density (per unit of the price)
convergence|95 % confidence interval;closed form, 10.45;distance from the closed form;100k
scaling|time (seconds);speed-up over 1 node;nodes;ideal;measured
memory|memory (MiB);time (seconds);node01;node02;swap (dotted);cap, 256 MiB
END

"$plot" histogram histogram.csv -o a.svg --payoff call
ok "a payoff has no log-normal density" eval '! grep -q log-normal a.svg'
"$plot" histogram histogram.csv -o b.svg --vol 0.9
"$plot" histogram histogram.csv -o c.svg
ok "the density is that of the model given" eval '! cmp -s b.svg c.svg'
sed 's/,10.45$/,/' convergence.csv >none.csv
"$plot" convergence none.csv -o d.svg --title "it's <mine> & \"yours\""
ok "no closed form, no line of it" eval '! grep -q "closed form" d.svg'
"$plot" fan fan.csv -o fan1000.svg
ok "a title of one's own" is_svg d.svg 1000 700 "it's &lt;mine> &amp; \"yours\""
sed 's/$/\r/' fan.csv >crlf.csv
ok "lines as Windows ends them" says_nothing "$plot" fan crlf.csv

# nodes COUNT: a job's memory on so many, from the last of them to the first.
nodes() {
  awk -v n="$1" 'BEGIN {
    print "seconds,node,used,cap,swap"
    for (t = 0; t < 50; t++)
      for (i = n; i > 0; i--)
        printf "%d,node%d,%d,268435456,0\n", t, i, (t + i) * 1e6 }'
}
# looks FILE: of its nodes, a marker and a colour each.
looks() {
  grep -oE "gpPt[0-9]+' [^>]* color='[^']*'" "$1" |
    sed -E "s/' .*color=/ /" | sort -u
}
is() {
  [ "$1" = "$2" ] && return
  printf "got:\n%s\nwanted:\n%s\n" "$1" "$2"
  return 1
}
nodes 12 >twelve.csv
"$plot" memory twelve.csv -o twelve.svg
ok "twelve nodes look different" is "$(looks twelve.svg | wc -l)" 12
ok "in grey, too" is "$(looks twelve.svg | cut -d' ' -f1 | sort -u | wc -l)" 12
ok "and stand in their order" is \
  "$(grep -oE 'node[0-9]+<' twelve.svg | tr -d '\n')" \
  "$(printf 'node%d<' {1..12})"
# The cap that a job has before the plugin has set it is none of its own.
sed '2s/,268435456,/,786432000,/' twelve.csv >early.csv
"$plot" memory early.csv -o early.svg
ok "its cap is the last one" is_svg early.svg 1000 700 "cap, 256 MiB"
sed '$s/,268435456,/,134217728,/' twelve.csv >caps.csv
"$plot" memory caps.csv -o caps.svg
ok "of several caps the lowest" is_svg caps.svg 1000 700 "lowest cap, 128 MiB"

# Nothing that stands in names and texts is executed.
nasty=$'a b\'s "x" `touch pwned`\nsystem "touch pwned"\n|$(touch pwned)=1;\\n'
cp fan.csv "$nasty.csv"
ok "a file of any name" says_nothing "$plot" fan "$nasty.csv"
ok "has its picture beside it" is_png "$nasty.png" 1000 700
cp fan.csv size=2.csv
ok "a name that awk would take for a variable" says_nothing \
  "$plot" fan size=2.csv
cp fan.csv ./-x.csv
ok "a name that looks like an option" says_nothing "$plot" fan ./-x.csv -o -x.svg
ok "a title of any kind" says_nothing "$plot" fan fan.csv -o e.svg \
  --title "$nasty" --time-unit $'x\'\nsystem "touch pwned"\nset title \''
ok "on one line" is_svg e.svg 1000 700 'a b'"'"'s "x" `touch pwned` system'
name='a`touch pwned`|b'\''\n; system("touch pwned")'
sed "s/node01/${name//\\/\\\\}/" memory.csv >node.csv
"$plot" memory node.csv -o node.svg
ok "a node of any name" is_svg node.svg 1000 700 "$name"
mkdir "tmp $nasty" home
echo 'set terminal dumb; system "touch pwned"' >home/.gnuplot
ok "TMPDIR and HOME of any kind" says_nothing \
  env TMPDIR="$PWD/tmp $nasty" HOME="$PWD/home" "$plot" fan fan.csv -o home.svg
ok "with the same picture" cmp home.svg fan1000.svg
ok "nothing of all that was executed" [ -z "$(find . -name 'pwned*')" ]

# refused STATUS SENTENCE ARGUMENT...: in one line, and no file more or less.
refused() {
  local status said before after
  before=$(cksum ./*.* none 2>&1)
  said=$("$plot" "${@:3}" 2>&1)
  status=$?
  after=$(cksum ./*.* none 2>&1)
  [ "$status" -eq "$1" ] && [ "$(wc -l <<<"$said")" = 1 ] &&
    [[ $said == "gbm_plot: "*"$2"* ]] && [ "$before" = "$after" ] && return
  echo "status $status, not $1, or not '$2':"
  echo "$said"
  diff <(echo "$before") <(echo "$after")
  return 1
}

head -n 1 fan.csv >header.csv
: >empty.csv
ln -s fan.csv link.png
sed 's/^2,.*/2,x,1,2,3,4/' fan.csv >word.csv
sed 's/^2,.*/2,1/' fan.csv >short.csv
sed 's/0.99/1.99/' fan.csv >level.csv
sed 's/,[0-9]*$/,0/' histogram.csv >zero.csv
awk -F, -v OFS=, 'NR > 1 { $3 = 0 } 1' convergence.csv >exact.csv
printf 'nodes,tasks,paths,seconds,paths_per_second\n0,4,1,1,1\n2,4,1,1,1\n' \
  >nodes.csv
printf '{"paths": 100000, "estimate": 10.4' >cut.json
head -c 150 memory.csv >cut.csv
head -n 2 convergence.csv >one.csv
nodes 100 >hundred.csv
mkdir directory.png
printf 'time,0.5\n0,1\n1,%s\n' "$(printf '%0999d' 0 | tr 0 x)" >long.csv
while IFS='|' read -r status sentence arguments; do
  eval "set -- $arguments"
  ok "refused: gbm_plot $arguments" refused "$status" "$sentence" "$@"
done <<'END'
64|give a KIND and a FILE.csv|
64|there is no kind 'pie'|pie fan.csv
64|Give a FILE.csv|fan
64|unexpected argument 'x'|fan fan.csv x
64|unknown option '--colour'|fan fan.csv --colour
64|needs a value|fan fan.csv -o
64|must end in .png or .svg|fan fan.csv -o fan.pdf
64|is the data|fan fan.csv -o link.png
64|'10x10' is not accepted|fan fan.csv --size 10x10
64|'big' is not accepted|fan fan.csv --size big
64|--vol '20%' is not accepted|histogram histogram.csv --vol 20%
64|--spot must be > 0|histogram histogram.csv --spot 0
64|--drift 'up' is not accepted|histogram histogram.csv --drift up
64|--payoff 'barrier' is not accepted|histogram histogram.csv --payoff barrier
64|only histogram has one|fan fan.csv --vol 0.3
65|is not the header time|fan histogram.csv
65|it has 0 of the 2 lines|fan header.csv
65|it has 0 of the 2 lines|fan empty.csv
65|give a whole file of gbm_sim --convergence|convergence one.csv
65|give a whole file of gbm_sim --convergence|convergence cut.json
65|remove that line, or make the file again by gbm-mem-log|memory cut.csv
65|line 3 has "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..." where|fan long.csv
65|give --size 1000x|memory hundred.csv
65|line 4 has "x" where a number belongs|fan word.csv
65|line 4 has 2 fields instead of 6|fan short.csv
65|a level from 0 to 1|fan level.csv
65|has no value in any of its bins|histogram zero.csv
65|all std_error are 0|convergence exact.csv
65|on no nodes|scaling nodes.csv
66|there is no such file; gbm_sim --fan writes one|fan nothing.csv
66|a?b.csv: there is no such file|fan $'a\nb.csv'
66|cannot be read as a file|fan .
73|cannot be written: No such file|fan fan.csv -o none/fan.png
73|it is a directory|fan fan.csv -o directory.png
END
# Each of the programs finds the disk full in its turn, until it is not.
mkdir full
full() {
  local said kib
  for ((kib = 4; kib < 100; kib += 4)); do
    if said=$(trap '' XFSZ; ulimit -f "$kib"; TMPDIR=$PWD/full "$plot" \
      histogram histogram.csv -o full/full.svg 2>&1); then
      [ "$kib" -gt 8 ]
      return
    fi
    if [ "$(wc -l <<<"$said")" != 1 ] || [ -n "$(ls full)" ] ||
      [[ $said != "gbm_plot: "*/full/tmp.*" has no room: set TMPDIR to"* ]]; then
      echo "with $kib KiB: $said"
      ls full
      return 1
    fi
  done
}
ok "a full disk leaves no part of a picture" full
ok "the whole" is_svg full/full.svg 1000 700 simulated
ok "and nothing else" is "$(ls full)" full.svg
ok "a directory that cannot be written" eval \
  'TMPDIR=$PWD/none "$plot" fan fan.csv 2>&1 | grep -q "set TMPDIR"'
ok "without gnuplot it says what to install" eval \
  'mkdir bin && ln -s "$(command -v awk)" bin/ &&
  PATH=$PWD/bin /bin/bash "$plot" fan fan.csv 2>&1 |
    grep -q "apt-get install gnuplot-nox"'
ok "--help" eval '"$plot" --help | grep -q "^usage: gbm_plot"'
done_testing
