# A kernel with the idle page tracking and shrinker debugging that none of Debian's has, built from Debian's source.

obtain_tracking_kernel() {
  local key
  key=$(recipe tracking-kernel.sh tracking-kernel.config kernel-modules.sh ext4-image.sh)
  obtain kernel-tracking "$key" build_tracking_kernel
}

build_tracking_kernel() {
  local folder=$1 suite source release
  need_packages bc bison flex gcc libc6-dev libelf-dev libssl-dev make perl xz-utils
  for suite in trixie bookworm-backports; do
    rm -rf "$folder/view"
    open_apt_view "$folder/view" "$suite"
    if [[ $(apt-cache -c "$folder/view/apt.conf" pkgnames linux-source-6.12) ]]; then
      break
    fi
  done
  say "fetching the source of Debian kernel 6.12"
  unpack_packages "$folder/view" "$folder/unpacked" linux-source-6.12
  source=$folder/source
  mkdir "$source"
  tar -x -f "$folder/unpacked/usr/src/linux-source-6.12.tar.xz" -C "$source" --strip-components 1
  rm -rf "$folder/unpacked" "$folder/view"

  say "building the tracking kernel: about 5 minutes on 2 cores (cached in $cache)"
  logged "$folder/configure.log" make -C "$source" tinyconfig
  cat "$parts/tracking-kernel.config" >>"$source/.config"
  logged "$folder/configure.log" make -C "$source" olddefconfig
  check_options "$source/.config"
  while_telling "building the tracking kernel" \
    logged "$folder/build.log" nice make -C "$source" "-j$(nproc)" bzImage modules.builtin

  release=$(make -s -C "$source" kernelrelease)
  cp "$source/arch/x86/boot/bzImage" "$folder/vmlinuz"
  mkdir -p "$folder/lib/modules/$release"
  cp "$source"/modules.builtin{,.modinfo} "$folder/lib/modules/$release"
  : >"$folder/lib/modules/$release/modules.order"
  pack_modules "$folder" "$release"
  rm -rf "$source" "$folder"/*.log
}

# An option whose dependencies are missing vanishes without a word.
check_options() {
  local lost
  lost=$(grep '^CONFIG_' "$parts/tracking-kernel.config" | grep --invert-match --line-regexp --fixed-strings --file "$1") || true
  [[ -z $lost ]] || fail "the kernel source does not take: ${lost//$'\n'/ }"
}
