/*
 * A program that notices what is done to it.
 *
 *   checker registers MIB    spins over its registers, its red zone and its memory, with signals, and threads that map and unmap
 *   checker waits MIB        waits in each way that the kernel restarts or ends by itself; no wait may end early, nor with EINTR but for a handler
 *   checker sleeps MIB       the same without the waits that every stop of a process ends with EINTR: epoll_wait, sigtimedwait
 *   checker idle MIB         waits for the end
 *   checker seccomp MIB      the same with a seccomp filter, one that allows everything
 *
 * Has MIB of anonymous memory, mlocked. Prints "ready PID ADDRESS", and at the end (SIGTERM) "ok" and how much it did. What is wrong it says, and ends with status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ended, alarms;
static unsigned char *memory;
static size_t bytes;
const unsigned long pattern[64] __attribute__((aligned(32))) = {
#define EIGHT(n) n + 0x1111, n + 0x2222, n + 0x3333, n + 0x4444, n + 0x5555, n + 0x6666, n + 0x7777, n + 0x8888
	EIGHT(0x9e3779b97f4a7c15), EIGHT(0xbf58476d1ce4e5b9), EIGHT(0x94d049bb133111eb), EIGHT(0x2545f4914f6cdd1d),
	EIGHT(0x5851f42d4c957f2d), EIGHT(0x14057b7ef767814f), EIGHT(0xda942042e4dd58b5), EIGHT(0x369dea0f31a53f85),
};

static void wrong(const char *what)
{
	fprintf(stderr, "checker: %s (errno %d)\n", what, errno);
	_exit(1);
}

#ifdef __x86_64__
/* Fills registers and red zone, and looks at all of them so many times. Answers 0, or what was not as it should be. */
long spin(long rounds);
__asm__(".text\n.globl spin\n.type spin,@function\nspin:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rdi, -8(%rsp)\n"
#define FILL(reg, i) "mov pattern+8*" #i "(%rip), %" #reg "\n"
#define ALL(op) op(rbx, 0) op(rcx, 1) op(rdx, 2) op(rsi, 3) op(rdi, 4) op(rbp, 5) op(r8, 6) op(r9, 7) \
	op(r10, 8) op(r11, 9) op(r12, 10) op(r13, 11) op(r14, 12) op(r15, 13)
#define FILL_VECTOR(reg, i) "movdqa pattern+16*" #i "(%rip), %" #reg "\n"
#define VECTORS(op) op(xmm0, 0) op(xmm1, 1) op(xmm2, 2) op(xmm3, 3) op(xmm4, 4) op(xmm5, 5) op(xmm6, 6) op(xmm7, 7) \
	op(xmm8, 8) op(xmm9, 9) op(xmm10, 10) op(xmm11, 11) op(xmm12, 12) op(xmm13, 13) op(xmm14, 14)
#define ZONE(op) op(16, 20) op(24, 21) op(32, 22) op(40, 23) op(48, 24) op(56, 25) op(64, 26) op(72, 27) \
	op(80, 28) op(88, 29) op(96, 30) op(104, 31) op(112, 32) op(120, 33) op(128, 34)
#define FILL_ZONE(at, i) "mov pattern+8*" #i "(%rip), %rax; mov %rax, -" #at "(%rsp)\n"
	ZONE(FILL_ZONE) ALL(FILL) VECTORS(FILL_VECTOR)
	"1:\n"
#define LOOK(reg, i) "cmp pattern+8*" #i "(%rip), %" #reg "; mov $" #i "+1, %eax; jne 2f\n"
#define LOOK_VECTOR(reg, i) "movdqa %" #reg ", %xmm15; pcmpeqb pattern+16*" #i "(%rip), %xmm15; pmovmskb %xmm15, %eax\n" \
	"cmp $0xffff, %eax; mov $" #i "+101, %eax; jne 2f\n"
#define LOOK_ZONE(at, i) "mov pattern+8*" #i "(%rip), %rax; cmp %rax, -" #at "(%rsp); mov $" #at "+200, %eax; jne 2f\n"
	ALL(LOOK) VECTORS(LOOK_VECTOR) ZONE(LOOK_ZONE)
	"decq -8(%rsp); jnz 1b\n"
	"xor %eax, %eax\n"
	"2: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

/* The upper halves, which sigreturn can lose. */
__attribute__((target("avx2"))) static long spin_wide(long rounds)
{
	long wrong = 0;
	for (long round = 0; round < rounds && !wrong; round++)
		__asm__ volatile("vmovdqa pattern(%%rip), %%ymm5; vmovdqa pattern+64(%%rip), %%ymm6\n"
				 "mov $300, %%ecx; 1: pause; dec %%ecx; jnz 1b\n"
				 "vpcmpeqb pattern(%%rip), %%ymm5, %%ymm7; vpcmpeqb pattern+64(%%rip), %%ymm6, %%ymm8\n"
				 "vpand %%ymm7, %%ymm8, %%ymm7; vpmovmskb %%ymm7, %%ecx; not %%ecx; mov %%rcx, %0\n"
				 : "=r"(wrong) : : "rcx", "xmm5", "xmm6", "xmm7", "xmm8");
	return wrong & 0xffffffff;
}
static int is_wide(void) { return __builtin_cpu_supports("avx2"); }
#else
static long spin(long rounds) { (void)rounds; return 0; }
static long spin_wide(long rounds) { (void)rounds; return 0; }
static int is_wide(void) { return 0; }
#endif

static void look_at_memory(size_t from, size_t until)
{
	for (size_t at = from; at < until; at += 512)
		if (memory[at] != (unsigned char)(at * 31 >> 9))
			wrong("memory");
}

static void on_signal(int number)
{
	if (number == SIGTERM)
		ended = 1;
	else
		alarms++;
}

static void *busy_thread(void *unused)
{
	(void)unused;
	while (!ended) {
		long what = spin(200);
		if (what)
			wrong("a register of a thread");
		char *map = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		map[1 << 15] = 1;
		munmap(map, 1 << 16);
	}
	return NULL;
}

static unsigned long check_registers(void)
{
	unsigned long rounds = 0;
	pthread_t threads[2];
	struct itimerval often = { { 0, 700 }, { 0, 700 } };
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, busy_thread, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (!ended) {
		long what = spin(100);
		if (what) {
			fprintf(stderr, "checker: register %ld\n", what);
			_exit(1);
		}
		if (is_wide() && spin_wide(3))
			wrong("a wide register");
		sigset_t mask;
		sigprocmask(SIG_SETMASK, NULL, &mask);
		if (sigismember(&mask, SIGALRM) || sigismember(&mask, SIGINT))
			wrong("the signal mask");
		stack_t stack;
		sigaltstack(NULL, &stack);
		if (!(stack.ss_flags & SS_DISABLE))
			wrong("the alternate stack");
		size_t at = rounds * 65536 % bytes;
		look_at_memory(at, at + 65536);
		rounds++;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	if (!alarms)
		wrong("no signal came");
	return rounds;
}

static long now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum { WAIT_MS = 20 };

/* One wait of each kind, that nothing but the clock ends. */
static void wait_somehow(int kind, int epoll, int pipe_end)
{
	struct timespec span = { 0, WAIT_MS * 1000000 }, left = span;
	struct pollfd fd = { pipe_end, POLLIN, 0 };
	struct epoll_event event;
	sigset_t mask, usual;
	fd_set set;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_BLOCK, NULL, &usual);
	int result = 0;
	switch (kind) {
	case 0: result = nanosleep(&span, &left); break;
	case 1: result = poll(&fd, 1, WAIT_MS); break;
	case 2: result = clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL); break;
	case 3: FD_ZERO(&set); FD_SET(pipe_end, &set); result = pselect(pipe_end + 1, &set, NULL, NULL, &span, &mask); break;
	case 4: result = ppoll(&fd, 1, &span, &mask); break;
	case 5: result = epoll_wait(epoll, &event, 1, WAIT_MS); break;
	case 6: sigprocmask(SIG_BLOCK, &mask, NULL); result = sigtimedwait(&mask, NULL, &span) == -1 && errno == EAGAIN ? 0 : -1;
		sigprocmask(SIG_SETMASK, &usual, NULL); break;
	}
	if (result && !ended) {
		fprintf(stderr, "checker: wait %d ended with %d\n", kind, result);
		wrong("a wait");
	}
}

static unsigned long check_waits(int kinds)
{
	unsigned long rounds = 0;
	int ends[2], epoll = epoll_create1(0);
	if (pipe(ends))
		wrong("pipe");
	while (!ended) {
		int kind = (rounds++ + 5) % kinds;
		long start = now_us();
		wait_somehow(kind, epoll, ends[0]);
		if (!ended && now_us() - start < WAIT_MS * 1000 - 100)
			wrong("a wait that was too short");
		/* And one that a handler must end, whatever else happens at the same time. */
		struct itimerval soon = { { 0, 3000 }, { 0, 3000 } }, never = { { 0, 0 }, { 0, 0 } };
		sig_atomic_t before = alarms;
		setitimer(ITIMER_REAL, &soon, NULL);
		struct pollfd fd = { ends[0], POLLIN, 0 };
		struct epoll_event event;
		int result = rounds & 1 || kinds < 7 ? poll(&fd, 1, 60000) : epoll_wait(epoll, &event, 1, 60000);
		if (!ended && (result != -1 || errno != EINTR || alarms == before)) {
			fprintf(stderr, "checker: a wait that a handler should have ended gave %d after %d signals\n", result, (int)(alarms - before));
			wrong("that wait");
		}
		setitimer(ITIMER_REAL, &never, NULL);
		look_at_memory(0, 65536);
	}
	return rounds;
}

static void filter_calls(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		wrong("seccomp");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	struct sigaction action = { .sa_handler = on_signal };
	sigaction(SIGALRM, &action, NULL);
	sigset_t none;
	sigemptyset(&none);
	bytes = strtoul(argv[2], NULL, 10) << 20;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t at = 0; at < bytes; at += 512)
		memory[at] = (unsigned char)(at * 31 >> 9);
	if (mlock(memory, bytes))
		wrong("mlock");
	if (!strcmp(argv[1], "seccomp"))
		filter_calls();
	action.sa_flags = SA_RESTART;
	sigaction(SIGTERM, &action, NULL);
	printf("ready %d %lx\n", getpid(), (unsigned long)memory);
	fflush(stdout);
	unsigned long rounds = 0;
	if (!strcmp(argv[1], "registers"))
		rounds = check_registers();
	else if (!strcmp(argv[1], "waits"))
		rounds = check_waits(7);
	else if (!strcmp(argv[1], "sleeps"))
		rounds = check_waits(5);
	else
		while (!ended)
			usleep(10000);
	look_at_memory(0, bytes);
	printf("ok %lu\n", rounds);
	return 0;
}
