// SPDX-License-Identifier: MIT
#include "session/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "session/internal.h"
#include "target/clock.h"

#define WAKE_SHARE          8     /* wake the reader when 1/8 of the ring is used */
#define STEPPED_OBJECTS_MAX 65536 /* 10 MB; tasks that run within the same while are fewer */
#define SOON_MS             10    /* when something is due that no record tells of */
#define LOCALS_SHARE        2     /* half of it is for transitions alone */

void session_warn(const struct session *session, const char *format, ...)
{
	char message[IMAGE_WHY_MAX + 4096];
	va_list args;

	if (!session->options.warn)
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	session->options.warn(session->options.ctx, message);
}

void session_lacks(struct session *session, const char *what)
{
	size_t used = strlen(session->coverage);

	if (strstr(session->coverage, what))
		return;
	snprintf(session->coverage + used, sizeof(session->coverage) - used, "%s%s",
		 used ? "; " : "", what);
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct session *session = ctx;
	const struct record_head *head = data;

	if (size >= sizeof(struct process_record) && head->type == RECORD_PROCESS)
		targets_on_event(session, data);
	return session->options.record(session->options.ctx, data, size);
}

static void configure_locals(struct settings *settings, const struct session_locals *locals,
			     size_t ring)
{
	settings->locals = locals->rate > 0;
	settings->locals_rate = locals->rate;
	settings->locals_depth = (__u8)locals->depth;
	settings->locals_names = locals->names;
	settings->locals_items = locals->items;
	settings->locals_string = locals->string;
	settings->locals_ring_bytes = (__u32)(ring / LOCALS_SHARE);
}

/* Not every end is seen then: what was not used for long leaves the map by itself. Such a map is allocated
 * beforehand. */
static void configure_steps(struct genscope_bpf *skeleton)
{
	bpf_map__set_type(skeleton->maps.objects, BPF_MAP_TYPE_LRU_HASH);
	bpf_map__set_map_flags(skeleton->maps.objects, 0);
	bpf_map__set_max_entries(skeleton->maps.objects, STEPPED_OBJECTS_MAX);
}

/* Code objects come and go for months: their times come and go with them. */
static void configure_live(struct genscope_bpf *skeleton)
{
	struct settings *settings = (struct settings *)&skeleton->rodata->settings;

	settings->distributions_live = 1;
	bpf_map__set_type(skeleton->maps.distributions, BPF_MAP_TYPE_HASH);
	bpf_map__set_map_flags(skeleton->maps.distributions, BPF_F_NO_PREALLOC);
	bpf_map__set_max_entries(skeleton->maps.distributions, DISTRIBUTIONS_LIVE_MAX);
}

/* The entry that all share who find no room. */
static int make_shared_distributions(struct session *session)
{
	const struct distributions none = {};
	const __u32 shared = 0;

	return bpf_map__update_elem(session->skeleton->maps.distributions, &shared, sizeof(shared),
				    &none, sizeof(none), BPF_ANY);
}

bool session_sees_frees(const struct session *session)
{
	return session->options.tells & TELLS_FREE;
}

static void configure(struct session *session)
{
	struct genscope_bpf *skeleton = session->skeleton;
	const struct session_options *options = &session->options;
	struct settings *settings = (struct settings *)&skeleton->rodata->settings;
	size_t ring = bpf_map__max_entries(skeleton->maps.ring);

	if (options->ring_bytes) {
		ring = options->ring_bytes;
		bpf_map__set_max_entries(skeleton->maps.ring, (__u32)ring);
	}
	if (options->objects_max)
		bpf_map__set_max_entries(skeleton->maps.objects, (__u32)options->objects_max);
	settings->min_run_ns = options->min_run_ns;
	settings->min_suspended_ns = options->min_suspended_ns;
	settings->kinds = options->kinds;
	settings->wake_bytes = (__u32)(ring / WAKE_SHARE);
	settings->filter_codes = options->filter_codes;
	settings->watch_exec = options->watch_exec;
	settings->follow_forks = 1;
	settings->stream = !options->distributions;
	settings->distributions = options->distributions;
	settings->steps = options->steps || options->own_probes || options->fewer_probes;
	settings->forget_closed = !session_sees_frees(session);
	settings->places = options->survey;
	settings->tasks = options->tasks;
	settings->makers = options->makers;
	settings->attachments = options->own_probes;
	settings->slow_ns = options->slow_ns;
	settings->chains = options->chains;
	settings->suspects = options->suspects;
	if (!options->distributions)
		bpf_map__set_max_entries(skeleton->maps.distributions, 1);
	if (options->steps)
		configure_steps(skeleton);
	if (options->distributions_live)
		configure_live(skeleton);
	configure_locals(settings, &options->locals, ring);
	bpf_program__set_autoload(skeleton->progs.site_multi, session->features.uprobe_multi);
	bpf_program__set_autoload(skeleton->progs.site_single, !session->features.uprobe_multi);
	bpf_program__set_autoload(skeleton->progs.gc_start, options->context & CONTEXT_GC);
	bpf_program__set_autoload(skeleton->progs.gc_done, options->context & CONTEXT_GC);
	bpf_program__set_autoload(skeleton->progs.import_start, options->context & CONTEXT_IMPORT);
	bpf_program__set_autoload(skeleton->progs.import_done, options->context & CONTEXT_IMPORT);
	bpf_program__set_autoload(skeleton->progs.audit, options->context & CONTEXT_AUDITS);
}

static int load(struct session *session, char *why)
{
	int err;

	session->skeleton = genscope_bpf__open();
	if (!session->skeleton) {
		snprintf(why, IMAGE_WHY_MAX, "the BPF object cannot be opened: %s",
			 strerror(errno));
		return -errno;
	}
	configure(session);
	err = genscope_bpf__load(session->skeleton);
	if (!err && session->options.distributions_live)
		err = make_shared_distributions(session);
	if (!err)
		err = genscope_bpf__attach(session->skeleton); /* the tracepoints */
	if (err) {
		snprintf(why, IMAGE_WHY_MAX, "the kernel refuses the BPF programs (%s): %s",
			 strerror(-err),
			 err == -EMFILE || err == -ENFILE ?
				 "raise the limit (ulimit -n, LimitNOFILE=)" :
				 "Linux 5.17 or later is needed; -v shows its words");
		return -EPERM;
	}
	session->ring = ring_buffer__new(bpf_map__fd(session->skeleton->maps.ring), on_record,
					 session, NULL);
	if (!session->ring) {
		snprintf(why, IMAGE_WHY_MAX, "the ring buffer cannot be mapped: %s",
			 strerror(errno));
		return -EPERM;
	}
	return 0;
}

int session_open(const struct session_options *options, struct session **out, char *why)
{
	struct session *session = calloc(1, sizeof(*session));
	int err;

	if (!session)
		return -ENOMEM;
	session->options = *options;
	session->begin_ns = clock_now_ns();
	session->level = options->no_probes ? BUDGET_NONE : BUDGET_ALL;
	if (!session->options.tells)
		session->options.tells = TELLS_EVERYTHING;
	features_try(&session->features);
	if (*session->features.missing) {
		snprintf(why, IMAGE_WHY_MAX, "%s", session->features.missing);
		free(session);
		return -EPERM;
	}
	err = load(session, why);
	if (err) {
		session_close(session);
		return err;
	}
	*out = session;
	return 0;
}

void session_close(struct session *session)
{
	if (!session)
		return;
	session_detach(session);
	if (session->command.pid && !session->command.ended && session->command.traced)
		kill(session->command.pid, SIGKILL);
	ring_buffer__free(session->ring);
	genscope_bpf__destroy(session->skeleton);
	images_free(&session->images);
	free(session->attachments);
	free(session->targets);
	free(session);
}

void session_detach(struct session *session)
{
	session->unseeded_count = 0;
	detach_all(session);
}

int session_poll(struct session *session, int timeout_ms)
{
	struct pollfd wait = { .fd = ring_buffer__epoll_fd(session->ring), .events = POLLIN };
	int count;

	command_step(session);
	if (session->later_count)
		targets_retry_later(session);
	if (session->unseeded_count && !session->seeding) {
		seed_waiting(session);
	}
	count = ring_buffer__consume(session->ring);
	if (count || !timeout_ms)
		return count;
	if ((session->later_count || session->unseeded_count) && timeout_ms > SOON_MS)
		timeout_ms = SOON_MS;
	if (poll(&wait, 1, timeout_ms) < 0)
		return -errno;
	return ring_buffer__consume(session->ring);
}

void session_set_verdict(struct session *session, uint64_t process, uint64_t address, uint32_t code,
			 uint32_t verdict)
{
	const struct bpf_map *codes = session->skeleton->maps.codes;
	struct code_key key = { .process = process, .address = address };
	struct code_entry entry = {};

	/* what BPF counts in it meanwhile is lost: a sample more or less at the first sight of a function */
	if (bpf_map__lookup_elem(codes, &key, sizeof(key), &entry, sizeof(entry), 0))
		return;
	entry.code = code;
	entry.verdict = verdict;
	bpf_map__update_elem(codes, &key, sizeof(key), &entry, sizeof(entry), BPF_EXIST);
}

int session_distributions(const struct session *session, uint32_t code, struct distributions *out)
{
	return bpf_map__lookup_elem(session->skeleton->maps.distributions, &code, sizeof(code), out,
				    sizeof(*out), 0);
}

void session_forget_distributions(struct session *session, uint32_t code)
{
	if (code) /* that one is for ever */
		bpf_map__delete_elem(session->skeleton->maps.distributions, &code, sizeof(code), 0);
}

uint64_t session_transitions(const struct session *session, uint32_t code)
{
	const struct genscope_bpf__bss *bss = session->skeleton->bss;

	if (!session->options.distributions_live && code >= DISTRIBUTIONS_MAX)
		return 0;
	return __atomic_load_n(&bss->transition_counts[code & (TRANSITION_SLOTS - 1)],
			       __ATOMIC_RELAXED);
}

/* Hits at which the kernel did not run the program at all. */
static uint64_t misses(const struct session *session)
{
	const struct bpf_program *program = session->features.uprobe_multi ?
						    session->skeleton->progs.site_multi :
						    session->skeleton->progs.site_single;
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return info.recursion_misses;
}

void session_stats(const struct session *session, struct session_stats *out)
{
	const struct counter_slot *slots = session->skeleton->bss->counters;

	memset(out, 0, sizeof(*out));
	for (int slot = 0; slot < COUNTER_SLOTS; slot++)
		for (int stat = 0; stat < STAT_COUNT; stat++)
			out->value[stat] +=
				__atomic_load_n(&slots[slot].value[stat], __ATOMIC_RELAXED);
	out->missed = misses(session);
}

void session_site_stats(const struct session *session, uint32_t site,
			struct session_site_stats *out)
{
	const struct genscope_bpf__bss *bss = session->skeleton->bss;

	out->hits = __atomic_load_n(&bss->site_hits[site], __ATOMIC_RELAXED);
	out->strangers = __atomic_load_n(&bss->site_strangers[site], __ATOMIC_RELAXED);
	out->anomalies = __atomic_load_n(&bss->site_anomalies[site], __ATOMIC_RELAXED);
}

const char *session_coverage(const struct session *session)
{
	return session->coverage;
}

const struct features *session_features(const struct session *session)
{
	return &session->features;
}

struct images *session_images(const struct session *session)
{
	return (struct images *)&session->images;
}
