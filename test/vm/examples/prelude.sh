# What the document leaves to the reader, for the examples beside this file: its "Prior to do page reclaim" part, and what stands in angle brackets there.
# Lines of the document are as they are in it, but for this period (15 there).

echo 1 > /sys/kernel/mm/kidled/use_hierarchy
echo 1 > /sys/kernel/mm/kidled/scan_period_in_seconds

mkdir -p /ext4
test=/cgroup/memory/test

# Whoever reads the file next reads it from disk and is charged for it.
from_disk() {
  dd if=/ext4/test.data of=/ext4/test.data bs=1M count=0 conv=notrunc,fsync status=none
  dd if=/ext4/test.data iflag=nocache count=0 status=none
}

# < Run test program to ... >: runs a set of /root/workload in the group test until the example ends.
run_test_program() {
  mkdir -p $test
  sh -c 'echo 0 > /cgroup/memory/test/tasks; exec /root/workload "$@"' sh "$@" > /tmp/test-program &
  program=$!
  until grep -q ready /tmp/test-program; do sleep 0.1; done
}

# < hold for a while, wait the page cache to become cold enough >: until a row of the histogram has had 123 MiB for some seconds.
hold_for_a_while() {
  held=0
  while [ $held -lt 4 ]; do
    sleep 1
    if cat $test/memory.idle_page_stats | awk -v row="$1" '$1 == row { for (i = 2; i <= NF; i++) sum += $i } END { exit sum < 123 * 1048576 }'; then
      held=$((held + 1))
    else
      held=0
    fi
  done
}

leave() {
  [ -z "$program" ] || kill "$program" || true
  wait
  echo $$ > /cgroup/memory/tasks
  rmdir $test
  rm -f /ext4/test.data
}
program=
trap leave EXIT
