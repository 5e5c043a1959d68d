# 2) Global scoped locked page cache reclaim
. "$(dirname "$0")/prelude.sh"

dd if=/dev/zero of=/ext4/test.data bs=1M count=128
from_disk
# < Run program to mmap 128-MB file and lock the area >
run_test_program lockedfile:128:0:/ext4/test.data
# < hold for a while, wait the page cache to become cold enough >
hold_for_a_while cfui
cat /cgroup/memory/test/memory.idle_page_stats | grep cfui
echo 0x1 > /sys/kernel/mm/coldpgs/flags;                  \
echo 0x1 > /sys/kernel/mm/coldpgs/mode;                   \
echo 1 > /sys/kernel/mm/coldpgs/threshold
cat /cgroup/memory/test/memory.idle_page_stats | grep cfui
cat /cgroup/memory/test/memory.coldpgs.stats
