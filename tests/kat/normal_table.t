#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The tables of the normal sampler are what their generator writes, to the byte.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

# It computes in _Float128, which clang 14 has no functions for.
command -v gcc >/dev/null || skip_all "gcc is not installed"
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT

ok "the generator compiles" \
  gcc -std=gnu11 -O2 -o "$tmp/gen" build-aux/gen-normal-table.c -lm
ok "and runs" sh -c "'$tmp/gen' >'$tmp/normal_table.h'"
ok "and writes libgbm/normal_table.h" \
  cmp "$tmp/normal_table.h" libgbm/normal_table.h
done_testing
