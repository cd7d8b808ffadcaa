#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What debian/ says twice, of the sources, is the same there.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

version=$(sed -n 's/^#define GBM_VERSION_[A-Z]*[[:blank:]]*//p' \
  libgbm/include/gbm-mc/version.h | paste -sd.)
soversion=$(sed -n 's/^SOVERSION := //p' Makefile)

changelog() {
  head -n 1 debian/changelog | grep -E "^gbm-mc \($version\) " ||
    { echo "version.h says $version; debian/changelog: $(head -n 1 debian/changelog)"
      return 1; }
}

# named_by_soname NAME...: the libraries' packages, in which both files are named.
named_by_soname() {
  local name
  for name; do
    grep -x "Package: lib$name$soversion" debian/control &&
      grep "^lib$name\.so\.$soversion lib$name$soversion " \
        "debian/lib$name$soversion.symbols" || return
  done
}

# nodes NAME: each version node of the map has its line.
nodes() {
  local node nodes
  mapfile -t nodes < <(sed -n 's/ {$//p' "libgbm/$1.map")
  [ ${#nodes[@]} -gt 0 ] || return
  for node in "${nodes[@]}"; do
    grep "^ (symver)$node " "debian/lib$1$soversion.symbols" || {
      echo "debian/lib$1$soversion.symbols has no line for $node"
      return 1
    }
  done
}

ok "the version" changelog
ok "the libraries' packages have the names of their sonames" \
  named_by_soname gbm-mc gbm-mc-mpi
ok "libgbm-mc's symbols" nodes gbm-mc
ok "libgbm-mc-mpi's symbols" nodes gbm-mc-mpi
done_testing
