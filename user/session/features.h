/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SESSION_FEATURES_H
#define GENSCOPE_SESSION_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What this kernel and these privileges allow, found out by trying.
 */
struct features {
	bool btf;        /* /sys/kernel/btf/vmlinux can be read */
	bool privileged; /* CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN */
	bool ptrace;     /* CAP_SYS_PTRACE: other users' processes can be looked at */
	uint64_t
		trap_ns; /* what a hit of an empty program costs, of an emulated instruction; 0: unknown */
	bool uprobe_multi;  /* attaches all sites as one link, for every thread of a process */
	char missing[160];  /* in words, "" when nothing that is needed is missing */
	char multi_why[96]; /* why uprobe_multi is not used, "" when it is */
};

/* The part that needs no BPF: files and capabilities. */
void features_look(struct features *out);

/* Also tries uprobe_multi on this very process (some milliseconds). Not fatal when it fails. */
void features_try(struct features *out);

/* Whether libbpf's own words, and the kernel verifier's, go to standard error. */
void features_set_verbose(bool verbose);

/* "1.4.6": of the libbpf that runs. */
void features_libbpf_version(char *out, size_t size);

#endif
