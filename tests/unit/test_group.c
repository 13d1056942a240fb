/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "model/group.h"
#include "model/names.h"
#include "model/select.h"
#include "snapshots.h"

/* Which objects are wanted, and their sums. */

static struct code_object code_main = CODE("main", "/srv/app/main.py", 10);
static struct code_object code_get = CODE("Queue.get", "/srv/app/queue.py", 30);

Test(selection, reads_states)
{
	static const char *const wrong[] = { "",
					     "suspend",
					     "suspended,",
					     ",suspended",
					     "SUSPENDED ",
					     "TASK_RUNNING",
					     "_CREATED",
					     "GEN_",
					     "coro-created",
					     "created,,running",
					     "gen_suspendedgen_suspendedgen_suspended" };
	unsigned states = 77;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_eq(states_of_list(wrong[i], &states), -EINVAL, "%s", wrong[i]);
	cr_expect_eq(states, 77, "left as it was");
	cr_expect_eq(states_of_list("CREATED", &states), 0);
	cr_expect_eq(states, 1u << STATE_CREATED);
	cr_expect_eq(states_of_list("suspended,Running", &states), 0);
	cr_expect_eq(states, 1u << STATE_SUSPENDED | 1u << STATE_RUNNING);
	cr_expect_eq(states_of_list("gen_closed,AGEN_RUNNING", &states), 0);
	cr_expect_eq(states, STATE_OF_KIND(KIND_GENERATOR, STATE_CLOSED) |
				     STATE_OF_KIND(KIND_ASYNC_GENERATOR, STATE_RUNNING));
}

/* Every kind and state against every word for them. */
Test(selection, has_the_states_it_names)
{
	static const char *const words[] = { "created", "running", "suspended", "closed" };
	static const char *const prefixes[] = { "gen_", "coro_", "agen_" };

	for (int wanted = 0; wanted < 4 * 4; wanted++) {
		int kind = wanted / 4, state = wanted % 4; /* kind 3: any */
		struct selection selection = {};
		char word[32];

		snprintf(word, sizeof(word), "%s%s", kind < 3 ? prefixes[kind] : "", words[state]);
		cr_assert_eq(states_of_list(word, &selection.states), 0, "%s", word);
		cr_expect_not(selection_is_all(&selection));
		for (int k = 0; k < 3; k++)
			for (int s = 0; s < 4; s++) {
				struct snapshot_object object = { .code = &code_main,
								  .kind = (uint8_t)(k + 1),
								  .state = (uint8_t)(s + 1) };

				cr_expect_eq(selection_has(&selection, &object),
					     s == state && (kind == 3 || k == kind), "%s: %s", word,
					     name_of_state(object.kind, object.state));
			}
	}
}

Test(selection, matches_globs_and_kinds)
{
	struct snapshot_object object = { .code = &code_get,
					  .kind = KIND_COROUTINE,
					  .state = STATE_SUSPENDED };
	struct selection selection = {};

	cr_expect(selection_is_all(NULL));
	cr_expect(selection_has(NULL, &object));
	cr_expect(selection_is_all(&selection));
	cr_expect(selection_has(&selection, &object));
	selection.function_glob = "Queue.*";
	cr_expect(selection_has(&selection, &object));
	selection.function_glob = "get";
	cr_expect_not(selection_has(&selection, &object));
	selection = (struct selection){ .file_glob = "*/app/q*" };
	cr_expect(selection_has(&selection, &object));
	selection.file_glob = "queue.py";
	cr_expect_not(selection_has(&selection, &object));
	selection = (struct selection){ .kinds = 1u << KIND_COROUTINE };
	cr_expect(selection_has(&selection, &object));
	cr_expect_not(selection_is_all(&selection));
	selection.kinds = 1u << KIND_GENERATOR | 1u << KIND_ASYNC_GENERATOR;
	cr_expect_not(selection_has(&selection, &object));
	selection.kinds |= 1u << KIND_COROUTINE;
	cr_expect(selection_is_all(&selection), "all three kinds are all");
}

static struct group_table *open_table(void)
{
	struct group_table *table;

	cr_assert_eq(group_table_new(&table), 0);
	return table;
}

Test(group, is_empty_at_first)
{
	struct group_table *table = open_table();
	size_t count = 7;

	cr_expect(group_table_sorted(table, &count));
	cr_expect_eq(count, 0);
	cr_expect_eq(group_table_objects(table), 0);
	group_table_free(table);
	group_table_free(NULL);
}

Test(group, sums_by_function_state_place_and_what_is_awaited)
{
	struct group_table *table = open_table();
	const struct group *groups;
	struct scene scene;
	size_t count;

	scene_open(&scene);
	for (int i = 0; i < 3; i++)
		scene_await_future(&scene, scene_coro(&scene, &code_get, 31));
	scene_await_other(&scene, scene_coro(&scene, &code_get, 31), AWAITS_OTHER, "app.Gate");
	scene_await(&scene, scene_coro(&scene, &code_main, 11), 0);
	scene_await(&scene, scene_coro(&scene, &code_main, 11), 1);
	scene_object(&scene, &code_main, KIND_COROUTINE, STATE_CREATED, 10);
	scene_object(&scene, &code_main, KIND_COROUTINE, STATE_CLOSED, 0);
	for (uint32_t i = 0; i < scene.snapshot.object_count; i++)
		cr_assert_eq(group_table_add(table, &scene.snapshot, &scene.snapshot.objects[i]),
			     0);
	groups = group_table_sorted(table, &count);
	cr_assert_eq(count, 5);
	cr_expect_eq(group_table_objects(table), 8);
	cr_expect_eq(groups[0].count, 3);
	cr_expect_str_eq(groups[0].qualname, "Queue.get");
	cr_expect_str_eq(groups[0].awaits, "_asyncio.Future");
	cr_expect_eq(groups[0].first_line, 30);
	cr_expect_eq(groups[0].line, 31);
	cr_expect_eq(groups[1].count, 2);
	cr_expect_str_eq(groups[1].awaits, "Queue.get", "the function of the awaited object");
	/* the rest is one each: by file, then line */
	cr_expect_eq(groups[2].state, STATE_CLOSED);
	cr_expect_null(groups[2].awaits);
	cr_expect_eq(groups[3].state, STATE_CREATED);
	cr_expect_str_eq(groups[4].awaits, "app.Gate");
	group_table_free(table);
	scene_close(&scene);
}

/* Of two processes, which have the same function elsewhere; and what was added is gone afterwards. */
Test(group, knows_functions_by_their_names)
{
	struct group_table *table = open_table();
	const struct group *groups;
	size_t count;

	for (int process = 0; process < 2; process++) {
		char *file = strdup("/srv/app/queue.py"), *name = strdup("Queue.get");
		struct code_object code = CODE(name, file, 30), other = CODE(name, file, 40);
		char *class = strdup("_asyncio.Future");
		struct snapshot_object object = { .code = &code,
						  .awaits_class = class,
						  .awaits_kind = AWAITS_FUTURE,
						  .awaits = SNAPSHOT_NONE,
						  .line = 31,
						  .kind = KIND_COROUTINE,
						  .state = STATE_SUSPENDED };

		cr_assert_eq(group_table_add(table, NULL, &object), 0);
		cr_assert_eq(group_table_add(table, NULL, &object), 0);
		object.code = &other; /* another function of that name */
		cr_assert_eq(group_table_add(table, NULL, &object), 0);
		memset(name, '#', strlen(name));
		free(name);
		free(file);
		free(class);
	}
	groups = group_table_sorted(table, &count);
	cr_assert_eq(count, 2);
	cr_expect_eq(groups[0].count, 4);
	cr_expect_eq(groups[0].first_line, 30);
	cr_expect_str_eq(groups[0].qualname, "Queue.get");
	cr_expect_str_eq(groups[0].file, "/srv/app/queue.py");
	cr_expect_eq(groups[1].count, 2);
	cr_expect_eq(groups[1].first_line, 40);
	group_table_free(table);
}

/* Line n comes n times, for 3000 lines: the table grows, the order and every sum are known. */
Test(group, counts_many)
{
	struct snapshot_object object = { .code = &code_main,
					  .awaits = SNAPSHOT_NONE,
					  .kind = KIND_GENERATOR,
					  .state = STATE_CREATED };
	struct group_table *table = open_table();
	const struct group *groups;
	size_t count;

	for (uint32_t first = 1; first <= 3000; first++)
		for (object.line = first; object.line <= 3000; object.line++)
			cr_assert_eq(group_table_add(table, NULL, &object), 0);
	groups = group_table_sorted(table, &count);
	cr_assert_eq(count, 3000);
	cr_expect_eq(group_table_objects(table), 3000u * 3001 / 2);
	for (uint32_t i = 0; i < 3000; i++) {
		cr_assert_eq(groups[i].count, 3000 - i);
		cr_assert_eq(groups[i].line, 3000 - i);
	}
	group_table_free(table);
}
