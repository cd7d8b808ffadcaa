#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# install-node.sh and install-controller.sh for real, in the place of files, as
# root, with packages and accounts; without --root. This kernel is that of the
# machine, so what would change it, or start something, only says so.
set -u
cd "$(dirname "$0")/../../.." || exit
. tests/tap.sh

[ "$(stat -f -c %T /)" = overlayfs ] || skip_all "this is no tree that may be written to"

is() {
  ok "$1" same "$2" "$3"
}
same() {
  [ "$1" = "$2" ] || {
    printf 'is:     %s\nwanted: %s\n' "$1" "$2"
    return 1
  }
}

stub=/stub
mkdir $stub
for program in sysctl systemctl exportfs apt-get; do
  printf '#!/bin/sh\necho "${0##*/} $*" >>%s/said\n[ "$2" != nfs-kernel-server ] || [ ! -e %s/broken ]\n' \
    $stub $stub >$stub/$program
  chmod 755 $stub/$program
done
PATH=$stub:$PATH
: >"$(echo /usr/lib/*/slurm-wlm)/spank_gbm.so"
printf '192.168.1.10 master\n192.168.1.11 node01\n' >$stub/hosts
head -c 128 /dev/urandom >$stub/key

# install NAME OPTION...: on the machine of that name.
install_() {
  hostname "$1"
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$1" >/etc/hosts.new
  [ -e "/etc/hosts.$1" ] || { mv /etc/hosts.new /etc/hosts && : >"/etc/hosts.$1"; }
  : >$stub/said
  "slurm-config/install-$role.sh" --hosts $stub/hosts --share /clusterfs \
    "${@:2}" --yes >$stub/out 2>$stub/err </dev/null
  status=$?
}

role=node
install_ node01 --munge-key $stub/key
is "a node: 0" "$status $(<$stub/err)" "0 "
is "packages first, slurmd last" "$(sed -n '1p; /restart slurmd/p' $stub/said | cut -d' ' -f1,2,3 | xargs)" \
  "apt-get -q -y systemctl restart slurmd"
is "only what is missing" "$(grep -c 'install.* munge' $stub/said)" 0
is "not its sysctls of others" "$(grep sysctl $stub/said)" \
  "sysctl -q -p /etc/sysctl.d/99-gbm.conf"
is "no slurmctld" "$(grep -c 'systemctl stop slurmctld' $stub/said)" 1
is "the key is munge's" "$(stat -c '%U %a' /etc/munge/munge.key)" "munge 400"
ok "and the one that was given" cmp /etc/munge/munge.key $stub/key
ok "the folder is there" test -d /clusterfs
install_ node01 --munge-key $stub/key --no-packages
is "a second run: 0" "$status" 0
is "has nothing to do" "$(tail -n 1 $stub/out)$(<$stub/said)" \
  "install-node.sh: nothing to change"

: >$stub/broken
rmdir /clusterfs
role=controller
install_ master --network 192.168.1.0/24 --no-packages
is "a controller, where a service does not start" "$status" 70
is "it is said, with the command" "$(<$stub/err)" \
  "install-controller.sh: this failed, try it again: systemctl restart nfs-kernel-server"
rm $stub/broken
is "the rest is done" "$(grep -c 'restart slurmctld' $stub/said)" 1
is "a folder for all" "$(stat -c %a /clusterfs)" 1777
done_testing
