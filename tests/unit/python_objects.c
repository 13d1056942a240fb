/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "python/layouts.h"
#include "python_internal.h"

/* The objects of the little CPython: code, strings, frames, threads, generators at rest. */

#define CODES_MAX_HERE 64
#define GENS_MAX       128
#define CODE_BYTES     1024 /* of a code object here, instructions and all */

struct python python;

static struct py_code codes[CODES_MAX_HERE];
static struct py_gen gens[GENS_MAX];
static unsigned code_count, gen_count;

static const uint32_t version_hexes[] = { 0x030b02f0, 0x030d00f0, 0x030f00f0 };

unsigned python_minor(void)
{
	return python.minor;
}

uint64_t python_thread_state(void)
{
	return python.thread->tstate;
}

uint8_t py_opcode(uint8_t class)
{
	for (unsigned opcode = 1; opcode < 256; opcode++)
		if (python.layout.opcode_class[opcode] == class)
			return (uint8_t)opcode;
	cr_assert_fail("no opcode of class %u", class);
	return 0;
}

/* --- strings and code --- */

static uint64_t ascii_string(const char *text)
{
	uint32_t state = 1 << 2 | 1 << 5 | 1 << 6; /* PyUnicode_1BYTE_KIND, compact, ascii */
	uint64_t size = strlen(text), string = memory_new(python.layout.ascii_size + size + 1);

	memory_put64(string + UNICODE_LENGTH, size);
	memory_put(string + UNICODE_STATE, &state, sizeof(state));
	memory_put(string + python.layout.ascii_size, text, size + 1);
	return string;
}

void py_code_set_lines(struct py_code *code, const uint8_t *table, uint32_t bytes)
{
	uint64_t object = memory_new(BYTES_DATA + bytes + 1);

	memory_put64(object + PYVAROBJECT_SIZE, bytes);
	memory_put(object + BYTES_DATA, table, bytes);
	memory_put64(code->address + python.layout.code_linetable, object);
}

struct py_code *py_code_at(uint64_t address, const char *qualname)
{
	static const uint8_t classes[UNITS] = {
		[UNIT_MAKE] = OPCODE_RETURN_GENERATOR,
		[UNIT_FOR_ITER] = OPCODE_FOR_ITER,
		[UNIT_SEND] = OPCODE_SEND,
		[UNIT_RETURN] = OPCODE_RETURN,
	};
	static const uint8_t lines[] = { 0xd8, 0x00, 0x01 };
	const struct layout *layout = &python.layout;
	struct py_code *code = &codes[code_count++];
	uint32_t first_line = 10, flags = 0;

	cr_assert_leq(code_count, (unsigned)CODES_MAX_HERE);
	code->address = address;
	snprintf(code->qualname, sizeof(code->qualname), "%s", qualname);
	memory_put(address + layout->code_flags, &flags, sizeof(flags));
	memory_put(address + layout->code_first_line, &first_line, sizeof(first_line));
	memory_put64(address + layout->code_name, ascii_string(qualname));
	memory_put64(address + layout->code_qualname, ascii_string(qualname));
	memory_put64(address + layout->code_filename, ascii_string("/srv/app.py"));
	for (unsigned unit = 0; unit < UNITS; unit++)
		memory_put(address + layout->code_instructions + 2 * unit,
			   (uint8_t[]){ py_opcode(classes[unit]), 0 }, 2);
	py_code_set_lines(code, lines, sizeof(lines));
	return code;
}

struct py_code *py_code(const char *qualname)
{
	return py_code_at(memory_new(CODE_BYTES), qualname);
}

void py_code_free(struct py_code *code)
{
	struct site site = { .role = SITE_CODE_FREE, .reg = GPR_RDI };

	site_hit(site_index(&site), code->address, python.thread->sp);
}

/* --- frames and threads --- */

static uint64_t *frame_holder(uint64_t *address)
{
	const struct layout *layout = &python.layout;

	*address = (layout->tstate_cframe ? python.thread->cframe : python.thread->tstate) +
		   layout->current_frame;
	return address;
}

uint64_t current_frame(void)
{
	uint64_t holder;

	return memory_get64(*frame_holder(&holder));
}

void set_current_frame(uint64_t frame)
{
	uint64_t holder;

	memory_put64(*frame_holder(&holder), frame);
}

void frame_fill(uint64_t frame, const struct py_code *code, uint64_t previous, unsigned unit)
{
	/* from 3.14 on a _PyStackRef: the low bits are tags */
	memory_put64(frame + python.layout.frame_executable,
		     code->address | (python.minor >= 14 ? 1 : 0));
	memory_put64(frame + python.layout.frame_previous, previous);
	frame_stand_at(frame, unit);
}

const uint64_t frame_bytes = 0x58;

uint64_t frame_code_address(uint64_t frame)
{
	return memory_get64(frame + python.layout.frame_executable) & ~7ull;
}

void frame_stand_at(uint64_t frame, unsigned unit)
{
	memory_put64(frame + python.layout.frame_instr,
		     frame_code_address(frame) + python.layout.code_instructions + 2 * unit);
}

void py_call(struct py_code *code)
{
	uint64_t frame = memory_new(frame_bytes);

	begin(IN_PYTHON, NULL);
	frame_fill(frame, code, current_frame(), UNIT_CALL);
	set_current_frame(frame);
}

void py_call_end(void)
{
	end(IN_PYTHON, NULL);
	set_current_frame(memory_get64(current_frame() + python.layout.frame_previous));
}

void py_at(uint8_t class)
{
	static const unsigned units[] = { [OPCODE_OTHER] = UNIT_CALL,
					  [OPCODE_FOR_ITER] = UNIT_FOR_ITER,
					  [OPCODE_SEND] = UNIT_SEND,
					  [OPCODE_RETURN] = UNIT_RETURN };

	frame_stand_at(current_frame(), units[class]);
}

void py_at_opcode(uint8_t opcode)
{
	uint64_t frame = current_frame();

	frame_stand_at(frame, UNIT_ANY);
	memory_put(frame_code_address(frame) + python.layout.code_instructions + 2 * UNIT_ANY,
		   &opcode, 1);
}

uint64_t py_at_instrumented(uint8_t class, bool line, uint8_t entry, bool instruction)
{
	const struct layout *layout = &python.layout;
	uint64_t code = frame_code_address(current_frame());
	uint64_t data = memory_new(256), table = memory_new(256), opcodes = memory_new(256);
	uint8_t real = py_opcode(class);
	uint8_t beneath = instruction ? py_opcode(OPCODE_INSTRUCTION) : real;
	uint8_t width = entry ? entry : 2;

	memory_put64(code + layout->code_monitoring, data);
	memory_put64(data + layout->monitoring_lines, table);
	memory_put64(data + layout->monitoring_opcodes, opcodes);
	if (entry)
		memory_put(table, &entry, 1);
	for (unsigned unit = 0; unit < UNITS; unit++) {
		uint8_t opcode = unit == UNIT_ANY ? beneath : py_opcode(OPCODE_RETURN_GENERATOR);

		memory_put(table + !!entry + unit * width, &opcode, 1);
	}
	memory_put(opcodes + UNIT_ANY, &real, 1);
	py_at_opcode(line ? py_opcode(OPCODE_LINE) : py_opcode(OPCODE_INSTRUCTION));
	return table;
}

static void thread_begin(unsigned index, struct py_code *code)
{
	struct py_thread *thread = &python.threads[index];
	uint64_t stack = memory_new(STACK_BYTES), frame = memory_new(frame_bytes);
	uint64_t tls = memory_new(256);

	thread->tstate = memory_new(512);
	thread->cframe = memory_new(64);
	thread->sp = stack + STACK_BYTES - 256;
	thread->fs_base = tls + 128;
	if (python.layout.tstate_cframe)
		memory_put64(thread->tstate + python.layout.tstate_cframe, thread->cframe);
	py_thread(index);
	frame_fill(frame, code, 0, UNIT_CALL);
	set_current_frame(frame);
}

/* Whoever holds the GIL is found in a global (3.11), at a constant offset from fs (3.13 here), or
 * through the dtv (3.15 here). */
void py_thread(unsigned index)
{
	struct py_thread *thread = &python.threads[index];
	uint64_t dtv = thread->fs_base + 64;

	python.thread = thread;
	thread_choose(index);
	thread_fs_base(thread->fs_base);
	if (python.minor == 11) {
		memory_put64(BASE + TSTATE_SLOT, thread->tstate);
	} else if (python.minor == 13) {
		memory_put64(thread->fs_base - 0x20, thread->tstate);
	} else {
		memory_put64(thread->fs_base + 8, dtv);
		memory_put64(dtv + 2 * 16, thread->fs_base - 64);
		memory_put64(thread->fs_base - 64 + 0x18, thread->tstate);
	}
}

void py_greenlet(unsigned index)
{
	py_thread(index);
	thread_choose(0);
	thread_fs_base(python.thread->fs_base);
}

static void image_fill(struct image *image)
{
	image->generator_exit = EXIT_SLOT;
	memory_put64(BASE + EXIT_SLOT, BASE + EXIT_TYPE);
	if (python.minor == 11) {
		image->tstate_access = TSTATE_GLOBAL;
		image->tstate = TSTATE_SLOT;
	} else if (python.minor == 13) {
		image->tstate_access = TSTATE_FS;
		image->tstate = (uint64_t)-0x20;
	} else {
		image->tstate_access = TSTATE_DTV;
		image->tstate = TSTATE_SLOT;
		image->dtv_stride = 16;
		memory_put64(BASE + TSTATE_SLOT, 2);
		memory_put64(BASE + TSTATE_SLOT + 8, 0x18);
	}
}

bool python_begin(unsigned world)
{
	struct py_code *code;

	memset(&python, 0, sizeof(python));
	code_count = gen_count = 0;
	cr_assert_eq(layout_for_version(version_hexes[world / PLACEMENTS], &python.layout, NULL),
		     0);
	python.minor = version_hexes[world / PLACEMENTS] >> 16 & 255;
	world_begin(&python.layout, (enum placement)(world % PLACEMENTS));
	image_fill(world_image());
	code = py_code("<module>");
	for (unsigned i = THREADS_MAX; i-- > 0;)
		thread_begin(i, code);
	return true;
}

bool python_end(void)
{
	world_end();
	return false;
}

/* --- generators --- */

int8_t state_value(uint8_t state)
{
	const struct layout *layout = &python.layout;

	switch (state) {
	case STATE_CREATED:
		return layout->created;
	case STATE_RUNNING:
		return layout->executing;
	case STATE_SUSPENDED:
		return layout->suspended_first;
	}
	return layout->cleared;
}

int8_t yield_from_value(void)
{
	/* FRAME_SUSPENDED_YIELD_FROM; one with SUSPENDED up to 3.12 */
	return (int8_t)(python.minor >= 13 ? python.layout.suspended_first + 1 :
					     python.layout.suspended_first);
}

int py_state(const struct py_gen *gen)
{
	int8_t value = (int8_t)memory_get8(gen->address + python.layout.gen_frame_state);

	if (value == python.layout.executing)
		return STATE_RUNNING;
	if (value == python.layout.created)
		return STATE_CREATED;
	return value == python.layout.cleared || value == python.layout.completed ? STATE_CLOSED :
										    STATE_SUSPENDED;
}

struct py_gen *gen_new(uint64_t address, uint8_t kind, struct py_code *code)
{
	/* CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR */
	static const uint32_t flags[KIND_COUNT] = { 0, 0x20, 0x80, 0x200 };
	struct py_gen *gen = &gens[gen_count++];
	uint32_t references = 1;

	cr_assert_leq(gen_count, (unsigned)GENS_MAX);
	if (!address)
		address = memory_new(GC_HEAD_BYTES + GEN_BYTES) + GC_HEAD_BYTES;
	*gen = (struct py_gen){ .address = address, .kind = kind, .code = code };
	memory_put(code->address + python.layout.code_flags, &flags[kind], sizeof(flags[kind]));
	memory_put(address, &references, sizeof(references));
	memory_put64(address + PYOBJECT_TYPE, BASE + world_image()->types[kind]);
	memory_put64(address - GC_HEAD_BYTES, 0); /* not tracked yet */
	memory_put64(address - GC_HEAD_PREVIOUS, 0);
	memory_put64(address + python.layout.gen_previous_item, 0);
	if (python.layout.gen_code)
		memory_put64(address + python.layout.gen_code, code->address);
	return gen;
}

struct py_gen *py_existing(uint8_t kind, struct py_code *code, uint8_t state)
{
	struct py_gen *gen = gen_new(0, kind, code);
	/* 3.11 and 3.12 stand at RETURN_GENERATOR or YIELD_VALUE, later ones behind */
	unsigned unit = state == STATE_CREATED ? UNIT_MAKE : UNIT_YIELD;
	int8_t value = state_value(state);

	memory_put64(gen->address - GC_HEAD_BYTES, 0x7eee00001000);
	frame_fill(gen->address + python.layout.gen_iframe, code, 0,
		   unit + (python.minor >= 13 ? 1 : 0));
	memory_put(gen->address + python.layout.gen_frame_state, &value, 1);
	return gen;
}
