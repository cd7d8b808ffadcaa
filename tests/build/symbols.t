#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What the libraries and the plugin export, and what they must never call.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/tap.sh
. tests/build/common.sh

lib=$GBM_BUILD/lib

# exported FILE: the names that it defines for others, without the versions
# themselves.
exported() {
  nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
    sort
}

# called ARCHIVE: what its objects take from elsewhere.
called() {
  nm -u "$1" | awk '$1 == "U" { print $2 }' | sort -u
}

# imported FILE: what it takes from elsewhere when it is loaded.
imported() {
  nm -D --undefined-only "$1" | awk '{ sub(/@.*/, "", $NF); print $NF }'
}

exports_its_map() {
  diff <(map_names "$2") <(exported "$1")
}

# none NAMES-COMMAND FILE GREP-OPTION...: none of the names matches.
none() {
  local found
  found=$("$1" "$2" | grep -E "${@:3}")
  [ -z "$found" ] || { echo "$found"; return 1; }
}

soname_is() {
  readelf -d "$1" | grep -F "Library soname: [$2]"
}

# Whatever prints, ends the process, or changes what belongs to the program.
# __assert_fail is assert(); stdout and stderr are variables.
never='^_?(_?exit|_Exit|quick_exit|abort|raise|assert_fail|_assert_fail|signal'
never+='|sigaction|std(out|err)|perror|puts|putchar|v?printf|v?fprintf|v?dprintf'
never+='|_v?f?printf_chk|gsl_set_error_handler.*|setlocale)$'

# Whatever gets memory, or a process, for its caller.
allocates='^_*([mc]alloc|realloc(array)?|aligned_alloc|posix_memalign|memalign'
allocates+='|p?valloc|strn?dup|v?asprintf(_chk)?|getline|getdelim|open_memstream'
allocates+='|f(d?open|reopen)(64)?|(fd)?opendir|scandir(at)?(64)?'
allocates+='|fts_open|nftw(64)?|glob(64)?|realpath|getpw.*|getgr.*|getaddrinfo'
allocates+='|setlocale|dlopen|v?fork|clone|popen|system|exec[a-z]*|posix_spawnp?)$'

# library NAME MAP
library() {
  local so=$lib/$1.so.0
  ok "$1 exports what its map lists" exports_its_map "$so" "libgbm/$2"
  ok "$1 exports gbm_ names only" none exported "$so" -v '^gbm_'
  ok "$1 has none of Mesa's prefixes" none exported "$so" \
    '^gbm_(create|device|bo|surface|format)_'
  ok "$1 does not print or exit" none called "$lib/$1.a" "$never"
  ok "$1 has its soname" soname_is "$so" "$1.so.0"
}

# What the tests above rest on.
ok "the other pattern knows calls that allocate" \
  eval 'printf "%s\n" malloc __strdup opendir fopen64 openat64 write |
    grep -cE "$allocates" | grep -x 4'
ok "the pattern knows a call that prints" \
  eval 'printf "%s\n" __printf_chk stderr abort | grep -cE "$never" | grep -x 3'
if [ -e "$lib/libgbm-mc.so.0" ]; then
  library libgbm-mc gbm-mc.map
  ok "libgbm-mc has no MPI in it" none called "$lib/libgbm-mc.a" \
    '^(P?MPI_|ompi_|opal_)'
else
  skip "libgbm-mc" "it was not built"
fi
if [ -e "$lib/libgbm-mc-mpi.so.0" ]; then
  library libgbm-mc-mpi gbm-mc-mpi.map
  ok "libgbm-mc-mpi leaves starting and ending MPI to the program" \
    none called "$lib/libgbm-mc-mpi.a" '^MPI_(Init(_thread)?|Finalize|Abort)$'
else
  skip "libgbm-mc-mpi" "it was not built"
fi

# Slurm itself exports names such as error and parse_uint64.
if [ -e "$GBM_BUILD/plugin/spank_gbm.so" ]; then
  ok "the plugin exports its hooks only" none exported \
    "$GBM_BUILD/plugin/spank_gbm.so" -v \
    '^(slurm_spank_[a-z_]*|(spank_)?plugin_(name|type|version))$'
  # As root it allocates nothing, and asks nobody to who might block or start
  # something.
  ok "the plugin neither allocates nor starts anything" none imported \
    "$GBM_BUILD/plugin/spank_gbm.so" "$allocates"
else
  skip "the plugin exports its hooks only" "there are no Slurm headers"
  skip "the plugin neither allocates nor starts anything" \
    "there are no Slurm headers"
fi
done_testing
