#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A run that is ended in any way goes on with the bits of one that was not, also
# on other ranks, threads and instruction sets.
cd "$(dirname "$0")/../.." || exit
. tests/mpi/lib.sh

same() {
  ok "$1" is "$2" "$3"
}
matches() {
  grep -qE -- "$2" <<<"$1" && return
  printf "no '%s' in:\n%s\n" "$2" "$1"
  return 1
}
like() {
  ok "$1" matches "$2" "$3"
}

sim=$bin/gbm_sim
# Another instruction set than usual, but not the slowest if there are three.
isa=scalar
! GBM_ISA=avx2 "$sim" --paths 1 >/dev/null 2>&1 || isa=avx2
point=$tmp/point
# Some seconds of one thread, and everything that can be collected.
model=(--steps 252 --payoff 'call,asian-put' --strike 101 --progress never)
what=(--quantiles '0.01,0.5,0.99' --var 0.95 --moments --json)
paths=10000000
kept=(--checkpoint "$point" --every 0.2)

# What is the same however it was run.
result() {
  perl -MJSON::PP -e '
    my $o = JSON::PP->new->canonical->decode(join "", <>);
    delete @$o{qw(ranks rank_paths threads isa chunk_bytes budget_bytes seconds
      paths_per_second peak_rss_bytes)};
    print JSON::PP->new->canonical->encode($o), "\n"' "$1"
}

# again [COMMAND...]: goes on to the end; $out has the result.
again() {
  "$@" "$sim" "${model[@]}" "${what[@]}" --paths $paths "${kept[@]}" \
    --resume >"$tmp/out" 2>"$tmp/err"
  status=$?
  out=$(result "$tmp/out" 2>/dev/null)
}

# In the background, on one thread: $pid.
begin() {
  "$sim" "${model[@]}" "${what[@]}" --paths $paths --threads 1 "${kept[@]}" \
    "$@" >"$tmp/first" 2>"$tmp/first.err" &
  pid=$!
}

# until FILE is there and newer than $tmp/now.
newer() {
  for ((i = 0; i < 600; i++)); do
    [ "$1" -nt "$tmp/now" ] && return
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  echo "no $1 from a run that goes on"
  return 1
}

"$sim" "${model[@]}" "${what[@]}" --paths $paths >"$tmp/whole" 2>/dev/null
want=$(result "$tmp/whole")
like "a run without checkpoints has a result" "$want" '"estimate":'

# kill -9, twice, then on three ranks.
touch "$tmp/now"
begin
ok "a checkpoint is written while the run goes on" newer "$point"
kill -KILL $pid
wait $pid 2>/dev/null
touch "$tmp/now"
begin --resume
ok "after a kill -9 the run goes on, and writes the next" newer "$point"
kill -KILL $pid
wait $pid 2>/dev/null
like "it says from where" "$(<"$tmp/first.err")" 'goes on after [1-9][0-9]* paths'
GBM_ISA=$isa again mpi 3
same "and ends well on three ranks and another instruction set" "$status" 0
same "with the same bits" "$out" "$want"
again
same "once more there is nothing left to do" "$status $out" "0 $want"
rm -f "$point"*

# SIGUSR1 and SIGTERM.
kept=(--checkpoint "$point" --every 1000)
begin
sleep 0.5
touch "$tmp/now"
kill -USR1 $pid
ok "SIGUSR1 has it write a checkpoint" newer "$point"
ok "and go on" kill -0 $pid
touch "$tmp/now"
kill -TERM $pid
start=$SECONDS
wait $pid
same "SIGTERM ends it with status 75" $? 75
ok "within seconds" [ $((SECONDS - start)) -le 5 ]
ok "after a checkpoint" [ "$point" -nt "$tmp/now" ]
like "and says how to go on" "$(<"$tmp/first.err")" \
  "ended by a signal after [0-9]* of $paths paths: go on by --checkpoint .* --resume"
SLURM_RESTART_COUNT=1 "$sim" "${model[@]}" "${what[@]}" --paths $paths \
  "${kept[@]}" >"$tmp/out" 2>/dev/null
same "Slurm's requeue goes on by itself" "$(result "$tmp/out")" "$want"

# All ranks agree, and one that is killed takes nothing along.
rm -f "$point"*
kept=(--checkpoint "$point" --every 0.2)
mpi 2 "$sim" "${model[@]}" "${what[@]}" --paths $paths --threads 1 \
  "${kept[@]}" >/dev/null 2>&1 &
pid=$!
touch -d @0 "$tmp/now"
ok "two ranks write a checkpoint" newer "$point"
pkill -KILL -n -f "^$sim .*--checkpoint $point "
wait $pid
ok "and end when one of them is killed" [ $? -ne 0 ]
again
same "the run goes on with the same bits" "$out" "$want"

# A checkpoint that nobody asked for, as a job of Slurm has it; in a directory
# of its own. begun: it heeds signals by now.
begin_job() {
  (cd "$tmp/job" && SLURM_JOB_ID=77 exec "$sim" --payoff put --paths 1e12 \
    --progress never "$@") >"$tmp/first" 2>"$tmp/first.err" &
  pid=$!
}
begun() {
  local caught
  while caught=$(sed -n 's/^SigCgt:\t//p' "/proc/$pid/status" 2>/dev/null); do
    [ -n "$caught" ] || return
    [ $((0x$caught >> 14 & 1)) = 0 ] || return 0
    sleep 0.05
  done
  return 1
}
said() {
  for ((i = 0; i < 600; i++)); do
    ! grep -qE -- "$1" "$tmp/first.err" || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  cat "$tmp/first.err"
  return 1
}
finish() {
  kill -TERM $pid
  wait $pid
  status=$?
}
mkdir "$tmp/job"
begin_job --every 0.1
ok "Slurm: a long run says that it keeps its state" said \
  'keeps its state in gbm_sim-77-[0-9a-f]{8}\.ckpt'
touch "$tmp/now"
auto=$(echo "$tmp"/job/gbm_sim-77-*.ckpt)
name=$(grep -o 'gbm_sim-77-[0-9a-f]*\.ckpt' "$tmp/first.err")
ok "every tenth of a second, if asked" newer "$tmp/job/$name"
ok "Slurm: and keeps the one before" newer "$tmp/job/$name.old"
finish
same "Slurm: SIGTERM ends it to go on" $status 75
auto=$tmp/job/$name
begin_job
ok "Slurm: the same run goes on by itself" said 'goes on after [0-9]* paths'
finish
same "Slurm: and so on" $status 75
rm "$auto"*

# It is somebody else's: before the run, and once it has begun.
echo precious >"$auto"
begin_job
ok "Slurm: another file of that name" said \
  "$name: .* of no use: .*; this run goes on without a checkpoint"
finish
same "Slurm: nothing is kept then" $status 74
like "Slurm: and that is said" "$(<"$tmp/first.err")" 'of which nothing is kept'
same "Slurm: the file is left alone" "$(cat "$tmp/job"/*)" precious
rm "$auto"
begin_job
ok "Slurm: a run begins" begun
sleep 0.2 # after it has looked for a checkpoint
echo precious >"$auto"
ok "Slurm: a file that comes into the way" said \
  'a file is in the way of the checkpoint; this run goes on without'
finish
same "Slurm: nothing is kept then, either" $status 74
same "Slurm: it is left alone, too" "$(cat "$tmp/job"/*)" precious
rm "$auto"

# It cannot be written, by root neither; nobody's link is followed.
ln -s "$tmp/elsewhere" "$auto.partial"
begin_job --every 0.1
ok "Slurm: one that cannot be written is done without" said \
  'could not be written: .*; this run goes on without a checkpoint'
ok "Slurm: the run goes on" kill -0 $pid
finish
same "Slurm: but not after SIGTERM" $status 74
rm "$auto.partial"
ln -s "$tmp/elsewhere" "$auto.partial"
begin_job
begun
finish
same "Slurm: also where SIGTERM asks for the first one" $status 74
like "Slurm: whose failure is told" "$(<"$tmp/first.err")" \
  "$name: .*could not be written"
rm "$auto.partial"
same "Slurm: nothing is left" "$(ls "$tmp/job")" ""
begin_job --checkpoint none
sleep 0.5
finish
same "--checkpoint none: SIGTERM ends it at once" $status 143

# An extension: 10,000 paths, which are no whole blocks, and then more.
rm -f "$point"*
"$sim" --paths 1e4 --payoff put --checkpoint "$point" >/dev/null 2>&1
same "a run that has ended is extended" \
  "$("$sim" --paths 1e5 --payoff put --quiet --checkpoint "$point" --resume \
    2>/dev/null)" "$("$sim" --paths 1e5 --payoff put --quiet)"

# A fan, and the histogram beside it.
rm -f "$point"*
drawn() {
  rm -f "$tmp/fan.csv" "$tmp/bins.csv"
  "$sim" --steps 20 --payoff put --fan "$tmp/fan.csv" \
    --histogram "$tmp/bins.csv" "$@" >/dev/null 2>&1
  cat "$tmp/fan.csv" "$tmp/bins.csv"
}
drawn --paths 2e5 --checkpoint "$point" >/dev/null
same "so are a fan and a histogram" \
  "$(drawn --paths 3e5 --checkpoint "$point" --resume | md5sum)" \
  "$(drawn --paths 3e5 | md5sum)"
ok "which are there" [ "$(wc -l <"$tmp/fan.csv")" -gt 20 ]
rm -f "$point"*
"$sim" --paths 1e4 --payoff put --checkpoint "$point" >/dev/null 2>&1

# Refusals.
"$sim" --paths 1e5 --payoff put --checkpoint "$point" >/dev/null 2>"$tmp/err"
same "what is there is not overwritten" $? 73
like "but told" "$(<"$tmp/err")" 'there is a checkpoint: go on with it by --resume'
"$sim" --paths 1e5 --vol 0.3 --payoff put --checkpoint "$point" --resume \
  >/dev/null 2>"$tmp/err"
same "another run's is refused" $? 65
like "with what is another" "$(<"$tmp/err")" 'of a run with another volatility'
cp "$point" "$point.old"
truncate -s 100 "$point"
same "where one is damaged, the one before is taken" \
  "$("$sim" --paths 1e5 --payoff put --quiet --checkpoint "$point" --resume \
    2>"$tmp/err")" "$("$sim" --paths 1e5 --payoff put --quiet)"
like "and that is said" "$(<"$tmp/err")" 'it is damaged; the one before it is taken'
"$sim" --paths 1e5 --checkpoint /dev/null/x >/dev/null 2>"$tmp/err"
same "a directory that is none ends the run" $? 74
like "and is named" "$(<"$tmp/err")" '/dev/null/x: '
"$sim" --paths 1e5 --resume >/dev/null 2>"$tmp/err"
same "--resume is about a checkpoint" $? 64

done_testing
