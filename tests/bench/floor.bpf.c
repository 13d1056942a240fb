// SPDX-License-Identifier: MIT
/*
 * The least that a probe can cost: a program that does nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

SEC("?uprobe.multi")
int floor_empty(void *context)
{
	return 0;
}

__u64 hits = 0;

SEC("?uprobe.multi")
int floor_count(void *context)
{
	__sync_fetch_and_add(&hits, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
