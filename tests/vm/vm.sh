#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Machines of 2 GB with cgroup v2, systemd and real swap, under qemu, in which
# a command runs with real Slurm and this build's plugin. README.md in this
# folder tells how they are made.

set -u
self=$(readlink -f "$0")
top=$(readlink -f "${self%/*}/../..")

# shellcheck source=tests/vm/image.sh
. "$top/tests/vm/image.sh"

EX_TIMEOUT=124 # as timeout(1)

usage() {
  cat <<END
usage: vm.sh build [-r RELEASE]
       vm.sh run [-r RELEASE] [-s SLURM] [-m MB] [-t SECONDS] [-d]
                 [-f FILE] -- COMMAND [ARGUMENT...]

build   makes the image of a machine, if it is not there yet, and prints the
        directory that it is in
run     boots a machine, runs COMMAND in it as root, in a copy of this tree,
        powers it off, and returns the COMMAND's exit status. What COMMAND
        prints, on stdout or stderr, comes on stdout.

-r RELEASE   Debian's: bookworm (Slurm 22.05, the default) or trixie (24.11);
             bookworm-arm64 has the CPU of a Raspberry Pi 4, trixie-arm64-16k
             that of a Pi 5, and pages of 16 KiB as there
-s SLURM     what COMMAND finds: cluster (tests/slurm/cluster.sh, two nodes;
             the default), systemd (one node, Debian's own services), none
-m MB        the machine's memory (default: 2048)
-t SECONDS   a machine that runs longer is stopped (default: 300 times
             GBM_SLOW)
-d           the disk, with the swap on it, is as slow as an SD card: 40 MB/s
             and 1500 accesses a second for reading, 20 and 500 for writing
-f FILE      COMMAND also finds this file, in the folder that it begins in

GBM_VM_CACHE   where images are (default: \${XDG_CACHE_HOME:-~/.cache}/gbm-mc/vm)
GBM_BUILD      where the programs and the plugin are (default: $top/build);
               for a release other than this machine's, they are made anew
GBM_SLOW       how many times longer than on hardware anything may take there
               (default: 3, for arm64 10)
GBM_KEEP=1     keep the machine's console log, and say where it is
END
}

# hardware: the program that is the machine of $arch, and what is its own.
hardware() {
  case $arch in
  amd64)
    emulator=(qemu-system-x86_64 -machine q35 -cpu 'max,-svm' -smp 2)
    kernel_options='console=ttyS0 no5lvl' usual=3
    ;;
  arm64)
    # Pages of 16 KiB are for the Pi 5's, and the Pi 4's has none.
    local cpu=cortex-a72
    [[ $name != *-16k ]] || cpu=cortex-a76
    emulator=(qemu-system-aarch64 -machine virt -cpu "$cpu" -smp 4)
    kernel_options=console=ttyAMA0 usual=10
    ;;
  esac
}

# pack BUILD FILE COMMAND...: what the machine finds in /gbm, with $extra.
pack() {
  local build=$1 file=$2 dir=${2%/*} part parts=(bin lib plugin)
  shift 2
  for part in tests/slurm tests/campaign; do
    [ ! -d "$build/$part" ] || parts+=("$part")
  done
  {
    echo "slurm=$slurm slow=$slow"
    printf 'command=('
    printf '%q ' "$@"
    echo ')'
  } >"$dir/job" &&
    tar -cf "$file" -C "$top" examples slurm-config tests tools \
        -C "$dir" job ${extra:+-C "${extra%/*}" "${extra##*/}"} &&
    tar -rf "$file" --transform='flags=r;s,^,build/,' -C "$build" \
      --exclude='*.[ado]' "${parts[@]}"
}

run() {
  local mb=2048 seconds='' slurm=cluster disk='' extra='' option OPTIND=1
  release=bookworm
  while getopts :r:s:m:t:f:dh option; do
    case $option in
    r) release=$OPTARG ;;
    s) slurm=$OPTARG ;;
    m) mb=$OPTARG ;;
    t) seconds=$OPTARG ;;
    f) extra=$(readlink -e "$OPTARG") || die $EX_USAGE "-f '$OPTARG': no such file" ;;
    d)
      disk=,throttling.bps-read=40000000,throttling.iops-read=1500
      disk+=,throttling.bps-write=20000000,throttling.iops-write=500
      ;;
    h)
      usage
      exit
      ;;
    :) die $EX_USAGE "-$OPTARG needs a value; see: vm.sh --help" ;;
    *) die $EX_USAGE "unknown option -$OPTARG; see: vm.sh --help" ;;
    esac
  done
  shift $((OPTIND - 1))
  case $slurm in
  cluster | systemd | none) ;;
  *) die $EX_USAGE "-s '$slurm': it is cluster, systemd or none" ;;
  esac
  case $mb$seconds in
  *[!0-9]*) die $EX_USAGE "-m '$mb' -t '$seconds': these are whole numbers" ;;
  esac
  [ $# -gt 0 ] || die $EX_USAGE "no command given; see: vm.sh --help"
  recipe "$release"
  local emulator kernel_options usual
  hardware
  need "${emulator[0]}"
  local slow=${GBM_SLOW:-$usual}
  seconds=${seconds:-$((300 * slow))}

  local image build
  image=$(image) || exit
  build=$("$top/tests/vm/release.sh" build "$name") || exit

  local dir qemu='' cat=''
  dir=$(mktemp -d "${TMPDIR:-/tmp}/gbm-vm.XXXXXX") || exit $EX_SOFTWARE
  trap 'stop' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  pack "$build" "$dir/payload" "$@" ||
    die $EX_SOFTWARE "cannot pack the tree for the machine"

  # Not qemu's stdio: an end of file on stdin would close it both ways.
  mkfifo "$dir/out" || exit $EX_SOFTWARE
  cat "$dir/out" &
  cat=$!

  # -snapshot: what the machine writes goes to a nameless file in TMPDIR.
  # The parent-death signal: not even SIGKILL to this script leaves qemu.
  TMPDIR=$dir setpriv --pdeathsig KILL timeout --foreground -k 5 "$seconds" \
    "${emulator[@]}" -accel tcg,thread=multi -m "$mb" \
    -nodefaults -no-user-config -display none -no-reboot -snapshot \
    -kernel "$image/vmlinuz" -initrd "$image/initrd" -append "root=/dev/vda rw \
$kernel_options quiet loglevel=1 panic=-1 mitigations=off \
systemd.unit=gbm.service systemd.show_status=no" \
    -drive "file=$image/root.img,if=virtio,format=raw,cache=unsafe$disk" \
    -drive "file=$dir/payload,if=virtio,format=raw" \
    -serial "file:$dir/console" \
    -chardev "file,id=out,path=$dir/out" \
    -chardev "file,id=status,path=$dir/status" \
    -device virtio-serial -device virtserialport,chardev=out,name=gbm.out \
    -device virtserialport,chardev=status,name=gbm.status \
    </dev/null >"$dir/qemu.err" 2>&1 &
  qemu=$!
  wait $qemu
  local ended=$? status
  qemu=
  # Lets cat go also when qemu has never opened it.
  : <>"$dir/out"
  wait "$cat"
  status=$(cat "$dir/status" 2>/dev/null)
  case $ended:$status in
  0:?*) exit "$status" ;;
  124:*)
    show_console
    die $EX_TIMEOUT "the machine was stopped after $seconds s (-t)"
    ;;
  0:*)
    show_console
    die $EX_SOFTWARE "the machine ended without a word from the command:" \
      "$(grep -aom1 'Kernel panic.*' "$dir/console" || echo "see its console")"
    ;;
  *)
    cat "$dir/qemu.err" >&2
    die $EX_SOFTWARE "qemu has failed with status $ended"
    ;;
  esac
}

show_console() {
  printf '%s\n' "--- the end of the machine's console:" >&2
  tail -n 20 "$dir/console" | tr -d '\r' >&2
  printf '%s\n' "---" >&2
}

stop() {
  # shellcheck disable=SC2086 # none, one or two
  kill $qemu $cat 2>/dev/null
  wait
  if [ "${GBM_KEEP-}" = 1 ]; then
    rm -f "$dir/payload"
    echo "vm.sh: kept $dir" >&2
  else
    rm -rf "$dir"
  fi
}

case ${1-} in
build)
  shift
  release=bookworm
  case ${1-} in
  -r) release=${2-} ;;
  '') ;;
  *) die $EX_USAGE "unknown argument '$1'; see: vm.sh --help" ;;
  esac
  recipe "$release"
  image
  ;;
run)
  shift
  run "$@"
  ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit $EX_USAGE
  ;;
esac
