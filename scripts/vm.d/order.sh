# The order of one run, a tar file that the guest reads from a disk:
#   command    the words of the command, each ended by a NUL byte
#   home/      the copied files, for /root
#   bin/       links to the project's commands
#   merged     present: standard error goes where standard output goes
#   terminal   present: run on a terminal of this "TERM ROWS COLUMNS"

write_order() {
  local file=$1 bin=$2 tree=$run/order path
  mkdir -p "$tree/home"
  printf '%s\0' "${command[@]}" >"$tree/command"
  cp -r --preserve=links "$bin" "$tree/bin"
  for path in "${copies[@]}"; do
    cp -aH "$path" "$tree/home/$(basename "$(realpath --no-symlinks "$path")")"
  done
  if [[ $interactive ]]; then
    echo "${TERM:-linux} $(stty size)" >"$tree/terminal"
  elif [[ /dev/stdout -ef /dev/stderr ]]; then
    : >"$tree/merged"
  fi
  tar -c --owner=0 --group=0 -f "$file" -C "$tree" .
  rm -rf "$tree"
}
