// SPDX-License-Identifier: MIT
#include "model/reasons.h"

#include <string.h>

/* Whole names, and beginnings that end with a dot. */
static const char *const blocking[] = {
	"builtins.input", "ctypes.dlopen", "fcntl.",    "ftplib.",    "glob.",     "http.client.",
	"imaplib.",       "mmap.",         "msvcrt.",   "nntplib.",   "open",      "os.",
	"pathlib.",       "poplib.",       "pty.spawn", "shutil.",    "smtplib.",  "socket.",
	"sqlite3.",       "subprocess.",   "syslog.",   "telnetlib.", "tempfile.", "time.sleep",
	"urllib.",        "webbrowser.",
};

/* Of those, what only touches the process itself. */
static const char *const harmless[] = { "os.putenv", "os.unsetenv", "socket.__new__" };

static bool matches(const char *name, const char *const *patterns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(patterns[i]);

		if (patterns[i][size - 1] == '.' ? !strncmp(name, patterns[i], size) :
						   !strcmp(name, patterns[i]))
			return true;
	}
	return false;
}

bool audit_may_block(const char *name)
{
	return matches(name, blocking, sizeof(blocking) / sizeof(blocking[0])) &&
	       !matches(name, harmless, sizeof(harmless) / sizeof(harmless[0]));
}

static struct context *nth(struct context_ring *ring, size_t n)
{
	return &ring->at[(ring->next + CONTEXTS_MAX - ring->count + n) % CONTEXTS_MAX];
}

static void keep(struct context_ring *ring, const struct context *context)
{
	struct context *place = &ring->at[ring->next];

	if (ring->count == CONTEXTS_MAX) {
		if (!ring->forgotten_end_ns || place->begin_ns < ring->forgotten_begin_ns)
			ring->forgotten_begin_ns = place->begin_ns;
		ring->forgotten_end_ns = place->end_ns;
	}
	*place = *context;
	ring->next = (ring->next + 1) % CONTEXTS_MAX;
	if (ring->count < CONTEXTS_MAX)
		ring->count++;
}

/* An import ends after those that it made, which are a part of it. */
static void drop_imports_since(struct context_ring *imports, uint64_t begin_ns)
{
	while (imports->count && nth(imports, imports->count - 1)->begin_ns >= begin_ns) {
		imports->next = (imports->next + CONTEXTS_MAX - 1) % CONTEXTS_MAX;
		imports->count--;
	}
	if (imports->forgotten_begin_ns >= begin_ns)
		imports->forgotten_begin_ns = imports->forgotten_end_ns = 0;
}

void contexts_add(struct contexts *contexts, const struct event *event)
{
	struct context context = { .type = event->type,
				   .generation = event->generation,
				   .value = event->value,
				   .begin_ns = event->ts_ns - event->ns,
				   .end_ns = event->ts_ns };

	if (event->type != EVENT_GC && event->type != EVENT_IMPORT &&
	    (event->type != EVENT_AUDIT || !audit_may_block(event->name)))
		return;
	strncpy(context.name, event->name, sizeof(context.name) - 1);
	if (event->type == EVENT_IMPORT && event->has_ns)
		drop_imports_since(&contexts->imports, context.begin_ns);
	keep(event->type == EVENT_AUDIT  ? &contexts->audits :
	     event->type == EVENT_IMPORT ? &contexts->imports :
					   &contexts->collections,
	     &context);
}

static struct reason *find_same(struct reasons *reasons, const struct context *context)
{
	for (size_t i = 0; i < reasons->count; i++) {
		struct reason *reason = &reasons->at[i];

		if (reason->type == context->type && !strcmp(reason->name, context->name) &&
		    (context->type != EVENT_GC || reason->generation == context->generation))
			return reason;
	}
	return NULL;
}

/* Keeps the order of their beginnings. */
static struct reason *insert(struct reasons *reasons, uint64_t at_ns)
{
	size_t place = reasons->count;

	if (reasons->count == REASONS_MAX)
		return NULL;
	while (place && reasons->at[place - 1].at_ns > at_ns)
		place--;
	memmove(&reasons->at[place + 1], &reasons->at[place],
		(reasons->count - place) * sizeof(reasons->at[0]));
	reasons->count++;
	reasons->at[place] = (struct reason){ .at_ns = at_ns };
	return &reasons->at[place];
}

static void add_reason(struct reasons *reasons, const struct context *context, uint64_t begin_ns,
		       uint64_t end_ns)
{
	uint64_t from = context->begin_ns > begin_ns ? context->begin_ns : begin_ns;
	uint64_t to = context->end_ns < end_ns ? context->end_ns : end_ns;
	struct reason *reason = find_same(reasons, context);
	bool new = !reason;

	if (context->type == EVENT_GC)
		reasons->gc_ns += to - from;
	else if (context->type == EVENT_IMPORT)
		reasons->import_ns += to - from;
	if (new)
		reason = insert(reasons, from - begin_ns);
	if (!reason) {
		reasons->left++;
		return;
	}
	if (new) {
		reason->type = context->type;
		reason->generation = context->generation;
		memcpy(reason->name, context->name, sizeof(reason->name));
	}
	reason->value += context->value;
	reason->has_ns |= context->begin_ns < context->end_ns;
	reason->ns += to - from;
	reason->count++;
}

static void add_reasons(const struct context_ring *ring, uint64_t begin_ns, uint64_t end_ns,
			struct reasons *out)
{
	for (size_t i = 0; i < ring->count; i++) {
		const struct context *context = nth((struct context_ring *)ring, i);

		if (context->end_ns >= begin_ns && context->begin_ns <= end_ns)
			add_reason(out, context, begin_ns, end_ns);
	}
	out->forgotten |= ring->forgotten_end_ns && ring->forgotten_end_ns >= begin_ns;
}

void contexts_reasons(const struct contexts *contexts, uint64_t begin_ns, uint64_t end_ns,
		      struct reasons *out)
{
	*out = (struct reasons){};
	/* the room there is goes to those that have lengths first */
	add_reasons(&contexts->collections, begin_ns, end_ns, out);
	add_reasons(&contexts->imports, begin_ns, end_ns, out);
	add_reasons(&contexts->audits, begin_ns, end_ns, out);
}
