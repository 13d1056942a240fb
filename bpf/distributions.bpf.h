/* SPDX-License-Identifier: MIT */
/*
 * Distributions of times, filled where a transition is known. All objects of one code object run under one
 * GIL, so an entry of its own is written by one thread at a time and needs no atomic additions. The first
 * one, which many share, does.
 */
#ifndef GENSCOPE_DISTRIBUTIONS_BPF_H
#define GENSCOPE_DISTRIBUTIONS_BPF_H

#include "maps.bpf.h"

/* What a visible transition ends; 0: not known, or nothing. */
struct times {
	u64 run_ns;
	u64 self_ns;
	u64 suspended_ns;
	u64 start_ns;
	u64 lifetime_ns;
	u8 to;          /* enum object_state */
	bool outermost; /* a step begins that C drives, and no other object */
	bool never_awaited;
	bool slow;
	u64 id; /* of the object */
	u64 now;
};

const volatile struct distributions no_distributions = {};

/* The entry of a code object, or of all that have none. */
static __always_inline struct distributions *distributions_of(u32 *key)
{
	struct distributions *entry;

	if (!settings.distributions_live) {
		*key = *key < DISTRIBUTIONS_MAX ? *key : 0;
		return bpf_map_lookup_elem(&distributions, key);
	}
	entry = bpf_map_lookup_elem(&distributions, key);
	if (entry)
		return entry;
	if (bpf_map_update_elem(&distributions, key, (const void *)&no_distributions, BPF_NOEXIST))
		*key = 0; /* full: the user side has made that one */
	return bpf_map_lookup_elem(&distributions, key);
}

static __always_inline void add_count(u64 *count, bool shared)
{
	if (shared)
		__sync_fetch_and_add(count, 1);
	else
		(*count)++;
}

static __always_inline void add_time(struct histogram *histogram, u64 ns, bool shared)
{
	u32 bucket = histogram_bucket(ns);

	if (!ns || bucket >= HISTOGRAM_BUCKETS) /* the latter for the verifier */
		return;
	if (shared) {
		__sync_fetch_and_add(&histogram->count, 1);
		__sync_fetch_and_add(&histogram->sum_ns, ns);
		__sync_fetch_and_add(&histogram->buckets[bucket], 1);
	} else {
		histogram->count++;
		histogram->sum_ns += ns;
		histogram->buckets[bucket]++;
	}
	if (ns > histogram->max_ns)
		histogram->max_ns = ns;
}

/* What happened, beside how long it took. */
static __always_inline void add_counts(struct distributions *entry, const struct times *times,
				       bool shared)
{
	if (times->to < STATE_COUNT) /* for the verifier */
		add_count(&entry->to[times->to], shared);
	if (times->outermost)
		add_count(&entry->outermost, shared);
	if (times->never_awaited)
		add_count(&entry->never_awaited, shared);
	if (!times->slow)
		return;
	add_count(&entry->slow, shared);
	entry->slow_id = times->id;
	entry->slow_run_ns = times->run_ns;
	entry->slow_at_ns = times->now;
}

/* By the id of a code object, as the distributions: every transition that could have entered them, counted once it
 * has. Read by the user side through mmap. Live ones may share a slot. */
u64 transition_counts[TRANSITION_SLOTS] = {};

static __noinline void distribute(u32 code, const struct times *times)
{
	struct distributions *entry;
	u32 key = code;

	if (!times)
		return;
	entry = distributions_of(&key);
	if (!entry)
		return;
	if (settings.distributions_live) /* nobody else asks */
		add_counts(entry, times, !key);
	add_time(&entry->metric[METRIC_RUN], times->run_ns, !key);
	add_time(&entry->metric[METRIC_SELF], times->self_ns, !key);
	add_time(&entry->metric[METRIC_SUSPENDED], times->suspended_ns, !key);
	add_time(&entry->metric[METRIC_START], times->start_ns, !key);
	add_time(&entry->metric[METRIC_LIFETIME], times->lifetime_ns, !key);
	add_count(&transition_counts[key & (TRANSITION_SLOTS - 1)],
		  settings.distributions_live || !key);
}

#endif
