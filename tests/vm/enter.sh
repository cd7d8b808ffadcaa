#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# enter.sh DIRECTORY COMMAND [ARGUMENT...]: becomes COMMAND, as root, with
# DIRECTORY/root for a root. COMMAND finds this source tree and TMPDIR where they
# are; whatever it writes elsewhere is gone afterwards.

set -u
self=$(readlink -f "$0")
top=$(readlink -f "${self%/*}/../..")
# shellcheck source=tests/vm/image.sh
. "$top/tests/vm/image.sh"

# What is written to the tree goes to memory, and with the last process.
inside() {
  local mnt=$1/mnt root=$1/mnt/root dir
  { mount -t tmpfs -o mode=755 gbm "$mnt" &&
    mkdir "$mnt/new" "$mnt/work" "$root" &&
    mount -t overlay gbm "$root" \
      -o "lowerdir=$1/root,upperdir=$mnt/new,workdir=$mnt/work"; } ||
    die $EX_UNAVAILABLE "cannot mount the tree $1/root (a container?)"
  for dir in /proc /sys /dev "${TMPDIR:-/tmp}" "$top"; do
    { mkdir -p "$root$dir" && mount --rbind "$dir" "$root$dir"; } ||
      die $EX_UNAVAILABLE "cannot mount $dir below $root"
  done
  : >>"$root/etc/hosts"
  shift
  exec chroot "$root" env -C "$PWD" "$@"
}

case ${1-} in
--inside) inside "${@:2}" ;;
/*)
  mkdir -p "$1/mnt" || die $EX_UNAVAILABLE "cannot make $1/mnt"
  exec unshare --mount --propagation private bash "$self" --inside "$@"
  ;;
*) die $EX_USAGE "usage: enter.sh DIRECTORY COMMAND [ARGUMENT...]" ;;
esac
