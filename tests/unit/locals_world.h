/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_LOCALS_WORLD_H
#define GENSCOPE_TESTS_LOCALS_WORLD_H

#include "model/captured.h"
#include "python_internal.h"

/*
 * Values in the memory of the little CPython, in frames whose locals BPF copies, and what the user side
 * reads out of the copy.
 */

#define TYPES_AT     0x6000 /* link addresses of type objects, in the interpreter's data */
#define TYPE_BYTES   0x200
#define METACLASS_AT 0x8000
#define NAMES_AT     0x9000
#define STRANGER     VALUE_TYPE_COUNT /* a type that is none of those */
#define FRAME_SLOTS  200

struct locals_fixture {
	struct value_layout layout;
	struct interpreter interpreter;
	struct captured *captured;
	struct py_code *code;
	struct py_gen *gen;
	uint64_t arena, used; /* objects lie close together: regions are few */
};
extern struct locals_fixture f;

bool locals_begin(unsigned world);
bool locals_end(void);
#define EACH_LOCALS_WORLD                                                                          \
	for (unsigned world_ = 0; world_ < WORLDS; world_++)                                       \
		for (bool go_ = locals_begin(world_); go_; go_ = locals_end())

/* Memory for an object, from the arena. */
uint64_t locals_allot(uint64_t size);
uint64_t locals_type_address(unsigned type);

/* Objects; `type` is an enum value_type or STRANGER. */
uint64_t py_object(unsigned type, uint64_t size);
uint64_t py_int_of_digits(const uint32_t *digits, uint64_t count, bool negative);
uint64_t py_integer(int64_t value);
uint64_t py_str_of(const void *characters, uint64_t length, unsigned width, bool ascii);
uint64_t py_str(const char *text);
uint64_t py_bytes_of(const void *bytes, uint64_t size);
uint64_t py_list(const uint64_t *items, uint64_t count);
uint64_t py_tuple(const uint64_t *items, uint64_t count);
uint64_t py_cell(uint64_t content);
uint64_t py_dict(const uint64_t *pairs, uint64_t count); /* general keys */
uint64_t py_set(const uint64_t *items, uint64_t count);  /* with a deleted place */

/* The generator f.gen of a function with variables a, b, c …, and their values at its birth. */
void locals_create(const uint64_t *values, uint32_t count);
void locals_set_slot(unsigned slot, uint64_t object);

/* Hands the next record of that type to the user side. */
void locals_feed(uint16_t type);
/* The locals of the transition that has just been, which must have some; with what comes once. */
const struct local_list *locals_taken(void);
const struct local_list *locals_first_taken(void);

#define SHOWS(locals, index, expected)                                                             \
	do {                                                                                       \
		const struct local_list *list_ = (locals);                                         \
                                                                                                   \
		cr_assert_lt((size_t)(index), list_->count, "%zu variables", list_->count);        \
		cr_assert_str_eq(list_->at[index].repr, expected);                                 \
	} while (0)

#endif
