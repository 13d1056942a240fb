/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_PYTHON_INTERNAL_H
#define GENSCOPE_TESTS_PYTHON_INTERNAL_H

#include "python_model.h"

/* What python_objects.c and python_model.c share. */

#define STACK_BYTES 65536
#define GEN_BYTES   256
#define TSTATE_SLOT 0x100 /* link addresses in the interpreter's data */
#define EXIT_SLOT   0x300
#define EXIT_TYPE   0x4000
#define ERROR_TYPE  0x5000

/* The instructions of every code object here, in units of two bytes. */
enum unit {
	UNIT_MAKE = 0, /* RETURN_GENERATOR */
	UNIT_BODY = 1,
	UNIT_FOR_ITER = 3,
	UNIT_SEND = 4,
	UNIT_RETURN = 5,
	UNIT_CALL = 6,
	UNIT_YIELD = 8, /* and RESUME behind it */
	UNIT_ANY = 12,
	UNITS = 16,
};

/* What C functions are under way on a thread, the innermost last. */
enum continuation_kind {
	IN_RUN,     /* a generator's body; under it, what runs when it ends */
	IN_METHOD,  /* a method that Python code called */
	IN_THROW,   /* _gen_throw() of an outer one, in the throw() of the inner */
	IN_CLOSE,   /* gen_close() of an outer one, in gen_close_iter() */
	IN_CLOSING, /* gen_close(), in gen_send_ex() of itself */
	IN_DEALLOC,
	IN_COLLECTOR,
};

struct continuation {
	enum continuation_kind kind;
	struct py_gen *gen;
	int8_t saved; /* state to put back */
	bool inlined; /* IN_RUN: resumed in the evaluation loop, no C function under it */
	uint64_t sp, frame;
};

struct py_thread {
	uint64_t tstate, cframe, fs_base, sp;
	struct continuation under_way[64];
	unsigned depth;
	enum py_exception exception;
};

extern struct python {
	unsigned minor;
	struct layout layout;
	struct py_thread threads[THREADS_MAX], *thread;
	struct transition_record last;
} python;

uint8_t py_opcode(uint8_t opcode_class); /* some opcode of that class */
extern const uint64_t frame_bytes;
uint64_t current_frame(void);
void set_current_frame(uint64_t frame);
void frame_fill(uint64_t frame, const struct py_code *code, uint64_t previous, unsigned unit);
void frame_stand_at(uint64_t frame, unsigned unit);
uint64_t frame_code_address(uint64_t frame);
int8_t state_value(uint8_t state);
int8_t yield_from_value(void);
struct py_gen *gen_new(uint64_t address, uint8_t kind, struct py_code *code);

#endif
