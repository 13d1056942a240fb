// SPDX-License-Identifier: MIT
#include "session/awaited.h"

#include <errno.h>

#include "session/internal.h"
#include "session/view.h"

#define CACHE_BYTES (256u << 10) /* some objects and their code are read */

/* The end of the chain is what is no generator, is just running, or cannot be read. */
static void follow(struct remote *remote, uint64_t awaits, struct awaited_chain *out)
{
	while (awaits && out->count < AWAITED_MAX) {
		struct awaited *next = &out->at[out->count];

		if (generator_read(remote, generator_unwrap(remote, awaits), &next->object))
			return;
		next->code = code_objects_find(out->codes, remote, next->object.code);
		if (!next->code)
			return;
		out->count++;
		awaits = next->object.state == STATE_SUSPENDED ? next->object.awaits : 0;
	}
}

int session_read_awaited(struct session *session, pid_t pid, uint64_t gen, uint32_t instruction,
			 struct awaited_chain *out)
{
	char why[IMAGE_WHY_MAX];
	struct process_view view;
	struct generator first;
	int err = process_view_open(&session->images, pid, CACHE_BYTES, &view, why);

	if (err)
		return err;
	out->count = 0;
	err = generator_read(&view.remote, gen, &first);
	if (!err && (first.state != STATE_SUSPENDED || first.instruction != instruction))
		err = -EAGAIN;
	if (!err)
		err = code_objects_new(&out->codes);
	if (!err)
		follow(&view.remote, first.awaits, out);
	process_view_close(&view);
	return err;
}

void awaited_free(struct awaited_chain *chain)
{
	code_objects_free(chain->codes);
	chain->codes = NULL;
}
