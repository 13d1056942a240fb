// SPDX-License-Identifier: MIT
/*
 * Putting an image's sites into the BPF maps, and probes on them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "python/jit.h"
#include "python/memory_layouts.h"
#include "session/internal.h"

#define DESCRIPTORS_OF_CONTEXT 8 /* USDT probes: gc, imports, audits */

#define DTV_STRIDE_GLIBC 16 /* dtv_t: value and to_free (sysdeps/generic/dl-dtv.h) */
#define DTV_STRIDE_MUSL  8  /* uintptr_t dtv[] (src/internal/pthread_impl.h) */

static size_t image_index(const struct session *session, const struct image_file *image)
{
	size_t index = 0;

	while (session->images.at[index] != image)
		index++;
	return index;
}

int image_describe(const struct image_file *image, struct image *out)
{
	const struct interpreter *interpreter = &image->interpreter;
	struct memory_layout inner;
	int err = memory_layout_for_version(interpreter->version_hex, interpreter->debug, &inner);

	if (err)
		return err;
	*out = (struct image){
		.tstate = interpreter->tstate,
		.generator_exit = interpreter->generator_exit,
		.tstate_access = interpreter->tstate_access,
		.dtv_stride = image->musl ? DTV_STRIDE_MUSL : DTV_STRIDE_GLIBC,
		.layout = interpreter->layout,
		.values = inner.values,
		.task_coroutine = inner.task_coroutine,
		.task_name = inner.task_name,
	};
	for (int kind = 0; kind < KIND_COUNT; kind++)
		out->types[kind] = interpreter->types[kind];
	for (int type = 0; type < VALUE_TYPE_COUNT; type++)
		out->value_types[type] = interpreter->value_types[type];
	return 0;
}

/* Tells BPF of an image and its sites, once. */
static int publish(struct session *session, struct image_file *image)
{
	__u32 index = (__u32)image_index(session, image);
	struct image entry;
	int err;

	if (image->in_bpf)
		return 0;
	if (image->same && image->same->musl == image->musl) {
		err = publish(session, image->same);
		image->first_site = image->same->first_site;
		image->in_bpf = !err;
		return err;
	}
	if (session->site_count + image->table.count > SITES_MAX)
		return -ENOSPC;
	err = image_describe(image, &entry);
	if (err)
		return err;
	err = bpf_map__update_elem(session->skeleton->maps.images, &index, sizeof(index), &entry,
				   sizeof(entry), BPF_ANY);
	image->first_site = session->site_count;
	for (size_t i = 0; i < image->table.count && !err; i++) {
		struct site site = image->table.at[i].site;
		__u32 key = image->first_site + (__u32)i;

		site.image = (__u8)index;
		err = bpf_map__update_elem(session->skeleton->maps.sites, &key, sizeof(key), &site,
					   sizeof(site), BPF_ANY);
	}
	if (err)
		return err;
	session->site_count += (__u32)image->table.count;
	image->in_bpf = true;
	return 0;
}

static void add_link(struct attachment *attachment, struct bpf_link *link)
{
	attachment->links[attachment->link_count++] = link;
}

static bool is_wanted(const struct session *session, const struct attachment *attachment,
		      const struct found_site *site)
{
	return site->tells & (attachment->outermost ? TELLS_STEPS : session->options.tells);
}

#ifdef HAVE_UPROBE_MULTI
static int attach_multi(struct session *session, struct attachment *attachment)
{
	LIBBPF_OPTS(bpf_uprobe_multi_opts, options);
	const struct image_file *image = attachment->image;
	unsigned long offsets[FOUND_SITES_MAX];
	__u64 cookies[FOUND_SITES_MAX];
	struct bpf_link *link;
	size_t count = 0;

	for (size_t i = 0; i < image->table.count; i++) {
		if (!is_wanted(session, attachment, &image->table.at[i]))
			continue;
		offsets[count] = image->table.at[i].file_offset;
		cookies[count++] = COOKIE(attachment->number, image->first_site + i);
	}
	options.offsets = offsets;
	options.cookies = cookies;
	options.cnt = count;
	link = bpf_program__attach_uprobe_multi(session->skeleton->progs.site_multi,
						attachment->pid, image->open_path, NULL, &options);
	if (!link)
		return -errno;
	add_link(attachment, link);
	return 0;
}
#else
static int attach_multi(struct session *session, struct attachment *attachment)
{
	(void)session;
	(void)attachment;
	return -ENOTSUP;
}
#endif

static int attach_single(struct session *session, struct attachment *attachment)
{
	const struct image_file *image = attachment->image;

	for (size_t i = 0; i < image->table.count; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, options,
			    .bpf_cookie = COOKIE(attachment->number, image->first_site + i));
		struct bpf_link *link;

		if (!is_wanted(session, attachment, &image->table.at[i]))
			continue;
		link = bpf_program__attach_uprobe_opts(session->skeleton->progs.site_single,
						       attachment->pid, image->open_path,
						       image->table.at[i].file_offset, &options);
		if (!link)
			return -errno;
		add_link(attachment, link);
	}
	return 0;
}

/* USDT probes of the context; a build without them is no error, only said. */
static void attach_context(struct session *session, struct attachment *attachment)
{
	const struct genscope_bpf *skeleton = session->skeleton;
	const struct {
		unsigned context;
		const char *name;
		struct bpf_program *program;
	} probes[] = {
		{ CONTEXT_GC, "gc__start", skeleton->progs.gc_start },
		{ CONTEXT_GC, "gc__done", skeleton->progs.gc_done },
		{ CONTEXT_IMPORT, "import__find__load__start", skeleton->progs.import_start },
		{ CONTEXT_IMPORT, "import__find__load__done", skeleton->progs.import_done },
		{ CONTEXT_AUDITS, "audit", skeleton->progs.audit },
	};
	bool absent = false;

	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		struct bpf_link *link;

		if (!(session->options.context & probes[i].context))
			continue;
		link = bpf_program__attach_usdt(probes[i].program, attachment->pid,
						attachment->image->open_path, "python",
						probes[i].name, NULL);
		if (link)
			add_link(attachment, link);
		else
			absent = true;
	}
	if (absent && !attachment->image->no_usdt)
		session_warn(session,
			     "%s has no USDT probes (built without --with-dtrace): "
			     "no gc, import or audit lines from it",
			     attachment->image->path);
	attachment->image->no_usdt |= absent;
}

/* What its hits count for from now on: something when all its probes are there. */
static void set_watched(struct session *session, const struct attachment *attachment,
			enum watch watch)
{
	__atomic_store_n(&session->skeleton->bss->watched[attachment->number], watch,
			 __ATOMIC_SEQ_CST);
}

void attachment_detach(struct session *session, struct attachment *attachment)
{
	set_watched(session, attachment, WATCH_NOTHING);
	for (size_t i = 0; i < attachment->link_count; i++)
		bpf_link__destroy(attachment->links[i]);
	attachment->link_count = 0;
}

int attachment_attach_at(struct session *session, struct attachment *attachment,
			 enum budget_level level, char *why)
{
	int err;

	attachment->level = level;
	attachment->outermost = session->options.steps || level == BUDGET_OUTERMOST;
	if (level == BUDGET_NONE ||
	    (level == BUDGET_OUTERMOST && !attachment->image->table.has_returns))
		return 0;
	err = session->features.uprobe_multi ? attach_multi(session, attachment) :
					       attach_single(session, attachment);
	if (err) {
		snprintf(why, IMAGE_WHY_MAX, "%.200s: probes cannot be attached: %s",
			 attachment->image->path, strerror(-err));
		return err;
	}
	if (session->options.context)
		attach_context(session, attachment);
	__atomic_add_fetch(&session->skeleton->bss->watch_epochs[attachment->number], 1,
			   __ATOMIC_SEQ_CST);
	set_watched(session, attachment, attachment->outermost ? WATCH_OUTERMOST : WATCH_ALL);
	return 0;
}

static void destroy(struct session *session, struct attachment *attachment)
{
	attachment_detach(session, attachment);
	free(attachment);
}

bool is_attached(const struct session *session, const struct image_file *image, pid_t pid)
{
	for (size_t i = 0; i < session->attachment_count; i++) {
		const struct attachment *attachment = session->attachments[i];

		if (attachment->image == image && (attachment->pid == pid || attachment->pid == -1))
			return true;
	}
	return false;
}

struct attachment *attachment_of(const struct session *session, pid_t pid)
{
	for (size_t i = 0; i < session->attachment_count; i++)
		if (session->attachments[i]->pid == pid)
			return session->attachments[i];
	return NULL;
}

/* A number that no attachment alive has. */
static int take_number(struct session *session, uint32_t *out)
{
	for (uint32_t tries = 0; tries < ATTACHMENTS_MAX; tries++) {
		uint32_t number = session->next_number++ % ATTACHMENTS_MAX;
		bool taken = false;

		for (size_t i = 0; i < session->attachment_count; i++)
			taken |= session->attachments[i]->number == number;
		if (!taken) {
			session->skeleton->bss->attachment_hits[number] = 0;
			session->skeleton->bss->attachment_stepped[number] = 0;
			*out = number;
			return 0;
		}
	}
	return -ENOSPC;
}

static int remember(struct session *session, struct attachment *attachment)
{
	if (session->attachment_count == session->attachment_room) {
		size_t room = session->attachment_room ? session->attachment_room * 2 : 16;
		struct attachment **grown =
			realloc(session->attachments, room * sizeof(struct attachment *));

		if (!grown)
			return -ENOMEM;
		session->attachments = grown;
		session->attachment_room = room;
	}
	session->attachments[session->attachment_count++] = attachment;
	return 0;
}

/* What a trace of this interpreter cannot show. */
static void note_coverage(struct session *session, const struct image_file *image, pid_t pid)
{
	const struct site_table *table = &image->table;

	if (!table->has_create || !table->has_run || !table->has_suspend || !table->has_close)
		session_lacks(session, "some kinds of store were not found");
	else if (!table->has_free)
		session_lacks(session, "frees are not seen");
	if (session->options.steps && !table->has_returns)
		session_lacks(session, "returns to C were not found: no steps are seen");
	else if (session->options.steps && image->interpreter.layout.executes_first)
		session_lacks(session, "steps that throw() begins are not seen (3.15)");
	if (pid > 0 && image->interpreter.jit_built && jit_is_on(pid))
		session_lacks(session, "the JIT is on: what it compiled is not seen");
	if (image->interpreter.tstate_access == TSTATE_NONE)
		session_lacks(session, "via is less exact: the thread state was not found");
}

/* Is there room for an attachment's descriptors? They are given lowest number first (POSIX, open()), so that of
 * another one says how many there are at least; with a gap below it there is room in any case. */
static int check_descriptors(const struct session *session, const struct image_file *image,
			     char *why)
{
	rlim_t wanted = session->options.spare_descriptors + DESCRIPTORS_OF_CONTEXT +
			(session->features.uprobe_multi ? 1 : image->table.count);
	struct rlimit limit;
	int next;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	next = fcntl(bpf_map__fd(session->skeleton->maps.ring), F_DUPFD_CLOEXEC, 0);
	if (next >= 0)
		close(next);
	if (next >= 0 && (rlim_t)next + wanted <= limit.rlim_cur)
		return 0;
	snprintf(why, IMAGE_WHY_MAX,
		 "%.200s: no more than %llu files may be open: raise the limit (ulimit -n, "
		 "LimitNOFILE=)",
		 image->path, (unsigned long long)limit.rlim_cur);
	return -EMFILE;
}

int attach_image(struct session *session, struct image_file *image, pid_t pid, char *why)
{
	struct attachment *attachment;
	int err;

	if (is_attached(session, image, pid))
		return 0;
	attachment = calloc(1, sizeof(*attachment));
	if (!attachment)
		return -ENOMEM;
	attachment->image = image;
	attachment->pid = pid;
	*why = 0;
	err = check_descriptors(session, image, why);
	if (!err)
		err = take_number(session, &attachment->number);
	if (!err)
		err = publish(session, image);
	if (!err)
		err = attachment_attach_at(session, attachment, session->level, why);
	if (!err)
		err = remember(session, attachment);
	if (err) {
		if (!*why)
			snprintf(why, IMAGE_WHY_MAX, "%.200s: probes cannot be attached: %s",
				 image->path, strerror(-err));
		destroy(session, attachment);
		return err;
	}
	note_coverage(session, image, pid);
	return 0;
}

void detach_process(struct session *session, pid_t pid)
{
	for (size_t i = 0; i < session->attachment_count;) {
		if (session->attachments[i]->pid != pid) {
			i++;
			continue;
		}
		destroy(session, session->attachments[i]);
		session->attachments[i] = session->attachments[--session->attachment_count];
	}
}

void detach_all(struct session *session)
{
	for (size_t i = 0; i < session->attachment_count; i++)
		set_watched(session, session->attachments[i], WATCH_NOTHING);
	while (session->attachment_count)
		destroy(session, session->attachments[--session->attachment_count]);
}
