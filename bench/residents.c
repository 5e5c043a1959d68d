/*
 * Processes that hold memory and do nothing but wake up now and then: what a memcg is made of while it is watched.
 *
 *   residents FOLDER COUNT PROCESSES KIB
 *
 * Makes COUNT memcgs below FOLDER (a folder of a cgroup v2 tree), each with so many processes of KIB of anonymous memory. Prints "ready" when
 * all of it is in memory; all processes end when their standard input does.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void reside(const char *memcg, size_t bytes, int ready)
{
	char file[300];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(file, sizeof file, "%s/cgroup.procs", memcg);
	int procs = open(file, O_WRONLY);
	if (procs < 0 || write(procs, "0", 1) != 1)
		die(file);
	close(procs);
	volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		die("mmap");
	for (size_t at = 0; at < bytes; at += 4096)
		memory[at] = 1;
	if (write(ready, "", 1) != 1)
		die("write");
	/* A quarter is used every five seconds. */
	for (;;) {
		sleep(5);
		for (size_t at = 0; at < bytes / 4; at += 4096)
			memory[at]++;
	}
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: residents FOLDER COUNT PROCESSES KIB\n");
		return 2;
	}
	int count = atoi(argv[2]), processes = atoi(argv[3]);
	size_t bytes = (size_t)atol(argv[4]) << 10;
	int ready[2];
	if (pipe(ready))
		die("pipe");
	for (int i = 0; i < count; i++) {
		char memcg[256];
		snprintf(memcg, sizeof memcg, "%s/m%d", argv[1], i);
		if (mkdir(memcg, 0755))
			die(memcg);
		for (int p = 0; p < processes; p++) {
			pid_t pid = fork();
			if (pid < 0)
				die("fork");
			if (pid == 0)
				reside(memcg, bytes, ready[1]);
		}
	}
	char byte;
	for (int i = 0; i < count * processes; i++)
		if (read(ready[0], &byte, 1) != 1)
			die("read");
	printf("ready\n");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return 0;
}
