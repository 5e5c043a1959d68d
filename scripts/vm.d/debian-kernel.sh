# Debian's own kernels, unpacked, not installed.

obtain_debian_kernel() {
  local key
  key=$(recipe debian-kernel.sh kernel-modules.sh ext4-image.sh)
  obtain "kernel-$1" "$key" build_debian_kernel "$1"
}

debian_kernel_suites() {
  case $1 in
    6.1) echo bookworm ;;
    6.12) echo trixie bookworm-backports ;;
    7.2) echo sid forky ;;
  esac
}

build_debian_kernel() {
  local folder=$1 series=$2 suite release='' packages
  for suite in $(debian_kernel_suites "$series"); do
    rm -rf "$folder/view"
    open_apt_view "$folder/view" "$suite"
    release=$(newest_release "$folder/view" "$series")
    if [[ -n $release ]]; then
      break
    fi
  done
  [[ -n $release ]] || fail "Debian's archive holds no $series kernel"
  say "fetching Debian kernel $release (cached in $cache)"
  packages=("linux-image-$release")
  if [[ $(apt-cache -c "$folder/view/apt.conf" pkgnames "linux-binary-$release") ]]; then
    packages=("linux-base-$release" "linux-binary-$release" "linux-modules-$release")
  fi
  unpack_packages "$folder/view" "$folder/unpacked" "${packages[@]}"
  mkdir -p "$folder/lib/modules"
  mv "$folder"/unpacked/{usr/,}lib/modules/"$release" "$folder/lib/modules" 2>/dev/null ||
    [[ -d $folder/lib/modules/$release ]]
  mv "$folder/unpacked/boot/vmlinuz-$release" "$folder/vmlinuz" 2>/dev/null ||
    mv "$folder/lib/modules/$release/vmlinuz" "$folder/vmlinuz"
  drop_needless_drivers "$folder/lib/modules/$release/kernel"
  pack_modules "$folder" "$release"
  rm -rf "$folder/unpacked" "$folder/view"
}

# newest_release VIEW SERIES, not counting the rt and cloud flavours.
newest_release() {
  apt-cache -c "$1/apt.conf" pkgnames "linux-image-$2." |
    sed -nE 's/^linux-image-([0-9.]+[^-]*(-[0-9]+)?-amd64)$/\1/p' | sort --version-sort | tail -n 1
}

# Hardware that no VM of ours has: nine tenths of the size.
drop_needless_drivers() {
  rm -rf "$1"/sound "$1"/drivers/{ata,bluetooth,gpu,hid,hwmon,iio,infiniband,input,media,mtd,net,scsi,staging,usb,video}
}
