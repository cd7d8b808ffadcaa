#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A user's program builds and runs against an installed tree, beside Mesa's
# libgbm; uninstall leaves Mesa's files and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
. tests/build/common.sh

tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
dest=$tmp/dest

libdir=$(make_value libdir)
includedir=$(make_value includedir)
pkgconfigdir=$(make_value pkgconfigdir)
bindir=$(make_value bindir)
sbindir=$(make_value sbindir)
mandir=$(make_value mandir)
docdir=$(make_value docdir)
cc=$(make_value CC)
mpicc=$(make_value MPICC)
plugindir=$(make_value slurm_plugindir)

listing() {
  (cd "$dest" && find . -not -type d | sort)
}

# Mesa's files, as far as names matter: a program must not be given these.
mkdir -p "$dest$libdir" "$dest$includedir" "$dest$pkgconfigdir"
echo 'const char *gbm_strerror(int i) { return i ? "Mesa" : "Mesa"; }' \
  >"$tmp/mesa.c"
echo '#error "this is Mesa"' >"$dest$includedir/gbm.h"
ok "a stand-in for Mesa's library compiles" "$cc" -shared -fPIC \
  -Wl,-soname,libgbm.so.1 -o "$dest$libdir/libgbm.so.1" "$tmp/mesa.c"
ln -s libgbm.so.1 "$dest$libdir/libgbm.so"
printf 'Name: gbm\nDescription: Mesa\nVersion: 1\nLibs: -lgbm\n' \
  >"$dest$pkgconfigdir/gbm.pc"
listing >"$tmp/before"
(cd "$dest" && find . -type f -exec cksum {} +) | sort >"$tmp/before.sums"

ok "make install" run_make install DESTDIR="$dest"
listing >"$tmp/installed"
sed 's/^/# /' "$tmp/installed"

sums_hold() {
  (cd "$dest" && find . -type f -exec cksum {} +) | sort |
    comm -13 - "$tmp/before.sums" | diff - /dev/null
}
ok "Mesa's files are as they were" sums_hold

# is_installed FILE...
is_installed() {
  local file
  for file; do
    [ -e "$dest$file" ] || { echo "$file is missing"; return 1; }
  done
}

# Variables of a .pc file, moved into the tree.
pc() {
  PKG_CONFIG_PATH=$dest$pkgconfigdir pkg-config \
    --define-variable=libdir="$dest$libdir" \
    --define-variable=includedir="$dest$includedir" "$@"
}

# program NAME HEADER MAP: a program that takes the address of all that the map
# lists: each must be declared in a header and be in the library.
program() {
  {
    printf '#include <stdio.h>\n#include <gbm-mc/%s>\n' "$2"
    [ "$2" != gbm.h ] || for header in "$dest$includedir"/gbm-mc/*.h; do
      case $header in */mpi.h) ;; *)
        printf '#include <gbm-mc/%s>\n' "${header##*/}" ;;
      esac
    done
    echo 'typedef void (*fn)(void);'
    echo 'int main(void) {'
    echo 'volatile fn f; int n = 0;'
    map_names "$3" | sed 's/.*/f = (fn)&; n += f != 0;/'
    # shellcheck disable=SC2016,SC2028 # C
    echo 'printf("%s %d\n", gbm_strerror(GBM_VERSION_MAJOR > 99), n); }'
  } >"$tmp/$1.c"
}

# builds NAME COMPILER MODULE OPTION...
builds() {
  local flags
  flags=$(pc --cflags --libs "$3") || return
  # shellcheck disable=SC2086 # lists of words
  $2 "${@:4}" -o "$tmp/$1" "$tmp/$1.c" $flags
}

# runs NAME: and not with Mesa's library.
runs() {
  local out
  out=$(LD_LIBRARY_PATH=$dest$libdir "$tmp/$1") || return
  echo "$out"
  case $out in
  Mesa*) return 1 ;;
  esac
}

needs() {
  readelf -d "$tmp/$1" | tee /dev/stderr | grep -qF "[$2]"
}

static() {
  # Debian has no static archives of all that hwloc needs.
  # shellcheck disable=SC2046 # lists of words
  $cc $(pc --cflags gbm-mc) -o "$tmp/static" "$tmp/user.c" \
    -Wl,-Bstatic $(pc --libs gbm-mc) -Wl,-Bdynamic $(pc --libs gsl hwloc) \
    -lm $(make_value OPENMP_CFLAGS) && ! needs static libgbm-mc.so.0
}

if [ -e "$GBM_BUILD/lib/libgbm-mc.so.0" ]; then
  ok "headers, libraries and links are there" is_installed \
    "$includedir"/gbm-mc/{gbm,version}.h "$libdir"/libgbm-mc.{so.0,a} \
    "$libdir"/gbm-mc/libgbm.{so,a} "$pkgconfigdir/gbm-mc.pc"
  program user gbm.h libgbm/gbm-mc.map
  ok "pkg-config gbm-mc builds a user's program" builds user "$cc" gbm-mc
  ok "it needs libgbm-mc" needs user libgbm-mc.so.0
  ok "and not Mesa's libgbm" eval '! needs user libgbm.so.1'
  ok "it runs" runs user
  ok "it links statically, too" static
  ok "and runs" "$tmp/static"
else
  skip "a user's program" "libgbm was not built"
fi

if [ -e "$GBM_BUILD/lib/libgbm-mc-mpi.so.0" ]; then
  program user_mpi mpi.h libgbm/gbm-mc-mpi.map
  ok "pkg-config gbm-mc-mpi builds a user's program" \
    builds user_mpi "$mpicc" gbm-mc-mpi
  ok "it needs libgbm-mc-mpi" needs user_mpi libgbm-mc-mpi.so.0
  ok "it runs" runs user_mpi
else
  skip "a user's program with MPI" "libgbm_mpi was not built"
fi

no_build_path() {
  ! readelf -d "$dest$bindir/gbm_sim" | grep -E 'R(UN)?PATH' |
    grep -E "ORIGIN|$GBM_BUILD"
}
if [ -e "$GBM_BUILD/bin/gbm_sim" ]; then
  ok "gbm_sim is there" is_installed "$bindir/gbm_sim"
  ok "it does not look for libraries in the build" no_build_path
else
  skip "gbm_sim" "it was not built"
fi
if [ -e "$GBM_BUILD/plugin/spank_gbm.so" ]; then
  ok "the plugin is where Slurm looks" is_installed "$plugindir/spank_gbm.so"
else
  skip "the plugin" "it was not built"
fi

ok "what to read is there" is_installed \
  "$docdir"/{README,tutorial,faq,numerics}.md "$docdir"/examples/scaling.sbatch
ok "each function has a manual page" is_installed \
  "$mandir"/man3/{libgbm-mc,gbm_plan,gbm_run,gbm_strerror,gbm_mpi_run}.3
ok "gbm_plot and gbm-mem-log, with their manual page" is_installed \
  "$bindir"/{gbm_plot,gbm-mem-log} "$mandir"/man1/{gbm_plot,gbm-mem-log}.1
ok "they run" eval \
  '"$dest$bindir/gbm_plot" --help && "$dest$bindir/gbm-mem-log" --help'
completions=$(make_value completiondir)
ok "bash's Tab key knows them" is_installed \
  "$completions"/{gbm_sim,gbm_plot,gbm-mem-log,gbm-top,gbm-node-check}
ok "gbm-node-check and its other name are there" is_installed \
  "$sbindir"/gbm-node-{check,health}
ok "it runs" "$dest$sbindir/gbm-node-check" --help
ok "the other name is Slurm's check" eval \
  '"$dest$sbindir/gbm-node-health" --self-test 2>&1 | grep "takes too long"'

pkgdatadir=$(make_value pkgdatadir)
ok "so are the other tools" is_installed "$bindir/gbm-top" \
  "$sbindir/gbm-cluster-shutdown"
for tool in "$bindir/gbm-top" "$sbindir/gbm-cluster-shutdown" \
  "$pkgdatadir"/slurm-config/install-{node,controller}.sh; do
  ok "${tool##*/} runs" "$dest$tool" --help
done
machine() {
  mkdir -p "$tmp/machine/etc" "$tmp/machine/usr/lib/slurm" &&
    echo 127.0.0.1 localhost >"$tmp/machine/etc/hosts" &&
    : >"$tmp/machine/usr/lib/slurm/spank_gbm.so" &&
    "$dest$pkgdatadir/slurm-config/install-node.sh" --root "$tmp/machine" --yes
}
ok "install-node.sh finds its files" machine

# ldconfig WORD...: is it what make install with these ends with?
ldconfig() {
  run_make -n install "$@" 2>&1 | tail -n 2 | grep -q 'ldconfig$'
}
ok "programs find libraries that the loader has to be told of" \
  ldconfig libdir=/usr/local/lib
ok "in a place of its own it is left alone" eval \
  '! ldconfig libdir=/opt/gbm/lib'
ok "and with DESTDIR" eval '! ldconfig libdir=/usr/local/lib DESTDIR="$dest"'

ok "make uninstall" run_make uninstall DESTDIR="$dest"
ok "it leaves Mesa's files and no other" eval 'diff "$tmp/before" <(listing)'
ok "and no empty directory of ours" eval \
  '! find "$dest" -type d -name "*gbm*" | grep .'
done_testing
