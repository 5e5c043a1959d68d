# make_ext4_image FOLDER IMAGE SPARE packs FOLDER into a sparse disk image with SPARE MiB of free space.
# No journal and no lazy initialisation: nothing in the guest writes to it but the test.

make_ext4_image() {
  local folder=$1 image=$2 spare=$3 used
  need_packages e2fsprogs
  used=$(du --summarize --apparent-size --block-size=1M "$folder" | cut -f 1)
  truncate --size "$((used * 5 / 4 + spare + 32))M" "$image"
  mkfs.ext4 -q -F -O ^has_journal -E lazy_itable_init=0,root_owner=0:0 -m 0 -d "$folder" "$image"
}
