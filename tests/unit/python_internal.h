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
#define CALL_TEXT   0x6000 /* a call instruction */

/* The instructions of every code object here, in units of two bytes. */
enum unit {
	UNIT_MAKE = 1, /* RETURN_GENERATOR, behind COPY_FREE_VARS */
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
	IN_PYTHON,  /* a plain Python function */
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
	bool close_is_inlined; /* into the finaliser: its entry is not hit then */
} python;

struct continuation *begin(enum continuation_kind kind, struct py_gen *gen);
struct continuation end(enum continuation_kind kind, const struct py_gen *gen);
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

/* --- C functions --- */

/* Each function's store is a site of its own. */
enum store_site {
	S_MAKE,   /* make_gen() */
	S_CREATE, /* RETURN_GENERATOR */
	S_RESUME, /* FOR_ITER_GEN, SEND_GEN */
	S_YIELD,  /* YIELD_VALUE */
	S_CLEAR,  /* clear_gen_frame() */
	S_ITERNEXT,
	S_AM_SEND, /* gen_send_ex2() inlined there */
	S_SEND,    /* gen_send_ex2() elsewhere */
	S_COMPLETED,
	S_CLEARED,
	S_THROW,
	S_THROW_BACK,
	S_CLOSE,
	S_CLOSE_BACK,
	S_CLOSE_COMPLETED,
	S_CLOSE_CLEARED,
	S_DEALLOC,
	S_ASYNC_UP,
	S_ASYNC_DOWN,
};

enum outcome { YIELDED, ENDED };

void store(enum store_site which, uint8_t where, struct py_gen *gen, int value);
void store_async(enum store_site which, struct py_gen *gen, int value);
uint64_t frame_of(const struct py_gen *gen);
void set_exception(enum py_exception exception);
/* The entry of a function that has a probe: its return address is on the stack. */
void enter(struct py_gen *gen, uint8_t via);
void enter_directly(struct py_gen *gen, uint8_t via); /* called by its address */
void call_method(struct py_gen *gen, uint8_t via);
/* gen_send_ex2() up to the evaluation loop; `which` < 0: the state is EXECUTING already (3.15). */
void run(struct py_gen *gen, int which, uint8_t where);
/* gen_close() behind gen_close_iter(): GeneratorExit is thrown in. */
void throw_exit(struct py_gen *gen);
/* The innermost generator has yielded or ended: back through the C functions, to Python code. */
void unwind(enum outcome outcome);
void close_it(struct py_gen *gen); /* gen_close(), called by the interpreter itself */
void dealloc(struct py_gen *gen);  /* gen_dealloc() behind the finaliser */

#endif
