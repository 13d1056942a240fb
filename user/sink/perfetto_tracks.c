// SPDX-License-Identifier: MIT
/*
 * A track is a stack of open slices, but steps do not end as a stack does: an async generator is RUNNING
 * while its frame is suspended in an await, so the coroutine that drives it suspends, and others run on
 * its thread, before it leaves RUNNING, perhaps on another thread. Its slice is ended with the one it is
 * in ("parked") and begun again when the driver goes on, which resumes the await inside it. So its slices
 * together are the time in which it can have run, and what is on a track nests.
 *
 * What is open above a slice that ends, and no async generator, is left over from a loss.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/names.h"
#include "sink/perfetto_tracks.h"

void put_ns(struct writer *writer, uint64_t ns)
{
	char digits[32], *end = put_u64(digits, ns / 1000);

	*end++ = '.';
	for (unsigned digit = 100; digit; digit /= 10)
		*end++ = (char)('0' + ns / digit % 10);
	writer_put(writer, digits, (size_t)(end - digits));
}

void put_head(struct perfetto *perfetto, char phase, uint64_t ts_ns, uint32_t pid, uint32_t tid)
{
	struct writer *writer = perfetto->sink.writer;

	writer_printf(writer, "%s{\"ph\":\"%c\",\"ts\":", perfetto->begun ? ",\n" : "", phase);
	put_ns(writer, ts_ns);
	writer_printf(writer, ",\"pid\":%u,\"tid\":%u", pid, tid);
	perfetto->begun = true;
}

void put_name(struct perfetto *perfetto, const char *escaped)
{
	writer_puts(perfetto->sink.writer, ",\"name\":\"");
	writer_puts(perfetto->sink.writer, escaped);
	writer_puts(perfetto->sink.writer, "\"");
}

uint64_t track_time(const struct track *track, uint64_t ts_ns)
{
	return ts_ns > track->last_ns ? ts_ns : track->last_ns;
}

static int push(struct perfetto *perfetto, struct track *track)
{
	struct level *levels;

	if (track->level_count < track->level_room)
		return 0;
	levels = realloc(track->levels, 2 * track->level_room * sizeof(*levels));
	if (!levels)
		return perfetto->error = -ENOMEM;
	track->levels = levels;
	track->level_room *= 2;
	return 0;
}

void step_open(struct perfetto *perfetto, struct track *track, struct bar *bar, uint64_t ts_ns,
	       const struct event *event)
{
	struct writer *writer = perfetto->sink.writer;
	const struct label *label = label_of(perfetto, bar->code);
	struct level *level;

	if (push(perfetto, track))
		return;
	ts_ns = track_time(track, ts_ns);
	track->last_ns = ts_ns;
	bar->level = track->level_count++;
	bar->track = track;
	bar->drawn = true;
	level = &track->levels[bar->level];
	level->bar = bar;
	level->begin_ns = ts_ns;
	level->forgotten_ns = 0;
	level->step = ++perfetto->steps;
	level->child_count = 0;
	put_head(perfetto, 'B', ts_ns, track->pid, track->tid);
	put_name(perfetto, label->qualname);
	writer_printf(writer, ",\"cat\":\"step\",\"args\":{\"id\":%llu",
		      (unsigned long long)bar->id);
	if (event) {
		writer_printf(writer, ",\"via\":\"%s\",\"at\":\"",
			      name_of_via(event->transition->via));
		writer_puts(writer, label->file);
		writer_printf(writer, event->line ? ":%u\"}}" : "\"}}", event->line);
	} else {
		writer_puts(writer, ",\"via\":\"goes on\"}}");
	}
}

static void add_child(struct level *level, uint64_t begin_ns, uint64_t end_ns)
{
	if (level->child_count == CHILDREN_MAX) {
		level->forgotten_ns = level->children[0].end_ns;
		memmove(level->children, level->children + 1,
			--level->child_count * sizeof(level->children[0]));
	}
	level->children[level->child_count++] = (struct span){ begin_ns, end_ns };
}

/* Ends the innermost slice of a track. */
static void pop(struct perfetto *perfetto, struct track *track, uint64_t ts_ns,
		const struct event *event)
{
	struct level *level = &track->levels[--track->level_count];
	struct writer *writer = perfetto->sink.writer;

	ts_ns = track_time(track, ts_ns);
	track->last_ns = ts_ns;
	level->bar->track = NULL;
	add_child(level - 1, level->begin_ns, ts_ns);
	put_head(perfetto, 'E', ts_ns, track->pid, track->tid);
	if (!event)
		writer_puts(writer, ",\"args\":{\"end\":\"goes on elsewhere\"}}");
	else if (event->line)
		writer_printf(writer, ",\"args\":{\"end\":\"%s\",\"line\":%u}}",
			      name_of_via(event->transition->via), event->line);
	else
		writer_printf(writer, ",\"args\":{\"end\":\"%s\"}}",
			      name_of_via(event->transition->via));
}

static void park(struct bar *bar, struct bar *under)
{
	if (!under || bar->kind != KIND_ASYNC_GENERATOR || !bar->running)
		return;
	bar->parked_under = under;
	bar->next_parked = under->parked;
	under->parked = bar;
}

void unpark(struct bar *bar)
{
	struct bar **link;

	if (!bar->parked_under)
		return;
	for (link = &bar->parked_under->parked; *link != bar;)
		link = &(*link)->next_parked;
	*link = bar->next_parked;
	bar->parked_under = bar->next_parked = NULL;
}

void track_unwind(struct perfetto *perfetto, struct track *track, size_t level, uint64_t ts_ns,
		  struct bar *under)
{
	while (track->level_count - 1 > level) {
		struct bar *bar = track->levels[track->level_count - 1].bar;

		pop(perfetto, track, ts_ns, NULL);
		park(bar, under);
	}
}

void step_close(struct perfetto *perfetto, struct bar *bar, uint64_t ts_ns,
		const struct event *event)
{
	struct track *track = bar->track;

	track_unwind(perfetto, track, bar->level, ts_ns, bar);
	pop(perfetto, track, ts_ns, event);
}

uint64_t span_place(struct track *track, uint64_t begin_ns, uint64_t end_ns)
{
	struct level *level = &track->levels[track->level_count - 1];

	if (begin_ns < level->begin_ns)
		begin_ns = level->begin_ns;
	if (begin_ns < level->forgotten_ns)
		begin_ns = level->forgotten_ns;
	for (size_t i = 0; i < level->child_count; i++) {
		const struct span *child = &level->children[i];

		/* also when both begin at once: the one written first is the outer one */
		if (child->begin_ns <= begin_ns && begin_ns < child->end_ns)
			begin_ns = child->end_ns;
	}
	while (level->child_count && level->children[level->child_count - 1].begin_ns >= begin_ns)
		level->child_count--;
	add_child(level, begin_ns, end_ns);
	track->last_ns = track_time(track, end_ns);
	return begin_ns;
}
