// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "model/snapshot_internal.h"
#include "target/clock.h"

int snapshot_take_some(struct remote *remote, pid_t pid, const struct snapshot_options *options,
		       const uint64_t *addresses, size_t count, struct snapshot **out)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	uint64_t start = clock_now_ns();
	int err = snapshot ? code_objects_new(&snapshot->codes) : -ENOMEM;

	if (!err) {
		snapshot->pid = pid;
		snapshot->objects = calloc(count + 1, sizeof(*snapshot->objects));
		err = snapshot->objects ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < count && !err; i++) {
		struct snapshot_object *object = &snapshot->objects[snapshot->object_count];

		err = snapshot_read_object(remote, options, snapshot, addresses[i], object);
		if (!err) {
			snapshot->object_count++;
			continue;
		}
		snapshot_drop_locals(object);
		if (err != -ENOMEM && err != -ESRCH) {
			snapshot->counts.unreadable += err != -ENOENT;
			err = 0;
		}
	}
	if (err) {
		snapshot_free(snapshot);
		return err;
	}
	snapshot->counts.duration_ns = clock_now_ns() - start;
	*out = snapshot;
	return 0;
}
