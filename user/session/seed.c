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
#include "session/seed_codes.h"
#include "session/seed_stacks.h"
#include "target/process.h"

#define CACHE_BYTES (8u << 20)
#define BATCH       4096 /* objects entered between the two looks */
#define ROUNDS_MAX  6    /* of looks at those objects on which map and memory differ */
#define BEGINNING_NS                                                                               \
	2000000000ull /* a process that young may still be setting its interpreter up */
#define PAUSE_NS             1000000ll /* before the first of them, doubled each time: 63 ms in all */
/* Of the map, for objects older than the run: the rest is for those that are born in it. */
#define SEEDS_SHARE(entries) ((entries) / 4 * 3)

/* What is needed to read one target. */
struct view {
	struct session *session;
	struct memory *memory;
	struct remote remote;
	struct heap_objects found;
	struct code_objects *codes; /* NULL: nobody asks what surveys tell */
	struct seed_stacks stacks;  /* likewise */
	uint64_t process;           /* as in the map's keys */
	bool open;
};

static bool wants_kind(void *ctx, uint64_t type)
{
	const struct view *view = ctx;

	return remote_kind(&view->remote, type) != KIND_NONE;
}

static void close_view(struct view *view)
{
	if (view->open)
		remote_close(&view->remote);
	code_objects_free(view->codes);
	seed_stacks_free(&view->stacks);
	memory_close(view->memory);
	free(view->found.at);
}

static bool is_stopped(const struct session *session)
{
	return session->options.stopped && session->options.stopped(session->options.ctx);
}

/* Records go on coming while a heap is read. */
static int on_progress(void *ctx, uint64_t containers)
{
	const struct view *view = ctx;

	(void)containers;
	ring_buffer__consume(view->session->ring);
	return view->session->seeding && is_stopped(view->session) ? -EINTR : 0;
}

static int open_view(struct session *session, pid_t pid, struct view *view, char *why)
{
	struct heap_query query = { .wanted = wants_kind, .progress = on_progress, .ctx = view };
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
	if (!err && session->options.survey)
		err = code_objects_new(&view->codes);
	if (!err && session->options.survey)
		err = seed_stacks_read(&view->remote, &view->stacks);
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

/* Whose step it runs in. Outer objects are older, as a rule, and have been entered before it. */
static void find_driver(const struct view *view, uint64_t address, struct object *object)
{
	const struct seed_running *running = seed_stacks_find(&view->stacks, address);
	struct object driver;

	if (!running)
		return;
	object->tid = running->tid;
	if (!running->driver || lookup(view, running->driver, &driver))
		return;
	object->driver_gen = running->driver;
	object->driver_id = driver.id;
	object->driver_kind = driver.kind;
}

/* What a survey tells of an object that no probe has met. */
static void describe(const struct view *view, const struct generator *gen, struct object *object)
{
	struct remote *remote = (struct remote *)&view->remote;

	object->code = seed_code(view->session, view->codes, remote, view->process, gen->code);
	if (gen->awaits)
		object->inner_gen = generator_unwrap(remote, gen->awaits);
	if (gen->frame_state == STATE_RUNNING)
		find_driver(view, gen->address, object);
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
	if (gen.state == STATE_CLOSED && !session_sees_frees(view->session))
		return; /* nothing would ever take it out again */
	if (counts->objects + counts->known >=
	    SEEDS_SHARE(bpf_map__max_entries(skeleton->maps.objects))) {
		counts->refused++;
		return;
	}
	object.id = __atomic_add_fetch(&skeleton->bss->last_object_id, 1, __ATOMIC_RELAXED);
	object.code_address = gen.code;
	if (view->codes)
		describe(view, &gen, &object);
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

/* The second look. Memory that is not there any more was given back as a whole. */
static void confirm(const struct view *view, uint64_t address, struct seed_counts *counts)
{
	struct object_key key = { .process = view->process, .gen = address };
	struct object object;
	struct generator gen;
	int err = generator_read((struct remote *)&view->remote, address, &gen);

	if (err != -ENOENT && err != -EFAULT)
		return;
	if (lookup(view, address, &object) || object.origin != ORIGIN_SEEDED)
		return;
	bpf_map__delete_elem(view->session->skeleton->maps.objects, &key, sizeof(key), 0);
	counts->objects--;
	counts->gone++;
}

static void seed_batch(const struct view *view, size_t first, size_t end)
{
	struct seed_counts *counts = &view->session->seeds;

	memory_forget_all(view->memory);
	for (size_t i = first; i < end; i++)
		enter(view, view->found.at[i], counts);
	memory_forget_all(view->memory);
	for (size_t i = first; i < end; i++)
		confirm(view, view->found.at[i], counts);
	ring_buffer__consume(view->session->ring);
}

static void seed_process(struct session *session, pid_t pid)
{
	char why[IMAGE_WHY_MAX] = "";
	struct view view;
	int err = open_view(session, pid, &view, why);

	if (err == -ESRCH || err == -ENOENT) /* it ends, or has not begun */
		return;
	if (err && err != -EINTR && !process_is_older(pid, BEGINNING_NS)) /* likewise */
		return;
	if (err) {
		session->seeded_in_part = true;
		if (err != -EINTR)
			session_warn(session,
				     "pid %d: objects older than this run are seen at their first "
				     "change only: %s",
				     pid, *why ? why : strerror(-err));
		return;
	}
	session->seeds.processes++;
	for (size_t i = 0; i < view.found.count; i += BATCH) {
		if (is_stopped(session)) {
			session->seeded_in_part = true;
			break;
		}
		seed_batch(&view, i, i + BATCH < view.found.count ? i + BATCH : view.found.count);
	}
	close_view(&view);
	if (!session->seeds.refused)
		return;
	session->seeded_in_part = true;
	session_lacks(session,
		      "some objects older than the run are seen at their first change only: "
		      "there are more than the state map takes");
}

void seed_later(struct session *session, pid_t pid)
{
	if (session->level != BUDGET_ALL) /* when all probes are back, all are seeded */
		return;
	if (session->unseeded_count < UNSEEDED_MAX)
		session->unseeded[session->unseeded_count++] = pid;
	else
		session->seeded_in_part = true;
}

/* One of them: records have to be handled in between. */
void seed_waiting(struct session *session)
{
	session->seeding = true;
	seed_process(session, session->unseeded[--session->unseeded_count]);
	session->seeding = false;
}

int session_seed(struct session *session)
{
	size_t count = session->target_count;
	pid_t *pids;

	if (session->options.own_probes) {
		for (size_t i = count; i-- > 0;)
			seed_later(session, session->targets[i]);
		return 0;
	}
	pids = malloc((count + 1) * sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	memcpy(pids, session->targets, count * sizeof(*pids)); /* records may change the list */
	session->seeding = true;
	for (size_t i = 0; i < count && !is_stopped(session); i++)
		seed_process(session, pids[i]);
	session->seeding = false;
	free(pids);
	return 0;
}

struct seed_counts session_seed_counts(const struct session *session)
{
	return session->seeds;
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

/* A thread may be held up between a store and its probe: those that differ are looked at again, later
 * and later. Keeps in `at` those that still do. */
static size_t look_at_all(const struct view *view, uint64_t *at, size_t count,
			  struct reconciliation *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		enum verdict verdict = look(view, at[i]);

		if (verdict == AGREES)
			out->objects++;
		else if (verdict != CHANGES)
			at[kept++] = at[i];
	}
	return kept;
}

static void compare(const struct view *view, uint64_t *at, size_t count, struct reconciliation *out)
{
	count = look_at_all(view, at, count, out);
	for (int round = 0; count && round < ROUNDS_MAX; round++) {
		const struct timespec pause = { .tv_nsec = PAUSE_NS << round };

		nanosleep(&pause, NULL);
		ring_buffer__consume(view->session->ring);
		count = look_at_all(view, at, count, out);
	}
	for (size_t i = 0; i < count; i++) {
		bool missing = look(view, at[i]) == MISSING;

		if (missing && view->session->seeded_in_part)
			continue; /* it has not changed yet, and was not entered */
		out->objects++;
		out->missing += missing;
		out->disagreements += !missing;
	}
}

void session_reconcile(struct session *session, uint64_t max, struct reconciliation *out)
{
	*out = (struct reconciliation){};
	for (size_t i = 0; i < session->target_count; i++) {
		char why[IMAGE_WHY_MAX];
		struct view view;
		size_t step, count = 0;

		if (open_view(session, session->targets[i], &view, why))
			continue;
		step = max && view.found.count > max ? view.found.count / max : 1;
		for (size_t k = 0; k < view.found.count; k += step)
			view.found.at[count++] = view.found.at[k];
		compare(&view, view.found.at, count, out);
		close_view(&view);
	}
}
