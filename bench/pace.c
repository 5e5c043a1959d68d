/*
 * What a machine takes for a fixed piece of work in C, in us: what the kernel does for a listing of lru_gen, done by a program. A list of objects, in no order in memory, is walked, each is
 * taken and put back, and its numbers are added up and formatted as text. The quotient of two machines' figures tells what the kernel time of one of them
 * would be on the other, without what entering a kernel costs on either.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { objects = 10000, numbers = 40, rounds = 15 };

struct object {
	struct object *next;
	atomic_long references;
	long pages[numbers];
	char rest[2048];
};

static struct object *make(void)
{
	struct object *all = calloc(objects, sizeof(*all));
	struct object **order = calloc(objects, sizeof(*order));

	if (!all || !order)
		exit(1);
	srandom(1);
	for (int i = 0; i < objects; i++) {
		int other = random() % (i + 1);

		order[i] = order[other];
		order[other] = &all[i];
	}
	for (int i = 0; i < objects; i++) {
		order[i]->next = i + 1 < objects ? order[i + 1] : NULL;
		for (int n = 0; n < numbers; n++)
			order[i]->pages[n] = random() % 1000;
	}
	return order[0];
}

static size_t list(struct object *first, char *text, size_t size)
{
	size_t used = 0;

	for (struct object *at = first; at; at = at->next) {
		atomic_fetch_add(&at->references, 1);
		if (used + 512 > size)
			used = 0;
		used += sprintf(text + used, "memcg %5ld %s\n node %5d\n", at->references, "/bench/some/memcg", 0);
		for (int generation = 0; generation < 4; generation++) {
			long sum = 0;

			for (int n = generation * 10; n < generation * 10 + 10; n++)
				sum += at->pages[n];
			used += sprintf(text + used, " %10d %10ld %10ld %10ld\n", generation, sum, at->pages[generation], sum * 7);
		}
		atomic_fetch_sub(&at->references, 1);
	}
	return used;
}

int main(void)
{
	static char text[65536];
	struct object *first = make();
	double least = 1e12;

	for (int round = 0; round < rounds; round++) {
		struct timespec start, end;

		clock_gettime(CLOCK_MONOTONIC, &start);
		if (list(first, text, sizeof(text)) == 0)
			return 1;
		clock_gettime(CLOCK_MONOTONIC, &end);
		/* The fastest: whatever else runs only makes it slower. */
		double us = (end.tv_sec - start.tv_sec) * 1e6 + (end.tv_nsec - start.tv_nsec) / 1e3;

		if (us < least)
			least = us;
	}
	printf("%.2f\n", least);
}
