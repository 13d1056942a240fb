// SPDX-License-Identifier: MIT
#include "model/recorded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/memory_layouts.h"

struct process {
	uint32_t pid;
	uint32_t image; /* index of its interpreter */
	char *name;
};

struct recorded {
	struct recording_wanted wanted;
	struct interpreter *images[IMAGES_MAX];
	char versions[IMAGES_MAX][sizeof(((struct recording_image *)0)->version) + 1];
	struct process *processes;
	size_t process_count;
};

int recorded_new(struct recorded **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void recorded_free(struct recorded *recorded)
{
	if (!recorded)
		return;
	for (size_t i = 0; i < IMAGES_MAX; i++)
		free(recorded->images[i]);
	for (size_t i = 0; i < recorded->process_count; i++)
		free(recorded->processes[i].name);
	free(recorded->processes);
	free(recorded);
}

/* Which build it was is not recorded: the one whose values lie as BPF was told. */
static int find_build(struct interpreter *interpreter, const struct value_layout *values)
{
	struct memory_layout layout;

	for (int debug = 0; debug < 2; debug++) {
		interpreter->debug = debug;
		if (!memory_layout_for_version(interpreter->version_hex, debug, &layout) &&
		    !memcmp(&layout.values, values, sizeof(*values)))
			return 0;
	}
	return -ENOTSUP;
}

static int add_image(struct recorded *recorded, const struct recording_image *image)
{
	struct interpreter *interpreter;

	if (image->index >= IMAGES_MAX)
		return 0;
	memcpy(recorded->versions[image->index], image->version, sizeof(image->version));
	interpreter = calloc(1, sizeof(*interpreter));
	if (!interpreter)
		return -ENOMEM;
	interpreter->version_hex = image->version_hex;
	memcpy(interpreter->version, image->version, sizeof(interpreter->version) - 1);
	memcpy(interpreter->build_id, image->build_id, sizeof(interpreter->build_id) - 1);
	interpreter->layout = image->image.layout;
	for (int kind = 0; kind < KIND_COUNT; kind++)
		interpreter->types[kind] = image->image.types[kind];
	for (int type = 0; type < VALUE_TYPE_COUNT; type++)
		interpreter->value_types[type] = image->image.value_types[type];
	free(recorded->images[image->index]);
	recorded->images[image->index] = NULL;
	if (find_build(interpreter, &image->image.values))
		free(interpreter);
	else
		recorded->images[image->index] = interpreter;
	return 0;
}

static int add_process(struct recorded *recorded, const struct recording_process *process,
		       size_t size)
{
	const char *command = (const char *)(process + 1);
	size_t length = size - sizeof(*process);
	struct process *grown, *known = NULL;
	char *name =
		length ? strndup(command, length) : strndup(process->comm, sizeof(process->comm));

	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < recorded->process_count && !known; i++)
		if (recorded->processes[i].pid == process->pid)
			known = &recorded->processes[i];
	if (!known) {
		grown = realloc(recorded->processes,
				(recorded->process_count + 1) * sizeof(*grown));
		if (!grown) {
			free(name);
			return -ENOMEM;
		}
		recorded->processes = grown;
		known = &grown[recorded->process_count++];
		*known = (struct process){ .pid = process->pid };
	}
	free(known->name);
	known->name = name;
	known->image = process->image;
	return 0;
}

int recorded_add(struct recorded *recorded, uint32_t kind, const void *bytes, size_t size)
{
	switch (kind) {
	case TABLE_WANTED:
		memcpy(&recorded->wanted, bytes, sizeof(recorded->wanted));
		return 0;
	case TABLE_IMAGE:
		return add_image(recorded, bytes);
	case TABLE_PROCESS:
		return add_process(recorded, bytes, size);
	}
	return 0;
}

const struct recording_wanted *recorded_wanted(const struct recorded *recorded)
{
	return &recorded->wanted;
}

const struct interpreter *recorded_image(const struct recorded *recorded, uint32_t index)
{
	return index < IMAGES_MAX ? recorded->images[index] : NULL;
}

const char *recorded_process_name(const struct recorded *recorded, uint32_t pid)
{
	for (size_t i = 0; i < recorded->process_count; i++)
		if (recorded->processes[i].pid == pid)
			return *recorded->processes[i].name ? recorded->processes[i].name : NULL;
	return NULL;
}

bool recorded_process_at(const struct recorded *recorded, size_t index,
			 struct recorded_process *out)
{
	const struct process *process;
	const char *version;

	if (index >= recorded->process_count)
		return false;
	process = &recorded->processes[index];
	version = process->image < IMAGES_MAX ? recorded->versions[process->image] : "";
	*out = (struct recorded_process){ .pid = process->pid,
					  .name = *process->name ? process->name : NULL,
					  .version = *version ? version : NULL };
	return true;
}
