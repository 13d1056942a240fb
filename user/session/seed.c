// SPDX-License-Identifier: MIT
/*
 * Entering an object that is older than the run, while the target goes on:
 *
 * - it is read, and entered only if no probe has entered it since (BPF_NOEXIST): what a probe says is
 *   newer;
 * - then it is read once more. If it has been freed between the two looks no probe told, since the map
 *   did not know it: the entry is taken back;
 * - what is freed and made anew after that is told by its birth: BPF replaces an entry that no hit has
 *   confirmed yet (ORIGIN_SEEDED) without calling it an anomaly.
 */
#include "session/seed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "python/generator.h"
#include "python/heap.h"
#include "session/internal.h"
#include "target/process.h"

#define CACHE_BYTES  (8u << 20)
#define BATCH        4096      /* objects entered between the two looks */
#define LOOKS_MAX    6         /* more, at an object on which map and memory differ */
#define LOOK_WAIT_NS 1000000ll /* doubled each time */

/* What is needed to read one target. */
struct view {
	struct session *session;
	struct memory *memory;
	struct remote remote;
	struct heap_objects found;
	uint64_t process; /* as in the map's keys */
	bool open;
};

static bool wants_kind(void *ctx, uint64_t type)
{
	const struct view *view = ctx;

	for (int kind = KIND_GENERATOR; kind < KIND_COUNT; kind++)
		if (type == view->remote.kinds[kind])
			return true;
	return false;
}

static void close_view(struct view *view)
{
	if (view->open)
		remote_close(&view->remote);
	memory_close(view->memory);
	free(view->found.at);
}

static int open_view(struct session *session, pid_t pid, struct view *view, char *why)
{
	struct heap_query query = { .wanted = wants_kind, .ctx = view };
	struct heap_counts counts = {};
	struct image_file *image;
	uint64_t bias;
	int err = images_of_process(&session->images, pid, &image, why);

	*view = (struct view){ .session = session };
	if (!err)
		err = process_identity_of(session, pid, &view->process);
	if (!err)
		err = image_bias(image, pid, &bias);
	if (!err)
		err = memory_open_process(pid, CACHE_BYTES, &view->memory);
	if (!err) {
		err = remote_open(&view->remote, &image->interpreter, bias, view->memory, why);
		view->open = !err;
	}
	if (!err)
		err = heap_collect(&view->remote, &query, &view->found, &counts, why);
	if (err)
		close_view(view);
	return err;
}

static int lookup(const struct view *view, uint64_t gen, struct object *object)
{
	struct object_key key = { .process = view->process, .gen = gen };

	return bpf_map__lookup_elem(view->session->skeleton->maps.objects, &key, sizeof(key),
				    object, sizeof(*object), 0);
}

static void enter(const struct view *view, uint64_t address, struct seed_counts *counts)
{
	struct genscope_bpf *skeleton = view->session->skeleton;
	struct object_key key = { .process = view->process, .gen = address };
	struct object object = { .origin = ORIGIN_SEEDED };
	struct generator gen;
	int err;

	if (generator_read((struct remote *)&view->remote, address, &gen))
		return;
	object.id = __atomic_add_fetch(&skeleton->bss->last_object_id, 1, __ATOMIC_RELAXED);
	object.code_address = gen.code;
	object.instruction = gen.instruction;
	object.kind = gen.kind;
	object.visible = gen.state;
	object.frame = gen.frame_state;
	object.async = gen.running_async;
	object.yields_from = gen.awaits != 0;
	err = bpf_map__update_elem(skeleton->maps.objects, &key, sizeof(key), &object,
				   sizeof(object), BPF_NOEXIST);
	if (!err)
		counts->objects++;
	else if (err == -EEXIST)
		counts->known++;
	else
		counts->refused++;
}

/* The second look. */
static void confirm(const struct view *view, uint64_t address, struct seed_counts *counts)
{
	struct object_key key = { .process = view->process, .gen = address };
	struct object object;
	struct generator gen;

	if (generator_read((struct remote *)&view->remote, address, &gen) != -ENOENT)
		return;
	if (lookup(view, address, &object) || object.origin != ORIGIN_SEEDED)
		return;
	bpf_map__delete_elem(view->session->skeleton->maps.objects, &key, sizeof(key), 0);
	counts->objects--;
	counts->gone++;
}

static int seed_process(struct session *session, pid_t pid, struct seed_counts *counts)
{
	char why[IMAGE_WHY_MAX] = "";
	struct view view;
	int err = open_view(session, pid, &view, why);

	if (err == -ESRCH || err == -ENOENT) /* it ends, or has not begun */
		return 0;
	if (err) {
		session_warn(session,
			     "pid %d: objects older than this run are seen at their first "
			     "change only: %s",
			     pid, *why ? why : strerror(-err));
		return 0;
	}
	counts->processes++;
	for (size_t i = 0; i < view.found.count && err >= 0; i += BATCH) {
		size_t end = i + BATCH < view.found.count ? i + BATCH : view.found.count;

		memory_forget_all(view.memory);
		for (size_t k = i; k < end; k++)
			enter(&view, view.found.at[k], counts);
		memory_forget_all(view.memory);
		for (size_t k = i; k < end; k++)
			confirm(&view, view.found.at[k], counts);
		err = session_poll(session, 0);
	}
	close_view(&view);
	return err < 0 ? err : 0;
}

void seed_later(struct session *session, pid_t pid)
{
	if (session->unseeded_count < UNSEEDED_MAX)
		session->unseeded[session->unseeded_count++] = pid;
}

int seed_waiting(struct session *session)
{
	struct seed_counts counts = {};
	int err = 0;

	while (session->unseeded_count && !err)
		err = seed_process(session, session->unseeded[--session->unseeded_count], &counts);
	return err;
}

int session_seed(struct session *session, struct seed_counts *out)
{
	size_t count = session->target_count;
	pid_t *pids = malloc((count + 1) * sizeof(*pids));
	int err = pids ? 0 : -ENOMEM;

	*out = (struct seed_counts){};
	if (pids) /* polling may change the list */
		memcpy(pids, session->targets, count * sizeof(*pids));
	for (size_t i = 0; i < count && !err; i++)
		err = seed_process(session, pids[i], out);
	free(pids);
	if (out->refused)
		session_lacks(session, "more objects than the state map holds");
	return err;
}

enum verdict { AGREES, DIFFERS, MISSING, CHANGES };

/* One look: the map before and after memory. */
static enum verdict look(const struct view *view, uint64_t address)
{
	struct object before, after;
	struct generator gen;
	int missing = lookup(view, address, &before);

	memory_forget(view->memory, address - GC_HEAD_BYTES, sizeof(before));
	if (generator_read((struct remote *)&view->remote, address, &gen))
		return CHANGES; /* or it is gone */
	if (missing)
		return MISSING;
	if (lookup(view, address, &after) || before.changed_ns != after.changed_ns ||
	    before.frame != after.frame || before.id != after.id)
		return CHANGES;
	return gen.frame_state == before.frame && gen.running_async == before.async ? AGREES :
										      DIFFERS;
}

/* A thread may be held up between a store and its probe: what differs is looked at again, later and later. */
static void compare(const struct view *view, uint64_t address, struct reconciliation *out)
{
	enum verdict verdict = look(view, address);

	for (int i = 0; verdict != AGREES && i < LOOKS_MAX; i++) {
		const struct timespec pause = { .tv_nsec = LOOK_WAIT_NS << i };

		nanosleep(&pause, NULL);
		verdict = look(view, address);
		if (verdict == CHANGES)
			return;
	}
	out->objects++;
	out->disagreements += verdict == DIFFERS;
	out->missing += verdict == MISSING;
}

void session_reconcile(struct session *session, uint64_t max, struct reconciliation *out)
{
	*out = (struct reconciliation){};
	for (size_t i = 0; i < session->target_count; i++) {
		char why[IMAGE_WHY_MAX];
		struct view view;
		size_t step;

		if (open_view(session, session->targets[i], &view, why))
			continue;
		step = max && view.found.count > max ? view.found.count / max : 1;
		for (size_t k = 0; k < view.found.count; k += step)
			compare(&view, view.found.at[k], out);
		close_view(&view);
	}
}
