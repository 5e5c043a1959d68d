# Debian packages that this machine itself needs.

# At most once an hour; a third party's list that fails is no reason to stop.
refresh_package_lists() {
  local stamp=$cache/package-lists-refreshed
  if [[ -n $(find "$stamp" -mmin -60 2>/dev/null) ]]; then
    return
  fi
  say "refreshing the package lists"
  apt-get -q update >"$cache/package-lists.log" 2>&1 ||
    say "some package lists could not be refreshed ($cache/package-lists.log)"
  touch "$stamp"
}

need_packages() {
  local package missing=()
  command -v apt-get >/dev/null || fail "this needs a Debian system: apt-get is not here"
  for package; do
    if [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
      missing+=("$package")
    fi
  done
  if ((${#missing[@]} == 0)); then
    return
  fi
  ((EUID == 0)) || fail "run as root, or install: apt-get install ${missing[*]}"
  refresh_package_lists
  say "installing ${missing[*]}"
  DEBIAN_FRONTEND=noninteractive logged "$cache/packages.log" \
    apt-get -q -o DPkg::Lock::Timeout=600 install --yes --no-install-recommends "${missing[@]}"
}
