#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# configure and make in a fresh copy of the tree: what they find, what they say
# when they do not, and what they rebuild.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh

tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
tree_files | tar -cf - -T - | tar -xf - -C "$tmp"
cd "$tmp" || exit
unset CC MPICC

# says TEXT COMMAND...: fails, and the text is in what it prints.
says() {
  local out
  if out=$("${@:2}" 2>&1); then
    echo "it did not fail"
    return 1
  fi
  grep -qF -- "$1" <<<"$out" || { echo "$out"; return 1; }
}

# reports TEXT COMMAND...: succeeds, and the text is in what it prints.
reports() {
  local out
  out=$("${@:2}" 2>&1) || { echo "$out"; return 1; }
  grep -qE -- "$1" <<<"$out" || { echo "$out"; return 1; }
}

quiet() {
  local out
  out=$("$@" 2>&1) || { echo "$out"; return 1; }
  ! grep -E '^ +(CC|LD|AR) ' <<<"$out"
}

ok "make help needs no configure" reports '^ +check-unit ' make help
ok "and writes nothing" test ! -e config.mk
ok "make configures a fresh tree" reports '^ +plugin ' make print-VERSION
ok "without MPI and Slurm, by choice" reports \
  'MPI +no \(--without-mpi\)' ./configure --without-mpi --without-slurm \
  --prefix="$tmp/p" --enable-werror CFLAGS=-O0
ok "what was chosen is built" reports ' -O0 .*libgbm/status.c|Nothing' \
  make V=1 -j2
ok "no plugin then" test ! -e build/plugin/spank_gbm.so
no_mpi() {
  ! ls build/lib/libgbm-mc-mpi* 2>/dev/null &&
    { [ ! -e build/bin/gbm_sim ] || ! ldd build/bin/gbm_sim | grep libmpi; }
}
ok "and no MPI in anything" no_mpi
ok "then there is nothing left to do" quiet make

if [ -e build/libgbm/status.o ]; then
  ok "a changed header is noticed" reports '-c -o build/libgbm/status.o' \
    make -n V=1 -W libgbm/include/gbm-mc/gbm.h
  one=(make BUILD=build-one build-one/libgbm/status.o)
  ok "one object" reports '^  CC +libgbm/status.c' "${one[@]}"
  ok "and not twice" quiet "${one[@]}"
  ok "a changed flag is noticed" reports '^  CC +libgbm/status' \
    "${one[@]}" CPPFLAGS=-DCHANGED
  ok "V=1 shows the commands" reports 'ffp-contract=off.* -o build-one/libgbm' \
    "${one[@]}" V=1
  ok "a sanitizer's build is apart" reports \
    'fsanitize=address,undefined .* -o build-address-undefined/libgbm/status.o' \
    make -n SANITIZE=address,undefined V=1
else
  skip "what is rebuilt" "there is no libgbm/status.c"
fi

sleep 1
touch config.mk.in
ok "make configures again when needed, as before" reports . make
ok "with what configure was told" grep -qx 'CFLAGS = -O0' config.mk
ok "make install without DESTDIR" make install
ok "make uninstall" make uninstall
ok "leaves no file" eval '! find p -not -type d 2>/dev/null | grep .'

ok "an unknown Slurm" says '--with-slurm=/nowhere: no /nowhere/include' \
  ./configure --with-slurm=/nowhere
ok "a missing library" says 'install the Debian package libgsl-dev' \
  ./configure PKG_CONFIG=false
ok "a missing compiler" says 'CC=no-such-cc was asked for' \
  ./configure CC=no-such-cc
mkdir elsewhere
ok "another directory" says 'run ./configure in the source directory' \
  sh -c 'cd elsewhere && ../configure'
rm -r elsewhere

# Slurm's versions: each release of it needs a plugin of its own.
mkdir -p slurm/include/slurm slurm/lib/slurm
echo '#define SLURM_VERSION_NUMBER 0x180b05' >slurm/include/slurm/slurm_version.h
echo >slurm/include/slurm/spank.h
ok "a Slurm elsewhere" reports \
  "for Slurm 24.11, into $tmp/slurm/lib/slurm" \
  ./configure --with-slurm="$tmp/slurm"
ok "with another plugin directory" reports 'for Slurm 24.11, into /opt/x' \
  ./configure --with-slurm="$tmp/slurm" --with-slurm-plugindir=/opt/x

# For another machine.
ok "a missing cross compiler" says \
  'install the Debian package gcc-no-such-machine' \
  ./configure --host=no-such-machine
if command -v aarch64-linux-gnu-gcc >/dev/null; then
  pi=(./configure --host=aarch64-linux-gnu)
  # This machine's own libraries are there, and must not be taken.
  ok "a cross compiler without libraries" says \
    'install the Debian package libgsl-dev' "${pi[@]}" \
    PKG_CONFIG_LIBDIR="$tmp/none"
  pi+=(GSL_LIBS=-lgsl HWLOC_LIBS=-lhwloc --without-slurm)
  ok "with libraries" reports 'gbm .* for aarch64-linux-gnu' "${pi[@]}" \
    PKG_CONFIG_LIBDIR="$tmp/none"
  ok "without those of this machine's MPI" grep -qx 'MPICC = ' config.mk
  object=build-pi/libgbm/kernel_neon.o
  ok "the other machine's kernel" reports 'CC +libgbm/kernel.c \(neon\)' \
    make BUILD=build-pi $object
  ok "is for that machine" reports 'Machine: +AArch64' readelf -h $object
else
  skip "for another machine" "needs gcc-aarch64-linux-gnu"
fi

ok "make distclean" make distclean
ok "leaves what autoconf has made" test -e configure -a -e config.h.in
ok "make maintainer-clean" make maintainer-clean
ok "leaves the files of the tree" eval \
  '! find . -maxdepth 1 -name "config.*" -not -name config.mk.in | grep . &&
    test ! -e build && test ! -e configure && test -e build-aux/install-deps.sh'
done_testing
