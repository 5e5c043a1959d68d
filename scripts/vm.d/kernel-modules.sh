# The modules of a kernel: a small disk for the guest's /lib/modules, and what its initrd loads before that.

# pack_modules KERNEL RELEASE makes KERNEL/modules.img from KERNEL/lib/modules/RELEASE.
pack_modules() {
  need_packages kmod
  depmod --basedir "$1" "$2"
  make_ext4_image "$1/lib/modules" "$1/modules.img" 0
  echo "$2" >"$1/release"
}

# module_files KERNEL MODULE... lists the files to load, dependencies first; none for what is built in.
module_files() {
  local kernel=$1
  shift
  modprobe --dirname "$kernel" --set-version "$(<"$kernel/release")" --show-depends --all "$@" |
    awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}
