// SPDX-License-Identifier: MIT
/*
 * What inspect.getgeneratorlocals() shows: dict(frame.f_locals). Every slot of the frame counts in order,
 * cells by what they hold, empty ones not. Two slots may have one name, since comprehensions are
 * inlined (3.12 on): then, until 3.12, the last one sets or removes the name (Objects/frameobject.c,
 * _PyFrame_FastToLocalsWithError(), 3.12 _PyFrame_GetLocals()), but hidden ones only add and override; from
 * 3.13 on the first one that is bound counts (framelocalsproxy_getkeyindex()).
 */
#include "python/locals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/value_internal.h"

#define VARIABLES_SANE 65536

struct slot {
	uint64_t bits;  /* as in the frame */
	uint64_t value; /* address, 0: unbound or a tagged int */
	uint32_t first; /* the first slot of that name */
	bool bound, is_int, hidden, shown, taken;
};

bool locals_is_secret(const char *name)
{
	static const char *const words[] = { "password",      "passwd", "secret",
					     "token",         "apikey", "api_key",
					     "authorization", "cookie", "credential" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (const char *at = name; *at; at++)
			if (!strncasecmp(at, words[i], strlen(words[i])))
				return true;
	return false;
}

/* The bits of a reference (Include/internal/pycore_stackref.h from 3.14 on): an address with flags below
 * it, or an int. */
static void untag(struct remote *remote, struct slot *slot)
{
	const struct value_layout *layout = &remote->inner.values;

	slot->is_int = layout->tagged_int && (slot->bits & 3) == layout->tagged_int;
	slot->value = slot->is_int ? 0 : slot->bits & ~(uint64_t)layout->stackref_tag;
	slot->bound = slot->is_int || slot->value;
}

static void resolve(struct remote *remote, struct slot *slot, uint8_t kind)
{
	uint64_t content;

	untag(remote, slot);
	slot->hidden = kind & LOCAL_HIDDEN;
	if (!slot->value || !(kind & (LOCAL_CELL | LOCAL_FREE)) ||
	    value_type(remote, slot->value) != VALUE_CELL)
		return;
	if (memory_read(remote->memory, slot->value + CELL_VALUE, &content, sizeof(content)))
		return; /* shown as what it is: a cell */
	slot->value = content;
	slot->bound = content != 0;
}

/* qsort_r: by name, then by place. */
static int by_name(const void *left, const void *right, void *names)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	int order = strcmp(((char **)names)[a], ((char **)names)[b]);

	return order ? order : a < b ? -1 : a > b;
}

static int find_same_names(struct slot *slots, char **names, uint32_t count)
{
	uint32_t *order = malloc(count * sizeof(*order));

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), by_name, names);
	for (uint32_t i = 0; i < count; i++) {
		bool same = i && !strcmp(names[order[i]], names[order[i - 1]]);

		slots[order[i]].first = same ? slots[order[i - 1]].first : order[i];
	}
	free(order);
	return 0;
}

/* The first bound slot of each name. */
static void choose_first(struct slot *slots, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct slot *first = &slots[slots[i].first];

		slots[i].shown = slots[i].bound && !first->taken;
		first->taken |= slots[i].shown;
	}
}

/* A dict to which each slot is set, or from which its name is removed. `place` is where the name stands
 * in the dict: where it was set first since it was last removed. */
static void choose_last(struct slot *slots, uint32_t count, uint32_t *place)
{
	for (int hidden = 0; hidden < 2; hidden++) {
		for (uint32_t i = 0; i < count; i++) {
			uint32_t *at = &place[slots[i].first];

			if (slots[i].hidden != hidden || (hidden && !slots[i].bound))
				continue;
			if (!slots[i].bound) {
				if (*at < count)
					slots[*at].shown = false;
				*at = count;
				continue;
			}
			if (*at == count) {
				*at = i;
			} else {
				slots[*at].value = slots[i].value;
				slots[*at].is_int = slots[i].is_int;
				slots[*at].bits = slots[i].bits;
			}
			slots[*at].shown = true;
		}
	}
}

static int choose(struct remote *remote, struct slot *slots, char **names, uint32_t count)
{
	uint32_t *place;
	int err = find_same_names(slots, names, count);

	if (err)
		return err;
	if (value_minor(remote) >= 13) {
		choose_first(slots, count);
		return 0;
	}
	place = malloc(count * sizeof(*place));
	if (!place)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		place[i] = count;
	choose_last(slots, count, place);
	free(place);
	return 0;
}

static int show(struct remote *remote, const struct slot *slot, const char *name,
		const struct locals_options *options, struct local *out)
{
	const char *type = slot->is_int ? "int" : value_class(remote, slot->value);
	struct buffer text = { 0 };

	out->name = name;
	out->type = strdup(type ? type : "?");
	if (!out->type)
		return -ENOMEM;
	out->redacted = options->redact && locals_is_secret(name);
	if (out->redacted)
		return 0;
	if (slot->is_int)
		buffer_printf(&text, "%lld", (long long)((int64_t)slot->bits >> 2));
	else
		value_repr(remote, &options->limits, slot->value, &text, &out->truncated);
	out->repr = text.text;
	return text.failed || !text.text ? -ENOMEM : 0;
}

static int show_all(struct remote *remote, const struct slot *slots, char **names, uint32_t count,
		    const struct locals_options *options, struct local_list *out)
{
	size_t wanted = 0;

	for (uint32_t i = 0; i < count; i++)
		wanted += slots[i].shown;
	if (options->names_max && wanted > options->names_max) {
		wanted = options->names_max;
		out->truncated = true;
	}
	out->at = calloc(wanted ? wanted : 1, sizeof(*out->at));
	if (!out->at)
		return -ENOMEM;
	for (uint32_t i = 0; i < count && out->count < wanted; i++) {
		int err;

		if (!slots[i].shown)
			continue;
		err = show(remote, &slots[i], names[i], options, &out->at[out->count++]);
		if (err)
			return err;
	}
	return 0;
}

/* How many slots could be read: a copy may have the first ones only. */
static int read_slots(struct remote *remote, uint64_t frame, const uint8_t *kinds, uint32_t count,
		      struct slot *slots)
{
	uint64_t at = frame + remote->inner.values.frame_localsplus;

	for (uint32_t i = 0; i < count; i++) {
		if (memory_read(remote->memory, at + i * sizeof(at), &slots[i].bits, sizeof(at)))
			return i && value_is_copy(remote) ? (int)i : -EFAULT;
		resolve(remote, &slots[i], kinds[i]);
	}
	return (int)count;
}

int locals_read(struct remote *remote, struct code_object *code, uint64_t frame,
		const struct locals_options *options, struct local_list *out)
{
	struct slot *slots;
	int got, err;

	memset(out, 0, sizeof(*out));
	err = code_object_read_variables(code, remote);
	if (err)
		return err;
	if (code->variable_count > VARIABLES_SANE)
		return -EFAULT;
	for (uint32_t i = 0; i < code->variable_count; i++)
		if (!code->variables[i])
			return -EFAULT;
	if (!code->variable_count)
		return 0;
	slots = calloc(code->variable_count, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	got = read_slots(remote, frame, code->variable_kinds, code->variable_count, slots);
	err = got < 0 ? got : choose(remote, slots, code->variables, (uint32_t)got);
	out->truncated = got >= 0 && (uint32_t)got < code->variable_count;
	if (!err)
		err = show_all(remote, slots, code->variables, (uint32_t)got, options, out);
	free(slots);
	if (err)
		locals_free(out);
	return err;
}

void locals_free(struct local_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->at[i].type);
		free(list->at[i].repr);
	}
	free(list->at);
	memset(list, 0, sizeof(*list));
}
