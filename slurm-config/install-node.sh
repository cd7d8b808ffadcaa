#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Makes this machine a node of the cluster that README.md describes, or shows
# what that would change. gbm-cluster-setup(7) is the manual.

# shellcheck source=slurm-config/install-lib.sh
. "$(dirname "$0")/install-lib.sh" || exit

usage() {
  cat <<'END'
usage: install-node.sh [OPTION...]

Shows what is to be changed for this machine to be a node that no job can
freeze: Slurm's configuration, protected daemons, no swap, the memory
controller, time, the shared folder. --yes changes it; a second run changes
nothing.

  --munge-key FILE    a copy of the controller's /etc/munge/munge.key
  --keep-swap         leave swap as it is
END
  common_usage
}

munge_key='' keep_swap=
own_option() {
  [ "$1" = --munge-key ]
}
set_own_option() {
  readable "$1" "$2"
  [ "$(stat -L -c %s "$2")" -ge 32 ] ||
    bad "--munge-key '$2' has less than the 32 bytes of a key"
  munge_key=$2
}

# Debian 13's, of Raspberry Pi OS.
has_rpi_swap() {
  [ -d "$root/usr/lib/rpi/swap.conf.d" ] || [ -e "$root/etc/rpi/swap.conf" ] ||
    [ -d "$root/etc/rpi/swap.conf.d" ]
}

no_swap() {
  local unit=/etc/systemd/system/dphys-swapfile.service
  # Debian 12's.
  if [ -e "$root/etc/dphys-swapfile" ]; then
    want_link $unit /dev/null
    then_do reload reboot
  fi
  if has_line /etc/fstab '^[^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap[[:space:]]'; then
    sed -E 's/^([^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap[[:space:]].*)/#\1/' \
      "$root/etc/fstab" >"$new.fstab"
    then_swap=1
  else
    cp "$root/etc/fstab" "$new.fstab" 2>/dev/null || : >"$new.fstab"
  fi
}

# The mount that waits for a server as long as it takes, and never holds up the
# boot: soft would give up, and leave holes in files.
NFS=hard,proto=tcp,timeo=600,retrans=2,noatime,_netdev,nofail,x-systemd.automount
want_share() {
  local line type
  [ -n "$share" ] || return
  line="$controller:$share $share nfs4 $NFS 0 0"
  type=$(awk -v dir="$share" '$1 !~ /^#/ && $2 == dir { print $3; exit }' \
    "$new.fstab")
  case $type in
  '') printf '%s\n' "$line" >>"$new.fstab" ;;
  nfs | nfs4)
    awk -v dir="$share" -v line="$line" \
      '$1 !~ /^#/ && $2 == dir { $0 = line } { print }' \
      "$new.fstab" >"$new.share" && mv "$new.share" "$new.fstab" || exit
    ;;
  *)
    problem "/etc/fstab has $share on a disk of its own ($type)" \
      "sudo nano /etc/fstab    # or another --share"
    return
    ;;
  esac
  want_directory "$share" 755
}

# The firmware switches the memory controller off; the last word counts. psi=1
# has the kernel count how long programs wait for memory.
want_boot_line() {
  local file word
  for file in /boot/firmware/cmdline.txt /boot/cmdline.txt; do
    [ -f "$root$file" ] || continue
    awk '{ gsub(/\r/, ""); sub(/[ \t]+$/, "") } NF' "$root$file" >"$new" || exit
    if [ "$(wc -l <"$new")" != 1 ]; then
      problem "$file has not one line: this machine may not boot again" \
        "gbm-node-check    # tells how to mend that"
      return
    fi
    for word in cgroup_enable=memory psi=1; do
      grep -qE "(^| )$word( |\$)" "$new" || sed -i "s/\$/ $word/" "$new"
    done
    # Blanks at its end alone are no reason to touch it.
    [ "$(sed 's/[[:space:]]*$//' "$root$file")" = "$(<"$new")" ] ||
      want_file $file '' "$new"
    then_do reboot
    return
  done
}

for word; do
  shift
  case $word in
  --keep-swap) keep_swap=1 ;;
  *) set -- "$@" "$word" ;;
  esac
done
parse "$@"

wanted=(slurmd slurm-client slurm-wlm-basic-plugins munge chrony openmpi-bin
  libpmix-dev)
[ -z "$share" ] || wanted+=(nfs-common)
want_packages "${wanted[@]}"
last=
want_boot_line
want_slurm slurmd
want_no_unit slurmctld
want_tree all
want_tree node
want_hosts

then_swap=
if [ -n "$keep_swap" ]; then
  cp "$root/etc/fstab" "$new.fstab" 2>/dev/null || : >"$new.fstab"
else
  no_swap
fi
want_share
if [ -s "$new.fstab" ]; then
  want_file /etc/fstab '' "$new.fstab"
  then_do reload
  [ -z "$then_swap" ] || then_do reboot
  [ -z "$share" ] || then_do mount
fi

# Files in a /tmp in RAM, which outlive their job, are RAM that no job has any
# more. What /dev/shm has is removed by the plugin.
if [ -e "$root/usr/lib/systemd/system/tmp.mount" ]; then
  want_link /etc/systemd/system/tmp.mount /dev/null
  then_do reload reboot
fi

# The controller's time first, then munge.
want_link /etc/systemd/system/multi-user.target.wants/chrony-wait.service \
  /lib/systemd/system/chrony-wait.service
then_do reload

if [ -n "$munge_key" ]; then
  want_file /etc/munge/munge.key 400 "$munge_key" secret
  then_do "restart munge"
else
  note "munge.key must be the controller's: --munge-key FILE installs a copy"
fi
note "the key, the clock and all else are looked at by: sudo gbm-node-check"
finish
