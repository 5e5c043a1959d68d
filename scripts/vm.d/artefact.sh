# A cached artefact is a folder NAME-KEY, KEY being a hash of all that it is made from.
# The folder appears by one rename, so one that exists is complete.

cache=${COLDPGS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/coldpgs}
artefact=

digest() { sha256sum | cut -c 1-16; }

# recipe FILE... is the hash of those parts of this script that decide what is made.
recipe() { (cd "$parts" && cat "$@") | digest; }

# obtain NAME KEY BUILDER [ARG...] leaves the artefact's folder in $artefact,
# made by "BUILDER FOLDER ARG..." where it does not exist yet.
obtain() {
  local name=$1 key=$2
  shift 2
  artefact=$cache/$name-$key
  mkdir -p "$cache"
  [[ -d $artefact ]] || build "$name" "$@"
  touch "$artefact"
}

# Plain commands only: a builder stops at its first error, which bash forgets inside a condition.
build() {
  local name=$1 builder=$2
  shift 2
  (
    if ! flock --nonblock 9; then
      say "waiting for another run to finish $name"
      flock 9
    fi
    if [[ -d $artefact ]]; then
      exit
    fi
    unfinished=$cache/unfinished-$name
    rm -rf "$unfinished"
    mkdir "$unfinished"
    trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$unfinished"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    "$builder" "$unfinished" "$@" 9>&-
    forget_old "$name"
    mv --no-target-directory "$unfinished" "$artefact"
  ) 9>"$cache/$name.lock"
}

# Earlier versions that no run has used for a day.
forget_old() {
  local old
  for old in "$cache/$1"-????????????????; do
    if [[ -n $(find "$old" -maxdepth 0 -mmin +1440 2>/dev/null) ]]; then
      rm -rf "$old"
    fi
  done
}

# Folders of runs that were killed outright.
sweep_old_runs() {
  local old
  for old in "$cache"/run-*; do
    if [[ -d $old && ! -d /proc/${old##*-} ]]; then
      rm -rf "$old"
    fi
  done
}
