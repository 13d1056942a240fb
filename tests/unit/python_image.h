/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_PYTHON_IMAGE_H
#define GENSCOPE_TESTS_PYTHON_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "python/remote.h"
#include "records.h"

/*
 * A CPython laid out in the memory of the test itself, to be read through memory_open_process(getpid()):
 * interpreters, the collector's lists, types, code objects, generators, tasks. It stands still unless a test
 * changes it. Where fields lie is taken from the tables; what they hold is written as CPython writes it.
 */

#define INTERPRETERS_OF_IMAGE 4
#define LISTS_OF_IMAGE        4 /* youngest first, the permanent one last */
#define LIST_PERMANENT        3

/* enum _framestate (Include/internal/pycore_frame.h) */
enum image_state {
	IMAGE_CREATED,
	IMAGE_SUSPENDED,
	IMAGE_SUSPENDED_YIELD_FROM, /* until 3.12 the same as IMAGE_SUSPENDED */
	IMAGE_EXECUTING,
	IMAGE_COMPLETED, /* 3.15 has only IMAGE_CLEARED */
	IMAGE_CLEARED,
	IMAGE_STATES,
};

struct image_version {
	const char *name;
	uint32_t hex;
	uint32_t generation0; /* 3.14: where this point release has it, 0: nowhere */
	int8_t states[IMAGE_STATES];
};

extern const struct image_version image_versions[];
extern const size_t image_version_count;
const struct image_version *image_version(const char *name);

struct cpython {
	const struct image_version *version;
	struct remote remote;
	struct memory *memory;
	uint8_t *arena;
	size_t used;
	uint64_t interpreters[INTERPRETERS_OF_IMAGE];
	unsigned int interpreter_count;
	uint64_t type, object; /* the types of that name */
	uint64_t task, future; /* of _asyncio */
};

/* One interpreter without objects in its lists, read through a cache of that size. */
void cpython_open(struct cpython *python, const struct image_version *version, size_t cache_bytes);
void cpython_close(struct cpython *python);

/* Zeroed memory; on pages of its own, with pages that are not there before and behind. */
uint64_t cpython_new(struct cpython *python, size_t size);
uint64_t cpython_new_pages(struct cpython *python, size_t size);
/* Makes the pages of that range unreadable. */
void cpython_lose(uint64_t address, size_t size);

/* Whole words, as a running target writes them, at any address. */
struct image_word {
	volatile uint64_t value;
} __attribute__((packed, aligned(4)));

static inline void put64(uint64_t address, uint64_t value)
{
	((struct image_word *)address)->value = value;
}

static inline uint64_t get64(uint64_t address)
{
	return ((struct image_word *)address)->value;
}

static inline void put32(uint64_t address, uint32_t value)
{
	*(volatile uint32_t *)address = value;
}

static inline void put8(uint64_t address, uint8_t value)
{
	*(volatile uint8_t *)address = value;
}

/* --- the collector --- */
/* Newer ones are linked before older ones; returns its index. */
unsigned int cpython_interpreter(struct cpython *python);
uint64_t cpython_head(const struct cpython *python, unsigned int interpreter, unsigned int list);
/* gc_list_append(), _PyObject_GC_TRACK(), _PyObject_GC_UNTRACK(), gc_list_merge(); `object` is a PyObject */
void cpython_append(uint64_t head, uint64_t object);
void cpython_track(const struct cpython *python, uint64_t object);
void cpython_untrack(uint64_t object);
void cpython_merge(uint64_t from, uint64_t to);

/* --- types and objects --- */
/* A type written in C; tp_name has the module in it. */
uint64_t cpython_type(struct cpython *python, const char *name, uint64_t base);
/* A class made at run time. */
uint64_t cpython_class(struct cpython *python, const char *module, const char *qualname,
		       uint64_t base);
/* An object with one reference, not tracked. The 32 bytes before it are its own. */
uint64_t cpython_object(struct cpython *python, uint64_t type, size_t size);
uint64_t cpython_str(struct cpython *python, const char *ascii);
uint64_t cpython_int(struct cpython *python, uint32_t value); /* below 2^30 */
uint64_t cpython_bytes(struct cpython *python, const void *bytes, size_t size);
uint64_t cpython_tuple(struct cpython *python, const uint64_t *items, size_t count);
uint64_t cpython_list(struct cpython *python, const uint64_t *items, size_t count);
uint64_t cpython_set(struct cpython *python, const uint64_t *items, size_t count);
uint64_t cpython_dict(struct cpython *python, const char *const *keys, const uint64_t *values,
		      size_t count);

/* --- code and what runs it --- */
/* The instructions of every function here, in units of two bytes; unit n stands in line first + n. */
enum image_unit {
	IMAGE_MAKE = 0,       /* RETURN_GENERATOR */
	IMAGE_YIELD = 4,      /* RESUME behind it has the argument 1 */
	IMAGE_YIELD_FROM = 8, /* 2 */
	IMAGE_AWAIT = 12,     /* 3 */
	IMAGE_AT_START = 16,  /* 0 */
	IMAGE_NO_RESUME = 20, /* something else, with the argument 3 */
	IMAGE_UNITS = 24,
};
#define IMAGE_UNIT_BYTES 2
#define IMAGE_LOCALS     2 /* variables: a (argument), b (cell) */
#define IMAGE_STACK      8

uint64_t cpython_code(struct cpython *python, const char *qualname, const char *file,
		      uint32_t first_line);
/* The n-th unit of a code object. */
uint64_t cpython_unit(const struct cpython *python, uint64_t code, unsigned int unit);

/* An object of enum object_kind in its first state, not tracked. */
uint64_t cpython_gen(struct cpython *python, uint8_t kind, uint64_t code);
uint64_t cpython_frame(const struct cpython *python, uint64_t gen);
void cpython_set_state(const struct cpython *python, uint64_t gen, enum image_state state);
void cpython_set_async(const struct cpython *python, uint64_t gen, uint8_t running);
void cpython_stand(const struct cpython *python, uint64_t gen, unsigned int unit);
/* Suspended in `yield from` or `await`. */
void cpython_await(const struct cpython *python, uint64_t gen, uint64_t awaited);
/* How many values are on its stack, the last ones of them on top. */
void cpython_set_stack(const struct cpython *python, uint64_t gen, const uint64_t *values,
		       size_t count);

/* The slots that a stack has above what is awaited: 3.15 keeps one there. */
size_t cpython_slots_above(const struct cpython *python);

/* A thread of an interpreter that runs that frame, 0: none. */
uint64_t cpython_thread(struct cpython *python, unsigned int interpreter, int32_t tid,
			uint64_t frame);

/* --- asyncio --- */
/* Of a type that is _asyncio.Task or derived; `name` is a str or an int. Not tracked. */
uint64_t cpython_task(struct cpython *python, uint64_t type, uint64_t name, uint64_t coroutine);
void cpython_set_future_state(const struct cpython *python, uint64_t future, uint8_t state);

#endif
