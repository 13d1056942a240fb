/* SPDX-License-Identifier: MIT */
/*
 * Every map and global of the BPF side, and the counting.
 */
#ifndef GENSCOPE_MAPS_BPF_H
#define GENSCOPE_MAPS_BPF_H

#include "histogram.h"
#include "object.h"
#include "site.h"

/* The verifier takes it for a constant and leaves out what it turns off. Unit tests do write it. */
#ifndef READ_ONLY
#define READ_ONLY const volatile
#endif
READ_ONLY struct settings settings = {};

/* Uprobe programs can be preempted by another task's on the same processor, so even per-processor
 * counters need atomic additions; they are uncontended. Read by the user side through mmap. */
#define COUNTER_SLOTS 128
struct counter_slot {
	u64 value[16];
};
struct counter_slot counters[COUNTER_SLOTS] = {};
u64 site_hits[SITES_MAX] = {};
u64 site_strangers[SITES_MAX] = {};
u64 site_anomalies[SITES_MAX] = {};
/* Hits of an attachment, those that are not watched included, and the single-stepped ones of them. */
u64 attachment_hits[ATTACHMENTS_MAX] = {};
u64 attachment_stepped[ATTACHMENTS_MAX] = {};
/* enum watch: is an attachment watched? Its probes come and go one by one: while only some of them are there,
 * what they see makes no sense. Written by the user side. */
u8 watched[ATTACHMENTS_MAX] = {};
/* Raised each time an attachment gets its probes: what threads know of their stacks is of before. Written by the
 * user side. */
u32 watch_epochs[ATTACHMENTS_MAX] = {};
u64 last_object_id = 0;
u32 last_code_id = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SITES_MAX);
	__type(key, u32);
	__type(value, struct site);
} sites SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, IMAGES_MAX);
	__type(key, u32);
	__type(value, struct image);
} images SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OBJECTS_DEFAULT);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct object_key);
	__type(value, struct object);
} objects SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CODES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct code_key);
	__type(value, struct code_entry);
} codes SEC(".maps");

/* By the id of a code object; [0] is for all that have none below DISTRIBUTIONS_MAX. Sized by the user side. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DISTRIBUTIONS_MAX);
	__type(key, u32);
	__type(value, struct distributions);
} distributions SEC(".maps");

/* Processes that are followed: written by the user side, and by BPF at fork and at first sight. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROCESSES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, u64);
} processes SEC(".maps");

/* What is known of a thread between two probes; freed by the kernel with the thread. */
struct thread {
	u64 process;
	u64 top_gen; /* the generator that runs on this thread now; those under it hang off its object */
	u64 top_id;
	u64 pending_gen; /* its send, throw, close … was entered and it has not been resumed yet */
	u64 pending_slot;    /* where on the stack that method's return address lies */
	u64 pending_return;  /* and what it is */
	u64 pending_caller;  /* the instruction of the Python frame that called it */
	u64 closed_under;    /* the object whose inner one has just ended */
	u64 delegated_frame; /* the Python frame that called the object which delegates */
	u64 async_gen; /* its asend, athrow or aclose was called, and it is not in the map yet */
	u64 inner_ns;  /* what has run inside the object on top since its step began */
	u64 left_gen;  /* what that object awaited last, if it is still suspended */
	u8 top_kind;
	u8 async_via;
	u8 pending_via;
	u8 delegated_via; /* an outer object hands a throw or close to the next one resumed */
	u32 epoch;        /* of the attachment, when all this was seen */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct thread);
} threads SEC(".maps");

#define RING_BYTES_DEFAULT (16 * 1024 * 1024)
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES_DEFAULT);
} ring SEC(".maps");

static __always_inline void count(u32 stat)
{
	u32 slot = bpf_get_smp_processor_id() & (COUNTER_SLOTS - 1);

	__sync_fetch_and_add(&counters[slot].value[stat & 15], 1);
}

static __always_inline void count_site(u64 *counts, u32 site)
{
	site &= SITES_MAX - 1;
	asm volatile(""
		     : "+r"(site)); /* the mask right before the use, where the verifier sees it */
	__sync_fetch_and_add(&counts[site & (SITES_MAX - 1)], 1);
}

/* Wake the reader when the ring fills; below that it comes by itself every few milliseconds, and a
 * wake-up (an interrupt to itself) would cost as much as the probe. */
static __always_inline u64 ring_flags(void)
{
	u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);

	if (waiting >= settings.wake_bytes && waiting < settings.wake_bytes + 1024)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

#endif
