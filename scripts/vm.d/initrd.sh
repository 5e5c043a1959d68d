# The initrd of a kernel: busybox, the drivers that reach the root disk, and the guest's own scripts.

# obtain_initrd KERNEL-NAME KERNEL-FOLDER
obtain_initrd() {
  local key
  key=$({ basename "$2" && recipe initrd.sh kernel-modules.sh guest/init guest/session guest/command; } | digest)
  obtain "initrd-$1" "$key" build_initrd "$2"
}

build_initrd() {
  local folder=$1 kernel=$2 tree=$1/tree module
  need_packages busybox-static cpio kmod xz-utils zstd
  say "making the initrd for $(<"$kernel/release")"
  mkdir -p "$tree"/{bin,dev,modules,proc,root,sys}
  cp "$(command -v busybox)" "$tree/bin"
  cp -r "$parts/guest" "$tree"
  mv "$tree/guest/init" "$tree/init"
  module_files "$kernel" virtio_pci virtio_blk virtio_console crc32c ext4 fuse >"$folder/modules"
  while read -r module; do
    unpack_module "$module" >"$tree/modules/$(module_name "$module")"
    module_name "$module"
  done <"$folder/modules" >"$tree/modules/order"
  (cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$folder/initrd"
  rm -rf "$tree" "$folder/modules"
}

module_name() {
  local file=${1##*/}
  echo "${file%%.ko*}"
}

unpack_module() {
  case $1 in
    *.xz) xz -dc "$1" ;;
    *.zst) zstd -dcq "$1" ;;
    *) cat "$1" ;;
  esac
}
