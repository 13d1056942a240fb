/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_internal.h"

/* A generator begins and ends: make_gen(), gen_close(), _PyGen_Finalize(), gen_dealloc(); and what async
 * generators have more. */

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

static void close_body(struct py_gen *gen)
{
	int state = py_state(gen);

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

void close_it(struct py_gen *gen)
{
	begin(IN_CLOSING, gen);
	enter_directly(gen, VIA_CLOSE);
	close_body(gen);
}

void py_close(struct py_gen *gen)
{
	begin(IN_METHOD, gen);
	begin(IN_CLOSING, gen);
	enter(gen, VIA_CLOSE);
	close_body(gen);
}

/* --- creation and the end --- */

static void set_references(struct py_gen *gen, uint32_t references)
{
	memory_put(gen->address, &references, sizeof(references));
}

struct py_gen *py_create_at(uint64_t address, uint8_t kind, struct py_code *code)
{
	struct py_gen *gen = gen_new(address, kind, code);

	/* a site that initialises is left out; here one was not recognised as such */
	if (world_placement() == PLACED_ON_REGISTER)
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

void dealloc(struct py_gen *gen)
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

	if (state == STATE_CLOSED || (state == STATE_CREATED && gen->kind == KIND_COROUTINE)) {
		unwind(ENDED);
	} else if (python.close_is_inlined) {
		begin(IN_CLOSING, gen);
		close_body(gen);
	} else {
		close_it(gen);
	}
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
	memory_put64(gen->address - GC_HEAD_PREVIOUS, 0x7eee00002000 | GC_FINALIZED);
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
