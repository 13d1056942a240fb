/* SPDX-License-Identifier: MIT */
/*
 * From a probe hit to a transition.
 *
 * Two things are followed for each object. Its frame state (gi_frame_state) says what really runs:
 * it keeps the thread's stack, and its illegal sequences are anomalies. Its visible state is what
 * inspect would say, and a change of it is an event. They differ for async generators only.
 *
 * Who resumed it is found out in cause.bpf.h; what --steps leaves out, in steps.bpf.h.
 *
 * Every hit has exactly one outcome, counted where it is decided: an event, filtered, redundant, a
 * cause, a stranger, or lost.
 */
#ifndef GENSCOPE_TRANSITION_BPF_H
#define GENSCOPE_TRANSITION_BPF_H

#include "cause.bpf.h"
#include "code.bpf.h"
#include "company.bpf.h"
#include "cpython.bpf.h"
#include "distributions.bpf.h"
#include "locals.bpf.h"
#include "place.bpf.h"
#include "process.bpf.h"
#include "state.bpf.h"
#include "steps.bpf.h"
#include "task.bpf.h"

/* The new state that a hit brings. */
struct change {
	u8 frame; /* enum object_state, STATE_NONE: not a state CPython knows */
	u8 async;
	u8 yields_from;  /* when suspended: in yield from or await, or the version does not tell */
	u8 memory_frame; /* as memory has it now: the old state when the store is still to come */
	u8 memory_async;
};

static __always_inline void anomaly(const struct hit *hit)
{
	count(STAT_ANOMALIES);
	count_site(site_anomalies, hit->site_index);
}

/* One visible transition, before filters. */
struct step {
	u8 from;
	u8 to;
	u8 via;
	u8 first_seen;
	u32 instruction;
	u64 parent;
};

static __always_inline bool read_change(const struct hit *hit, const struct pt_regs *regs,
					struct change *change)
{
	const struct site *site = hit->site;
	u8 bytes[2]; /* ag_running_async lies right before gi_frame_state */
	s8 value;

	if (bpf_probe_read_user(bytes, sizeof(bytes),
				(void *)(hit->gen + hit->image->layout.gen_running_async)))
		return false;
	change->memory_async = hit->kind == KIND_ASYNC_GENERATOR && bytes[0];
	change->memory_frame = frame_state(&hit->image->layout, (s8)bytes[1]);
	change->async = change->memory_async;
	change->frame = change->memory_frame;
	change->yields_from = yields_from(&hit->image->layout, (s8)bytes[1]);
	/* 3.11 leaves EXECUTING behind what has ended, until its caller looks */
	if (site->role == SITE_RETURN && change->frame == STATE_RUNNING)
		change->frame = STATE_CLOSED;
	if (site->from == VALUE_MEMORY)
		return true;
	if (!stored_value(site, regs, &value))
		return false;
	if (site->role == SITE_RUNNING_ASYNC) {
		change->async = hit->kind == KIND_ASYNC_GENERATOR && value;
	} else {
		change->frame = frame_state(&hit->image->layout, value);
		change->yields_from = yields_from(&hit->image->layout, value);
	}
	if (site->role == SITE_BOTH && site->from == VALUE_CONSTANT)
		change->async = hit->kind == KIND_ASYNC_GENERATOR && site->value_async;
	return true;
}

/* The state before this hit of an object that was never seen: from memory when the store is still to
 * come, else by what must have been. */
static __always_inline u8 inferred_state(const struct hit *hit, const struct thread *thread,
					 const struct change *change, u64 code, u32 instruction)
{
	u8 waiting = is_unstarted(hit, code, instruction) ? STATE_CREATED : STATE_SUSPENDED;

	if (hit->site->role == SITE_RUNNING_ASYNC)
		return change->memory_frame;
	if (hit->site->from != VALUE_MEMORY)
		return change->memory_frame;
	switch (change->frame) {
	case STATE_CREATED:
		return STATE_NONE;
	case STATE_RUNNING:
		return waiting;
	case STATE_CLOSED:
		/* by its method without running (a shortcut of 3.13), by dealloc, or it ran */
		return waiting == STATE_CREATED || !references(hit) ||
				       is_close(pending_via(thread, hit)) ?
			       waiting :
			       STATE_RUNNING;
	}
	return STATE_RUNNING;
}

static __always_inline struct object *enter_object(const struct hit *hit, struct thread *thread,
						   const struct change *change)
{
	struct object_key key = { .process = hit->process, .gen = hit->gen };
	struct object fresh = {};
	u32 instruction;
	u64 code;

	process_seen(hit->process, hit->tid);
	fresh.kind = hit->kind;
	fresh.code_address = code_of(hit);
	code = code_entry(hit, fresh.code_address);
	fresh.code = CODE_ID(code);
	fresh.code_pending = CODE_PENDING(code);
	instruction = instruction_of(hit, fresh.code_address);
	fresh.instruction = instruction;
	fresh.frame = inferred_state(hit, thread, change, fresh.code_address, instruction);
	fresh.yields_from = 1; /* not known */
	if (thread->async_gen == hit->gen)
		fresh.async_via = thread->async_via;
	fresh.async = change->memory_async;
	if (hit->site->role == SITE_RUNNING_ASYNC && hit->site->from == VALUE_MEMORY)
		fresh.async = !change->async;
	fresh.visible = visible_state(fresh.kind, fresh.frame, fresh.async);
	if (change->frame == STATE_CREATED && hit->site->role != SITE_RUNNING_ASYNC) {
		fresh.birth_ns = hit->now;
		fresh.origin = ORIGIN_BIRTH;
		fresh.frame = STATE_NONE;
		fresh.visible = STATE_NONE;
	}
	if (settings.makers && fresh.origin == ORIGIN_BIRTH)
		keep_maker(hit, &fresh);
	fresh.id = __sync_fetch_and_add(&last_object_id, 1) + 1;
	if (bpf_map_update_elem(&objects, &key, &fresh, BPF_ANY))
		return NULL;
	count(STAT_OBJECTS);
	return bpf_map_lookup_elem(&objects, &key);
}

/* Is the store that of an object's birth, or still before it? */
static __always_inline bool is_birth(const struct hit *hit, const struct change *change)
{
	if (hit->site->role == SITE_RUNNING_ASYNC)
		return false;
	return change->frame == STATE_CREATED ||
	       (change->frame == STATE_CLOSED && hit->site->role == SITE_FRAME_STATE &&
		in_the_making(hit));
}

/* The first hit of an object that the user side entered from memory: where that can be told apart, what is
 * there now counts more. False: another object lived here when it was read. */
static __always_inline bool confirm_seed(const struct hit *hit, struct thread *thread,
					 const struct change *change, struct object *object)
{
	u64 code;

	if (is_birth(hit, change) || code_of(hit) != object->code_address)
		return false;
	process_seen(hit->process, hit->tid);
	code = code_entry(hit, object->code_address);
	object->code = CODE_ID(code);
	object->code_pending = CODE_PENDING(code);
	if (hit->site->from != VALUE_MEMORY || hit->site->role == SITE_RUNNING_ASYNC)
		object->frame = change->memory_frame;
	else if (object->frame == change->frame ? change->frame != STATE_CLOSED :
						  !legal_change(object->frame, change->frame))
		object->frame = inferred_state(hit, thread, change, object->code_address,
					       instruction_of(hit, object->code_address));
	object->async = change->memory_async;
	if (hit->site->role == SITE_RUNNING_ASYNC && hit->site->from == VALUE_MEMORY)
		object->async = !change->async;
	if (thread->async_gen == hit->gen)
		object->async_via = thread->async_via;
	object->visible = visible_state(object->kind, object->frame, object->async);
	object->origin = ORIGIN_FIRST_SEEN;
	count(STAT_OBJECTS);
	return true;
}

static __always_inline void frame_entered(const struct hit *hit, struct thread *thread,
					  struct object *object)
{
	u8 via = settings.stream ? cause_of(hit, thread, object, STATE_RUNNING) : VIA_UNKNOWN;
	bool delegates = false;

	if (hit->site->where != SITE_IN_EVAL && object->yields_from &&
	    (via == VIA_THROW || is_close(via)))
		/* a frame that really runs has been linked into the thread's exception stack */
		delegates = !read_pointer(hit->gen + hit->image->layout.gen_previous_item);
	object->step_via = via;
	push(thread, object, hit->gen, hit->now);
	object->tid = hit->tid;
	thread->delegated_via = delegates ? via : VIA_UNKNOWN;
	if (delegates)
		thread->delegated_frame = caller_frame(hit);
	thread->closed_under = 0;
	if (delegates && !hit->image->layout.executes_first) {
		object->delegated_via = via;
		return; /* the method's cause stays pending for the resume that follows */
	}
	object->delegated_via = 0;
	forget_pending(thread, hit->gen);
}

/* gen_close() of 3.15 sets EXECUTING before it finds that nothing needs to run: then the frame still
 * stands where it was suspended, not at a return. */
static __always_inline bool was_closed_unrun(const struct hit *hit, const struct object *object)
{
	const struct layout *layout = &hit->image->layout;
	u64 at = read_pointer(hit->gen + layout->gen_iframe + layout->frame_instr);

	return layout->executes_first && is_close(object->step_via) &&
	       opcode_class_at(hit, object->code_address, at) != OPCODE_RETURN;
}

static __always_inline void frame_left(const struct hit *hit, struct thread *thread,
				       struct object *object, u8 to)
{
	u64 raised;

	if (settings.chains)
		keep_inner(thread, object, hit->gen, to);
	pop(thread, object, hit->gen, hit->now);
	if (!settings.stream) /* nobody asks how it ended */
		return;
	thread->delegated_via = VIA_UNKNOWN;
	if (to == STATE_SUSPENDED) {
		object->exit_via = object->kind == KIND_COROUTINE ? VIA_AWAIT : VIA_YIELD;
		if (!object->delegated_via)
			return;
		/* put back after a delegated call: if that raised, or closed the inner one (throw of a
		 * GeneratorExit), the resume is still to come; if the inner one yielded, none is */
		if (object->delegated_via == VIA_THROW && thread->closed_under != hit->gen &&
		    !exception_type(hit)) {
			object->delegated_via = 0;
			forget_pending(thread, hit->gen);
		}
		return;
	}
	if (object->step_via == VIA_THROW || is_close(object->step_via))
		thread->closed_under = object->driver_gen;
	raised = exception_type(hit);
	if (!raised)
		object->exit_via = was_closed_unrun(hit, object) ? VIA_CLOSE : VIA_RETURN;
	else if ((is_close(object->step_via) || is_close(object->async_via)) &&
		 is_generator_exit(hit, raised))
		object->exit_via = VIA_CLOSE;
	else
		object->exit_via = VIA_RAISE;
	object->delegated_via = 0;
}

/* Follow gi_frame_state; an illegal change is counted and then believed. */
static __always_inline void follow_frame(const struct hit *hit, struct thread *thread,
					 struct object *object, const struct change *change)
{
	u8 from = object->frame, to = change->frame;

	if (from == to) {
		if (hit->site->role == SITE_FRAME_STATE && to != STATE_CLOSED)
			anomaly(hit);
		return;
	}
	if (!legal_change(from, to))
		anomaly(hit);
	if (from == STATE_RUNNING) {
		if (settings.stream || settings.steps || settings.places)
			object->instruction = instruction_of(hit, object->code_address);
		frame_left(hit, thread, object, to);
	}
	if (to == STATE_RUNNING) {
		frame_entered(hit, thread, object);
	} else if (to == STATE_CLOSED && from != STATE_RUNNING &&
		   (settings.stream || (settings.suspects && from == STATE_CREATED))) {
		object->exit_via = cause_of(hit, thread, object, to);
		object->delegated_via = 0;
		thread->closed_under = thread->top_gen;
		forget_pending(thread, hit->gen);
	}
	object->frame = to;
	object->yields_from = change->yields_from;
}

static __always_inline u8 via_of(const struct object *object, const struct hit *hit, u8 from, u8 to)
{
	if (to == STATE_CREATED)
		return VIA_CREATE;
	if (to == STATE_NONE)
		return VIA_FREE;
	if (to != STATE_RUNNING)
		return object->exit_via;
	if (hit->kind == KIND_ASYNC_GENERATOR && object->async)
		return object->async_via ? object->async_via : VIA_ANEXT;
	return object->step_via;
}

/* Keep the times, and say whether the filters let it through. */
static __always_inline bool account(const struct hit *hit, struct object *object,
				    const struct step *step, struct times *times, u16 *flags)
{
	u64 elapsed = object->changed_ns ? hit->now - object->changed_ns : 0;

	*flags = step->first_seen ? TRANSITION_FIRST_SEEN : 0;
	if (object->changed_ns && step->from == STATE_RUNNING) {
		times->run_ns = step_ns(object, elapsed);
		times->self_ns = object->self_ns;
		*flags |= TRANSITION_HAS_RUN;
		object->run_sum_ns += elapsed;
	}
	if (step->from == STATE_RUNNING)
		object->self_ns = 0;
	if (object->changed_ns && step->from == STATE_SUSPENDED) {
		times->suspended_ns = elapsed;
		*flags |= TRANSITION_HAS_SUSPENDED;
		object->suspended_sum_ns += elapsed;
	}
	if (object->birth_ns && step->from == STATE_CREATED && step->to == STATE_RUNNING)
		times->start_ns = hit->now - object->birth_ns;
	if (object->birth_ns && step->to == STATE_CLOSED)
		times->lifetime_ns = hit->now - object->birth_ns;
	if (settings.distributions_live) {
		times->to = step->to;
		times->outermost = step->to == STATE_RUNNING && !step->parent && hit->site->entry;
		times->id = object->id;
		times->now = hit->now;
		times->slow =
			settings.slow_ns && times->run_ns >= settings.slow_ns && !step->parent;
		times->never_awaited =
			settings.suspects && object->kind == KIND_COROUTINE &&
			is_suspect(object, step->from, step->to, step->via, step->parent);
	}
	object->changed_ns = hit->now;
	object->visible = step->to;
	object->seq++;

	if (!(settings.kinds & 1u << (hit->kind & 3)))
		return false;
	if (!settings.min_run_ns && !settings.min_suspended_ns)
		return true;
	if (settings.suspects && is_suspect(object, step->from, step->to, step->via, step->parent))
		return true;
	return (settings.min_run_ns && times->run_ns >= settings.min_run_ns) ||
	       (settings.min_suspended_ns && times->suspended_ns >= settings.min_suspended_ns);
}

static __noinline void emit(const struct hit *hit, struct object *object, const struct step *step)
{
	struct transition_record *record;
	struct times times = {};
	u16 flags;

	if (!account(hit, object, step, &times, &flags)) {
		count(STAT_FILTERED);
		return;
	}
	if (settings.filter_codes || !object->code || object->code_pending) {
		u64 code = code_entry(hit, object->code_address);

		if (code) {
			object->code = CODE_ID(code);
			object->code_pending = CODE_PENDING(code);
		}
		if (settings.filter_codes && CODE_VERDICT(code) == VERDICT_DROP) {
			count(STAT_FILTERED);
			return;
		}
	}
	if (settings.distributions && !settings.tasks)
		distribute(object->code, &times);
	else if (settings.distributions && object->task_row && object->task_row != TASK_UNKNOWN)
		distribute(object->task_row, &times);
	if (!settings.stream) {
		count(STAT_EVENTS);
		return;
	}
	if (settings.chains && step->from == STATE_RUNNING && !step->parent)
		send_chain(hit, object);
	/* a frame that has ended is being cleared */
	if (settings.locals && step->to != STATE_CLOSED && step->to != STATE_NONE)
		flags |= locals_of(hit, object);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(STAT_LOST_RING);
		return;
	}
	record->head.size = sizeof(*record);
	record->head.type = RECORD_TRANSITION;
	record->head.flags = flags;
	record->head.pid = hit->process >> 32;
	record->head.tid = hit->tid;
	record->head.ts_ns = hit->now;
	record->gen = hit->gen;
	record->id = object->id;
	record->parent = step->parent;
	record->run_ns = times.run_ns;
	record->suspended_ns = times.suspended_ns;
	record->seq = object->seq;
	record->code = object->code;
	record->instruction = step->instruction;
	record->kind = hit->kind;
	record->from = step->from;
	record->to = step->to;
	record->via = step->via;
	record->epoch = (u32)hit->process;
	record->site = hit->site_index;
	record->maker_code = object->maker_code;
	record->maker_instruction = object->maker_instruction;
	count(STAT_EVENTS);
	bpf_ringbuf_submit(record, ring_flags());
}

static __always_inline void on_free(const struct hit *hit, struct thread *thread)
{
	struct object_key key = { .process = hit->process, .gen = hit->gen };
	struct object *object = bpf_map_lookup_elem(&objects, &key);
	struct step step = { .to = STATE_NONE, .via = VIA_FREE, .instruction = NO_INSTRUCTION };

	forget_pending(thread, hit->gen); /* its address may be the next one's */
	if (!object) {                    /* older than the tracer and never touched since */
		count(STAT_REDUNDANT);
		return;
	}
	if (object->origin == ORIGIN_SEEDED)
		count(STAT_OBJECTS); /* its only hit */
	if (object->frame != STATE_CLOSED)
		anomaly(hit);
	step.from = object->visible;
	emit(hit, object, &step);
	bpf_map_delete_elem(&objects, &key);
}

/* The entry of this object, made at first sight; NULL once the outcome of the hit is decided. */
static __always_inline struct object *find_object(const struct hit *hit, struct thread *thread,
						  const struct change *change, bool *first_seen)
{
	struct object_key key = { .process = hit->process, .gen = hit->gen };
	struct object *object = bpf_map_lookup_elem(&objects, &key);

	*first_seen = false;
	if (hit->outermost && object && is_another_object(hit, object)) {
		bpf_map_delete_elem(&objects, &key);
		object = NULL;
	}
	if (object && object->origin == ORIGIN_SEEDED) {
		*first_seen = confirm_seed(hit, thread, change, object);
		if (*first_seen)
			return object;
		bpf_map_delete_elem(&objects, &key);
		object = NULL;
	}
	if (!object && change->frame == STATE_CLOSED &&
	    (hit->site->role == SITE_RUNNING_ASYNC || settings.forget_closed || hit->outermost)) {
		count(STAT_REDUNDANT); /* of an object that is nothing yet, or no more */
		return NULL;
	}
	if (change->frame == STATE_CLOSED && hit->site->role == SITE_FRAME_STATE &&
	    in_the_making(hit)) {
		if (object) { /* its free was missed */
			anomaly(hit);
			bpf_map_delete_elem(&objects, &key);
		}
		count(STAT_REDUNDANT);
		return NULL;
	}
	if (object && change->frame == STATE_CREATED && object->frame != STATE_CREATED &&
	    hit->site->role != SITE_RUNNING_ASYNC) {
		anomaly(hit);
		bpf_map_delete_elem(&objects, &key);
		object = NULL;
	}
	if (object)
		return object;
	object = enter_object(hit, thread, change);
	if (!object)
		count(STAT_LOST_MAP_FULL);
	else
		*first_seen = object->origin != ORIGIN_BIRTH;
	return object;
}

static __always_inline void forget_object_of(const struct hit *hit)
{
	struct object_key key = { .process = hit->process, .gen = hit->gen };

	bpf_map_delete_elem(&objects, &key);
}

static __always_inline void on_store(const struct hit *hit, const struct pt_regs *regs,
				     struct thread *thread)
{
	struct change change = {};
	struct step step = {};
	struct object *object;
	bool first_seen, async_ended;
	u64 driver;

	if (hit->outermost && is_driven(hit, thread)) {
		count(STAT_FILTERED);
		return;
	}
	if (!read_change(hit, regs, &change)) {
		count(STAT_LOST_FAULT);
		return;
	}
	if (change.frame == STATE_NONE) { /* no state of CPython's: a store to something else */
		count(STAT_REDUNDANT);
		anomaly(hit);
		return;
	}
	object = find_object(hit, thread, &change, &first_seen);
	if (!object)
		return;
	driver = thread->top_gen == hit->gen ? object->driver_id : thread->top_id;
	step.parent = object->visible == STATE_RUNNING ? object->driver_id : 0;
	follow_frame(hit, thread, object, &change);
	async_ended = follow_async(thread, object, hit->gen, change.async);
	step.from = object->visible;
	step.to = visible_state(hit->kind, object->frame, object->async);
	if (step.from == step.to) {
		if (async_ended) /* asend() that failed before anything ran */
			object->async_via = 0;
		count(STAT_REDUNDANT);
		return;
	}
	step.via = via_of(object, hit, step.from, step.to);
	step.first_seen = first_seen;
	if (step.to == STATE_RUNNING)
		step.parent = driver;
	if (settings.tasks && step.to == STATE_RUNNING && !driver && !object->task_row &&
	    hit->kind == KIND_COROUTINE)
		object->task_row = find_task(hit, regs);
	if (step.from == STATE_RUNNING)
		step.instruction = object->instruction;
	else if (settings.stream)
		step.instruction = instruction_of(hit, object->code_address);
	if (step.from == STATE_RUNNING)
		object->async_via = 0;
	emit(hit, object, &step);
	if ((settings.forget_closed || hit->outermost) && step.to == STATE_CLOSED)
		forget_object_of(hit);
}

static __always_inline void on_hit(struct pt_regs *regs, u64 cookie)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hit hit = { .site_index = COOKIE_SITE(cookie) & (SITES_MAX - 1) };
	struct thread *thread;
	u32 image, epoch;
	u8 watch;

	if (settings.attachments)
		__sync_fetch_and_add(
			&attachment_hits[COOKIE_ATTACHMENT(cookie) & (ATTACHMENTS_MAX - 1)], 1);
	watch = watched[COOKIE_ATTACHMENT(cookie) & (ATTACHMENTS_MAX - 1)];
	if (watch == WATCH_NOTHING) {
		count(STAT_UNWATCHED); /* before the run or after it */
		return;
	}
	count(STAT_HITS);
	count_site(site_hits, hit.site_index);
	hit.site = bpf_map_lookup_elem(&sites, &hit.site_index);
	if (hit.site && !leads_to_store(hit.site, regs)) {
		count(STAT_REDUNDANT);
		return;
	}
	image = hit.site ? hit.site->image : 0;
	hit.image = bpf_map_lookup_elem(&images, &image);
	thread = bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!hit.site || !hit.image || !thread) {
		count(STAT_LOST_FAULT);
		return;
	}
	if (hit.site->stepped) {
		count(STAT_STEPPED);
		if (settings.attachments)
			__sync_fetch_and_add(&attachment_stepped[COOKIE_ATTACHMENT(cookie) &
								 (ATTACHMENTS_MAX - 1)],
					     1);
	}
	hit.base = regs->ip - hit.site->address;
	hit.gen = object_address(hit.site, regs);
	hit.stack_pointer = regs->sp;
	hit.fs_base = task->thread.fsbase;
	hit.process = process_identity(task);
	hit.tid = task->pid;
	hit.outermost = settings.steps && watch == WATCH_OUTERMOST;
	hit.now = bpf_ktime_get_ns();
	epoch = watch_epochs[COOKIE_ATTACHMENT(cookie) & (ATTACHMENTS_MAX - 1)];
	if (thread->process != hit.process || thread->epoch != epoch) {
		struct thread none = { .process = hit.process, .epoch = epoch };

		*thread = none;
	}
	if (hit.site->role == SITE_CODE_FREE) {
		code_freed(&hit, hit.gen);
		count(STAT_CAUSES);
		return;
	}
	if (hit.site->role == SITE_CAUSE) {
		on_cause(&hit, thread);
		return;
	}
	hit.kind = kind_of(&hit);
	if (!hit.kind) {
		count(STAT_STRANGERS);
		count_site(site_strangers, hit.site_index);
		return;
	}
	if (hit.site->role == SITE_FREE)
		on_free(&hit, thread);
	else
		on_store(&hit, regs, thread);
}

#endif
