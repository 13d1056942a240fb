/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/tree.h"
#include "snapshots.h"

/*
 * Trees are compared in one line of text: `main(worker[2 x Task-2..Task-3](get))`. What is expected is written
 * by hand, or, for random forests, worked out here in the plainest way.
 */

static struct code_object code_main = CODE("main", "/srv/app/main.py", 10);
static struct code_object code_work = CODE("work", "/srv/app/work.py", 20);
static struct code_object code_get = CODE("get", "/srv/app/queue.py", 30);

struct outline {
	char at[8192];
	size_t size;
};

static void add(struct outline *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text->size += (size_t)vsnprintf(text->at + text->size, sizeof(text->at) - text->size,
					format, args);
	va_end(args);
	cr_assert_lt(text->size, sizeof(text->at));
}

static void describe(const struct tree *tree, const struct tree_branch *branches, uint32_t count,
		     struct outline *text)
{
	static const char *const places[] = { "", "^", "@" };

	for (uint32_t i = 0; i < count; i++) {
		const struct tree_branch *branch = &branches[i];
		const struct tree_node *node = &tree->nodes[branch->node];
		const struct snapshot *snapshot = tree->snapshot;

		add(text, "%s", i ? " " : "");
		if (branch->count > 1)
			add(text, "%ux", branch->count);
		if (node->what == TREE_OBJECT)
			add(text, "%s", snapshot->objects[node->index].code->qualname);
		else if (branch->first_task == branch->last_task)
			add(text, "%s", snapshot->tasks[branch->first_task].name);
		else
			add(text, "%s..%s", snapshot->tasks[branch->first_task].name,
			    snapshot->tasks[branch->last_task].name);
		add(text, "%s", places[node->place]);
		if (!node->branch_count)
			continue;
		add(text, "(");
		describe(tree, tree->branches + node->first_branch, node->branch_count, text);
		add(text, ")");
	}
}

static void expect_tree_of(const struct scene *scene, const struct selection *selection,
			   const char *expected, int line)
{
	struct outline text = {};
	struct tree *tree;

	cr_assert_eq(tree_build(&scene->snapshot, selection, &tree), 0);
	describe(tree, tree->roots, tree->root_count, &text);
	cr_expect_str_eq(text.at, expected, "line %d: %s", line, text.at);
	tree_free(tree);
}

#define EXPECT_TREE(scene, expected) expect_tree_of(scene, NULL, expected, __LINE__)

Test(tree, of_nothing_is_empty)
{
	struct scene scene;

	scene_open(&scene);
	EXPECT_TREE(&scene, "");
	scene_close(&scene);
}

Test(tree, puts_tasks_first_and_chains_below_them)
{
	struct scene scene;
	uint32_t lone, outer, inner;

	scene_open(&scene);
	lone = scene_coro(&scene, &code_work, 21);
	outer = scene_coro(&scene, &code_main, 11);
	inner = scene_coro(&scene, &code_get, 31);
	scene_await(&scene, outer, inner);
	scene_await_future(&scene, inner);
	scene_task(&scene, "Task-1", outer);
	(void)lone;
	EXPECT_TREE(&scene, "Task-1(main(get)) work");
	scene_close(&scene);
}

/* A worker with its queue. */
static uint32_t add_worker(struct scene *scene, const char *name, uint32_t line)
{
	uint32_t work = scene_coro(scene, &code_work, line);
	uint32_t get = scene_coro(scene, &code_get, 31);

	scene_await(scene, work, get);
	scene_await_future(scene, get);
	return scene_task(scene, name, work);
}

Test(tree, merges_equal_branches)
{
	static const char *const names[] = { "Task-10", "Task-9", "Task-100", "Task-11" };
	struct scene scene;
	uint32_t main, top, task;

	scene_open(&scene);
	main = scene_coro(&scene, &code_main, 11);
	scene_await_other(&scene, main, AWAITS_FUTURE, "asyncio.tasks._GatheringFuture");
	top = scene_task(&scene, "Task-1", main);
	for (int i = 0; i < 4; i++)
		scene_task_awaited(&scene, add_worker(&scene, names[i], 21), top);
	EXPECT_TREE(&scene, "Task-1(main(4xTask-9..Task-100(work(get))))");
	task = add_worker(&scene, "Task-2", 22); /* stands elsewhere */
	scene_task_awaited(&scene, task, top);
	EXPECT_TREE(&scene, "Task-1(main(Task-2(work(get)) 4xTask-9..Task-100(work(get))))");
	scene_close(&scene);
}

static void expect_roots(struct scene *scene, uint32_t expected, const char *why)
{
	struct tree *tree;

	cr_assert_eq(tree_build(&scene->snapshot, NULL, &tree), 0);
	cr_expect_eq(tree->root_count, expected, "%s: %u", why, tree->root_count);
	tree_free(tree);
}

Test(tree, tells_what_differs_apart)
{
	struct scene scene;
	struct snapshot_object *object;

	scene_open(&scene);
	scene_coro(&scene, &code_get, 31);
	scene_coro(&scene, &code_get, 31);
	scene_await_future(&scene, 0);
	scene_await_future(&scene, 1);
	object = &scene.snapshot.objects[1];
	expect_roots(&scene, 1, "equal");
	object->awaits_address += 1000;
	expect_roots(&scene, 1, "another future");
	object->line++;
	expect_roots(&scene, 2, "line");
	object->line--;
	object->state = STATE_CREATED;
	expect_roots(&scene, 2, "state");
	object->state = STATE_SUSPENDED;
	object->kind = KIND_GENERATOR;
	expect_roots(&scene, 2, "kind");
	object->kind = KIND_COROUTINE;
	object->code = &code_work;
	expect_roots(&scene, 2, "code");
	object->code = &code_get;
	object->awaits_class = "app.Future";
	expect_roots(&scene, 2, "class");
	object->awaits_class = NULL;
	expect_roots(&scene, 2, "no class");
	object->awaits_class = "_asyncio.Future";
	object->future_state = 2;
	expect_roots(&scene, 2, "future's state");
	object->future_state = 0;
	expect_roots(&scene, 1, "equal again");
	scene_close(&scene);
}

/* Tasks without a coroutine: those that are done. */
Test(tree, shows_done_tasks)
{
	struct scene scene;

	scene_open(&scene);
	for (int i = 0; i < 3; i++) {
		uint32_t task = scene_task(&scene,
					   i == 1 ? "a" :
					   i == 2 ? "b" :
						    "c",
					   SNAPSHOT_NONE);

		scene.snapshot.tasks[task].state = i == 0 ? 1 : 2;
	}
	EXPECT_TREE(&scene, "2xa..b c");
	scene_close(&scene);
}

Test(tree, shows_a_task_below_who_awaits_it)
{
	struct scene scene;
	uint32_t main, top, task, second, waiter;

	scene_open(&scene);
	main = scene_coro(&scene, &code_main, 11);
	top = scene_task(&scene, "Task-1", main);
	task = add_worker(&scene, "Task-2", 21);
	scene_await_task(&scene, main, task); /* said twice: by the object and by the task */
	(void)top;
	EXPECT_TREE(&scene, "Task-1(main(Task-2(work(get))))");
	second = scene_coro(&scene, &code_main, 12);
	waiter = scene_task(&scene, "Task-3", second);
	scene_task_awaited(&scene, task, waiter);
	EXPECT_TREE(&scene, "Task-1(main(Task-2(work(get)))) Task-3(main(Task-2^))");
	scene_close(&scene);
}

Test(tree, ends_where_a_chain_comes_back)
{
	struct scene scene;
	uint32_t a, b, c;

	scene_open(&scene);
	a = scene_coro(&scene, &code_main, 11);
	scene_await(&scene, a, a);
	EXPECT_TREE(&scene, "main(main@)");
	b = scene_coro(&scene, &code_work, 21);
	scene_await(&scene, a, b);
	scene_await(&scene, b, a);
	EXPECT_TREE(&scene, "main(work(main@))");
	c = scene_coro(&scene, &code_get, 31); /* from outside, into the middle */
	scene_await(&scene, c, b);
	EXPECT_TREE(&scene, "main(work(main@)) get(work^)");
	scene_close(&scene);
}

Test(tree, calls_what_is_above_a_cycle)
{
	struct scene scene;
	uint32_t first, second, third;

	scene_open(&scene);
	first = scene_coro(&scene, &code_main, 11);
	second = scene_coro(&scene, &code_work, 21);
	third = scene_coro(&scene, &code_get, 31);
	scene_await(&scene, first, second); /* the way in comes first */
	scene_await(&scene, second, third);
	scene_await(&scene, third, second);
	EXPECT_TREE(&scene, "main(work(get(work@)))");
	scene_close(&scene);
}

Test(tree, ends_where_tasks_wait_for_each_other)
{
	struct scene scene;
	uint32_t one, two;

	scene_open(&scene);
	one = add_worker(&scene, "Task-1", 21);
	two = add_worker(&scene, "Task-2", 22);
	scene_task_awaited(&scene, one, two);
	scene_task_awaited(&scene, two, one);
	EXPECT_TREE(&scene, "Task-1(work(get(Task-2(work(get(Task-1@))))))");
	scene_task_awaited(&scene, one, one);
	EXPECT_TREE(&scene, "Task-1(work(get(Task-1@ Task-2(work(get(Task-1@))))))");
	scene_close(&scene);
}

/* Indexes that lead nowhere, two tasks with one coroutine. */
Test(tree, survives_nonsense)
{
	struct scene scene;
	uint32_t main, task;

	scene_open(&scene);
	main = scene_coro(&scene, &code_main, 11);
	scene_await_other(&scene, main, AWAITS_OBJECT, "coroutine");
	scene.snapshot.objects[main].awaits = 77;
	task = scene_task(&scene, "Task-1", main);
	scene_task(&scene, "Task-2", main);
	scene_task(&scene, "Task-3", 99);
	scene_task_awaited(&scene, task, 1234);
	EXPECT_TREE(&scene, "Task-1(main) Task-2(main^) Task-3");
	scene_close(&scene);
}

Test(tree, shows_the_trees_that_hold_what_is_selected)
{
	struct selection selection = { .function_glob = "get" };
	struct scene scene;
	uint32_t main, top;

	scene_open(&scene);
	main = scene_coro(&scene, &code_main, 11);
	top = scene_task(&scene, "Task-1", main);
	scene_task_awaited(&scene, add_worker(&scene, "Task-2", 21), top);
	scene_object(&scene, &code_main, KIND_GENERATOR, STATE_CREATED, 10);
	scene_task(&scene, "Task-9", SNAPSHOT_NONE);
	expect_tree_of(&scene, &selection, "Task-1(main(Task-2(work(get))))", __LINE__);
	selection.function_glob = "main";
	expect_tree_of(&scene, &selection, "Task-1(main(Task-2(work(get)))) main", __LINE__);
	selection.kinds = 1u << KIND_GENERATOR;
	expect_tree_of(&scene, &selection, "main", __LINE__);
	selection.function_glob = "nothing";
	expect_tree_of(&scene, &selection, "", __LINE__);
	selection = (struct selection){ .kinds = 1u << KIND_GENERATOR | 1u << KIND_COROUTINE |
						 1u << KIND_ASYNC_GENERATOR };
	expect_tree_of(&scene, &selection, "Task-1(main(Task-2(work(get)))) Task-9 main", __LINE__);
	scene_close(&scene);
}

Test(tree, orders_names)
{
	static const char *const ordered[] = {
		"",
		"0",
		"9",
		"10",
		"Task",
		"Task-1",
		"Task-2",
		"Task-007",
		"Task-7",
		"Task-10",
		"Task-11",
		"Task-99999999999999999999",
		"Task-100000000000000000000",
		"Task-1a",
		"worker-7",
	};
	size_t count = sizeof(ordered) / sizeof(ordered[0]);

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++) {
			int order = tree_compare_names(ordered[i], ordered[k]);

			cr_expect_eq((order > 0) - (order < 0), (i > k) - (i < k), "%s and %s",
				     ordered[i], ordered[k]);
		}
}

/* Neither the stack nor time may depend on how deep or wide it is. */
Test(tree, takes_any_depth)
{
	struct scene scene;
	uint32_t count = 300000;
	struct tree *tree;

	scene_open(&scene);
	for (uint32_t i = 0; i < count; i++)
		scene_coro(&scene, &code_work, 21);
	for (uint32_t i = 0; i + 1 < count; i++)
		scene_await(&scene, i, i + 1);
	scene_task(&scene, "Task-1", 0);
	cr_assert_eq(tree_build(&scene.snapshot, NULL, &tree), 0);
	cr_expect_eq(tree->root_count, 1);
	cr_expect_eq(tree->branch_count, count + 1);
	tree_free(tree);
	scene_close(&scene);
}

Test(tree, takes_any_width)
{
	struct scene scene;
	struct tree *tree;
	uint32_t top;

	scene_open(&scene);
	top = scene_task(&scene, "Task-1", scene_coro(&scene, &code_main, 11));
	for (uint32_t i = 0; i < 50000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "Task-%u", i + 2);
		/* half of them alike, half of them not */
		scene_task_awaited(&scene, add_worker(&scene, name, i % 2 ? 21 : 100 + i), top);
	}
	cr_assert_eq(tree_build(&scene.snapshot, NULL, &tree), 0);
	cr_expect_eq(tree->root_count, 1);
	cr_expect_eq(tree->nodes[tree->branches[tree->nodes[tree->roots->node].first_branch].node]
			     .branch_count,
		     25001);
	tree_free(tree);
	scene_close(&scene);
}

/* --- random graphs --------------------------------------------------------------------------------- */

static uint32_t random_below(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)((*state >> 11) % below);
}

static void count_places(const struct tree *tree, const struct tree_branch *branches,
			 uint32_t count, uint64_t times, uint64_t *objects, uint64_t *tasks)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct tree_node *node = &tree->nodes[branches[i].node];
		uint64_t here = times * branches[i].count;

		if (node->place != TREE_HERE)
			continue;
		*(node->what == TREE_TASK ? tasks : objects) += here;
		count_places(tree, tree->branches + node->first_branch, node->branch_count, here,
			     objects, tasks);
	}
}

/* Whoever awaits whom, every object and every task is shown, once. */
Test(tree, loses_and_invents_nothing)
{
	struct code_object *codes[] = { &code_main, &code_work, &code_get };
	uint64_t state = 88172645463325252;

	for (int round = 0; round < 3000; round++) {
		uint32_t objects = random_below(&state, 12), tasks = random_below(&state, 8);
		uint64_t seen_objects = 0, seen_tasks = 0;
		struct scene scene;
		struct tree *tree;

		scene_open(&scene);
		for (uint32_t i = 0; i < objects; i++)
			scene_coro(&scene, codes[random_below(&state, 3)], random_below(&state, 2));
		for (uint32_t t = 0; t < tasks; t++)
			scene_task(&scene, "t", random_below(&state, objects + 2));
		for (uint32_t i = 0; i < objects; i++) {
			uint32_t choice = random_below(&state, 4);

			if (choice == 0)
				scene_await(&scene, i, random_below(&state, objects));
			else if (choice == 1 && tasks)
				scene_await_task(&scene, i, random_below(&state, tasks));
			else if (choice == 2)
				scene_await_future(&scene, i);
		}
		for (uint32_t i = 0; tasks && i < tasks; i++)
			scene_task_awaited(&scene, random_below(&state, tasks),
					   random_below(&state, tasks));
		cr_assert_eq(tree_build(&scene.snapshot, NULL, &tree), 0);
		count_places(tree, tree->roots, tree->root_count, 1, &seen_objects, &seen_tasks);
		cr_assert_eq(seen_objects, objects, "round %d: %zu", round, (size_t)seen_objects);
		cr_assert_eq(seen_tasks, tasks, "round %d: %zu", round, (size_t)seen_tasks);
		tree_free(tree);
		scene_close(&scene);
	}
}

#define FOREST 10

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a task of a random forest looks like: its line, and its children's looks in order. */
static char *look_of(const uint32_t *parent, const uint32_t *line, uint32_t task)
{
	char *looks[FOREST], *out = calloc(1, 4096);
	size_t count = 0;

	for (uint32_t t = 0; t < FOREST; t++)
		if (parent[t] == task)
			looks[count++] = look_of(parent, line, t);
	qsort(looks, count, sizeof(*looks), compare_texts);
	sprintf(out, "(%u", line[task]);
	for (size_t i = 0; i < count; i++) {
		strcat(out, looks[i]);
		free(looks[i]);
	}
	strcat(out, ")");
	return out;
}

Test(tree, merges_exactly_what_looks_the_same)
{
	uint64_t state = 1234567;

	for (int round = 0; round < 3000; round++) {
		uint32_t parent[FOREST], line[FOREST], roots = 0, expected = 0, total = 0;
		char *looks[FOREST];
		struct scene scene;
		struct tree *tree;

		scene_open(&scene);
		for (uint32_t t = 0; t < FOREST; t++) {
			parent[t] = random_below(&state, t + 3);
			line[t] = 1 + random_below(&state, 2);
			if (parent[t] >= t)
				parent[t] = UINT32_MAX;
			scene_task(&scene, "t", scene_coro(&scene, &code_work, line[t]));
			if (parent[t] != UINT32_MAX)
				scene_task_awaited(&scene, t, parent[t]);
		}
		for (uint32_t t = 0; t < FOREST; t++)
			if (parent[t] == UINT32_MAX)
				looks[roots++] = look_of(parent, line, t);
		qsort(looks, roots, sizeof(*looks), compare_texts);
		for (uint32_t i = 0; i < roots; i++)
			expected += !i || strcmp(looks[i], looks[i - 1]);
		cr_assert_eq(tree_build(&scene.snapshot, NULL, &tree), 0);
		cr_assert_eq(tree->root_count, expected, "round %d", round);
		for (uint32_t i = 0; i < tree->root_count; i++)
			total += tree->roots[i].count;
		cr_assert_eq(total, roots, "round %d", round);
		for (uint32_t i = 0; i < roots; i++)
			free(looks[i]);
		tree_free(tree);
		scene_close(&scene);
	}
}
