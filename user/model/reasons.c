// SPDX-License-Identifier: MIT
#include "model/reasons.h"

#include <string.h>

/* Whole names, and beginnings that end with a dot. */
static const char *const blocking[] = {
	"time.sleep",    "open",          "socket.",         "subprocess.",   "sqlite3.connect",
	"urllib.",       "http.client.",  "ftplib.",         "imaplib.",      "nntplib.",
	"poplib.",       "smtplib.",      "telnetlib.",      "os.",           "shutil.",
	"glob.",         "pathlib.Path.", "tempfile.",       "fcntl.",        "msvcrt.",
	"pty.spawn",     "signal.",       "webbrowser.open", "ctypes.dlopen", "mmap.__new__",
	"syslog.syslog", "input",         "builtins.input",  "select.",
};

bool audit_may_block(const char *name)
{
	for (size_t i = 0; i < sizeof(blocking) / sizeof(blocking[0]); i++) {
		size_t size = strlen(blocking[i]);

		if (blocking[i][size - 1] == '.' ? !strncmp(name, blocking[i], size) :
						   !strcmp(name, blocking[i]))
			return true;
	}
	return false;
}

void contexts_add(struct contexts *contexts, const struct event *event)
{
	struct context *context = &contexts->at[contexts->next];

	if (event->type != EVENT_GC && event->type != EVENT_IMPORT &&
	    (event->type != EVENT_AUDIT || !audit_may_block(event->name)))
		return;
	*context = (struct context){ .type = event->type,
				     .generation = event->generation,
				     .value = event->value,
				     .begin_ns = event->ts_ns - event->ns,
				     .end_ns = event->ts_ns };
	strncpy(context->name, event->name, sizeof(context->name) - 1);
	contexts->next = (contexts->next + 1) % CONTEXTS_MAX;
	if (contexts->count < CONTEXTS_MAX)
		contexts->count++;
}

static const struct context *nth(const struct contexts *contexts, size_t n)
{
	return &contexts->at[(contexts->next + CONTEXTS_MAX - contexts->count + n) % CONTEXTS_MAX];
}

/* An import ends after those within it: is there a later one around it? */
static bool is_part(const struct contexts *contexts, size_t n)
{
	const struct context *inner = nth(contexts, n);

	for (size_t i = n + 1; i < contexts->count; i++) {
		const struct context *outer = nth(contexts, i);

		if (outer->type == EVENT_IMPORT && outer->begin_ns <= inner->begin_ns &&
		    outer->begin_ns < outer->end_ns && inner->end_ns <= outer->end_ns)
			return true;
	}
	return false;
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
	else
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

void contexts_reasons(const struct contexts *contexts, uint64_t begin_ns, uint64_t end_ns,
		      struct reasons *out)
{
	*out = (struct reasons){};
	for (size_t i = 0; i < contexts->count; i++) {
		const struct context *context = nth(contexts, i);

		if (context->end_ns < begin_ns || context->begin_ns > end_ns)
			continue;
		if (context->type == EVENT_IMPORT && is_part(contexts, i))
			continue;
		add_reason(out, context, begin_ns, end_ns);
	}
}
