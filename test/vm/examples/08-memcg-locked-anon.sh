# 8) Memory cgroup scoped locked anonymous page reclaim
. "$(dirname "$0")/prelude.sh"

# < Run test program to consume 128MB anonymous memory >
run_test_program locked:128:0
hold_for_a_while csui
cat /cgroup/memory/test/memory.idle_page_stats | grep csui
echo 0x1 > /sys/kernel/mm/coldpgs/flags;                  \
echo 0x2 > /sys/kernel/mm/coldpgs/mode;                   \
echo 1 > /cgroup/memory/test/memory.coldpgs.threshold;    \
echo 100000 > /cgroup/memory/test/memory.coldpgs.size
cat /cgroup/memory/test/memory.idle_page_stats | grep csui
cat /cgroup/memory/test/memory.coldpgs.stats
cat /proc/swaps
