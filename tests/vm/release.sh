#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# This tree with another Slurm: compiled for one of Debian's releases, and run
# in that release's own tree, on this machine's kernel and its cgroups; or
# compiled for another architecture.

set -u -o pipefail
self=$(readlink -f "$0")
top=$(readlink -f "${self%/*}/../..")
# shellcheck source=tests/vm/image.sh
. "$top/tests/vm/image.sh"
# shellcheck source=tests/tap.sh
. "$top/tests/tap.sh"

usage() {
  cat <<END
usage: release.sh build RELEASE
       release.sh run RELEASE -- COMMAND [ARGUMENT...]

build   compiles this tree for RELEASE, if it has changed since, and prints the
        directory with the programs and the plugin
run     the same, then runs COMMAND as root in RELEASE's tree. It finds this
        source tree and TMPDIR where they are, and what was compiled by
        GBM_BUILD; whatever it writes elsewhere is gone afterwards.

RELEASE is Debian's: bookworm (Slurm 22.05) or trixie (24.11). That of this
machine itself needs no tree: COMMAND runs here, with what make has built.
RELEASE-arm64 is for a Raspberry Pi, and only compiled, by a cross compiler;
RELEASE-arm64-16k is the same.

GBM_VM_CACHE   as for vm.sh: the tree is that of its image
GBM_BUILD      for this machine's release: where the programs and the plugin
               are (default: $top/build)
END
}

# enter IMAGE COMMAND...: becomes COMMAND, with the tree of IMAGE for a root.
enter() {
  exec "$top/tests/vm/enter.sh" "$@"
}

# refresh COPY: makes it the sources of this tree, with their times, by which
# make knows what has changed. What configure and make have written there stays.
refresh() {
  find "$1" -mindepth 1 -maxdepth 1 ! -name 'config*' ! -name 'build*' \
    ! -name lock -exec rm -rf {} + &&
    (cd "$top" && tree_files) | tar -C "$top" --files-from=- -cf - |
    tar -C "$1" -xf -
}

# compile IMAGE COPY
compile() {
  local clean=(env -i PATH=/usr/sbin:/usr/bin LANG=C.UTF-8 HOME=/root)
  local make=("${clean[@]}" make -C "$2" "-j$(nproc)")
  # The cross compiler's libc may be older than the one in the image.
  local cc="aarch64-linux-gnu-gcc --sysroot=$1/root -Wl,--allow-shlib-undefined"
  [ "$foreign" = yes ] || enter "$1" "${make[@]}" all test-programs
  grep -qsxF "CC = $cc" "$2/config.mk" ||
    { "${make[@]}" configure && cd "$2" &&
      "${clean[@]}" ./configure --host=aarch64-linux-gnu CC="$cc"; } || return
  exec "${make[@]}" all test-programs
}

# build IMAGE: prints the directory of what was compiled.
build() {
  local build=${GBM_BUILD:-$top/build} copy=$top/build-$name
  if [ "$native" = no ]; then
    build=$copy/build
    [ "$foreign" = no ] || need aarch64-linux-gnu-gcc pkg-config autoconf
    mkdir -p "$copy" || die $EX_UNAVAILABLE "cannot make $copy"
    exec {lock}>"$copy/lock"
    flock $lock
    refresh "$copy" || die $EX_UNAVAILABLE "cannot copy the sources to $copy"
    [ -d "$build" ] || echo "release.sh: compiling for $name" >&2
    (compile "$1" "$copy") </dev/null >"$copy/log" 2>&1 {lock}>&- || {
      tail -n 15 "$copy/log" >&2
      die $EX_UNAVAILABLE "cannot compile for $name; see $copy/log"
    }
    exec {lock}>&-
  fi
  [ -r "$build/plugin/spank_gbm.so" ] ||
    die $EX_UNAVAILABLE "$build/plugin/spank_gbm.so is missing; type: make"
  printf '%s\n' "$build"
}

case ${1-} in
build | run)
  what=$1
  recipe "${2-}"
  dir=
  if [ "$native" = no ]; then
    [ "$(id -u)" = 0 ] ||
      die $EX_UNAVAILABLE "the tree of $name needs root; try: sudo $self"
    dir=$(image) || exit
  fi
  GBM_BUILD=$(build "$dir") || exit
  if [ "$what" = build ]; then
    printf '%s\n' "$GBM_BUILD"
    exit
  fi
  shift 2
  [ "${1-}" != -- ] || shift
  [ $# -gt 0 ] || die $EX_USAGE "no command given; see: release.sh --help"
  export GBM_BUILD
  [ "$native" = no ] || exec "$@"
  [ "$foreign" = no ] ||
    die $EX_UNAVAILABLE "programs of $arch run in machines only: see vm.sh"
  enter "$dir" "$@"
  ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit $EX_USAGE
  ;;
esac
