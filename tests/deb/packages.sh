#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# packages.sh RELEASE ARCHITECTURE: builds the packages, and tries each in a
# clean tree of that release: inside.sh has what is done there.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

release=$1 arch=$2
debs=$GBM_BUILD/deb
machine=$(dpkg --print-architecture)

# built RELEASE ARCHITECTURE: the packages are there, and as new as this tree.
built() {
  local stamp=$debs/$1/stamp-$2 changed
  if [ -e "$stamp" ]; then
    changed=$(tree_files | xargs -d '\n' -I FILE find FILE -newer "$stamp")
    [ -n "$changed" ] || return 0
  fi
  mkdir -p "$debs/$1" && touch "$stamp.new" &&
    build-aux/deb.sh build "$1" "$2" && mv "$stamp.new" "$stamp"
}

# older PACKAGE DIRECTORY: makes the same with a lower version, another word in
# its settings, and a file that the newer one does not have.
older() {
  local dir=$work/older package file
  rm -rf "$dir"
  dpkg-deb -R "$1" "$dir" || return
  package=$(dpkg-deb -f "$1" Package)
  sed -i "s/$(dpkg-deb -f "$1" Version)/0.0.9/g; s/>= 0\.1\.0)/>= 0.0.9)/g" \
    "$dir/DEBIAN/control" || return
  file=$dir/etc/slurm/plugstack.conf.d/gbm.conf
  [ ! -e "$file" ] || sed -i '1a # An older version.' "$file" || return
  echo old >"$dir/usr/share/doc/$package/old" &&
    (cd "$dir" && find . -type f -not -path './DEBIAN/*' -printf '%P\n' |
      sort | xargs -d '\n' md5sum >DEBIAN/md5sums) &&
    dpkg-deb -Z none --root-owner-group -b "$dir" \
      "$2/${package}_0.0.9_$arch.deb"
}

# repositories: what inside.sh is given.
repositories() {
  local file
  mkdir -p "$repository"/{old,new} "$debs/archives/$release-$arch" &&
    ln -s "$debs/archives/$release-$arch" "$repository/archives" || return
  for file in "$debs/$release"/*_"$arch".deb; do
    [[ $file != *-dbgsym_* ]] || continue
    cp "$file" "$repository/new" && older "$file" "$repository/old" || return
  done
  for file in old new; do
    (cd "$repository/$file" && dpkg-scanpackages --multiversion . >Packages) ||
      return
  done
  "$GBM_BUILD/bin/gbm_sim" --paths 1e5 --quantiles 0.05 --json |
    grep -oE '"(estimate|std_error|value)": *[^,}]*' >"$repository/expected"
}

# try WHAT...: in a tree of its own.
try() {
  build-aux/deb.sh try "$release" "$arch" \
    "$PWD/tests/deb/inside.sh" "$repository" "$@" </dev/null
}

mkdir -p "$debs" && work=$(mktemp -d "$debs/try.XXXXXX") || exit
trap 'rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM
repository=$work/repository

ok "they build, and lintian has no error and no warning" built "$release" "$arch"
ok "there are five" eval '[ "$(ls "$debs/$release"/*_"$arch".deb |
  grep -vc dbgsym)" = 5 ]'
ok "a repository of them, and of older ones" repositories
for package in libgbm-mc0 libgbm-mc-mpi0 libgbm-mc-dev gbm-mc-tools \
  slurm-spank-gbm; do
  ok "$package: installed, upgraded, purged" try cycle $package
done
ok "beside Mesa's" try mesa
ok "the plugin's settings, and Slurm without it" try settings
case $release in
bookworm) other=trixie slurm=24.11 ;;
*) other=bookworm slurm=22.05 ;;
esac
if [ "$arch" = "$machine" ]; then
  ok "the packages for $other" built $other "$arch"
  ok "the plugin for Slurm $slurm is refused" try mismatch \
    "$(echo "$debs/$other"/slurm-spank-gbm_*_"$arch".deb)" "$slurm"
fi
if [ "$arch" = amd64 ]; then
  ok "in a machine with systemd, slurmd takes it up" \
    tests/vm/vm.sh run -r "$release" -s systemd \
    -f "$(echo "$debs/$release"/slurm-spank-gbm_*_"$arch".deb)" -- \
    tests/deb/service.sh
fi
done_testing
