// SPDX-License-Identifier: MIT
#include "model/captured.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/value.h"

#define CODE_ID_MAX     (1u << 24) /* far more code objects than a program has */
#define PROCESSES_KEPT  1024
#define WAITING_MAX     256 /* threads between the two records of one transition */
#define NAME_CHARACTERS 255
#define HEAP_TYPE       (1u << 9) /* Py_TPFLAGS_HEAPTYPE (Include/object.h) */

/* One process, as the records of its locals show it. */
struct process {
	uint64_t identity, base;
	uint32_t image, pid;
	struct remote remote;
	struct memory *live;
};

struct captured {
	struct captured_options options;
	struct code_object **codes; /* by id: the names of their variables */
	uint32_t code_room;
	struct process **processes;
	size_t process_count;
	struct captured_record *waiting[WAITING_MAX]; /* one a thread, oldest first */
	size_t waiting_count;
	struct local_list shown; /* what was handed out last */
};

/* The pieces of one record. */
struct copy {
	const struct captured_record *record;
	struct memory_piece values[CAPTURED_PIECES_MAX];
	size_t value_count;
	struct memory_piece types[CAPTURED_PIECES_MAX]; /* and what belongs to them */
	bool is_type[CAPTURED_PIECES_MAX];
	size_t type_count;
};

int captured_new(const struct captured_options *options, struct captured **out)
{
	struct captured *captured = calloc(1, sizeof(*captured));

	if (!captured)
		return -ENOMEM;
	captured->options = *options;
	*out = captured;
	return 0;
}

static void process_free(struct process *process)
{
	remote_close(&process->remote);
	memory_close(process->live);
	free(process);
}

static void code_free(struct code_object *code)
{
	if (!code)
		return;
	for (uint32_t i = 0; i < code->variable_count; i++)
		free(code->variables[i]);
	free(code->variables);
	free(code->variable_kinds);
	free(code);
}

void captured_free(struct captured *captured)
{
	if (!captured)
		return;
	locals_free(&captured->shown);
	for (size_t i = 0; i < captured->waiting_count; i++)
		free(captured->waiting[i]);
	for (size_t i = 0; i < captured->process_count; i++)
		process_free(captured->processes[i]);
	for (uint32_t i = 0; i < captured->code_room; i++)
		code_free(captured->codes[i]);
	free(captured->processes);
	free(captured->codes);
	free(captured);
}

/* --- processes --- */

static int process_open(const struct captured *captured, const struct captured_record *record,
			struct process **out)
{
	const struct interpreter *interpreter =
		captured->options.image(captured->options.ctx, record->image);
	struct process *process;
	struct remote *remote;
	int err;

	if (!interpreter)
		return -EINVAL;
	process = calloc(1, sizeof(*process));
	if (!process)
		return -ENOMEM;
	process->identity = record->process;
	process->base = record->base;
	process->image = record->image;
	process->pid = record->head.pid;
	remote = &process->remote;
	err = remote_init(remote, interpreter, record->base, NULL);
	if (!err)
		err = captured->options.recorded ?
			      memory_open_pieces(NULL, 0, &process->live) :
			      memory_open_process((pid_t)process->pid, 0, &process->live);
	if (err) {
		process_free(process);
		return err;
	}
	remote->classes_memory = process->live;
	*out = process;
	return 0;
}

static void drop_process(struct captured *captured, size_t index)
{
	process_free(captured->processes[index]);
	captured->processes[index] = captured->processes[--captured->process_count];
}

static int find_process(struct captured *captured, const struct captured_record *record,
			struct process **out)
{
	struct process **grown;
	int err;

	for (size_t i = 0; i < captured->process_count; i++) {
		*out = captured->processes[i];
		if ((*out)->identity == record->process && (*out)->image == record->image &&
		    (*out)->base == record->base && (*out)->pid == record->head.pid)
			return 0;
	}
	if (captured->process_count == PROCESSES_KEPT)
		drop_process(captured, 0);
	grown = realloc(captured->processes,
			(captured->process_count + 1) * sizeof(struct process *));
	if (!grown)
		return -ENOMEM;
	captured->processes = grown;
	err = process_open(captured, record, out);
	if (!err)
		captured->processes[captured->process_count++] = *out;
	return err;
}

void captured_forget(struct captured *captured, uint32_t pid)
{
	for (size_t i = 0; i < captured->process_count;)
		if (captured->processes[i]->pid == pid)
			drop_process(captured, i);
		else
			i++;
}

/* --- pieces --- */

static int take_apart(const struct captured_record *record, size_t size, struct copy *copy)
{
	const uint8_t *at = (const uint8_t *)(record + 1), *end = (const uint8_t *)record + size;
	struct captured_piece piece;

	copy->record = record;
	copy->value_count = copy->type_count = 0;
	for (uint32_t i = 0; i < record->pieces; i++) {
		struct memory_piece found;

		if (i == CAPTURED_PIECES_MAX || (size_t)(end - at) < sizeof(piece))
			return -EINVAL;
		memcpy(&piece, at, sizeof(piece));
		at += sizeof(piece);
		if (piece.size > (size_t)(end - at))
			return -EINVAL;
		found = (struct memory_piece){ piece.address, at, piece.size };
		if (piece.flags) {
			copy->is_type[copy->type_count] = piece.flags == PIECE_TYPE;
			copy->types[copy->type_count++] = found;
		} else {
			copy->values[copy->value_count++] = found;
		}
		at += piece.size + (-piece.size & 7);
		if (at > end)
			at = end;
	}
	return 0;
}

/* What follows the last dot. */
static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* A class under the name it was copied with, or under none. Another class may have had that place in
 * memory before. `whole`: the name has its module; else that is sought in the process. */
static int name_class(struct remote *remote, struct memory *types, uint64_t type,
		      const char *copied, bool whole)
{
	struct memory *values = remote->memory;
	const char *known;

	for (int round = 0; round < 2; round++) {
		if (whole)
			remote->memory = types;
		known = value_class_of_type(remote, type);
		if (!known) {
			remote->memory = types;
			known = value_class_of_type(remote, type);
		}
		remote->memory = values;
		if (!known || !copied || !strcmp(last_part(known), last_part(copied)))
			return 0;
		class_names_free(remote->class_names);
		remote->class_names = class_names_new();
		if (!remote->class_names)
			return -ENOMEM;
	}
	return 0;
}

/* Makes the classes that a record tells of known by name: as they were copied. Where the module was not
 * found then, from the process. */
static int name_classes(struct remote *remote, const struct copy *copy)
{
	struct remote copied = *remote;
	int err = memory_open_pieces(copy->types, copy->type_count, &copied.memory);

	if (err)
		return err;
	copied.classes_memory = NULL;
	copied.class_names = class_names_new();
	if (!copied.class_names)
		err = -ENOMEM;
	memory_forget_all(remote->classes_memory);
	for (size_t i = 0; i < copy->type_count && !err; i++) {
		uint64_t type = copy->types[i].address, flags;
		const char *name;

		if (!copy->is_type[i])
			continue;
		flags = memory_u64(copied.memory, type + remote->inner.values.type_flags);
		name = value_class_of_type(&copied, type);
		err = name_class(remote, copied.memory, type, name,
				 name && (!(flags & HEAP_TYPE) || strchr(name, '.')));
	}
	class_names_free(copied.class_names);
	memory_close(copied.memory);
	return err;
}

/* --- variables --- */

static int make_room(struct captured *captured, uint32_t id)
{
	uint32_t room = captured->code_room ? captured->code_room : 256;
	struct code_object **grown;

	if (!id || id >= CODE_ID_MAX)
		return -EINVAL;
	if (id < captured->code_room)
		return 0;
	while (room <= id)
		room *= 2;
	grown = realloc(captured->codes, room * sizeof(struct code_object *));
	if (!grown)
		return -ENOMEM;
	memset(grown + captured->code_room, 0,
	       (room - captured->code_room) * sizeof(struct code_object *));
	captured->codes = grown;
	captured->code_room = room;
	return 0;
}

/* The names and kinds of the first variables, as many as were copied. */
static int read_names(struct code_object *code, struct remote *remote, uint32_t count)
{
	const struct value_layout *values = &remote->inner.values;
	uint64_t names = memory_u64(remote->memory, code->address + values->code_localsplusnames);
	uint64_t kinds = memory_u64(remote->memory, code->address + values->code_localspluskinds);

	code->variables = calloc(count + 1, sizeof(*code->variables));
	code->variable_kinds = calloc(count + 1, 1);
	if (!code->variables || !code->variable_kinds)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t item = names + values->tuple_items + i * sizeof(item);
		struct buffer text = {};

		if (memory_read(remote->memory, kinds + BYTES_DATA + i, &code->variable_kinds[i],
				1) ||
		    value_text(remote, memory_u64(remote->memory, item), NAME_CHARACTERS, &text) ||
		    text.failed || !text.text) {
			free(text.text);
			return 0;
		}
		code->variables[code->variable_count++] = text.text;
	}
	return 0;
}

static int add_variables(struct captured *captured, const struct copy *copy)
{
	const struct captured_record *record = copy->record;
	struct code_object *code;
	struct process *process;
	int err = make_room(captured, record->code);

	if (!err)
		err = record->slots > CAPTURED_SLOTS_MAX ? -EINVAL : 0;
	if (!err)
		err = find_process(captured, record, &process);
	if (err)
		return err;
	code = calloc(1, sizeof(*code));
	if (!code)
		return -ENOMEM;
	code->address = record->subject;
	err = memory_open_pieces(copy->values, copy->value_count, &process->remote.memory);
	if (!err)
		err = read_names(code, &process->remote, record->slots);
	memory_close(process->remote.memory);
	process->remote.memory = NULL;
	if (err) {
		code_free(code);
		return err;
	}
	code_free(captured->codes[record->code]);
	captured->codes[record->code] = code;
	return 0;
}

/* --- locals --- */

static int keep(struct captured *captured, const struct captured_record *record, size_t size)
{
	struct captured_record *copy = malloc(size);
	size_t at = 0;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, record, size);
	copy->head.size = (uint32_t)size;
	/* of one whose transition was lost, or of too many */
	while (at < captured->waiting_count && captured->waiting[at]->head.tid != record->head.tid)
		at++;
	if (at == WAITING_MAX)
		at = 0;
	if (at < captured->waiting_count) {
		free(captured->waiting[at]);
		memmove(&captured->waiting[at], &captured->waiting[at + 1],
			(--captured->waiting_count - at) * sizeof(struct captured_record *));
	}
	captured->waiting[captured->waiting_count++] = copy;
	return 0;
}

/* BPF tells of a class once, with whatever locals it met it in: also with those of a transition that is
 * not shown, or lost. */
static int learn_classes(struct captured *captured, const struct copy *copy)
{
	struct process *process;
	int err;

	if (!copy->type_count)
		return 0;
	err = find_process(captured, copy->record, &process);
	if (!err)
		err = memory_open_pieces(copy->values, copy->value_count, &process->remote.memory);
	if (err)
		return err;
	err = name_classes(&process->remote, copy);
	memory_close(process->remote.memory);
	process->remote.memory = NULL;
	return err;
}

int captured_add(struct captured *captured, const struct captured_record *record, size_t size)
{
	struct copy copy;
	int err;

	if (take_apart(record, size, &copy))
		return -EINVAL;
	if (record->head.type != RECORD_LOCALS)
		return add_variables(captured, &copy);
	err = learn_classes(captured, &copy);
	return err ? err : keep(captured, record, size);
}

/* Is the object there? And what it holds, if it is a cell. */
static bool is_copied(struct remote *remote, uint64_t object)
{
	uint64_t content;

	if (!memory_u64(remote->memory, object + PYOBJECT_TYPE))
		return false;
	if (value_type(remote, object) != VALUE_CELL)
		return true;
	return !memory_read(remote->memory, object + CELL_VALUE, &content, sizeof(content)) &&
	       (!content || memory_u64(remote->memory, content + PYOBJECT_TYPE));
}

/* Up to where the variables can be shown: what BPF followed, unbound ones behind it, and where the record
 * was cut not what fell victim to that. */
static size_t slots_shown(struct remote *remote, const struct copy *copy, uint64_t slots_address,
			  size_t slots)
{
	const struct captured_record *record = copy->record;
	uint64_t tag = remote->inner.values.stackref_tag;

	for (size_t i = 0; i < slots; i++) {
		uint64_t reference = memory_u64(remote->memory, slots_address + i * 8);
		uint64_t object = reference & ~tag;

		if (!object || (remote->inner.values.tagged_int &&
				(reference & tag) == remote->inner.values.tagged_int))
			continue;
		if (i >= record->slots ||
		    (record->head.flags & CAPTURED_CUT && !is_copied(remote, object)))
			return i;
	}
	return slots;
}

static int show(struct captured *captured, struct process *process, struct code_object *code,
		struct copy *copy)
{
	struct remote *remote = &process->remote;
	uint64_t address = copy->record->subject + remote->inner.values.frame_localsplus;
	struct memory_piece *frame = copy->values; /* the first one */
	size_t slots;

	if (!code->variable_count)
		return 0;
	slots = copy->value_count && frame->address == address ? frame->size / 8 : 0;
	slots = slots_shown(remote, copy, address, slots);
	if (!slots) {
		captured->shown.truncated = true;
		return 0;
	}
	/* a reader of the memory must not see what is not to be shown */
	memory_close(remote->memory);
	remote->memory = NULL;
	frame->size = slots * 8;
	if (memory_open_pieces(copy->values, copy->value_count, &remote->memory))
		return -ENOMEM;
	return locals_read(remote, code, copy->record->subject, &captured->options.locals,
			   &captured->shown);
}

static int decode(struct captured *captured, const struct captured_record *record)
{
	struct code_object *code =
		record->code < captured->code_room ? captured->codes[record->code] : NULL;
	struct process *process;
	struct copy copy;
	int err;

	if (!code || take_apart(record, record->head.size, &copy))
		return -EINVAL;
	err = find_process(captured, record, &process);
	if (!err)
		err = memory_open_pieces(copy.values, copy.value_count, &process->remote.memory);
	if (err)
		return err;
	err = show(captured, process, code, &copy);
	memory_close(process->remote.memory);
	process->remote.memory = NULL;
	return err;
}

const struct local_list *captured_take(struct captured *captured,
				       const struct transition_record *transition)
{
	struct captured_record *record = NULL;
	int err;

	locals_free(&captured->shown);
	for (size_t i = 0; i < captured->waiting_count && !record; i++) {
		record = captured->waiting[i];
		if (record->id != transition->id || record->seq != transition->seq ||
		    record->head.tid != transition->head.tid) {
			record = NULL;
			continue;
		}
		memmove(&captured->waiting[i], &captured->waiting[i + 1],
			(--captured->waiting_count - i) * sizeof(struct captured_record *));
	}
	if (!record)
		return NULL;
	err = decode(captured, record);
	free(record);
	return err ? NULL : &captured->shown;
}
