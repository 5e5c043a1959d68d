# 5) Global scoped anonymous page reclaim
. "$(dirname "$0")/prelude.sh"

# < Run test program to consume 128MB anonymous memory >
run_test_program anon:128:0
hold_for_a_while csei
cat /cgroup/memory/test/memory.idle_page_stats | grep cse
echo 0x2 > /sys/kernel/mm/coldpgs/mode;                   \
echo 1 > /sys/kernel/mm/coldpgs/threshold
cat /cgroup/memory/test/memory.idle_page_stats | grep cse
cat /cgroup/memory/test/memory.coldpgs.stats
cat /proc/swaps
