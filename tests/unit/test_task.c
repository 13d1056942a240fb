/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/task.h"
#include "python_image.h"

#define CACHE_SIZE (1 << 20)

#define EACH_VERSION(python)                                                                       \
	for (size_t v = 0; v < image_version_count &&                                              \
			   (cpython_open(python, &image_versions[v], CACHE_SIZE), true);           \
	     cpython_close(python), v++)

static int read_task(struct cpython *python, uint64_t address, struct task *out)
{
	memory_forget_all(python->memory);
	*out = (struct task){ 0 };
	return task_read(&python->remote, address, out);
}

Test(task, is_known_by_its_type)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t derived = cpython_class(&python, "app", "Job", python.task);
		uint64_t again = cpython_class(&python, "app", "Job2", derived);
		uint64_t other = cpython_type(&python, "_asyncio.Tasks", python.object);
		uint64_t module = cpython_type(&python, "asyncio.Task", python.object);

		memory_forget_all(python.memory);
		cr_expect(task_is_type(&python.remote, python.task));
		cr_expect(task_is_type(&python.remote, again));
		cr_expect_not(task_is_type(&python.remote, python.future));
		cr_expect_not(task_is_type(&python.remote, python.object));
		cr_expect_not(task_is_type(&python.remote, other));
		cr_expect_not(task_is_type(&python.remote, module));
		cr_expect(future_is_type(&python.remote, python.future));
		cr_expect(future_is_type(&python.remote, again));
		cr_expect_not(future_is_type(&python.remote, python.type));
		cr_expect_not(task_is_type(&python.remote, 0));
		cr_expect_not(task_is_type(&python.remote, 8));
		cr_expect_not(task_is_type(&python.remote, UINT64_MAX - 3));
	}
}

Test(task, is_not_sought_for_ever)
{
	struct cpython python;
	uint64_t ring, page, name;

	cpython_open(&python, image_version("3.13.0"), CACHE_SIZE);
	ring = cpython_type(&python, "ring", 0);
	put64(ring + python.remote.inner.values.type_base, ring);
	cr_expect_not(task_is_type(&python.remote, ring));
	/* a name at the very end of what is there */
	page = cpython_new_pages(&python, 4096);
	name = page + 4096 - sizeof("_asyncio.Task");
	strcpy((char *)name, "_asyncio.Task");
	put64(ring + python.remote.inner.values.type_name, name);
	memory_forget_all(python.memory);
	cr_expect(task_is_type(&python.remote, ring));
	put64(ring + python.remote.inner.values.type_name, name + 1);
	memory_forget_all(python.memory);
	cr_expect_not(task_is_type(&python.remote, ring));
	cpython_close(&python);
}

Test(task, has_a_name_a_state_and_a_coroutine)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t at = cpython_task(&python, python.task, cpython_str(&python, "worker 7"),
					   0x5000);
		struct task task;

		for (uint8_t state = FUTURE_PENDING; state <= FUTURE_FINISHED; state++) {
			cpython_set_future_state(&python, at, state);
			cr_assert_eq(read_task(&python, at, &task), 0);
			cr_expect_eq(task.address, at);
			cr_expect_eq(task.coroutine, 0x5000);
			cr_expect_eq(task.state, state);
			cr_expect_eq(future_state(&python.remote, at), state);
			cr_expect_str_eq(task.name, "worker 7");
			cr_expect_eq(task.awaited_by_count, 0);
			task_free(&task);
		}
		put64(at + python.remote.inner.task_coroutine, 0);
		cr_assert_eq(read_task(&python, at, &task), 0);
		cr_expect_eq(task.coroutine, 0);
		task_free(&task);
	}
}

/* Until somebody asks for it, the name is a number (Modules/_asynciomodule.c, 3.13 on). */
Test(task, may_have_a_number_for_a_name)
{
	static const uint32_t numbers[] = { 0, 1, 7, 10000, (1u << 30) - 1 };
	struct cpython python;
	char name[32];

	EACH_VERSION(&python)
	{
		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
			uint64_t at = cpython_task(&python, python.task,
						   cpython_int(&python, numbers[i]), 0);
			struct task task;

			snprintf(name, sizeof(name), "Task-%u", numbers[i]);
			cr_assert_eq(read_task(&python, at, &task), 0);
			cr_expect_str_eq(task.name, name);
			task_free(&task);
		}
	}
}

Test(task, with_a_name_that_cannot_be_read_has_none)
{
	struct cpython python;
	struct task task;
	uint64_t at, names[4];

	cpython_open(&python, image_version("3.14.10"), CACHE_SIZE);
	names[0] = 0;
	names[1] = 1ull << 46;
	names[2] = cpython_list(&python, NULL, 0);
	names[3] = cpython_str(&python, "");
	for (int i = 0; i < 4; i++) {
		at = cpython_task(&python, python.task, names[i], 0);
		cr_assert_eq(read_task(&python, at, &task), 0);
		cr_expect_str_eq(task.name, "");
		task_free(&task);
	}
	cpython_close(&python);
}

Test(task, that_is_gone_or_torn)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t at = cpython_task(&python, python.task, cpython_str(&python, "x"), 0);
		struct task task;

		for (unsigned int state = 3; state < 256; state += 11) {
			cpython_set_future_state(&python, at, (uint8_t)state);
			cr_expect_eq(read_task(&python, at, &task), -EAGAIN, "%u", state);
		}
		cpython_set_future_state(&python, at, FUTURE_PENDING);
		put64(at, 0);
		cr_expect_eq(read_task(&python, at, &task), -ENOENT);
		cr_expect_eq(read_task(&python, 8, &task), -EFAULT);
		cr_expect_eq(read_task(&python, UINT64_MAX, &task), -EFAULT);
	}
}

Test(task, knows_its_first_callback)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t at = cpython_task(&python, python.task, cpython_str(&python, "x"), 0);
		struct task task;

		put64(at + python.remote.inner.future_callback0, 0x6000);
		cr_assert_eq(read_task(&python, at, &task), 0);
		cr_expect_eq(task.done_callback, 0x6000);
		task_free(&task);
	}
}

/* --- who awaits it: from 3.14 on --- */

static bool tells_awaiters(const struct cpython *python)
{
	return python->version->hex >= 0x030e0000;
}

static void set_awaiters(const struct cpython *python, uint64_t task, uint64_t awaiters,
			 bool is_set)
{
	put64(task + python->remote.inner.task_awaited_by, awaiters);
	put8(task + python->remote.inner.task_awaited_by_is_set, is_set);
}

Test(task, is_awaited_by_one)
{
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t at = cpython_task(&python, python.task, cpython_str(&python, "x"), 0);
		struct task task;

		cr_expect_eq(python.remote.inner.task_awaited_by != 0, tells_awaiters(&python));
		if (!tells_awaiters(&python))
			continue;
		set_awaiters(&python, at, 0x9000, false);
		cr_assert_eq(read_task(&python, at, &task), 0);
		cr_assert_eq(task.awaited_by_count, 1);
		cr_expect_eq(task.awaited_by[0], 0x9000);
		task_free(&task);
		set_awaiters(&python, at, 0, true);
		cr_assert_eq(read_task(&python, at, &task), 0);
		cr_expect_eq(task.awaited_by_count, 0);
		task_free(&task);
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

Test(task, is_awaited_by_a_set_of_them)
{
	static const size_t counts[] = { 0, 1, 2, 5, 100, 5000 };
	static uint64_t awaiters[5000];
	struct cpython python;

	for (size_t i = 0; i < 5000; i++)
		awaiters[i] = 0x9000 + i * 64;
	EACH_VERSION(&python)
	{
		for (size_t i = 0; tells_awaiters(&python) && i < sizeof(counts) / sizeof(*counts);
		     i++) {
			uint64_t at =
				cpython_task(&python, python.task, cpython_int(&python, 1), 0);
			struct task task;

			set_awaiters(&python, at, cpython_set(&python, awaiters, counts[i]), true);
			cr_assert_eq(read_task(&python, at, &task), 0);
			cr_assert_eq(task.awaited_by_count, counts[i]);
			if (counts[i])
				qsort(task.awaited_by, counts[i], sizeof(uint64_t), compare);
			for (size_t k = 0; k < counts[i]; k++)
				cr_assert_eq(task.awaited_by[k], awaiters[k]);
			task_free(&task);
		}
	}
}

Test(task, awaited_by_a_set_that_makes_no_sense_is_torn)
{
	static const uint64_t masks[] = { UINT64_MAX, 1ull << 63, 1ull << 40, 1 << 18 };
	struct cpython python;
	struct task task;
	uint64_t at, set;

	cpython_open(&python, image_version("3.15.2"), CACHE_SIZE);
	at = cpython_task(&python, python.task, cpython_int(&python, 1), 0);
	set = cpython_set(&python, (uint64_t[]){ 0x9000 }, 1);
	set_awaiters(&python, at, set, true);
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		put64(set + python.remote.inner.values.set_mask, masks[i]);
		cr_expect_eq(read_task(&python, at, &task), -EAGAIN, "%llx",
			     (unsigned long long)masks[i]);
	}
	put64(set + python.remote.inner.values.set_mask, 7);
	put64(set + python.remote.inner.values.set_table, 0);
	cr_expect_eq(read_task(&python, at, &task), -EAGAIN);
	/* its table ends before it says */
	put64(set + python.remote.inner.values.set_mask, 511);
	put64(set + python.remote.inner.values.set_table, cpython_new_pages(&python, 4096));
	cr_expect_neq(read_task(&python, at, &task), 0);
	set_awaiters(&python, at, 1ull << 46, true);
	cr_expect_neq(read_task(&python, at, &task), 0);
	cpython_close(&python);
}

Test(task, may_be_freed_twice)
{
	struct task task = { .name = strdup("x"), .awaited_by = malloc(8), .awaited_by_count = 1 };

	task_free(&task);
	cr_expect_null(task.name);
	cr_expect_eq(task.awaited_by_count, 0);
	task_free(&task);
}
