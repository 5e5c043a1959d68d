# The guest's root disk: a small Debian with this machine's node.

guest_packages=(libfuse2 fuse3 procps kmod util-linux iproute2 numactl runc systemd)

obtain_rootfs() {
  local node key
  node=$(node --print process.execPath) || fail "node is not here"
  key=$({ recipe rootfs.sh ext4-image.sh && machine_suite && stat --format '%n %s %Y' "$node"; } | digest)
  obtain rootfs "$key" build_rootfs "$node"
}

build_rootfs() {
  local folder=$1 node=$2 root=$1/root suite
  ((EUID == 0)) || fail "run as root: the guest's root disk is made with its files' true owners"
  need_packages mmdebstrap
  suite=$(machine_suite)
  open_apt_view "$folder/view" "$suite"
  say "making the root disk, Debian $suite with node $(node --version) (cached in $cache)"
  transport_settings >"$folder/transport.conf"
  logged "$folder/mmdebstrap.log" mmdebstrap --variant=minbase --aptopt="$folder/transport.conf" \
    --include="${guest_packages[*]}" "$suite" "$root" "$folder/view/sources.list"
  install_node "$root" "$node"
  [[ -x $root/usr/bin/fusermount ]] || ln -s fusermount3 "$root/usr/bin/fusermount"
  strip_machine_traces "$root"
  make_ext4_image "$root" "$folder/root.img" 5120
  rm -rf "$root" "$folder/view" "$folder"/*.{conf,log}
}

# Proxies and the like, without what concerns this machine's own lists.
transport_settings() {
  apt-config dump | grep '^Acquire::' | grep -Ev '^Acquire::(IndexTargets|Changelogs|Languages)'
}

install_node() {
  local root=$1 node=$2 library
  install -m 755 "$node" "$root/usr/bin/node"
  ldd "$node" | grep -o '/[^ ]*' | while read -r library; do
    if [[ ! -e $root$library ]]; then
      install -D "$library" "$root$library"
    fi
  done
  chroot "$root" node --version >/dev/null || fail "this machine's node does not run on the root disk's Debian"
}

strip_machine_traces() {
  local root=$1
  rm -rf "$root"/etc/apt/{sources.list,sources.list.d,apt.conf.d}/* "$root"/var/{lib/apt/lists,cache/apt,log}/* \
    "$root"/etc/resolv.conf "$root"/usr/share/{doc,man,info,locale}/*
  echo coldpgs-vm >"$root/etc/hostname"
  printf '127.0.0.1 localhost coldpgs-vm\n::1 localhost\n' >"$root/etc/hosts"
}
