// SPDX-License-Identifier: MIT
#include "python/generator.h"

#include <errno.h>
#include <string.h>

#include "python/value.h"
#include "state.h"

#define OBJECT_BYTES     256 /* holds the object up to the end of its frame's header */
#define INSTRUCTIONS_MAX (1u << 28)
#define STACK_MAX        (1 << 20) /* slots of one frame; CPython itself is content with 2^27 */
#define CODE_UNIT        2
#define YIELD_FROM_MIN   2 /* arguments of RESUME: 0 start, 1 after yield, 2 yield from, 3 await */
#define NEVER_RUN        ((uint64_t)-CODE_UNIT) /* prev_instr of 3.11 and 3.12 before the first one */
#define WRAPPERS_MAX     4
#define REFERENCE_MASK   0xffffffffu /* 3.12 on keeps flags above */

struct raw {
	uint8_t bytes[OBJECT_BYTES]; /* from the PyGC_Head on */
};

static uint64_t raw_u64(const struct raw *raw, size_t offset)
{
	uint64_t value;

	memcpy(&value, raw->bytes + GC_HEAD_BYTES + offset, sizeof(value));
	return value;
}

static uint64_t untagged(const struct remote *remote, uint64_t reference)
{
	return reference & ~(uint64_t)remote->inner.values.stackref_tag;
}

/* Where it stands, from the pointer in its frame. */
static uint32_t instruction_of(const struct remote *remote, const struct generator *gen,
			       uint64_t pointer)
{
	uint64_t offset = pointer - gen->code - remote->layout.code_instructions;

	if (offset == NEVER_RUN)
		return 0;
	return offset < INSTRUCTIONS_MAX ? (uint32_t)offset : NO_INSTRUCTION;
}

/* 3.11 and 3.12 do not keep apart yield and yield from in the state: the next instruction does, as
 * _PyGen_yf() (Objects/genobject.c) has it. */
static bool stands_at_resume(struct remote *remote, uint64_t instruction)
{
	const uint8_t *opcodes = remote->inner.resume;
	uint8_t unit[CODE_UNIT];

	if (memory_read(remote->memory, instruction + CODE_UNIT, unit, sizeof(unit)) ||
	    unit[1] < YIELD_FROM_MIN)
		return false;
	for (int i = 0; i < RESUME_OPCODES_MAX && opcodes[i]; i++)
		if (unit[0] == opcodes[i])
			return true;
	return false;
}

/* The slot of its frame's stack that holds what it awaits. */
static int read_awaited(struct remote *remote, const struct raw *raw, struct generator *gen)
{
	const struct memory_layout *inner = &remote->inner;
	uint64_t locals = gen->frame + inner->values.frame_localsplus, top;
	size_t stack = remote->layout.gen_iframe + inner->frame_stacktop;
	uint64_t value = 0;

	if (inner->stack_is_pointer) {
		top = raw_u64(raw, stack);
	} else {
		int32_t slots;

		memcpy(&slots, raw->bytes + GC_HEAD_BYTES + stack, sizeof(slots));
		if (slots < inner->yield_from_depth || slots > STACK_MAX)
			return -EAGAIN;
		top = locals + (uint64_t)slots * sizeof(value);
	}
	if (top < locals + inner->yield_from_depth * sizeof(value) ||
	    top > locals + STACK_MAX * sizeof(value) || top % sizeof(value))
		return -EAGAIN;
	if (memory_read(remote->memory, top - inner->yield_from_depth * sizeof(value), &value,
			sizeof(value)))
		return -EFAULT;
	gen->awaits = untagged(remote, value);
	return gen->awaits ? 0 : -EAGAIN;
}

static int read_raw(struct remote *remote, uint64_t address, struct raw *raw)
{
	size_t size =
		GC_HEAD_BYTES + remote->layout.gen_iframe + remote->inner.values.frame_localsplus;

	if (size > sizeof(raw->bytes))
		return -ENOTSUP;
	return memory_read(remote->memory, address - GC_HEAD_BYTES, raw->bytes, size);
}

int generator_read(struct remote *remote, uint64_t address, struct generator *out)
{
	const struct layout *layout = &remote->layout;
	uint64_t instruction, tracked;
	struct raw raw = {};
	int8_t state;
	int err = read_raw(remote, address, &raw);

	if (err)
		return err;
	*out = (struct generator){ .address = address, .instruction = NO_INSTRUCTION };
	memcpy(&tracked, raw.bytes, sizeof(tracked));
	out->kind = remote_kind(remote, raw_u64(&raw, PYOBJECT_TYPE));
	if (!out->kind || !tracked || !(raw_u64(&raw, 0) & REFERENCE_MASK))
		return -ENOENT;
	state = (int8_t)raw.bytes[GC_HEAD_BYTES + layout->gen_frame_state];
	if (out->kind == KIND_ASYNC_GENERATOR) /* the others leave the byte as it was */
		out->running_async = raw.bytes[GC_HEAD_BYTES + layout->gen_running_async];
	out->frame_state = frame_state(layout, state);
	out->state = visible_state(out->kind, out->frame_state, out->running_async);
	out->frame = address + layout->gen_iframe;
	out->code = layout->gen_code ?
			    raw_u64(&raw, layout->gen_code) :
			    untagged(remote,
				     raw_u64(&raw, layout->gen_iframe + layout->frame_executable));
	if (out->frame_state == STATE_NONE || !out->code)
		return -EAGAIN;
	if (out->frame_state == STATE_CLOSED)
		return 0;
	instruction = raw_u64(&raw, layout->gen_iframe + layout->frame_instr);
	out->instruction = instruction_of(remote, out, instruction);
	if (out->instruction == NO_INSTRUCTION && out->frame_state != STATE_RUNNING)
		return -EAGAIN;
	if (out->frame_state == STATE_CREATED)
		return 0;
	if (*remote->inner.resume ?
		    stands_at_resume(remote, instruction) :
		    out->frame_state == STATE_SUSPENDED && yields_from(layout, state))
		err = read_awaited(remote, &raw, out);
	/* 3.11 and 3.12 set it RUNNING while they hand a throw() or close() on to what it awaits; while it
	 * really runs its stack is elsewhere */
	return out->frame_state == STATE_RUNNING ? 0 : err;
}

uint64_t generator_unwrap(struct remote *remote, uint64_t awaited)
{
	static const char *const wrappers[] = {
		"coroutine_wrapper", "async_generator_asend", "async_generator_athrow",
		"anext_awaitable",   "_asyncio.FutureIter",
	};

	for (int i = 0; i < WRAPPERS_MAX; i++) {
		const char *class = value_class(remote, awaited);
		uint64_t inner = 0;

		for (size_t k = 0; class && k < sizeof(wrappers) / sizeof(wrappers[0]); k++)
			if (!strcmp(class, wrappers[k]))
				inner = memory_u64(remote->memory, awaited + WRAPPED);
		if (!inner)
			break;
		awaited = inner;
	}
	return awaited;
}
