#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The kernels give the same bits on every instruction set, by every compiler and
# at every level of optimization.  AArch64 runs under qemu-user.
#
# golden.txt holds the hash and the GBM_STREAM_VERSION that it belongs to.  A
# change of bits is a change for every user: raise the version, then put what
# this test prints into the file.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

dir=$(mktemp -d "${TMPDIR:-/tmp}/gbm-isa.XXXXXX") || exit
trap 'rm -rf "$dir"' EXIT

print_make() { ${GBM_MAKE:-make} -s --no-print-directory "print-$1"; }
read -r version golden < <(grep -v '^#' tests/isa/golden.txt)

# same COMPILER LEVEL ISA [EMULATOR]
same() {
  local out=$dir/$1$2.$3 flags got
  flags=$(print_make "ISA_CFLAGS_$3")
  # shellcheck disable=SC2086 # flags are words
  "$1" -std=c11 -fPIC -I. -Ilibgbm/include $flags "$2" -ffp-contract=off \
    "-DGBM_KERNEL_ISA=$3" "-DGBM_VEC_HEADER=\"vec_$3.h\"" \
    "-DKERNEL=gbm_kernel_$3" ${4:+-static} \
    libgbm/kernel.c tests/isa/identity.c -o "$out" -lm || return
  got=$(${4-} "$out") || return
  [ "$got" = "$golden" ] || { echo "hash $got, not $golden"; return 1; }
}

runs_here() {
  case $1 in
  scalar) ;;
  avx2) grep -qw avx2 /proc/cpuinfo && grep -qw fma /proc/cpuinfo ;;
  avx512) grep -qw avx512dq /proc/cpuinfo ;;
  neon) [ "$(uname -m)" = aarch64 ] ;;
  esac
}

ok "golden.txt is for this GBM_STREAM_VERSION" \
  grep -qx "#define GBM_STREAM_VERSION $version" \
  libgbm/include/gbm-mc/gbm.h

isas=$(print_make ISAS)
for compiler in gcc clang; do
  for isa in $isas; do
    for level in -O1 -O2 -O3; do
      name="$isa, $compiler $level"
      if ! command -v $compiler >/dev/null; then
        [ $compiler = clang ] || skip "$name" "there is no $compiler"
      elif ! runs_here "$isa"; then
        # No failure of ours, and no other machine can be had here.
        echo "# not run: $name: this CPU lacks it"
      else
        ok "$name" same $compiler $level "$isa"
      fi
    done
  done
done

cross=aarch64-linux-gnu-gcc
for isa in scalar neon; do
  name="$isa on AArch64, gcc -O2"
  if [ "$(uname -m)" = aarch64 ]; then
    echo "# not run: $name: this machine is one"
  elif command -v $cross >/dev/null && command -v qemu-aarch64 >/dev/null; then
    ok "$name" same $cross -O2 "$isa" qemu-aarch64
  else
    skip "$name" "needs gcc-aarch64-linux-gnu and qemu-user"
  fi
done
done_testing
