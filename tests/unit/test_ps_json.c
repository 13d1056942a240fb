/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "paper.h"
#include "sink/ps.h"
#include "snapshots.h"

/* The lines of `ps --json`, read back by libjson-c and held against contract.md, field by field. */

static struct code_object code_main = CODE("main", "/srv/app/main.py", 10);
static struct code_object code_get = {
	.name = "get", .qualname = "Queue.get", .file = "/srv/app/queue.py", .first_line = 30
};

static const char *name_thread(void *ctx, int32_t tid)
{
	return tid == 77 ? ctx : NULL;
}

static void sheet_open(struct paper *paper, struct ps_view *view)
{
	paper_open(paper, &sink_json, false);
	*view = (struct ps_view){ .writer = &paper->writer,
				  .pid = 4242,
				  .thread_name = name_thread,
				  .ctx = "Main\"Thread" };
}

Test(ps_json, writes_objects)
{
	struct ps_totals totals = {};
	struct json_object *line;
	struct scene scene;
	struct ps_view view;
	struct paper paper;
	uint32_t main, get;

	scene_open(&scene);
	main = scene_object(&scene, &code_main, KIND_COROUTINE, STATE_RUNNING, 11);
	get = scene_coro(&scene, &code_get, 31);
	scene_await(&scene, main, get);
	scene_await_future(&scene, get);
	scene_task(&scene, "Task-\"1\"", main);
	scene.snapshot.objects[main].tid = 77;
	scene_object(&scene, &code_get, KIND_ASYNC_GENERATOR, STATE_CLOSED, 0);
	sheet_open(&paper, &view);
	cr_assert_eq(ps_json(&view, &scene.snapshot, NULL, &totals), 0);
	line = line_at(&paper, 0);
	expect_string(line, "type", "object");
	expect_number(line, "pid", 4242);
	expect_string(line, "kind", "coroutine");
	expect_string(line, "state", "CORO_RUNNING");
	expect_string(line, "gen", "0x7f0000000000");
	expect_number(line, "id", 1);
	expect_string(line, "name", "main");
	expect_string(line, "qualname", "main");
	expect_string(line, "file", "/srv/app/main.py");
	expect_number(line, "firstlineno", 10);
	expect_number(line, "line", 11);
	expect_string(line, "awaiting", "0x7f0000000040");
	expect_null(line, "awaited_by");
	expect_string(line, "task", "Task-\"1\"");
	expect_string(line, "thread", "Main\"Thread");
	expect_null(line, "age_ns");
	cr_expect_eq(json_object_object_length(line), 16);
	json_object_put(line);
	line = line_at(&paper, 1);
	expect_number(line, "id", 2);
	expect_string(line, "name", "get");
	expect_string(line, "qualname", "Queue.get");
	expect_string(line, "awaited_by", "0x7f0000000000");
	expect_string(line, "task", "Task-\"1\"");
	expect_null(line, "thread");
	expect_string(member(line, "awaiting"), "type", "_asyncio.Future");
	expect_string(member(line, "awaiting"), "repr", "<Future pending>");
	cr_expect_eq(json_object_object_length(member(line, "awaiting")), 2);
	json_object_put(line);
	line = line_at(&paper, 2);
	expect_string(line, "kind", "async_generator");
	expect_string(line, "state", "AGEN_CLOSED");
	expect_null(line, "line");
	expect_null(line, "awaiting");
	expect_null(line, "task");
	json_object_put(line);
	cr_expect_eq(totals.objects, 3);
	cr_expect_eq(totals.shown, 3);
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_json, names_the_coroutine_of_an_awaited_task)
{
	struct ps_totals totals = {};
	struct json_object *line, *awaiting;
	struct scene scene;
	struct ps_view view;
	struct paper paper;
	uint32_t task;

	scene_open(&scene);
	scene_coro(&scene, &code_main, 11);
	task = scene_task(&scene, "Task-3", scene_coro(&scene, &code_get, 31));
	scene_await_task(&scene, 0, task);
	sheet_open(&paper, &view);
	cr_assert_eq(ps_json(&view, &scene.snapshot, NULL, &totals), 0);
	line = line_at(&paper, 0);
	awaiting = member(line, "awaiting");
	expect_string(awaiting, "type", "_asyncio.Task");
	expect_string(awaiting, "repr", "<Task pending name='Task-3'>");
	expect_string(awaiting, "gen", "0x7f0000000040");
	cr_expect_eq(json_object_object_length(awaiting), 3);
	json_object_put(line);
	scene.snapshot.tasks[task].coroutine = SNAPSHOT_NONE;
	paper_clear(&paper);
	cr_assert_eq(ps_json(&view, &scene.snapshot, NULL, &totals), 0);
	line = line_at(&paper, 0);
	cr_expect_eq(json_object_object_length(member(line, "awaiting")), 2, "no coroutine known");
	json_object_put(line);
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_json, writes_locals)
{
	struct local values[] = { { "x", "int", "42", false, false },
				  { "api_key", "str", NULL, false, true },
				  { "s", "str", "'\"\\\xe4\xb8\xad\xe2\x80\xa6'", true, false } };
	struct local_list list = { values, 3, false }, none = {};
	struct json_object *line, *locals, *value;
	struct ps_totals totals = {};
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	scene_open(&scene);
	scene_coro(&scene, &code_main, 11);
	scene_coro(&scene, &code_main, 11);
	scene.snapshot.objects[0].locals = &list;
	scene.snapshot.objects[1].locals = &none;
	sheet_open(&paper, &view);
	cr_assert_eq(ps_json(&view, &scene.snapshot, NULL, &totals), 0);
	line = line_at(&paper, 0);
	locals = member(line, "locals");
	cr_expect_eq(json_object_object_length(locals), 3);
	value = member(locals, "x");
	expect_string(value, "type", "int");
	expect_string(value, "repr", "42");
	cr_expect_eq(json_object_object_length(value), 2);
	value = member(locals, "api_key");
	expect_string(value, "type", "str");
	expect_bool(value, "redacted", true);
	cr_expect_eq(json_object_object_length(value), 2);
	value = member(locals, "s");
	expect_string(value, "repr", "'\"\\\xe4\xb8\xad\xe2\x80\xa6'");
	expect_bool(value, "truncated", true);
	cr_expect_eq(json_object_object_length(value), 3);
	json_object_put(line);
	line = line_at(&paper, 1);
	cr_expect_eq(json_object_object_length(member(line, "locals")), 0);
	json_object_put(line);
	paper_close(&paper);
	scene_close(&scene);
}

/* Longer than any buffer on the way, and cut at every place within a character. */
Test(ps_json, keeps_long_texts_whole)
{
	struct ps_totals totals = {};
	struct json_object *line;
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	for (size_t shift = 0; shift < 5; shift++) {
		struct local local = { "x", "str", NULL, false, false };
		struct local_list list = { &local, 1, false };
		char *text = calloc(1, 40100), *end = text + shift;

		memset(text, '\x01', shift);
		for (int i = 0; i < 10000; i++)
			end = stpcpy(end, "\xf0\x9f\x90\x8d");
		local.repr = text;
		scene_open(&scene);
		scene_coro(&scene, &code_main, 11);
		scene.snapshot.objects[0].locals = &list;
		sheet_open(&paper, &view);
		cr_assert_eq(ps_json(&view, &scene.snapshot, NULL, &totals), 0);
		line = line_at(&paper, 0);
		expect_string(member(member(line, "locals"), "x"), "repr", text);
		json_object_put(line);
		paper_close(&paper);
		scene_close(&scene);
		free(text);
	}
}

Test(ps_json, survives_hostile_text)
{
	static const char evil[] = "e\033[2J\n\"\\\xff\xc2";
	struct code_object code = CODE(evil, evil, 1);
	struct local local = { evil, (char *)evil, (char *)evil, false, false };
	struct local_list list = { &local, 1, true };
	struct ps_totals totals = {};
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	scene_open(&scene);
	scene_task(&scene, evil, scene_object(&scene, &code, KIND_GENERATOR, STATE_RUNNING, 1));
	scene_await_other(&scene, 0, AWAITS_OTHER, evil);
	scene.snapshot.objects[0].locals = &list;
	scene.snapshot.objects[0].tid = 77;
	sheet_open(&paper, &view);
	view.ctx = (char *)evil;
	cr_assert_eq(ps_json(&view, &scene.snapshot, NULL, &totals), 0);
	json_object_put(read_line(&paper));
	cr_expect_null(strchr(paper.text, '\033'));
	paper_close(&paper);
	scene_close(&scene);
}

/* More functions than the cache of their pieces holds, in an order that drives each out again. */
Test(ps_json, names_every_function)
{
	static struct code_object codes[3000];
	struct ps_totals totals = {};
	struct scene scene;
	struct ps_view view;
	struct paper paper;
	char *at;

	scene_open(&scene);
	for (uint32_t i = 0; i < 6000; i++) {
		codes[i % 3000] = (struct code_object)CODE("f", "f.py", i % 3000);
		scene_coro(&scene, &codes[i % 3000], 7);
	}
	sheet_open(&paper, &view);
	cr_assert_eq(ps_json(&view, &scene.snapshot, NULL, &totals), 0);
	paper_text(&paper);
	at = paper.text;
	for (uint32_t i = 0; i < 6000; i++) {
		char expected[64];

		snprintf(expected, sizeof(expected), "\"firstlineno\":%u,\"line\":7,", i % 3000);
		*strchr(at, '\n') = 0;
		cr_assert(strstr(at, expected), "%s", at);
		at += strlen(at) + 1;
	}
	cr_expect_eq(*at, 0);
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_json, shows_what_is_selected)
{
	struct selection selection = { .function_glob = "Queue.*" };
	struct ps_totals totals = {};
	struct json_object *line;
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	scene_open(&scene);
	scene_coro(&scene, &code_main, 11);
	scene_coro(&scene, &code_get, 31);
	scene_await(&scene, 0, 1);
	sheet_open(&paper, &view);
	cr_assert_eq(ps_json(&view, &scene.snapshot, &selection, &totals), 0);
	line = read_line(&paper);
	expect_number(line, "id", 2); /* as without a selection */
	json_object_put(line);
	cr_expect_eq(totals.objects, 2);
	cr_expect_eq(totals.shown, 1);
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_json, writes_groups)
{
	struct group_table *groups;
	struct json_object *line;
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	scene_open(&scene);
	for (int i = 0; i < 3; i++)
		scene_await_future(&scene, scene_coro(&scene, &code_get, 31));
	scene_object(&scene, &code_main, KIND_GENERATOR, STATE_CLOSED, 0);
	cr_assert_eq(group_table_new(&groups), 0);
	for (uint32_t i = 0; i < 4; i++)
		group_table_add(groups, NULL, &scene.snapshot.objects[i]);
	sheet_open(&paper, &view);
	cr_assert_eq(ps_group_json(&view, groups), 0);
	line = line_at(&paper, 0);
	expect_string(line, "type", "group");
	expect_number(line, "pid", 4242);
	expect_number(line, "count", 3);
	expect_string(line, "kind", "coroutine");
	expect_string(line, "state", "CORO_SUSPENDED");
	expect_string(line, "name", "get");
	expect_string(line, "qualname", "Queue.get");
	expect_string(line, "file", "/srv/app/queue.py");
	expect_number(line, "firstlineno", 30);
	expect_number(line, "line", 31);
	expect_string(line, "awaiting", "_asyncio.Future");
	cr_expect_eq(json_object_object_length(line), 11);
	json_object_put(line);
	line = line_at(&paper, 1);
	expect_number(line, "count", 1);
	expect_null(line, "line");
	expect_null(line, "awaiting");
	json_object_put(line);
	group_table_free(groups);
	paper_close(&paper);
	scene_close(&scene);
}

/* inspect's names, by hand. */
static const char *const states[] = {
	"GEN_CREATED",  "GEN_RUNNING",  "GEN_SUSPENDED",  "GEN_CLOSED",
	"CORO_CREATED", "CORO_RUNNING", "CORO_SUSPENDED", "CORO_CLOSED",
	"AGEN_CREATED", "AGEN_RUNNING", "AGEN_SUSPENDED", "AGEN_CLOSED",
};

Test(ps_json, sums_up)
{
	struct snapshot snapshot = {
		.task_count = 3,
		.counts = { .heap = { .interpreters = 2, .retries = 5, .broken = 1 },
			    .unreadable = 4,
			    .retries = 6,
			    .memory_bytes = UINT64_MAX,
			    .duration_ns = 123456789 }
	};
	struct ps_totals totals = { .objects = 1000, .shown = 78 };
	struct json_object *line, *by_state;
	struct ps_view view;
	struct paper paper;

	for (unsigned i = 0; i < 12; i++)
		totals.by_state[1 + i / 4][1 + i % 4] = i + 1;
	sheet_open(&paper, &view);
	ps_summary_json(&view, &snapshot, &totals);
	line = read_line(&paper);
	expect_string(line, "type", "summary");
	expect_number(line, "pid", 4242);
	expect_number(line, "objects", 1000);
	expect_number(line, "shown", 78);
	expect_number(line, "tasks", 3);
	by_state = member(line, "by_state");
	for (unsigned i = 0; i < 12; i++)
		expect_number(by_state, states[i], i + 1);
	cr_expect_eq(json_object_object_length(by_state), 12);
	expect_number(line, "interpreters", 2);
	expect_number(line, "unreadable", 4);
	expect_number(line, "retries", 11);
	expect_number(line, "broken_lists", 1);
	expect_number(line, "bytes_read", UINT64_MAX);
	expect_number(line, "duration_ns", 123456789);
	expect_null(line, "frozen_ns");
	cr_expect_eq(json_object_object_length(line), 13);
	json_object_put(line);
	paper_clear(&paper);
	totals.streamed = true;
	view.frozen = true;
	view.frozen_ns = 77;
	ps_summary_json(&view, &snapshot, &totals);
	line = read_line(&paper);
	expect_null(line, "tasks"); /* nobody looked for them */
	expect_number(line, "frozen_ns", 77);
	json_object_put(line);
	paper_close(&paper);
}
