#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What tests/deb/packages.sh has done in a clean tree of Debian, by
# `deb.sh try`:
#
#   inside.sh DIRECTORY WHAT [ARGUMENT...]
#
# DIRECTORY has the packages in new/, the same with a lower version in old/, each
# with an index, and archives/ for what apt gets. WHAT is a function from below;
# the first command that fails ends it.
set -eu -o pipefail
cd "$(dirname "$0")/../.."

repository=$1
shift
ours='gbm-mc-tools libgbm-mc0 libgbm-mc-dev libgbm-mc-mpi0 slurm-spank-gbm'
snippet=/etc/slurm/plugstack.conf.d/gbm.conf
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

complain() {
  echo "$*" >&2
  exit 1
}

# set_up: no daemons, and apt as anybody's.
set_up() {
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  cat >/etc/apt/apt.conf.d/99gbm <<END
Dir::Cache::Archives "$repository/archives/";
APT::Sandbox::User "root";
APT::Install-Recommends "no";
APT::Update::Error-Mode "any";
Acquire::Retries "3";
Dpkg::Use-Pty "0";
END
  mkdir -p "$repository/archives/partial"
}

# from old|new: where our packages come from. apt reads the lists of Debian's and
# of ours once for all trees, since reading them takes some 8 s of CPU time, emulated.
# The lists and what apt makes of them, which is good only for sources that are not
# newer, are beside the packages.
from() {
  local dir=$repository/apt-$1
  cat >/etc/apt/apt.conf.d/99gbm-from <<END
Dir::Etc::SourceParts "$dir/";
Dir::State::Lists "$dir/lists/";
Dir::Cache::srcpkgcache "$dir/srcpkgcache.bin";
END
  [ ! -e "$dir/done" ] || return 0
  rm -rf "$dir"
  mkdir "$dir"
  cp -a /var/lib/apt/lists "$dir"
  echo "deb [trusted=yes] file:$repository/$1 ./" >"$dir/gbm.list"
  apt update
  touch "$dir/done"
}

# apt ARGUMENT...: what it says matters when it fails.
apt() {
  local out
  out=$(apt-get -q -y "$@" 2>&1) || complain "apt-get $*: $out"
}

# state PACKAGE: as dpkg has it.
state() {
  dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || echo unknown
}

# installed: those of our packages that are.
installed() {
  local package
  for package in $ours; do
    [ "$(state "$package")" != installed ] || echo "$package"
  done
}

# has_version old|new PACKAGE: it does, and with it all of ours.
has_version() {
  local package version file
  [ "$(state "$2")" = installed ] || complain "$2 is $(state "$2")"
  for package in $(installed); do
    version=$(dpkg-query -W -f '${Version}' "$package")
    case $1$version in
    old0.0.9* | new0.[1-9]*) ;;
    *) complain "$package is $version, and should be $1" ;;
    esac
    if [ -e "/usr/share/doc/$package/old" ]; then file=old; else file=new; fi
    [ $file = "$1" ] || complain "$package has the files of its $file version"
  done
  [ -z "$(dpkg --audit)" ] || complain "$(dpkg --audit)"
}

# everything: the files of the system, without those of apt and dpkg, and without
# what the linker, man and Python write for themselves.
everything() {
  find / -xdev \( -path "$PWD" -o -path "${TMPDIR:-/tmp}" -o -path /proc -o \
    -path /sys -o -path /dev -o -path /var/lib/dpkg -o -path /var/lib/apt -o \
    -path /var/cache -o -path /var/log -o -path /tmp -o -path /etc/apt \) -prune \
    -o -print | sort
}

named_as_ours() {
  everything | grep -i gbm || echo none
}

# upgrade [OPTION...]: ours, and nothing else.
upgrade() {
  # shellcheck disable=SC2046 # a list of words
  apt "$@" install --only-upgrade $(installed)
}

# purge: what they had is gone, but for directories that others have, too.
purge() {
  local packages files file left=''
  packages=$(installed)
  # shellcheck disable=SC2086 # a list of words
  files=$(dpkg-query -L $packages | grep -vx /. | sort -u)
  # shellcheck disable=SC2086
  apt purge $packages
  while read -r file; do
    if [ -e "$file" ] || [ -L "$file" ]; then
      dpkg-query -S "$file" >/dev/null 2>&1 || left+=" $file"
    fi
  done <<<"$files"
  [ -z "$left" ] || complain "left:$left"
}

# gone: nothing of ours is left, nor a word of it in dpkg's notes. $known has what
# is named alike and is not ours.
gone() {
  local package files
  for package in $ours; do
    case $(state "$package") in
    unknown | not-installed) ;;
    *) complain "$package is still $(state "$package")" ;;
    esac
  done
  files=$(named_as_ours | grep -vxF "$known" || true)
  [ -z "$files" ] || complain "left: $files"
}

# works PACKAGE: as far as it can be told without a cluster.
works() {
  local libraries
  case $1 in
  libgbm-mc0 | libgbm-mc-mpi0)
    ldconfig -p | grep -F "${1%0}.so.0"
    libraries=$(ldd /usr/lib/*/"${1%0}.so.0")
    if grep 'not found' <<<"$libraries"; then exit 1; fi
    ;;
  libgbm-mc-dev)
    apt install gbm-mc-tools gcc libc6-dev pkgconf
    debian/tests/compile
    ;;
  gbm-mc-tools)
    debian/tests/gbm-sim
    gbm-node-check --help >/dev/null
    # The same bits as where this tree was built, whatever the machine.
    gbm_sim --paths 1e5 --quantiles 0.05 --json |
      grep -oE '"(estimate|std_error|value)": *[^,}]*' |
      diff "$repository/expected" -
    ;;
  slurm-spank-gbm)
    apt install slurm-client
    debian/tests/plugin
    ;;
  esac
}

# cycle PACKAGE: it is installed, upgraded and purged.
cycle() {
  local before
  from old
  apt install "$1"
  has_version old "$1"
  works "$1"
  purge
  gone
  before=$(everything)

  apt install "$1"
  from new
  upgrade
  has_version new "$1"
  works "$1"
  # shellcheck disable=SC2046 # a list of words
  dpkg --verify $(installed) | grep . && complain "files are not as packed"
  purge
  gone
  diff <(echo "$before") <(everything)
}

# mesa: beside Mesa's package of nearly the same name.
mesa() {
  from new
  apt install libgbm-dev
  known=$(named_as_ours)
  md5sum /usr/lib/*/libgbm.so* /usr/include/gbm.h >"$repository/mesa.sums"
  apt install libgbm-mc-dev
  works libgbm-mc-dev
  md5sum -c "$repository/mesa.sums"
  printf '#include <gbm.h>\n%s\n' \
    'int main(void) { return gbm_create_device(-1) != 0; }' >"$repository/mesa.c"
  # shellcheck disable=SC2046 # a list of words
  cc -o "$repository/mesa" "$repository/mesa.c" $(pkg-config --cflags --libs gbm)
  ldd "$repository/mesa" | grep -F libgbm.so.1
  if ldd "$repository/mesa" | grep -F -e libgbm-mc -e 'not found'; then exit 1; fi
  "$repository/mesa"
  rm "$repository"/mesa*
  purge
  gone
}

# settings: what the administrator wrote survives all but a purge; and Slurm runs
# jobs on without the plugin.
settings() {
  local out
  from old
  apt install slurm-client slurm-spank-gbm
  echo 'required spank_gbm.so max_cap=1500M' >$snippet
  from new
  upgrade -o Dpkg::Options::=--force-confold
  grep -q max_cap=1500M $snippet || complain "an upgrade lost the settings"
  apt remove slurm-spank-gbm
  [ ! -e $snippet ] || complain "$snippet requires a plugin that is gone"
  grep -q max_cap=1500M $snippet.removed
  printf '%s\n' ClusterName=gbm SlurmctldHost=localhost NodeName=localhost \
    PartitionName=all\ Nodes=ALL >/etc/slurm/slurm.conf
  if ! out=$(srun --help 2>&1) || ! grep -q -e --mem= <<<"$out"; then
    complain "srun does not run without the plugin: $out"
  fi
  if grep -i -e --gbm -e error: -e plugstack <<<"$out"; then
    complain "srun has words of a plugin that is gone"
  fi
  apt -o Dpkg::Options::=--force-confold install slurm-spank-gbm
  grep -q max_cap=1500M $snippet || complain "a new installation lost the settings"
  works slurm-spank-gbm
  apt remove slurm-spank-gbm
  apt purge slurm-spank-gbm
  gone
}

# mismatch PACKAGE RELEASE: of the plugin, for another Slurm than this one.
mismatch() {
  local out
  from new
  apt install slurm-client
  if out=$(apt-get -y install "$1" 2>&1); then
    complain "apt installed $1 beside another Slurm: $out"
  fi
  grep -E 'slurm-spank-gbm : Depends: slurm-wlm-basic-plugins \((<|>)' <<<"$out" ||
    complain "apt does not say why: $out"
  if out=$(dpkg -i "$1" 2>&1); then
    complain "dpkg installed $1 beside another Slurm: $out"
  fi
  echo "$out"
  grep -E "^slurm-spank-gbm: this package is for Slurm $2, and Slurm [0-9.]+ is" \
    <<<"$out" || complain "dpkg does not say why: $out"
  gone
  # The right one by dpkg alone.
  dpkg -i "$repository"/new/slurm-spank-gbm_*.deb
  works slurm-spank-gbm
}

set_up
known=$(named_as_ours)
"$@"
