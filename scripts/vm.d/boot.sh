# One run of the VM. The kernel's console goes to a file; the command's streams and its exit status go through
# ports of their own:
#   port 1   status: "started", then "EXIT-STATUS BYTES-OF-PORT-2 [BYTES-OF-PORT-3]"
#   port 2   standard output, or the terminal's output
#   port 3   standard error, or the terminal's input

start_limit=120
drives=()
jobs_at_work=()
terminal_mode=
exit_status=

# boot KERNEL INITRD ROOTFS PROJECT sets $exit_status to the command's.
boot() {
  local kernel=$1 initrd=$2 rootfs=$3 project=$4 attempt
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
  # Emulation has races that a busy machine brings out, nearly all of them early. Until the command starts,
  # another attempt is safe.
  for attempt in 1 2 3; do
    run_vm "$kernel/vmlinuz" "$initrd/initrd"
    if [[ $exit_status || -e $run/started ]]; then
      break
    fi
    say "the VM did not start (attempt $attempt of 3)"
  done
  if [[ ! $exit_status ]]; then
    tail -n 60 "$run/console" | tr -d '\r' >&2
    cat "$run/qemu.log" >&2
    [[ -e $run/started ]] || fail "the VM did not start; its console ends as above"
    fail "the VM died before the command ended; its console ends as above"
  fi
}

attach() {
  drives+=(
    -drive "if=none,id=$1,file=$2,format=raw,cache=unsafe,$3"
    -device "virtio-blk-pci,drive=$1,serial=$1"
  )
}

run_vm() {
  local qemu attendant relays=() ended code=0
  dd bs=64k status=none <"$run/port2" &
  relays+=("$!")
  if [[ $interactive ]]; then
    terminal_mode=$(stty --save)
    stty raw -echo
    dd bs=1k status=none <&0 >"$run/port3" &
    jobs_at_work+=("$!")
  else
    dd bs=64k status=none <"$run/port3" >&2 &
    relays+=("$!")
  fi
  start_qemu "$1" "$2" &
  qemu=$!
  attend "${relays[@]}" &
  attendant=$!
  jobs_at_work+=("${relays[@]}" "$qemu" "$attendant")

  wait -n -p ended "$attendant" "$qemu" "${relays[@]}" 2>/dev/null || code=$?
  if [[ $ended == "$attendant" || $ended == "$qemu" || $code == 0 ]]; then
    wait "$attendant" || true
    exit_status=$(cat "$run/exit-status" 2>/dev/null || true)
  else
    exit_status=$code # Nobody reads the output any more.
  fi
  end_jobs
}

# Dies with this script, even if that is killed outright.
start_qemu() {
  local input=file
  if [[ $interactive ]]; then
    input=pipe
  fi
  : >"$run/console"
  # Guards against hostile programs, which there are none of here, take an emulator a quarter of its time.
  local kernel_options="console=ttyS0 quiet panic=-1 mitigations=off init_on_alloc=0 ${append[*]}"
  TMPDIR=$run exec setpriv --pdeathsig KILL "${emulator[@]}" \
    -nodefaults -no-user-config -display none -no-reboot \
    "${accelerator[@]}" -smp "$cpus" -m "$memory" \
    -kernel "$1" -initrd "$2" -append "$kernel_options" \
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
  read -r -t "$start_limit" || exit 0
  : >"$run/started"
  read -r code sent || exit 0
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

# Also gives the terminal its own mode back.
end_jobs() {
  if [[ $terminal_mode ]]; then
    stty "$terminal_mode" || true
    terminal_mode=
  fi
  if ((${#jobs_at_work[@]} > 0)); then
    kill -KILL "${jobs_at_work[@]}" 2>/dev/null || true
    wait "${jobs_at_work[@]}" 2>/dev/null || true
    jobs_at_work=()
  fi
}

# On every way out. All of it is this run's own.
clean_up() {
  end_jobs
  rm -rf "$run"
}
