// SPDX-License-Identifier: MIT
/*
 * Reading one object while the process goes on. What is read comes from pages that were copied at
 * different moments; memory that was freed holds something else a moment later. So:
 *
 * - an object's own fields are read in one piece, and again when they contradict each other;
 * - its variables are read twice from fresh pages: when both readings agree they are of one moment. What other
 *   threads change all the time (a list that grows) is shown as it was read last;
 * - when all have been read each is looked at again. Only between objects that are at both times what
 *   they were is anything linked.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot_internal.h"
#include "python/value.h"
#include "state.h"

#define READINGS_MAX 4 /* of variables, to have two that agree */

struct reader {
	struct remote *remote;
	const struct snapshot_options *options;
	struct snapshot *snapshot;
};

/* What it awaits; links to other objects of the snapshot are made when all are known. */
static void read_awaited(const struct reader *reader, const struct generator *gen,
			 struct snapshot_object *object)
{
	struct remote *remote = reader->remote;
	struct code_object *code;
	struct generator inner;

	object->awaits_address = generator_unwrap(remote, gen->awaits);
	object->awaits_class = value_class(remote, object->awaits_address);
	object->awaits_kind = AWAITS_OTHER;
	if (!reader->options->each && !reader->options->name_awaited)
		return;
	if (generator_read(remote, object->awaits_address, &inner))
		return;
	code = code_objects_find(reader->snapshot->codes, remote, inner.code);
	if (code)
		object->awaits_class = code->qualname;
}

static bool is_same(const struct generator *a, const struct generator *b)
{
	return a->code == b->code && a->instruction == b->instruction &&
	       a->frame_state == b->frame_state && a->awaits == b->awaits;
}

static bool is_same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool are_same_locals(const struct local_list *a, const struct local_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!is_same_text(a->at[i].name, b->at[i].name) ||
		    !is_same_text(a->at[i].type, b->at[i].type) ||
		    !is_same_text(a->at[i].repr, b->at[i].repr))
			return false;
	return true;
}

/* Once, from fresh pages. -EAGAIN: the object is not what it was. */
static int read_locals_once(const struct reader *reader, const struct generator *gen,
			    struct code_object *code, struct local_list *out)
{
	struct generator now;
	int err;

	if (!reader->options->still)
		memory_forget_all(reader->remote->memory);
	err = generator_read(reader->remote, gen->address, &now);
	if (!err && !is_same(&now, gen) && gen->frame_state != STATE_RUNNING)
		err = -EAGAIN;
	if (err)
		return err;
	err = locals_read(reader->remote, code, gen->frame, &reader->options->locals_options, out);
	return err == -EFAULT ? -EAGAIN : err;
}

static int read_locals(const struct reader *reader, const struct generator *gen,
		       struct code_object *code, struct local_list *out)
{
	int err = read_locals_once(reader, gen, code, out);

	for (int i = 1; !err && !reader->options->still && i < READINGS_MAX; i++) {
		struct local_list again = {};
		bool same;

		err = read_locals_once(reader, gen, code, &again);
		same = !err && are_same_locals(out, &again);
		if (err) {
			locals_free(&again);
			break;
		}
		locals_free(out);
		*out = again;
		if (same)
			break;
		reader->snapshot->counts.retries++;
	}
	return err;
}

static int read_object(const struct reader *reader, uint64_t address,
		       struct snapshot_object *object)
{
	struct generator gen;
	int err = generator_read(reader->remote, address, &gen);

	if (err)
		return err;
	*object = (struct snapshot_object){
		.gen = address,
		.kind = gen.kind,
		.state = gen.state,
		.instruction = gen.instruction,
		.awaits = SNAPSHOT_NONE,
		.awaited_by = SNAPSHOT_NONE,
		.task = SNAPSHOT_NONE,
	};
	object->code = code_objects_find(reader->snapshot->codes, reader->remote, gen.code);
	if (!object->code)
		return -EAGAIN;
	if (gen.frame_state != STATE_CLOSED)
		object->line = code_object_line(object->code, gen.instruction);
	if (gen.awaits)
		read_awaited(reader, &gen, object);
	if (!reader->options->locals)
		return 0;
	object->locals = calloc(1, sizeof(*object->locals));
	if (!object->locals)
		return -ENOMEM;
	if (gen.frame_state != STATE_CLOSED)
		err = read_locals(reader, &gen, object->code, object->locals);
	if (err)
		snapshot_drop_locals(object);
	return err;
}

void snapshot_drop_locals(struct snapshot_object *object)
{
	if (object->locals)
		locals_free(object->locals);
	free(object->locals);
	object->locals = NULL;
}

int snapshot_read_object(struct remote *remote, const struct snapshot_options *options,
			 struct snapshot *snapshot, uint64_t address, struct snapshot_object *out)
{
	const struct reader reader = { remote, options, snapshot };
	int err = -EAGAIN;

	*out = (struct snapshot_object){};
	for (int i = 0; i < TRIES_MAX; i++) {
		if (i) {
			snapshot->counts.retries++;
			memory_forget(remote->memory, address - GC_HEAD_BYTES, TORN_BYTES);
		}
		err = read_object(&reader, address, out);
		if (err != -EAGAIN && err != -EFAULT)
			return err;
	}
	return err;
}

/* Is it what it was? Its code object, too: that may be another one at the same address. */
static bool has_moved(struct remote *remote, struct snapshot *snapshot,
		      const struct snapshot_object *object)
{
	struct generator gen;

	if (generator_read(remote, object->gen, &gen) || gen.state != object->state ||
	    gen.instruction != object->instruction ||
	    code_objects_find(snapshot->codes, remote, gen.code) != object->code)
		return true;
	return gen.awaits ? generator_unwrap(remote, gen.awaits) != object->awaits_address :
			    object->awaits_address != 0;
}

int snapshot_confirm(struct remote *remote, const struct snapshot_options *options,
		     struct snapshot *snapshot)
{
	struct snapshot_options plain = *options;
	int err = 0;

	plain.locals = false;
	memory_forget_all(remote->memory);
	for (uint32_t i = 0; !err && i < snapshot->object_count; i++) {
		struct snapshot_object *object = &snapshot->objects[i], now;

		err = snapshot_progress(options, i + 1);
		if (!has_moved(remote, snapshot, object))
			continue;
		object->moved = true;
		snapshot->counts.retries++;
		/* a code object that took another one's place while both were read: the new one's name */
		if (!object->locals &&
		    !snapshot_read_object(remote, &plain, snapshot, object->gen, &now)) {
			now.moved = true;
			*object = now;
		}
	}
	for (uint32_t i = 0; !err && snapshot->tasks && i < snapshot->task_count; i++) {
		struct snapshot_task *task = &snapshot->tasks[i];
		struct task now;

		err = snapshot_progress(options, i + 1);
		task->moved = task_read(remote, task->address, &now) != 0;
		if (task->moved)
			continue;
		task->moved = now.coroutine != task->coroutine_address ||
			      strcmp(now.name, task->name) != 0;
		task_free(&now);
	}
	return err;
}
