# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What install-node.sh and install-controller.sh share: they source this, name
# what the machine is to have, and call finish. Nothing is written before that:
# first all is looked at, so that a mistake costs nothing.

set -u
export LC_ALL=C
umask 022
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit
prog=${0##*/}

EX_USAGE=64
EX_FAILED=70
EX_NOPERM=77

root='' yes='' packages=1 slurm_conf='' hosts='' share=''
controller=master nodes='node[01-04]' cores=4 ram=1848 shaped=

die() {
  local status=$1
  shift
  printf '%s: %s\n' "$prog" "$*" >&2
  exit "$status"
}

# bad TEXT...: of an option.
bad() {
  die $EX_USAGE "$*; see: $prog --help"
}

common_usage() {
  cat <<'END'
  --yes               make the changes; without it they are only shown
  --controller NAME   the machine that runs slurmctld (default: master)
  --nodes LIST        the machines that compute (default: node[01-04])
  --cores N           of each node (default: 4)
  --ram MB            of each node: RealMemory as `slurmd -C` prints it there
                      (default: 1848, a Pi 4 with 2 GB)
  --slurm-conf FILE   this slurm.conf, such as the controller's or the one that
                      is there already, instead of one made from the four above
  --hosts FILE        lines "ADDRESS NAME" of all machines, for /etc/hosts
  --share DIR         the folder of the controller that all machines share
  --no-packages       do not look for missing packages
  --root DIR          change files below DIR, such as a mounted card, and run
                      nothing
  --help              this text

Files that are replaced are kept in /var/backups/gbm-mc. Exit status: 0 done, or
shown, or nothing to do; 1 something is in the way, and nothing was changed; 64
an option that is wrong; 70 a change that failed; 77 --yes without root.
END
}

# parse OPTION...: those that both have. `option NAME VALUE` is called with any
# other that takes a value, and fails if it is none.
parse() {
  while [ $# -gt 0 ]; do
    case $1 in
    --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    case $1 in
    --yes) yes=1 ;;
    --no-packages) packages= ;;
    --help | -h)
      usage
      exit
      ;;
    --*)
      known_option "$1" || bad "'$1' is no option"
      [ -n "${2-}" ] || bad "$1 needs a value"
      set_option "$1" "$2"
      shift
      ;;
    *) bad "'$1' is no option" ;;
    esac
    shift
  done
  [ -z "$slurm_conf" ] || [ -z "$shaped" ] ||
    bad "--slurm-conf and $shaped contradict each other: give one of them"
  [ -n "$root" ] || [ -z "$yes" ] || [ "$(id -u)" = 0 ] ||
    die $EX_NOPERM "--yes changes the system, as root only can: sudo $prog --yes"
}

known_option() {
  case $1 in
  --controller | --nodes | --cores | --ram | --slurm-conf | --hosts | --share | \
    --root) ;;
  *) own_option "$1" ;;
  esac
}

# number NAME VALUE LEAST MOST
number() {
  if ! [[ $2 =~ ^[0-9]{1,7}$ ]] || [ "$((10#$2))" -lt "$3" ] ||
    [ "$((10#$2))" -gt "$4" ]; then
    bad "$1 '$2': give a number from $3 to $4"
  fi
}

is_name() {
  [[ $1 =~ ^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$ ]]
}

readable() {
  if ! [ -f "$2" ] || ! [ -r "$2" ]; then
    bad "$1 '$2' is no file that can be read"
  fi
}

set_option() {
  case $1 in
  --root)
    [ -d "$2" ] || bad "--root '$2' is no directory"
    root=$(cd "$2" && pwd) || exit
    root=${root%/}
    ;;
  --controller)
    is_name "$2" || bad "--controller '$2' is no name of a machine"
    controller=$2 shaped=$1
    ;;
  --nodes)
    local name='[A-Za-z0-9][A-Za-z0-9.-]*(\[[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*\])?'
    [[ $2 =~ ^$name(,$name)*$ ]] ||
      bad "--nodes '$2' is no list of nodes, such as node[01-04] or pi1,pi2"
    nodes=$2 shaped=$1
    ;;
  --cores)
    number "$1" "$2" 1 1024
    cores=$((10#$2)) shaped=$1
    ;;
  --ram)
    number "$1" "$2" 512 9999999
    ram=$((10#$2)) shaped=$1
    ;;
  --slurm-conf)
    readable "$1" "$2"
    slurm_conf=$2
    ;;
  --hosts)
    readable "$1" "$2"
    hosts=$2
    ;;
  --share)
    [[ $2 =~ ^(/[A-Za-z0-9._-]+)+$ ]] ||
      bad "--share '$2': give a path that begins with /"
    # shellcheck disable=SC2034 # for the scripts
    share=$2
    ;;
  *) set_own_option "$1" "$2" ;;
  esac
}

# ---- what is to be changed

work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

changes=() problems=() notes=()
declare -A todo=()
new=$work/new last=

# problem TEXT [FIX]: nothing is changed until that is mended.
problem() {
  problems+=("$1${2:+$'\n'        $2}")
}
note() {
  notes+=("$1")
}

# Not through links that lead out of --root.
inside_root() {
  [ -z "$root" ] || case $(realpath -m "$root$1") in
  "$(realpath "$root")"/*) ;;
  *) false ;;
  esac || {
    problem "$1 leads out of $root"
    return 1
  }
}

# want_file PATH MODE FILE [secret]: PATH with what FILE has. Where there is one
# it keeps its owner, and its mode if MODE is "".
want_file() {
  local to=$root$1 mode=$2 old=/dev/null is=
  last=
  inside_root "$1" || return
  if [ -L "$to" ] || { [ -e "$to" ] && [ ! -f "$to" ]; }; then
    problem "$1 is no plain file" "ls -ld $1"
    return
  fi
  if [ -f "$to" ]; then
    [ -r "$to" ] || {
      problem "$1 cannot be read: run this as root" "sudo $prog"
      return
    }
    old=$to is=$(stat -c %a "$to")
    cmp -s "$to" "$3" && { [ -z "$mode" ] || [ "$is" = "$mode" ]; } && return
  fi
  last=${mode:-${is:-644}}
  changes+=("file"$'\t'"$1"$'\t'"$last"$'\t'"$work/want.${#changes[@]}")
  cp "$3" "$work/want.$((${#changes[@]} - 1))" || exit
  if [ "$old" = /dev/null ]; then
    printf '\nnew file %s\n' "$1"
  else
    printf '\nchange of %s\n' "$1"
  fi
  if [ -n "${4-}" ]; then
    echo "  (not shown: a secret)"
  elif cmp -s "$old" "$3"; then
    echo "  mode $is becomes $mode"
  else
    diff -u --label "$1 (now)" --label "$1 (new)" "$old" "$3" | tail -n +3 |
      sed 's/^/  /'
  fi
}

# want_link PATH TARGET
want_link() {
  last=
  inside_root "${1%/*}" || return
  [ "$(readlink "$root$1")" != "$2" ] || return 0
  if [ -e "$root$1" ] && [ ! -L "$root$1" ]; then
    problem "$1 is in the way of a link to $2" "ls -ld $1"
    return
  fi
  last='link'
  changes+=("link"$'\t'"$1"$'\t'"$2"$'\t')
  printf '\nnew link %s -> %s\n' "$1" "$2"
}

# want_no_link PATH
want_no_link() {
  last=
  inside_root "${1%/*}" || return
  [ -L "$root$1" ] || return 0
  last='link'
  changes+=("gone"$'\t'"$1"$'\t\t')
  printf '\nno link %s any more\n' "$1"
}

# want_directory PATH MODE
want_directory() {
  last=
  inside_root "$1" || return
  [ ! -d "$root$1" ] || return 0
  if [ -e "$root$1" ]; then
    problem "$1 is no directory" "ls -ld $1"
    return
  fi
  last=$2
  changes+=("directory"$'\t'"$1"$'\t'"$2"$'\t')
  printf '\nnew directory %s\n' "$1"
}

# want_no_unit NAME: not started here at boot, nor running.
want_no_unit() {
  want_no_link "/etc/systemd/system/multi-user.target.wants/$1.service"
  then_do reload "stop $1"
}

# then_do WORD...: after all changes, if the last one asked for is one.
then_do() {
  local word
  [ -z "$last" ] || for word; do
    todo[$word]=1
  done
}

# ---- what both machines have

slurm_text() {
  local text real spec usable line sbin=/usr/local/sbin
  text=$(<"$here/slurm.conf") || exit
  # As gbm-node-check reckons.
  real=$(((ram - ram * 3 / 100) / 64 * 64))
  spec=$((real * 15 / 100))
  [ $spec -ge 292 ] || spec=292
  usable=$((real - spec))
  # Where make install or the package has put gbm-node-health with this.
  [[ $here != */share/gbm-mc/slurm-config ]] ||
    sbin=${here%/share/gbm-mc/slurm-config}/sbin
  while IFS='|' read -r line with; do
    [[ $'\n'$text == *$'\n'"$line"* ]] ||
      die $EX_FAILED "$here/slurm.conf has no line '$line' any more"
    text=${text/$'\n'"$line"/$'\n'"$with"}
  done <<END
SlurmctldHost=master|SlurmctldHost=$controller
DefMemPerCPU=375|DefMemPerCPU=$((usable / cores))
NodeName=node[01-04] CPUs=4 Boards=1 SocketsPerBoard=1 CoresPerSocket=4 ThreadsPerCore=1 RealMemory=1792 MemSpecLimit=292|NodeName=$nodes CPUs=$cores Boards=1 SocketsPerBoard=1 CoresPerSocket=$cores ThreadsPerCore=1 RealMemory=$real MemSpecLimit=$spec
#HealthCheckProgram=/usr/local/sbin/gbm-node-health|#HealthCheckProgram=$sbin/gbm-node-health
PartitionName=pi Nodes=node[01-04] Default=YES MaxMemPerNode=1500|PartitionName=pi Nodes=$nodes Default=YES MaxMemPerNode=$usable
END
  printf '%s\n' "$text"
}

# has_line PATH REGEX
has_line() {
  [ -f "$root$1" ] && grep -qE -e "$2" "$root$1"
}

# want_slurm UNIT: the configuration, which UNIT reads.
want_slurm() {
  local etc=/etc/slurm plugin='^[[:space:]]*required[[:space:]]+([^[:space:]]*/)?spank_gbm\.so'
  local include='^[[:space:]]*include[[:space:]]+/etc/slurm/plugstack\.conf\.d/\*\.conf'
  if [ -n "$slurm_conf" ]; then
    controller=$(sed -nE 's/^[[:space:]]*SlurmctldHost[[:space:]]*=[[:space:]]*([A-Za-z0-9.-]+).*/\1/Ip' \
      "$slurm_conf" | head -n 1)
    [ -n "$controller" ] ||
      bad "--slurm-conf '$slurm_conf' names no SlurmctldHost="
    cp "$slurm_conf" "$new" || exit
  else
    slurm_text >"$new" || exit
  fi
  want_file $etc/slurm.conf 644 "$new"
  then_do "restart $1"
  want_file $etc/cgroup.conf 644 "$here/cgroup.conf"
  then_do "restart $1"
  # What an administrator has in these stays.
  if ! has_line $etc/plugstack.conf "$include"; then
    if [ -s "$root$etc/plugstack.conf" ]; then
      { cat "$root$etc/plugstack.conf" &&
        echo "include $etc/plugstack.conf.d/*.conf"; } >"$new"
    else
      cp "$here/plugstack.conf" "$new"
    fi
    want_file $etc/plugstack.conf 644 "$new"
    then_do "restart $1"
  fi
  if ! has_line $etc/plugstack.conf.d/gbm.conf "$plugin"; then
    want_file $etc/plugstack.conf.d/gbm.conf 644 \
      "$here/plugstack.conf.d/gbm.conf"
    then_do "restart $1"
  fi
  local dir found=
  for dir in "$root"/usr/lib/*/slurm-wlm "$root"/usr/lib64/slurm \
    "$root"/usr/lib/slurm "$root"/usr/local/lib/slurm; do
    [ ! -f "$dir/spank_gbm.so" ] || found=1
  done
  [ -n "$found" ] || problem \
    "the plugin spank_gbm.so is not installed: Slurm would run no job" \
    "sudo make install    # in the folder of gbm; or the package slurm-spank-gbm"
}

# want_tree NAME: the files of files/NAME.
want_tree() {
  local file path
  while read -r file; do
    path=${file#"$here/files/$1"}
    # For their own systems or packages only.
    case $path in
    /etc/rpi/*)
      [ -z "$keep_swap" ] || continue
      has_rpi_swap || continue
      ;;
    esac
    sed "s/^server master /server $controller /" "$file" >"$new" || exit
    want_file "$path" 644 "$new"
    case $path in
    */sysctl.d/*) then_do sysctl ;;
    */journald.conf.d/*) then_do "restart systemd-journald" ;;
    */system.conf.d/*) then_do reexec ;;
    # Not restarted: it needs no more.
    */ssh.service.d/* | */*.slice.d/*) then_do reload ;;
    */*.service.d/*)
      file=${path%.service.d/*}
      then_do reload "restart ${file##*/}"
      ;;
    */chrony/*) then_do "restart chrony" ;;
    */rpi/*) then_do reboot ;;
    esac
  done < <(find "$here/files/$1" -type f | sort)
}

# want_hosts: no address of one's own that other machines cannot reach, and all
# machines with theirs.
want_hosts() {
  local file=$root/etc/hosts me line address name there
  me=$(machine_name)
  [ -f "$file" ] || {
    problem "there is no /etc/hosts" "echo '127.0.0.1 localhost' | sudo tee /etc/hosts"
    return
  }
  cp "$file" "$new" || exit
  [ -z "$hosts" ] || while read -r address line || [ -n "$address" ]; do
    line=${line%%#*}
    [[ $address != '#'* && -n $address ]] || continue
    [[ $address =~ ^[0-9a-fA-F.:]+$ && -n $line ]] ||
      bad "--hosts '$hosts': '$address $line' is not ADDRESS NAME"
    for name in $line; do
      is_name "$name" || bad "--hosts '$hosts': '$name' is no name"
      there=$(address_of "$name" "$new")
      case $there in
      "$address") ;;
      '' | 127.*) printf '%s\t%s\n' "$address" "$name" >>"$new" ;;
      *) problem "$name is $there in /etc/hosts, and $address in $hosts" \
        "sudo nano /etc/hosts" ;;
      esac
    done
  done <"$hosts"
  # sudo and others want a name to have an address.
  if [ -n "$(address_of "$me" "$new")" ] && [[ $(address_of "$me" "$new") != 127.* ]]; then
    sed -i -E "s/^(127\.0\.1\.1[[:space:]].*)/#\1/" "$new"
  fi
  want_file /etc/hosts '' "$new"
  for name in $(printf '%s\n' "$me" "$controller" | uniq); do
    there=$(address_of "$name" "$new")
    case $there in
    '' | 127.*) note "/etc/hosts has no address of $name that other machines reach: give a --hosts FILE that has it" ;;
    esac
  done
}

# address_of NAME FILE: the first that is not this machine's own, or else that.
address_of() {
  awk -v name="$1" '
    { sub(/#.*/, "") }
    { for (i = 2; i <= NF; i++) if ($i == name) {
        if ($1 !~ /^127\./) { print $1; found = 1; exit }
        own = $1
      } }
    END { if (!found && own != "") print own }' "$2"
}

machine_name() {
  if [ -n "$root" ]; then
    tr -d '[:space:]' <"$root/etc/hostname" 2>/dev/null || echo unknown
  else
    hostname
  fi
}

# has_package NAME
has_package() {
  [ "$(dpkg-query --admindir="$root/var/lib/dpkg" -W \
    -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
want_packages() {
  local name
  [ -n "$packages" ] || return
  [ -e "$root/var/lib/dpkg/status" ] || {
    note "no Debian: not looked for the packages $*"
    return
  }
  for name; do
    has_package "$name" || missing+=("$name")
  done
}

# ---- doing it

ran=()
# doit TEXT COMMAND...: with --root, on that machine, later.
doit() {
  local text=$1
  shift
  if [ -z "$yes" ] || [ -n "$root" ]; then
    ran+=("$text")
    return
  fi
  echo "+ $text"
  "$@" || {
    failed+=("$text")
    return 1
  }
}

apply() {
  local kind path mode from to tmp keep=$root/var/backups/gbm-mc/$stamp
  IFS=$'\t' read -r kind path mode from <<<"$1"
  to=$root$path
  if [ -e "$to" ] || [ -L "$to" ]; then
    { (umask 077 && mkdir -p "$root/var/backups/gbm-mc") &&
      mkdir -p "$keep${path%/*}" && cp -aP "$to" "$keep$path"; } ||
      stop "cannot keep $path in $keep"
  fi
  mkdir -p "$(dirname "$to")" || stop "cannot make the directory of $path"
  case $kind in
  directory)
    mkdir "$to" || stop "cannot make $path"
    chmod "$mode" "$to" || stop "cannot give $path its mode"
    ;;
  gone) rm "$to" || stop "cannot remove the link $path" ;;
  link) ln -sfn "$mode" "$to" || stop "cannot make the link $path" ;;
  file)
    # In one piece, and on the disk before it takes the old one's place. A FAT
    # file system has no owners and modes to be set.
    tmp=$(mktemp "$to.gbm-XXXXXX") || stop "cannot write beside $path"
    { cat "$from" >"$tmp" && same_owner "$path" "$tmp" &&
      { [ "$(stat -c %a "$tmp")" = "$mode" ] || chmod "$mode" "$tmp"; } &&
      sync "$tmp" && mv "$tmp" "$to"; } || {
      rm -f "$tmp"
      stop "cannot write $path"
    }
    ;;
  esac
  done_changes=$((done_changes + 1))
}

# same_owner PATH FILE: as PATH has it, or its program wants it.
same_owner() {
  local owner
  [ "$(id -u)" = 0 ] || return 0
  if [ "$1" = /etc/munge/munge.key ] && [ -z "$root" ]; then
    owner=munge:munge
  elif [ -e "$root$1" ]; then
    owner=$(stat -c %u:%g "$root$1")
  else
    return 0
  fi
  [ "$(stat -c %u:%g "$2")" = "$owner" ] || chown "$owner" "$2"
}

stop() {
  die $EX_FAILED "$1; $done_changes of ${#changes[@]} changes were made before:" \
    "mend that, and run it again"
}

finish() {
  local word text failed=() done_changes=0 stamp
  stamp=$(date +%Y%m%d-%H%M%S)
  for text in "${notes[@]}"; do
    printf '\nnote: %s\n' "$text"
  done
  if [ ${#problems[@]} -gt 0 ]; then
    echo
    for text in "${problems[@]}"; do
      printf '%s: in the way: %s\n' "$prog" "$text" >&2
    done
    [ -z "$yes" ] || echo "$prog: nothing was changed" >&2
    exit 1
  fi
  if [ ${#changes[@]} -eq 0 ] && [ ${#missing[@]} -eq 0 ]; then
    echo "$prog: nothing to change"
    exit 0
  fi
  echo
  # Packages first: Debian's files are there to be kept then, and accounts.
  if [ ${#missing[@]} -gt 0 ]; then
    doit "apt-get install -y ${missing[*]}" \
      env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
      -o DPkg::Options::=--force-confold install "${missing[@]}" ||
      die $EX_FAILED "the packages could not be installed, and nothing else was changed: try: sudo apt-get update"
  fi
  if [ -n "$yes" ]; then
    for text in "${changes[@]}"; do
      apply "$text"
    done
    echo "$prog: changed ${#changes[@]} files"
    [ ! -d "$root/var/backups/gbm-mc/$stamp" ] ||
      echo "$prog: what was there before is in /var/backups/gbm-mc/$stamp"
  fi
  [ -z "${todo[reload]-}" ] || doit "systemctl daemon-reload" systemctl daemon-reload
  [ -z "${todo[reexec]-}" ] || doit "systemctl daemon-reexec" systemctl daemon-reexec
  [ -z "${todo[sysctl]-}" ] || doit "sysctl -p /etc/sysctl.d/99-gbm.conf" \
    sysctl -q -p /etc/sysctl.d/99-gbm.conf
  for word in slurmctld slurmd; do
    [ -z "${todo["stop $word"]-}" ] ||
      doit "systemctl stop $word" systemctl stop "$word"
  done
  for word in systemd-journald chrony munge nfs-kernel-server slurmctld \
    slurmd; do
    [ -z "${todo["restart $word"]-}" ] ||
      doit "systemctl restart $word" systemctl restart "$word"
  done
  [ -z "${todo[exports]-}" ] || doit "exportfs -ra" exportfs -ra
  [ -z "${todo[mount]-}" ] ||
    doit "systemctl restart remote-fs.target" systemctl restart remote-fs.target
  if [ ${#ran[@]} -gt 0 ]; then
    if [ -n "$root" ]; then
      echo "to be run on that machine:"
    else
      echo "would be run afterwards:"
    fi
    printf '  %s\n' "${ran[@]}"
  fi
  [ -z "${todo[reboot]-}" ] ||
    echo "$prog: some of it holds only after: sudo reboot"
  if [ ${#failed[@]} -gt 0 ]; then
    for text in "${failed[@]}"; do
      printf "%s: this failed, try it again: %s\n" "$prog" "$text" >&2
    done
    exit $EX_FAILED
  fi
  [ -n "$yes" ] ||
    echo "$prog: ${#changes[@]} files would be changed; --yes changes them"
  exit 0
}
