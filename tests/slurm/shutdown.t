#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gbm-cluster-shutdown: no new jobs, those that run are told and put back, nodes
# off, the controller last, and all of it as before once the nodes are back.
# Only being off is not real: a node's network goes down then.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/slurm/lib.sh

tool=$PWD/tools/gbm-cluster-shutdown
# What each machine runs to be switched off, and the one who does it then, for
# the nodes named in $work/obey.
# shellcheck disable=SC2016 # for the machines
off='date +%s%N >'$work'/off.$(hostname)'
mkdir "$work/obey"

link() {
  nsenter --net --target "$(slurmd_of "$1")" ip link set eth0 "$2"
}
switch() {
  local node
  while :; do
    for node in node01 node02; do
      [ ! -e "$work/off.$node" ] || [ ! -e "$work/obey/$node" ] || {
        rm "$work/obey/$node"
        link $node down
      }
    done
    sleep 0.2
  done
}
switch &
switcher=$!
tidy() {
  kill "$switcher" 2>/dev/null
  scontrol delete reservationname=gbm-shutdown 2>/dev/null
  scancel --user=root 2>/dev/null
  link node01 up
  link node02 up
}
trap tidy EXIT
trap 'exit 143' TERM HUP INT

refused() {
  run "$tool" "${@:3}"
  is "$1: exit status" "$status" 64
  is "$1: one line" "$(wc -l <<<"$err")" 1
  like "$1: that says what" "$err" "$2"
}
refused "an unknown option" "'--now' is no option" --now
refused "a bad time" "--wait '5m': give a number of seconds" --wait 5m
refused "bad nodes" "is no list of nodes" --nodes 'a;b'
run "$tool" --nodes node07
ok "a node that is not there" [ $status != 0 ]
run "${as_user[@]}" bash -c "$(<"$tool")" tool --yes
is "--yes without root" "$status" 77
run unshare --uts sh -c "hostname elsewhere; exec $tool"
is "not on the controller" "$status" 64
like "it is said" "$err" "the controller is 'master', and this is 'elsewhere'"

reservations() {
  scontrol show reservation | grep -c ReservationName=
}
settle
cat >"$work/batch" <<END
#!/bin/bash
trap 'echo told >>$work/told; exit 1' TERM
[ ! -e $work/again ] || { touch $work/done; exit 0; }
touch $work/started
sleep 90 & wait
END
run sbatch --parsable --requeue -w node01 -n1 --mem=100M --output=/dev/null "$work/batch"
batch=$out
srun -w node02 -n1 --mem=100M --job-name=theirs sleep 90 >"$work/srun.out" 2>&1 &
srun=$!
wait_for 20 test -e "$work/started"
wait_for 20 eval '[ -n "$(squeue -h -t R -n theirs)" ]'

run "$tool"
is "a dry run: 0" "$status" 0
like "names the nodes" "$out" '^nodes that answer: node01 node02$'
like "and the jobs" "$out" "^  $batch RUNNING root batch"
like "puts a batch job back" "$out" "would run: scontrol requeue $batch\$"
like "cancels the other" "$out" 'would run: scancel [0-9]+$'
is "the controller comes last" "$(grep '^would run' <<<"$out" | tail -n 1)" \
  "would run: sh -c systemctl\\ poweroff"
is "but nothing is done" "$(reservations) $(squeue -h -t R | wc -l)" "0 2"

# node02 does not go off: the controller has to stay.
touch "$work/obey/node01"
run "$tool" --yes --wait 1 --off-within $((4 * slow)) --poweroff "$off"
is "one node stays on: exit status" "$status" 1
like "it is named" "$err" 'still on: node02; the controller stays'
ok "both were told" test -e "$work/off.node01" -a -e "$work/off.node02"
ok "the controller was not" test ! -e "$work/off.master"
is "the batch job was told to end" "$(cat "$work/told")" told
is "and waits for the nodes" "$(job_state "$batch")" PENDING
wait $srun
ok "the other one has ended" [ $? != 0 ]
is "nothing stays reserved" "$(reservations)" 0
state() {
  scontrol -o show node "$1" | grep -o ' State=[^ ]*' | cut -d= -f2
}
like "the node that is off is down" "$(state node01)" '^DOWN'
like "for a reason" "$(sinfo -R -h)" '^gbm-shutdown .*node01'

# Again, with what is left.
rm "$work"/off.*
touch "$work/obey/node02"
scontrol update jobid="$batch" starttime=now+3600 2>/dev/null || scontrol hold "$batch"
wait_for 40 eval 'case $(state node02) in IDLE) ;; *) false ;; esac'
run "$tool" --yes --wait 0 --off-within $((30 * slow)) --poweroff "$off"
is "then all are off: 0" "$status$err" 0
like "who was off already is named" "$out" 'node01 did not answer from the beginning'
ok "the controller is, too" test -e "$work/off.master"
ok "as the last one" [ "$(cat "$work/off.node02")" -lt "$(cat "$work/off.master")" ]

# The nodes boot.
touch "$work/again"
for node in node01 node02; do
  link $node up
  restart_slurmd $node
done
ok "nodes that boot are used again" wait_for 60 all_idle
scontrol release "$batch" 2>/dev/null
scontrol update jobid="$batch" starttime=now
ok "and the batch job runs again" wait_for 60 test -e "$work/done"

# By ssh: no more than with which words.
mkdir "$work/bin"
printf '#!/bin/sh\nprintf "%%s " "$@" >>%s\n' "$work/ssh.words" >"$work/bin/ssh"
chmod 755 "$work/bin/ssh"
settle
PATH=$work/bin:$PATH run env -u SUDO_USER "$tool" --yes --ssh --nodes node01 --off-within 1 \
  --poweroff 'poweroff now'
is "--ssh runs it there" "$(cat "$work/ssh.words")" \
  "-n -o BatchMode=yes -o ConnectTimeout=10 node01 poweroff now "
is "and looks, too" "$status" 1
done_testing
