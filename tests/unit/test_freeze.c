/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target/freeze.h"

#define THREADS   6
#define WAIT_MS   10000 /* for what must come */
#define STILL_MS  60    /* for what must not */
#define TRACED_BY "TracerPid:"

/* Seen by parent, child and grandchild. */
struct shared {
	atomic_ulong counters[THREADS];
	atomic_uint ready, signals;
	atomic_int target;
};

static const volatile sig_atomic_t go_on; /* nobody asks to stop */

static struct shared *shared_new(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(shared, MAP_FAILED);
	return shared;
}

static void pause_ms(unsigned int ms)
{
	struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&pause, NULL);
}

struct counting {
	struct shared *shared;
	int index;
};

static void *count(void *ctx)
{
	const struct counting *counting = ctx;

	counting->shared->ready++;
	for (;;) {
		counting->shared->counters[counting->index]++;
		if (counting->index % 2) /* some sleep in the kernel, some never do */
			pause_ms(1);
	}
	return NULL;
}

static struct shared *signalled;

static void on_signal(int number)
{
	(void)number;
	signalled->signals++;
}

/* A process of so many threads that count. It ends with its parent. */
static void be_counted(struct shared *shared, int threads)
{
	struct counting counting[THREADS];
	pthread_t thread;

	alarm(60); /* whatever becomes of the test */
	signalled = shared;
	signal(SIGUSR1, on_signal);
	for (int i = 0; i < threads; i++) {
		counting[i] = (struct counting){ shared, i };
		if (i && pthread_create(&thread, NULL, count, &counting[i]))
			_exit(3);
	}
	count(&counting[0]);
}

static bool wait_until(const atomic_uint *value, unsigned int least)
{
	for (int i = 0; i < WAIT_MS && *value < least; i++)
		pause_ms(1);
	return *value >= least;
}

static pid_t start(struct shared *shared, int threads)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_counted(shared, threads);
	}
	cr_assert_gt(pid, 0);
	cr_assert(wait_until(&shared->ready, (unsigned int)threads));
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void expect_still(struct shared *shared, int threads)
{
	unsigned long before[THREADS];

	for (int i = 0; i < threads; i++)
		before[i] = shared->counters[i];
	pause_ms(STILL_MS);
	for (int i = 0; i < threads; i++)
		cr_expect_eq(shared->counters[i], before[i], "thread %d", i);
}

static void expect_running(struct shared *shared, int threads)
{
	for (int i = 0; i < threads; i++) {
		unsigned long before = shared->counters[i];

		for (int n = 0; n < WAIT_MS && shared->counters[i] == before; n++)
			pause_ms(1);
		cr_expect_neq(shared->counters[i], before, "thread %d", i);
	}
}

static int tracer_of(pid_t pid)
{
	char path[64], line[128];
	int tracer = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, TRACED_BY, strlen(TRACED_BY)))
			tracer = atoi(line + strlen(TRACED_BY));
	if (file)
		fclose(file);
	return tracer;
}

Test(freeze, stops_all_threads_and_lets_them_run_on)
{
	struct shared *shared = shared_new();
	pid_t pid = start(shared, THREADS);
	struct freeze freeze;

	expect_running(shared, THREADS);
	for (int round = 0; round < 5; round++) {
		cr_assert_eq(freeze_process(pid, &go_on, &freeze), 0);
		cr_expect_eq(freeze.count, THREADS);
		expect_still(shared, THREADS);
		freeze_release(&freeze);
		cr_expect_eq(freeze.count, 0);
		cr_expect_null(freeze.tids);
		expect_running(shared, THREADS);
		cr_expect_eq(tracer_of(pid), 0);
	}
	stop(pid);
}

Test(freeze, stops_a_process_of_one_thread)
{
	struct shared *shared = shared_new();
	pid_t pid = start(shared, 1);
	struct freeze freeze;

	cr_assert_eq(freeze_process(pid, &go_on, &freeze), 0);
	cr_expect_eq(freeze.count, 1);
	expect_still(shared, 1);
	freeze_release(&freeze);
	freeze_release(&freeze); /* once more does no harm */
	expect_running(shared, 1);
	stop(pid);
}

/* A signal that comes meanwhile is delivered, once, when it runs on. */
Test(freeze, keeps_signals_for_later)
{
	struct shared *shared = shared_new();
	pid_t pid = start(shared, THREADS);
	struct freeze freeze;

	cr_assert_eq(freeze_process(pid, &go_on, &freeze), 0);
	cr_assert_eq(kill(pid, SIGUSR1), 0);
	pause_ms(STILL_MS);
	cr_expect_eq(shared->signals, 0);
	freeze_release(&freeze);
	cr_expect(wait_until(&shared->signals, 1));
	expect_running(shared, THREADS);
	cr_expect_eq(shared->signals, 1);
	stop(pid);
}

struct shooter {
	pid_t pid;
	atomic_uint shots;
	atomic_bool stop;
};

static void *shoot(void *ctx)
{
	struct shooter *shooter = ctx;

	while (!shooter->stop) {
		kill(shooter->pid, SIGUSR1);
		shooter->shots++;
		pause_ms(1);
	}
	return NULL;
}

/* None is lost but for those that the kernel merges while one waits. */
Test(freeze, copes_with_signals_that_come_all_the_time)
{
	struct shared *shared = shared_new();
	struct shooter shooter = { .pid = start(shared, THREADS) };
	struct freeze freeze;
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, shoot, &shooter), 0);
	for (int round = 0; round < 100; round++) {
		unsigned int before = shared->signals;

		cr_assert_eq(freeze_process(shooter.pid, &go_on, &freeze), 0);
		freeze_release(&freeze);
		cr_assert(wait_until(&shared->signals, before + 1));
	}
	shooter.stop = true;
	pthread_join(thread, NULL);
	expect_running(shared, THREADS);
	cr_expect_leq(shared->signals, shooter.shots);
	stop(shooter.pid);
}

/* Who was stopped by somebody else stays so. */
Test(freeze, leaves_a_stopped_process_stopped)
{
	struct shared *shared = shared_new();
	pid_t pid = start(shared, THREADS);
	struct freeze freeze;
	int status;

	kill(pid, SIGSTOP);
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	cr_assert(WIFSTOPPED(status));
	cr_assert_eq(freeze_process(pid, &go_on, &freeze), 0);
	freeze_release(&freeze);
	expect_still(shared, THREADS);
	kill(pid, SIGCONT);
	expect_running(shared, THREADS);
	stop(pid);
}

static void *end_at_once(void *ctx)
{
	return ctx;
}

/* A process whose threads are born and end all the time. */
static void be_busy(struct shared *shared)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (shared->ready = 1;; shared->counters[0]++)
		if (pthread_create(&thread, &attributes, end_at_once, NULL))
			pause_ms(1);
}

Test(freeze, copes_with_threads_that_come_and_go)
{
	struct shared *shared = shared_new();
	struct freeze freeze;
	unsigned int failed = 0;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be_busy(shared);
	}
	cr_assert(wait_until(&shared->ready, 1));
	for (int round = 0; round < 200; round++) {
		int err = freeze_process(pid, &go_on, &freeze);

		if (err) {
			failed++;
			cr_expect_eq(err, -ETIMEDOUT, "round %d: %d", round, err);
			continue;
		}
		if (round % 20 == 0)
			expect_still(shared, 1);
		freeze_release(&freeze);
	}
	cr_expect_eq(failed, 0, "%u of 200", failed);
	expect_running(shared, 1);
	stop(pid);
}

/* --- refusals --- */

Test(freeze, of_a_process_that_is_gone)
{
	struct freeze freeze;
	siginfo_t info;
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	cr_assert_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	cr_expect_eq(freeze_process(pid, &go_on, &freeze), -ESRCH, "not waited for yet");
	cr_expect_eq(freeze.count, 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(freeze_process(pid, &go_on, &freeze), -ESRCH, "waited for");
	cr_expect_eq(freeze.count, 0);
	cr_expect_null(freeze.tids);
}

/* Its first thread has ended, the others run: a process like any other. */
Test(freeze, of_a_process_without_its_first_thread)
{
	struct shared *shared = shared_new();
	struct counting counting = { shared, 1 };
	struct freeze freeze;
	pid_t pid = fork();
	pthread_t thread;
	int err;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pthread_create(&thread, NULL, count, &counting))
			_exit(3);
		syscall(SYS_exit, 0); /* this thread alone */
	}
	cr_assert(wait_until(&shared->ready, 1));
	pause_ms(20);
	err = freeze_process(pid, &go_on, &freeze);
	cr_expect_eq(err, 0, "%d", err);
	if (!err) {
		unsigned long before = shared->counters[1];

		pause_ms(STILL_MS);
		cr_expect_eq(shared->counters[1], before);
		freeze_release(&freeze);
	}
	stop(pid);
}

Test(freeze, of_a_process_that_another_one_traces)
{
	struct shared *shared = shared_new();
	struct freeze freeze;
	pid_t tracer = fork();

	if (!tracer) { /* its child is the target */
		pid_t pid = fork();

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!pid)
			be_counted(shared, 2);
		if (!wait_until(&shared->ready, 2) || ptrace(PTRACE_SEIZE, pid, 0, 0))
			_exit(3);
		shared->target = pid;
		for (;;)
			pause();
	}
	for (int i = 0; i < WAIT_MS && !shared->target; i++)
		pause_ms(1);
	cr_assert_gt(shared->target, 0);
	cr_expect_eq(freeze_process(shared->target, &go_on, &freeze), -EBUSY);
	cr_expect_eq(freeze.count, 0);
	expect_running(shared, 2);
	stop(tracer);
	kill(shared->target, SIGKILL);
}

/* Who is told to stop meanwhile waits for nobody; what it has asked to stop runs on at its end. */
Test(freeze, breaks_off_when_told)
{
	struct shared *shared = shared_new();
	pid_t pid = start(shared, THREADS), tracer = fork();
	int status;

	if (!tracer) {
		const volatile sig_atomic_t told = 1;
		struct freeze freeze;

		_exit(freeze_process(pid, &told, &freeze) == -EINTR && !freeze.count ? 0 : 3);
	}
	cr_assert_eq(waitpid(tracer, &status, 0), tracer);
	cr_expect(WIFEXITED(status) && !WEXITSTATUS(status), "%x", status);
	cr_expect_eq(tracer_of(pid), 0);
	expect_running(shared, THREADS);
	stop(pid);
}

/* The kernel lets go of whom it held. */
Test(freeze, ends_with_the_one_who_froze)
{
	struct shared *shared = shared_new();
	pid_t tracer = fork();

	if (!tracer) {
		struct freeze freeze;
		pid_t pid = fork();

		if (!pid)
			be_counted(shared, THREADS);
		if (!wait_until(&shared->ready, THREADS) || freeze_process(pid, &go_on, &freeze))
			_exit(3);
		shared->target = pid;
		for (;;)
			pause();
	}
	for (int i = 0; i < WAIT_MS && !shared->target; i++)
		pause_ms(1);
	cr_assert_gt(shared->target, 0);
	expect_still(shared, THREADS);
	stop(tracer);
	expect_running(shared, THREADS);
	cr_expect_eq(tracer_of(shared->target), 0);
	kill(shared->target, SIGKILL);
}
