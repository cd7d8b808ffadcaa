#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What gbm_sim prints, and what it does when it cannot.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

sim=$bin/gbm_sim
keys="paths steps seed ranks threads isa stream_version chunk_bytes \
budget_bytes estimate std_error ci95 reference seconds paths_per_second \
peak_rss_bytes rank_paths"

keys_of() {
  perl -MJSON::PP -e '
    print join " ", sort keys %{decode_json(join "", <>)}' "$tmp/out"
}
sorted() {
  tr ' ' '\n' <<<"$1" | sort | paste -sd ' '
}

# holds WORD...: in the last run's output.
holds() {
  local word
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  for word; do
    grep -qF -- "$word" "$tmp/out" ||
      { echo "no '$word' in:"; cat "$tmp/out"; return 1; }
  done
}

# JSON.
run "$sim" --json --payoff call --paths 1e6 --seed 3 --threads 2
ok "JSON is one line without anything on stderr" \
  is "$(wc -l <"$tmp/out") $(cat "$tmp/err")" "1 "
ok "JSON has these keys and no other" is "$(keys_of)" "$(sorted "$keys")"
ok "JSON repeats what was asked" \
  is "$(field "$tmp/out" paths steps seed ranks threads | paste -sd ' ')" \
  "1000000 1 3 1 2"
# shellcheck disable=SC2207
numbers=($(field "$tmp/out" estimate std_error ci95 reference))
ok "the interval is the estimate and 1.96 errors, and holds Black-Scholes" \
  perl -e '
    my ($mean, $error, $lo, $hi, $exact) = @ARGV;
    for ([$lo, -1], [$hi, 1]) {
      my $want = $mean + $_->[1] * 1.959963984540054 * $error;
      die "$_->[0] is not $want\n" if abs($_->[0] / $want - 1) > 1e-12;
    }
    die "$exact is not 10.4506\n" if abs($exact - 10.450583572185565) > 1e-9;
    die "$mean is far from $exact\n" if abs($mean - $exact) > 4 * $error;
  ' "${numbers[@]}"
run "$sim" --json --payoff asian-call --steps 12
ok "no closed form is null" is "$(field "$tmp/out" reference)" null
run "$sim" --json --paths 1
ok "the error of a single path is null" \
  is "$(field "$tmp/out" std_error ci95 | paste -sd ' ')" "null  "
run "$sim" --json --vol 0
ok "without volatility there is no error" perl -e '
  die "$ARGV[0]\n" if $ARGV[0] > 1e-12' "$(field "$tmp/out" std_error)"
run "$sim" --vol 0
ok "and no standard errors to count in" \
  eval 'holds "closed form" && ! grep "standard errors" "$tmp/out"'

# Text.
run "$sim" --payoff call --paths 1.5e6
ok "text for people" holds "estimate " "95 %" "closed form  10.4505" \
  "standard errors away" "1500000 in " "paths/s" "peak RSS" "chunk"
run "$sim" --payoff asian-put --steps 3
ok "no closed form, no line" eval '! grep "closed form" "$tmp/out"'
run "$sim" --quiet --payoff put
cp "$tmp/out" "$tmp/quiet"
run "$sim" --json --payoff put
ok "--quiet prints the estimate alone" \
  is "$(cat "$tmp/quiet")" "$(field "$tmp/out" estimate)"
run "$sim" --quiet --paths 1
ok "--quiet with one path" holds .
run mpi 3 "$sim" --quiet --payoff put
ok "and three ranks print it once" is "$(cat "$tmp/out")" "$(cat "$tmp/quiet")"
run "$sim" --help
ok "--help" holds "Usage:" --mem-cap "Exit status"
run "$sim" --version
ok "--version" holds "gbm_sim " "stream version"
run mpi 2 "$sim" --version
ok "--version of two ranks is one line" is "$(wc -l <"$tmp/out")" 1

# Quantiles, risks, histograms.
run "$sim" --json --paths 1e6 --quantiles 0.01,0.5,1 --var 0.95 \
  --histogram "$tmp/h.csv:50"
ok "JSON has the quantiles, their bounds and counts" perl -MJSON::PP -e '
  my $o = decode_json(<>);
  my @q = @{$o->{quantiles}};
  die "not three\n" if @q != 3;
  my @exact = (100 * exp(0.03 - 0.2 * 2.326347874), 100 * exp(0.03));
  for (0..2) {
    my %q = %{$q[$_]};
    die "$_: n\n" if $q{n} != 1000000;
    die "$_: order\n" if $q{lo} > $q{value} || $q{value} > $q{hi};
    die "$_: wide\n" if $q{hi} / $q{lo} - 1 > $o->{quantile_error};
    next if $_ == 2;
    my ($from, $to) = @{$q{ci95}};
    die "$_: $q{value}\n" if abs($q{value} - $exact[$_]) > $to - $from;
  }
  die "the largest has no bound above\n" if defined $q[2]{ci95}[1];
  my %r = %{$o->{risk}[0]};
  die "cost $r{cost}\n" if $r{cost} != 100 || $r{n} != 1000000;
  my $var = 100 - 100 * exp(0.03 - 0.2 * 1.644853627);
  die "VaR $r{var}, not $var\n" if abs($r{var} - $var) > 0.2;
  die "ES $r{es}\n" if $r{es} < $r{var} || abs($r{es} - 31.62) > 0.2;
  ' "$tmp/out"
ok "the histogram counts every path" perl -F, -lane '
  next if $. == 1 && $_ eq "from,to,count";
  die "$_\n" if @F != 3 || $F[0] >= $F[1] || $. > 2 && $F[0] != $last;
  $last = $F[1];
  $n += $F[2];
  END { die "$n paths, $. lines\n" if $n != 1000000 || $. != 51 }' \
  "$tmp/h.csv"
run "$sim" --json --payoff call,put,terminal --moments --quantiles 0.5
cp "$tmp/out" "$tmp/all"
run "$sim" --json --payoff put
ok "several payoffs are as each by itself, and correlate" \
  perl -MJSON::PP -e '
  my ($all, $put) = map { open my $in, "<", $_ or die; decode_json(<$in>) }
    @ARGV;
  my $p = $all->{payoffs}[1];
  die "payoff\n" if $p->{payoff} ne "put" || $p->{strike} != 100;
  die "$p->{estimate}\n" if $p->{estimate} != $put->{estimate} ||
    $p->{std_error} != $put->{std_error};
  die "reference\n" if $p->{reference} != $put->{reference};
  my $c = $all->{correlation};
  die "shape\n" if @$c != 3 || @{$c->[2]} != 3;
  die "$c->[0][2]\n" if abs($c->[0][2] - 0.9243) > 0.005;
  die "$c->[0][1]\n" if $c->[0][1] != $c->[1][0] || $c->[0][1] > -0.4;
  my $t = $all->{payoffs}[2];
  die "$t->{skewness}\n" if abs($t->{skewness} - 0.614) > 0.03;
  die "$t->{excess_kurtosis}\n" if abs($t->{excess_kurtosis} - 0.678) > 0.1;
  die "median\n" if abs($t->{quantiles}[0]{value} - 103.05) > 0.2;
  ' "$tmp/all" "$tmp/out"
run mpi 2 "$sim" --payoff call,put --strike 90,95 --moments
ok "text has all payoffs" holds "call, strike 90" "put 95" "skewness" \
  "correlation  call 90 and put 95"
run "$sim" --steps 4 --fan "$tmp/fan.csv" --quantiles 0.05,0.5
ok "a fan says where" holds "fan " "$tmp/fan.csv"
ok "it has a line for each step, of log-normal prices" perl -F, -lane '
  if ($. == 1) { die "$_\n" if $_ ne "time,0.05,0.5"; next }
  die "$_\n" if @F != 3 || $F[0] != ($. - 2) / 4;
  my $middle = 100 * exp(0.03 * $F[0]);
  my $low = $middle * exp(-1.644853627 * 0.2 * sqrt($F[0]));
  die "$_: $low, $middle\n"
    if abs($F[1] / $low - 1) > 0.003 || abs($F[2] / $middle - 1) > 0.003;
  END { die "$. lines\n" if $. != 6 }' "$tmp/fan.csv"
run "$sim" --payoff call --paths 100001 --json --convergence "$tmp/c.csv"
# shellcheck disable=SC2046 # a word each
ok "convergence begins with a block and ends with the estimate" perl -F, -lane '
  BEGIN { @want = splice @ARGV, 0, 3 }
  if ($. == 1) { die "$_\n" if $_ ne "paths,estimate,std_error,reference"; next }
  die "$_\n" if $F[0] <= $last || ($F[0] % 1024 && $F[0] != 100001);
  die "$_\n" if $. == 2 && $F[0] != 1024 || abs($F[1] - $F[3]) > 5 * $F[2];
  $last = $F[0];
  @last = @F;
  END { die "$. lines\n" if $. < 20;
    die "@last: @want\n" if "@last" ne "100001 @want" }' \
  $(field "$tmp/out" estimate std_error reference) "$tmp/c.csv"
run "$sim" --payoff asian-put --steps 3 --convergence "$tmp/c2.csv"
ok "and says where, without a reference where there is none" \
  eval 'holds "convergence  of" "$tmp/c2.csv" && tail -n 1 "$tmp/c2.csv" |
    grep -qE "^1000000,[0-9.]+,[0-9.]+,$"'
run "$sim" --steps 4 --histogram "$tmp/h4.csv" --fan "$tmp/fan.csv"
ok "where one file cannot be made, none is" \
  eval 'refused 73 "--fan" && ! test -e "$tmp/h4.csv"'
run "$sim" --steps 100000 --fan "$tmp/fan2.csv" --mem-cap 200M
ok "a fan that needs too much memory" refused 71 "fewer steps"
run "$sim" --histogram "$tmp/h.csv"
ok "an existing file is left alone" refused 73 "$tmp/h.csv: File exists"
run mpi 2 "$sim" --histogram "$tmp/none/h.csv"
ok "nor is one made where it cannot be" refused 73 "No such file"
run "$sim" --payoff call --quantiles 0,0.5 --var 0.9,0.99 --cost 12 \
  --histogram "$tmp/h2.csv"
ok "text has them" holds "quantiles    of 1000000 values" "risk " \
  "12 - payoff" "VaR" "ES" "histogram " "$tmp/h2.csv"
ok "and some bins" test "$(wc -l <"$tmp/h2.csv")" -gt 20
run "$sim" --dry-run --histogram "$tmp/h3.csv"
ok "--dry-run makes no file" test "$status" -eq 0 -a ! -e "$tmp/h3.csv"

# The plan.
run timeout 20 "$sim" --dry-run --paths 1e18 --mem-cap 100M
ok "--dry-run runs nothing" holds "chunk" "100 MiB" "cap" "memory" \
  "nothing was run"
run timeout 20 "$sim" --dry-run --json --paths 1e18 --mem-cap 100M
ok "--dry-run --json" is "$(field "$tmp/out" paths budget_bytes)" \
  "1000000000000000000
104857600"
run mpi 2 timeout 20 "$sim" --dry-run --paths 1e18 --mem-cap 100M
ok "--dry-run of two ranks" holds "2 ranks (2 on this node)" "50 MiB"

# Nobody gets the result.
run_into() {
  local to=$1
  shift
  "$@" >"$to" 2>"$tmp/err"
  status=$?
  : >"$tmp/out"
}
run_into /dev/full "$sim"
ok "a full disk" refused 74 "No space left"
run_into /dev/full "$sim" --help
ok "a full disk and --help" refused 74 "No space left"
: >"$tmp/out"
"$sim" --json 2>"$tmp/err" >&-
status=$?
ok "a closed stdout" refused 74 "could not be written"
"$sim" --quiet >"$tmp/out" 2>&- <&-
ok "a closed stderr and stdin do not matter" test $? -eq 0 -a -s "$tmp/out"
mpi 2 sh -c '"$0" --quiet >/dev/full' "$sim" >"$tmp/out" 2>"$tmp/err"
status=$?
ok "a full disk under mpirun" refused 74 "No space left"

# Progress.
run "$sim" --paths 1e6
ok "no progress of a short run into a file" is "$(cat "$tmp/err")" ""
run "$sim" --progress always --paths 3e9 --threads 1
ok "--progress always rewrites a line with rate and time left" \
  grep -qE $'\rgbm_sim: [0-9.]+ % of 3e\\+09 paths, .* paths/s, .* left' \
  "$tmp/err"
run timeout 14 "$sim" --paths 1e15 --threads 1
ok "a log file gets a line after 10 s" \
  is "$(grep -cE '^gbm_sim: [0-9.]+ % of 1e\+15 paths, .* paths/s, .* h left$' \
    "$tmp/err")/$(wc -l <"$tmp/err")" 1/1
run timeout 14 "$sim" --paths 1e15 --progress never --threads 1
ok "--progress never" is "$(cat "$tmp/err")" ""
done_testing
