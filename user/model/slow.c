// SPDX-License-Identifier: MIT
/*
 * Each thread has a stack of slots, one for an object that runs; a slot keeps what it held until the one
 * below it begins another step, so that at the end of a step the slots above tell what it awaits.
 */
#include "model/slow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_FIRST 64  /* slots of the table; a power of two */
#define DEPTH_MAX     512 /* of the objects that run inside one another; deeper ones are not kept */
#define IDLE_NS       60000000000ull /* threads that were quiet for longer are dropped for new ones */

struct slot {
	struct slow_place place;
	uint64_t parent;
	bool awaited; /* whoever resumed it is suspended with it */
};

struct thread {
	uint32_t pid, tid; /* tid 0: none */
	uint64_t last_ns;
	struct slot *slots;
	size_t room;
	size_t top;                              /* slots of objects that run */
	size_t used;                             /* …and those above that belong to their steps */
	struct slow_place chain[SLOW_CHAIN_MAX]; /* [0] is for the step's object */
	size_t chain_count;
	struct slow_place inner[SLOW_INNER_MAX];
	size_t inner_count;
	uint64_t inner_left; /* more of them */
	struct contexts contexts;
};

/* An async generator is RUNNING while it awaits: it comes back without a word. */
struct agen {
	struct slot slot;
	struct agen *next;
};

struct slow {
	struct slow_options options;
	struct thread **threads; /* open addressing */
	size_t thread_count, thread_room;
	struct agen *agens;
};

int slow_new(const struct slow_options *options, struct slow **out)
{
	struct slow *slow = calloc(1, sizeof(*slow));

	if (slow)
		slow->threads = calloc(THREADS_FIRST, sizeof(struct thread *));
	if (!slow || !slow->threads) {
		free(slow);
		return -ENOMEM;
	}
	slow->options = *options;
	slow->thread_room = THREADS_FIRST;
	*out = slow;
	return 0;
}

static void thread_free(struct thread *thread)
{
	if (thread)
		free(thread->slots);
	free(thread);
}

void slow_free(struct slow *slow)
{
	if (!slow)
		return;
	for (size_t i = 0; i < slow->thread_room; i++)
		thread_free(slow->threads[i]);
	while (slow->agens) {
		struct agen *agen = slow->agens;

		slow->agens = agen->next;
		free(agen);
	}
	free(slow->threads);
	free(slow);
}

/* --- threads --- */

static struct thread **find_place(struct thread **table, size_t room, uint32_t pid, uint32_t tid)
{
	size_t at = ((size_t)tid * 0x9e3779b1u ^ pid) & (room - 1);

	while (table[at] && (table[at]->tid != tid || table[at]->pid != pid))
		at = (at + 1) & (room - 1);
	return &table[at];
}

/* Makes room: drops those that have been quiet, and doubles the table if that is not enough. */
static int make_room(struct slow *slow, uint64_t now_ns)
{
	size_t kept = 0, room = slow->thread_room;
	struct thread **table;

	for (size_t i = 0; i < slow->thread_room; i++)
		kept += slow->threads[i] && slow->threads[i]->last_ns + IDLE_NS >= now_ns;
	while (room < kept * 4)
		room *= 2;
	table = calloc(room, sizeof(struct thread *));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < slow->thread_room; i++) {
		struct thread *thread = slow->threads[i];

		if (thread && thread->last_ns + IDLE_NS >= now_ns)
			*find_place(table, room, thread->pid, thread->tid) = thread;
		else
			thread_free(thread);
	}
	free(slow->threads);
	slow->threads = table;
	slow->thread_room = room;
	slow->thread_count = kept;
	return 0;
}

/* Its thread, made at first sight; NULL: out of memory. */
static struct thread *thread_of(struct slow *slow, const struct event *event)
{
	struct thread **place =
		find_place(slow->threads, slow->thread_room, event->pid, event->tid);

	if (!*place && slow->thread_count * 2 >= slow->thread_room) {
		if (make_room(slow, event->ts_ns))
			return NULL;
		place = find_place(slow->threads, slow->thread_room, event->pid, event->tid);
	}
	if (!*place) {
		*place = calloc(1, sizeof(**place));
		if (!*place)
			return NULL;
		(*place)->pid = event->pid;
		(*place)->tid = event->tid;
		slow->thread_count++;
	}
	(*place)->last_ns = event->ts_ns;
	return *place;
}

/* --- slots --- */

static bool is_awaiting_via(uint8_t via)
{
	return via != VIA_UNKNOWN && via != VIA_NEXT && via != VIA_SEND && via != VIA_FOR;
}

static int push(struct thread *thread, const struct slot *slot)
{
	struct slot *grown;

	if (thread->top >= DEPTH_MAX)
		return 0;
	if (thread->top == thread->room) {
		size_t room = thread->room ? 2 * thread->room : 16;

		grown = realloc(thread->slots, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		thread->slots = grown;
		thread->room = room;
	}
	thread->slots[thread->top++] = *slot;
	thread->used = thread->top;
	return 0;
}

/* The slot of an object that runs, or `top` if it has none. */
static size_t slot_of(const struct thread *thread, uint64_t id)
{
	for (size_t i = thread->top; i-- > 0;)
		if (thread->slots[i].place.id == id)
			return i;
	return thread->top;
}

static struct agen **agen_of(struct slow *slow, uint64_t id)
{
	struct agen **at = &slow->agens;

	while (*at && (*at)->slot.place.id != id)
		at = &(*at)->next;
	return at;
}

static int keep_agen(struct slow *slow, const struct slot *slot)
{
	struct agen *agen = malloc(sizeof(*agen));

	if (!agen)
		return -ENOMEM;
	agen->slot = *slot;
	agen->next = slow->agens;
	slow->agens = agen;
	return 0;
}

static void forget_agen(struct slow *slow, uint64_t id)
{
	struct agen **at = agen_of(slow, id), *agen = *at;

	if (!agen)
		return;
	*at = agen->next;
	free(agen);
}

static struct slow_place place_of(const struct event *event)
{
	const struct transition_record *t = event->transition;

	return (struct slow_place){ .id = t->id,
				    .gen = t->gen,
				    .code = event->code,
				    .line = event->line,
				    .kind = t->kind,
				    .to = t->to,
				    .run_ns = t->run_ns,
				    .ts_ns = event->ts_ns };
}

static int resumed(struct slow *slow, struct thread *thread, const struct event *event)
{
	const struct transition_record *t = event->transition;
	struct slot slot = { .place = place_of(event),
			     .parent = t->parent,
			     .awaited = is_awaiting_via(t->via) };
	size_t parent = slot_of(thread, t->parent);
	int err = 0;

	if (!t->parent)
		thread->top = 0;
	else if (parent < thread->top)
		thread->top = parent + 1;
	else if (*agen_of(slow, t->parent))
		err = push(thread, &(*agen_of(slow, t->parent))->slot);
	if (!err)
		err = push(thread, &slot);
	if (!err && t->kind == KIND_ASYNC_GENERATOR)
		err = keep_agen(slow, &slot);
	return err;
}

/* --- ends --- */

/* What the step's object awaits now, out of the slots above its own. */
static void gather_chain(struct thread *thread)
{
	thread->chain_count = 1;
	for (size_t i = 1; i < thread->used && thread->chain_count < SLOW_CHAIN_MAX; i++) {
		const struct slot *slot = &thread->slots[i];
		bool is_agen = slot->place.kind == KIND_ASYNC_GENERATOR;

		if (slot->parent != thread->slots[i - 1].place.id || !slot->awaited ||
		    slot->place.to != (is_agen ? STATE_RUNNING : STATE_SUSPENDED))
			return;
		thread->chain[thread->chain_count] = slot->place;
		if (is_agen) /* where it was resumed; where it awaits no event tells */
			thread->chain[thread->chain_count].line = 0;
		thread->chain_count++;
	}
}

static void add_inner(struct thread *thread, const struct slow_place *place)
{
	if (thread->inner_count == SLOW_INNER_MAX) { /* the latest tell more */
		memmove(thread->inner, thread->inner + 1,
			--thread->inner_count * sizeof(thread->inner[0]));
		thread->inner_left++;
	}
	thread->inner[thread->inner_count++] = *place;
}

static int ended(struct slow *slow, struct thread *thread, const struct event *event)
{
	const struct transition_record *t = event->transition;
	struct slow_step step = { .event = event,
				  .begin_ns = event->ts_ns - t->run_ns,
				  .run_ns = t->run_ns,
				  .chain = thread->chain,
				  .inner = thread->inner,
				  .inner_left = thread->inner_left };
	size_t first = 0;

	thread->chain[0] = place_of(event);
	while (first < thread->inner_count && thread->inner[first].ts_ns < step.begin_ns)
		first++;
	step.inner += first;
	step.inner_count = thread->inner_count - first;
	step.chain_count = thread->chain_count > 1 ? thread->chain_count : 1;
	if (t->to == STATE_CLOSED)
		step.chain_count = 1;
	contexts_reasons(&thread->contexts, step.begin_ns, event->ts_ns, &step.reasons);
	return slow->options.step(slow->options.ctx, &step);
}

/* An async generator's step has its awaits inside: of those before the outermost object was resumed the thread
 * was free. (BPF leaves them out itself where it tells of slow steps only.) */
static uint64_t held_ns(const struct thread *thread, const struct event *event)
{
	const struct transition_record *t = event->transition;
	uint64_t longest = t->run_ns;

	if (t->kind == KIND_ASYNC_GENERATOR && t->parent && thread->top)
		longest = event->ts_ns - thread->slots[0].place.ts_ns;
	return t->run_ns < longest ? t->run_ns : longest;
}

static int left(struct slow *slow, struct thread *thread, const struct event *event)
{
	const struct transition_record *t = event->transition;
	size_t at = slot_of(thread, t->id);
	struct slow_place place = place_of(event);
	bool is_slow;
	int err = 0;

	place.run_ns = held_ns(thread, event);
	is_slow = (t->head.flags & TRANSITION_HAS_RUN) && place.run_ns >= slow->options.over_ns;
	if (t->kind == KIND_ASYNC_GENERATOR)
		forget_agen(slow, t->id);
	if (at < thread->top) {
		thread->slots[at].place = place;
		thread->top = at;
	}
	if (t->parent) {
		if (is_slow)
			add_inner(thread, &place);
		return 0;
	}
	if (thread->chain_count > 1 && thread->chain[1].ts_ns != event->ts_ns)
		thread->chain_count = 0; /* of a step whose end was lost */
	if (is_slow) {
		if (thread->chain_count <= 1 && !at && thread->used)
			gather_chain(thread);
		err = ended(slow, thread, event);
	}
	thread->chain_count = thread->inner_count = thread->inner_left = 0;
	return err;
}

/* Of the next step that ends, from the outside in. What is left of another one lost its end. */
static void add_to_chain(struct thread *thread, const struct event *event)
{
	if (thread->chain_count > 1 && thread->chain[1].ts_ns != event->ts_ns)
		thread->chain_count = 0;
	if (!thread->chain_count)
		thread->chain_count = 1;
	if (thread->chain_count < SLOW_CHAIN_MAX)
		thread->chain[thread->chain_count++] = place_of(event);
}

int slow_event(struct slow *slow, const struct event *event)
{
	const struct transition_record *t = event->transition;
	struct thread *thread;

	if (event->type == EVENT_LIVING)
		return 0;
	thread = thread_of(slow, event);
	if (!thread)
		return -ENOMEM;
	if (event->type != EVENT_TRANSITION) {
		contexts_add(&thread->contexts, event);
		return 0;
	}
	if (t->head.flags & TRANSITION_CHAIN) {
		add_to_chain(thread, event);
		return 0;
	}
	if (t->to == STATE_RUNNING)
		return slow->options.complete ? resumed(slow, thread, event) : 0;
	return t->from == STATE_RUNNING ? left(slow, thread, event) : 0;
}

void slow_reasons(const struct slow *slow, uint32_t pid, uint32_t tid, uint64_t begin_ns,
		  uint64_t end_ns, struct reasons *out)
{
	struct thread *const *place = find_place(slow->threads, slow->thread_room, pid, tid);

	*out = (struct reasons){};
	if (*place)
		contexts_reasons(&(*place)->contexts, begin_ns, end_ns, out);
}
