#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# When gbm-node-check --health drains and undrains.  What it decides, on captured
# nodes; and with a program of ours in the place of scontrol, no more than with
# which words that is called.  tests/slurm/node_check.t has the real one.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/node/lib.sh

bad_memory() {
  echo "cpu" >"$work/tree/sys/fs/cgroup/cgroup.controllers"
}
# state STATE [REASON]: the node's, by scontrol.
state() {
  sed -i "s|State=[^ ]*|State=$1|; s|\$|${2:+ Reason=$2 [root@2026-11-20T09:00:00]}|" \
    "$work/tree/commands/scontrol-node"
}
# decides NAME WANTED: what would be run, nothing for "".
decides() {
  run --health --root "$work/tree"
  is "$1" "$(sed -n 's/^would run: scontrol update nodename=node01 //p' <<<"$out")" "$2"
}

tree bookworm "$work/tree"
decides "a good node is left alone" ""
is "without a word" "$out" ""
is "and with success" "$status" 0

sed -i 's/^KillOnBadExit=1/KillOnBadExit=0/' "$work/tree/etc/slurm/slurm.conf"
decides "a WARN drains nothing" ""
is "says nothing" "$out" ""
is "and is a success" "$status" 0
state IDLE+DRAIN "gbm-check: memcg off"
decides "and is no obstacle to undraining" "state=undrain"

tree bookworm "$work/tree"
bad_memory
decides "a FAIL drains" "state=drain reason=gbm-check: memcg off"
is "says which" "$(grep -c '^FAIL  1 memory-controller: ' <<<"$out")" 1
is "with its fix" "$(grep -c '^        sudo sed' <<<"$out")" 1
is "and fails" "$status" 2
state IDLE+DRAIN "gbm-check: memcg off"
decides "a node that it has drained is not drained again" ""
tree bookworm "$work/tree"
bad_memory
state IDLE+DRAIN "gbm-check: clock"
decides "the reason follows what is wrong" "state=drain reason=gbm-check: memcg off"
tree bookworm "$work/tree"
bad_memory
state IDLE+DRAIN "new card"
decides "what somebody else has drained keeps its reason" ""

tree bookworm "$work/tree"
state IDLE+DRAIN "new card"
decides "and is not undrained" ""
tree bookworm "$work/tree"
state IDLE+DRAIN "gbm-checked by me"
decides "nor what only begins alike" ""
tree bookworm "$work/tree"
state IDLE+DRAIN
decides "nor what has no reason" ""
tree bookworm "$work/tree"
state DOWN "gbm-check: memcg off"
decides "nor what is down" ""
tree bookworm "$work/tree"
state ALLOCATED+DRAIN "gbm-check: swap bug"
decides "what it has drained is undrained, jobs or not" "state=undrain"
tree bookworm "$work/tree"
state IDLE+DRAIN "gbm-check: munge"
rm "$work/tree/commands"/munge*
decides "but not what cannot be looked at now" ""

tree bookworm "$work/tree"
bad_memory
echo 124 >"$work/tree/commands/scontrol-node.status"
decides "where the controller does not answer, nothing is tried" ""
is "and the fault is told all the same" "$status" 2

run --health --json --root "$work/tree"
if command -v jq >/dev/null; then
  ok "--health --json is JSON" jq -e '.status == "FAIL"' <<<"$out"
else
  skip "--health --json is JSON" "jq is not installed"
fi

# A reason must fit into what sinfo -R shows.
reasons_fit() {
  sed -n "/^CHECKS=(/,/^)/p" "$check" | grep -o "'[^']*'" | tr -d "'" |
    awk -F '|' '$2 != "" { n++; if (length("gbm-check: " $2) > 20 || seen[$2]++) print }
      END { if (n < 13) print n " reasons" }' | { ! grep .; }
}
ok "each reason is short, and one check's alone" reasons_fit

# The words, with a scontrol that writes them down.
mkdir "$work/bin"
cat >"$work/bin/scontrol" <<END
#!/bin/bash
case "\$*" in
*"show node"*) cat $work/state ;;
update*) printf '<%s>' "\$@" >>$work/said ;;
*) exit 1 ;;
esac
END
chmod +x "$work/bin/scontrol"
ln -s "$check" "$work/bin/gbm-node-health"
mkdir "$work/slurm"
cp slurm-config/*.conf "$work/slurm"
sed -i '/^DefMemPerCPU/d; s/node\[01-04\]/node[01-04],odd-name/' "$work/slurm/slurm.conf"
health() {
  : >"$work/said"
  PATH=$work/bin:$PATH SLURM_CONF=$work/slurm/slurm.conf \
    SLURMD_NODENAME=odd-name "$work/bin/gbm-node-health" >"$work/.out" 2>&1
  status=$? said=$(<"$work/said")
}
echo "NodeName=odd-name State=IDLE" >"$work/state"
health
like_a_drain() {
  [[ $said == '<update><nodename=odd-name><state=drain><reason=gbm-check: '*'>' ]] ||
    { echo "$said" && return 1; }
}
ok "gbm-node-health drains the node that slurmd says it is" like_a_drain
is "and fails" "$status" 2
echo "NodeName=odd-name State=IDLE+DRAIN Reason=mine [root@now]" >"$work/state"
health
is "but not one that is drained" "$said" ""
done_testing
