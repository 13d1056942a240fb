/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_model.h"

/* Hits of USDT probes, with the rest of the BPF side: see test_transition.c. */

/* Garbage collections, imports and audit events are hits as well. */
Test(context, is_counted)
{
	EACH_WORLD
	{
		uint64_t name = memory_new(64), longer = memory_new(256);
		const struct context_record *record;
		char bytes[256];

		memory_put(name, "os.path", 8);
		memset(bytes, 'x', sizeof(bytes));
		memory_put(longer, bytes, sizeof(bytes));
		context_hit(CONTEXT_GC_START, 2, 0);
		context_hit(CONTEXT_GC_DONE, 31, 0);
		context_hit(CONTEXT_AUDIT, 0, name);
		context_hit(CONTEXT_AUDIT, 0, longer);
		context_hit(CONTEXT_AUDIT, 0, 0x10); /* unreadable */
		record = take_context();
		cr_assert_eq(record->event, CONTEXT_GC_START);
		cr_assert_eq(record->value, 2);
		cr_assert_str_eq(record->name, "");
		cr_assert_eq(take_context()->value, 31);
		cr_assert_str_eq(take_context()->name, "os.path");
		cr_assert_eq(strlen(take_context()->name), CONTEXT_NAME_BYTES - 1);
		cr_assert_str_eq(take_context()->name, "");
		world_ring_limit(0);
		context_hit(CONTEXT_GC_START, 0, 0);
		context_hit(CONTEXT_GC_DONE, 0, 0);
		cr_assert_eq(world_count(STAT_LOST_RING), 2);
		cr_assert_eq(world_count(STAT_EVENTS), 4);
		cr_assert_eq(world_count(STAT_CAUSES), 1);
	}
}
