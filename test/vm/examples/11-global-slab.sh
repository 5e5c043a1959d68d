# 11) Global scoped slab object reclaim
. "$(dirname "$0")/prelude.sh"
program=
mkdir $test

# < Run test program to produce a lot of cold slab objects >
(
  echo 0 > $test/tasks
  mkdir -p /ext4/slab
  i=0
  while [ $i -lt 20000 ]; do
    [ -e /ext4/slab/no-such-name-$i ] || i=$((i + 1))
  done
)
echo 3 > /sys/kernel/mm/kidled/scan_target
sleep 4
cat /sys/fs/cgroup/memory/memory.idle_page_stats | grep slab
echo 0x4 > /sys/kernel/mm/coldpgs/mode
# 120 in the document: its objects had been cold for that many periods
echo 1 > /sys/kernel/mm/coldpgs/threshold
cat /sys/fs/cgroup/memory/memory.coldpgs.stats
cat /cgroup/memory/test/memory.coldpgs.stats
