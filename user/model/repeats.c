// SPDX-License-Identifier: MIT
#include "model/repeats.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_FIRST 64 /* a power of two */

struct repeats {
	struct repeat *at;
	size_t count, room;
	uint32_t *slots; /* indexes + 1: open addressing, half of them at most are taken */
	size_t slot_count;
	uint64_t more; /* of all places: mostly there is nothing to tell */
};

int repeats_new(struct repeats **out)
{
	struct repeats *repeats = calloc(1, sizeof(*repeats));

	if (repeats)
		repeats->slots = calloc(SLOTS_FIRST, sizeof(*repeats->slots));
	if (!repeats || !repeats->slots) {
		free(repeats);
		return -ENOMEM;
	}
	repeats->slot_count = SLOTS_FIRST;
	*out = repeats;
	return 0;
}

void repeats_free(struct repeats *repeats)
{
	if (!repeats)
		return;
	free(repeats->at);
	free(repeats->slots);
	free(repeats);
}

static struct repeat place_of(const struct suspect *suspect)
{
	struct repeat place = { .type = suspect->type,
				.kind = suspect->self.kind,
				.code = suspect->self.code,
				.line = suspect->self.line,
				.at = suspect->maker,
				.at_line = suspect->maker_line };

	if (suspect->type == SUSPECT_PARKED) {
		const struct slow_place *last =
			suspect->chain ? &suspect->chain[suspect->chain_count - 1] : NULL;

		place.at = last && suspect->chain_count > 1 ? last->code : NULL;
		place.at_line = place.at ? last->line : 0;
	}
	return place;
}

static bool is_same(const struct repeat *a, const struct repeat *b)
{
	return a->type == b->type && a->kind == b->kind && a->code == b->code &&
	       a->line == b->line && a->at == b->at && a->at_line == b->at_line;
}

static uint32_t *slot_of(const struct repeats *repeats, const struct repeat *place)
{
	uint64_t hash = (uintptr_t)place->code ^ place->line ^ (uint64_t)place->at_line << 24 ^
			(uint64_t)place->type << 60;
	size_t at;

	hash = (hash ^ ((uintptr_t)place->at << 7)) * 0x9e3779b97f4a7c15ull;
	at = (size_t)(hash >> 32) & (repeats->slot_count - 1);
	while (repeats->slots[at] && !is_same(&repeats->at[repeats->slots[at] - 1], place))
		at = (at + 1) & (repeats->slot_count - 1);
	return &repeats->slots[at];
}

static int make_room(struct repeats *repeats)
{
	size_t room = repeats->slot_count * 2;
	uint32_t *slots = calloc(room, sizeof(*slots));
	struct repeat *grown = realloc(repeats->at, room / 2 * sizeof(*grown));

	if (grown)
		repeats->at = grown;
	if (!slots || !grown) {
		free(slots);
		return -ENOMEM;
	}
	free(repeats->slots);
	repeats->slots = slots;
	repeats->slot_count = room;
	repeats->room = room / 2;
	for (size_t i = 0; i < repeats->count; i++)
		*slot_of(repeats, &repeats->at[i]) = (uint32_t)i + 1;
	return 0;
}

int repeats_add(struct repeats *repeats, const struct suspect *suspect)
{
	struct repeat place = place_of(suspect), *known;
	uint32_t *slot;

	if (repeats->count == repeats->room && make_room(repeats))
		return -ENOMEM;
	slot = slot_of(repeats, &place);
	if (!*slot) {
		repeats->at[repeats->count++] = place;
		*slot = (uint32_t)repeats->count;
	}
	known = &repeats->at[*slot - 1];
	if (known->seen++ < REPEATS_SHOWN)
		return 1;
	known->more++;
	repeats->more++;
	return 0;
}

void repeats_tell(struct repeats *repeats, void (*tell)(void *ctx, const struct repeat *repeat),
		  void *ctx)
{
	for (size_t i = 0; i < repeats->count && repeats->more; i++) {
		struct repeat *repeat = &repeats->at[i];

		if (!repeat->more)
			continue;
		tell(ctx, repeat);
		repeats->more -= repeat->more;
		repeat->more = 0;
	}
}
