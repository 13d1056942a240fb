/* SPDX-License-Identifier: MIT */
/*
 * The variables of a frame, copied while its thread stands at the probe: a moment later they hold
 * something else. What is copied is memory, piece by piece: the frame's variables, the objects they
 * refer to, the items of containers, as far as the user side will look at them when it shows a value
 * (user/python/value.c; it reads the copy as it reads a process). Types are told apart by their
 * address, and only those are followed whose repr is shown.
 *
 * The work is a queue of spans, arrays of pointers. Each turn of one bounded loop takes the next pointer
 * of the first span, copies the object there, and queues the items of a container as a span of its own:
 * breadth first, so that a limit that is reached cuts the depths, not the later variables.
 *
 * A record is put together in task storage: a program can be preempted, and another thread's hit run on
 * the same processor meanwhile.
 */
#ifndef GENSCOPE_LOCALS_BPF_H
#define GENSCOPE_LOCALS_BPF_H

#include "code.bpf.h"
#include "cpython.bpf.h"

#define SPANS_MAX       64
#define CLASSES_MAX     8 /* met for the first time in one record */
#define CLASSES_KNOWN   16384
#define ENTRY_BYTES     24       /* of a dict, at most */
#define HEAP_TYPE       (1 << 9) /* Py_TPFLAGS_HEAPTYPE (Include/object.h) */
#define TURNS_MAX       1024
#define PIECE_BYTES_MAX (LOCALS_STRING_MAX * 4 + 128) /* a str of wide characters and its head */
/* Entries that are looked at for each one shown: of a set, which is at least a quarter full when it has
 * grown, and of a dict, whose deleted ones stay for a while. */
#define SCAN_OF_SET     4
#define SCAN_OF_DICT    2
#define NAME_ITEMS_MAX  CAPTURED_SLOTS_MAX
#define CLASS_BYTES     64 /* of a class's name */
#define CLASS_BYTES_MIN 16
#define DIGIT_BYTES     4   /* sizeof(digit): every 64-bit build has 30-bit digits */
#define DIGITS_MAX      512 /* more than an int that has a repr: 4300 decimals */
#define SPLIT_MAX       30  /* SHARED_KEYS_MAX_SIZE (Include/internal/pycore_dict.h) */

enum span_of {
	SPAN_OF_ITEMS = 0,
	SPAN_OF_FRAME = 1, /* references may be tagged, cells are looked into */
	SPAN_OF_SET = 2,   /* entries {key, hash}; the hash of a deleted one is -1 */
	SPAN_OF_CELL = 3,
};

/* Pointers still to be followed. */
struct span {
	u64 base;
	u32 next;   /* index */
	u32 count;  /* there are so many, NULL ones too */
	u32 wanted; /* and so many more are followed */
	u16 stride;
	u8 level; /* containers around them */
	u8 of;    /* enum span_of */
};

struct capture {
	struct captured_record record;
	u8 data[CAPTURED_BYTES_MAX + PIECE_BYTES_MAX + sizeof(struct captured_piece)];
	struct span spans[SPANS_MAX];
	u64 classes[CLASSES_MAX]; /* that this record tells of */
	u64 prints[CLASSES_MAX];
	u64 kinds; /* bit 1 << enum value_type: told of, in this record or before */
	u64 tried; /* the same: told of in this record, wholly or in part */
	u32 span;  /* the one at work */
	u32 span_count;
	u32 class_count;
	u32 pad;
};
_Static_assert(__builtin_offsetof(struct capture, data) == sizeof(struct captured_record),
	       "one record");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct capture);
} captures SEC(".maps");

struct class_key {
	u64 process;
	u64 type; /* 0: the value is struct capture.kinds, else class_print() */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CLASSES_KNOWN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct class_key);
	__type(value, u64);
} classes SEC(".maps");

/* Keeps the compiler from moving a check away from the use, where the verifier has to see it. */
#define PIN(variable) asm volatile("" : "+r"(variable))

/* Appends a piece: 1, or 0 when it does not fit or cannot be read. A function of numbers: see
 * read_thread_state(). */
__noinline u64 capture_piece(struct capture *capture, u64 address, u64 size, u64 flags)
{
	struct captured_piece *piece;
	u64 used;

	if (!capture)
		return 0;
	used = capture->record.bytes;
	if (size > PIECE_BYTES_MAX) {
		capture->record.head.flags |= CAPTURED_CUT;
		size = PIECE_BYTES_MAX;
	}
	if (capture->record.pieces >= CAPTURED_PIECES_MAX ||
	    used + sizeof(*piece) + size > CAPTURED_BYTES_MAX) {
		capture->record.head.flags |= CAPTURED_CUT;
		return 0;
	}
	PIN(used);
	PIN(size);
	if (used > CAPTURED_BYTES_MAX || size > PIECE_BYTES_MAX)
		return 0;
	piece = (struct captured_piece *)(capture->data + used);
	if (bpf_probe_read_user(piece + 1, size, (void *)address))
		return 0;
	piece->address = address;
	piece->size = size;
	piece->flags = flags;
	capture->record.pieces++;
	capture->record.bytes = used + sizeof(*piece) + ((size + 7) & ~7ull);
	return 1;
}

static __always_inline void push_span(struct capture *capture, const struct span *span)
{
	u32 index = capture->span_count;

	if (index >= SPANS_MAX) {
		capture->record.head.flags |= CAPTURED_CUT;
		return;
	}
	PIN(index);
	capture->spans[index & (SPANS_MAX - 1)] = *span;
	capture->span_count = index + 1;
}

static __always_inline u64 at_most(u64 value, u64 max)
{
	return value < max ? value : max;
}

/* How much of a str is copied. */
static __always_inline u64 str_bytes(const struct layout *layout, u64 address)
{
	u64 length = read_pointer(address + UNICODE_LENGTH);
	u32 state = 0;

	bpf_probe_read_user(&state, sizeof(state), (void *)(address + UNICODE_STATE));
	if (!(state & UNICODE_COMPACT))
		return layout->compact_size + 8;
	return (state & UNICODE_ASCII ? layout->ascii_size : layout->compact_size) +
	       at_most(length, settings.locals_string) *
		       (state >> UNICODE_KIND_SHIFT & UNICODE_KIND_MASK);
}

/* What tells a class from another one that takes its place in memory. */
static __always_inline u64 class_print(const struct value_layout *values, u64 type)
{
	u64 name = read_pointer(type + values->type_name);

	return name ^ read_pointer(name) ^ read_pointer(type + values->type_dict) << 16;
}

/* A piece at an address that may be none. */
static __always_inline u64 capture_if_any(struct capture *capture, u64 address, u64 size)
{
	return !address || capture_piece(capture, address, size, PIECE_OF_TYPE);
}

/* Copies what a class is called: whether all of it was there and fitted. (A page that the process has not
 * touched for long may be out.) tp_name is all of it in a type of C's; in one of Python's the module is
 * apart, in its dict, where __module__ comes first (the class's body begins with it). The type's own type
 * says that it is a type. */
__noinline u64 capture_class(struct capture *capture, u64 type)
{
	const struct value_layout *values;
	const struct image *image;
	u64 name, at, entry, whole;
	u32 index;
	u8 log2 = 0;

	if (!capture)
		return 0;
	index = capture->record.image;
	image = bpf_map_lookup_elem(&images, &index);
	if (!image)
		return 0;
	values = &image->values;
	whole = capture_piece(capture, type, values->type_name + 8, PIECE_TYPE);
	whole &= capture_piece(capture, type + values->type_flags, 8, PIECE_OF_TYPE);
	at = read_pointer(type + PYOBJECT_TYPE);
	whole &= capture_piece(capture, at + values->type_flags, 8, PIECE_OF_TYPE);
	name = read_pointer(type + values->type_name);
	/* it may be the last string of its page */
	if (!capture_piece(capture, name, CLASS_BYTES, PIECE_OF_TYPE))
		whole &= capture_piece(capture, name, CLASS_BYTES_MIN, PIECE_OF_TYPE);
	if (!(read_pointer(type + values->type_flags) & HEAP_TYPE))
		return whole;
	at = type + values->heap_type_qualname;
	whole &= capture_piece(capture, at, 8, PIECE_OF_TYPE);
	name = read_pointer(at);
	whole &= capture_piece(capture, name, str_bytes(&image->layout, name), PIECE_OF_TYPE);
	at = type + values->type_dict;
	whole &= capture_piece(capture, at, 8, PIECE_OF_TYPE);
	at = read_pointer(at);
	whole &= capture_piece(capture, at, values->dict_values + 8, PIECE_OF_TYPE);
	at = read_pointer(at + values->dict_keys);
	whole &= capture_piece(capture, at, values->keys_indices, PIECE_OF_TYPE);
	bpf_probe_read_user(&log2, 1, (void *)(at + values->keys_log2_index_bytes));
	entry = at + values->keys_indices + (1ull << (log2 & 63));
	whole &= capture_piece(capture, entry, ENTRY_BYTES, PIECE_OF_TYPE);
	log2 = 0;
	bpf_probe_read_user(&log2, 1, (void *)(at + values->keys_kind));
	if (!log2) /* {hash, key, value} */
		entry += 8;
	name = read_pointer(entry);
	whole &= capture_if_any(capture, name, str_bytes(&image->layout, name));
	name = read_pointer(entry + 8);
	whole &= capture_if_any(capture, name, str_bytes(&image->layout, name));
	return whole;
}

/* A class is copied once in a process: those whose values are shown by their kind, the others by their
 * address. One that was copied in part only is copied again, but not in the same record. */
static __always_inline void meet_class(struct capture *capture, const struct image *image, u64 type,
				       u8 kind)
{
	struct class_key key = { .process = capture->record.process, .type = type };
	u32 index = capture->class_count;
	u64 print, *known;

	if (kind != VALUE_OTHER) {
		if ((capture->kinds | capture->tried) >> (kind & 63) & 1)
			return;
		capture->tried |= 1ull << (kind & 63);
		if (capture_class(capture, type))
			capture->kinds |= 1ull << (kind & 63);
		return;
	}
	for (u32 i = 0; i < CLASSES_MAX; i++)
		if (i < index && capture->classes[i] == type)
			return;
	if (index >= CLASSES_MAX)
		return;
	print = class_print(&image->values, type);
	known = bpf_map_lookup_elem(&classes, &key);
	if (known && *known == print)
		return;
	if (!capture_class(capture, type))
		print = ~print; /* that of no class here: it will not be known by it */
	PIN(index);
	capture->classes[index & (CLASSES_MAX - 1)] = type;
	capture->prints[index & (CLASSES_MAX - 1)] = print;
	capture->class_count = index + 1;
}

static __always_inline void follow_list(struct capture *capture, u64 address, u8 level)
{
	u64 count = read_pointer(address + PYVAROBJECT_SIZE);
	struct span span = { .base = read_pointer(address + LIST_ITEMS),
			     .count = at_most(count, settings.locals_items),
			     .wanted = settings.locals_items,
			     .stride = 8,
			     .level = level + 1 };

	if (span.count && capture_piece(capture, span.base, span.count * 8, 0))
		push_span(capture, &span);
}

static __always_inline void follow_set(struct capture *capture, const struct value_layout *values,
				       u64 address, u8 level)
{
	u64 mask = read_pointer(address + values->set_mask);
	struct span span = { .base = read_pointer(address + values->set_table),
			     .count = at_most(mask, settings.locals_items * SCAN_OF_SET - 1) + 1,
			     .wanted = settings.locals_items,
			     .stride = 16,
			     .level = level + 1,
			     .of = SPAN_OF_SET };

	if (capture_piece(capture, span.base, span.count * 16, 0))
		push_span(capture, &span);
}

/* The values of a split table and the order of their keys: behind them, or backwards before them and
 * two bytes of sizes, where values_first is 0 (Include/internal/pycore_dict.h, struct _dictvalues). */
static __always_inline u64 capture_split(struct capture *capture, const struct value_layout *layout,
					 u64 values, u64 entries)
{
	u8 capacity = 0;

	if (!layout->values_first) {
		entries = at_most(entries, SPLIT_MAX);
		return capture_piece(capture, values - 2 - entries, 2 + entries + entries * 8, 0);
	}
	bpf_probe_read_user(&capacity, 1, (void *)values);
	capacity = at_most(capacity, SPLIT_MAX);
	return capture_piece(capture, values, layout->values_first + capacity * 9ull, 0);
}

static __always_inline void follow_dict(struct capture *capture, const struct value_layout *layout,
					u64 address, u8 level)
{
	u64 keys = read_pointer(address + layout->dict_keys);
	u64 values = read_pointer(address + layout->dict_values);
	u64 entries = read_pointer(keys + layout->keys_nentries);
	struct span span = { .count = at_most(entries, settings.locals_items * SCAN_OF_DICT),
			     .wanted = settings.locals_items,
			     .level = level + 1 };
	u8 index_bytes = 0, kind = 0;

	bpf_probe_read_user(&index_bytes, 1, (void *)(keys + layout->keys_log2_index_bytes));
	bpf_probe_read_user(&kind, 1, (void *)(keys + layout->keys_kind));
	if (!span.count || !capture_piece(capture, keys, layout->keys_indices, 0))
		return;
	span.base = keys + layout->keys_indices + (1ull << (index_bytes & 63));
	span.stride = kind ? 16 : 24; /* {key, value}, or {hash, key, value} */
	if (!capture_piece(capture, span.base, (u64)span.count * span.stride, 0))
		return;
	if (!kind)
		span.base += 8;
	push_span(capture, &span);
	span.base += 8;
	if (values) {
		if (!capture_split(capture, layout, values, entries))
			return;
		span.base = values + layout->values_first;
		span.stride = 8;
	}
	push_span(capture, &span);
}

static __always_inline u8 value_type_of(const struct image *image, u64 type)
{
	for (u32 i = VALUE_OTHER + 1; i < VALUE_TYPE_COUNT; i++)
		if (image->value_types[i] == type)
			return i;
	return VALUE_OTHER;
}

/* How much of an object is copied, its items excepted. */
static __always_inline u64 value_bytes(const struct image *image, u64 address, u8 kind)
{
	const struct value_layout *values = &image->values;
	s64 size;

	switch (kind) {
	case VALUE_BOOL:
	case VALUE_INT:
		size = read_pointer(address + values->long_tag);
		size = values->long_is_tagged ? (u64)size >> 3 : size < 0 ? -size : size;
		return values->long_digits + at_most(size, DIGITS_MAX) * DIGIT_BYTES;
	case VALUE_FLOAT:
		return FLOAT_VALUE + 8;
	case VALUE_COMPLEX:
		return COMPLEX_VALUE + 16;
	case VALUE_STR:
		return str_bytes(&image->layout, address);
	case VALUE_BYTES:
		size = read_pointer(address + PYVAROBJECT_SIZE);
		return BYTES_DATA + at_most(size, settings.locals_string);
	case VALUE_LIST:
		return LIST_ITEMS + 8;
	case VALUE_TUPLE:
		size = read_pointer(address + PYVAROBJECT_SIZE);
		return values->tuple_items + at_most(size, settings.locals_items) * 8;
	case VALUE_SET:
	case VALUE_FROZENSET:
		return values->set_table + 8;
	case VALUE_DICT:
		return values->dict_values + 8;
	case VALUE_CELL:
		return CELL_VALUE + 8;
	}
	return PYOBJECT_TYPE + 8;
}

/* Copies an object, and queues what it holds. */
__noinline u64 capture_value(struct capture *capture, u64 address, u64 level, u64 of)
{
	struct span span = { .wanted = settings.locals_items, .stride = 8, .level = level + 1 };
	const struct image *image;
	u64 type, bytes;
	u32 index;
	u8 kind;

	if (!capture)
		return 0;
	index = capture->record.image;
	image = bpf_map_lookup_elem(&images, &index);
	if (!image)
		return 0;
	type = read_pointer(address + PYOBJECT_TYPE);
	kind = value_type_of(image, type - capture->record.base);
	bytes = value_bytes(image, address, kind);
	if (!capture_piece(capture, address, bytes, 0))
		return 0;
	meet_class(capture, image, type, kind);
	if (kind == VALUE_CELL && of == SPAN_OF_FRAME) {
		span.base = address + CELL_VALUE;
		span.count = span.wanted = 1;
		span.level = level;
		span.of = SPAN_OF_CELL;
		push_span(capture, &span);
		return 0;
	}
	if (level >= settings.locals_depth)
		return 0;
	switch (kind) {
	case VALUE_LIST:
		follow_list(capture, address, level);
		break;
	case VALUE_TUPLE:
		span.base = address + image->values.tuple_items;
		span.count = (bytes - image->values.tuple_items) / 8;
		if (span.count)
			push_span(capture, &span);
		break;
	case VALUE_SET:
	case VALUE_FROZENSET:
		follow_set(capture, &image->values, address, level);
		break;
	case VALUE_DICT:
		follow_dict(capture, &image->values, address, level);
		break;
	}
	return 0;
}

/* The object that a variable refers to, 0 for none. */
static __always_inline u64 referred(u32 image_index, u64 reference)
{
	const struct image *image = bpf_map_lookup_elem(&images, &image_index);
	u64 tag;

	if (!image)
		return 0;
	tag = reference & image->values.stackref_tag;
	if (image->values.tagged_int && tag == image->values.tagged_int)
		return 0;
	return reference - tag;
}

struct turns {
	struct capture *capture;
};

static long capture_turn(u64 turn, struct turns *turns)
{
	struct capture *capture = turns->capture;
	u32 index = capture->span;
	struct span *span;
	u64 at, value;

	if (index >= capture->span_count || index >= SPANS_MAX)
		return 1;
	PIN(index);
	span = &capture->spans[index & (SPANS_MAX - 1)];
	if (span->next >= span->count || !span->wanted) {
		capture->span = index + 1;
		return 0;
	}
	at = span->base + (u64)span->next * span->stride;
	span->next++;
	value = read_pointer(at);
	if (span->of == SPAN_OF_FRAME) {
		capture->record.slots = span->next;
		value = referred(capture->record.image, value);
	}
	if (!value || (span->of == SPAN_OF_SET && read_pointer(at + 8) == -1ull))
		return 0;
	span->wanted--;
	capture_value(capture, value, span->level, span->of);
	return 0;
}

/* Follows what is queued, and sends the record: whether there was room. */
__noinline u64 capture_send(struct capture *capture)
{
	struct turns turns = { .capture = capture };
	u64 size, waiting;

	if (!capture)
		return 0;
	bpf_loop(TURNS_MAX, capture_turn, &turns, 0);
	if (capture->span < capture->span_count)
		capture->record.head.flags |= CAPTURED_CUT;
	size = sizeof(capture->record) + capture->record.bytes;
	capture->record.head.size = size;
	PIN(size);
	if (size > sizeof(capture->record) + CAPTURED_BYTES_MAX)
		return 0;
	/* as ring_flags(), but a record as large as this may jump over that window */
	waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA);
	return !bpf_ringbuf_output(&ring, &capture->record, size,
				   waiting < settings.wake_bytes &&
						   waiting + size >= settings.wake_bytes ?
					   BPF_RB_FORCE_WAKEUP :
					   BPF_RB_NO_WAKEUP);
}

/* A frame at a transition. */
struct locals_request {
	u64 process;
	u64 base;
	u64 gen;
	u64 id;
	u64 code_address;
	u64 now;
	u32 seq;
	u32 code;
	u32 tid;
	u32 image;
};

static __always_inline void
capture_begin(struct capture *capture, const struct locals_request *request, u16 type, u64 subject)
{
	struct captured_record *record = &capture->record;

	record->head.type = type;
	record->head.flags = 0;
	record->head.pid = request->process >> 32;
	record->head.tid = request->tid;
	record->head.ts_ns = request->now;
	record->process = request->process;
	record->base = request->base;
	record->subject = subject;
	record->gen = request->gen;
	record->id = request->id;
	record->seq = request->seq;
	record->code = request->code;
	record->image = request->image;
	record->slots = 0;
	record->pieces = 0;
	record->bytes = 0;
	capture->span = 0;
	capture->span_count = 0;
	capture->class_count = 0;
	capture->tried = 0;
}

static __always_inline void recall_kinds(struct capture *capture)
{
	struct class_key key = { .process = capture->record.process };
	u64 *kinds = bpf_map_lookup_elem(&classes, &key);

	capture->kinds = kinds ? *kinds : 0;
}

/* The record with them is on its way. */
static __always_inline void remember_classes(struct capture *capture, u64 kinds_before)
{
	struct class_key key = { .process = capture->record.process };

	if (capture->kinds != kinds_before)
		bpf_map_update_elem(&classes, &key, &capture->kinds, BPF_ANY);
	for (u32 i = 0; i < CLASSES_MAX; i++) {
		if (i >= capture->class_count)
			break;
		key.type = capture->classes[i];
		bpf_map_update_elem(&classes, &key, &capture->prints[i], BPF_ANY);
	}
}

/* The names of a code object's variables. It never changes, so they are sent once. */
static __always_inline bool send_variables(struct capture *capture, const struct image *image,
					   const struct locals_request *request)
{
	const struct value_layout *values = &image->values;
	u64 names = read_pointer(request->code_address + values->code_localsplusnames);
	u64 kinds = read_pointer(request->code_address + values->code_localspluskinds);
	u64 count = at_most(read_pointer(names + PYVAROBJECT_SIZE), NAME_ITEMS_MAX);
	struct span span = { .base = names + values->tuple_items,
			     .count = count,
			     .wanted = count,
			     .stride = 8,
			     .level = LOCALS_DEPTH_MAX };

	capture_begin(capture, request, RECORD_VARIABLES, request->code_address);
	capture->kinds = -1ull; /* only names here */
	capture->record.slots = count;
	capture_piece(capture, request->code_address, image->layout.code_instructions, 0);
	capture_piece(capture, names, values->tuple_items + count * 8, 0);
	capture_piece(capture, kinds, BYTES_DATA + count, 0);
	push_span(capture, &span);
	return capture_send(capture);
}

static __always_inline bool send_locals(struct capture *capture, const struct image *image,
					const struct locals_request *request)
{
	u64 frame = request->gen + image->layout.gen_iframe;
	struct span span = { .base = frame + image->values.frame_localsplus,
			     .wanted = settings.locals_names,
			     .stride = 8,
			     .of = SPAN_OF_FRAME };
	u32 count = 0;
	u64 kinds;

	bpf_probe_read_user(&count, sizeof(count),
			    (void *)(request->code_address + image->values.code_nlocalsplus));
	capture_begin(capture, request, RECORD_LOCALS, frame);
	recall_kinds(capture);
	kinds = capture->kinds;
	span.count = at_most(count, CAPTURED_SLOTS_MAX);
	if (span.count && capture_piece(capture, span.base, span.count * 8, 0))
		push_span(capture, &span);
	if (!capture_send(capture))
		return false;
	remember_classes(capture, kinds);
	return true;
}

/* Sends the locals if it is this transition's turn: TRANSITION_LOCALS, TRANSITION_LOCALS_LOST or 0. */
__noinline u64 capture_locals(struct locals_request *request)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const struct image *image;
	struct code_entry *entry;
	struct capture *capture;
	struct code_key key = {};

	if (!settings.locals || !request)
		return 0;
	key.process = request->process;
	key.address = request->code_address;
	entry = bpf_map_lookup_elem(&codes, &key);
	if (entry && settings.locals_rate > 1 &&
	    __sync_fetch_and_add(&entry->locals_due, 1) % settings.locals_rate)
		return 0;
	image = bpf_map_lookup_elem(&images, &request->image);
	capture = bpf_task_storage_get(&captures, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!entry || !image || !capture ||
	    bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) >= settings.locals_ring_bytes)
		goto lost;
	request->code = entry->code; /* by which the names are known */
	if (!entry->variables) {
		if (!send_variables(capture, image, request))
			goto lost;
		entry->variables = 1;
	}
	if (send_locals(capture, image, request))
		return TRANSITION_LOCALS;
lost:
	count(STAT_LOCALS_LOST);
	return TRANSITION_LOCALS_LOST;
}

static __always_inline u16 locals_of(const struct hit *hit, const struct object *object)
{
	struct locals_request request = {
		.process = hit->process,
		.base = hit->base,
		.gen = hit->gen,
		.id = object->id,
		.code_address = object->code_address,
		.now = hit->now,
		.seq = object->seq,
		.tid = hit->tid,
		.image = hit->site->image,
	};

	return capture_locals(&request);
}

#endif
