// SPDX-License-Identifier: MIT
#include "model/living.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <living.h> /* include/living.h; in quotes it would be this one */

/* An event with the memory it points to. */
struct item {
	struct event event;
	struct living_record record;
	bool inner; /* another parked one awaits it */
};

/* A step that has been handed out. No other step has both its numbers. */
struct told {
	uint64_t id;
	uint32_t seq;
	unsigned misses; /* surveys in a row that told nothing of it */
};

struct living {
	struct item *items;
	size_t count, room;
	uint32_t *by_gen; /* indexes + 1 into items, by (pid, gen): open addressing */
	size_t slots;
	struct told *told;
	size_t told_count, told_room;
};

int living_new(struct living **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void living_free(struct living *living)
{
	if (!living)
		return;
	free(living->items);
	free(living->by_gen);
	free(living->told);
	free(living);
}

void living_begin(struct living *living)
{
	living->count = 0;
}

int living_add(struct living *living, const struct event *event)
{
	struct item *item;

	if (living->count == living->room) {
		size_t room = living->room ? 2 * living->room : 64;
		struct item *grown = realloc(living->items, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		living->items = grown;
		living->room = room;
	}
	item = &living->items[living->count++];
	*item = (struct item){ .event = *event, .record = *event->living };
	return 0;
}

static struct slow_place place_of(const struct item *item)
{
	return (struct slow_place){ .id = item->record.id,
				    .gen = item->record.gen,
				    .code = item->event.code,
				    .line = item->event.line,
				    .kind = item->record.kind,
				    .to = item->record.state,
				    .ts_ns = item->record.changed_ns };
}

static int hand_out(struct item *item, const struct slow_place *at, size_t count,
		    const struct living_callbacks *callbacks)
{
	uint64_t changed_ns = item->record.changed_ns;
	struct living_chain chain = { .event = &item->event,
				      .since_ns = changed_ns ? changed_ns : callbacks->begin_ns,
				      .at_least = !changed_ns,
				      .at = at,
				      .count = count,
				      .maker = item->event.maker,
				      .maker_line = item->event.maker_line };

	item->event.living = &item->record; /* where it is now */
	return callbacks->chain(callbacks->ctx, &chain);
}

/* --- steps that run --- */

static bool is_told(struct living *living, const struct living_record *record)
{
	for (size_t i = 0; i < living->told_count; i++) {
		struct told *told = &living->told[i];

		if (told->id == record->id && told->seq == record->seq) {
			told->misses = 0;
			return true;
		}
	}
	return false;
}

static int tell(struct living *living, const struct living_record *record)
{
	if (living->told_count == living->told_room) {
		size_t room = living->told_room ? 2 * living->told_room : 16;
		struct told *grown = realloc(living->told, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		living->told = grown;
		living->told_room = room;
	}
	living->told[living->told_count++] = (struct told){ .id = record->id, .seq = record->seq };
	return 0;
}

/* Steps of which no survey has told for a while are over. */
static void forget_ended(struct living *living)
{
	size_t kept = 0;

	for (size_t i = 0; i < living->told_count; i++)
		if (living->told[i].misses < LIVING_MISSES)
			living->told[kept++] = living->told[i];
	living->told_count = kept;
}

static const struct item *driven_by(const struct living *living, const struct item *driver)
{
	for (size_t i = 0; i < living->count; i++) {
		const struct item *item = &living->items[i];

		if (item->record.asked == SURVEY_RUNNING &&
		    item->record.driver == driver->record.id && item != driver)
			return item;
	}
	return NULL;
}

static size_t running_chain(const struct living *living, const struct item *item,
			    const struct living_callbacks *callbacks, struct slow_place *at)
{
	size_t count = 0;

	for (; item && count < SLOW_CHAIN_MAX; item = driven_by(living, item)) {
		at[count] = place_of(item);
		at[count].line = callbacks->line ? callbacks->line(callbacks->ctx, item->event.pid,
								   &at[count]) :
						   0;
		at[count++].to = STATE_RUNNING;
	}
	return count;
}

int living_running(struct living *living, uint64_t before_ns,
		   const struct living_callbacks *callbacks)
{
	struct slow_place at[SLOW_CHAIN_MAX];
	int err = 0;

	for (size_t i = 0; i < living->told_count; i++)
		living->told[i].misses++; /* unless is_told() comes upon it */
	for (size_t i = 0; i < living->count && !err; i++) {
		struct item *item = &living->items[i];
		const struct living_record *record = &item->record;
		uint64_t since_ns = record->changed_ns ? record->changed_ns : callbacks->begin_ns;

		if (record->asked != SURVEY_RUNNING || record->driver || since_ns > before_ns ||
		    is_told(living, record))
			continue;
		err = tell(living, record);
		if (!err)
			err = hand_out(item, at, running_chain(living, item, callbacks, at),
				       callbacks);
	}
	forget_ended(living);
	return err;
}

/* --- what is parked --- */

static uint32_t *slot_of(const struct living *living, uint32_t pid, uint64_t gen)
{
	size_t at = (size_t)((gen >> 4) * 0x9e3779b97f4a7c15ull >> 20 ^ pid) & (living->slots - 1);

	while (living->by_gen[at]) {
		const struct item *item = &living->items[living->by_gen[at] - 1];

		if (item->record.gen == gen && item->event.pid == pid)
			break;
		at = (at + 1) & (living->slots - 1);
	}
	return &living->by_gen[at];
}

static bool is_waiting(const struct item *item)
{
	return item->record.asked == SURVEY_PARKED || item->record.asked == SURVEY_AWAITED;
}

static int index_parked(struct living *living)
{
	size_t slots = 64;

	while (slots < 2 * living->count)
		slots *= 2;
	free(living->by_gen);
	living->by_gen = calloc(slots, sizeof(*living->by_gen));
	if (!living->by_gen)
		return -ENOMEM;
	living->slots = slots;
	for (size_t i = 0; i < living->count; i++) {
		const struct item *item = &living->items[i];

		if (is_waiting(item))
			*slot_of(living, item->event.pid, item->record.gen) = (uint32_t)i + 1;
	}
	return 0;
}

static struct item *awaited_by(const struct living *living, const struct item *item)
{
	uint32_t index = item->record.inner_gen ?
				 *slot_of(living, item->event.pid, item->record.inner_gen) :
				 0;

	return index ? &living->items[index - 1] : NULL;
}

int living_parked(struct living *living, const struct living_callbacks *callbacks)
{
	struct slow_place at[SLOW_CHAIN_MAX];
	int err = index_parked(living);

	for (size_t i = 0; i < living->count && !err; i++) {
		struct item *item = &living->items[i], *inner = awaited_by(living, item);

		if (inner && is_waiting(item))
			inner->inner = true;
	}
	for (size_t i = 0; i < living->count && !err; i++) {
		struct item *item = &living->items[i];
		size_t count = 0;

		if (item->record.asked != SURVEY_PARKED || item->inner)
			continue;
		for (const struct item *at_item = item; at_item && count < SLOW_CHAIN_MAX;
		     at_item = awaited_by(living, at_item))
			at[count++] = place_of(at_item);
		err = hand_out(item, at, count, callbacks);
	}
	return err;
}
