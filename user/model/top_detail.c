// SPDX-License-Identifier: MIT
#include "model/top_detail.h"

#include <stdlib.h>
#include <string.h>

void top_detail_begin(struct top_detail *detail)
{
	memset(detail, 0, sizeof(*detail));
}

static void add_place(struct top_detail *detail, uint32_t line)
{
	size_t i = detail->last_place;

	if (i >= detail->place_count || detail->places[i].line != line)
		for (i = 0; i < detail->place_count && detail->places[i].line != line; i++)
			;
	if (i == TOP_PLACES) {
		detail->elsewhere++;
		return;
	}
	if (i == detail->place_count)
		detail->places[detail->place_count++] = (struct top_place){ .line = line };
	detail->places[i].count++;
	detail->last_place = i;
}

static bool is_before(const struct top_object *a, const struct top_object *b)
{
	return a->since_ns != b->since_ns ? a->since_ns < b->since_ns : a->id < b->id;
}

/* Into the list of the oldest, in order, if it is one of them. */
static void add_oldest(struct top_detail *detail, const struct top_object *object)
{
	size_t at = detail->oldest_count;

	if (at == TOP_OLDEST) {
		if (!is_before(object, &detail->oldest[at - 1]))
			return;
		at--;
	} else {
		detail->oldest_count++;
	}
	for (; at && is_before(object, &detail->oldest[at - 1]); at--)
		detail->oldest[at] = detail->oldest[at - 1];
	detail->oldest[at] = *object;
}

void top_detail_add(struct top_detail *detail, const struct living_record *object, uint32_t line,
		    uint64_t begin_ns)
{
	uint64_t since = object->changed_ns ? object->changed_ns : object->birth_ns;
	struct top_object kept = { .id = object->id,
				   .gen = object->gen,
				   .since_ns = since ? since : begin_ns,
				   .is_more = !since,
				   .pid = object->head.pid,
				   .line = line };

	detail->told++;
	/* an async generator that awaits stands somewhere, though inspect calls it running */
	if (object->frame == STATE_SUSPENDED)
		add_place(detail, line);
	if (object->state == STATE_SUSPENDED)
		add_oldest(detail, &kept);
}

static int compare_places(const void *left, const void *right)
{
	const struct top_place *a = left, *b = right;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return (a->line > b->line) - (a->line < b->line);
}

void top_detail_end(struct top_detail *detail)
{
	if (detail->place_count)
		qsort(detail->places, detail->place_count, sizeof(detail->places[0]),
		      compare_places);
}
