#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Installs the Debian packages that are missing to build, try and test gbm:
#
#   build-aux/install-deps.sh [--list | --each] GROUP...
#
# GROUP is any of the groups in the table below.  --list only says what is
# missing, and fails if anything is; where there is no apt that is all that can be
# done, and what is missing is found by looking for the programs and libraries
# themselves.  --each installs one package after the other and does not stop at
# one that cannot be had, but fails in the end.
#
# Debian starts the daemons of a package when it is installed.  Not here: a
# private cluster starts its own, and a machine on which somebody tries gbm is
# not thereby a Slurm node.
set -eu

# package | group | how to see it without dpkg | purpose
# cmd: a program; pc: a pkg-config module; file: a path
packages() {
  sed 's/ *| */|/g' <<'EOF'
gcc                     | build | cmd:cc               | C compiler
libc6-dev               | build | file:/usr/include/stdio.h | headers of the C library
make                    | build | cmd:make             | runs the Makefile
autoconf                | build | cmd:autoconf         | makes configure
pkg-config              | build | cmd:pkg-config       | finds GSL, hwloc and Check
libgsl-dev              | build | pc:gsl               | GNU Scientific Library
libhwloc-dev            | build | pc:hwloc             | caches, cores and NUMA nodes
libopenmpi-dev          | mpi   | cmd:mpicc            | MPI to build libgbm_mpi and gbm_sim
openmpi-bin             | mpi   | cmd:mpirun           | starts MPI programs
libslurm-dev            | slurm | file:/usr/include/slurm/spank.h | to build the plugin
slurmctld               | slurm | cmd:slurmctld        | controller of the private cluster
slurmd                  | slurm | cmd:slurmd           | its nodes
slurm-client            | slurm | cmd:srun             | srun, sbatch, salloc, scontrol
slurm-wlm-basic-plugins | slurm | cmd:srun             | Slurm's own plugins, mpi/pmix too
libpmix-dev             | slurm | pc:pmix              | the libpmix.so that mpi/pmix loads
munge                   | slurm | cmd:munged           | authentication inside the cluster
mount                   | slurm | cmd:mount            | file systems of the private cluster
iproute2                | slurm | cmd:ip               | network set-up of the private cluster
procps                  | slurm | cmd:ps               | ps and pgrep for its scripts
check                   | test  | pc:check             | unit tests
perl                    | test  | cmd:prove            | prove, which runs all tests
g++                     | test  | cmd:c++              | are the headers good C++, too?
shellcheck              | test  | cmd:shellcheck       | lint for shell scripts
systemd                 | test  | cmd:systemd-analyze  | knows what its own files may have
python3-numpy           | test  | file:/usr/lib/python3/dist-packages/numpy | reads samples on disk
mandoc                  | test  | cmd:mandoc           | lint for the manual page
gnuplot-nox             | test  | cmd:gnuplot          | draws the pictures of gbm_plot
jq                      | test  | cmd:jq               | reads what gbm-node-health writes
gcc-aarch64-linux-gnu   | cross | cmd:aarch64-linux-gnu-gcc | the kernels for the Pi
libc6-dev-arm64-cross   | cross | file:/usr/aarch64-linux-gnu/include/stdio.h | the same
qemu-user               | cross | cmd:qemu-aarch64     | runs them on other machines
mmdebstrap              | trees | cmd:mmdebstrap       | trees of Debian's releases
mmdebstrap              | vm    | cmd:mmdebstrap       | what is in the machines
e2fsprogs               | vm    | cmd:mkfs.ext4        | their disks
qemu-system-x86         | vm    | cmd:qemu-system-x86_64 | runs them
qemu-system-arm         | pi    | cmd:qemu-system-aarch64 | runs an emulated Pi
qemu-user-static        | pi    | cmd:qemu-aarch64-static | sets its packages up
arch-test               | pi    | cmd:arch-test        | knows whether that works
build-essential         | deb   | cmd:dpkg-buildpackage | what every Debian package is built with
debhelper               | deb   | cmd:dh               | builds ours
lintian                 | deb   | cmd:lintian          | finds faults in them
pkgconf                 | deb   | cmd:pkgconf          | as they ask for it
check                   | deb   | pc:check             | their unit tests
libslurm-dev            | deb   | file:/usr/include/slurm/spank.h | the plugin in them
clang                   | clang | cmd:clang            | the second compiler
libclang-rt-14-dev      | clang | cmd:clang            | its sanitizers, and libFuzzer
libomp-dev              | clang | file:/usr/lib/llvm-14/lib/libomp.so | its OpenMP
clang-format            | style | cmd:git-clang-format | make style
git                     | style | cmd:git              | make style
util-linux              | bench | cmd:taskset          | holds the benchmark on one core
g++                     | bench | cmd:c++              | compiles the peers in C++
libboost-dev            | bench | file:/usr/include/boost/random.hpp | Boost.Random
python3-numpy           | bench | file:/usr/lib/python3/dist-packages/numpy | NumPy
libquantlib0-dev        | bench | file:/usr/include/ql/quantlib.hpp | QuantLib
librandom123-dev        | bench | file:/usr/include/Random123/philox.h | Random123
libsleef-dev            | bench | pc:sleef             | SLEEF
gnuplot-nox             | bench | cmd:gnuplot          | draws the benchmark
dieharder               | long  | cmd:dieharder        | tests of random numbers
libdieharder-dev        | long  | file:/usr/include/dieharder/Dtest.h | the same, as a library
perl                    | long  | cmd:prove            | prove, which runs all tests
EOF
}

die() {
  echo "install-deps: $*" >&2
  exit 1
}

have_apt() {
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null
}

# is_there PACKAGE PROBE
is_there() {
  if have_apt; then
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
    return
  fi
  case $2 in
  cmd:*) command -v "${2#cmd:}" >/dev/null ;;
  pc:*) pkg-config --exists "${2#pc:}" 2>/dev/null ;;
  file:*) [ -e "${2#file:}" ] ;;
  esac
}

list_only=no
each=no
case ${1-} in
--list) list_only=yes; shift ;;
--each) each=yes; shift ;;
esac
groups="build mpi slurm test cross trees vm pi deb clang style bench long"
[ $# -gt 0 ] || die "name at least one group: $groups"
for group; do
  packages | grep -q "|$group|" ||
    die "there is no group '$group': $groups"
done

missing=
while IFS='|' read -r package group probe purpose; do
  for wanted; do
    if [ "$group" = "$wanted" ] && ! is_there "$package" "$probe"; then
      [ -n "$missing" ] || echo "Missing Debian packages:"
      missing="$missing $package"
      printf '  %-24s %s\n' "$package" "$purpose"
    fi
  done
done <<EOF
$(packages)
EOF

[ -n "$missing" ] || exit 0
[ "$list_only" = no ] || exit 1
have_apt || die "no apt-get here: please install what these packages hold" \
  "by this system's own means"

as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null ||
    die "not root, and there is no sudo: as root, run apt-get install$missing"
  as_root=sudo
fi

# One at a time on this machine, since the policy file below has one place.
exec 9</etc/os-release
flock 9

# invoke-rc.d and systemd's helper ask this program before they start a daemon;
# 101 is "not allowed".  An administrator's own one stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  trap '$as_root rm -f $policy' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\n# Temporary, by install-deps.sh of gbm.\nexit 101\n' |
    $as_root tee $policy >/dev/null
  $as_root chmod 755 $policy
fi

echo "Installing them with ${as_root:+$as_root }apt-get" \
  "(no daemon is started now)."
install_packages() {
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
    -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "$@"
}

failed=
if [ $each = no ]; then
  $as_root apt-get -qq update
  # shellcheck disable=SC2086 # a list of names
  install_packages $missing
else
  $as_root apt-get -qq update || echo "install-deps: apt-get update failed" >&2
  for package in $missing; do
    install_packages "$package" || failed="$failed $package"
  done
fi

# configure has looked before these were there: make runs it again.
rm -f "$(dirname "$0")/../config.mk"

[ -z "$failed" ] || die "could not be installed:$failed"
