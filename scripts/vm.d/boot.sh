# One run of the VM. The kernel's console goes to a file; the command's streams and its exit status go through
# ports of their own:
#   port 1   status: "started", then "EXIT-STATUS BYTES-OF-PORT-2 [BYTES-OF-PORT-3]"
#   port 2   standard output, or the terminal's output
#   port 3   standard error, or the terminal's input

start_limit=180
started_jobs=()
terminal_mode=
drives=()

# boot KERNEL INITRD ROOTFS PROJECT sets $exit_status to the command's.
boot() {
  local kernel=$1 initrd=$2 rootfs=$3 project=$4 ended code=0 qemu attendant relays=()
  mkfifo "$run"/port{1,2,3}
  write_order "$run/order.tar" "$project/bin"
  attach root "$rootfs/root.img" snapshot=on
  attach project "$project/project.img" snapshot=on
  attach modules "$kernel/modules.img" readonly=on
  attach order "$run/order.tar" readonly=on
  if [[ $swap != 0 ]]; then
    truncate --size "$swap" "$run/swap"
    attach swap "$run/swap" snapshot=off
  fi

  dd bs=64k status=none <"$run/port2" &
  relays+=("$!")
  if [[ $interactive ]]; then
    terminal_mode=$(stty --save)
    stty raw -echo
    dd bs=1k status=none <&0 >"$run/port3" &
    started_jobs+=("$!")
  else
    dd bs=64k status=none <"$run/port3" >&2 &
    relays+=("$!")
  fi
  start_qemu "$kernel/vmlinuz" "$initrd/initrd" &
  qemu=$!
  attend "${relays[@]}" &
  attendant=$!
  started_jobs+=("${relays[@]}" "$qemu" "$attendant")

  wait -n -p ended "$attendant" "$qemu" "${relays[@]}" || code=$?
  if [[ $ended != "$attendant" && $ended != "$qemu" && $code != 0 ]]; then
    exit_status=$code # Nobody reads the output any more.
    return
  fi
  code=0
  wait "$attendant" || code=$?
  show_terminal_as_before
  if [[ -s $run/exit-status ]]; then
    exit_status=$(<"$run/exit-status")
    return
  fi
  tail -n 40 "$run/console" | tr -d '\r' >&2
  cat "$run/qemu.log" >&2
  if ((code > 128)); then
    fail "the VM did not start within $start_limit s; its console ends as above"
  fi
  fail "the VM died before the command ended; its console ends as above"
}

attach() {
  drives+=(
    -drive "if=none,id=$1,file=$2,format=raw,cache=unsafe,$3"
    -device "virtio-blk-pci,drive=$1,serial=$1"
  )
}

# Dies with this script, even if that is killed outright.
start_qemu() {
  local input=file
  if [[ $interactive ]]; then
    input=pipe
  fi
  TMPDIR=$run exec setpriv --pdeathsig KILL "${emulator[@]}" \
    -nodefaults -no-user-config -display none -no-reboot \
    "${accelerator[@]}" -smp "$cpus" -m "$memory" \
    -kernel "$1" -initrd "$2" -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all ${append[*]}" \
    -serial "file:$run/console" "${drives[@]}" -device virtio-serial-pci \
    -chardev "file,id=port1,path=$run/port1" -device virtserialport,chardev=port1,nr=1 \
    -chardev "file,id=port2,path=$run/port2" -device virtserialport,chardev=port2,nr=2 \
    -chardev "$input,id=port3,path=$run/port3" -device virtserialport,chardev=port3,nr=3 \
    </dev/null >"$run/qemu.log" 2>&1
}

# attend RELAY... waits for the command's exit status, and until the relays have written all that the guest sent.
attend() {
  local code sent number
  exec <"$run/port1"
  read -r -t "$start_limit" || exit "$?"
  read -r code sent || exit 1
  read -r -a sent <<<"$sent"
  for number in "${!sent[@]}"; do
    shift "$((number > 0))"
    until [[ $(written_by "$1") -ge ${sent[number]} ]]; do
      sleep 0.02
    done
  done
  echo "$code" >"$run/exit-status"
}

written_by() { sed -n 's/^wchar: //p' "/proc/$1/io" 2>/dev/null || true; }

show_terminal_as_before() {
  if [[ $terminal_mode ]]; then
    stty "$terminal_mode" || true
    terminal_mode=
  fi
}

# On every way out. All of it is this run's own.
clean_up() {
  show_terminal_as_before
  if ((${#started_jobs[@]} > 0)); then
    kill -KILL "${started_jobs[@]}" 2>/dev/null || true
    wait "${started_jobs[@]}" 2>/dev/null || true
  fi
  rm -rf "$run"
}
