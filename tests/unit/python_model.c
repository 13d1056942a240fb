/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_internal.h"

/* Running a generator, and throwing into it: gen_send_ex2(), _gen_throw() and the evaluation loop. */

#define RETURN_ADDRESS 0x401234 /* each method is called from one place of the evaluation loop */

void store(enum store_site which, uint8_t where, struct py_gen *gen, int value)
{
	store_hit(which, SITE_FRAME_STATE, where, gen->address, value, python.thread->sp);
}

void store_async(enum store_site which, struct py_gen *gen, int value)
{
	store_hit(which, SITE_RUNNING_ASYNC, SITE_ANYWHERE, gen->address, value, python.thread->sp);
}

uint64_t frame_of(const struct py_gen *gen)
{
	return gen->address + python.layout.gen_iframe;
}

void set_exception(enum py_exception exception)
{
	uint64_t type = BASE + (exception == EXC_GENERATOR_EXIT ? EXIT_TYPE : ERROR_TYPE);
	uint64_t object = type;

	if (!python.layout.exception_is_type) {
		object = python.thread->tstate + 0x180;
		memory_put64(object + PYOBJECT_TYPE, type);
	}
	python.thread->exception = exception;
	memory_put64(python.thread->tstate + python.layout.tstate_exception,
		     exception ? object : 0);
}

void py_catch(void)
{
	set_exception(EXC_NONE);
}

/* --- C functions --- */

struct continuation *begin(enum continuation_kind kind, struct py_gen *gen)
{
	struct continuation *c = &python.thread->under_way[python.thread->depth++];

	cr_assert_lt(python.thread->depth, 64u);
	*c = (struct continuation){ .kind = kind, .gen = gen, .sp = python.thread->sp };
	return c;
}

struct continuation end(enum continuation_kind kind, const struct py_gen *gen)
{
	struct continuation c = python.thread->under_way[--python.thread->depth];

	cr_assert(c.kind == kind && c.gen == gen, "the test's own steps do not nest");
	python.thread->sp = c.sp;
	return c;
}

/* The entry of a function that has a probe: its return address is on the stack. */
static void enter_from(struct py_gen *gen, uint8_t via, uint64_t return_address)
{
	struct site site = { .role = SITE_CAUSE, .via = via, .reg = GPR_RDI };

	python.thread->sp -= 0x40;
	memory_put64(python.thread->sp, return_address);
	site_hit(site_index(&site), gen->address, python.thread->sp);
	python.thread->sp -= 0x20;
}

void enter(struct py_gen *gen, uint8_t via)
{
	enter_from(gen, via, RETURN_ADDRESS + via * 0x100u);
}

void enter_directly(struct py_gen *gen, uint8_t via)
{
	struct site site = { .role = SITE_CAUSE, .via = via, .reg = GPR_RDI };
	uint64_t entry = BASE + site_address(site_index(&site));
	uint8_t call[5] = { 0xe8 };
	int32_t distance = (int32_t)(entry - (BASE + CALL_TEXT + sizeof(call)));

	memcpy(call + 1, &distance, sizeof(distance));
	memory_put(BASE + CALL_TEXT, call, sizeof(call));
	enter_from(gen, via, BASE + CALL_TEXT + sizeof(call));
}

void py_stack(int bytes)
{
	python.thread->sp -= (uint64_t)(int64_t)bytes;
}

void py_stack_overwritten(void)
{
	for (uint64_t below = 8; below < 0x400; below += 8)
		memory_put64(python.thread->sp - below, 0x11111111);
}

void py_close_is_inlined(void)
{
	python.close_is_inlined = true;
}

/* From Python code; what lies below on the C stack is old. */
void call_method(struct py_gen *gen, uint8_t via)
{
	begin(IN_METHOD, gen);
	enter(gen, via);
}

/* --- running --- */

/* gen_send_ex2() up to _PyEval_EvalFrame(), or what the evaluation loop does in its place; `which`
 * < 0: the state is EXECUTING already (3.15). */
void run(struct py_gen *gen, int which, uint8_t where)
{
	struct continuation *c = begin(IN_RUN, gen);

	c->inlined = where == SITE_IN_EVAL;
	c->frame = current_frame();
	if (!c->inlined)
		python.thread->sp -= 0x60;
	memory_put64(frame_of(gen) + python.layout.frame_previous, c->frame);
	memory_put64(gen->address + python.layout.gen_previous_item, python.thread->tstate + 0x100);
	if (which >= 0)
		store((enum store_site)which, where, gen, python.layout.executing);
	set_current_frame(frame_of(gen));
	frame_stand_at(frame_of(gen), UNIT_CALL);
	set_exception(EXC_NONE); /* what was thrown in is the frame's now */
	if (!c->inlined)
		python.thread->sp -= 0x200;
}

static void run_thrown(struct py_gen *gen)
{
	run(gen, python.layout.executes_first ? -1 : S_SEND, SITE_ANYWHERE);
	gen->yf = NULL;
}

static enum outcome end_throw(struct continuation c, enum outcome outcome, bool *runs)
{
	c = end(IN_THROW, c.gen);
	set_current_frame(c.frame);
	memory_put64(frame_of(c.gen) + python.layout.frame_previous, 0);
	if (!python.layout.executes_first)
		store(S_THROW_BACK, SITE_ANYWHERE, c.gen, c.saved);
	else if (outcome == YIELDED)
		store(S_THROW_BACK, SITE_ANYWHERE, c.gen, yield_from_value());
	*runs = outcome == ENDED;
	if (*runs)
		run_thrown(c.gen);
	return outcome;
}

/* gen_close() behind gen_close_iter(); one that was suspended inside try, as all that delegate here. */
void throw_exit(struct py_gen *gen)
{
	if (!python.thread->exception)
		set_exception(EXC_GENERATOR_EXIT);
	run_thrown(gen);
}

static void end_close_iter(struct continuation c)
{
	c = end(IN_CLOSE, c.gen);
	if (!python.layout.executes_first)
		store(S_CLOSE_BACK, SITE_ANYWHERE, c.gen, c.saved);
	throw_exit(c.gen);
}

/* The innermost generator has yielded or ended: back through the C functions, to Python code. */
void unwind(enum outcome outcome)
{
	bool runs = false;

	while (python.thread->depth && !runs) {
		struct continuation c = python.thread->under_way[python.thread->depth - 1];

		switch (c.kind) {
		case IN_PYTHON:
		case IN_RUN:
			return;
		case IN_METHOD:
			end(IN_METHOD, c.gen);
			return;
		case IN_THROW:
			outcome = end_throw(c, outcome, &runs);
			break;
		case IN_CLOSE:
			end_close_iter(c);
			return;
		case IN_CLOSING:
			end(IN_CLOSING, c.gen);
			if (outcome == YIELDED) /* "generator ignored GeneratorExit" */
				set_exception(EXC_VALUE_ERROR);
			else if (python.thread->exception == EXC_GENERATOR_EXIT)
				py_catch();
			outcome = ENDED;
			break;
		case IN_DEALLOC:
			end(IN_DEALLOC, c.gen);
			py_catch(); /* PyErr_WriteUnraisable() */
			dealloc(c.gen);
			return;
		case IN_COLLECTOR:
			end(IN_COLLECTOR, c.gen);
			py_catch();
			dealloc(c.gen);
			return;
		}
	}
}

static void leave(struct py_gen *gen, enum outcome outcome)
{
	struct continuation c = end(IN_RUN, gen);

	set_current_frame(c.frame);
	memory_put64(frame_of(gen) + python.layout.frame_previous, 0);
	memory_put64(gen->address + python.layout.gen_previous_item, 0);
	if (!c.inlined)
		unwind(outcome);
}

static void suspend(struct py_gen *gen, int8_t value)
{
	/* prev_instr: YIELD_VALUE itself; instr_ptr: behind it */
	frame_stand_at(frame_of(gen), UNIT_YIELD + (python.minor >= 13 ? 1 : 0));
	store(S_YIELD, SITE_IN_EVAL, gen, value);
}

void py_yield(struct py_gen *gen)
{
	gen->yf = NULL;
	suspend(gen, python.layout.suspended_first);
	leave(gen, YIELDED);
}

void py_await(struct py_gen *gen, struct py_gen *yf)
{
	gen->yf = yf;
	suspend(gen, yield_from_value());
	leave(gen, YIELDED);
}

static void finish(struct py_gen *gen)
{
	const struct continuation *c = &python.thread->under_way[python.thread->depth - 1];

	cr_assert(c->kind == IN_RUN && c->gen == gen, "the test's own steps do not nest");
	set_current_frame(c->frame);
	if (python.minor == 11) {
		python.thread->sp = c->sp - 0x60; /* gen_send_ex2() again */
		store(S_COMPLETED, SITE_ANYWHERE, gen, python.layout.completed);
		memory_put64(gen->address + python.layout.gen_previous_item, 0);
		store(S_CLEARED, SITE_ANYWHERE, gen, python.layout.cleared);
	} else {
		store(S_CLEAR, SITE_IN_EVAL, gen, python.layout.cleared);
	}
	leave(gen, ENDED);
}

void py_return(struct py_gen *gen)
{
	frame_stand_at(frame_of(gen), UNIT_RETURN);
	set_exception(EXC_NONE);
	finish(gen);
}

void py_raise(struct py_gen *gen, enum py_exception exception)
{
	set_exception(exception);
	finish(gen);
}

void py_resume(struct py_gen *gen)
{
	cr_assert_neq(python.minor, 11, "3.11 has no FOR_ITER_GEN");
	run(gen, S_RESUME, SITE_IN_EVAL);
}

void py_next(struct py_gen *gen)
{
	run(gen, S_ITERNEXT, SITE_IN_SLOT);
}

void py_am_send(struct py_gen *gen)
{
	run(gen, S_AM_SEND, SITE_IN_SLOT);
}

void py_enter(struct py_gen *gen)
{
	run(gen, S_SEND, SITE_ANYWHERE);
}

void py_send(struct py_gen *gen)
{
	call_method(gen, VIA_SEND);
	run(gen, S_SEND, SITE_ANYWHERE);
}

void py_send_fails(struct py_gen *gen)
{
	call_method(gen, VIA_SEND);
	end(IN_METHOD, gen);
}

/* --- throw --- */

/* _gen_throw() begins to delegate: the outer one counts as executing, its frame as the current one. */
static void delegate_throw(struct py_gen *gen)
{
	struct continuation *c = begin(IN_THROW, gen);

	c->saved = (int8_t)memory_get8(gen->address + python.layout.gen_frame_state);
	c->frame = current_frame();
	python.thread->sp -= 0x50;
	if (python.layout.executes_first)
		store(S_THROW, SITE_ANYWHERE, gen, python.layout.executing);
	memory_put64(frame_of(gen) + python.layout.frame_previous, c->frame);
	set_current_frame(frame_of(gen));
	if (!python.layout.executes_first)
		store(S_THROW, SITE_ANYWHERE, gen, python.layout.executing);
}

static void throw_into(struct py_gen *gen, enum py_exception exception)
{
	if (gen->yf && exception == EXC_GENERATOR_EXIT) {
		struct continuation *c =
			begin(IN_CLOSE, gen); /* gen_close_iter(yf), then throw_here */

		c->saved = (int8_t)memory_get8(gen->address + python.layout.gen_frame_state);
		store(S_THROW, SITE_ANYWHERE, gen, python.layout.executing);
		close_it(gen->yf);
	} else if (gen->yf) {
		delegate_throw(gen);
		throw_into(gen->yf, exception);
	} else {
		if (python.layout.executes_first)
			store(S_THROW, SITE_ANYWHERE, gen, python.layout.executing);
		set_exception(exception);
		run_thrown(gen);
	}
}

void py_throw(struct py_gen *gen, enum py_exception exception)
{
	call_method(gen, VIA_THROW);
	throw_into(gen, exception);
}

void py_throw_into_iterator(struct py_gen *gen, enum py_exception exception)
{
	(void)exception;
	call_method(gen, VIA_THROW);
	delegate_throw(gen);
	if (python.minor < 15) /* only for generators is the frame made the current one */
		set_current_frame(memory_get64(frame_of(gen) + python.layout.frame_previous));
}

void py_iterator_done(struct py_gen *gen, enum py_exception raised)
{
	(void)gen;
	set_exception(raised);
	unwind(raised ? ENDED : YIELDED);
}
