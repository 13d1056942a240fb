/* SPDX-License-Identifier: MIT */
#include "perfetto_trace.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARKS_MAX 60000

void trace_open(struct trace *trace, uint64_t slow_ns)
{
	struct perfetto_options options = { .slow_ns = slow_ns };

	memset(trace, 0, sizeof(*trace));
	paper_open(&trace->paper, &sink_json, false);
	cr_assert_eq(perfetto_new(&options, &trace->paper.writer, &trace->sink), 0);
	trace->sink->ops->begin(trace->sink);
}

struct json_object *trace_get(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static uint64_t get_ns(struct json_object *object, const char *key)
{
	return (uint64_t)llround(json_object_get_double(trace_get(object, key)) * 1000);
}

static void take_mark(struct trace *trace, struct json_object *object)
{
	struct json_object *args = trace_get(object, "args"), *id = trace_get(object, "id");
	struct mark *mark = &trace->marks[trace->count];
	const char *phase = json_object_get_string(trace_get(object, "ph"));

	cr_assert(phase && strlen(phase) == 1);
	if (*phase == 'M') {
		trace->titles++;
		return;
	}
	*mark = (struct mark){
		.phase = *phase,
		.ts_ns = get_ns(object, "ts"),
		.dur_ns = get_ns(object, "dur"),
		.pid = (uint32_t)json_object_get_int64(trace_get(object, "pid")),
		.tid = (uint32_t)json_object_get_int64(trace_get(object, "tid")),
		.object = json_object_get_uint64(trace_get(args, "id")),
		.at = trace->count++,
		.name = json_object_get_string(trace_get(object, "name")),
		.end = json_object_get_string(trace_get(args, "end")),
	};
	if (id && json_object_get_type(id) == json_type_string)
		mark->id = strtoull(json_object_get_string(id), NULL, 0);
	else
		mark->id = json_object_get_uint64(id);
	cr_assert(*phase == 'E' || mark->name, "%c without a name", *phase);
}

void trace_read(struct trace *trace)
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
	events = trace_get(trace->root, "traceEvents");
	cr_assert(json_object_array_length(events) < MARKS_MAX);
	trace->marks = calloc(json_object_array_length(events) + 1, sizeof(*trace->marks));
	for (size_t i = 0; i < json_object_array_length(events); i++)
		take_mark(trace, json_object_array_get_idx(events, i));
}

void trace_close(struct trace *trace)
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
size_t trace_expect_pairs(const struct trace *trace, char begin, char end)
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

void trace_expect_rules(const struct trace *trace)
{
	expect_tracks_nest(trace);
	expect_file_order(trace);
	trace_expect_pairs(trace, 's', 'f');
	trace_expect_pairs(trace, 'b', 'e');
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

static void trace_give(struct trace *trace, struct transition_record *record)
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

void trace_tell(struct trace *trace, struct change change)
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

	trace_give(trace, &record);
}

void trace_tell_gc(struct trace *trace, uint32_t tid, uint64_t ts_ns, uint64_t ns)
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
void trace_expect_marks(const struct trace *trace, const char *phases, const char *expected)
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
