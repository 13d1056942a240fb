/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "paper.h"
#include "sink/ps.h"
#include "snapshots.h"

/* The text views of `ps`, line by line as they should look. */

static struct code_object code_main = CODE("main", "/srv/app/main.py", 10);
static struct code_object code_get = CODE("Queue.get", "/srv/app/queue.py", 30);
static struct code_object code_work = CODE("Pool.work", "/srv/app/pool.py", 20);
static struct code_object code_numbers = CODE("numbers", "<string>", 1);

static const char *name_thread(void *ctx, int32_t tid)
{
	return tid == 77 ? ctx : NULL;
}

static void sheet_open(struct paper *paper, struct ps_view *view, unsigned width)
{
	paper_open(paper, &sink_text, false);
	*view = (struct ps_view){ .writer = &paper->writer,
				  .style = { .utf8 = true, .width = width },
				  .pid = 4242,
				  .thread_name = name_thread,
				  .ctx = "MainThread" };
}

/* A task whose coroutine waits on a queue, a generator, one that runs. */
static void fill(struct scene *scene)
{
	uint32_t main, get, running;

	scene_open(scene);
	main = scene_coro(scene, &code_main, 11);
	get = scene_coro(scene, &code_get, 31);
	scene_await(scene, main, get);
	scene_await_future(scene, get);
	scene_task(scene, "Task-1", main);
	scene_object(scene, &code_numbers, KIND_GENERATOR, STATE_CREATED, 1);
	running = scene_object(scene, &code_main, KIND_COROUTINE, STATE_RUNNING, 12);
	scene->snapshot.objects[running].tid = 77;
}

Test(ps_table, aligns_its_columns)
{
	struct ps_totals totals = {};
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	fill(&scene);
	sheet_open(&paper, &view, 0);
	cr_assert_eq(ps_table(&view, &scene.snapshot, NULL, &totals), 0);
	cr_expect_str_eq(
		paper_text(&paper),
		"ID KIND STATE     FUNCTION  WHERE                AWAITS           TASK   THREAD\n"
		" 1 coro SUSPENDED main      /srv/app/main.py:11  Queue.get        Task-1\n"
		" 2 coro SUSPENDED Queue.get /srv/app/queue.py:31 <Future pending> Task-1\n"
		" 3 gen  CREATED   numbers   <string>:1\n"
		" 4 coro RUNNING   main      /srv/app/main.py:12                          "
		"MainThread\n"
		"\n");
	cr_expect_eq(totals.objects, 4);
	cr_expect_eq(totals.shown, 4);
	cr_expect_eq(totals.by_state[KIND_COROUTINE][STATE_SUSPENDED], 2);
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_table, leaves_out_what_nobody_has)
{
	struct selection selection = { .kinds = 1u << KIND_GENERATOR };
	struct ps_totals totals = {};
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	fill(&scene);
	sheet_open(&paper, &view, 80);
	view.show_pid = true;
	cr_assert_eq(ps_table(&view, &scene.snapshot, &selection, &totals), 0);
	cr_expect_str_eq(paper_text(&paper),
			 "ID  PID KIND STATE     FUNCTION WHERE\n"
			 " 3 4242 gen  CREATED   numbers  <string>:1\n"
			 "\n",
			 "%s", paper.text);
	cr_expect_eq(totals.objects, 4);
	cr_expect_eq(totals.shown, 1);
	paper_clear(&paper);
	selection.function_glob = "nothing";
	cr_assert_eq(ps_table(&view, &scene.snapshot, &selection, &totals), 0);
	cr_expect_str_eq(paper_text(&paper), "", "no header over nothing");
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_table, shows_locals_below_their_object)
{
	struct local locals[] = { { "x", "int", "42", false, false },
				  { "password", "str", NULL, false, true },
				  { "text", "str", "'ab\xe2\x80\xa6'", true, false } };
	struct local_list list = { locals, 3, true };
	struct selection selection = { .function_glob = "numbers" };
	struct ps_totals totals = {};
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	fill(&scene);
	scene.snapshot.objects[2].locals = &list;
	sheet_open(&paper, &view, 80);
	cr_assert_eq(ps_table(&view, &scene.snapshot, &selection, &totals), 0);
	cr_expect_str_eq(paper_text(&paper), "ID KIND STATE     FUNCTION WHERE\n"
					     " 3 gen  CREATED   numbers  <string>:1\n"
					     "     x = 42\n"
					     "     password = (redacted)\n"
					     "     text = 'ab\xe2\x80\xa6'\n"
					     "     \xe2\x80\xa6\n"
					     "\n");
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_views, fit_the_terminal)
{
	struct code_object deep = CODE("Application.<locals>.handler.<locals>.inner_function",
				       "/usr/lib/python3/dist-packages/app/plugins/loader.py", 1);
	struct code_object wide =
		CODE("\xe6\x95\xb0\xe6\x8d\xae\xe5\xba\x93.\xe6\x9f\xa5\xe8\xaf\xa2"
		     "\xe6\x95\xb0\xe6\x8d\xae\xe5\xba\x93",
		     "/\xe6\x95\xb0\xe6\x8d\xae/\xe5\xba\x93.py", 2);
	struct ps_totals totals = {};
	struct scene scene;
	uint32_t a, b;

	fill(&scene);
	a = scene_coro(&scene, &deep, 123456);
	b = scene_coro(&scene, &wide, 3);
	scene_await(&scene, a, b);
	scene_await_other(&scene, b, AWAITS_OTHER, "app.sync.primitives.ReadersWriterLock");
	scene_task(&scene, "a task with a long name, as people give them", a);
	for (unsigned width = 80; width <= 200; width++) {
		struct group_table *groups;
		struct ps_view view;
		struct paper paper;

		sheet_open(&paper, &view, width);
		cr_assert_eq(ps_table(&view, &scene.snapshot, NULL, &totals), 0);
		cr_expect_leq(widest_line(paper_text(&paper)), (int)width, "table in %u:\n%s",
			      width, paper.text);
		paper_clear(&paper);
		cr_assert_eq(ps_tree(&view, &scene.snapshot, NULL, &totals), 0);
		cr_expect_leq(widest_line(paper_text(&paper)), (int)width, "tree in %u:\n%s", width,
			      paper.text);
		paper_clear(&paper);
		cr_assert_eq(group_table_new(&groups), 0);
		for (uint32_t i = 0; i < scene.snapshot.object_count; i++)
			group_table_add(groups, &scene.snapshot, &scene.snapshot.objects[i]);
		cr_assert_eq(ps_group(&view, groups), 0);
		cr_expect_leq(widest_line(paper_text(&paper)), (int)width, "groups in %u:\n%s",
			      width, paper.text);
		group_table_free(groups);
		paper_close(&paper);
	}
	scene_close(&scene);
}

static void write_all(const struct ps_view *view, const struct snapshot *snapshot)
{
	struct ps_totals totals = {};
	struct group_table *groups;

	cr_assert_eq(ps_table(view, snapshot, NULL, &totals), 0);
	cr_assert_eq(ps_tree(view, snapshot, NULL, &totals), 0);
	cr_assert_eq(group_table_new(&groups), 0);
	for (uint32_t i = 0; i < snapshot->object_count; i++)
		group_table_add(groups, snapshot, &snapshot->objects[i]);
	cr_assert_eq(ps_group(view, groups), 0);
	group_table_free(groups);
	ps_summary(view, snapshot, &totals);
}

/* Without its escape sequences a coloured page is the plain one. */
Test(ps_views, colour_without_moving_anything)
{
	struct ps_view plain_view, view;
	struct paper plain, coloured;
	struct scene scene;

	fill(&scene);
	for (unsigned width = 0; width <= 200; width += 50) {
		sheet_open(&plain, &plain_view, width);
		sheet_open(&coloured, &view, width);
		view.style.color = true;
		plain_view.show_pid = view.show_pid = width == 50;
		write_all(&plain_view, &scene.snapshot);
		write_all(&view, &scene.snapshot);
		paper_text(&coloured);
		cr_expect(strstr(coloured.text, "\033[1m"), "a bold header");
		cr_expect(strstr(coloured.text, "\033[32mRUNNING  \033[0m"));
		cr_expect(strstr(coloured.text, "\033[33mSUSPENDED\033[0m"));
		cr_expect(strstr(coloured.text, "\033[34mCREATED  \033[0m"));
		strip_colors(coloured.text);
		cr_expect_str_eq(coloured.text, paper_text(&plain));
		paper_close(&plain);
		paper_close(&coloured);
	}
	scene_close(&scene);
}

/* What a target calls its things must not break lines, nor talk to the terminal. */
Test(ps_views, keep_hostile_names_on_their_lines)
{
	static const char evil[] = "e\033[2J\n\r\x9b"
				   "31m\xc2\x9b\xe2\x80\xaex";
	struct code_object code = CODE(evil, evil, 1);
	struct local local = { evil, (char *)evil, (char *)evil, false, false };
	struct local_list list = { &local, 1, false };
	size_t expected = 0;
	struct scene scene;

	for (int hostile = 0; hostile < 2; hostile++) {
		struct ps_view view;
		struct paper paper;
		uint32_t outer, inner;

		scene_open(&scene);
		if (!hostile) {
			code = (struct code_object)CODE("good", "good.py", 1);
			local.name = local.repr = local.type = "good";
		} else {
			code = (struct code_object)CODE(evil, evil, 1);
			local = (struct local){ evil, (char *)evil, (char *)evil, false, false };
		}
		outer = scene_object(&scene, &code, KIND_COROUTINE, STATE_RUNNING, 1);
		inner = scene_coro(&scene, &code, 2);
		scene_await(&scene, outer, inner);
		scene_await_other(&scene, inner, AWAITS_OTHER, hostile ? evil : "good");
		scene_task(&scene, hostile ? evil : "good", outer);
		scene.snapshot.objects[outer].locals = &list;
		scene.snapshot.objects[outer].tid = 77;
		sheet_open(&paper, &view, 0);
		view.ctx = hostile ? (char *)evil : "good";
		write_all(&view, &scene.snapshot);
		paper_text(&paper);
		if (!hostile)
			expected = count_lines(paper.text);
		cr_expect_eq(count_lines(paper.text), expected, "lines were broken");
		cr_expect_null(strpbrk(paper.text, "\033\r"), "a control came through");
		cr_expect_null(strstr(paper.text, "\xc2\x9b"));
		cr_expect_null(strstr(paper.text, "\xe2\x80\xae"));
		cr_expect_gt(widest_line(paper.text), 0); /* it is UTF-8 throughout */
		paper_close(&paper);
		scene_close(&scene);
	}
}

/* --- the tree -------------------------------------------------------------------------------------- */

static uint32_t add_worker(struct scene *scene, const char *name)
{
	uint32_t work = scene_coro(scene, &code_work, 21), get = scene_coro(scene, &code_get, 31);

	scene_await(scene, work, get);
	scene_await_future(scene, get);
	return scene_task(scene, name, work);
}

static void expect_tree(struct scene *scene, bool utf8, unsigned width, const char *expected,
			int line)
{
	struct ps_totals totals = {};
	struct ps_view view;
	struct paper paper;

	sheet_open(&paper, &view, width);
	view.style.utf8 = utf8;
	cr_assert_eq(ps_tree(&view, &scene->snapshot, NULL, &totals), 0);
	cr_expect_str_eq(paper_text(&paper), expected, "line %d:\n%s", line, paper.text);
	cr_expect_eq(totals.shown, scene->snapshot.object_count);
	paper_close(&paper);
}

#define EXPECT_TREE(scene, utf8, width, expected)                                                  \
	expect_tree(scene, utf8, width, expected, __LINE__)

Test(ps_tree, puts_thousands_of_tasks_on_one_screen)
{
	struct scene scene;
	uint32_t main, top;

	scene_open(&scene);
	main = scene_coro(&scene, &code_main, 11);
	scene_await_future(&scene, main); /* of gather(): what it gathers is shown instead */
	top = scene_task(&scene, "Task-1", main);
	for (int i = 0; i < 9998; i++) {
		char name[16];

		snprintf(name, sizeof(name), "Task-%d", 10000 - i);
		scene_task_awaited(&scene, add_worker(&scene, name), top);
	}
	scene_object(&scene, &code_numbers, KIND_GENERATOR, STATE_CREATED, 1);
	EXPECT_TREE(&scene, true, 80,
		    "TREE                               KIND STATE     WHERE\n"
		    "Task-1                             task\n"
		    "└─ main                            coro SUSPENDED /srv/app/main.py:11\n"
		    "   └─ Task-3 … Task-10000  × 9 998 task\n"
		    "      └─ Pool.work                 coro SUSPENDED /srv/app/pool.py:21\n"
		    "         └─ Queue.get              coro SUSPENDED /srv/app/queue.py:31\n"
		    "            └─ <Future pending>\n"
		    "numbers                            gen  CREATED   <string>:1\n"
		    "\n");
	EXPECT_TREE(&scene, false, 0,
		    "TREE                                KIND STATE     WHERE\n"
		    "Task-1                              task\n"
		    "`- main                             coro SUSPENDED /srv/app/main.py:11\n"
		    "   `- Task-3 .. Task-10000  x 9 998 task\n"
		    "      `- Pool.work                  coro SUSPENDED /srv/app/pool.py:21\n"
		    "         `- Queue.get               coro SUSPENDED /srv/app/queue.py:31\n"
		    "            `- <Future pending>\n"
		    "numbers                             gen  CREATED   <string>:1\n"
		    "\n");
	scene_close(&scene);
}

Test(ps_tree, draws_branches)
{
	struct scene scene;
	uint32_t main, other, top, gate, shared;

	scene_open(&scene);
	main = scene_coro(&scene, &code_main, 11);
	top = scene_task(&scene, "Task-1", main);
	shared = add_worker(&scene, "Task-2");
	scene_task_awaited(&scene, shared, top);
	gate = scene_coro(&scene, &code_get, 33);
	scene_await_other(&scene, gate, AWAITS_OTHER, "app.Gate");
	scene.snapshot.objects[gate].awaits_address = 0x7f12;
	scene_task_awaited(&scene, scene_task(&scene, "poll", gate), top);
	other = scene_task(&scene, "Task-9", SNAPSHOT_NONE);
	scene.snapshot.tasks[other].state = 2;
	main = scene_coro(&scene, &code_main, 12);
	scene_task_awaited(&scene, shared, scene_task(&scene, "", main));
	scene_await(&scene, scene_coro(&scene, &code_work, 22), 0);
	scene_await(&scene, scene_coro(&scene, &code_work, 23), 6);
	EXPECT_TREE(&scene, true, 0,
		    "TREE                     KIND STATE     WHERE\n"
		    "<Task at 0x7fdd00000400> task\n"
		    "└─ main                  coro SUSPENDED /srv/app/main.py:12\n"
		    "   └─ Task-2 (shown elsewhere)\n"
		    "Task-1                   task\n"
		    "└─ main                  coro SUSPENDED /srv/app/main.py:11\n"
		    "   ├─ Task-2             task\n"
		    "   │  └─ Pool.work       coro SUSPENDED /srv/app/pool.py:21\n"
		    "   │     └─ Queue.get    coro SUSPENDED /srv/app/queue.py:31\n"
		    "   │        └─ <Future pending>\n"
		    "   └─ poll               task\n"
		    "      └─ Queue.get       coro SUSPENDED /srv/app/queue.py:33\n"
		    "         └─ <app.Gate object at 0x7f12>\n"
		    "Task-9                   task finished\n"
		    "Pool.work                coro SUSPENDED /srv/app/pool.py:22\n"
		    "└─ main (shown elsewhere)\n"
		    "Pool.work                coro SUSPENDED /srv/app/pool.py:23\n"
		    "└─ Pool.work (cycle)\n"
		    "\n");
	scene_close(&scene);
}

/* Those that a branch stands for wait for different gates. */
Test(ps_tree, says_no_address_that_holds_for_one_of_many)
{
	struct scene scene;

	scene_open(&scene);
	for (int i = 0; i < 3; i++)
		scene_await_other(&scene, scene_coro(&scene, &code_get, 31), AWAITS_OTHER,
				  "app.Gate");
	EXPECT_TREE(&scene, true, 0,
		    "TREE           KIND STATE     WHERE\n"
		    "Queue.get  × 3 coro SUSPENDED /srv/app/queue.py:31\n"
		    "└─ <app.Gate object>\n"
		    "\n");
	scene_close(&scene);
}

/* `calls` calls, each awaiting the next, of functions in turn. */
static void add_chain(struct scene *scene, struct code_object *const *codes, uint32_t period,
		      uint32_t calls)
{
	uint32_t first = scene->snapshot.object_count;

	for (uint32_t i = 0; i < calls; i++)
		scene_coro(scene, codes[i % period], 5);
	for (uint32_t i = first; i + 1 < first + calls; i++)
		scene_await(scene, i, i + 1);
}

Test(ps_tree, says_how_deep_a_function_calls_itself)
{
	struct code_object *codes[] = { &code_main, &code_work, &code_get };
	struct scene scene;

	scene_open(&scene);
	add_chain(&scene, codes, 1, 1000);
	scene_await(&scene, 999, scene_coro(&scene, &code_main, 6));
	scene_await_future(&scene, 1000);
	EXPECT_TREE(&scene, true, 80,
		    "TREE       KIND STATE     WHERE\n"
		    "main       coro SUSPENDED /srv/app/main.py:5\n"
		    "└─ … × 999 deeper\n"
		    "   └─ main coro SUSPENDED /srv/app/main.py:6\n"
		    "      └─ <Future pending>\n"
		    "\n");
	scene_close(&scene);
	scene_open(&scene);
	add_chain(&scene, codes, 3, 3000);
	EXPECT_TREE(&scene, true, 80,
		    "TREE            KIND STATE     WHERE\n"
		    "main            coro SUSPENDED /srv/app/main.py:5\n"
		    "└─ Pool.work    coro SUSPENDED /srv/app/pool.py:5\n"
		    "   └─ Queue.get coro SUSPENDED /srv/app/queue.py:5\n"
		    "      └─ … × 2 997 deeper\n"
		    "\n");
	scene_close(&scene);
	scene_open(&scene);
	add_chain(&scene, codes, 1, 3); /* not worth it */
	EXPECT_TREE(&scene, true, 80,
		    "TREE       KIND STATE     WHERE\n"
		    "main       coro SUSPENDED /srv/app/main.py:5\n"
		    "└─ main    coro SUSPENDED /srv/app/main.py:5\n"
		    "   └─ main coro SUSPENDED /srv/app/main.py:5\n"
		    "\n");
	scene_close(&scene);
}

/* A thousand different calls: a line each, and no line longer than the terminal. */
Test(ps_tree, does_not_run_out_of_the_terminal)
{
	struct ps_totals totals = {};
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	scene_open(&scene);
	for (uint32_t i = 0; i < 1000; i++)
		scene_coro(&scene, &code_work, i + 1);
	for (uint32_t i = 0; i < 999; i++)
		scene_await(&scene, i, i + 1);
	sheet_open(&paper, &view, 80);
	cr_assert_eq(ps_tree(&view, &scene.snapshot, NULL, &totals), 0);
	cr_expect_leq(widest_line(paper_text(&paper)), 80);
	cr_expect_eq(count_lines(paper.text), 1002);
	cr_expect(strstr(paper.text, "└─ (999) Pool.work"), "the depth is said");
	paper_close(&paper);
	scene_close(&scene);
}

Test(ps_tree, of_nothing_is_nothing)
{
	struct scene scene;

	scene_open(&scene);
	EXPECT_TREE(&scene, true, 80, "");
	scene_close(&scene);
}

/* --- groups and the last line ---------------------------------------------------------------------- */

Test(ps_group, shows_shares)
{
	struct group_table *groups;
	struct scene scene;
	struct ps_view view;
	struct paper paper;

	scene_open(&scene);
	for (int i = 0; i < 1500; i++)
		scene_await_future(&scene, scene_coro(&scene, &code_get, 31));
	for (int i = 0; i < 500; i++)
		scene_object(&scene, &code_numbers, KIND_GENERATOR, STATE_CREATED, 1);
	cr_assert_eq(group_table_new(&groups), 0);
	sheet_open(&paper, &view, 80);
	cr_assert_eq(ps_group(&view, groups), 0);
	cr_expect_str_eq(paper_text(&paper), "", "no header over nothing");
	for (uint32_t i = 0; i < scene.snapshot.object_count; i++)
		group_table_add(groups, &scene.snapshot, &scene.snapshot.objects[i]);
	cr_assert_eq(ps_group(&view, groups), 0);
	cr_expect_str_eq(
		paper_text(&paper),
		"COUNT  SHARE KIND STATE     FUNCTION  WHERE                AWAITS\n"
		"1 500  75.0% coro SUSPENDED Queue.get /srv/app/queue.py:31 _asyncio.Future\n"
		"  500  25.0% gen  CREATED   numbers   <string>:1\n"
		"\n");
	paper_clear(&paper);
	view.style.width = 100; /* bars of ten columns: 7.5 and 2.5 */
	cr_assert_eq(ps_group(&view, groups), 0);
	cr_expect(strstr(paper_text(&paper), "\n1 500  75.0% ███████▌   coro"), "%s", paper.text);
	cr_expect(strstr(paper.text, "\n  500  25.0% ██▌        gen"));
	paper_clear(&paper);
	view.style.utf8 = false;
	cr_assert_eq(ps_group(&view, groups), 0);
	cr_expect(strstr(paper_text(&paper), "\n1 500  75.0% ########   coro"), "%s", paper.text);
	group_table_free(groups);
	paper_close(&paper);
	scene_close(&scene);
}

static const char *summary(struct paper *paper, const struct ps_view *view,
			   const struct snapshot *snapshot, const struct ps_totals *totals)
{
	paper_clear(paper);
	ps_summary(view, snapshot, totals);
	return paper_text(paper);
}

Test(ps_summary, sums_up)
{
	struct snapshot snapshot = {
		.task_count = 3, .counts = { .memory_bytes = 1258291, .duration_ns = 4100000 }
	};
	struct ps_totals totals = { .objects = 12345, .shown = 12345 };
	struct ps_view view;
	struct paper paper;

	totals.by_state[KIND_COROUTINE][STATE_SUSPENDED] = 10000;
	totals.by_state[KIND_GENERATOR][STATE_SUSPENDED] = 1000;
	totals.by_state[KIND_GENERATOR][STATE_CREATED] = 1300;
	totals.by_state[KIND_ASYNC_GENERATOR][STATE_RUNNING] = 1;
	totals.by_state[KIND_COROUTINE][STATE_CLOSED] = 44;
	sheet_open(&paper, &view, 80);
	cr_expect_str_eq(summary(&paper, &view, &snapshot, &totals),
			 "12 345 objects: 11 000 suspended, 1 300 created, 1 running, 44 closed · "
			 "3 tasks · 1.2 MiB read in 4.10 ms\n");
	view.show_pid = view.frozen = true;
	view.frozen_ns = 2100000;
	view.style.utf8 = false;
	snapshot.task_count = 1;
	snapshot.counts.unreadable = 3;
	snapshot.counts.heap.broken = 1;
	totals.objects = 99999;
	cr_expect_str_eq(summary(&paper, &view, &snapshot, &totals),
			 "pid 4242: 12 345 of 99 999 objects: 11 000 suspended, 1 300 created, "
			 "1 running, 44 closed - 1 task - 1.2 MiB read in 4.10 ms - 3 unreadable - "
			 "1 broken list - frozen for 2.10 ms\n");
	paper_close(&paper);
}

Test(ps_summary, says_nothing_of_nothing_and_much_of_much)
{
	struct snapshot snapshot = {};
	struct ps_totals totals = {};
	struct ps_view view;
	struct paper paper;

	sheet_open(&paper, &view, 80);
	cr_expect_str_eq(summary(&paper, &view, &snapshot, &totals),
			 "0 objects · 0 B read in 0 ns\n");
	totals.objects = totals.shown = 1;
	totals.by_state[KIND_GENERATOR][STATE_CREATED] = 1;
	snapshot.counts.memory_bytes = 1048575; /* would be rounded up to 1024 KiB */
	cr_expect_str_eq(summary(&paper, &view, &snapshot, &totals),
			 "1 object: 1 created · 1.0 MiB read in 0 ns\n");
	totals.objects = totals.shown = UINT64_MAX;
	totals.by_state[KIND_GENERATOR][STATE_CREATED] = UINT64_MAX;
	snapshot.counts.memory_bytes = UINT64_MAX;
	cr_expect_str_eq(summary(&paper, &view, &snapshot, &totals),
			 "18 446 744 073 709 551 615 objects: 18 446 744 073 709 551 615 created · "
			 "16777216.0 TiB read in 0 ns\n");
	paper_close(&paper);
}

Test(ps_style, is_found_out)
{
	struct ps_style style = { .width = 77 };
	int fd = memfd_create("no terminal", 0);

	setenv("COLUMNS", "50", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	ps_style_detect(&style, fd);
	cr_expect(style.utf8);
	cr_expect_eq(style.width, 0, "a file is as wide as it needs");
	setenv("LC_ALL", "C", 1);
	ps_style_detect(&style, fd);
	cr_expect_not(style.utf8);
	close(fd);
}
