# A private apt configuration for one suite of the Debian archive. The machine's own sources stay as they are;
# the archive's address comes from them, and their transport settings hold here too.

archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

debian_archive() {
  local address
  address=$(list_debian_archives)
  if [[ -z $address ]]; then
    refresh_package_lists
    address=$(list_debian_archives)
  fi
  [[ -n $address ]] || fail "no Debian archive among this machine's apt sources"
  head -n 1 <<<"$address"
}

# apt itself reads both source formats.
# shellcheck disable=SC2016 # apt's own placeholders
list_debian_archives() {
  apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    awk -F '|' '$1 == "Debian" && $2 == "Debian" { print $3 }'
}

# open_apt_view VIEW SUITE makes the folder VIEW, for view_apt_get and view_apt_cache.
open_apt_view() {
  local view=$1 suite=$2 archive keyring
  need_packages debian-archive-keyring
  archive=$(debian_archive)
  if update_apt_view "$view" "$archive" "$suite" "signed-by=$archive_keyring"; then
    return
  fi
  grep -Eq 'NO_PUBKEY|EXPKEYSIG|not signed' "$view/update.log" || fail_apt_view "$view" "$suite"
  keyring=$(newer_keyring "$view/keyring" "$archive")
  if [[ -n $keyring ]] && update_apt_view "$view" "$archive" "$suite" "signed-by=$keyring"; then
    return
  fi
  say "WARNING: no key on this machine can verify $suite; its packages are taken unverified"
  update_apt_view "$view" "$archive" "$suite" trusted=yes || fail_apt_view "$view" "$suite"
}

fail_apt_view() {
  tail -n 5 "$1/update.log" >&2
  fail "the package list of Debian $2 cannot be had"
}

update_apt_view() {
  local view=$1 archive=$2 suite=$3 trust=$4
  mkdir -p "$view"/{lists,cache/archives}/partial
  : >"$view/status"
  echo "deb [arch=amd64 $trust] $archive $suite main" >"$view/sources.list"
  cat >"$view/apt.conf" <<CONF
Dir::Etc::sourcelist "$view/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::lists "$view/lists";
Dir::State::status "$view/status";
Dir::Cache "$view/cache";
APT::Default-Release "";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
  apt-get -q -c "$view/apt.conf" update >"$view/update.log" 2>&1
}

# The archive's current keys, from the newest keyring package that a suite this machine does trust holds.
newer_keyring() {
  local folder=$1 archive=$2 suite
  for suite in "$(machine_suite)" stable; do
    mkdir -p "$folder/$suite"
    if update_apt_view "$folder/$suite/view" "$archive" "$suite" "signed-by=$archive_keyring" &&
      unpack_packages "$folder/$suite/view" "$folder/$suite" debian-archive-keyring; then
      echo "$folder/$suite$archive_keyring"
    fi
  done | tail -n 1
}

# The machine's own release where that is Debian, else one that the kernels' sources still hold.
machine_suite() (
  # shellcheck source=/dev/null
  . /etc/os-release
  [[ $ID == debian && -n ${VERSION_CODENAME:-} ]] || VERSION_CODENAME=bookworm
  echo "$VERSION_CODENAME"
)

# unpack_packages VIEW FOLDER PACKAGE... lays the packages' files out in FOLDER, installing nothing.
unpack_packages() {
  local view=$1 folder=$2 deb
  shift 2
  mkdir -p "$view/packages"
  (cd "$view/packages" && logged "$view/download.log" apt-get -q -c "$view/apt.conf" download "$@") || return
  for deb in "$view"/packages/*.deb; do
    dpkg --extract "$deb" "$folder"
    rm "$deb"
  done
}
