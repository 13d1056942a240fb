/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "python_internal.h"

/* What CPython does to a generator: gen_send_ex2(), _gen_throw(), gen_close(), gen_dealloc() … */

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

#define RETURN_ADDRESS 0x401234 /* each method is called from one place of the evaluation loop */

static void store(enum store_site which, uint8_t where, struct py_gen *gen, int value)
{
	store_hit(which, SITE_FRAME_STATE, where, gen->address, value, python.thread->sp);
}

static void store_async(enum store_site which, struct py_gen *gen, int value)
{
	store_hit(which, SITE_RUNNING_ASYNC, SITE_ANYWHERE, gen->address, value, python.thread->sp);
}

static uint64_t frame_of(const struct py_gen *gen)
{
	return gen->address + python.layout.gen_iframe;
}

static void set_exception(enum py_exception exception)
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

static struct continuation *begin(enum continuation_kind kind, struct py_gen *gen)
{
	struct continuation *c = &python.thread->under_way[python.thread->depth++];

	cr_assert_lt(python.thread->depth, 64u);
	*c = (struct continuation){ .kind = kind, .gen = gen, .sp = python.thread->sp };
	return c;
}

static struct continuation end(enum continuation_kind kind, const struct py_gen *gen)
{
	struct continuation c = python.thread->under_way[--python.thread->depth];

	cr_assert(c.kind == kind && c.gen == gen, "the test's own steps do not nest");
	python.thread->sp = c.sp;
	return c;
}

/* The entry of a function that has a probe: its return address is on the stack. */
static void enter(struct py_gen *gen, uint8_t via)
{
	struct site site = { .role = SITE_CAUSE, .via = via, .reg = GPR_RDI };

	python.thread->sp -= 0x40;
	memory_put64(python.thread->sp, RETURN_ADDRESS + via * 0x100u);
	site_hit(site_index(&site), gen->address, python.thread->sp);
	python.thread->sp -= 0x20;
}

/* From Python code; what lies below on the C stack is old. */
static void call_method(struct py_gen *gen, uint8_t via)
{
	begin(IN_METHOD, gen);
	enter(gen, via);
}

/* --- running --- */

/* gen_send_ex2() up to _PyEval_EvalFrame(), or what the evaluation loop does in its place; `which`
 * < 0: the state is EXECUTING already (3.15). */
static void run(struct py_gen *gen, int which, uint8_t where)
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
	if (!c->inlined)
		python.thread->sp -= 0x200;
}

static void run_thrown(struct py_gen *gen)
{
	run(gen, python.layout.executes_first ? -1 : S_SEND, SITE_ANYWHERE);
	gen->yf = NULL;
}

enum outcome { YIELDED, ENDED };

static void dealloc(struct py_gen *gen);

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
static void throw_exit(struct py_gen *gen)
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
static void unwind(enum outcome outcome)
{
	bool runs = false;

	while (python.thread->depth && !runs) {
		struct continuation c = python.thread->under_way[python.thread->depth - 1];

		switch (c.kind) {
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

static void close_it(struct py_gen *gen);

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
		set_exception(exception);
		run(gen, S_SEND, SITE_ANYWHERE);
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

/* --- close --- */

/* gen_close() of a generator that needs no run: COMPLETED, and from 3.13 on gen_clear_frame(). */
static void close_unrun(struct py_gen *gen)
{
	if (python.minor == 13)
		store(S_CLOSE_COMPLETED, SITE_ANYWHERE, gen, python.layout.completed);
	store(S_CLOSE_CLEARED, SITE_ANYWHERE, gen, python.layout.cleared);
}

static void close_suspended(struct py_gen *gen)
{
	struct continuation *c;

	if (python.layout.executes_first)
		store(S_CLOSE, SITE_ANYWHERE, gen, python.layout.executing);
	if (gen->yf) {
		c = begin(IN_CLOSE, gen);
		c->saved = yield_from_value();
		if (!python.layout.executes_first)
			store(S_CLOSE, SITE_ANYWHERE, gen, python.layout.executing);
		close_it(gen->yf);
		return;
	}
	if (python.minor >= 12 && !gen->has_try) {
		close_unrun(gen);
		unwind(ENDED);
		return;
	}
	throw_exit(gen);
}

/* gen_close(), called by its method, by the finaliser, or by that of an outer one. */
static void close_it(struct py_gen *gen)
{
	int state = py_state(gen);

	begin(IN_CLOSING, gen);
	enter(gen, VIA_CLOSE);
	if (state == STATE_SUSPENDED) {
		close_suspended(gen);
		return;
	}
	if (state == STATE_CREATED && python.minor == 11) {
		throw_exit(gen);
		return;
	}
	if (state == STATE_CREATED)
		close_unrun(gen);
	unwind(ENDED);
}

void py_close(struct py_gen *gen)
{
	begin(IN_METHOD, gen);
	close_it(gen);
}

/* --- creation and the end --- */

static void set_references(struct py_gen *gen, uint32_t references)
{
	memory_put(gen->address, &references, sizeof(references));
}

struct py_gen *py_create_at(uint64_t address, uint8_t kind, struct py_code *code)
{
	struct py_gen *gen = gen_new(address, kind, code);

	store(S_MAKE, SITE_ANYWHERE, gen, python.layout.cleared);
	memory_put64(gen->address - GC_HEAD_BYTES, 0x7eee00001000); /* _PyObject_GC_TRACK() */
	frame_fill(frame_of(gen), code, 0, UNIT_MAKE + (python.minor >= 13 ? 1 : 0));
	store(S_CREATE, SITE_IN_EVAL, gen, python.layout.created);
	return gen;
}

struct py_gen *py_create(uint8_t kind, struct py_code *code)
{
	return py_create_at(0, kind, code);
}

void py_existing_runs(struct py_gen *gen)
{
	struct continuation *c = begin(IN_RUN, gen);

	c->frame = current_frame();
	python.thread->sp -= 0x260;
	memory_put64(frame_of(gen) + python.layout.frame_previous, c->frame);
	memory_put64(gen->address + python.layout.gen_previous_item, python.thread->tstate + 0x100);
	memory_put(gen->address + python.layout.gen_frame_state, &python.layout.executing, 1);
	set_current_frame(frame_of(gen));
	frame_stand_at(frame_of(gen), UNIT_CALL);
}

static void dealloc(struct py_gen *gen)
{
	struct site site = { .role = SITE_FREE, .reg = GPR_RDI };
	int8_t value = (int8_t)memory_get8(gen->address + python.layout.gen_frame_state);

	set_references(gen, 0);
	memory_put64(gen->address - GC_HEAD_BYTES, 0);
	if (value != python.layout.cleared)
		store(S_DEALLOC, SITE_ANYWHERE, gen, python.layout.cleared);
	site_hit(site_index(&site), gen->address, python.thread->sp);
}

/* _PyGen_Finalize(): a coroutine that never began is only warned of. */
static void finalise(struct py_gen *gen)
{
	int state = py_state(gen);

	enter(gen, VIA_FINALIZE);
	if (state == STATE_CLOSED || (state == STATE_CREATED && gen->kind == KIND_COROUTINE))
		unwind(ENDED);
	else
		close_it(gen);
}

void py_drop(struct py_gen *gen)
{
	begin(IN_DEALLOC, gen);
	finalise(gen); /* PyObject_CallFinalizerFromDealloc(): a reference is back for so long */
}

void py_collect(struct py_gen *gen)
{
	begin(IN_COLLECTOR, gen);
	memory_put64(gen->address - GC_HEAD_PREVIOUS, 0x7eee00002000 | GC_FINALIZED);
	finalise(gen);
}

/* --- async generators --- */

void py_finalise_by_hook(struct py_gen *gen)
{
	call_method(gen, VIA_FINALIZE);
	memory_put64(gen->address - GC_HEAD_PREVIOUS, 0x7eee00002000 | GC_FINALIZED);
	end(IN_METHOD, gen);
}

void py_die_after_hook(struct py_gen *gen)
{
	py_finalise_by_hook(gen);
	dealloc(gen);
}

void py_agen_call(struct py_gen *gen, uint8_t via)
{
	call_method(gen, via);
	end(IN_METHOD, gen);
}

void py_agen_start(struct py_gen *gen)
{
	store_async(S_ASYNC_UP, gen, 1);
	run(gen, S_SEND, SITE_ANYWHERE);
}

void py_agen_start_fails(struct py_gen *gen)
{
	store_async(S_ASYNC_UP, gen, 1);
	store_async(S_ASYNC_DOWN, gen, 0);
}

void py_agen_yield(struct py_gen *gen)
{
	py_yield(gen);
	store_async(S_ASYNC_DOWN, gen, 0); /* async_gen_unwrap_value() */
}

void py_agen_return(struct py_gen *gen)
{
	py_return(gen);
	store_async(S_ASYNC_DOWN, gen, 0);
}

void py_agen_raise(struct py_gen *gen, enum py_exception exception)
{
	py_raise(gen, exception);
	store_async(S_ASYNC_DOWN, gen, 0);
}

/* --- what must have come --- */

static void check_times(const struct py_gen *gen, const struct transition_record *t)
{
	bool ran = t->head.flags & TRANSITION_HAS_RUN;
	bool waited = t->head.flags & TRANSITION_HAS_SUSPENDED;

	cr_assert_eq(ran, gen->told_ns && t->from == STATE_RUNNING, "run_ns");
	cr_assert_eq(waited, gen->told_ns && t->from == STATE_SUSPENDED, "suspended_ns");
	if (ran)
		cr_assert_eq(t->run_ns, t->head.ts_ns - gen->told_ns);
	if (waited)
		cr_assert_eq(t->suspended_ns, t->head.ts_ns - gen->told_ns);
}

static void check(struct py_gen *gen, const struct transition_record *t)
{
	cr_assert_eq(t->gen, gen->address);
	cr_assert_eq(t->kind, gen->kind);
	cr_assert(!gen->id || gen->id == t->id, "its id changed");
	check_times(gen, t);
	if (told_qualname(t->code))
		cr_assert_str_eq(told_qualname(t->code), gen->code->qualname);
	gen->id = t->id;
	gen->told_ns = t->head.ts_ns;
	python.last = *t;
}

static void take(struct py_gen *gen, uint8_t from, uint8_t to, uint8_t via,
		 const struct py_gen *parent)
{
	const struct transition_record *t = take_transition();

	cr_assert(t, "3.%u, placed %d: %u to %u via %u did not come", python.minor,
		  world_placement(), from, to, via);
	cr_assert(t->from == from && t->to == to && t->via == via,
		  "3.%u, placed %d: %u to %u via %u, not %u to %u via %u", python.minor,
		  world_placement(), t->from, t->to, t->via, from, to, via);
	cr_assert_eq(t->parent, parent ? parent->id : 0, "3.%u: parent %llu, not %lu", python.minor,
		     t->parent, parent ? (unsigned long)parent->id : 0);
	check(gen, t);
}

void expect(struct py_gen *gen, uint8_t from, uint8_t to, uint8_t via, const struct py_gen *parent)
{
	take(gen, from, to, via, parent);
	cr_assert_not(python.last.head.flags & TRANSITION_FIRST_SEEN);
}

void expect_first(struct py_gen *gen, uint8_t from, uint8_t to, uint8_t via,
		  const struct py_gen *parent)
{
	take(gen, from, to, via, parent);
	cr_assert(python.last.head.flags & TRANSITION_FIRST_SEEN);
}

void expect_any(struct py_gen *gen, uint8_t from, uint8_t to, uint8_t via,
		const struct py_gen *parent)
{
	take(gen, from, to, via, parent);
}

const struct transition_record *expected(void)
{
	return &python.last;
}

void expect_nothing(void)
{
	const struct transition_record *t = take_transition();

	cr_assert_null(t, "3.%u, placed %d: %u to %u via %u came", python.minor, world_placement(),
		       t ? t->from : 0, t ? t->to : 0, t ? t->via : 0);
}
