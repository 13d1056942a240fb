// SPDX-License-Identifier: MIT
#include "model/steps.h"

#include <errno.h>
#include <stdlib.h>

#include "model/table.h"

struct thread;

struct awaited {
	uint64_t *ids;
	size_t count;
};

struct object {
	uint64_t id;
	uint64_t birth_ns; /* 0: not seen */
	uint64_t self_ns;  /* of the step under way */
	bool running;
	bool whole;   /* the step's beginning was seen, and nothing was missed since */
	bool endless; /* an async generator */
	/* It is suspended, and nobody inside it with it; in an await, of it or of who drives it. */
	bool innermost, awaits;
	uint8_t kind;
	uint32_t code;
	uint32_t chain;        /* that waits */
	struct thread *thread; /* on whose stack it is; NULL: on none */
	struct awaited left;   /* async generators that left the stack with it, innermost last */
};

struct thread {
	uint64_t key; /* pid and tid */
	uint64_t last_ns;
	/* Who was suspended last, innermost, and all that came since were suspended with it. 0: nobody. */
	uint64_t waiting;
	struct stretch *stack; /* innermost last */
	size_t depth, room;
};

struct steps {
	struct steps_listener listener;
	struct table objects, threads;
	uint64_t seen;
};

/* --- life --- */

int steps_new(const struct steps_listener *listener, struct steps **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out && listener)
		(*out)->listener = *listener;
	return *out ? 0 : -ENOMEM;
}

void steps_free(struct steps *steps)
{
	if (!steps)
		return;
	for (size_t i = 0; i < steps->objects.room; i++)
		if (steps->objects.slots[i])
			free(((struct object *)steps->objects.slots[i])->left.ids);
	for (size_t i = 0; i < steps->threads.room; i++)
		if (steps->threads.slots[i])
			free(((struct thread *)steps->threads.slots[i])->stack);
	table_clear(&steps->objects);
	table_clear(&steps->threads);
	free(steps);
}

uint64_t steps_objects(const struct steps *steps)
{
	return steps->seen;
}

/* --- the stack of a thread --- */

static int push(struct steps *steps, struct thread *thread, struct object *object, uint64_t now_ns)
{
	const struct steps_listener *listener = &steps->listener;
	size_t room = thread->room ? thread->room * 2 : 16;
	struct stretch *grown, *top;

	if (thread->depth == thread->room) {
		grown = realloc(thread->stack, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		thread->stack = grown;
		thread->room = room;
	}
	top = &thread->stack[thread->depth];
	*top = (struct stretch){ .id = object->id,
				 .begin_ns = now_ns,
				 .depth = (uint32_t)thread->depth,
				 .pid = (uint32_t)(thread->key >> 32),
				 .tid = (uint32_t)thread->key,
				 .code = object->code,
				 .kind = object->kind };
	if (listener->enter)
		top->chain = listener->enter(listener->ctx, top, thread->depth ? top - 1 : NULL);
	object->thread = thread;
	thread->depth++;
	return 0;
}

static struct object *pop(struct steps *steps, struct thread *thread, uint64_t now_ns,
			  const struct transition_record *end)
{
	const struct steps_listener *listener = &steps->listener;
	const struct stretch *top = &thread->stack[--thread->depth];
	struct object *object = table_find(&steps->objects, top->id);

	if (listener->leave)
		listener->leave(listener->ctx, top, now_ns, end);
	if (object)
		object->thread = NULL;
	return object;
}

/* The place above the object on the thread's stack; 0: it is not there. */
static size_t above(const struct thread *thread, uint64_t id)
{
	size_t at = thread->depth;

	while (at && thread->stack[at - 1].id != id)
		at--;
	return at;
}

/* What is on the stack from there on is no longer, though nobody said so. */
static void cut(struct steps *steps, struct thread *thread, size_t depth, uint64_t now_ns)
{
	while (thread->depth > depth) {
		struct object *object = pop(steps, thread, now_ns, NULL);

		if (object)
			object->whole = false;
	}
}

/* An object that is on a stack where it can no longer be. */
static void remove_from_stack(struct steps *steps, struct object *object, uint64_t now_ns)
{
	if (object->thread)
		cut(steps, object->thread, above(object->thread, object->id) - 1, now_ns);
}

/* --- waits --- */

/* The one on top is suspended, and so is whoever drives it, when that is an await. So the waits begin
 * innermost first, with nothing between them; the first is told, with the chain of what is on top. */
static void wait_begins(struct steps *steps, struct thread *thread, struct object *object,
			const struct transition_record *t)
{
	struct object *inner = NULL;

	if (thread->waiting)
		inner = table_find(&steps->objects, thread->waiting);
	object->innermost = !inner;
	if (!inner) {
		inner = object;
		inner->chain = thread->stack[thread->depth - 1].chain;
		inner->awaits = false;
	}
	if (t->via == VIA_AWAIT)
		inner->awaits = true;
	thread->waiting = inner->id;
}

static void wait_ends(struct steps *steps, struct object *object, const struct transition_record *t)
{
	const struct steps_listener *listener = &steps->listener;

	if (object->innermost && object->awaits && listener->waited &&
	    t->head.flags & TRANSITION_HAS_SUSPENDED)
		listener->waited(listener->ctx, object->chain, t->suspended_ns);
	object->innermost = false;
}

/* --- transitions --- */

static int leave_with(struct object *with, uint64_t id)
{
	uint64_t *grown = realloc(with->left.ids, (with->left.count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	with->left.ids = grown;
	with->left.ids[with->left.count++] = id;
	return 0;
}

/* An object is suspended: async generators on top of it await. */
static int suspend(struct steps *steps, struct thread *thread, struct object *object, size_t depth,
		   const struct transition_record *t)
{
	int err = 0;

	object->left.count = 0;
	for (size_t at = depth; at < thread->depth && !err; at++) {
		struct object *inner = table_find(&steps->objects, thread->stack[at].id);

		if (inner && inner->endless)
			err = leave_with(object, inner->id);
		else if (inner)
			inner->whole = false;
	}
	wait_begins(steps, thread, object, t);
	while (thread->depth > depth)
		pop(steps, thread, t->head.ts_ns, NULL);
	pop(steps, thread, t->head.ts_ns, t);
	return err;
}

static int step_ends(struct steps *steps, struct thread *thread, struct object *object,
		     const struct transition_record *t)
{
	size_t depth = above(thread, object->id);

	object->running = false;
	if (t->to != STATE_SUSPENDED)
		thread->waiting = 0;
	if (!depth)
		return 0;
	if (t->to == STATE_SUSPENDED && !object->endless)
		return suspend(steps, thread, object, depth, t);
	thread->waiting = 0;
	cut(steps, thread, depth, t->head.ts_ns);
	pop(steps, thread, t->head.ts_ns, t);
	return 0;
}

static int step_begins(struct steps *steps, struct thread *thread, struct object *object,
		       const struct transition_record *t)
{
	uint64_t now_ns = t->head.ts_ns;
	size_t depth;
	int err;

	remove_from_stack(steps, object, now_ns); /* the end of that step was lost */
	depth = t->parent ? above(thread, t->parent) : 0;
	if (depth || !t->parent)
		cut(steps, thread, depth, now_ns);
	thread->waiting = 0;
	object->self_ns = 0;
	object->running = object->whole = true;
	err = push(steps, thread, object, now_ns);
	for (size_t i = 0; i < object->left.count && !err; i++) {
		struct object *inner = table_find(&steps->objects, object->left.ids[i]);

		if (inner && inner->running && !inner->thread)
			err = push(steps, thread, inner, now_ns);
	}
	object->left.count = 0;
	return err;
}

/* What has passed on the thread belongs to who is on top of it. */
static void pass(struct steps *steps, struct thread *thread, uint64_t now_ns)
{
	struct object *object = NULL;
	struct stretch *top;

	if (thread->depth && now_ns > thread->last_ns) {
		top = &thread->stack[thread->depth - 1];
		top->self_ns += now_ns - thread->last_ns;
		object = table_find(&steps->objects, top->id);
	}
	if (object)
		object->self_ns += now_ns - thread->last_ns;
	thread->last_ns = now_ns;
}

static struct object *object_have(struct steps *steps, const struct transition_record *t)
{
	size_t count = steps->objects.count;
	struct object *object = table_have(&steps->objects, t->id, sizeof(*object));

	if (!object)
		return NULL;
	if (t->code)
		object->code = t->code;
	if (steps->objects.count == count)
		return object;
	steps->seen++;
	object->kind = t->kind;
	object->endless = t->kind == KIND_ASYNC_GENERATOR;
	if (t->from == STATE_NONE)
		object->birth_ns = t->head.ts_ns;
	return object;
}

static void object_freed(struct steps *steps, struct object *object, uint64_t now_ns)
{
	remove_from_stack(steps, object, now_ns);
	table_take(&steps->objects, object->id);
	free(object->left.ids);
	free(object);
}

int steps_add(struct steps *steps, const struct transition_record *t, struct step_facts *out)
{
	struct thread *thread = table_have(
		&steps->threads, (uint64_t)t->head.pid << 32 | t->head.tid, sizeof(*thread));
	struct object *object = t->id ? object_have(steps, t) : NULL;
	int err = 0;

	*out = (struct step_facts){};
	if (!thread || (t->id && !object))
		return -ENOMEM;
	if (!object)
		return 0; /* no object has that id */
	pass(steps, thread, t->head.ts_ns);
	out->birth_ns = object->birth_ns;
	if (t->from == STATE_RUNNING) {
		out->has_self = object->whole;
		out->self_ns = object->self_ns;
		err = step_ends(steps, thread, object, t);
		object->whole = false;
	} else {
		wait_ends(steps, object, t);
	}
	if (!err && t->to == STATE_RUNNING)
		err = step_begins(steps, thread, object, t);
	if (t->to == STATE_NONE)
		object_freed(steps, object, t->head.ts_ns);
	return err;
}

void steps_end(struct steps *steps, uint64_t now_ns)
{
	for (size_t i = 0; i < steps->threads.room; i++) {
		struct thread *thread = (struct thread *)steps->threads.slots[i];

		if (!thread)
			continue;
		pass(steps, thread, now_ns > thread->last_ns ? now_ns : thread->last_ns);
		cut(steps, thread, 0, thread->last_ns);
	}
}
