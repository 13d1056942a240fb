// SPDX-License-Identifier: MIT
/*
 * floor empty|count PID FILE OFFSET...: a BPF program at these offsets of FILE, for this process, as one link.
 * Says "attached" on standard output; SIGINT, or its parent's end, ends it. `count` then prints how often it was hit.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bench/floor.skel.h"

#if LIBBPF_MAJOR_VERSION > 1 || (LIBBPF_MAJOR_VERSION == 1 && LIBBPF_MINOR_VERSION >= 3)
#define HAVE_UPROBE_MULTI 1
#endif

static const char usage[] = "usage: floor empty|count PID FILE OFFSET...\n";

static bool number(const char *text, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 0);
	return *text && !*end && !errno;
}

#ifdef HAVE_UPROBE_MULTI
static struct bpf_link *attach(struct bpf_program *program, pid_t pid, const char *path,
			       const unsigned long *offsets, size_t count)
{
	LIBBPF_OPTS(bpf_uprobe_multi_opts, options, .offsets = offsets, .cnt = count);

	return bpf_program__attach_uprobe_multi(program, pid, path, NULL, &options);
}
#else
static struct bpf_link *attach(struct bpf_program *program, pid_t pid, const char *path,
			       const unsigned long *offsets, size_t count)
{
	errno = ENOTSUP; /* single links would be another cost */
	return NULL;
}
#endif

static int load(struct floor_bpf **out, bool counting)
{
	struct floor_bpf *skeleton = floor_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	bpf_program__set_autoload(skeleton->progs.floor_empty, !counting);
	bpf_program__set_autoload(skeleton->progs.floor_count, counting);
	err = floor_bpf__load(skeleton);
	if (err)
		floor_bpf__destroy(skeleton);
	else
		*out = skeleton;
	return err;
}

/* SIGINT is blocked: it waits for us. */
static void wait_for_interrupt(const sigset_t *signals)
{
	int got;

	puts("attached");
	fflush(stdout);
	sigwait(signals, &got);
}

static int run(bool counting, pid_t pid, const char *path, const unsigned long *offsets,
	       size_t count, const sigset_t *signals)
{
	struct floor_bpf *skeleton;
	struct bpf_link *link;
	int err = load(&skeleton, counting);

	if (err)
		return err;
	link = attach(counting ? skeleton->progs.floor_count : skeleton->progs.floor_empty, pid,
		      path, offsets, count);
	err = link ? 0 : -errno;
	if (link) {
		wait_for_interrupt(signals);
		bpf_link__destroy(link);
		if (counting)
			printf("%llu\n", (unsigned long long)skeleton->bss->hits);
	}
	floor_bpf__destroy(skeleton);
	return err;
}

int main(int argc, char **argv)
{
	bool counting = argc > 1 && !strcmp(argv[1], "count");
	unsigned long pid, *offsets;
	sigset_t signals;
	int err;

	if (argc < 5 || (!counting && strcmp(argv[1], "empty")) || !number(argv[2], &pid)) {
		fputs(usage, stderr);
		return 2;
	}
	offsets = calloc((size_t)argc - 4, sizeof(*offsets));
	if (!offsets)
		return 1;
	for (int i = 4; i < argc; i++) {
		if (!number(argv[i], &offsets[i - 4])) {
			fputs(usage, stderr);
			free(offsets);
			return 2;
		}
	}
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	prctl(PR_SET_PDEATHSIG, SIGINT);
	err = run(counting, (pid_t)pid, argv[3], offsets, (size_t)argc - 4, &signals);
	free(offsets);
	if (err)
		fprintf(stderr, "floor: %s: %s\n", argv[3], strerror(-err));
	return err ? 1 : 0;
}
