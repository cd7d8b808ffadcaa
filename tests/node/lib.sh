# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# For the tests of gbm-node-check; source it from the top of the tree.

# shellcheck source=tests/tap.sh
. tests/tap.sh

check=$PWD/tools/gbm-node-check
fixtures=tests/fixtures/node
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT

# unpack FILE DIR: a .tree.
unpack() {
  local line file=
  while IFS= read -r line; do
    case $line in
    '@ '*)
      file=$2/${line#@ }
      mkdir -p "${file%/*}" && : >"$file" || return
      ;;
    *) [ -z "$file" ] || printf '%s\n' "$line" >>"$file" ;;
    esac
  done <"$1"
}

# tree NAME DIR: a node with the configuration that is shipped, in DIR.
tree() {
  [ -d "$work/base/$1" ] || {
    unpack "$fixtures/$1.tree" "$work/base/$1" || return
    [ -d "$work/base/$1/etc/slurm" ] || {
      mkdir -p "$work/base/$1/etc/slurm" &&
        cp -r slurm-config/{slurm,cgroup,plugstack}.conf \
          slurm-config/plugstack.conf.d "$work/base/$1/etc/slurm" || return
    }
  }
  rm -rf "$2"
  cp -r "$work/base/$1" "$2"
}

# run WORD...: gbm-node-check, its $out, $err and $status.
run() {
  "$check" "$@" >"$work/.out" 2>"$work/.err" </dev/null
  # shellcheck disable=SC2034 # for the tests
  status=$? out=$(<"$work/.out") err=$(<"$work/.err")
}

# worst NUMBER: the worst status of a check's lines in $out.
worst() {
  local word
  for word in FAIL WARN INFO OK -; do
    ! grep -qE "^$word +$1 " <<<"$out" || {
      echo "$word"
      return
    }
  done
  echo none
}

# is NAME VALUE WANTED
is() {
  ok "$1" same "$2" "$3"
}

same() {
  [ "$1" = "$2" ] || {
    printf 'is:     %s\nwanted: %s\n' "$1" "$2"
    return 1
  }
}
