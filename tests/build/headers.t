#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Each public header compiles alone, as C11 and as C++17, without a warning.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
. tests/build/common.sh

# Take the flags as the build does; MPICC is empty when there is no MPI.
flags="$(make_value GSL_CFLAGS) $(make_value MPI_CPPFLAGS)"
mpicc=$(make_value MPICC)
cc=$(make_value CC)

# compiles LANGUAGE COMPILER HEADER
compiles() {
  # shellcheck disable=SC2086 # CC and flags are lists of words
  printf '#include <gbm-mc/%s>\ntypedef int not_empty;\n' "${3##*/}" |
    $2 -x "${1%%-*}" -std="${1##*-}" -fsyntax-only -Wall -Wextra -Wpedantic \
      -Werror -Ilibgbm/include $flags -
}

if command -v c++ >/dev/null; then cxx=c++; else cxx=; fi
for header in libgbm/include/gbm-mc/*.h; do
  name=${header##*/}
  if [ "$name" = mpi.h ] && [ -z "$mpicc" ]; then
    skip "$name" "there is no MPI"
    continue
  fi
  ok "$name is C11" compiles c-c11 "$cc" "$header"
  if [ -n "$cxx" ]; then
    ok "$name is C++17" compiles c++-c++17 "$cxx" "$header"
  else
    skip "$name is C++17" "there is no C++ compiler (Debian package g++)"
  fi
done
done_testing
