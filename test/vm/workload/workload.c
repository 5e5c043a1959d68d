/*
 * Memory whose use is known: the truth that coldpgs is measured against.
 *
 *   workload SET...     SET is TYPE:MIB:EVERY_MS[:FILE], EVERY_MS 0 for a set that is never touched again
 *     anon:128:0                  anonymous memory
 *     mapped:48:500:/root/a       page cache of FILE, touched through a mapping
 *     collapsible:48:500:/root/a  the same, of which khugepaged may make huge folios; it may of no other
 *     read:48:500:/root/b         page cache of FILE, used through read(2) only
 *     packable:32:0               anonymous memory that compresses well: random data of the others is none for zswap
 *     locked:16:0                 anonymous memory, mlocked
 *     lockedfile:16:0:/root/c     page cache of FILE, mapped and mlocked
 *     holes:256:0                 anonymous memory of which one page of each two was given back: it leaves what is free in single pages
 *
 * Files must exist and be as large as the set. Prints "ready PID" when every set is in memory. On SIGUSR1 prints for each set
 *   TYPE MIB EVERY_MS resident PAGES lost PAGES gap MS idle MS busy US rounds N cpu US
 * and then "end". `idle` is the time since the last use of the set began. `lost` counts the pages that were found missing when a set was about to be touched; `gap` is the longest
 * time since the last report that a page of the set may have gone untouched; `busy` and `rounds` are the time spent touching the set
 * since then, and how often it was, `cpu` what of it this program itself took, in the kernel as well. Ends on SIGTERM.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MOST_SETS = 16 };

struct set {
	char type[16];
	size_t mib, pages;
	long every_ms;
	int fd;
	volatile char *memory;
	unsigned char *present;
	size_t lost;
	long due_ms;
	long touched_ms;
	long gap_ms;
	long busy_us, cpu_us;
	size_t rounds;
};

static struct set sets[MOST_SETS];
static int set_count;
static volatile sig_atomic_t report_wanted, end_wanted;

static void on_signal(int signal_number)
{
	if (signal_number == SIGUSR1)
		report_wanted = 1;
	else
		end_wanted = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long us_by(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static long now_us(void)
{
	return us_by(CLOCK_MONOTONIC);
}

static long now_ms(void)
{
	return now_us() / 1000;
}

enum { CHUNK_PAGES = (1 << 20) / PAGE };

static size_t missing(struct set *set, size_t first, size_t pages)
{
	size_t absent = 0;
	if (mincore((char *)set->memory + first * PAGE, pages * PAGE, set->present))
		die("mincore");
	for (size_t page = 0; page < pages; page++)
		absent += !(set->present[page] & 1);
	return absent;
}

/* Megabyte by megabyte, each looked at just before it is touched: what is evicted in mid-round counts as well. */
static void touch(struct set *set, int count_lost)
{
	static char buffer[1 << 20];
	volatile char sum = 0;
	for (size_t mib = 0; mib < set->mib; mib++) {
		size_t first = mib * CHUNK_PAGES;
		if (count_lost)
			set->lost += missing(set, first, CHUNK_PAGES);
		if (!strcmp(set->type, "read")) {
			if (pread(set->fd, buffer, sizeof buffer, (off_t)mib << 20) != sizeof buffer)
				die("pread");
			continue;
		}
		for (size_t page = first; page < first + CHUNK_PAGES; page++)
			sum += set->memory[page * PAGE];
	}
}

/* xorshift64 */
static unsigned long next_random(unsigned long seed)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^ seed << 17;
}

static void open_set(struct set *set, const char *text)
{
	char file[256] = "";
	if (sscanf(text, "%15[^:]:%zu:%ld:%255s", set->type, &set->mib, &set->every_ms, file) < 3) {
		fprintf(stderr, "workload: not a set: %s\n", text);
		exit(2);
	}
	set->pages = (set->mib << 20) / PAGE;
	set->present = malloc(set->pages);
	int holes = !strcmp(set->type, "holes");
	int packable = !strcmp(set->type, "packable"); /* its pages compress to about a third */
	int anonymous = holes || packable || !strcmp(set->type, "anon") || !strcmp(set->type, "locked");
	set->fd = anonymous ? -1 : open(file, O_RDONLY);
	if (!anonymous && set->fd < 0)
		die(file);
	set->memory = mmap(NULL, set->mib << 20, anonymous ? PROT_READ | PROT_WRITE : PROT_READ,
			   anonymous ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, set->fd, 0);
	if (set->memory == MAP_FAILED)
		die("mmap");
	if (strcmp(set->type, "collapsible"))
		madvise((void *)set->memory, set->mib << 20, MADV_NOHUGEPAGE);
	if (anonymous) {
		unsigned long seed = 88172645463325252UL;
		for (size_t word = 0; word < (set->mib << 20) / sizeof seed; word++) {
			seed = next_random(seed);
			((volatile unsigned long *)set->memory)[word] = packable && word % 4 ? 1 : seed;
		}
		if (!strcmp(set->type, "locked") && mlock((void *)set->memory, set->mib << 20))
			die("mlock");
		/* Now the one, now the other: of every second page a kernel's compaction sees all or nothing, since it looks at every 2nd to 32nd
		 * page of a block for free ones when it found none before (stride in isolate_freepages, mm/compaction.c). */
		for (size_t page = 0; holes && page + 1 < set->pages; page += 2) {
			seed = next_random(seed);
			madvise((char *)set->memory + (page + (seed >> 63)) * PAGE, PAGE, MADV_DONTNEED);
		}
	} else {
		touch(set, 0);
		if (!strcmp(set->type, "lockedfile") && mlock((void *)set->memory, set->mib << 20))
			die("mlock");
	}
	set->touched_ms = now_ms();
	set->due_ms = set->touched_ms + set->every_ms;
}

/* From the start of the last round to the end of this one: no page went untouched for longer. */
static void touch_again(struct set *set)
{
	long start_ms = now_ms(), start_us = now_us(), start_cpu_us = us_by(CLOCK_PROCESS_CPUTIME_ID);
	touch(set, 1);
	set->busy_us += now_us() - start_us;
	set->cpu_us += us_by(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_us;
	set->rounds++;
	long gap_ms = now_ms() - set->touched_ms;
	if (gap_ms > set->gap_ms)
		set->gap_ms = gap_ms;
	set->touched_ms = start_ms;
}

static void report(void)
{
	for (struct set *set = sets; set < sets + set_count; set++) {
		printf("%s %zu %ld resident %zu lost %zu gap %ld idle %ld busy %ld rounds %zu cpu %ld\n", set->type, set->mib, set->every_ms,
		       set->pages - missing(set, 0, set->pages), set->lost, set->gap_ms,
		       now_ms() - set->touched_ms, set->busy_us, set->rounds, set->cpu_us);
		set->gap_ms = set->busy_us = set->cpu_us = 0;
		set->rounds = 0;
	}
	printf("end\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (argc < 2 || argc > MOST_SETS + 1) {
		fprintf(stderr, "usage: workload TYPE:MIB:EVERY_MS[:FILE]...\n");
		return 2;
	}
	/* The program itself is no part of what is measured: its own pages, gone cold, would come back as refaults. */
	if (mlockall(MCL_CURRENT))
		die("mlockall");
	for (int i = 1; i < argc; i++)
		open_set(&sets[set_count++], argv[i]);
	printf("ready %d\n", getpid());
	fflush(stdout);
	while (!end_wanted) {
		long nap_ms = 1000;
		for (struct set *set = sets; set < sets + set_count; set++) {
			if (!set->every_ms)
				continue;
			if (now_ms() >= set->due_ms) {
				touch_again(set);
				set->due_ms += set->every_ms;
				if (set->due_ms < now_ms())
					set->due_ms = now_ms();
			}
			long until_ms = set->due_ms - now_ms();
			if (until_ms < nap_ms)
				nap_ms = until_ms < 0 ? 0 : until_ms;
		}
		if (report_wanted) {
			report_wanted = 0;
			report();
		}
		struct timespec nap = { nap_ms / 1000, nap_ms % 1000 * 1000000 };
		nanosleep(&nap, NULL);
	}
	return 0;
}
