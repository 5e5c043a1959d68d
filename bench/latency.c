/*
 * Latency of open + read + close of one file, as a shell's cat sees it but for the process; with -p of pread at 0 alone, the file being open.
 *
 *   latency [-p] FILE ROUNDS CLIENTS      prints: p50_us p99_us per_second
 *   latency [-p] FILE 0 1 SECONDS         the same, for so many seconds
 *   latency [-p] FILE 0 1 SECONDS MS      the same with a pause after each; prints the longest as well, in us, as a fourth number
 *   latency -e - 0 1 SECONDS              of a byte to another process and back: what the scheduler makes of any server
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
	float difference = *(const float *)a - *(const float *)b;
	return (difference > 0) - (difference < 0);
}

static float pread_once(int fd, const char *file)
{
	char text[65536];
	double start_us = now_us();
	if (pread(fd, text, sizeof text, 0) <= 0) {
		perror(file);
		exit(1);
	}
	return now_us() - start_us;
}

static int to_server[2], to_client[2];

static void serve_echo(void)
{
	if (pipe(to_server) || pipe(to_client)) {
		perror("pipe");
		exit(1);
	}
	if (fork())
		return;
	char byte;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(to_server[0], &byte, 1) == 1 && write(to_client[1], &byte, 1) == 1)
		;
	_exit(0);
}

static float echo_once(int, const char *)
{
	char byte = 0;
	double start_us = now_us();
	if (write(to_server[1], &byte, 1) != 1 || read(to_client[0], &byte, 1) != 1) {
		perror("echo");
		exit(1);
	}
	return now_us() - start_us;
}

static float once(int, const char *file)
{
	char text[65536];
	double start_us = now_us();
	int fd = open(file, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof text) <= 0) {
		perror(file);
		exit(1);
	}
	close(fd);
	return now_us() - start_us;
}

int main(int argc, char **argv)
{
	int preads = argc > 1 && !strcmp(argv[1], "-p"), echoes = argc > 1 && !strcmp(argv[1], "-e");
	argc -= preads || echoes, argv += preads || echoes;
	if (argc < 4) {
		fprintf(stderr, "usage: latency [-p | -e] FILE ROUNDS CLIENTS [SECONDS [MS]]\n");
		return 2;
	}
	size_t rounds = atol(argv[2]), clients = atol(argv[3]);
	double seconds = argc > 4 ? atof(argv[4]) : 0;
	useconds_t pause_us = argc > 5 ? atoi(argv[5]) * 1000 : 0;
	if (seconds)
		rounds = 1000000;
	float *us = mmap(NULL, rounds * clients * sizeof *us, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t *done = mmap(NULL, clients * sizeof *done, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double start_us = now_us();
	for (size_t client = 0; client < clients; client++) {
		if (fork())
			continue;
		int fd = preads ? open(argv[1], O_RDONLY) : -1;
		if (echoes)
			serve_echo();
		float (*once_of)(int, const char *) = preads ? pread_once : echoes ? echo_once : once;
		for (int warm = 0; warm < 20; warm++)
			once_of(fd, argv[1]);
		for (size_t round = 0; round < rounds && (!seconds || now_us() - start_us < seconds * 1e6); round++) {
			us[client * rounds + done[client]++] = once_of(fd, argv[1]);
			if (pause_us)
				usleep(pause_us);
		}
		_exit(0);
	}
	int status, failed = 0;
	while (wait(&status) > 0)
		failed |= status;
	if (failed)
		return 1;
	double took_us = now_us() - start_us;
	size_t all = 0;
	for (size_t client = 0; client < clients; client++)
		for (size_t round = 0; round < done[client]; round++)
			us[all++] = us[client * rounds + round];
	qsort(us, all, sizeof *us, ascending);
	printf("%.1f %.1f %.0f", us[all / 2], us[all * 99 / 100], all / took_us * 1e6);
	printf(pause_us ? " %.1f\n" : "\n", us[all - 1]);
	return 0;
}
