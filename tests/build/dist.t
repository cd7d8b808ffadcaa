#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A release builds where there is no autoconf. GBM_DIST=whole also runs its unit
# tests; that takes as long as make check-unit.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/tree" "$tmp/bin"
tree_files | tar -cf - -T - | tar -xf - -C "$tmp/tree"
cd "$tmp/tree" || exit
unset CC MPICC

ok "make dist" make dist
name=$(basename gbm-mc-[0-9]*.tar.gz .tar.gz)
ok "the same bytes again" eval \
  'cp "$name.tar.gz" "$tmp/first" && make dist && cmp "$tmp/first" "$name.tar.gz"'
tar -xzf "$name.tar.gz" -C "$tmp"
ok "the tree's files and what autoconf makes, no other" eval \
  'diff <({ tree_files; printf "%s\n" configure config.h.in; } | sort) \
    <(cd "$tmp/$name" && find . -type f -printf "%P\n" | sort)'

# Whoever calls it, fails.
for program in autoconf autoheader autoreconf aclocal m4; do
  printf '#!/bin/sh\necho "%s was called" >&2\nexit 1\n' $program
done >"$tmp/bin/autoconf"
chmod +x "$tmp/bin/autoconf"
for program in autoheader autoreconf aclocal m4; do
  ln -s autoconf "$tmp/bin/$program"
done
PATH=$tmp/bin:$PATH
cd "$tmp/$name" || exit
ok "./configure" ./configure CFLAGS=-O1
ok "make" make -j2
ok "gbm_sim runs" eval 'build/bin/gbm_sim --paths 1e4 | grep "^estimate"'
if [ "${GBM_DIST-}" = whole ]; then
  ok "make check-unit" make -j2 check-unit
fi
ok "make distclean" make distclean
ok "leaves what was in the release" eval \
  'diff <(tar -tzf "../tree/$name.tar.gz" | sort) \
    <(cd .. && find "$name" -type f | sort)'
done_testing
