// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "sink/html_internal.h"

static int by_rank(const void *left, const void *right)
{
	const uint64_t *a = *(const uint64_t *const *)left, *b = *(const uint64_t *const *)right;

	return (*a < *b) - (*a > *b);
}

void notes_sort(struct notes *notes)
{
	if (notes->count)
		qsort(notes->at, notes->count, sizeof(*notes->at), by_rank);
	while (notes->count > notes->limit)
		free(notes->at[--notes->count]);
}

void notes_free(struct notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		free(notes->at[i]);
	free(notes->at);
}

/* Takes the note over. Twice the limit is kept for a while: sorting is then rare. */
static int notes_add(struct notes *notes, uint64_t *note)
{
	if (!notes->at)
		notes->at = calloc(2 * notes->limit, sizeof(*notes->at));
	if (!notes->at) {
		free(note);
		return -ENOMEM;
	}
	notes->told++;
	notes->at[notes->count++] = note;
	if (notes->count == 2 * notes->limit)
		notes_sort(notes);
	return 0;
}

static int copy_text(struct html *html, const char *text, uint32_t *out)
{
	*out = NO_TEXT;
	return text ? texts_find(&html->texts, text, out) : 0;
}

static int copy_frames(struct html *html, const struct html_frame *from, size_t count,
		       struct page_frame *to)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		to[i] = (struct page_frame){ .id = from[i].id, .line = from[i].line };
		err = copy_text(html, from[i].qualname, &to[i].qualname);
		if (!err)
			err = copy_text(html, from[i].file, &to[i].file);
	}
	return err;
}

static int copy_reasons(struct html *html, const struct html_slow *slow, struct page_reason *to)
{
	int err = 0;

	for (size_t i = 0; i < slow->reason_count && !err; i++) {
		to[i].ns = slow->reasons[i].ns;
		err = copy_text(html, slow->reasons[i].type, &to[i].type);
		if (!err)
			err = copy_text(html, slow->reasons[i].name, &to[i].name);
	}
	return err;
}

static int add_slow(struct html *html, const struct html_slow *slow)
{
	size_t chain_bytes = slow->chain_count * sizeof(struct page_frame);
	size_t reason_bytes = slow->reason_count * sizeof(struct page_reason);
	struct slow_note *note = malloc(sizeof(*note) + chain_bytes + reason_bytes);
	struct page_frame *chain;
	struct page_reason *reasons;
	int err;

	if (!note)
		return -ENOMEM;
	chain = (struct page_frame *)(note + 1);
	reasons = (struct page_reason *)(chain + slow->chain_count);
	*note = (struct slow_note){ .rank = slow->run_ns,
				    .begin_ns = slow->begin_ns,
				    .self_ns = slow->self_ns,
				    .pid = slow->pid,
				    .tid = slow->tid,
				    .running = slow->running,
				    .chain_count = slow->chain_count,
				    .reason_count = slow->reason_count,
				    .chain = chain,
				    .reasons = reasons };
	err = copy_frames(html, slow->chain, slow->chain_count, chain);
	if (!err)
		err = copy_reasons(html, slow, reasons);
	if (err) {
		free(note);
		return err;
	}
	return notes_add(&html->slow, &note->rank);
}

static int add_suspect(struct html *html, const struct html_suspect *suspect)
{
	size_t bytes = suspect->created_count * sizeof(struct page_frame);
	struct suspect_note *note = malloc(sizeof(*note) + bytes);
	struct page_frame *created;
	int err;

	if (!note)
		return -ENOMEM;
	created = (struct page_frame *)(note + 1);
	*note = (struct suspect_note){ .rank = UINT64_MAX - suspect->since_ns,
				       .pid = suspect->pid,
				       .created_count = suspect->created_count,
				       .created = created };
	err = copy_text(html, suspect->what, &note->what);
	if (!err)
		err = copy_text(html, suspect->kind, &note->kind);
	if (!err)
		err = copy_frames(html, &suspect->object, 1, &note->object);
	if (!err)
		err = copy_frames(html, suspect->created, suspect->created_count, created);
	if (err) {
		free(note);
		return err;
	}
	return notes_add(&html->suspects, &note->rank);
}

void html_slow(struct sink *sink, const struct html_slow *slow)
{
	struct html *html = (struct html *)sink;

	if (add_slow(html, slow))
		html->error = -ENOMEM;
}

void html_suspect(struct sink *sink, const struct html_suspect *suspect)
{
	struct html *html = (struct html *)sink;

	if (add_suspect(html, suspect))
		html->error = -ENOMEM;
}

static int add_process(struct html *html, const struct html_process *process)
{
	struct page_process *grown =
		realloc(html->processes, (html->process_count + 1) * sizeof(*grown));
	struct page_process *added;
	int err;

	if (!grown)
		return -ENOMEM;
	html->processes = grown;
	added = &grown[html->process_count];
	added->pid = process->pid;
	err = copy_text(html, process->name, &added->name);
	if (!err)
		err = copy_text(html, process->python, &added->python);
	if (!err)
		html->process_count++;
	return err;
}

void html_process(struct sink *sink, const struct html_process *process)
{
	struct html *html = (struct html *)sink;

	if (add_process(html, process))
		html->error = -ENOMEM;
}
