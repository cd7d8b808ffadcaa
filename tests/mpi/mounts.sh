# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# Sourced before lib.sh. Small file systems are mounted in a mount namespace,
# which takes them along; $mounts says whether there is one.
# shellcheck disable=SC2034 # for the tests
mounts=no
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
  [ -n "${GBM_UNSHARED-}" ] || exec unshare -m env GBM_UNSHARED=1 "$0"
  mounts=yes
fi
