// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sink/perfetto_tracks.h"
#include "target/hash.h"

#define SLOTS_FIRST 256        /* a power of two; doubled when chains get longer than one */
#define TRACK_SLOTS 4096       /* threads are few: that table is not grown */
#define CODE_MAX    (1u << 24) /* far more code objects than a program has */

static void *no_memory(struct perfetto *perfetto)
{
	perfetto->error = -ENOMEM;
	return NULL;
}

static struct bar **bar_slot(const struct perfetto *perfetto, uint64_t id)
{
	return &perfetto->bars[hash_word(0, id) & (perfetto->bar_slots - 1)];
}

struct bar *bar_find(struct perfetto *perfetto, uint64_t id)
{
	struct bar *bar = perfetto->bar_slots ? *bar_slot(perfetto, id) : NULL;

	while (bar && bar->id != id)
		bar = bar->next;
	return bar;
}

static int grow_bars(struct perfetto *perfetto)
{
	struct bar **old = perfetto->bars;
	size_t slots = perfetto->bar_slots;

	if (perfetto->bar_count < slots)
		return 0;
	perfetto->bars = calloc(slots ? 2 * slots : SLOTS_FIRST, sizeof(struct bar *));
	if (!perfetto->bars) {
		perfetto->bars = old;
		return -ENOMEM;
	}
	perfetto->bar_slots = slots ? 2 * slots : SLOTS_FIRST;
	for (size_t i = 0; i < slots; i++) {
		for (struct bar *bar = old[i], *next; bar; bar = next) {
			struct bar **slot = bar_slot(perfetto, bar->id);

			next = bar->next;
			bar->next = *slot;
			*slot = bar;
		}
	}
	free(old);
	return 0;
}

struct bar *bar_add(struct perfetto *perfetto, uint64_t id)
{
	struct bar **slot, *bar;

	if (grow_bars(perfetto))
		return no_memory(perfetto);
	bar = calloc(1, sizeof(*bar));
	if (!bar)
		return no_memory(perfetto);
	slot = bar_slot(perfetto, id);
	bar->id = id;
	bar->next = *slot;
	*slot = bar;
	perfetto->bar_count++;
	return bar;
}

void bar_remove(struct perfetto *perfetto, struct bar *bar)
{
	struct bar **link = bar_slot(perfetto, bar->id);

	unpark(bar);
	while (bar->parked)
		unpark(bar->parked);
	while (*link != bar)
		link = &(*link)->next;
	*link = bar->next;
	perfetto->bar_count--;
	free(bar);
}

static struct track **track_slot(const struct perfetto *perfetto, uint32_t pid, uint32_t tid)
{
	uint64_t hash = hash_word(0, (uint64_t)pid << 32 | tid);

	return &perfetto->tracks[hash & (perfetto->track_slots - 1)];
}

struct track *track_of(struct perfetto *perfetto, uint32_t pid, uint32_t tid, bool *fresh)
{
	struct track **slot, *track;

	*fresh = false;
	if (!perfetto->tracks) {
		perfetto->tracks = calloc(TRACK_SLOTS, sizeof(struct track *));
		if (!perfetto->tracks)
			return no_memory(perfetto);
		perfetto->track_slots = TRACK_SLOTS;
	}
	slot = track_slot(perfetto, pid, tid);
	for (track = *slot; track; track = track->next)
		if (track->pid == pid && track->tid == tid)
			return track;
	track = calloc(1, sizeof(*track));
	if (track)
		track->levels = calloc(4, sizeof(*track->levels));
	if (!track || !track->levels) {
		free(track);
		return no_memory(perfetto);
	}
	*track = (struct track){ .pid = pid,
				 .tid = tid,
				 .levels = track->levels,
				 .level_count = 1,
				 .level_room = 4,
				 .next = *slot };
	*slot = track;
	*fresh = true;
	return track;
}

static char *escaped(const char *text)
{
	size_t size = strlen(text);
	char *out = malloc(6 * size + 1);

	if (out)
		*json_escape(out, text, size) = 0;
	return out;
}

int label_add(struct perfetto *perfetto, const struct code *code)
{
	struct label *labels, *label;
	size_t count = perfetto->label_count ? perfetto->label_count : 256;

	if (!code->id || code->id >= CODE_MAX)
		return 0;
	if (code->id >= perfetto->label_count) {
		while (count <= code->id)
			count *= 2;
		labels = realloc(perfetto->labels, count * sizeof(*labels));
		if (!labels)
			return perfetto->error = -ENOMEM;
		memset(labels + perfetto->label_count, 0,
		       (count - perfetto->label_count) * sizeof(*labels));
		perfetto->labels = labels;
		perfetto->label_count = count;
	}
	label = &perfetto->labels[code->id];
	if (label->file)
		return 0;
	free(label->qualname);
	label->qualname = escaped(code->qualname);
	label->file = label->qualname ? escaped(code->file) : NULL;
	return label->file ? 0 : (perfetto->error = -ENOMEM);
}

const struct label *label_of(const struct perfetto *perfetto, uint32_t code)
{
	static char unknown[] = "?";
	static const struct label none = { unknown, unknown };

	if (code < perfetto->label_count && perfetto->labels[code].file)
		return &perfetto->labels[code];
	return &none;
}

void tables_free(struct perfetto *perfetto)
{
	for (size_t i = 0; i < perfetto->label_count; i++) {
		free(perfetto->labels[i].qualname);
		free(perfetto->labels[i].file);
	}
	for (size_t i = 0; i < perfetto->bar_slots; i++) {
		for (struct bar *bar = perfetto->bars[i], *next; bar; bar = next) {
			next = bar->next;
			free(bar);
		}
	}
	for (size_t i = 0; i < perfetto->track_slots; i++) {
		for (struct track *track = perfetto->tracks[i], *next; track; track = next) {
			next = track->next;
			free(track->levels);
			free(track);
		}
	}
	free(perfetto->labels);
	free(perfetto->bars);
	free(perfetto->tracks);
}
