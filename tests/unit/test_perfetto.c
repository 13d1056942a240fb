/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "paper.h"
#include "sink/perfetto.h"

/*
 * Traces are read back by libjson-c and gone through as the viewer does: events sorted by time (equal
 * ones stay as they are in the file), a stack a track. What must hold of every trace is checked of every
 * one here; of lives that can be, also that each slice is where the step was.
 */

#define MARKS_MAX 60000

struct mark {
	char phase;
	uint64_t ts_ns, dur_ns;
	uint32_t pid, tid;
	uint64_t id;      /* of an arrow or a bar */
	uint64_t object;  /* args.id */
	size_t at;        /* place in the file */
	const char *name; /* in the JSON */
	const char *end;  /* args.end */
};

struct trace {
	struct paper paper;
	struct sink *sink;
	struct json_object *root;
	struct mark *marks; /* all but M */
	size_t count, titles;
};

static void trace_open(struct trace *trace, uint64_t slow_ns)
{
	struct perfetto_options options = { .slow_ns = slow_ns };

	memset(trace, 0, sizeof(*trace));
	paper_open(&trace->paper, &sink_json, false);
	cr_assert_eq(perfetto_new(&options, &trace->paper.writer, &trace->sink), 0);
	trace->sink->ops->begin(trace->sink);
}

static struct json_object *get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static uint64_t get_ns(struct json_object *object, const char *key)
{
	return (uint64_t)llround(json_object_get_double(get(object, key)) * 1000);
}

static void take_mark(struct trace *trace, struct json_object *object)
{
	struct json_object *args = get(object, "args"), *id = get(object, "id");
	struct mark *mark = &trace->marks[trace->count];
	const char *phase = json_object_get_string(get(object, "ph"));

	cr_assert(phase && strlen(phase) == 1);
	if (*phase == 'M') {
		trace->titles++;
		return;
	}
	*mark = (struct mark){
		.phase = *phase,
		.ts_ns = get_ns(object, "ts"),
		.dur_ns = get_ns(object, "dur"),
		.pid = (uint32_t)json_object_get_int64(get(object, "pid")),
		.tid = (uint32_t)json_object_get_int64(get(object, "tid")),
		.object = json_object_get_uint64(get(args, "id")),
		.at = trace->count++,
		.name = json_object_get_string(get(object, "name")),
		.end = json_object_get_string(get(args, "end")),
	};
	if (id && json_object_get_type(id) == json_type_string)
		mark->id = strtoull(json_object_get_string(id), NULL, 0);
	else
		mark->id = json_object_get_uint64(id);
	cr_assert(*phase == 'E' || mark->name, "%c without a name", *phase);
}

static void trace_read(struct trace *trace)
{
	struct summary summary = { .coverage = "full" };
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *events;
	const char *text;

	trace->sink->ops->end(trace->sink, &summary);
	text = paper_text(&trace->paper);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	trace->root = json_tokener_parse_ex(tokener, text, (int)strlen(text));
	cr_assert(trace->root, "%s", json_tokener_error_desc(json_tokener_get_error(tokener)));
	json_tokener_free(tokener);
	events = get(trace->root, "traceEvents");
	cr_assert(json_object_array_length(events) < MARKS_MAX);
	trace->marks = calloc(json_object_array_length(events) + 1, sizeof(*trace->marks));
	for (size_t i = 0; i < json_object_array_length(events); i++)
		take_mark(trace, json_object_array_get_idx(events, i));
}

static void trace_close(struct trace *trace)
{
	cr_assert_eq(perfetto_free(trace->sink), 0);
	paper_close(&trace->paper);
	json_object_put(trace->root);
	free(trace->marks);
}

static int by_track_and_time(const void *left, const void *right)
{
	const struct mark *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->tid != b->tid)
		return a->tid < b->tid ? -1 : 1;
	if (a->ts_ns != b->ts_ns)
		return a->ts_ns < b->ts_ns ? -1 : 1;
	return a->at < b->at ? -1 : 1;
}

struct stack {
	const struct mark *at[512];
	size_t count;
};

static uint64_t end_of(const struct mark *mark)
{
	return mark->phase == 'X' ? mark->ts_ns + mark->dur_ns : UINT64_MAX;
}

static void expect_on_stack(struct stack *stack, const struct mark *mark)
{
	const struct mark *top;

	while (stack->count && end_of(stack->at[stack->count - 1]) <= mark->ts_ns)
		stack->count--;
	top = stack->count ? stack->at[stack->count - 1] : NULL;
	switch (mark->phase) {
	case 'B':
	case 'X':
		cr_assert(!top || top->phase == 'B' || mark->phase == 'B' ||
				  end_of(mark) <= end_of(top),
			  "slices overlap in part at %" PRIu64, mark->ts_ns);
		cr_assert(stack->count < 512);
		stack->at[stack->count++] = mark;
		break;
	case 'E':
		cr_assert(top, "an end without a beginning");
		cr_assert_eq(top->phase, 'B', "a span outlives its step");
		stack->count--;
		top = stack->count ? stack->at[stack->count - 1] : NULL;
		cr_assert(!top || end_of(top) >= mark->ts_ns, "a step outlives the span around it");
		break;
	case 's':
	case 'f':
		cr_assert(top, "the arrow %" PRIu64 " has no slice at its %c", mark->id,
			  mark->phase);
	}
}

/* As the viewer reads it. */
static void expect_tracks_nest(const struct trace *trace)
{
	struct mark *sorted = malloc((trace->count + 1) * sizeof(*sorted));
	struct stack stack = {};

	memcpy(sorted, trace->marks, trace->count * sizeof(*sorted));
	qsort(sorted, trace->count, sizeof(*sorted), by_track_and_time);
	for (size_t i = 0; i < trace->count; i++) {
		expect_on_stack(&stack, &sorted[i]);
		if (i + 1 == trace->count || sorted[i + 1].tid != sorted[i].tid ||
		    sorted[i + 1].pid != sorted[i].pid) {
			while (stack.count && stack.at[stack.count - 1]->phase == 'X')
				stack.count--;
			cr_assert_eq(stack.count, 0, "a step never ends");
		}
	}
	free(sorted);
}

/* B and E also are in order as they stand in the file. */
static void expect_file_order(const struct trace *trace)
{
	struct {
		uint32_t pid, tid;
		uint64_t ts_ns;
	} last[64] = {};

	for (size_t i = 0; i < trace->count; i++) {
		const struct mark *mark = &trace->marks[i];
		size_t k = 0;

		if (mark->phase != 'B' && mark->phase != 'E')
			continue;
		while (last[k].tid && (last[k].tid != mark->tid || last[k].pid != mark->pid))
			k++;
		cr_assert(k < 63);
		cr_assert(last[k].ts_ns <= mark->ts_ns);
		last[k].pid = mark->pid;
		last[k].tid = mark->tid;
		last[k].ts_ns = mark->ts_ns;
	}
}

/* Each beginning has one end, not before it, and the other way round. */
static size_t expect_pairs(const struct trace *trace, char begin, char end)
{
	const struct mark **open = calloc(MARKS_MAX, sizeof(*open));
	size_t pairs = 0, waiting = 0;

	for (size_t i = 0; i < trace->count; i++) {
		const struct mark *mark = &trace->marks[i];

		cr_assert(mark->id < MARKS_MAX);
		if (mark->phase == begin) {
			cr_assert_null(open[mark->id], "%c %" PRIu64 " twice", begin, mark->id);
			open[mark->id] = mark;
			waiting++;
		} else if (mark->phase == end) {
			cr_assert(open[mark->id], "%c %" PRIu64 " without %c", end, mark->id,
				  begin);
			cr_assert(open[mark->id]->ts_ns <= mark->ts_ns);
			open[mark->id] = NULL;
			waiting--;
			pairs++;
		}
	}
	cr_assert_eq(waiting, 0, "%c without %c", begin, end);
	free(open);
	return pairs;
}

static void expect_rules(const struct trace *trace)
{
	expect_tracks_nest(trace);
	expect_file_order(trace);
	expect_pairs(trace, 's', 'f');
	expect_pairs(trace, 'b', 'e');
}

static char *const names[] = { "?", "make", "work", "\"quoted\"\n", "C.f" };
static struct code codes[5];

static struct code *code_of(uint32_t id)
{
	codes[id] = (struct code){
		.id = id, .name = names[id], .qualname = names[id], .file = "/srv/app.py"
	};
	return &codes[id];
}

static void give(struct trace *trace, struct transition_record *record)
{
	struct event event = { .type = EVENT_TRANSITION,
			       .ts_ns = record->head.ts_ns,
			       .pid = record->head.pid,
			       .tid = record->head.tid,
			       .transition = record,
			       .code = code_of(record->code),
			       .line = record->instruction };

	trace->sink->ops->event(trace->sink, &event);
}

struct change {
	uint64_t ts_ns, id, parent;
	uint8_t kind, from, to, via;
	uint32_t tid;
	uint64_t run_ns; /* 0: not seen */
};

static void tell(struct trace *trace, struct change change)
{
	struct transition_record record = {
		.head = { .type = RECORD_TRANSITION,
			  .flags = change.run_ns ? TRANSITION_HAS_RUN : 0,
			  .pid = 10,
			  .tid = change.tid ? change.tid : 11,
			  .ts_ns = change.ts_ns },
		.id = change.id,
		.parent = change.parent,
		.run_ns = change.run_ns,
		.code = 1 + change.id % 4,
		.instruction = 30,
		.kind = change.kind ? change.kind : KIND_COROUTINE,
		.from = change.from,
		.to = change.to,
		.via = change.via,
	};

	give(trace, &record);
}

static void tell_gc(struct trace *trace, uint32_t tid, uint64_t ts_ns, uint64_t ns)
{
	struct event event = { .type = EVENT_GC,
			       .ts_ns = ts_ns,
			       .pid = 10,
			       .tid = tid,
			       .name = "",
			       .generation = 2,
			       .has_ns = true,
			       .ns = ns };

	trace->sink->ops->event(trace->sink, &event);
}

/* The marks as one line a mark: phase, time, object or id. */
static void expect_marks(const struct trace *trace, const char *phases, const char *expected)
{
	char text[4096] = "", *out = text;

	for (size_t i = 0; i < trace->count; i++) {
		const struct mark *mark = &trace->marks[i];

		if (!strchr(phases, mark->phase))
			continue;
		out += sprintf(out, "%c%" PRIu64, mark->phase, mark->ts_ns);
		if (mark->phase == 'X')
			out += sprintf(out, "+%" PRIu64, mark->dur_ns);
		if (strchr("BXi", mark->phase))
			out += sprintf(out, ":%" PRIu64, mark->object);
		*out++ = ' ';
		cr_assert(out < text + 4000);
	}
	if (out > text)
		out[-1] = 0;
	cr_assert_str_eq(text, expected);
}

#define C STATE_CREATED
#define R STATE_RUNNING
#define S STATE_SUSPENDED
#define X STATE_CLOSED
#define N STATE_NONE

Test(perfetto, draws_steps_arrows_and_bars)
{
	struct trace trace;

	trace_open(&trace, 50);
	tell(&trace, (struct change){ 100, 1, .from = N, .to = C, .via = VIA_CREATE });
	tell(&trace, (struct change){ 200, 1, .from = C, .to = R, .via = VIA_SEND });
	tell(&trace, (struct change){ 210, 2, .from = N, .to = C, .via = VIA_CREATE });
	tell(&trace, (struct change){ 220, 2, 1, .from = C, .to = R, .via = VIA_AWAIT });
	tell(&trace, (struct change){ 230, 2, .from = R, .to = S, .via = VIA_AWAIT, .run_ns = 10 });
	tell(&trace, (struct change){ 260, 1, .from = R, .to = S, .via = VIA_AWAIT, .run_ns = 60 });
	tell(&trace, (struct change){ 300, 1, .from = S, .to = R, .via = VIA_SEND, .tid = 12 });
	tell(&trace, (struct change){ 310, 2, 1, .from = S, .to = R, .via = VIA_AWAIT, .tid = 12 });
	tell(&trace, (struct change){ 320, 2, .from = R, .to = X, .via = VIA_RETURN, .tid = 12 });
	tell(&trace, (struct change){ 330, 2, .from = X, .to = N, .via = VIA_FREE, .tid = 12 });
	tell(&trace, (struct change){ 400, 1, .from = R, .to = X, .via = VIA_RETURN, .tid = 12 });
	trace_read(&trace);
	expect_rules(&trace);
	cr_assert_eq(trace.titles, 4, "two threads and twice their process");
	expect_marks(&trace, "BE", "B200:1 B220:2 E230 E260 B300:1 B310:2 E320 E400");
	expect_marks(&trace, "sf", "s259 f300 s229 f310");
	expect_marks(&trace, "i", "i260:1");
	expect_marks(&trace, "be", "b100 b210 e320 e400");
	trace_close(&trace);
}

/* A coroutine that is made in one step and begins in another: who made it? */
Test(perfetto, points_from_birth_to_first_step)
{
	struct trace trace;

	trace_open(&trace, 0);
	tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	tell(&trace, (struct change){ 110, 2, .from = N, .to = C });
	tell(&trace, (struct change){ 115, 3, .kind = KIND_GENERATOR, .from = N, .to = C });
	tell(&trace, (struct change){ 120, 1, .from = R, .to = X });
	tell(&trace, (struct change){ 200, 2, .from = C, .to = R });
	tell(&trace, (struct change){ 300, 2, .from = R, .to = X });
	tell(&trace, (struct change){ 400, 3, .kind = KIND_GENERATOR, .from = C, .to = R });
	trace_read(&trace);
	expect_rules(&trace);
	expect_marks(&trace, "sf", "s109 f200");
	expect_marks(&trace, "be", "b100 b110 b115 e120 e300 e400");
	trace_close(&trace);
}

/* An async generator that runs while what drives it is suspended, and others run on its thread. */
Test(perfetto, parks_async_generators)
{
	const uint8_t agen = KIND_ASYNC_GENERATOR;
	struct trace trace;

	trace_open(&trace, 0);
	tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	tell(&trace, (struct change){ 110, 2, 1, .kind = agen, .from = C, .to = R });
	tell(&trace, (struct change){ 115, 3, 2, .kind = agen, .from = C, .to = R });
	tell(&trace, (struct change){ 120, 1, .from = R, .to = S, .via = VIA_AWAIT });
	tell(&trace, (struct change){ 130, 4, .from = C, .to = R });
	tell(&trace, (struct change){ 140, 4, .from = R, .to = X });
	tell(&trace, (struct change){ 150, 1, .from = S, .to = R, .tid = 12 });
	tell(&trace, (struct change){ 160, 3, .kind = agen, .from = R, .to = S, .tid = 12 });
	tell(&trace, (struct change){ 170, 2, .kind = agen, .from = R, .to = S, .tid = 12 });
	tell(&trace, (struct change){ 180, 1, .from = R, .to = X, .tid = 12 });
	trace_read(&trace);
	expect_rules(&trace);
	expect_marks(&trace, "BE",
		     "B100:1 B110:2 B115:3 E120 E120 E120 B130:4 E140 "
		     "B150:1 B150:2 B150:3 E160 E170 E180");
	trace_close(&trace);
}

/* What is open and does not drive the next step is not running: an async generator that was stepped by
 * hand, or a step whose end was lost. */
Test(perfetto, draws_a_step_in_its_driver)
{
	struct trace trace;

	trace_open(&trace, 0);
	tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	tell(&trace,
	     (struct change){ 110, 2, 1, .kind = KIND_ASYNC_GENERATOR, .from = C, .to = R });
	tell(&trace, (struct change){ 120, 3, 1, .from = C, .to = R });
	tell(&trace, (struct change){ 130, 3, .from = R, .to = X });
	tell(&trace, (struct change){ 140, 2, .kind = KIND_ASYNC_GENERATOR, .from = R, .to = S });
	tell(&trace, (struct change){ 150, 4, 77, .from = C, .to = R }); /* 77 is filtered out */
	tell(&trace, (struct change){ 200, 5, .from = C, .to = R });
	tell(&trace, (struct change){ 210, 1, .from = R, .to = X });
	trace_read(&trace);
	expect_rules(&trace);
	expect_marks(&trace, "BE", "B100:1 B110:2 E120 B120:3 E130 B150:4 E200 E200 B200:5 E210");
	trace_close(&trace);
}

Test(perfetto, draws_what_only_the_end_tells)
{
	struct trace trace;

	trace_open(&trace, 0);
	tell(&trace, (struct change){ 100, 1, .from = C, .to = R });
	tell_gc(&trace, 11, 150, 20);
	tell(&trace, (struct change){ 200, 2, 1, .from = C, .to = R });
	tell(&trace, (struct change){ 210, 2, .from = R, .to = X });
	tell_gc(&trace, 11, 220, 30);  /* around the step of 2 */
	tell_gc(&trace, 11, 230, 500); /* began before the step of 1, which cannot be */
	tell(&trace, (struct change){ 300, 1, .from = R, .to = X });
	/* its beginning was filtered out: 280 is within a step, so from its end on */
	tell(&trace, (struct change){ 320, 5, .from = R, .to = S, .run_ns = 40 });
	tell(&trace, (struct change){ 350, 6, .from = R, .to = S }); /* nothing is known of it */
	trace_read(&trace);
	expect_rules(&trace);
	expect_marks(&trace, "BEX",
		     "B100:1 X130+20:0 B200:2 E210 X190+30:0 X100+130:0 E300 X300+20:5");
	trace_close(&trace);
}

Test(perfetto, remembers_only_the_last_slices)
{
	struct trace trace;

	trace_open(&trace, 0);
	for (uint64_t i = 0; i < 40; i++) {
		tell(&trace, (struct change){ 100 + 10 * i, i + 1, .from = C, .to = R });
		tell(&trace, (struct change){ 105 + 10 * i, i + 1, .from = R, .to = X });
	}
	tell_gc(&trace, 11, 600, 598); /* across the first, which is forgotten */
	trace_read(&trace);
	expect_rules(&trace);
	cr_assert_eq(trace.marks[trace.count - 1].ts_ns, 100 + 10 * 23 + 5);
	trace_close(&trace);
}

/* --- lives at random ------------------------------------------------------------------------------ */

enum { OBJECTS = 600, THREADS = 3, DEPTH = 40 };

struct life {
	uint64_t id;
	uint8_t kind, state;
	int inner;                   /* what it awaits, -1 none */
	bool inside;                 /* something awaits it */
	uint64_t began_ns, steps_ns; /* of the time it was on a thread */
	size_t steps;
};

struct world {
	struct trace *trace;
	uint64_t random, now_ns, last_ns[THREADS];
	struct life lives[OBJECTS];
	int count;
	struct {
		int at[DEPTH], count, roots[DEPTH]; /* roots: 1 where a chain begins */
	} threads[THREADS];
};

static unsigned dice(struct world *world, unsigned sides)
{
	world->random = world->random * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(world->random >> 33) % sides;
}

static void emit(struct world *world, int thread, struct life *life, uint8_t to, uint8_t via,
		 uint64_t parent)
{
	world->now_ns += dice(world, 4);
	tell(world->trace, (struct change){ world->now_ns, life->id, parent, life->kind,
					    life->state, to, via, 100 + (uint32_t)thread, 0 });
	life->state = to;
}

static uint64_t top_id(const struct world *world, int thread)
{
	int count = world->threads[thread].count;

	return count ? world->lives[world->threads[thread].at[count - 1]].id : 0;
}

/* It runs from now on, and what it awaits, down to the innermost. */
static void enter(struct world *world, int thread, int index, bool root)
{
	for (; index >= 0; index = world->lives[index].inner, root = false) {
		struct life *life = &world->lives[index];
		int *count = &world->threads[thread].count;

		if (life->state != R)
			emit(world, thread, life, R, VIA_SEND, top_id(world, thread));
		life->began_ns = world->now_ns;
		world->threads[thread].roots[*count] = root;
		world->threads[thread].at[(*count)++] = index;
	}
}

static struct life *leave(struct world *world, int thread, bool *root)
{
	int count = --world->threads[thread].count;

	*root = world->threads[thread].roots[count];
	return &world->lives[world->threads[thread].at[count]];
}

static void count_step(struct world *world, struct life *life)
{
	life->steps_ns += world->now_ns - life->began_ns;
	life->steps++;
}

/* Everything from the innermost to the beginning of its chain. */
static void suspend_chain(struct world *world, int thread)
{
	struct life *waiting[DEPTH];
	int count = 0;
	bool root;

	do {
		struct life *life = leave(world, thread, &root);

		waiting[count++] = life;
		if (life->kind == KIND_ASYNC_GENERATOR)
			continue; /* stays RUNNING: its slice ends with the next that does not */
		emit(world, thread, life, S, VIA_AWAIT, 0);
		while (count)
			count_step(world, waiting[--count]);
	} while (!root);
}

static void end_top(struct world *world, int thread, uint8_t to, uint8_t via)
{
	bool root;
	struct life *life = leave(world, thread, &root);

	emit(world, thread, life, to, via, 0);
	count_step(world, life);
	life->inside = false;
	if (!root)
		world->lives[world->threads[thread].at[world->threads[thread].count - 1]].inner =
			-1;
}

/* One that exists and can be driven, or a new one; -1 none. */
static int choose(struct world *world, int thread, bool root)
{
	if (dice(world, 2))
		for (int i = (int)dice(world, OBJECTS), k = 0; k < 40; k++, i = (i + 1) % OBJECTS)
			if (i < world->count && !world->lives[i].inside &&
			    world->lives[i].state != R && world->lives[i].state != X &&
			    (!root || world->lives[i].kind != KIND_ASYNC_GENERATOR) &&
			    (root || world->lives[i].inner < 0))
				return i;
	if (world->count == OBJECTS)
		return -1;
	world->lives[world->count] =
		(struct life){ .id = (uint64_t)world->count + 1,
			       .kind = (uint8_t)(KIND_GENERATOR + dice(world, root ? 2 : 3)),
			       .inner = -1 };
	emit(world, thread, &world->lives[world->count], C, VIA_CREATE, 0);
	return world->count++;
}

static void act(struct world *world, int thread)
{
	int count = world->threads[thread].count, other;
	struct life *top = count ? &world->lives[world->threads[thread].at[count - 1]] : NULL;
	bool full = count > DEPTH / 2;

	switch (top ? dice(world, 8) : 0) {
	case 0: /* drive something of its own */
		other = full ? -1 : choose(world, thread, true);
		if (other >= 0)
			enter(world, thread, other, true);
		break;
	case 1:
	case 2: /* await something */
		other = full ? -1 : choose(world, thread, false);
		if (other < 0)
			break;
		top->inner = other;
		world->lives[other].inside = true;
		enter(world, thread, other, false);
		break;
	case 3:
		end_top(world, thread, X, VIA_RETURN);
		break;
	case 4: /* back to who awaits it */
		if (top->kind != KIND_COROUTINE)
			end_top(world, thread, S, VIA_YIELD);
		break;
	case 5:
		tell_gc(world->trace, 100 + (uint32_t)thread, world->now_ns, dice(world, 20));
		break;
	default:
		suspend_chain(world, thread);
	}
}

static void expect_lives(const struct world *world)
{
	const struct trace *trace = world->trace;
	const struct mark *stacks[THREADS][512];
	size_t counts[THREADS] = {};
	struct life drawn[OBJECTS + 1] = {};

	for (size_t i = 0; i < trace->count; i++) {
		const struct mark *mark = &trace->marks[i];
		unsigned thread = mark->tid - 100;

		if (mark->phase == 'B')
			stacks[thread][counts[thread]++] = mark;
		if (mark->phase != 'E')
			continue;
		mark = stacks[thread][--counts[thread]];
		drawn[mark->object].steps_ns += trace->marks[i].ts_ns - mark->ts_ns;
		drawn[mark->object].steps++;
	}
	for (int i = 0; i < world->count; i++) {
		const struct life *life = &world->lives[i];

		cr_assert_eq(drawn[life->id].steps, life->steps, "object %d: %zu, not %zu steps", i,
			     drawn[life->id].steps, life->steps);
		cr_assert_eq(drawn[life->id].steps_ns, life->steps_ns, "object %d", i);
	}
}

Test(perfetto, draws_lives_at_random_exactly, .timeout = 120)
{
	struct world *world = malloc(sizeof(*world));
	size_t arrows = 0;

	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct trace trace;

		memset(world, 0, sizeof(*world));
		world->trace = &trace;
		world->random = seed * 7919;
		world->now_ns = 1000;
		trace_open(&trace, 0);
		for (int i = 0; i < 1500; i++)
			act(world, (int)dice(world, THREADS));
		for (int thread = 0; thread < THREADS; thread++)
			while (world->threads[thread].count)
				suspend_chain(world, thread);
		trace_read(&trace);
		expect_rules(&trace);
		expect_lives(world);
		cr_assert_eq(expect_pairs(&trace, 'b', 'e'), (size_t)world->count);
		arrows += expect_pairs(&trace, 's', 'f');
		trace_close(&trace);
	}
	cr_assert(arrows > 1000);
	free(world);
}

/* Whatever is lost, forged or out of order: the rules hold. */
Test(perfetto, keeps_the_rules_with_any_events, .timeout = 120)
{
	struct world world = {};

	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct trace trace;

		world.random = seed;
		trace_open(&trace, seed % 3);
		for (int i = 0; i < 1500; i++) {
			struct change change = { 100 + (uint64_t)i / 2 + dice(&world, 9),
						 1 + dice(&world, 12),
						 dice(&world, 13),
						 (uint8_t)(1 + dice(&world, 3)),
						 (uint8_t)dice(&world, STATE_COUNT),
						 (uint8_t)dice(&world, STATE_COUNT),
						 (uint8_t)(dice(&world, 2) ? VIA_AWAIT : VIA_YIELD),
						 100 + dice(&world, 3),
						 dice(&world, 3) * 9 };

			/* an object has one bar: its id does not come back */
			change.id += 12 * (uint64_t)(i / 100);
			if (change.parent)
				change.parent += 12 * (uint64_t)(i / 100);
			if (change.from == X || change.to == X || change.to == N)
				if (dice(&world, 30))
					continue;
			if (change.to == X || change.to == N)
				change.id = 5000 + (uint64_t)i;
			tell(&trace, change);
			if (!dice(&world, 10))
				tell_gc(&trace, change.tid, change.ts_ns, dice(&world, 60));
		}
		trace_read(&trace);
		expect_rules(&trace);
		trace_close(&trace);
	}
}

static const char *process_title(void *ctx, uint32_t pid)
{
	cr_assert_eq(pid, 10);
	return ctx;
}

Test(perfetto, names_its_tracks)
{
	struct perfetto_options options = { .process_name = process_title,
					    .ctx = "a \"server\"\n" };
	struct loss loss = { .ring = 3 };
	struct json_object *events;
	struct trace trace;

	memset(&trace, 0, sizeof(trace));
	paper_open(&trace.paper, &sink_json, false);
	cr_assert_eq(perfetto_new(&options, &trace.paper.writer, &trace.sink), 0);
	trace.sink->ops->begin(trace.sink);
	tell(&trace, (struct change){ 1234567, 2, .from = C, .to = R, .tid = 10 });
	trace.sink->ops->lost(trace.sink, 1300000, &loss);
	trace_read(&trace);
	expect_rules(&trace);
	events = get(trace.root, "traceEvents");
	expect_string(get(json_object_array_get_idx(events, 0), "args"), "name", "a \"server\"\n");
	expect_string(get(json_object_array_get_idx(events, 1), "args"), "name", "main thread");
	cr_assert_str_eq(trace.marks[0].name, "\"quoted\"\n");
	cr_assert_str_eq(trace.marks[2].name, "lost events");
	cr_assert(strstr(trace.paper.text, "\"ts\":1234.567,"));
	cr_assert(strstr(trace.paper.text, "\"at\":\"/srv/app.py:30\""));
	expect_string(get(trace.root, "otherData"), "coverage", "full");
	trace_close(&trace);
}

Test(perfetto, is_whole_without_events)
{
	struct trace trace;

	trace_open(&trace, 0);
	trace_read(&trace);
	cr_assert_eq(trace.count, 0);
	trace_close(&trace);
	cr_assert_eq(perfetto_free(NULL), 0);
}
