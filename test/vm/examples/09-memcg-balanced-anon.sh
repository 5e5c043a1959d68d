# 9) Memory cgroup scoped balanced anonymous page reclaim
. "$(dirname "$0")/prelude.sh"

# < Run test program to consume 128MB anonymous memory >
# (one whose pages compress: random ones are none for zswap)
run_test_program packable:128:0
hold_for_a_while csei
cat /cgroup/memory/test/memory.idle_page_stats | grep cse
echo Y > /sys/module/zswap/parameters/enabled;            \
echo 0x2 > /sys/kernel/mm/coldpgs/mode;                   \
echo 1 > /sys/kernel/mm/coldpgs/threshold_nonrot;         \
echo 1 > /cgroup/memory/test/memory.coldpgs.threshold;    \
echo 100000 > /cgroup/memory/test/memory.coldpgs.size
cat /cgroup/memory/test/memory.idle_page_stats | grep cse
cat /cgroup/memory/test/memory.coldpgs.stats
cat /proc/swaps
cat /sys/kernel/debug/zswap/stored_pages
echo N > /sys/module/zswap/parameters/enabled
