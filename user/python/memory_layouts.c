// SPDX-License-Identifier: MIT
/*
 * The numbers are those that tests/layouts/offsets.c prints when it is compiled against a version's own
 * headers (`make layouts` holds them against each other): 3.11.2, 3.11.7, 3.12.1, 3.13.0, 3.13.5,
 * 3.13.18, 3.14.10 and 3.15.2, with and without Py_DEBUG, which changes none of them. What changed
 * within a minor version:
 * - gh-127545 aligned PyGC_Head to 4 (not yet in 3.13.0, there in 3.13.5), by which the collector's
 *   first three lists moved from 24 to 20 (Include/internal/pycore_gc.h). The pointer behind them tells
 *   when that is wrong;
 * - 3.14.0 to 3.14.4 collect incrementally and have no such pointer; 3.14.5 went back to generations:
 *   lists in the same places, the pointer at the end (Include/internal/pycore_interp_structs.h). The
 *   structure's size, which is published, tells.
 */
#include "python/memory_layouts.h"

#include <errno.h>
#include <string.h>

#define MINOR(hex)                 ((hex) >> 16)
#define GC_LISTS_MOVED             0x030d05f0u
#define GC_BYTES_GENERATIONAL_3_14 264 /* 3.14.5 on */
#define GC_GENERATION0_3_14        256
#define GC_BYTES_INCREMENTAL_3_14  240

struct version_layout {
	uint32_t minor;    /* version_hex >> 16 */
	uint32_t gc_bytes; /* sizeof(struct _gc_runtime_state) */
	struct memory_layout layout;
};

/* Include/cpython/code.h, dictobject.h, setobject.h, object.h, Include/internal/pycore_dict.h */
#define VALUES_COMMON                                                                              \
	.code_localsplusnames = 96, .code_localspluskinds = 104, .dict_keys = 32,                  \
	.dict_values = 40, .keys_log2_size = 8, .keys_log2_index_bytes = 9, .keys_kind = 10,       \
	.keys_nentries = 24, .keys_indices = 32, .set_fill = 16, .set_used = 24, .set_mask = 32,   \
	.set_table = 40, .long_tag = 16, .long_digits = 24, .type_name = 24, .type_flags = 168,    \
	.type_base = 256, .type_dict = 264

/* Include/internal/pycore_gc.h up to 3.13 */
#define GC_3_11                                                                                    \
	.gc_generations = 24, .gc_generation_bytes = 24, .gc_permanent = 104,                      \
	.gc_collecting = 200, .gc_generation0 = 96

/* Modules/_asynciomodule.c; tests/layouts/asyncio_objects.h has them as structures. */
#define FUTURE_CALLBACKS .future_callback0 = 24, .future_callbacks = 40
#define ASYNCIO_3_11                                                                               \
	.future_state = 88, FUTURE_CALLBACKS, .future_dict = 104, .task_waiter = 128,              \
	.task_coroutine = 136, .task_name = 144
/* The dict's pointer stands before the object: MANAGED_DICT_OFFSET of pycore_object.h */
#define ASYNCIO_3_13                                                                               \
	.future_state = 96, FUTURE_CALLBACKS, .future_dict = -24, .task_waiter = 112,              \
	.task_coroutine = 120, .task_name = 128
#define ASYNCIO_3_14                                                                               \
	.future_state = 104, FUTURE_CALLBACKS, .task_waiter = 120, .task_coroutine = 128,          \
	.task_name = 136, .task_awaited_by = 96, .task_awaited_by_is_set = 109,                    \
	.task_awaited_by_mask = 0xff

static const struct version_layout versions[] = {
	{
		.minor = 0x030b,
		.gc_bytes = 240,
		.layout = { .values = { VALUES_COMMON, .frame_localsplus = 72,
					.code_nlocalsplus = 76, .tuple_items = 24,
					.heap_type_qualname = 864 },
			    .runtime_interpreters_head = 40,
			    .interpreter_id = 48,
			    .interpreter_threads_head = 16,
			    .interpreter_gc = 648,
			    .interpreter_modules = 888,
			    GC_3_11,
			    .thread_next = 8,
			    .thread_id = 152,
			    .thread_native_id = 160,
			    .frame_owner = 69,
			    .frame_stacktop = 64,
			    .yield_from_depth = 1,
			    /* Include/opcode.h: RESUME, RESUME_QUICK */
			    .resume = { 151, 150 },
			    ASYNCIO_3_11 },
	},
	{
		.minor = 0x030c,
		.gc_bytes = 240,
		.layout = { .values = { VALUES_COMMON, .frame_localsplus = 72,
					.code_nlocalsplus = 72, .tuple_items = 24,
					.heap_type_qualname = 872, .long_is_tagged = 1 },
			    .runtime_interpreters_head = 40,
			    .interpreter_id = 8,
			    .interpreter_threads_head = 72,
			    .interpreter_gc = 112,
			    .interpreter_modules = 944,
			    GC_3_11,
			    .thread_next = 8,
			    .thread_id = 136,
			    .thread_native_id = 144,
			    .frame_owner = 70,
			    .frame_stacktop = 64,
			    .yield_from_depth = 1,
			    /* Include/opcode.h: RESUME, INSTRUMENTED_RESUME, as is_resume() of
			     * Objects/genobject.c has it */
			    .resume = { 151, 240 },
			    ASYNCIO_3_11 },
	},
	{
		.minor = 0x030d,
		.gc_bytes = 240,
		.layout = { .values = { VALUES_COMMON, .frame_localsplus = 72,
					.code_nlocalsplus = 72, .tuple_items = 24,
					.values_first = 8, .heap_type_qualname = 872,
					.long_is_tagged = 1 },
			    .runtime_interpreters_head = 632,
			    .interpreter_id = 7272,
			    .interpreter_next = 7264,
			    .interpreter_threads_head = 7344,
			    .interpreter_gc = 7400,
			    .interpreter_modules = 7656,
			    GC_3_11,
			    .thread_next = 8,
			    .thread_id = 152,
			    .thread_native_id = 160,
			    .frame_owner = 70,
			    .frame_stacktop = 64,
			    .yield_from_depth = 1,
			    ASYNCIO_3_13 },
	},
	{
		.minor = 0x030e,
		.gc_bytes = GC_BYTES_GENERATIONAL_3_14,
		.layout = { .values = { VALUES_COMMON, .frame_localsplus = 80,
					.code_nlocalsplus = 72, .tuple_items = 32,
					.values_first = 8, .heap_type_qualname = 872,
					.long_is_tagged = 1,
					/* Include/internal/pycore_stackref.h */
					.stackref_tag = 3, .tagged_int = 3 },
			    .runtime_interpreters_head = 808,
			    .interpreter_id = 7280,
			    .interpreter_next = 7272,
			    .interpreter_threads_head = 7344,
			    .interpreter_gc = 7408,
			    .interpreter_modules = 7688,
			    .gc_generations = 24,
			    .gc_generation_bytes = 24,
			    .gc_permanent = 96,
			    .gc_collecting = 192,
			    .gc_generation0 = 0, /* memory_layout_adopt() */
			    .thread_next = 8,
			    .thread_id = 152,
			    .thread_native_id = 160,
			    .frame_owner = 74,
			    .frame_stacktop = 64,
			    .stack_is_pointer = true,
			    .yield_from_depth = 1,
			    ASYNCIO_3_14 },
	},
	{
		.minor = 0x030f,
		.gc_bytes = 176,
		.layout = { .values = { VALUES_COMMON, .frame_localsplus = 80,
					.code_nlocalsplus = 72, .tuple_items = 32,
					.values_first = 8, .heap_type_qualname = 880,
					.long_is_tagged = 1, .stackref_tag = 3, .tagged_int = 3 },
			    .runtime_interpreters_head = 936,
			    .interpreter_id = 7272,
			    .interpreter_next = 7264,
			    .interpreter_threads_head = 7336,
			    .interpreter_gc = 7400,
			    .interpreter_modules = 7592,
			    .gc_generations = 8,
			    .gc_generation_bytes = 24,
			    .gc_permanent = 80,
			    .gc_collecting = 112,
			    .gc_generation0 = 168,
			    .thread_next = 8,
			    .thread_id = 176,
			    .thread_native_id = 184,
			    .frame_owner = 74,
			    .frame_stacktop = 64,
			    .stack_is_pointer = true,
			    /* SEND keeps the iterator's index above it (_PyGen_yf of
			     * Objects/genobject.c: _PyFrame_StackPeek(frame, 2)) */
			    .yield_from_depth = 2,
			    ASYNCIO_3_14 },
	},
};

static const struct version_layout *find_version(uint32_t version_hex)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (versions[i].minor == MINOR(version_hex))
			return &versions[i];
	return NULL;
}

int memory_layout_for_version(uint32_t version_hex, bool debug, struct memory_layout *out)
{
	const struct version_layout *version = find_version(version_hex);

	(void)debug; /* the same in all versions that are known */
	if (!version)
		return -ENOTSUP;
	*out = version->layout;
	if (version->minor == MINOR(GC_LISTS_MOVED) && version_hex >= GC_LISTS_MOVED)
		out->gc_generations = 20;
	return 0;
}

/* Where a field of _Py_DebugOffsets lies, by version (Include/internal/pycore_runtime.h of 3.13,
 * pycore_debug_offsets.h later); all fields are uint64_t. 0: not published. */
struct published {
	const char *field;
	uint16_t at[3]; /* in 3.13, 3.14, 3.15 */
	uint16_t where; /* in struct memory_layout, `bytes` wide; NOWHERE: must equal `value` */
	uint8_t bytes;
	bool taken; /* differs with how a build is configured: the published one counts */
	uint16_t value;
};

#define FIELD(name)  offsetof(struct memory_layout, name), sizeof(((struct memory_layout *)0)->name)
#define NOWHERE      UINT16_MAX, 0, false
#define TAKEN(name)  FIELD(name), true, 0
#define AGREES(name) FIELD(name), false, 0
#define IS(value)    NOWHERE, value
static const struct published published_fields[] = {
	{ "runtime_state.interpreters_head", { 40, 40, 40 }, TAKEN(runtime_interpreters_head) },
	{ "interpreter_state.id", { 56, 56, 56 }, TAKEN(interpreter_id) },
	{ "interpreter_state.next", { 64, 64, 64 }, TAKEN(interpreter_next) },
	{ "interpreter_state.threads_head", { 72, 72, 72 }, TAKEN(interpreter_threads_head) },
	{ "interpreter_state.gc", { 80, 88, 88 }, TAKEN(interpreter_gc) },
	{ "interpreter_state.imports_modules", { 88, 96, 96 }, TAKEN(interpreter_modules) },
	{ "thread_state.next", { 168, 192, 192 }, AGREES(thread_next) },
	{ "thread_state.thread_id", { 192, 216, 240 }, AGREES(thread_id) },
	{ "thread_state.native_thread_id", { 200, 224, 248 }, AGREES(thread_native_id) },
	{ "interpreter_frame.localsplus", { 256, 280, 344 }, AGREES(values.frame_localsplus) },
	{ "interpreter_frame.owner", { 264, 288, 352 }, AGREES(frame_owner) },
	{ "interpreter_frame.stackpointer", { 0, 296, 360 }, AGREES(frame_stacktop) },
	{ "code_object.localsplusnames", { 328, 368, 432 }, AGREES(values.code_localsplusnames) },
	{ "code_object.localspluskinds", { 336, 376, 440 }, AGREES(values.code_localspluskinds) },
	{ "pyobject.ob_type", { 360, 408, 472 }, IS(8) },
	{ "type_object.tp_name", { 376, 424, 488 }, AGREES(values.type_name) },
	{ "type_object.tp_flags", { 392, 440, 504 }, AGREES(values.type_flags) },
	{ "tuple_object.ob_item", { 408, 456, 552 }, AGREES(values.tuple_items) },
	{ "tuple_object.ob_size", { 416, 464, 560 }, IS(16) },
	{ "list_object.ob_item", { 432, 480, 576 }, IS(LIST_ITEMS) },
	{ "list_object.ob_size", { 440, 488, 584 }, IS(16) },
	{ "set_object.used", { 0, 504, 600 }, AGREES(values.set_used) },
	{ "set_object.table", { 0, 512, 608 }, AGREES(values.set_table) },
	{ "set_object.mask", { 0, 520, 616 }, AGREES(values.set_mask) },
	{ "dict_object.ma_keys", { 456, 536, 632 }, AGREES(values.dict_keys) },
	{ "dict_object.ma_values", { 464, 544, 640 }, AGREES(values.dict_values) },
	{ "float_object.ob_fval", { 480, 560, 656 }, IS(FLOAT_VALUE) },
	{ "long_object.lv_tag", { 496, 576, 672 }, AGREES(values.long_tag) },
	{ "long_object.ob_digit", { 504, 584, 680 }, AGREES(values.long_digits) },
	{ "bytes_object.ob_size", { 520, 600, 696 }, IS(16) },
	{ "bytes_object.ob_sval", { 528, 608, 704 }, IS(32) },
	{ "unicode_object.state", { 544, 624, 720 }, IS(32) },
	{ "unicode_object.length", { 552, 632, 728 }, IS(16) },
	{ "gc.collecting", { 576, 656, 760 }, AGREES(gc_collecting) },
};

#define OFFSETS_COOKIE        "xdebugpy"
#define OFFSETS_VERSION       8
#define OFFSETS_FREE_THREADED 16
static const uint16_t gc_size_at[3] = { 568, 648, 752 };

/* A state is some 100 to 300 KiB. */
#define STATE_BYTES_MAX (16u << 20)

struct reader {
	const uint8_t *bytes;
	size_t size;
	uint32_t index; /* of the version: 3.13, 3.14, 3.15 */
	const char **field;
	uint64_t *published, *known;
};

/* Reads the field into *published; where it lies outside of what was read, that is 0. */
static bool publishes(const struct reader *r, const char *field, size_t at, uint64_t known)
{
	*r->field = field;
	*r->known = known;
	*r->published = 0;
	if (r->size < sizeof(uint64_t) || at > r->size - sizeof(uint64_t))
		return false;
	memcpy(r->published, r->bytes + at, sizeof(uint64_t));
	return true;
}

static int check_head(const struct reader *r, uint32_t version_hex)
{
	const size_t cookie = sizeof(OFFSETS_COOKIE) - 1;

	*r->field = "cookie";
	*r->published = *r->known = 0;
	if (r->size < cookie || memcmp(r->bytes, OFFSETS_COOKIE, cookie))
		return -EBADMSG;
	if (!publishes(r, "version", OFFSETS_VERSION, version_hex) || *r->published != version_hex)
		return -EBADMSG;
	if (!publishes(r, "free_threaded", OFFSETS_FREE_THREADED, 0) || *r->published)
		return -EBADMSG;
	return 0;
}

static uint32_t get(const struct memory_layout *layout, const struct published *p)
{
	const uint8_t *at = (const uint8_t *)layout + p->where;
	uint32_t wide;
	uint16_t narrow;

	if (p->bytes == sizeof(wide)) {
		memcpy(&wide, at, sizeof(wide));
		return wide;
	}
	memcpy(&narrow, at, sizeof(narrow));
	return narrow;
}

static int adopt_field(const struct reader *r, const struct published *p,
		       struct memory_layout *layout)
{
	uint32_t value = p->bytes ? get(layout, p) : p->value;

	if (!publishes(r, p->field, p->at[r->index], value))
		return -EBADMSG;
	if (!p->taken)
		return *r->published == value ? 0 : -EBADMSG;
	if (*r->published > STATE_BYTES_MAX || *r->published % sizeof(uint64_t))
		return -EBADMSG;
	value = *r->published;
	memcpy((uint8_t *)layout + p->where, &value, sizeof(value));
	return 0;
}

static int adopt_gc_size(const struct reader *r, const struct version_layout *version,
			 struct memory_layout *layout)
{
	if (!publishes(r, "gc.size", gc_size_at[r->index], version->gc_bytes))
		return -EBADMSG;
	if (version->gc_bytes == GC_BYTES_GENERATIONAL_3_14) {
		layout->gc_generation0 = 0;
		if (*r->published == GC_BYTES_INCREMENTAL_3_14)
			return 0;
		layout->gc_generation0 = GC_GENERATION0_3_14;
	}
	return *r->published == version->gc_bytes ? 0 : -EBADMSG;
}

int memory_layout_adopt(struct memory_layout *layout, uint32_t version_hex, const uint8_t *bytes,
			size_t size, const char **field, uint64_t *published, uint64_t *known)
{
	const struct version_layout *version = find_version(version_hex);
	struct reader r = { bytes, size, MINOR(version_hex) - 0x030d, field, published, known };
	int err;

	if (!version || r.index > 2)
		return 0;
	err = check_head(&r, version_hex);
	for (size_t i = 0; !err && i < sizeof(published_fields) / sizeof(published_fields[0]); i++)
		if (published_fields[i].at[r.index])
			err = adopt_field(&r, &published_fields[i], layout);
	return err ? err : adopt_gc_size(&r, version, layout);
}
