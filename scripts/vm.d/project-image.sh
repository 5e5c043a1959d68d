# The built project, as /opt/coldpgs of the guest: a disk of its own, so that a new build changes only that.

project_parts=(package.json dist mnt)

obtain_project() {
  local dependencies key
  if [[ ! -d $checkout/dist ]]; then
    if [[ -d $checkout/node_modules ]]; then
      fail "the project is not built: run 'npm run build'"
    fi
    fail "the project is not built: run 'npm ci && npm run build'"
  fi
  key=$({ node --version && recipe project-image.sh && cat "$checkout/package-lock.json"; } | digest)
  obtain dependencies "$key" build_dependencies
  dependencies=$artefact
  key=$({ basename "$dependencies" && recipe project-image.sh ext4-image.sh && project_stream; } | digest)
  obtain project "$key" build_project "$dependencies"
}

present_parts() {
  local part
  for part in "${project_parts[@]}"; do
    if [[ -e $checkout/$part ]]; then
      echo "$part"
    fi
  done
}

# Names, contents and exec bits, as one stream.
project_stream() {
  present_parts | tar --sort=name --mtime=@0 --owner=0 --group=0 -c -C "$checkout" -T -
}

build_dependencies() {
  local folder=$1
  say "installing the production packages (cached in $cache)"
  cp "$checkout"/package{,-lock}.json "$folder"
  if [[ -e $checkout/.npmrc ]]; then
    cp "$checkout/.npmrc" "$folder"
  fi
  logged "$folder/npm.log" npm ci --prefix "$folder" --omit=dev --ignore-scripts --prefer-offline --no-audit --no-fund
  mkdir -p "$folder/node_modules"
  rm -f "$folder"/{package.json,package-lock.json,.npmrc,npm.log}
}

build_project() {
  local folder=$1 dependencies=$2 tree=$1/tree name entry
  say "packing the project"
  mkdir "$tree" "$folder/bin"
  present_parts | tar -c -C "$checkout" -T - | tar -x -C "$tree"
  cp -a "$dependencies/node_modules" "$tree"
  list_bin | while IFS=$'\t' read -r name entry; do
    [[ -f $tree/$entry ]] || fail "package.json names $entry as the command $name, but it is not built"
    chmod 755 "$tree/$entry"
    ln -s "/opt/coldpgs/$entry" "$folder/bin/$name"
  done
  make_ext4_image "$tree" "$folder/project.img" 64
  rm -rf "$tree"
}

# NAME and ENTRY of each command in package.json, which gives one entry or one per name.
# shellcheck disable=SC2016 # JavaScript's own dollars
list_bin() {
  node --print '
    const { name, bin = {} } = JSON.parse(fs.readFileSync(process.argv[1]));
    const entries = typeof bin === "string" ? { [name.split("/").pop()]: bin } : bin;
    Object.entries(entries).map(([name, entry]) => `${name}\t${path.normalize(entry)}`).join("\n")
  ' "$checkout/package.json"
}
