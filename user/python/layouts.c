// SPDX-License-Identifier: MIT
/*
 * The offsets were printed by offsetof() over each version's own headers (Include/cpython/genobject.h,
 * Include/internal/pycore_frame.h, pycore_interpframe_structs.h, pycore_code.h, Include/cpython/code.h,
 * Include/cpython/pystate.h) of 3.11.7, 3.12.1, 3.13.0, 3.13.18, 3.14.10 and 3.15.2, with and without
 * Py_DEBUG; what an interpreter publishes of itself is checked against them before they are used.
 */
#include "python/layouts.h"

#include <errno.h>
#include <string.h>

/* Opcodes that tell who resumed a generator and how it ended, by version (opcode.h, opcode_ids.h). */
struct opcodes {
	uint8_t for_iter[8]; /* generic, specialised, instrumented; 0 ends the list */
	uint8_t send[6];
	uint8_t ret[6];
	uint8_t make;              /* RETURN_GENERATOR */
	uint8_t line, instruction; /* INSTRUMENTED_LINE, INSTRUMENTED_INSTRUCTION */
};

struct version_layout {
	uint32_t minor; /* version_hex >> 16 */
	struct layout layout;
	struct layout_check check;
	struct opcodes opcodes;
};

#define STATES_3_11                                                                                \
	.created = -2, .suspended_first = -1, .suspended_last = -1, .executing = 0,                \
	.completed = 1, .cleared = 4
#define STATES_3_13                                                                                \
	.created = -3, .suspended_first = -2, .suspended_last = -1, .executing = 0,                \
	.completed = 1, .cleared = 4
#define STATES_3_15                                                                                \
	.created = 0, .suspended_first = 1, .suspended_last = 3, .executing = 4, .completed = 5,   \
	.cleared = 5, .executes_first = 1
#define CODE_NAMES                                                                                 \
	.code_flags = 0x30, .code_filename = 0x70, .code_name = 0x78, .code_qualname = 0x80,       \
	.code_linetable = 0x88
#define GEN_3_12                                                                                   \
	.gen_previous_item = 0x30, .gen_running_async = 0x42, .gen_frame_state = 0x43,             \
	.gen_iframe = 0x48, .frame_executable = 0, .frame_previous = 8, .frame_instr = 0x38
#define UNICODE_3_12 .ascii_size = 40, .compact_size = 56

static const struct version_layout versions[] = {
	{
		.minor = 0x030b,
		.layout = { .gen_code = 0x10,
			    .gen_previous_item = 0x38,
			    .gen_running_async = 0x4a,
			    .gen_frame_state = 0x4b,
			    .gen_iframe = 0x50,
			    .frame_executable = 0x20,
			    .frame_previous = 0x30,
			    .frame_instr = 0x38,
			    .tstate_cframe = 0x38,
			    .current_frame = 8,
			    .tstate_exception = 0x60,
			    CODE_NAMES,
			    .code_first_line = 0x48,
			    .code_instructions = 0xb8,
			    .ascii_size = 48,
			    .compact_size = 72,
			    STATES_3_11,
			    .exception_is_type = 1 },
		.check = { .gen_basicsize = 0x50 + 0x48 },
		.opcodes = { .for_iter = { 93 }, .send = { 123 }, .ret = { 83 }, .make = 75 },
	},
	{
		.minor = 0x030c,
		.layout = { GEN_3_12, .tstate_cframe = 0x38, .current_frame = 0,
			    .tstate_exception = 0x60, CODE_NAMES, .code_first_line = 0x44,
			    .code_instructions = 0xc0, .code_monitoring = 0xa8,
			    .monitoring_lines = 0x28, .monitoring_opcodes = 0x38, UNICODE_3_12,
			    STATES_3_11 },
		.check = { .gen_basicsize = 0x48 + 0x48 },
		.opcodes = { .for_iter = { 93, 62, 63, 64, 65, 248 },
			     .send = { 123, 168 },
			     .ret = { 83, 121, 242, 247 },
			     .make = 75,
			     .line = 254,
			     .instruction = 253 },
	},
	{
		.minor = 0x030d,
		.layout = { GEN_3_12, .current_frame = 0x48, .tstate_exception = 0x70, CODE_NAMES,
			    .code_first_line = 0x44, .code_instructions = 0xc8,
			    .code_monitoring = 0xb0, .monitoring_lines = 0x20,
			    .monitoring_opcodes = 0x30, UNICODE_3_12, STATES_3_13 },
		.check = { .gen_basicsize = 0x48 + 0x48 },
		.opcodes = { .for_iter = { 72, 187, 188, 189, 190, 243 },
			     .send = { 104, 208 },
			     .ret = { 36, 103, 239, 240 },
			     .make = 35,
			     .line = 254,
			     .instruction = 247 },
	},
	{
		.minor = 0x030e,
		.layout = { GEN_3_12, .current_frame = 0x48, .tstate_exception = 0x70, CODE_NAMES,
			    .code_first_line = 0x44, .code_instructions = 0xd0,
			    .code_monitoring = 0xb0, .monitoring_lines = 0x60,
			    .monitoring_opcodes = 0x70, .lines_header = 1, UNICODE_3_12,
			    STATES_3_13 },
		.check = { .gen_basicsize = 0x48 + 0x50 },
		.opcodes = { .for_iter = { 70, 171, 172, 173, 174, 237 },
			     .send = { 106, 197 },
			     .ret = { 35, 246 },
			     .make = 34,
			     .line = 254,
			     .instruction = 238 },
	},
	{
		.minor = 0x030f,
		.layout = { GEN_3_12, .current_frame = 0x48, .tstate_exception = 0x88, CODE_NAMES,
			    .code_first_line = 0x44, .code_instructions = 0xd0,
			    .code_monitoring = 0xb0, .monitoring_lines = 0x68,
			    .monitoring_opcodes = 0x78, .lines_header = 1, UNICODE_3_12,
			    STATES_3_15 },
		.check = { .gen_basicsize = 0x48 + 0x50 },
		.opcodes = { .for_iter = { 68, 174, 175, 176, 177, 178, 236 },
			     .send = { 105, 202, 203, 204 },
			     .ret = { 33, 245 },
			     .make = 32,
			     .line = 253,
			     .instruction = 237 },
	},
};

static void classify(struct layout *layout, const uint8_t *opcodes, size_t max, uint8_t class)
{
	for (size_t i = 0; i < max && opcodes[i]; i++)
		layout->opcode_class[opcodes[i]] = class;
}

int layout_for_version(uint32_t version_hex, struct layout *out, struct layout_check *check)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		const struct version_layout *v = &versions[i];

		if (v->minor != version_hex >> 16)
			continue;
		*out = v->layout;
		classify(out, v->opcodes.for_iter, sizeof(v->opcodes.for_iter), OPCODE_FOR_ITER);
		classify(out, v->opcodes.send, sizeof(v->opcodes.send), OPCODE_SEND);
		classify(out, v->opcodes.ret, sizeof(v->opcodes.ret), OPCODE_RETURN);
		classify(out, &v->opcodes.make, 1, OPCODE_RETURN_GENERATOR);
		classify(out, &v->opcodes.line, 1, OPCODE_LINE);
		classify(out, &v->opcodes.instruction, 1, OPCODE_INSTRUCTION);
		if (check)
			*check = v->check;
		return 0;
	}
	return -ENOTSUP;
}

/* Where a field of _Py_DebugOffsets lies, by version; all fields are uint64_t. 0: not published. */
struct published {
	const char *field;
	size_t layout;  /* offsetof(struct layout, …), a __u16 */
	uint16_t at[3]; /* in 3.13, 3.14, 3.15 */
};

#define FIELD(name) offsetof(struct layout, name)
static const struct published published_fields[] = {
	{ "interpreter_frame.previous", FIELD(frame_previous), { 232, 256, 320 } },
	{ "interpreter_frame.executable", FIELD(frame_executable), { 240, 264, 328 } },
	{ "interpreter_frame.instr_ptr", FIELD(frame_instr), { 248, 272, 336 } },
	{ "thread_state.current_frame", FIELD(current_frame), { 184, 208, 208 } },
	{ "thread_state.current_exception", FIELD(tstate_exception), { 0, 0, 288 } },
	{ "code_object.filename", FIELD(code_filename), { 280, 320, 384 } },
	{ "code_object.name", FIELD(code_name), { 288, 328, 392 } },
	{ "code_object.qualname", FIELD(code_qualname), { 296, 336, 400 } },
	{ "code_object.linetable", FIELD(code_linetable), { 304, 344, 408 } },
	{ "code_object.firstlineno", FIELD(code_first_line), { 312, 352, 416 } },
	{ "code_object.co_code_adaptive", FIELD(code_instructions), { 344, 384, 448 } },
	{ "unicode_object.asciiobject_size", FIELD(ascii_size), { 560, 640, 736 } },
	{ "gen_object.gi_iframe", FIELD(gen_iframe), { 0, 680, 808 } },
	{ "gen_object.gi_frame_state", FIELD(gen_frame_state), { 0, 688, 816 } },
};

#define OFFSETS_COOKIE         "xdebugpy"
#define OFFSETS_VERSION        8
#define OFFSETS_FREE_THREADED  16
#define FREE_THREADED_VALID(x) ((x) <= 1)

static int read_u64(const uint8_t *bytes, size_t size, size_t at, uint64_t *out)
{
	if (size < sizeof(*out) || at > size - sizeof(*out))
		return -EBADMSG;
	memcpy(out, bytes + at, sizeof(*out));
	return 0;
}

int layout_check_offsets(const struct layout *layout, uint32_t version_hex, const uint8_t *bytes,
			 size_t size, const char **field, uint64_t *published, uint64_t *known)
{
	uint32_t index = (version_hex >> 16) - 0x030d;
	uint64_t value;

	if (index > 2 || size < sizeof(OFFSETS_COOKIE) - 1 ||
	    memcmp(bytes, OFFSETS_COOKIE, sizeof(OFFSETS_COOKIE) - 1))
		return -ENOENT;
	*field = "version";
	*known = version_hex;
	*published = 0;
	if (read_u64(bytes, size, OFFSETS_VERSION, published) || *published != version_hex)
		return -EBADMSG;
	if (read_u64(bytes, size, OFFSETS_FREE_THREADED, &value) || !FREE_THREADED_VALID(value))
		return -EBADMSG;
	if (value)
		return -EPROTONOSUPPORT;
	for (size_t i = 0; i < sizeof(published_fields) / sizeof(published_fields[0]); i++) {
		const struct published *p = &published_fields[i];
		__u16 ours;

		if (!p->at[index])
			continue;
		memcpy(&ours, (const char *)layout + p->layout, sizeof(ours));
		*field = p->field;
		*known = ours;
		if (read_u64(bytes, size, p->at[index], published) || *published != ours)
			return -EBADMSG;
	}
	return 0;
}
