// SPDX-License-Identifier: MIT
#include "python/task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/value.h"

#define BASES_MAX      16
#define NAME_CHARS     255
#define SET_SLOTS_MAX  (1u << 22)
#define SET_ENTRY      16 /* setentry {key, hash}: Include/cpython/setobject.h */
#define CLASS_NAME_MAX 64
#define REFERENCE_MASK 0xffffffffu

/* tp_name of types of _asyncio: static ones in 3.11, made from a spec since, which keeps the name. */
static bool is_derived(struct remote *remote, uint64_t type, const char *name)
{
	const struct value_layout *values = &remote->inner.values;
	size_t size = strlen(name) + 1;
	char text[CLASS_NAME_MAX];

	for (int i = 0; type && i < BASES_MAX; i++) {
		uint64_t at = memory_u64(remote->memory, type + values->type_name);

		if (at && !memory_read(remote->memory, at, text, size) && !memcmp(text, name, size))
			return true;
		type = memory_u64(remote->memory, type + values->type_base);
	}
	return false;
}

bool task_is_type(struct remote *remote, uint64_t type)
{
	return is_derived(remote, type, "_asyncio.Task");
}

bool future_is_type(struct remote *remote, uint64_t type)
{
	return is_derived(remote, type, "_asyncio.Future");
}

uint8_t future_state(struct remote *remote, uint64_t address)
{
	return (uint8_t)memory_u32(remote->memory, address + remote->inner.future_state);
}

static int add_awaiter(struct task *task, uint64_t awaiter)
{
	size_t count = task->awaited_by_count;

	if (!(count & (count - 1))) { /* room is the next power of two */
		uint64_t *grown = realloc(task->awaited_by,
					  (count ? count * 2 : 1) * sizeof(*task->awaited_by));

		if (!grown)
			return -ENOMEM;
		task->awaited_by = grown;
	}
	task->awaited_by[task->awaited_by_count++] = awaiter;
	return 0;
}

/* The keys of a set of tasks. Its mask is a power of two less one. */
static int read_awaiters(struct remote *remote, uint64_t set, struct task *task)
{
	const struct value_layout *values = &remote->inner.values;
	uint64_t mask = memory_u64(remote->memory, set + values->set_mask);
	uint64_t table = memory_u64(remote->memory, set + values->set_table);

	if (mask >= SET_SLOTS_MAX || mask & (mask + 1) || !table)
		return -EAGAIN;
	for (uint64_t i = 0; i <= mask; i++) {
		uint64_t entry[SET_ENTRY / sizeof(uint64_t)];
		int err = memory_read(remote->memory, table + i * SET_ENTRY, entry, sizeof(entry));

		/* an unused entry has no key, a deleted one has the dummy and the hash -1 */
		if (!err && entry[0] && entry[1] != UINT64_MAX)
			err = add_awaiter(task, entry[0]);
		if (err)
			return err;
	}
	return 0;
}

static int read_awaited_by(struct remote *remote, struct task *task)
{
	const struct memory_layout *inner = &remote->inner;
	uint64_t awaiter;
	uint8_t is_set = 0;

	if (!inner->task_awaited_by)
		return 0;
	awaiter = memory_u64(remote->memory, task->address + inner->task_awaited_by);
	if (!awaiter)
		return 0;
	if (memory_read(remote->memory, task->address + inner->task_awaited_by_is_set, &is_set,
			sizeof(is_set)))
		return -EFAULT;
	if (inner->task_awaited_by_mask)
		is_set &= inner->task_awaited_by_mask;
	return is_set ? read_awaiters(remote, awaiter, task) : add_awaiter(task, awaiter);
}

/* A str; or, until somebody asks for it, the number of "Task-n" (3.13 on: task_get_name()). */
static int read_name(struct remote *remote, struct task *task)
{
	static const struct value_limits limits = { .string = VALUE_STRING_DEFAULT };
	uint64_t name = memory_u64(remote->memory, task->address + remote->inner.task_name);
	struct buffer text = {}, repr = {};
	bool truncated = false;
	int64_t number;

	if (!value_integer(remote, name, &number)) {
		buffer_printf(&text, "Task-%lld", (long long)number);
		buffer_printf(&repr, "'Task-%lld'", (long long)number);
	} else {
		if (value_text(remote, name, NAME_CHARS, &text))
			buffer_clear(&text);
		value_repr(remote, &limits, name, &repr, &truncated);
	}
	buffer_puts(&text, "");
	buffer_puts(&repr, "");
	task->name = text.text;
	task->name_repr = repr.text;
	return text.text && repr.text && !text.failed && !repr.failed ? 0 : -ENOMEM;
}

int task_read(struct remote *remote, uint64_t address, struct task *out)
{
	const struct memory_layout *inner = &remote->inner;
	uint64_t references;
	int err = memory_read(remote->memory, address, &references, sizeof(references));

	if (err)
		return err;
	*out = (struct task){ .address = address };
	if (!(references & REFERENCE_MASK))
		return -ENOENT;
	out->state = future_state(remote, address);
	if (out->state > FUTURE_FINISHED)
		return -EAGAIN;
	out->coroutine = memory_u64(remote->memory, address + inner->task_coroutine);
	out->done_callback = memory_u64(remote->memory, address + inner->future_callback0);
	err = read_awaited_by(remote, out);
	if (!err)
		err = read_name(remote, out);
	if (err)
		task_free(out);
	return err;
}

void task_free(struct task *task)
{
	free(task->name);
	free(task->name_repr);
	free(task->awaited_by);
	*task = (struct task){};
}
