#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# install-node.sh and install-controller.sh, on captured nodes: what they show
# they do, a second run does nothing, what was there is kept, and nothing at all
# is done where something is in the way.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/node/lib.sh

role=node
# install OPTION...: of $role, on the machine in $work/tree.
install_() {
  "slurm-config/install-$role.sh" --root "$work/tree" "$@" \
    >"$work/.out" 2>"$work/.err" </dev/null
  status=$? out=$(<"$work/.out") err=$(<"$work/.err")
}
# machine RELEASE NAME: as its first boot leaves it.
machine() {
  tree "$1" "$work/tree"
  rm -rf "$work/tree/etc/slurm"
  echo "$2" >"$work/tree/etc/hostname"
  printf '127.0.0.1\tlocalhost\n127.0.1.1\t%s\n' "$2" >"$work/tree/etc/hosts"
  sed -i 's/ cgroup_enable=memory psi=1//' \
    "$work/tree/boot/firmware/cmdline.txt"
  printf 'proc /proc proc defaults 0 0\n/dev/sda2 none swap sw 0 0\n' \
    >"$work/tree/etc/fstab"
  case $1 in
  bookworm) : >"$work/tree/etc/dphys-swapfile" ;;
  trixie)
    mkdir -p "$work/tree/usr/lib/rpi/swap.conf.d" \
      "$work/tree/usr/lib/systemd/system"
    : >"$work/tree/usr/lib/systemd/system/tmp.mount"
    ;;
  esac
}
sums() {
  (cd "$work/tree" && find . \( -type f -exec cksum {} + \) -o -printf '%p %l\n') |
    sort
}
says() {
  grep -qF -e "$1" <<<"$out$err" || {
    printf 'nobody says: %s\n%s\n%s\n' "$1" "$out" "$err"
    return 1
  }
}
has() {
  grep -qxF -e "$2" "$work/tree$1" || {
    printf '%s has no line: %s\n' "$1" "$2"
    cat "$work/tree$1"
    return 1
  }
}

printf '# all\n192.168.1.10 master\n192.168.1.11 node01 # the first\n' >"$work/hosts"
head -c 128 /dev/urandom >"$work/key"
echo secret >"$work/short"

for release in bookworm trixie; do
  machine $release node01
  sums >"$work/before"
  cp -r "$work/tree" "$work/was"
  all=(--hosts "$work/hosts" --share /clusterfs --munge-key "$work/key")
  install_ "${all[@]}"
  is "$release: a dry run: 0" "$status$err" 0
  is "$release: changes nothing" "$(sums | diff - "$work/before")" ""
  ok "$release: and says so" says "--yes changes them"
  ok "$release: shows lines" says "+DefMemPerCPU=375"
  is "$release: but no secret" "$(grep -c 'Binary\|munge.key (new)' <<<"$out")" 0
  shown=$(grep -E '^(new|change)' <<<"$out")

  install_ "${all[@]}" --yes
  is "$release: --yes: 0" "$status$err" 0
  is "$release: does what was shown" "$(grep -E '^(new|change)' <<<"$out")" "$shown"
  sums >"$work/after"
  install_ "${all[@]}" --yes
  is "$release: a second run: 0" "$status" 0
  ok "$release: has nothing to do" says "nothing to change"
  is "$release: and does nothing" "$(sums | diff - "$work/after")" ""

  for file in slurm cgroup plugstack plugstack.conf.d/gbm; do
    ok "$release: $file.conf is the one of slurm-config/" \
      cmp "slurm-config/$file.conf" "$work/tree/etc/slurm/$file.conf"
  done
  is "$release: readable by all" "$(stat -c %a "$work/tree/etc/slurm/slurm.conf")" 644
  is "$release: the key is not" "$(stat -c %a "$work/tree/etc/munge/munge.key")" 400
  ok "$release: the boot line asks for the controller" grep -qE \
    'rootwait cgroup_enable=memory psi=1$' "$work/tree/boot/firmware/cmdline.txt"
  is "$release: in one line" "$(wc -l <"$work/tree/boot/firmware/cmdline.txt")" 1
  ok "$release: no swap of fstab's" has /etc/fstab '#/dev/sda2 none swap sw 0 0'
  ok "$release: a share that waits" grep -qE '^master:/clusterfs /clusterfs nfs4 hard,.*nofail' \
    "$work/tree/etc/fstab"
  ok "$release: this machine's address" has /etc/hosts $'192.168.1.11\tnode01'
  ok "$release: and no other" has /etc/hosts $'#127.0.1.1\tnode01'
  case $release in
  bookworm) is "no swap file" \
    "$(readlink "$work/tree/etc/systemd/system/dphys-swapfile.service")" /dev/null ;;
  trixie)
    ok "no zram" has /etc/rpi/swap.conf.d/99-gbm.conf Mechanism=none
    is "no /tmp in RAM" "$(readlink "$work/tree/etc/systemd/system/tmp.mount")" /dev/null
    ;;
  esac

  # What was there, and nothing of it lost.
  kept=$(echo "$work/tree/var/backups/gbm-mc/"*)
  is "$release: one backup" "$(wc -w <<<"$kept")" 1
  for file in etc/hosts etc/fstab boot/firmware/cmdline.txt; do
    ok "$release: $file is kept" cmp "$kept/$file" "$work/was/$file"
  done
  is "$release: for root only" "$(stat -c %a "$work/tree/var/backups/gbm-mc")" 700
  rm -rf "$work/was"

  # After the boot that it asks for, the other program is content.
  cat "$work/tree/boot/firmware/cmdline.txt" >>"$work/tree/proc/cmdline"
  run --root "$work/tree"
  is "$release: gbm-node-check finds nothing" "$(grep -E '^(WARN|FAIL)' <<<"$out")" ""
done

# --keep-swap.
machine bookworm node01
install_ --keep-swap --yes
is "--keep-swap: 0" "$status" 0
ok "leaves fstab" has /etc/fstab '/dev/sda2 none swap sw 0 0'
is "and the swap file" "$(readlink "$work/tree/etc/systemd/system/dphys-swapfile.service")" ""

# Another cluster.
install_ --controller head --nodes 'pi[1-8],big' --ram 3796 --cores 2 --yes
is "another cluster: 0" "$status" 0
ok "its controller" has /etc/slurm/slurm.conf SlurmctldHost=head
ok "its nodes" has /etc/slurm/slurm.conf 'NodeName=pi[1-8],big CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 RealMemory=3648 MemSpecLimit=547'
ok "their memory" has /etc/slurm/slurm.conf DefMemPerCPU=1550
ok "its clock" has /etc/chrony/sources.d/gbm.sources 'server head iburst prefer'
cp "$work/tree/etc/slurm/slurm.conf" "$work/theirs.conf"
machine bookworm node01
install_ --slurm-conf "$work/theirs.conf" --yes
ok "--slurm-conf takes it as it is" cmp "$work/theirs.conf" "$work/tree/etc/slurm/slurm.conf"
ok "and knows its controller" has /etc/chrony/sources.d/gbm.sources 'server head iburst prefer'

# An administrator's own.
machine bookworm node01
mkdir -p "$work/tree/etc/slurm/plugstack.conf.d"
echo 'required /opt/spank_gbm.so max_cap=1G' >"$work/tree/etc/slurm/plugstack.conf.d/gbm.conf"
echo 'optional theirs.so' >"$work/tree/etc/slurm/plugstack.conf"
install_ --yes
ok "their plugin's arguments stay" has /etc/slurm/plugstack.conf.d/gbm.conf \
  'required /opt/spank_gbm.so max_cap=1G'
ok "their plugins, too" has /etc/slurm/plugstack.conf 'optional theirs.so'
ok "beside ours" has /etc/slurm/plugstack.conf \
  'include /etc/slurm/plugstack.conf.d/*.conf'

# refused NAME TEXT OPTION...: an option; nothing is looked at.
refused() {
  local name=$1 text=$2
  shift 2
  install_ "$@"
  is "$name: exit status" "$status" 64
  is "$name: one line" "$(wc -l <<<"$err")$(wc -c <<<"$out")" 11
  ok "$name: that says what" says "$text"
}
refused "an unknown option" "'--force' is no option" --force
refused "a word too many" "'node01' is no option" node01
refused "no value" "--nodes needs a value" --nodes
refused "a bad list" "--nodes 'node[01' is no list" --nodes 'node[01'
refused "a list that is a command" "is no list" --nodes 'a$(reboot)'
refused "a bad name" "--controller 'a b' is no name" --controller 'a b'
refused "no cores" "--cores '0': give a number from 1" --cores 0
refused "little memory" "--ram '2G': give a number from 512" --ram 2G
refused "a file that is not there" "is no file that can be read" --hosts "$work/none"
refused "a key that is none" "less than the 32 bytes" \
  --munge-key "$work/short"
refused "both" "contradict each other" --slurm-conf "$work/theirs.conf" --cores 2
refused "no path" "--share 'clusterfs': give a path" --share clusterfs
refused "a configuration that is none" "names no SlurmctldHost=" --slurm-conf "$work/hosts"
echo '192.168.1.9 good ; rm' >"$work/bad.hosts"
refused "hosts that are none" "';' is no name" --hosts "$work/bad.hosts"
echo 'master 192.168.1.9' >"$work/bad.hosts"
refused "hosts the wrong way round" "is not ADDRESS NAME" --hosts "$work/bad.hosts"
role=controller
refused "a share for nobody" "--share wants --network" --share /clusterfs
refused "no network" "--network '192.168.1.0' is no network" --network 192.168.1.0
role=node

# stopped NAME TEXT: something is in the way, and all stays as it is.
stopped() {
  sums >"$work/before"
  install_ --hosts "$work/hosts" --share /clusterfs --yes
  is "$1: exit status" "$status" 1
  ok "$1: it is said" says "in the way: $2"
  is "$1: nothing is changed" "$(sums | diff - "$work/before")" ""
}
machine bookworm node01
echo "dtparam=audio=on" >>"$work/tree/boot/firmware/cmdline.txt"
stopped "a second line for the firmware" "/boot/firmware/cmdline.txt has not one line"
machine bookworm node01
find "$work/tree" -name spank_gbm.so -delete
stopped "no plugin" "the plugin spank_gbm.so is not installed"
machine bookworm node01
rm -rf "$work/tree/etc/systemd" && mkdir "$work/elsewhere" &&
  ln -s "$work/elsewhere" "$work/tree/etc/systemd"
stopped "a link that leads out" "/etc/systemd"
is "nothing is written there" "$(ls "$work/elsewhere")" ""
machine bookworm node01
ln -sf /etc/passwd "$work/tree/etc/hosts"
stopped "a link for a file" "/etc/hosts"
machine bookworm node01
echo '192.168.1.99 node01' >>"$work/tree/etc/hosts"
stopped "another address" "node01 is 192.168.1.99 in /etc/hosts, and 192.168.1.11"
machine bookworm node01
echo '/dev/sdb1 /clusterfs ext4 defaults 0 0' >>"$work/tree/etc/fstab"
stopped "a disk for the share" "/etc/fstab has /clusterfs on a disk"
role=controller
machine bookworm raspberrypi
sums >"$work/before"
install_ --yes
is "another name: exit status" "$status" 1
ok "another name: how to mend it" says "hostnamectl set-hostname master"
is "another name: nothing is changed" "$(sums | diff - "$work/before")" ""
role=node

# Half-way: the rest is done by the next run.
machine bookworm node01
rm -rf "$work/tree/etc/sysctl.d"
: >"$work/tree/etc/sysctl.d"
install_ --yes
is "a change that fails: exit status" "$status" 70
ok "it is said" says "cannot make the directory of /etc/sysctl.d/99-gbm.conf"
ok "with what was done" says "5 of 16 changes were made before"
rm "$work/tree/etc/sysctl.d"
install_ --yes
is "then the rest: 0" "$status" 0
ok "is done" test -s "$work/tree/etc/sysctl.d/99-gbm.conf"

# The boot line stays where it is good, without a newline, with CRLF.
for line in 'a b cgroup_enable=memory psi=1' $'a b cgroup_enable=memory psi=1 \n'; do
  printf %s "$line" >"$work/tree/boot/firmware/cmdline.txt"
  cp "$work/tree/boot/firmware/cmdline.txt" "$work/line"
  install_ --yes
  ok "a good boot line is not touched" cmp "$work/line" \
    "$work/tree/boot/firmware/cmdline.txt"
done
printf 'a b\r\n' >"$work/tree/boot/firmware/cmdline.txt"
install_ --yes
is "Windows' line end goes" "$(<"$work/tree/boot/firmware/cmdline.txt")" \
  "a b cgroup_enable=memory psi=1"

# The controller.
role=controller
machine trixie master
wants=etc/systemd/system/multi-user.target.wants
mkdir -p "$work/tree/$wants"
ln -s /usr/lib/systemd/system/slurmd.service "$work/tree/$wants/slurmd.service"
install_ --share /clusterfs --network 192.168.1.0/24 --yes
is "the controller: 0" "$status$err" 0
ok "has the same slurm.conf" cmp slurm-config/slurm.conf "$work/tree/etc/slurm/slurm.conf"
is "the health check of make install" \
  "$(grep '^#HealthCheckProgram=' "$work/tree/etc/slurm/slurm.conf")" \
  '#HealthCheckProgram=/usr/local/sbin/gbm-node-health'
mkdir -p "$work/usr/share/gbm-mc" && cp -r slurm-config "$work/usr/share/gbm-mc"
"$work/usr/share/gbm-mc/slurm-config/install-controller.sh" --root "$work/tree" \
  --yes >"$work/.out" 2>&1
is "or of the package" \
  "$(grep '^#HealthCheckProgram=' "$work/tree/etc/slurm/slurm.conf")" \
  "#HealthCheckProgram=$work/usr/sbin/gbm-node-health"
install_ --share /clusterfs --network 192.168.1.0/24 --yes
ok "exports" has /etc/exports.d/gbm.exports \
  '/clusterfs 192.168.1.0/24(rw,sync,no_subtree_check,root_squash)'
is "a folder for all" "$(stat -c %a "$work/tree/clusterfs")" 1777
ok "gives time" has /etc/chrony/conf.d/gbm.conf 'local stratum 10'
ok "keeps its swap" has /etc/fstab '/dev/sda2 none swap sw 0 0'
is "nor runs slurmd" "$(find "$work/tree/etc/systemd" -name slurmd.service)" ""
is "is no node" "$(find "$work/tree/etc/systemd" -path '*slurmd.service.d*')" ""
install_ --share /clusterfs --network 192.168.1.0/24 --yes
ok "a second run has nothing to do" says "nothing to change"

# Packages, by dpkg's own list.
mkdir -p "$work/tree/var/lib/dpkg"
printf 'Package: munge\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n' \
  >"$work/tree/var/lib/dpkg/status"
if command -v dpkg-query >/dev/null; then
  install_
  ok "missing packages are named" says \
    "apt-get install -y slurmctld slurm-client slurm-wlm-basic-plugins chrony"
else
  skip "missing packages are named" "no dpkg here"
fi

# What is promised to a slice is what its services were promised.
sum_holds() {
  local name sum
  for name in node controller; do
    sum=$(($(cat slurm-config/files/{all,"$name"}/etc/systemd/system/*.service.d/*.conf |
      sed -n 's/^MemoryMin=\([0-9]*\)M$/\1/p' | paste -sd+)))
    grep -qx "MemoryMin=${sum}M" \
      "slurm-config/files/$name/etc/systemd/system/system.slice.d/50-gbm.conf" || {
      echo "$name: $sum"
      return 1
    }
  done
}
ok "a slice's memory is its services'" sum_holds

done_testing
