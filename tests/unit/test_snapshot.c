/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/snapshot.h"
#include "python_image.h"

#define CACHE_SIZE (4 << 20)
#define FIRST_LINE 100

#define EACH_VERSION(python)                                                                       \
	for (size_t v = 0; v < image_version_count &&                                              \
			   (cpython_open(python, &image_versions[v], CACHE_SIZE), true);           \
	     cpython_close(python), v++)

static const struct snapshot_options all = {};

static struct snapshot *take(struct cpython *python)
{
	char why[INTERPRETER_WHY_MAX] = "";
	struct snapshot *snapshot = NULL;
	int err;

	memory_forget_all(python->memory);
	err = snapshot_take(&python->remote, 4242, &all, &snapshot, why);
	cr_assert_eq(err, 0, "%s: %d, %s", python->version->name, err, why);
	cr_assert_eq(snapshot->pid, 4242);
	return snapshot;
}

static uint32_t object_at(const struct snapshot *snapshot, uint64_t address)
{
	for (uint32_t i = 0; i < snapshot->object_count; i++)
		if (snapshot->objects[i].gen == address)
			return i;
	cr_assert_fail("no object at %llx", (unsigned long long)address);
	return SNAPSHOT_NONE;
}

static uint32_t task_at(const struct snapshot *snapshot, uint64_t address)
{
	for (uint32_t i = 0; i < snapshot->task_count; i++)
		if (snapshot->tasks[i].address == address)
			return i;
	cr_assert_fail("no task at %llx", (unsigned long long)address);
	return SNAPSHOT_NONE;
}

static const struct snapshot_object *object(const struct snapshot *snapshot, uint64_t address)
{
	return &snapshot->objects[object_at(snapshot, address)];
}

static uint64_t add(struct cpython *python, uint8_t kind, const char *qualname)
{
	uint64_t gen =
		cpython_gen(python, kind, cpython_code(python, qualname, "app.py", FIRST_LINE));

	cpython_track(python, gen);
	return gen;
}

/* A coroutine that awaits that. */
static uint64_t add_awaiting(struct cpython *python, const char *qualname, uint64_t awaited)
{
	uint64_t gen = add(python, KIND_COROUTINE, qualname);

	cpython_await(python, gen, awaited);
	return gen;
}

static uint64_t add_task(struct cpython *python, const char *name, uint64_t coroutine)
{
	uint64_t task = cpython_task(python, python->task, cpython_str(python, name), coroutine);

	cpython_track(python, task);
	return task;
}

static uint64_t add_future(struct cpython *python, uint64_t type, uint8_t state)
{
	uint64_t future = cpython_object(python, type, 256);

	cpython_set_future_state(python, future, state);
	cpython_track(python, future);
	return future;
}

static void expect_repr(const struct snapshot *snapshot, uint64_t gen, const char *expected)
{
	char repr[256];

	cr_expect_eq(snapshot_awaits_repr(snapshot, object(snapshot, gen), repr, sizeof(repr)),
		     repr);
	cr_expect_str_eq(repr, expected);
}

static bool tells_awaiters(const struct cpython *python)
{
	return python->version->hex >= 0x030e0000;
}

/* --- objects --- */

Test(snapshot, has_every_object_with_its_place)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t created = add(&python, KIND_GENERATOR, "created");
		uint64_t yielded = add(&python, KIND_ASYNC_GENERATOR, "Api.rows");
		uint64_t closed = add(&python, KIND_COROUTINE, "closed");
		const struct snapshot_object *found;
		struct snapshot *snapshot;

		cpython_set_state(&python, yielded, IMAGE_SUSPENDED);
		cpython_stand(&python, yielded, IMAGE_YIELD);
		cpython_set_state(&python, closed, IMAGE_CLEARED);
		cpython_track(&python, cpython_list(&python, NULL, 0));
		snapshot = take(&python);
		cr_assert_eq(snapshot->object_count, 3);
		cr_expect_eq(snapshot->task_count, 0);
		found = object(snapshot, created);
		cr_expect(found->kind == KIND_GENERATOR && found->state == STATE_CREATED);
		cr_expect_eq(found->line, FIRST_LINE + IMAGE_MAKE);
		found = object(snapshot, yielded);
		cr_expect(found->kind == KIND_ASYNC_GENERATOR && found->state == STATE_SUSPENDED);
		cr_expect_eq(found->line, FIRST_LINE + IMAGE_YIELD);
		cr_expect_str_eq(found->code->qualname, "Api.rows");
		cr_expect_str_eq(found->code->file, "app.py");
		found = object(snapshot, closed);
		cr_expect(found->kind == KIND_COROUTINE && found->state == STATE_CLOSED);
		cr_expect_eq(found->line, 0);
		for (uint32_t i = 0; i < 3; i++) {
			found = &snapshot->objects[i];
			cr_expect_eq(found->awaits_kind, AWAITS_NOTHING);
			cr_expect_eq(found->awaits, SNAPSHOT_NONE);
			cr_expect_eq(found->awaited_by, SNAPSHOT_NONE);
			cr_expect_eq(found->task, SNAPSHOT_NONE);
			cr_expect_null(found->locals);
			cr_expect_eq(found->tid, 0);
		}
		cr_expect_eq(snapshot->counts.heap.containers, 4);
		cr_expect_eq(snapshot->counts.unreadable, 0);
		cr_expect_gt(snapshot->counts.memory_calls, 0);
		cr_expect_gt(snapshot->counts.duration_ns, 0);
		snapshot_free(snapshot);
	}
}

Test(snapshot, counts_what_it_cannot_read)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t torn = add(&python, KIND_GENERATOR, "torn");
		uint64_t good = add(&python, KIND_GENERATOR, "good");
		uint64_t dying = add(&python, KIND_GENERATOR, "dying");
		uint64_t nameless = add(&python, KIND_GENERATOR, "nameless");
		uint64_t code = get64(cpython_frame(&python, nameless) +
				      python.remote.layout.frame_executable);
		struct snapshot *snapshot;

		put8(torn + python.remote.layout.gen_frame_state, 77);
		put64(dying, 0);
		put64(code + python.remote.layout.code_qualname, 0);
		snapshot = take(&python);
		cr_expect_eq(snapshot->object_count, 1);
		cr_expect_eq(snapshot->objects[0].gen, good);
		cr_expect_eq(snapshot->counts.unreadable, 2);
		cr_expect_geq(snapshot->counts.retries, 2);
		snapshot_free(snapshot);
	}
}

Test(snapshot, has_locals_when_asked)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		struct snapshot_options options = { .locals = true,
						    .locals_options.limits = { 2, 16, 128 } };
		uint64_t gen = add(&python, KIND_GENERATOR, "f"), closed;
		uint64_t slots =
			cpython_frame(&python, gen) + python.remote.inner.values.frame_localsplus;
		char why[INTERPRETER_WHY_MAX];
		struct snapshot *snapshot;
		const struct local_list *locals;

		closed = add(&python, KIND_GENERATOR, "closed");
		cpython_set_state(&python, closed, IMAGE_CLEARED);
		put64(slots, cpython_int(&python, 42));
		cr_assert_eq(snapshot_take(&python.remote, 1, &options, &snapshot, why), 0);
		locals = object(snapshot, gen)->locals;
		cr_assert_not_null(locals);
		cr_assert_eq(locals->count, 1);
		cr_expect_str_eq(locals->at[0].name, "a");
		cr_expect_str_eq(locals->at[0].repr, "42");
		locals = object(snapshot, closed)->locals;
		cr_assert_not_null(locals);
		cr_expect_eq(locals->count, 0);
		snapshot_free(snapshot);
	}
}

/* --- who awaits whom --- */

Test(snapshot, follows_a_chain_down_to_a_future)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t wrapper_type = cpython_type(&python, "coroutine_wrapper", python.object);
		uint64_t future = add_future(&python, python.future, 0);
		uint64_t inner = add_awaiting(&python, "inner", future);
		uint64_t wrapper = cpython_object(&python, wrapper_type, 48);
		uint64_t middle = add_awaiting(&python, "middle", wrapper);
		uint64_t outer = add_awaiting(&python, "outer", middle);
		uint64_t other = add(&python, KIND_COROUTINE, "other");
		uint64_t task = add_task(&python, "main", outer);
		const uint64_t chain[] = { outer, middle, inner };
		struct snapshot *snapshot;

		put64(wrapper + WRAPPED, inner);
		snapshot = take(&python);
		cr_assert_eq(snapshot->object_count, 4);
		cr_assert_eq(snapshot->task_count, 1);
		cr_expect_str_eq(snapshot->tasks[0].name, "main");
		cr_expect_eq(snapshot->tasks[0].address, task);
		cr_expect_eq(snapshot->tasks[0].coroutine, object_at(snapshot, outer));
		cr_expect_eq(snapshot->tasks[0].awaited_by_count, 0);
		for (int i = 0; i < 3; i++) {
			const struct snapshot_object *found = object(snapshot, chain[i]);

			cr_expect_eq(found->task, 0);
			cr_expect_eq(found->line, FIRST_LINE + IMAGE_AWAIT);
			cr_expect_eq(found->awaited_by,
				     i ? object_at(snapshot, chain[i - 1]) : SNAPSHOT_NONE);
			cr_expect_eq(found->awaits_address, i < 2 ? chain[i + 1] : future);
			cr_expect_eq(found->awaits_kind, i < 2 ? AWAITS_OBJECT : AWAITS_FUTURE);
			cr_expect_eq(found->awaits,
				     i < 2 ? object_at(snapshot, chain[i + 1]) : SNAPSHOT_NONE);
			cr_expect_str_eq(found->awaits_class,
					 i < 2 ? "coroutine" : "_asyncio.Future");
		}
		cr_expect_eq(object(snapshot, other)->task, SNAPSHOT_NONE);
		expect_repr(snapshot, inner, "<Future pending>");
		snapshot_free(snapshot);
	}
}

Test(snapshot, comes_to_an_end_with_objects_that_await_each_other)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t one = add(&python, KIND_COROUTINE, "one");
		uint64_t two = add_awaiting(&python, "two", one);
		uint64_t self = add(&python, KIND_COROUTINE, "self");
		struct snapshot *snapshot;

		cpython_await(&python, one, two);
		cpython_await(&python, self, self);
		add_task(&python, "a", one);
		add_task(&python, "b", self);
		snapshot = take(&python);
		cr_expect_eq(object(snapshot, one)->awaited_by, object_at(snapshot, two));
		cr_expect_eq(object(snapshot, two)->awaited_by, object_at(snapshot, one));
		cr_expect_eq(object(snapshot, two)->task, object(snapshot, one)->task);
		cr_expect_eq(object(snapshot, self)->awaits, object_at(snapshot, self));
		snapshot_free(snapshot);
	}
}

Test(snapshot, says_what_else_is_awaited)
{
	static const char *const futures[] = { "<Future pending>", "<Future cancelled>",
					       "<Future finished>" };
	struct cpython python;
	char expected[128];

	EACH_VERSION(&python)
	{
		uint64_t gate = cpython_object(
			&python, cpython_class(&python, "app", "Gates.Gate", python.object), 16);
		uint64_t waits = add_awaiting(&python, "waits", gate), waits_for[3], derived;
		uint64_t lost = add_awaiting(&python, "lost", 1ull << 40);
		struct snapshot *snapshot;

		derived = add_awaiting(
			&python, "derived",
			add_future(&python, cpython_class(&python, "app", "Promise", python.future),
				   2));
		for (uint8_t state = 0; state < 3; state++)
			waits_for[state] = add_awaiting(&python, "f",
							add_future(&python, python.future, state));
		snapshot = take(&python);
		cr_expect_eq(object(snapshot, waits)->awaits_kind, AWAITS_OTHER);
		cr_expect_str_eq(object(snapshot, waits)->awaits_class, "app.Gates.Gate");
		snprintf(expected, sizeof(expected), "<app.Gates.Gate object at 0x%llx>",
			 (unsigned long long)gate);
		expect_repr(snapshot, waits, expected);
		for (uint8_t state = 0; state < 3; state++) {
			cr_expect_eq(object(snapshot, waits_for[state])->future_state, state);
			expect_repr(snapshot, waits_for[state], futures[state]);
		}
		cr_expect_eq(object(snapshot, derived)->awaits_kind, AWAITS_FUTURE);
		expect_repr(snapshot, derived, "<Promise finished>");
		cr_expect_eq(object(snapshot, lost)->awaits_address, 1ull << 40);
		cr_expect_null(object(snapshot, lost)->awaits_class);
		expect_repr(snapshot, lost, "<? object at 0x10000000000>");
		snapshot_free(snapshot);
	}
}

Test(snapshot, cuts_a_repr_that_has_no_room)
{
	struct cpython python;
	struct snapshot *snapshot;
	char name[600], repr[8];
	uint64_t waits;

	cpython_open(&python, image_version("3.14.10"), CACHE_SIZE);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	waits = add_awaiting(&python, "waits", add_task(&python, name, 0));
	snapshot = take(&python);
	cr_assert_eq(object(snapshot, waits)->awaits_kind, AWAITS_TASK);
	snapshot_awaits_repr(snapshot, object(snapshot, waits), repr, sizeof(repr));
	cr_expect_str_eq(repr, "<Task p");
	snapshot_free(snapshot);
	cpython_close(&python);
}

/* --- tasks --- */

static void expect_awaiters(const struct snapshot *snapshot, uint64_t task,
			    const uint64_t *awaiters, uint32_t count)
{
	const struct snapshot_task *found = &snapshot->tasks[task_at(snapshot, task)];

	cr_assert_eq(found->awaited_by_count, count, "%s: %u instead of %u", found->name,
		     found->awaited_by_count, count);
	for (uint32_t i = 0; i < count; i++) {
		unsigned int times = 0;

		for (uint32_t k = 0; k < count; k++)
			times += found->awaited_by[k] == task_at(snapshot, awaiters[i]);
		cr_expect_eq(times, 1, "%s, awaiter %u", found->name, i);
	}
}

Test(snapshot, has_tasks_that_await_tasks)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t child = add(&python, KIND_COROUTINE, "child");
		uint64_t awaited = add_task(&python, "awaited", child);
		uint64_t inner = add_awaiting(&python, "inner", awaited);
		uint64_t main = add_task(&python, "main", add_awaiting(&python, "outer", inner));
		struct snapshot *snapshot = take(&python);

		cr_expect_eq(object(snapshot, inner)->awaits_kind, AWAITS_TASK);
		cr_expect_eq(object(snapshot, inner)->awaits, task_at(snapshot, awaited));
		cr_expect_eq(object(snapshot, child)->awaited_by, object_at(snapshot, inner));
		cr_expect_eq(object(snapshot, child)->task, task_at(snapshot, awaited));
		expect_awaiters(snapshot, awaited, &main, 1);
		expect_awaiters(snapshot, main, NULL, 0);
		expect_repr(snapshot, inner, "<Task pending name='awaited'>");
		snapshot_free(snapshot);
	}
}

Test(snapshot, has_tasks_that_are_done)
{
	struct cpython python;
	struct snapshot *snapshot;
	uint64_t task, waits;

	cpython_open(&python, image_version("3.12.1"), CACHE_SIZE);
	task = add_task(&python, "done", 0x4000);
	cpython_set_future_state(&python, task, 2);
	waits = add_awaiting(&python, "waits", task);
	snapshot = take(&python);
	cr_expect_eq(snapshot->tasks[0].state, 2);
	cr_expect_eq(snapshot->tasks[0].coroutine, SNAPSHOT_NONE);
	expect_repr(snapshot, waits, "<Task finished name='done'>");
	snapshot_free(snapshot);
	cpython_close(&python);
}

/* asyncio.gather() before 3.14: the future it makes holds its children in an attribute. */
Test(snapshot, sees_who_waits_in_gather)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t type =
			cpython_class(&python, "asyncio.tasks", "_GatheringFuture", python.future);
		uint64_t future = add_future(&python, type, 0), main, children[4], dict;
		struct snapshot *snapshot;

		for (int i = 0; i < 3; i++)
			children[i] = add_task(&python, "child", 0);
		children[3] = add_future(&python, python.future, 0); /* no task */
		main = add_task(&python, "main", add_awaiting(&python, "main", future));
		dict = cpython_dict(
			&python, (const char *[]){ "_other", "_children" },
			(uint64_t[]){ cpython_int(&python, 1), cpython_list(&python, children, 4) },
			2);
		if (tells_awaiters(&python))
			for (int i = 0; i < 3; i++)
				put64(children[i] + python.remote.inner.task_awaited_by, main);
		else if (python.version->hex >= 0x030d0000)
			put64(future - 24, dict); /* MANAGED_DICT_OFFSET of pycore_object.h */
		else
			put64(future + 104, dict); /* FutureObj.dict */
		snapshot = take(&python);
		for (int i = 0; i < 3; i++)
			expect_awaiters(snapshot, children[i], &main, 1);
		expect_awaiters(snapshot, main, NULL, 0);
		snapshot_free(snapshot);
	}
}

Test(snapshot, believes_no_children_that_cannot_be)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t type =
			cpython_class(&python, "asyncio.tasks", "_GatheringFuture", python.future);
		uint64_t future = add_future(&python, type, 0), main, child, list, dict;

		child = add_task(&python, "child", 0);
		main = add_task(&python, "main", add_awaiting(&python, "main", future));
		list = cpython_list(&python, &child, 1);
		dict = cpython_dict(&python, (const char *[]){ "_children" }, &list, 1);
		if (!python.remote.inner.future_dict)
			continue;
		put64(future + (uint64_t)(int64_t)python.remote.inner.future_dict, dict);
		for (int change = 0; change < 4; change++) {
			struct snapshot *snapshot;

			put64(list + PYVAROBJECT_SIZE, change == 0 ? UINT64_MAX : 1);
			put64(list + LIST_ITEMS, change == 1 ? 1ull << 46 : 0);
			put64(list + PYOBJECT_TYPE,
			      change == 2 ? python.object : python.remote.value_types[VALUE_LIST]);
			put64(dict + python.remote.inner.values.dict_keys,
			      change == 3 ? 1ull << 46 :
					    get64(dict + python.remote.inner.values.dict_keys));
			snapshot = take(&python);
			expect_awaiters(snapshot, child, NULL, 0);
			expect_awaiters(snapshot, main, NULL, 0);
			snapshot_free(snapshot);
		}
	}
}

/* A TaskGroup before 3.14: its tasks call back a method of it (asyncio/taskgroups.py). */
Test(snapshot, sees_who_waits_in_a_task_group)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t group = cpython_object(&python, python.object, 64);
		uint64_t method = cpython_object(&python, python.object, 64);
		uint64_t foreign = cpython_object(&python, python.object, 64);
		uint64_t exits = add_awaiting(&python, "TaskGroup.__aexit__",
					      add_future(&python, python.future, 0));
		uint64_t main = add_task(&python, "main", add_awaiting(&python, "main", exits));
		uint64_t children[3], other = add_task(&python, "other", 0);
		struct snapshot *snapshot;

		put64(cpython_frame(&python, exits) + python.remote.inner.values.frame_localsplus,
		      group);
		put64(method + 24, group); /* im_self: Include/cpython/classobject.h */
		put64(foreign + 24, main);
		put64(other + python.remote.inner.future_callback0, foreign);
		for (int i = 0; i < 3; i++) {
			children[i] = add_task(&python, "child", 0);
			put64(children[i] + python.remote.inner.future_callback0, method);
			if (tells_awaiters(&python))
				put64(children[i] + python.remote.inner.task_awaited_by, main);
		}
		snapshot = take(&python);
		for (int i = 0; i < 3; i++)
			expect_awaiters(snapshot, children[i], &main, 1);
		expect_awaiters(snapshot, other, NULL, 0);
		snapshot_free(snapshot);
	}
}

Test(snapshot, sees_a_task_that_several_await)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t awaited = add_task(&python, "awaited", 0), awaiters[5], all_of[6];
		struct snapshot *snapshot;

		for (int i = 0; i < 5; i++)
			awaiters[i] =
				add_task(&python, "awaiter", add_awaiting(&python, "f", awaited));
		if (tells_awaiters(&python)) { /* and one that is no task any more */
			memcpy(all_of, awaiters, sizeof(awaiters));
			all_of[5] = cpython_object(&python, python.object, 16);
			put64(awaited + python.remote.inner.task_awaited_by,
			      cpython_set(&python, all_of, 6));
			put8(awaited + python.remote.inner.task_awaited_by_is_set, 1);
		}
		snapshot = take(&python);
		expect_awaiters(snapshot, awaited, awaiters, 5);
		snapshot_free(snapshot);
	}
}

/* --- what runs --- */

Test(snapshot, says_which_thread_runs_what_for_which_task)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t root = add(&python, KIND_COROUTINE, "root");
		uint64_t running = add(&python, KIND_COROUTINE, "running");
		uint64_t helper = add(&python, KIND_GENERATOR, "helper");
		uint64_t alone = add(&python, KIND_GENERATOR, "alone");
		uint64_t plain = cpython_new(&python, 256), previous;
		uint64_t idle = add(&python, KIND_GENERATOR, "idle");
		struct snapshot *snapshot;

		previous = python.remote.layout.frame_previous;
		cpython_set_state(&python, root, IMAGE_EXECUTING);
		cpython_set_state(&python, running, IMAGE_EXECUTING);
		cpython_set_state(&python, helper, IMAGE_EXECUTING);
		cpython_set_state(&python, alone, IMAGE_EXECUTING);
		/* helper, driven by a plain function, by running, by root, which a task drives */
		put64(cpython_frame(&python, helper) + previous, plain);
		put64(plain + previous, cpython_frame(&python, running));
		put64(cpython_frame(&python, running) + previous, cpython_frame(&python, root));
		add_task(&python, "main", root);
		cpython_thread(&python, 0, 77, cpython_frame(&python, helper));
		cpython_thread(&python, 0, 78, cpython_frame(&python, alone));
		cpython_thread(&python, 0, 79, 0);
		snapshot = take(&python);
		cr_expect_eq(object(snapshot, root)->tid, 77);
		cr_expect_eq(object(snapshot, running)->tid, 77);
		cr_expect_eq(object(snapshot, helper)->tid, 77);
		cr_expect_eq(object(snapshot, alone)->tid, 78);
		cr_expect_eq(object(snapshot, idle)->tid, 0);
		cr_expect_eq(object(snapshot, root)->task, 0);
		cr_expect_eq(object(snapshot, running)->task, 0);
		cr_expect_eq(object(snapshot, helper)->task, 0);
		cr_expect_eq(object(snapshot, alone)->task, SNAPSHOT_NONE);
		snapshot_free(snapshot);
		/* frames in a ring */
		put64(cpython_frame(&python, root) + previous, cpython_frame(&python, helper));
		snapshot_free(take(&python));
	}
}

/* --- one by one --- */

struct stream {
	const struct cpython *python;
	unsigned int objects, stop_after;
	int answer;
	char awaits[4][64];
};

static int on_object(void *ctx, const struct snapshot_object *object)
{
	struct stream *stream = ctx;

	if (stream->objects < 4)
		snprintf(stream->awaits[stream->objects], sizeof(stream->awaits[0]), "%s %s",
			 object->code->qualname, object->awaits_class ? object->awaits_class : "-");
	return ++stream->objects == stream->stop_after ? stream->answer : 0;
}

static int stream_all(struct cpython *python, struct stream *stream, struct snapshot **out)
{
	struct snapshot_options options = { .each = on_object, .ctx = stream };
	char why[INTERPRETER_WHY_MAX];

	*out = NULL;
	stream->objects = 0;
	memory_forget_all(python->memory);
	return snapshot_take(&python->remote, 1, &options, out, why);
}

Test(snapshot, gives_objects_one_by_one)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t inner = add(&python, KIND_COROUTINE, "Api.inner");
		struct stream stream = { .python = &python };
		struct snapshot *snapshot;

		add_awaiting(&python, "outer", inner);
		add_awaiting(&python, "waits", add_future(&python, python.future, 0));
		add_task(&python, "t", inner);
		cr_assert_eq(stream_all(&python, &stream, &snapshot), 0);
		cr_expect_eq(stream.objects, 3);
		cr_expect_str_eq(stream.awaits[0], "Api.inner -");
		cr_expect_str_eq(stream.awaits[1], "outer Api.inner");
		cr_expect_str_eq(stream.awaits[2], "waits _asyncio.Future");
		cr_expect_eq(snapshot->object_count, 0);
		cr_expect_eq(snapshot->task_count, 0);
		snapshot_free(snapshot);
	}
}

Test(snapshot, stops_when_the_taker_says_so)
{
	struct stream stream = { .stop_after = 3 };
	struct snapshot *snapshot;
	struct cpython python;

	cpython_open(&python, image_version("3.13.0"), CACHE_SIZE);
	for (int i = 0; i < 6; i++)
		add(&python, KIND_GENERATOR, "f");
	stream.answer = -EINTR;
	cr_expect_eq(stream_all(&python, &stream, &snapshot), -EINTR);
	cr_expect_eq(stream.objects, 3);
	cr_expect_null(snapshot);
	stream.answer = 1; /* only less than 0 stops */
	cr_expect_eq(stream_all(&python, &stream, &snapshot), 0);
	cr_expect_eq(stream.objects, 6);
	snapshot_free(snapshot);
	cpython_close(&python);
}

struct progress {
	unsigned int calls, stop_at, stop_call;
	unsigned int told; /* calls that tell of objects */
	uint64_t last;
};

static int on_progress(void *ctx, uint64_t objects)
{
	struct progress *progress = ctx;

	progress->calls++;
	progress->told += objects > 0;
	if (progress->calls == progress->stop_call)
		return -ECANCELED;
	if (progress->stop_at && objects >= progress->stop_at)
		return -ECANCELED;
	progress->last = objects;
	return 0;
}

Test(snapshot, tells_of_its_progress_and_stops_then)
{
	struct progress progress = { 0 };
	struct snapshot_options options = { .progress = on_progress, .ctx = &progress };
	char why[INTERPRETER_WHY_MAX];
	struct snapshot *snapshot = NULL;
	struct cpython python;
	uint64_t code;

	cpython_open(&python, image_version("3.15.2"), CACHE_SIZE);
	code = cpython_code(&python, "f", "f.py", 1);
	for (int i = 0; i < 40000; i++)
		cpython_track(&python, cpython_gen(&python, KIND_GENERATOR, code));
	cr_assert_eq(snapshot_take(&python.remote, 1, &options, &snapshot, why), 0);
	cr_expect_eq(snapshot->object_count, 40000);
	cr_expect_geq(progress.calls, 2);
	cr_expect(progress.last > 0 && progress.last <= 40000);
	snapshot_free(snapshot);
	/* as they are read, as they are looked at again, as they are linked */
	cr_expect_eq(progress.told, 3 * 2, "%u", progress.told);
	for (unsigned calls = progress.calls, call = 1; call <= calls; call++) {
		progress = (struct progress){ .stop_call = call };
		snapshot = NULL;
		cr_expect_eq(snapshot_take(&python.remote, 1, &options, &snapshot, why), -ECANCELED,
			     "call %u of %u", call, calls);
		cr_expect_null(snapshot);
	}
	progress = (struct progress){ .stop_at = 1 };
	snapshot = NULL;
	cr_expect_eq(snapshot_take(&python.remote, 1, &options, &snapshot, why), -ECANCELED);
	cr_expect_null(snapshot);
	cpython_close(&python);
}

/* --- refusals --- */

Test(snapshot, says_why_it_cannot_be_taken)
{
	struct cpython python;
	struct snapshot *snapshot = NULL;
	char why[INTERPRETER_WHY_MAX];

	cpython_open(&python, image_version("3.13.5"), CACHE_SIZE);
	put64(cpython_head(&python, 0, 0), 0);
	cr_expect_eq(snapshot_take(&python.remote, 1, &all, &snapshot, why), -ENOTSUP);
	cr_expect_neq(why[0], 0);
	memory_forget_all(python.memory);
	put64(python.remote.runtime + python.remote.inner.runtime_interpreters_head, 0);
	cr_expect_eq(snapshot_take(&python.remote, 1, &all, &snapshot, why), -ESRCH);
	cr_expect_neq(why[0], 0);
	cr_expect_null(snapshot);
	snapshot_free(NULL);
	cpython_close(&python);
}

/* --- a few objects --- */

Test(snapshot, of_some_has_what_lives_there)
{
	struct cpython python;
	const struct snapshot_options options = { .name_awaited = true };

	EACH_VERSION(&python)
	{
		uint64_t inner = add(&python, KIND_COROUTINE, "inner");
		uint64_t outer = add_awaiting(&python, "outer", inner);
		uint64_t other = add(&python, KIND_GENERATOR, "other");
		uint64_t list = cpython_list(&python, NULL, 0);
		const uint64_t wanted[] = { outer, list, 0xdead0000, other };
		struct snapshot *snapshot = NULL;

		cpython_set_state(&python, inner, IMAGE_SUSPENDED);
		memory_forget_all(python.memory);
		cr_assert_eq(
			snapshot_take_some(&python.remote, 4242, &options, wanted, 4, &snapshot),
			0);
		cr_assert_eq(snapshot->object_count, 2, "no list, no hole, nobody else");
		cr_expect_eq(snapshot->pid, 4242);
		cr_expect_eq(snapshot->objects[0].gen, outer);
		cr_expect_str_eq(snapshot->objects[0].code->qualname, "outer");
		cr_expect_eq(snapshot->objects[0].awaits_address, inner);
		cr_expect_str_eq(snapshot->objects[0].awaits_class, "inner");
		cr_expect_eq(snapshot->objects[1].gen, other);
		cr_expect_eq(snapshot->objects[1].state, STATE_CREATED);
		cr_expect_null(snapshot->objects[1].locals);
		snapshot_free(snapshot);
		cr_assert_eq(
			snapshot_take_some(&python.remote, 4242, &options, wanted, 0, &snapshot),
			0);
		cr_expect_eq(snapshot->object_count, 0);
		snapshot_free(snapshot);
	}
}
