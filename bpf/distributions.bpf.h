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
};

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

static __noinline void distribute(u32 code, const struct times *times)
{
	u32 key = code < DISTRIBUTIONS_MAX ? code : 0;
	struct distributions *entry = bpf_map_lookup_elem(&distributions, &key);

	if (!entry || !times)
		return;
	add_time(&entry->metric[METRIC_RUN], times->run_ns, !key);
	add_time(&entry->metric[METRIC_SELF], times->self_ns, !key);
	add_time(&entry->metric[METRIC_SUSPENDED], times->suspended_ns, !key);
	add_time(&entry->metric[METRIC_START], times->start_ns, !key);
	add_time(&entry->metric[METRIC_LIFETIME], times->lifetime_ns, !key);
}

#endif
