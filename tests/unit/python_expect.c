/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python_internal.h"

/* What must have come. */

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
