#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The kernels give the same bits on every instruction set, by every compiler and
# at every level of optimization.  AArch64 runs under qemu-user.
#
# golden.txt holds the GBM_STREAM_VERSION and its two hashes, of the kernels and
# of the public calls.  A change of bits is a change for every user: raise the
# version, then put what this test prints into the file.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

dir=$(mktemp -d "${TMPDIR:-/tmp}/gbm-isa.XXXXXX") || exit
trap 'rm -rf "$dir"' EXIT

print_make() { ${GBM_MAKE:-make} -s --no-print-directory "print-$1"; }
read -r version golden < <(grep -v '^#' tests/isa/golden.txt)

# Without MPI, and what needs GSL or hwloc: other machines' compilers have not.
parts=()
for file in libgbm/*.c; do
  case $file in
  libgbm/mpi*.c | libgbm/kernel.c | libgbm/closed.c | libgbm/gsl.c | \
    libgbm/topo.c) ;;
  *) parts+=("$file") ;;
  esac
done

# build PROGRAM LEVEL ISAS COMPILER...: all kernels side by side, since each takes
# a compiler several seconds.
build() {
  local program=$1 level=$2 isas=$3 isa flags kernels=() pids=() pid status=0
  local compile=("${@:4}" "-std=c11" -fPIC -I. -Ilibgbm/include
    "-ffp-contract=off")
  for isa in $isas; do
    flags=$(print_make "ISA_CFLAGS_$isa")
    [[ $4 == *clang* ]] || flags+=" $(print_make "ISA_GCC_CFLAGS_$isa")"
    # shellcheck disable=SC2086 # flags are words
    "${compile[@]}" $flags "$level" "-DGBM_KERNEL_ISA=$isa" \
      "-DGBM_VEC_HEADER=\"vec_$isa.h\"" -c libgbm/kernel.c \
      -o "$program.$isa.o" &
    pids+=($!)
    kernels+=("$program.$isa.o")
  done
  for pid in "${pids[@]}"; do
    wait "$pid" || status=$?
  done
  [ "$status" -eq 0 ] || return
  "${compile[@]}" "$level" "${parts[@]}" tests/isa/*.c "${kernels[@]}" \
    -o "$program" -lm
}

# same PROGRAM ISA [EMULATOR]
same() {
  local got
  got=$(GBM_ISA=$2 ${3-} "$1") || return
  [ "$got" = "$golden" ] || { echo "hashes $got, not $golden"; return 1; }
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
  # With threads where the compiler is sure to have them.
  threads=()
  [ $compiler = clang ] || threads=(-fopenmp)
  for level in -O1 -O2 -O3; do
    name="$compiler $level"
    program=$dir/$compiler$level
    if ! command -v $compiler >/dev/null; then
      [ $compiler = clang ] || skip "$name" "there is no $compiler"
      continue
    fi
    ok "$name compiles" build "$program" $level "$isas" $compiler \
      "${threads[@]}"
    for isa in $isas; do
      if runs_here "$isa"; then
        ok "$isa, $name" same "$program" "$isa"
      else
        # No failure of ours, and no other machine can be had here.
        echo "# not run: $isa, $name: this CPU lacks it"
      fi
    done
  done
done

# On AArch64: COMPILER...
aarch64() {
  local program=$dir/aarch64-$1 name="$1 for AArch64" isa level
  if [ "$(uname -m)" = aarch64 ]; then
    echo "# not run: $name: this machine is one"
  elif ! command -v "$1" >/dev/null; then
    [ "$1" = clang ] || skip "$name" "there is no $1"
  elif ! command -v aarch64-linux-gnu-gcc >/dev/null ||
    ! command -v qemu-aarch64 >/dev/null; then
    skip "$name" "needs gcc-aarch64-linux-gnu and qemu-user"
  else
    for level in -O1 -O2 -O3; do
      ok "$name $level compiles" build "$program" $level "scalar neon" "$@" \
        -static
      for isa in scalar neon; do
        ok "$isa, $name $level" same "$program" $isa qemu-aarch64
      done
    done
  fi
}
aarch64 aarch64-linux-gnu-gcc
aarch64 clang --target=aarch64-linux-gnu
done_testing
