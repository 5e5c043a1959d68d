# QEMU: the machine's own, except where that is older than 8.1. Until then an emulated processor could go on with
# code that another had just patched, and now and then a kernel died of it while it booted.

# choose_emulator sets $emulator.
choose_emulator() {
  local version key
  need_packages qemu-system-x86
  emulator=(qemu-system-x86_64)
  version=$(qemu-system-x86_64 --version | sed -n 's/.* version \([0-9.]*\).*/\1/p')
  if dpkg --compare-versions "$version" ge 8.1 || [[ $(machine_suite) != bookworm ]]; then
    return
  fi
  key=$(recipe emulator.sh)
  obtain qemu "$key" build_qemu
  emulator=("$artefact/usr/bin/qemu-system-x86_64" -L "$artefact/usr/share/qemu" -L "$artefact/usr/share/seabios")
}

# The libraries that it needs are those of the machine's own QEMU.
build_qemu() {
  local folder=$1
  say "fetching QEMU from bookworm-backports (cached in $cache)"
  open_apt_view "$folder/view" bookworm-backports
  unpack_packages "$folder/view" "$folder" qemu-system-x86 qemu-system-data seabios
  rm -rf "$folder/view"
  "$folder/usr/bin/qemu-system-x86_64" --version >/dev/null
}
