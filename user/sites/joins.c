// SPDX-License-Identifier: MIT
#include "sites/joins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENTS_MAX   16
#define JUMP_NEAR      0xe9
#define TWO_BYTE       0x0f
#define JCC_NEAR(x)    (((x)&0xf0) == 0x80)
#define REX_W(x)       (((x)&0xfb) == 0x48) /* 48 or 4c: lea to any 64-bit register */
#define OPCODE_LEA     0x8d
#define MOV_IMM32(x)   (((x)&0xf8) == 0xb8)
#define MODRM_RIP(x)   (((x)&0xc7) == 0x05)
#define SWITCH_ENTRIES 4096 /* bound for one table */

struct collector {
	const struct elf_file *file;
	struct code_range *ranges;
	size_t range_count;
	uint64_t low, high; /* of all ranges */
	struct join *joins;
	size_t count, room;
	int err;
};

struct join {
	uint64_t at, from;
};

static struct code_range *range_of(struct collector *collector, uint64_t address)
{
	size_t low = 0, high = collector->range_count;

	if (address < collector->low || address >= collector->high)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (collector->ranges[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == collector->range_count || address < collector->ranges[low].start)
		return NULL;
	return &collector->ranges[low];
}

static void add(struct collector *collector, uint64_t address, uint64_t from)
{
	if (collector->count == collector->room) {
		size_t room = collector->room ? collector->room * 2 : 1024;
		struct join *grown = realloc(collector->joins, room * sizeof(*grown));

		if (!grown) {
			collector->err = -ENOMEM;
			return;
		}
		collector->joins = grown;
		collector->room = room;
	}
	collector->joins[collector->count++] = (struct join){ address, from };
}

static int32_t read_i32(const uint8_t *bytes)
{
	int32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* If a switch table begins at `table`, its targets; a table ends where its entry leaves the range. */
static void add_switch(struct collector *collector, uint64_t table)
{
	struct code_range *first = NULL;

	for (uint64_t i = 0; i < SWITCH_ENTRIES; i++) {
		const uint8_t *entry = elf_file_bytes(collector->file, table + i * 4, 4);
		struct code_range *range;
		uint64_t target;

		if (!entry)
			return;
		target = table + (uint64_t)(int64_t)read_i32(entry);
		range = range_of(collector, target);
		/* hot and cold parts share tables: entries may leave the range and come back */
		if (range)
			add(collector, target, 0);
		else if (!first || !elf_file_is_code(collector->file, target))
			return;
		first = range ? range : first;
	}
}

/* An address of code that an instruction makes: for a goto that is computed with it. */
static void add_label(struct collector *collector, uint64_t target)
{
	if (range_of(collector, target))
		add(collector, target, 0);
}

static void scan_code(struct collector *collector, const struct elf_segment *segment,
		      const struct code_range *from)
{
	const uint8_t *bytes = segment->bytes;

	for (size_t i = 0; i + 7 <= segment->size; i++) {
		struct code_range *range;
		uint64_t end, target;

		if (bytes[i] == JUMP_NEAR) {
			end = segment->addr + i + 5;
			target = end + (uint64_t)(int64_t)read_i32(bytes + i + 1);
		} else if (bytes[i] == TWO_BYTE && JCC_NEAR(bytes[i + 1])) {
			end = segment->addr + i + 6;
			target = end + (uint64_t)(int64_t)read_i32(bytes + i + 2);
		} else if (REX_W(bytes[i]) && bytes[i + 1] == OPCODE_LEA &&
			   MODRM_RIP(bytes[i + 2])) {
			end = segment->addr + i + 7;
			target = end + (uint64_t)(int64_t)read_i32(bytes + i + 3);
			if (!elf_file_is_code(collector->file, target))
				add_switch(collector, target);
			else
				add_label(collector, target);
			continue;
		} else if (MOV_IMM32(bytes[i])) {
			add_label(collector, (uint32_t)read_i32(bytes + i + 1));
			continue;
		} else {
			continue;
		}
		range = range_of(collector, target);
		if (!range)
			continue;
		add(collector, target, segment->addr + i);
		if (from && end >= from->start && end <= from->end)
			range->jumps_from++;
	}
}

static void scan_data(struct collector *collector, const struct elf_segment *segment)
{
	size_t skip = (8 - (segment->addr & 7)) & 7;

	for (size_t i = skip; i + 8 <= segment->size; i += 8) {
		uint64_t value;

		memcpy(&value, segment->bytes + i, sizeof(value));
		if (value >= collector->low && value < collector->high &&
		    range_of(collector, value))
			add(collector, value, 0);
	}
}

static int compare(const void *a, const void *b)
{
	const struct join *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static int give(struct collector *collector, struct joins *out)
{
	if (!collector->count)
		return 0;
	out->at = malloc(collector->count * sizeof(*out->at));
	out->from = malloc(collector->count * sizeof(*out->from));
	if (!out->at || !out->from)
		return -ENOMEM;
	qsort(collector->joins, collector->count, sizeof(*collector->joins), compare);
	for (size_t i = 0; i < collector->count; i++) {
		out->at[i] = collector->joins[i].at;
		out->from[i] = collector->joins[i].from;
	}
	out->count = collector->count;
	return 0;
}

int joins_collect(const struct elf_file *file, struct code_range *ranges, size_t count,
		  const struct code_range *from, struct joins *out)
{
	struct collector collector = { .file = file, .ranges = ranges, .range_count = count };
	struct elf_segment segments[SEGMENTS_MAX];
	int found;

	memset(out, 0, sizeof(*out));
	if (!count)
		return 0;
	collector.low = ranges[0].start;
	collector.high = ranges[count - 1].end;
	found = elf_file_code_segments(file, segments, SEGMENTS_MAX);
	for (int i = 0; i < found; i++)
		scan_code(&collector, &segments[i], from);
	found = elf_file_data_segments(file, segments, SEGMENTS_MAX);
	for (int i = 0; i < found; i++)
		scan_data(&collector, &segments[i]);
	if (!collector.err)
		collector.err = give(&collector, out);
	free(collector.joins);
	if (collector.err)
		joins_free(out);
	return collector.err;
}

void joins_free(struct joins *joins)
{
	free(joins->at);
	free(joins->from);
	memset(joins, 0, sizeof(*joins));
}

/* Marks where control enters. Into the middle of an instruction (behind a lock prefix, say) it comes
 * out before the next one. */
static void mark_at(struct insn_list *list, uint64_t address, bool entered)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->at[middle].address + list->at[middle].size <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == list->count || address < list->at[low].address)
		return;
	list->at[low].join = true;
	list->at[low].entered |= entered || address != list->at[low].address;
	if (address != list->at[low].address && low + 1 < list->count)
		list->at[low + 1].join = list->at[low + 1].entered = true;
}

/* Is it a jump of the list itself that was also seen among the raw bytes? */
static bool is_own(const struct insn_list *list, uint64_t from, uint64_t target)
{
	long index = from ? insn_find(list, from) : -1;

	return index >= 0 && list->at[index].target == target &&
	       (list->at[index].flow == FLOW_JUMP || list->at[index].flow == FLOW_BRANCH);
}

void joins_mark(const struct joins *outside, struct insn_list *list)
{
	size_t low = 0, high = outside->count;

	if (!list->count)
		return;
	list->at[0].entered = true;
	for (size_t i = 0; i < list->count; i++) {
		if (list->at[i].flow == FLOW_JUMP || list->at[i].flow == FLOW_BRANCH)
			mark_at(list, list->at[i].target, false);
		else if (list->at[i].flow == FLOW_CALL)
			mark_at(list, list->at[i].target, true); /* a function within one */
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (outside->at[middle] < list->at[0].address)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < outside->count; low++) {
		if (outside->at[low] > list->at[list->count - 1].address + 15)
			break;
		mark_at(list, outside->at[low],
			!outside->from || !is_own(list, outside->from[low], outside->at[low]));
	}
}
