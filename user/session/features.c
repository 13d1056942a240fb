// SPDX-License-Identifier: MIT
#include "session/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "session/skeleton.h"
#include "target/clock.h"
#include "target/elf_file.h"

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_DEBUG ? 0 : vfprintf(stderr, format, args);
}

void features_set_verbose(bool verbose)
{
	libbpf_set_print(verbose ? print_libbpf : NULL);
}

#define BTF_PATH "/sys/kernel/btf/vmlinux"

static bool has_capability(unsigned capability)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	if (syscall(SYS_capget, &head, data))
		return false;
	return data[capability / 32].effective >> (capability % 32) & 1;
}

/* There, readable, and not empty (an empty file is how containers hide it). */
static bool has_btf(void)
{
	FILE *file = fopen(BTF_PATH, "re");
	bool found = file && fgetc(file) != EOF;

	if (file)
		fclose(file);
	return found;
}

void features_look(struct features *out)
{
	bool admin = has_capability(CAP_SYS_ADMIN);

	memset(out, 0, sizeof(*out));
	out->btf = has_btf();
	out->privileged = admin || (has_capability(CAP_BPF) && has_capability(CAP_PERFMON));
	out->ptrace = has_capability(CAP_SYS_PTRACE);
	if (!out->privileged)
		snprintf(out->missing, sizeof(out->missing),
			 "no CAP_BPF and CAP_PERFMON: run as root");
	else if (!out->btf)
		snprintf(out->missing, sizeof(out->missing),
			 "no " BTF_PATH ": a kernel built with CONFIG_DEBUG_INFO_BTF is needed");
}

void features_libbpf_version(char *out, size_t size)
{
	const char *version = libbpf_version_string(); /* "v1.4" */

	snprintf(out, size, "%s", *version == 'v' ? version + 1 : version);
}

#ifdef HAVE_UPROBE_MULTI

#define CALIBRATION_HITS 200 /* a millisecond or less; the fastest few count */
#define CALIBRATION_RUN  10

/* Its first instruction is one that the kernel emulates, as most sites are. */
void calibration_point(void);
__asm__(".pushsection .text\n"
	".type calibration_point, @function\n"
	"calibration_point:\n"
	"	jmp 1f\n"
	"1:	ret\n"
	".size calibration_point, . - calibration_point\n"
	".popsection\n");

/* In a second thread, while a probe sits on it. The least that a hit takes is what it costs; the rest is the
 * machine's other business. */
static void *calibrate(void *trap_ns)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < CALIBRATION_HITS / CALIBRATION_RUN; i++) {
		uint64_t start = clock_now_ns(), took;

		for (int k = 0; k < CALIBRATION_RUN; k++)
			calibration_point();
		took = (clock_now_ns() - start) / CALIBRATION_RUN;
		least = took < least ? took : least;
	}
	*(uint64_t *)trap_ns = least;
	return NULL;
}

static int calibration_offset(unsigned long *offset)
{
	unsigned long address = (unsigned long)calibration_point, start, end, file_offset;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "re");
	int err = -ENOENT;

	if (!maps)
		return -errno;
	while (err && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &start, &end, &file_offset) != 3)
			continue;
		if (address < start || address >= end)
			continue;
		*offset = address - start + file_offset;
		err = 0;
	}
	fclose(maps);
	return err;
}

/* Kernels before 6.10 let a uprobe_multi link with a pid match that one thread only (fixed by commit
 * 46ba0e49b642): so the probe has to be seen from a thread that is not the first. */
static bool multi_counts_threads(struct genscope_bpf *skeleton, uint64_t *trap_ns)
{
	LIBBPF_OPTS(bpf_uprobe_multi_opts, options);
	unsigned long offset;
	struct bpf_link *link;
	pthread_t thread;

	if (calibration_offset(&offset))
		return false;
	options.offsets = &offset;
	options.cnt = 1;
	link = bpf_program__attach_uprobe_multi(skeleton->progs.calibration_multi, getpid(),
						"/proc/self/exe", NULL, &options);
	if (!link)
		return false;
	if (!pthread_create(&thread, NULL, calibrate, trap_ns))
		pthread_join(thread, NULL);
	bpf_link__destroy(link);
	return skeleton->bss->calibration_hits == CALIBRATION_HITS;
}

static bool try_multi(char *why, size_t size, uint64_t *trap_ns)
{
	struct genscope_bpf *skeleton = genscope_bpf__open();
	struct bpf_program *program;
	struct bpf_map *map;
	bool works;

	if (!skeleton)
		return false;
	bpf_object__for_each_program(program, skeleton->obj)
		bpf_program__set_autoload(program, program == skeleton->progs.calibration_multi);
	bpf_object__for_each_map(map, skeleton->obj)
		bpf_map__set_autocreate(map, map == skeleton->maps.bss);
	if (genscope_bpf__load(skeleton)) {
		snprintf(why, size, "the kernel has none (it came with 6.6)");
		works = false;
	} else {
		works = multi_counts_threads(skeleton, trap_ns);
		if (!works)
			snprintf(why, size, "the kernel's sees one thread only (before 6.10)");
	}
	genscope_bpf__destroy(skeleton);
	return works;
}

#else

static bool try_multi(char *why, size_t size, uint64_t *trap_ns)
{
	(void)trap_ns;
	snprintf(why, size, "built with libbpf %d.%d: 1.3 is needed", LIBBPF_MAJOR_VERSION,
		 LIBBPF_MINOR_VERSION);
	return false;
}

#endif

void features_try(struct features *out)
{
	features_look(out);
	if (*out->missing)
		snprintf(out->multi_why, sizeof(out->multi_why), "not tried");
	else
		out->uprobe_multi =
			try_multi(out->multi_why, sizeof(out->multi_why), &out->trap_ns);
}
