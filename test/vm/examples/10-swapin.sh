# 10) Swap in anonymous pages
. "$(dirname "$0")/prelude.sh"

# < Run test program to consume 128MB anonymous memory >
run_test_program anon:128:0
hold_for_a_while csei
cat /proc/swaps
cat /cgroup/memory/test/memory.stat | grep anon
cat /cgroup/memory/test/memory.idle_page_stats | grep cse
echo 0x2 > /sys/kernel/mm/coldpgs/mode;                   \
echo 1 > /cgroup/memory/test/memory.coldpgs.threshold;    \
echo 100000 > /cgroup/memory/test/memory.coldpgs.size
cat /cgroup/memory/test/memory.idle_page_stats | grep cse
cat /cgroup/memory/test/memory.coldpgs.stats
cat /proc/swaps
echo swapin > /cgroup/memory/test/memory.coldpgs.swapin
hold_for_a_while csei
cat /cgroup/memory/test/memory.idle_page_stats | grep cse
cat /proc/swaps
