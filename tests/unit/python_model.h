/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_PYTHON_MODEL_H
#define GENSCOPE_TESTS_PYTHON_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

/*
 * A little CPython in the world's memory: code objects, generators, threads with frames and stacks,
 * and the C functions that change a generator's state, each store in the order in which
 * Objects/genobject.c and Python/ceval.c (generated_cases.c.h) of that version make it.
 *
 * What begins a step (py_next, py_send, py_throw …) returns with the innermost generator running; what
 * ends one (py_yield, py_return, py_raise) goes back through the C functions that are under way, up to
 * the next Python code: a delegating throw() puts states back and resumes the outer generator.
 */

enum py_exception { EXC_NONE, EXC_GENERATOR_EXIT, EXC_VALUE_ERROR };

struct py_code {
	uint64_t address;
	char qualname[64];
};

struct py_gen {
	uint64_t address;
	uint8_t kind;
	struct py_code *code;
	struct py_gen *yf; /* what it is in `yield from` or `await` of */
	bool has_try;      /* suspended inside try: close() has to run it */
	/* as told */
	uint64_t id;
	uint64_t told_ns; /* when its last transition was; 0 none */
};

/* Every version the tests run with, times every placement of the probes. */
#define WORLDS 9
bool python_begin(unsigned world); /* true */
bool python_end(void);             /* world_end(); false */
#define EACH_WORLD                                                                                 \
	for (unsigned world_ = 0; world_ < WORLDS; world_++)                                       \
		for (bool go_ = python_begin(world_); go_; go_ = python_end())
uint64_t python_thread_state(void); /* of the current thread: for memory_fault() */
unsigned python_minor(void);        /* 11, 13, 15 */

void py_thread(unsigned index); /* the one that runs from now on */
/* The same, but it is only another stack of the first thread: a greenlet. */
void py_greenlet(unsigned index);

/* --- objects --- */
struct py_code *py_code(const char *qualname);
void py_code_set_lines(struct py_code *code, const uint8_t *table, uint32_t bytes);
/* Its memory is given back, with the dealloc's probe; py_code_at() takes it again. */
void py_code_free(struct py_code *code);
struct py_code *py_code_at(uint64_t address, const char *qualname);

struct py_gen *py_create(uint8_t kind, struct py_code *code); /* RETURN_GENERATOR */
struct py_gen *py_create_at(uint64_t address, uint8_t kind, struct py_code *code);
/* One that was there before the tracer: no probe is hit. */
struct py_gen *py_existing(uint8_t kind, struct py_code *code, uint8_t state);
void py_existing_runs(
	struct py_gen *gen); /* SUSPENDED or CREATED to RUNNING, unseen; it has a frame */
int py_state(const struct py_gen *gen); /* enum object_state of its memory */

/* --- where the current Python frame stands --- */
void py_at(uint8_t opcode_class); /* enum opcode_class */
void py_at_opcode(uint8_t opcode);
/* Behind instrumentation: INSTRUMENTED_LINE (in the table's format: 0 pairs of two bytes; else a byte
 * that says how wide entries are), INSTRUMENTED_INSTRUCTION, or both. Returns where the table is. */
uint64_t py_at_instrumented(uint8_t opcode_class, bool line, uint8_t entry, bool instruction);
void py_call(struct py_code *code); /* a plain Python function */
void py_call_end(void);

/* --- steps begin --- */
void py_resume(
	struct py_gen *gen);      /* in the evaluation loop: FOR_ITER_GEN, SEND_GEN (not in 3.11) */
void py_next(struct py_gen *gen); /* through tp_iternext */
void py_am_send(struct py_gen *gen); /* through am_send */
void py_enter(struct py_gen *gen);   /* through gen_send_ex2() where it was not inlined */
void py_send(struct py_gen *gen);    /* the method */
void py_send_fails(struct py_gen *gen);
/* The C stack grows (or shrinks again) by what other functions use; below it is overwritten. */
void py_stack(int bytes);
void py_stack_overwritten(void);
void py_close_is_inlined(void); /* of this world: gen_close() is a part of the finaliser */
void py_throw(struct py_gen *gen, enum py_exception exception);
void py_close(struct py_gen *gen);
void py_drop(struct py_gen *gen);    /* the last reference goes: finaliser, dealloc, free */
void py_collect(struct py_gen *gen); /* the cycle collector finalises it, then frees it */

/* --- and end --- */
void py_yield(struct py_gen *gen);
void py_await(struct py_gen *gen, struct py_gen *yf); /* suspended in yield from or await of `yf` */
void py_return(struct py_gen *gen);
void py_raise(struct py_gen *gen, enum py_exception exception);
void py_catch(void); /* the current exception is handled */
/* A delegated throw() or close() of `gen` whose inner iterator is no generator: what its method does
 * comes between. */
void py_throw_into_iterator(struct py_gen *gen, enum py_exception exception);
void py_iterator_done(struct py_gen *gen, enum py_exception raised);

/* --- async generators --- */
void py_finalise_by_hook(struct py_gen *gen);       /* dealloc begins; the hook keeps it alive */
void py_die_after_hook(struct py_gen *gen);         /* the same, and the hook did not */
void py_agen_call(struct py_gen *gen, uint8_t via); /* asend(), athrow(), aclose(): an awaitable */
void py_agen_start(
	struct py_gen *gen); /* it, or __anext__(), is awaited: the flag goes up, it runs */
void py_agen_start_fails(struct py_gen *gen); /* the flag goes up and down: asend(1) to a new one */
void py_agen_continue(struct py_gen *gen);    /* after an await inside */
void py_agen_yield(struct py_gen *gen);
void py_agen_return(struct py_gen *gen);
void py_agen_raise(struct py_gen *gen, enum py_exception exception);

/* --- what must have come --- */
/* The next transition: its object, states, cause, parent (NULL: none), times and name. */
void expect(struct py_gen *gen, uint8_t from, uint8_t to, uint8_t via, const struct py_gen *parent);
/* The same, for an object that is older than the tracer and told of for the first time. */
void expect_first(struct py_gen *gen, uint8_t from, uint8_t to, uint8_t via,
		  const struct py_gen *parent);
/* The same, whether it is for the first time or not. */
void expect_any(struct py_gen *gen, uint8_t from, uint8_t to, uint8_t via,
		const struct py_gen *parent);
const struct transition_record *expected(void); /* the last one */
void expect_nothing(void);

/* Shorthands for the states in expect(): what inspect calls CREATED … of any kind. */
#define NONE      STATE_NONE
#define CREATED   STATE_CREATED
#define RUNNING   STATE_RUNNING
#define SUSPENDED STATE_SUSPENDED
#define CLOSED    STATE_CLOSED

#endif
