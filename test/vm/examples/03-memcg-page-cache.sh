# 3) Memory cgroup scoped page cache reclaim
. "$(dirname "$0")/prelude.sh"

dd if=/dev/zero of=/ext4/test.data bs=1M count=128
from_disk
mkdir /cgroup/memory/test;                                \
echo $$ > /cgroup/memory/test/tasks;                      \
dd if=/ext4/test.data of=/dev/null bs=1M count=128
hold_for_a_while cfei
cat /cgroup/memory/test/memory.idle_page_stats | grep cfei
echo 0x1 > /sys/kernel/mm/coldpgs/mode;                   \
echo 1 > /cgroup/memory/test/memory.coldpgs.threshold;    \
echo 1000000 > /cgroup/memory/test/memory.coldpgs.size
cat /cgroup/memory/test/memory.idle_page_stats | grep cfei
cat /cgroup/memory/test/memory.coldpgs.stats
