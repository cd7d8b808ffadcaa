#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Debian packages of this tree: for this machine, by its own tools; or for one of
# Debian's releases, in a tree of that release, by a cross compiler if it is for
# another architecture. And clean trees in which packages can be tried.

set -u -o pipefail
self=$(readlink -f "$0")
top=$(readlink -f "${self%/*}/..")
# shellcheck source=tests/vm/image.sh
. "$top/tests/vm/image.sh"
# shellcheck source=tests/tap.sh
. "$top/tests/tap.sh"

usage() {
  cat <<END
usage: deb.sh build [RELEASE [ARCHITECTURE]]
       deb.sh try RELEASE ARCHITECTURE COMMAND [ARGUMENT...]

build   builds the packages, has lintian look at them, and prints their names.
        RELEASE is bookworm or trixie, and needs root: the packages are built
        in a tree of that release. Without it they are for this machine, with
        what is installed here. ARCHITECTURE is Debian's name: amd64, arm64.
try     runs COMMAND as root in a clean tree of RELEASE, in which it finds this
        source tree and TMPDIR where they are; whatever it writes elsewhere is
        gone afterwards.

GBM_BUILD      the packages go to GBM_BUILD/deb/RELEASE (default: $top/build)
GBM_VM_CACHE   where the trees are kept (default: ~/.cache/gbm-mc/vm)
DEB_BUILD_OPTIONS   Debian's: nocheck runs no tests, parallel=1 one compiler
END
}

clean=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/tmp
  "DEB_BUILD_OPTIONS=${DEB_BUILD_OPTIONS-}")
machine=$(dpkg --print-architecture 2>/dev/null)

# What shapes a tree: the functions from here to tree_key.

# bootstrap ROOT RELEASE OPTION...: Debian's archive is that of this machine.
bootstrap() {
  local uri
  uri=$(mirror)
  [ -n "$uri" ] || {
    echo "apt knows no archive of Debian here: type: apt-get update"
    return 1
  }
  mmdebstrap --quiet --mode=root --dpkgopt=force-unsafe-io \
    --skip=cleanup/apt "${@:3}" "$2" "$1" "deb $uri $2 main"
}

# workshop RELEASE ARCHITECTURE DIRECTORY: with all that building for it takes.
workshop() {
  # shellcheck disable=SC2054 # a comma in an argument
  local options=(--variant=buildd --include=debhelper,lintian) profiles=''
  if [ "$2" != "$machine" ]; then
    options+=("--architectures=$machine,$2")
    options+=("--include=crossbuild-essential-$2")
    profiles=cross,nocheck
  fi
  # sh -c has the root as $1.
  bootstrap "$3/root" "$1" "${options[@]}" \
    --customize-hook="mkdir -p \"\$1/tmp/gbm-mc/debian\"" \
    --customize-hook="copy-in '$top/debian/control' /tmp/gbm-mc/debian" \
    --customize-hook="chroot \"\$1\" apt-get -q -y --no-install-recommends \
      ${profiles:+-P $profiles} -a $2 build-dep /tmp/gbm-mc" \
    --customize-hook='rm -r "$1/tmp/gbm-mc"; chroot "$1" apt-get clean' \
    >"$3/log" 2>&1
}

# bare RELEASE ARCHITECTURE DIRECTORY: no more than apt.
bare() {
  (
    [ "$2" = "$machine" ] || emulate || exit
    bootstrap "$3/root" "$1" --variant=apt --architectures="$2"
  ) >"$3/log" 2>&1
}

tree_key() {
  {
    declare -f bootstrap "$1"
    [ "$1" != workshop ] || sed -n '/^Build-Depends/,/^[A-Z]/p' "$top/debian/control"
  } | sha256sum | cut -c1-16
}

# tree KIND RELEASE ARCHITECTURE: prints the directory of it.
tree() {
  local dir
  case $2 in
  bookworm | trixie) ;;
  *) die $EX_USAGE "'$2': the releases are bookworm and trixie" ;;
  esac
  case $3 in
  amd64 | arm64) ;;
  *) die $EX_USAGE "'$3': the architectures are amd64 and arm64" ;;
  esac
  # For need: only a bare tree's own programs run.
  foreign=no
  [ "$1" = workshop ] || [ "$3" = "$machine" ] || foreign=yes
  dir=$cache/deb-$1-$2-$3-$(tree_key "$1")
  if ! [ -e "$dir" ]; then
    need mmdebstrap flock
    [ $foreign = no ] || need qemu-aarch64-static arch-test
    (cached "$dir" "a tree of $2 for $3" "$1" "$2" "$3") || exit
  fi
  printf '%s\n' "$dir"
}

# here SOURCES ARCHITECTURE: packages of SOURCES, beside it.
here() {
  local version date options=(-us -uc) log=$1/../log
  cd "$1" || return
  # Each release has another Slurm: an upgrade from one to the other must find a
  # higher version.
  version=$(dpkg-parsechangelog -S Version) &&
    date=$(dpkg-parsechangelog -S Timestamp) &&
    date=$(date -R -u -d "@$((date + 1))") || return
  {
    . /etc/os-release
    printf 'gbm-mc (%s+deb%s) %s; urgency=medium\n\n' \
      "$version" "${VERSION_ID:-0}" "${VERSION_CODENAME:-unstable}"
    printf '  * Built for %s.\n\n -- %s  %s\n\n' "$PRETTY_NAME" \
      "$(dpkg-parsechangelog -S Maintainer)" "$date"
    cat debian/changelog
  } >../changelog && mv ../changelog debian/changelog || return
  if [ "$2" != "$machine" ]; then
    options+=(-b "-a$2" '-Pcross,nocheck')
    export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:+$DEB_BUILD_OPTIONS }nocheck"
  fi
  dpkg-buildpackage "${options[@]}" >"$log" 2>&1 || {
    grep -q 'Unmet build' "$log" || tail -n 25 "$log" >&2
    sed -n 's/^dpkg-checkbuilddeps: error: //p' "$log" >&2
    return 1
  }
  command -v lintian >/dev/null ||
    die $EX_UNAVAILABLE "lintian is missing; type: build-aux/install-deps.sh deb"
  lintian --allow-root --tag-display-limit 0 --fail-on error,warning \
    ../gbm-mc_*.changes >&2
}

# build [RELEASE [ARCHITECTURE]]
build() {
  local release=${1-} arch=${2:-$machine} dir='' out work file status=0
  [ -n "$machine" ] ||
    die $EX_UNAVAILABLE "this is no Debian: there is no dpkg (make install works)"
  if [ -n "$release" ]; then
    dir=$(tree workshop "$release" "$arch") || exit
  else
    release=$(. /etc/os-release && echo "${VERSION_CODENAME:-unnamed}")
    command -v dpkg-buildpackage dh >/dev/null ||
      die $EX_UNAVAILABLE "debhelper is missing; type: build-aux/install-deps.sh deb"
  fi
  out=${GBM_BUILD:-$top/build}/deb/$release
  { mkdir -p "$out" && work=$(mktemp -d "$out/new.XXXXXX"); } ||
    die $EX_UNAVAILABLE "cannot make $out"
  # shellcheck disable=SC2064 # the value of now
  trap "rm -rf '$work'" EXIT
  trap 'exit 143' HUP INT TERM
  { mkdir "$work/gbm-mc" && (cd "$top" && tree_files) |
    tar -C "$top" --files-from=- -cf - | tar -C "$work/gbm-mc" -xf -; } ||
    die $EX_UNAVAILABLE "cannot copy the sources to $work"
  echo "${0##*/}: building packages of $release for $arch" >&2
  ${dir:+"$top/tests/vm/enter.sh" "$dir"} "${clean[@]}" "$self" --here \
    "$work/gbm-mc" "$arch" </dev/null || status=$?
  [ ! -e "$work/log" ] || mv "$work/log" "$out/log-$arch"
  [ $status = 0 ] ||
    die 1 "no packages of $release for $arch; see $out/log-$arch"
  rm -f "$out"/*_"$arch".*
  # A cross build has no source package, and leaves that of another.
  [ "$arch" != "$machine" ] || rm -f "$out/gbm-mc"_*.{dsc,tar.xz}
  for file in "$work"/*_*; do
    mv "$file" "$out" || exit
    [[ $file != *.deb ]] || printf '%s\n' "$out/${file##*/}"
  done
}

cache=$(cache_directory)
case ${1-} in
build) build "${@:2}" ;;
try)
  [ $# -ge 4 ] || die $EX_USAGE "no command given; see: deb.sh --help"
  dir=$(tree bare "$2" "$3") || exit
  [ "$3" = "$machine" ] || emulate || die $EX_UNAVAILABLE "no emulation of $3"
  "$top/tests/vm/enter.sh" "$dir" "${@:4}"
  ;;
--here) here "${@:2}" ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit $EX_USAGE
  ;;
esac
