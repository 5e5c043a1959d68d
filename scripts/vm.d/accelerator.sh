# KVM where it really runs the kernel, else plain emulation. /dev/kvm may exist and still fail, so one short boot
# decides, once for each boot of this machine.

# choose_accelerator KERNEL-FOLDER INITRD sets $accelerator, and adds to $append what tells the guest of its clock.
choose_accelerator() {
  local verdict
  verdict=$cache/kvm-$(basename "$1")-$(</proc/sys/kernel/random/boot_id)
  if [[ ! -e $verdict ]]; then
    rm -f "$cache/kvm-$(basename "$1")"-*
    probe_kvm "$1" "$2" >"$run/verdict"
    mv "$run/verdict" "$verdict"
  fi
  if [[ $(<"$verdict") == kvm ]]; then
    accelerator=(-accel kvm -cpu host)
  else
    # What a real processor does fast and an emulator slowly: string instructions copy byte by byte (read(2) of page cache takes five times as long,
    # zeroing twice), guards of the kernel's access to user memory flush translations, and a fifth level of page tables is one walk more.
    accelerator=(-cpu 'max,la57=off,erms=off,fsrm=off,fzrm=off,fsrs=off,smap=off,smep=off,umip=off')
    if [[ $virtual_time ]]; then
      accelerator+=(-accel 'tcg,thread=single' -icount 'shift=0,sleep=off')
      append+=(coldpgs.clock=instructions)
    else
      accelerator+=(-accel 'tcg,thread=multi')
    fi
  fi
}

probe_kvm() {
  if [[ ! -w /dev/kvm ]]; then
    echo tcg
    return
  fi
  say "probing KVM, 10 s at most"
  boot_briefly "$@" 2>/dev/null || true
  if grep -qs coldpgs-vm-booted "$run/probe"; then
    echo kvm
  else
    say "KVM does not run this kernel here: emulating"
    echo tcg
  fi
}

# In a subshell, whose word about an aborted QEMU nobody needs.
boot_briefly() (
  timeout --kill-after 1 10 "${emulator[@]}" -nodefaults -no-user-config -display none -no-reboot \
    -accel kvm -cpu host -m 512M -kernel "$1/vmlinuz" -initrd "$2" \
    -append 'console=ttyS0 quiet panic=-1 coldpgs.probe' -serial "file:$run/probe" </dev/null >/dev/null 2>&1
)
