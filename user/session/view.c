// SPDX-License-Identifier: MIT
#include "session/view.h"

#include "target/memory.h"

int process_view_open(struct images *images, pid_t pid, size_t cache_bytes,
		      struct process_view *out, char *why)
{
	uint64_t bias;
	int err;

	*out = (struct process_view){};
	err = images_of_process(images, pid, &out->image, why);
	if (!err)
		err = image_bias(out->image, pid, &bias);
	if (!err)
		err = memory_open_process(pid, cache_bytes, &out->memory);
	if (!err)
		err = remote_open(&out->remote, &out->image->interpreter, bias, out->memory, why);
	if (err)
		memory_close(out->memory);
	return err;
}

void process_view_close(struct process_view *view)
{
	remote_close(&view->remote);
	memory_close(view->memory);
}
