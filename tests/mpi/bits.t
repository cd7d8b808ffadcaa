#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The result has the same bits on any number of ranks and threads and with any
# chunk.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

# bits.c runs 6 payoffs x 2 numbers of threads x 3 chunks on N ranks.
all_bits() {
  run mpi "$1" "$helpers/bits"
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  is "$(wc -l <"$tmp/out")" 36 || return
  # One result for each payoff remains.
  sort -u "$tmp/out" >"$tmp/bits.$1"
  is "$(wc -l <"$tmp/bits.$1")" 6 || { cat "$tmp/bits.$1"; return 1; }
  cmp "$tmp/bits.1" "$tmp/bits.$1"
}

for ranks in 1 2 3 4; do
  ok "all payoffs, threads and chunks on $ranks ranks" all_bits $ranks
done

# The same, as gbm_sim prints it.
same() {
  run "$@"
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  is "$(field "$tmp/out" estimate std_error ci95)" "$expected"
}

for payoff in terminal call put asian-call asian-put; do
  sim=("$bin/gbm_sim" --payoff "$payoff" --steps 5 --paths 200003 --json)
  run "${sim[@]}" --threads 1
  expected=$(field "$tmp/out" estimate std_error ci95)
  ok "$payoff: one thread gives a number" test -n "$expected"
  ok "$payoff: the defaults" same "${sim[@]}"
  ok "$payoff: 2 threads, chunk 64K" same "${sim[@]}" --threads 2 --chunk 64K
  ok "$payoff: 3 ranks, chunk 192K" same mpi 3 "${sim[@]}" --chunk 192K
  ok "$payoff: 2 ranks, 2 threads, chunk 2M" \
    same mpi 2 "${sim[@]}" --threads 2 --chunk 2M
  run "${sim[@]}" --threads 1 --seed 2
  ok "$payoff: another seed gives another number" \
    test "$(field "$tmp/out" estimate std_error ci95)" != "$expected"
done

# What is told beside it, and the histogram's file.
told() {
  rm -f "$tmp/h.csv" "$tmp/f.csv" "$tmp/c.csv"
  run "$@" --json --quantiles 0,0.01,0.5,0.99 --var 0.95,0.999 --moments \
    --histogram "$tmp/h.csv:40" --fan "$tmp/f.csv" --convergence "$tmp/c.csv"
  is "$status" 0 || { cat "$tmp/err"; return 1; }
  perl -MJSON::PP -e '
    my $o = decode_json(<>);
    print JSON::PP->new->canonical->encode(
      [map { defined $o->{$_} ? $o->{$_} : die "no $_\n" }
        qw(estimate std_error quantiles risk payoffs covariance)])' "$tmp/out"
  cat "$tmp/h.csv" "$tmp/f.csv" "$tmp/c.csv"
}
same_told() {
  is "$(told "$@")" "$expected"
}

for payoff in call,terminal asian-put,put; do
  sim=("$bin/gbm_sim" --payoff "$payoff" --steps 5 --paths 200003)
  expected=$(told "${sim[@]}" --threads 1)
  ok "$payoff: quantiles and risks" test "$(wc -l <<<"$expected")" -eq 75
  ok "$payoff: 2 threads, chunk 64K" same_told "${sim[@]}" --threads 2 \
    --chunk 64K
  ok "$payoff: 2 ranks, 2 threads" same_told mpi 2 "${sim[@]}" --threads 2
  ok "$payoff: 3 ranks, chunk 192K" same_told mpi 3 "${sim[@]}" --chunk 192K
  ok "$payoff: by scalar code" same_told env GBM_ISA=scalar "${sim[@]}"
  if grep -q avx2 /proc/cpuinfo; then
    ok "$payoff: by AVX2" same_told env GBM_ISA=avx2 "${sim[@]}"
  else
    skip "$payoff: by AVX2" "this CPU has none"
  fi
done

expected=$(mpi 1 "$bin/iterate_mpi")
ok "iterate_mpi gives a number" grep -q '^days' <<<"$expected"
for ranks in 2 3 4; do
  ok "iterate_mpi on $ranks ranks" is "$(mpi $ranks "$bin/iterate_mpi")" \
    "$expected"
done

# These find their threads themselves.
for program in price_call own_functional iterate_chunks; do
  expected=$("$bin/$program")
  ok "$program ends well" test $? -eq 0
  ok "$program on one core" \
    is "$(taskset -c "$(first_cpu)" "$bin/$program")" "$expected"
done
done_testing
