# What the script says about itself goes to standard error, one line per stage.

say() { printf 'vm: %s\n' "$*" >&2; }

# 125 is never the guest command's own business: the VM itself failed.
fail() {
  say "$*"
  exit 125
}

# while_telling TEXT COMMAND [ARG...] says every 20 seconds that COMMAND is still at work.
while_telling() {
  local text=$1 start=$SECONDS
  shift
  (
    trap 'kill "$pause"; exit' TERM
    while true; do
      sleep 20 &
      pause=$!
      wait "$pause"
      say "$text: $((SECONDS - start)) s so far"
    done
  ) &
  "$@"
  kill %+
}

# logged LOG COMMAND [ARG...] keeps COMMAND quiet unless it fails.
logged() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return
  tail -n 20 "$log" >&2
  fail "'$1' failed"
}
