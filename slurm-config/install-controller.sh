#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes this machine the controller of the cluster that README.md describes, or
# shows what that would change. gbm-cluster-setup(7) is the manual.

# shellcheck source=slurm-config/install-lib.sh
. "$(dirname "$0")/install-lib.sh" || exit

usage() {
  cat <<'END'
usage: install-controller.sh [OPTION...]

Shows what is to be changed for this machine to be the controller: Slurm's
configuration, protected daemons, time for the nodes, the shared folder. --yes
changes it; a second run changes nothing.

  --network CIDR      who may mount --share, such as 192.168.1.0/24
END
  common_usage
}

network=
own_option() {
  [ "$1" = --network ]
}
set_own_option() {
  local part='(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
  [[ $2 =~ ^$part(\.$part){3}/([12]?[0-9]|3[0-2])$ ]] ||
    bad "--network '$2' is no network, such as 192.168.1.0/24"
  network=$2
}

parse "$@"
[ -n "$share" ] || [ -z "$network" ] || bad "--network is for --share DIR"
[ -z "$share" ] || [ -n "$network" ] ||
  bad "--share wants --network, such as 192.168.1.0/24, or nobody could mount it"

wanted=(slurmctld slurm-client slurm-wlm-basic-plugins munge chrony)
[ -z "$share" ] || wanted+=(nfs-kernel-server)
want_packages "${wanted[@]}"
want_slurm slurmctld
me=$(machine_name)
[ "$me" = "$controller" ] ||
  problem "this machine is called '$me', but slurm.conf has '$controller' for the controller" \
    "sudo hostnamectl set-hostname $controller    # or: --controller $me"
want_no_unit slurmd
want_tree all
want_tree controller
want_hosts

if [ -n "$share" ]; then
  # All may write, and remove only what is theirs, as in /tmp. root of a node
  # is nobody here.
  want_directory "$share" 1777
  printf '%s %s(rw,sync,no_subtree_check,root_squash)\n' "$share" "$network" >"$new"
  want_file /etc/exports.d/gbm.exports 644 "$new"
  then_do "restart nfs-kernel-server" exports
fi
finish
