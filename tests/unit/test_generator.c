/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "python/generator.h"
#include "python_image.h"

#define CACHE_SIZE (1 << 20)

#define EACH_VERSION(python)                                                                       \
	for (size_t v = 0; v < image_version_count &&                                              \
			   (cpython_open(python, &image_versions[v], CACHE_SIZE), true);           \
	     cpython_close(python), v++)

static const uint8_t kinds[] = { KIND_GENERATOR, KIND_COROUTINE, KIND_ASYNC_GENERATOR };

static uint64_t add(struct cpython *python, uint8_t kind)
{
	uint64_t gen = cpython_gen(python, kind, cpython_code(python, "f", "f.py", 10));

	cpython_track(python, gen);
	return gen;
}

static int read_gen(struct cpython *python, uint64_t gen, struct generator *out)
{
	memory_forget_all(python->memory);
	memset(out, 0xee, sizeof(*out));
	return generator_read(&python->remote, gen, out);
}

/* inspect.getgeneratorstate(), getcoroutinestate() and, of async generators, 3.12's getasyncgenstate()
 * (Lib/inspect.py): ag_running first, then ag_suspended, then whether there is a frame. ag_running is
 * ag_running_async. */
static uint8_t state_of_inspect(uint8_t kind, enum image_state state, bool running_async)
{
	static const uint8_t states[IMAGE_STATES] = {
		STATE_CREATED, STATE_SUSPENDED, STATE_SUSPENDED,
		STATE_RUNNING, STATE_CLOSED,    STATE_CLOSED,
	};

	return kind == KIND_ASYNC_GENERATOR && running_async && states[state] == STATE_SUSPENDED ?
		       STATE_RUNNING :
		       states[state];
}

Test(generator, has_the_state_that_inspect_tells)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		for (size_t k = 0; k < sizeof(kinds); k++) {
			uint64_t at = add(&python, kinds[k]), code;

			code = get64(cpython_frame(&python, at) +
				     python.remote.layout.frame_executable);
			for (int state = 0; state < IMAGE_STATES; state++) {
				for (int running = 0; running < 2; running++) {
					cpython_await(&python, at, 0x7000);
					cpython_set_state(&python, at, (enum image_state)state);
					cpython_set_async(&python, at, (uint8_t)running);
					cr_assert_eq(read_gen(&python, at, &gen), 0, "%s, %d",
						     python.version->name, state);
					cr_expect_eq(
						gen.state,
						state_of_inspect(kinds[k], (enum image_state)state,
								 running),
						"%s: kind %u, state %d: %u", python.version->name,
						kinds[k], state, gen.state);
					cr_expect_eq(gen.frame_state,
						     state_of_inspect(KIND_GENERATOR,
								      (enum image_state)state,
								      false));
					cr_expect_eq(gen.kind, kinds[k]);
					cr_expect_eq(gen.address, at);
					cr_expect_eq(gen.code, code);
					cr_expect_eq(gen.frame, cpython_frame(&python, at));
				}
			}
		}
	}
}

/* The byte is there in all three kinds; the others never write it. */
Test(generator, minds_the_async_flag_of_async_generators_only)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		for (size_t k = 0; k < sizeof(kinds); k++) {
			uint64_t at = add(&python, kinds[k]);

			cpython_set_state(&python, at, IMAGE_SUSPENDED);
			cpython_stand(&python, at, IMAGE_YIELD);
			cpython_set_stack(&python, at, (uint64_t[]){ 0x10, 0x20, 0x30 }, 3);
			cpython_set_async(&python, at, 0xcd);
			if (python.version->hex >= 0x030d0000)
				cpython_set_state(&python, at, IMAGE_SUSPENDED);
			cr_assert_eq(read_gen(&python, at, &gen), 0);
			cr_expect_eq(gen.state, kinds[k] == KIND_ASYNC_GENERATOR ? STATE_RUNNING :
										   STATE_SUSPENDED);
			cr_expect_eq(gen.running_async != 0, kinds[k] == KIND_ASYNC_GENERATOR);
		}
	}
}

Test(generator, is_not_there_any_more)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_GENERATOR);

		cr_assert_eq(read_gen(&python, at, &gen), 0);
		put64(at, 0);
		cr_expect_eq(read_gen(&python, at, &gen), -ENOENT, "no reference");
		put64(at, 3);
		put64(at + PYOBJECT_TYPE, python.remote.value_types[VALUE_LIST]);
		cr_expect_eq(read_gen(&python, at, &gen), -ENOENT, "another type");
		put64(at + PYOBJECT_TYPE, 0);
		cr_expect_eq(read_gen(&python, at, &gen), -ENOENT, "no type");
		put64(at + PYOBJECT_TYPE, python.remote.kinds[KIND_COROUTINE]);
		cr_expect_eq(read_gen(&python, at, &gen), 0);
		cr_expect_eq(gen.kind, KIND_COROUTINE);
		cpython_untrack(at);
		cr_expect_eq(read_gen(&python, at, &gen), -ENOENT, "not tracked");
	}
}

/* 3.12 on keeps flags in the upper half: an object without references may have some. */
Test(generator, with_flags_but_no_reference_is_not_there)
{
	struct cpython python;
	struct generator gen;
	uint64_t at;

	cpython_open(&python, image_version("3.14.10"), CACHE_SIZE);
	at = add(&python, KIND_GENERATOR);
	put64(at, 0x0000008000000000);
	cr_expect_eq(read_gen(&python, at, &gen), -ENOENT);
	put64(at, 0x0000008000000001);
	cr_expect_eq(read_gen(&python, at, &gen), 0);
	cpython_close(&python);
}

Test(generator, that_cannot_be_read)
{
	struct cpython python;
	struct generator gen;
	uint64_t page, at;

	cpython_open(&python, image_version("3.13.5"), CACHE_SIZE);
	cr_expect_eq(read_gen(&python, 0, &gen), -EFAULT);
	cr_expect_eq(read_gen(&python, 8, &gen), -EFAULT);
	cr_expect_eq(read_gen(&python, UINT64_MAX, &gen), -EFAULT);
	cr_expect_eq(read_gen(&python, 1ull << 47, &gen), -EFAULT);
	page = cpython_new_pages(&python, 4096);
	at = page + 4096 - 96; /* its end is missing */
	put64(at, 1);
	put64(at - GC_HEAD_BYTES, 16);
	put64(at + PYOBJECT_TYPE, python.remote.kinds[KIND_GENERATOR]);
	cr_expect_eq(read_gen(&python, at, &gen), -EFAULT);
	cr_expect_eq(read_gen(&python, page, &gen), -EFAULT, "its PyGC_Head is missing");
	cpython_close(&python);
}

/* All that a byte can be: a state, or nothing that CPython would write. */
Test(generator, in_a_state_that_there_is_not_is_torn)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_GENERATOR);

		for (int value = -128; value < 128; value++) {
			bool known = false;

			for (int state = 0; state < IMAGE_STATES; state++)
				known |= python.version->states[state] == value;
			known |= python.version->hex >= 0x030f0000 && value == 3; /* …_LOCKED */
			cpython_await(&python, at, 0x7000);
			put8(at + python.remote.layout.gen_frame_state, (uint8_t)value);
			cr_expect_eq(read_gen(&python, at, &gen), known ? 0 : -EAGAIN, "%s: %d",
				     python.version->name, value);
		}
	}
}

Test(generator, without_code_is_torn)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_COROUTINE);
		const struct layout *layout = &python.remote.layout;

		put64(layout->gen_code ? at + layout->gen_code :
					 cpython_frame(&python, at) + layout->frame_executable,
		      0);
		cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN, "%s", python.version->name);
	}
}

Test(generator, stands_at_an_instruction_of_its_code)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_GENERATOR);
		uint64_t frame = cpython_frame(&python, at);
		uint64_t code = get64(frame + python.remote.layout.frame_executable);
		uint64_t pointer = frame + python.remote.layout.frame_instr;

		cr_assert_eq(read_gen(&python, at, &gen), 0);
		cr_expect_eq(gen.instruction, IMAGE_MAKE * IMAGE_UNIT_BYTES);
		cpython_set_state(&python, at, IMAGE_SUSPENDED);
		cpython_set_stack(&python, at, (uint64_t[]){ 0x10 }, 1);
		for (unsigned int unit = 0; unit < IMAGE_AWAIT - 4; unit++) {
			cpython_stand(&python, at, unit);
			cr_assert_eq(read_gen(&python, at, &gen), 0);
			cr_expect_eq(gen.instruction, unit * IMAGE_UNIT_BYTES);
		}
		/* 3.11 and 3.12: _PyInterpreterFrame.prev_instr is before the first one at birth */
		put64(pointer, cpython_unit(&python, code, 0) - IMAGE_UNIT_BYTES);
		cpython_set_state(&python, at, IMAGE_CREATED);
		cr_assert_eq(read_gen(&python, at, &gen), 0);
		cr_expect_eq(gen.instruction, 0);
	}
}

Test(generator, that_stands_outside_its_code_is_torn)
{
	static const int64_t offsets[] = { -4096, -200, 1ll << 32, 1ll << 40, INT64_MIN };
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_GENERATOR);
		uint64_t frame = cpython_frame(&python, at);
		uint64_t code = get64(frame + python.remote.layout.frame_executable);

		for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
			put64(frame + python.remote.layout.frame_instr,
			      cpython_unit(&python, code, 0) + (uint64_t)offsets[i]);
			cpython_set_state(&python, at, IMAGE_SUSPENDED);
			cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN, "%s, %lld",
				     python.version->name, (long long)offsets[i]);
			cpython_set_state(&python, at, IMAGE_CREATED);
			cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN);
			/* while it runs the pointer need not be up to date, */
			cpython_set_state(&python, at, IMAGE_EXECUTING);
			cr_expect_eq(read_gen(&python, at, &gen), 0);
			cr_expect_eq(gen.instruction, NO_INSTRUCTION);
			/* and afterwards there is none */
			cpython_set_state(&python, at, IMAGE_CLEARED);
			cr_expect_eq(read_gen(&python, at, &gen), 0);
			cr_expect_eq(gen.instruction, NO_INSTRUCTION);
		}
	}
}

/* --- what it awaits --- */

static bool has_states_for_both(const struct cpython *python)
{
	return python->version->hex >= 0x030d0000;
}

Test(generator, awaits_what_its_stack_holds)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		for (size_t k = 0; k < sizeof(kinds); k++) {
			uint64_t at = add(&python, kinds[k]), awaited;

			awaited = cpython_object(&python, python.object, 16);
			cpython_await(&python, at, awaited);
			cr_assert_eq(read_gen(&python, at, &gen), 0, "%s", python.version->name);
			cr_expect_eq(gen.awaits, awaited, "%s: %llx", python.version->name,
				     (unsigned long long)gen.awaits);
			cpython_stand(&python, at, IMAGE_YIELD_FROM);
			cr_assert_eq(read_gen(&python, at, &gen), 0);
			cr_expect_eq(gen.awaits, awaited);
		}
	}
}

/* gi_yieldfrom of an object that has yielded is None, whatever is on its stack. */
Test(generator, that_yields_awaits_nothing)
{
	static const unsigned int units[] = { IMAGE_YIELD, IMAGE_AT_START, IMAGE_NO_RESUME };
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_GENERATOR);

		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			cpython_await(&python, at, 0x7000);
			cpython_set_state(&python, at, IMAGE_SUSPENDED);
			cpython_stand(&python, at, units[i]);
			cr_assert_eq(read_gen(&python, at, &gen), 0);
			cr_expect_eq(gen.awaits, 0, "%s, unit %u", python.version->name, units[i]);
		}
		cpython_stand(&python, at, IMAGE_AWAIT);
		cr_assert_eq(read_gen(&python, at, &gen), 0);
		cr_expect_eq(gen.awaits, has_states_for_both(&python) ? 0 : 0x7000);
	}
}

/* RESUME in other clothes: RESUME_QUICK of 3.11 (Include/opcode.h), INSTRUMENTED_RESUME of 3.12. There
 * is_resume() of Objects/genobject.c does not know INSTRUMENTED_LINE (254) and _INSTRUCTION (253). */
Test(generator, awaits_at_every_form_of_resume)
{
	static const struct {
		const char *version;
		uint8_t opcode;
		bool resumes;
	} known[] = {
		{ "3.11.2", 151, true },  { "3.11.2", 150, true },  { "3.11.2", 240, false },
		{ "3.12.1", 151, true },  { "3.12.1", 240, true },  { "3.12.1", 254, false },
		{ "3.12.1", 253, false }, { "3.12.1", 150, false }, { "3.12.1", 0, false },
		{ "3.11.2", 0, false },
	};
	struct cpython python;
	struct generator gen;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint64_t at, code;

		cpython_open(&python, image_version(known[i].version), CACHE_SIZE);
		at = add(&python, KIND_COROUTINE);
		code = get64(cpython_frame(&python, at) + python.remote.layout.frame_executable);
		cpython_await(&python, at, 0x7000);
		put8(cpython_unit(&python, code, IMAGE_AWAIT + 1), known[i].opcode);
		cr_assert_eq(read_gen(&python, at, &gen), 0);
		cr_expect_eq(gen.awaits, known[i].resumes ? 0x7000 : 0, "%s: %u", known[i].version,
			     known[i].opcode);
		cpython_close(&python);
	}
}

/* As _PyGen_yf() has it: up to 3.12 it goes by the instruction, which while the object is RUNNING is that of
 * its await only when a throw() or close() was handed on to what it awaits. */
Test(generator, awaits_while_it_is_suspended_only)
{
	static const enum image_state others[] = { IMAGE_CREATED, IMAGE_EXECUTING, IMAGE_COMPLETED,
						   IMAGE_CLEARED };
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_COROUTINE);

		for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
			cpython_await(&python, at, 0x7000);
			cpython_set_state(&python, at, others[i]);
			cr_assert_eq(read_gen(&python, at, &gen), 0);
			cr_expect_eq(gen.awaits,
				     others[i] == IMAGE_EXECUTING && *python.remote.inner.resume ?
					     0x7000 :
					     0);
		}
	}
}

static void set_stack_top(const struct cpython *python, uint64_t gen, int64_t slots)
{
	uint64_t frame = cpython_frame(python, gen);
	uint64_t at = frame + python->remote.inner.frame_stacktop;

	if (python->version->hex >= 0x030e0000)
		put64(at, frame + python->remote.inner.values.frame_localsplus +
				  (uint64_t)slots * sizeof(uint64_t));
	else
		put32(at, (uint32_t)slots);
}

/* -1: while it runs (3.11, 3.12, 3.13). */
Test(generator, with_a_stack_that_ends_elsewhere_is_torn)
{
	static const int64_t tops[] = { -1, 0, 1 << 24, 0x7fffffff, -0x7fffffff, 1ll << 34 };
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_COROUTINE);
		uint64_t top = cpython_frame(&python, at) + python.remote.inner.frame_stacktop;

		cpython_await(&python, at, 0x7000);
		for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
			set_stack_top(&python, at, tops[i]);
			cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN, "%s: %lld",
				     python.version->name, (long long)tops[i]);
		}
		if (python.version->hex < 0x030e0000)
			continue;
		put64(top, 0);
		cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN);
		put64(top, UINT64_MAX - 7);
		cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN);
		put64(top, cpython_frame(&python, at) + 4);
		cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN);
		set_stack_top(&python, at, 5);
		put64(top, get64(top) + 4); /* between two slots */
		cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN);
	}
}

Test(generator, with_an_empty_slot_is_torn)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_COROUTINE);

		cpython_await(&python, at, 0);
		cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN);
		if (python.version->hex < 0x030e0000)
			continue;
		cpython_await(&python, at, 1); /* PyStackRef_NULL */
		cr_expect_eq(read_gen(&python, at, &gen), -EAGAIN);
	}
}

/* Include/internal/pycore_stackref.h, 3.14 on: the low bits say whether a reference is counted. */
Test(generator, follows_tagged_references)
{
	struct cpython python;
	struct generator gen;

	EACH_VERSION(&python)
	{
		uint64_t at = add(&python, KIND_COROUTINE);
		uint64_t awaited = cpython_object(&python, python.object, 16), code;
		uint64_t executable =
			cpython_frame(&python, at) + python.remote.layout.frame_executable;

		if (python.version->hex < 0x030e0000)
			continue;
		code = get64(executable);
		cpython_await(&python, at, awaited | 1);
		cr_assert_eq(read_gen(&python, at, &gen), 0);
		cr_expect_eq(gen.awaits, awaited);
		put64(executable, code | 1);
		cr_assert_eq(read_gen(&python, at, &gen), 0);
		cr_expect_eq(gen.code, code);
		cr_expect_eq(gen.instruction, IMAGE_AWAIT * IMAGE_UNIT_BYTES);
		cr_expect_eq(gen.awaits, awaited);
	}
}

/* --- what stands between --- */

static uint64_t wrap(struct cpython *python, const char *type, uint64_t inner)
{
	uint64_t wrapper = cpython_object(python, cpython_type(python, type, python->object), 48);

	put64(wrapper + WRAPPED, inner);
	memory_forget_all(python->memory);
	return wrapper;
}

Test(generator, is_found_behind_what_wraps_it)
{
	static const char *const wrappers[] = { "coroutine_wrapper", "async_generator_asend",
						"async_generator_athrow", "anext_awaitable",
						"_asyncio.FutureIter" };
	struct cpython python;

	EACH_VERSION(&python)
	{
		uint64_t inner = add(&python, KIND_COROUTINE);

		cr_expect_eq(generator_unwrap(&python.remote, inner), inner);
		for (size_t i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
			uint64_t wrapper = wrap(&python, wrappers[i], inner);

			cr_expect_eq(generator_unwrap(&python.remote, wrapper), inner, "%s",
				     wrappers[i]);
		}
		/* anext(agen, default) awaits an asend() */
		cr_expect_eq(generator_unwrap(&python.remote,
					      wrap(&python, "anext_awaitable",
						   wrap(&python, "async_generator_asend", inner))),
			     inner);
	}
}

Test(generator, is_not_sought_behind_others)
{
	static const char *const others[] = { "list_iterator", "coroutine_wrapper2", "asend",
					      "app.coroutine_wrapper", "" };
	struct cpython python;
	uint64_t inner, wrapper;

	cpython_open(&python, image_version("3.13.0"), CACHE_SIZE);
	inner = add(&python, KIND_COROUTINE);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		wrapper = wrap(&python, others[i], inner);
		cr_expect_eq(generator_unwrap(&python.remote, wrapper), wrapper, "%s", others[i]);
	}
	wrapper = wrap(&python, "coroutine_wrapper", 0);
	cr_expect_eq(generator_unwrap(&python.remote, wrapper), wrapper);
	cr_expect_eq(generator_unwrap(&python.remote, 0), 0);
	cr_expect_eq(generator_unwrap(&python.remote, UINT64_MAX - 20), UINT64_MAX - 20);
	wrapper = wrap(&python, "anext_awaitable", 0);
	put64(wrapper + WRAPPED, wrapper); /* itself */
	memory_forget_all(python.memory);
	cr_expect_eq(generator_unwrap(&python.remote, wrapper), wrapper);
	cpython_close(&python);
}
