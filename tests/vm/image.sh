# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The images of the machines, and the trees that they are made of, one for each
# of Debian's releases; source it in bash with $top set. `recipe` chooses the
# release, `image` makes what is not there yet and says where it is.

# Exit status: one of these (sysexits.h), or a command's own.
EX_USAGE=64
EX_UNAVAILABLE=69 # what is asked for cannot be had here
# shellcheck disable=SC2034 # for vm.sh
EX_SOFTWARE=70 # it can, but has failed

die() {
  local status=$1
  shift
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit "$status"
}

# What shapes an image: the functions from here to recipe_key. The key of the
# cache is their text.

# recipe RELEASE[-arm64[-16k]]: what is in the machine.
recipe() {
  name=$1 release=${1%%-*} arch=amd64 foreign=no kernel=cloud-amd64
  case ${name#"$release"} in
  '') ;;
  -arm64) arch=arm64 foreign=yes kernel=cloud-arm64 ;;
  -arm64-16k) arch=arm64 foreign=yes kernel=arm64-16k ;;
  *) die $EX_USAGE "-r '$name': after the release comes -arm64, -arm64-16k or nothing" ;;
  esac
  case $release in
  bookworm) packages=libgsl27,libslurm38 ;;
  trixie) packages=libgsl28 ;;
  *) die $EX_USAGE "-r '$name': the releases are bookworm and trixie" ;;
  esac
  # slurmd wants dbus for its scope; mpi/pmix wants libpmix-dev.
  packages+=,linux-image-$kernel,systemd-sysv,udev,dbus,kmod
  packages+=,iproute2,procps,perl,munge,slurmd,slurmctld,slurm-client
  packages+=,slurm-wlm-basic-plugins,openmpi-bin,libpmix-dev,libhwloc15,libgomp1
  # inside/disk.t has files on a server.
  [ "$name" != bookworm ] || packages+=,quota,nfs-kernel-server
  # The plugin is only good for the Slurm it was compiled for.
  native=no
  if [ "$name" = "$(. /etc/os-release && echo "${VERSION_CODENAME-}")" ]; then
    native=yes
  else
    packages+=,libc6-dev,libgsl-dev,libhwloc-dev,libopenmpi-dev,libslurm-dev
    if [ "$foreign" = no ]; then
      packages+=,gcc,make,autoconf,pkg-config
    else
      # Emulated, initramfs-tools would take a quarter of an hour.
      packages+=,tiny-initramfs
    fi
  fi
}

# shape ROOT: after the packages are in.
shape() {
  local root=$1
  echo node01 >"$root/etc/hostname"
  cat >"$root/etc/systemd/system/gbm.service" <<'END'
[Unit]
Description=a command of tests/vm/vm.sh
DefaultDependencies=no
Requires=sysinit.target dbus.socket
After=sysinit.target dbus.socket
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
Delegate=yes
StandardOutput=tty
TTYPath=/dev/console
ExecStart=/bin/bash -c 'mkdir /gbm && tar -xf /dev/vdb -C /gbm && exec /gbm/tests/vm/guest.sh'
END
  cp "$root"/boot/vmlinuz-* "$root/../vmlinuz" &&
    cp "$root"/boot/initrd.img-* "$root/../initrd" &&
    rm -r "${root:?}"/boot/* &&
    truncate -s 4G "$root/../root.img" &&
    mkfs.ext4 -q -d "$root" "$root/../root.img"
}

recipe_key() {
  { declare -f recipe shape make_tree make_image; echo "$packages"; } |
    sha256sum | cut -c1-16
}

# The mirror of this machine's own apt, which has all releases.
mirror() {
  apt-get indextargets --format '$(REPO_URI) $(COMPONENT)' \
    'Identifier: Packages' 'Label: Debian' 2>/dev/null |
    awk '$2 == "main" { print $1; exit }'
}

# make_tree ROOT: from the packages; those of a foreign machine are set up by its
# own programs, emulated.
make_tree() {
  local uri options=()
  uri=$(mirror)
  [ -n "$uri" ] || {
    echo "apt knows no archive of Debian here: type: apt-get update"
    return 1
  }
  if [ "$foreign" = yes ]; then
    emulate || return
    # What the initrd is made for is not in sight. sh -c has ROOT as $1.
    # shellcheck disable=SC2016
    options=(--architectures="$arch" --essential-hook='mkdir "$1/etc/tiny-initramfs" &&
      printf "%s\n" AUTO_MODULES=no INCLUDE_MODULES=virtio_pci,virtio_blk,ext4 \
        >"$1/etc/tiny-initramfs/tiny-initramfs.conf"')
  fi
  mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
    --dpkgopt=force-unsafe-io "${options[@]}" \
    "$release" "$1" "deb $uri $release main"
}

# make_image DIRECTORY
make_image() {
  (make_tree "$1/root" && shape "$1/root") >"$1/log" 2>&1
}

# emulate: from here to the end of this shell, the kernel has programs of arm64
# run by qemu, unless it does so anyway. This holds for the whole machine.
emulate() {
  local registry=/proc/sys/fs/binfmt_misc mounted=
  exec {emulated}>"$cache/emulation.lock" && flock $emulated
  ! arch-test arm64 >/dev/null || return 0
  [ -e $registry/register ] || {
    mount -t binfmt_misc binfmt_misc $registry || return
    mounted=$registry
  }
  # shellcheck disable=SC2064 # the values of now
  trap "echo -1 >$registry/qemu-aarch64; ${mounted:+umount $mounted}" EXIT
  cat /usr/lib/binfmt.d/qemu-aarch64.conf >$registry/register
}

# Where images and trees are kept.
cache_directory() {
  printf '%s\n' "${GBM_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gbm-mc/vm}"
}

# cached DIRECTORY WHAT COMMAND...: if DIRECTORY, in $cache, is not there, has
# COMMAND fill a new one, which is its last argument and keeps a log. In a shell
# of its own.
cached() {
  local dir=$1 what=$2 new
  [ "$(id -u)" = 0 ] ||
    die $EX_UNAVAILABLE "making $what needs root; try: sudo"
  mkdir -p "$cache" || die $EX_UNAVAILABLE "cannot make $cache"
  # Whoever wants the same at the same time waits for this one.
  exec {lock}>"$dir.lock"
  flock $lock
  if ! [ -e "$dir" ]; then
    echo "${0##*/}: making $what: one to ten minutes" >&2
    new=$(mktemp -d "$cache/new.XXXXXX") || exit $EX_UNAVAILABLE
    # shellcheck disable=SC2064 # the value of now
    trap "rm -rf '$new'" EXIT
    trap 'exit 143' HUP INT TERM
    "${@:3}" "$new" || {
      tail -n 15 "$new/log" >&2
      die $EX_UNAVAILABLE "cannot make $what"
    }
    chmod 755 "$new"
    mv -T "$new" "$dir" || exit $EX_UNAVAILABLE
    trap - EXIT HUP INT TERM
  fi
  exec {lock}>&-
}

# new_image DIRECTORY: of a release other than this machine's, with its tree.
new_image() {
  make_image "$1" || return
  [ "$native" = no ] || rm -rf "$1/root"
}

# Prints the directory of the image: root.img, vmlinuz and initrd; and root/, the
# tree, of a release or architecture other than this machine's.
image() {
  local cache dir
  cache=$(cache_directory)
  dir=$cache/$name-$(recipe_key)
  if ! [ -e "$dir" ]; then
    need mmdebstrap mkfs.ext4 flock
    [ "$foreign" = no ] || need qemu-aarch64-static arch-test
    (cached "$dir" "the machine of $name" new_image) || exit
  fi
  printf '%s\n' "$dir"
}

need() {
  local tool missing='' groups=vm
  [ "$foreign" = no ] || groups='build vm cross pi'
  for tool; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] ||
    die $EX_UNAVAILABLE "not installed:$missing; try:" \
      "build-aux/install-deps.sh $groups"
}

