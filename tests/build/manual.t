#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The manual pages of the libraries: each function has its prototype there, and
# each example compiles and runs.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
. tests/build/common.sh

cc=$(make_value CC)
mpicc=$(make_value MPICC)
top=$PWD
lib=$GBM_BUILD/lib
tmp=$(mktemp -d) || exit
trap 'rm -rf "$tmp"' EXIT
[ -e "$lib/libgbm-mc.so.0" ] || skip_all "libgbm was not built"

warnings=(-std=c11 -Wall -Wextra -Wpedantic -Werror -I "$top/libgbm/include")
linked=(-L "$lib/gbm-mc" "-Wl,-rpath,$lib" "-Wl,-rpath-link,$lib")
maps=(libgbm/gbm-mc.map)
pages=(docs/*.3)
if [ -n "$mpicc" ]; then
  maps+=(libgbm/gbm-mc-mpi.map)
else
  mapfile -t pages < <(printf '%s\n' "${pages[@]}" | grep -v mpi)
fi

# prototypes PAGE...: of the synopses, in C.
prototypes() {
  awk '
    function bare(s) {
      sub(/^\.F. /, "", s)
      gsub(/"/, "", s)
      return s
    }
    /^\.Sh/ { synopsis = $2 == "SYNOPSIS" }
    !synopsis { next }
    /^\.In / { print "#include <" $2 ">" }
    /^\.Ft / { printf "%s ", bare($0); next }
    /^\.Fo / { printf "%s(", $2; n = 0; next }
    /^\.Fa / { printf "%s%s", n++ ? ", " : "", bare($0); next }
    /^\.Fc/ { print ");" }' "$@"
}

undocumented() {
  for map in "${maps[@]}"; do
    map_names "$map"
  done | while read -r name; do
    grep -qx "\.Fo $name" "${pages[@]}" || echo "$name has no prototype"
    grep -qE "^\.Nm $name( ,)?$" "${pages[@]}" || echo "$name is no page's name"
  done
}
nothing() {
  local said
  said=$("$@" 2>&1)
  [ -z "$said" ] || { echo "$said"; return 1; }
}
agree() {
  prototypes "${pages[@]}" >"$tmp/prototypes.c"
  echo 'int main(void) { return 0; }' >>"$tmp/prototypes.c"
  [ "$(grep -c ');$' "$tmp/prototypes.c")" -ge 60 ] &&
    "${mpicc:-$cc}" "${warnings[@]}" -c -o "$tmp/prototypes.o" \
      "$tmp/prototypes.c"
}
sections() {
  local section
  for section in '.Sh SYNOPSIS' '.Sh RETURN VALUES' '.Ss Threads' \
    '.Sh EXAMPLES' '.Sh SEE ALSO'; do
    grep -qxF -- "$section" "$1" || { echo "no $section"; return 1; }
  done
}

# example PAGE: its first program.
example() {
  sed -n '/^\.Sh EXAMPLES/,$p' "$1" |
    sed -n '/^\.Bd -literal/,/^\.Ed/{//!p}' | sed 's/\\e/\\/g'
}
compiles() {
  local name=$1 compiler=$cc libraries=(-lgbm)
  example "docs/$name.3" >"$tmp/$name.c"
  case $name in
  gbm_mpi) compiler=$mpicc libraries=(-lgbm_mpi -lgbm) ;;
  gbm_gsl) read -r -a libraries < <(echo -lgbm "$(pkg-config --libs gsl)") ;;
  esac
  $compiler "${warnings[@]}" -o "$tmp/$name" "$tmp/$name.c" \
    "${linked[@]}" "${libraries[@]}"
}
# runs NAME WORDS: and prints these.
runs() {
  (cd "$tmp" && timeout 60 "./$1") >"$tmp/out" 2>&1 || {
    echo "status $?"
    cat "$tmp/out"
    return 1
  }
  grep -qE -- "$2" "$tmp/out" || { cat "$tmp/out"; return 1; }
}

ok "each function is in a synopsis, and a page's name" nothing undocumented
ok "with the prototype of the headers" agree
while read -r name words; do
  [[ $name != gbm_mpi || -n $mpicc ]] || continue
  ok "$name has all sections" sections "docs/$name.3"
  ok "its example compiles" compiles "$name"
  ok "and runs" runs "$name" "$words"
done <<'END'
libgbm-mc ^8\.0[0-9]+ \+/- 0\.026$
gbm_plan ^12[0-9.]+ \+/- 0\.[0-9]+$
gbm_rng ^stream 3 ends with a uniform 0\.
gbm_stream ^13[0-9.]+ days$
gbm_stats of 3 values is exactly 0\.33333
gbm_summary ^median 103.*, between 10
gbm_goal ^10\.4[0-9] after [0-9]+ paths$
gbm_memory ^3\.[01] MiB of statistics, of [0-9.]+ MiB that count$
gbm_samples ^paths\.npy is good, the mean 10
gbm_checkpoint after 512000 paths$
gbm_mpi ^5\.5
gbm_gsl ^the mean of 100000 waits is [12]\.[0-9]+$
END
ok "the checkpoint's goes on" runs gbm_checkpoint 'after 1024000 paths$'
all=(docs/*.3)
ok "no page is left out" [ ${#all[@]} -eq 12 ]
done_testing
