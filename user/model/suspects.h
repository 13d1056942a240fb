/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_SUSPECTS_H
#define GENSCOPE_MODEL_SUSPECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/living.h"
#include "model/stream.h"

/* What may be a leak, or work that was never done. */

#define SUSPECT_PARKED_NS                                                                          \
	3600000000000ull /* an hour, longer than any timeout in use: unless one is given */

enum suspect_type {
	SUSPECT_NONE = 0,
	/* A coroutine that ended without having begun, and not by close() (what Python warns of as well). */
	SUSPECT_NEVER_AWAITED = 1,
	/* An async generator that was begun and dropped: the finaliser closed it, or the event loop did, which
	 * runs aclose() in a task of its own for what the finaliser's hook hands it (PEP 525), and at its end. */
	SUSPECT_UNCLOSED = 2,
	SUSPECT_PARKED = 3, /* suspended for long */
};
#define SUSPECT_COUNT 4

struct suspect {
	uint8_t type;
	const struct event *event; /* a transition, or an EVENT_LIVING; valid as long as that is */
	struct slow_place self;    /* `line`: where it stood, 0 when it had not begun */
	const struct slow_place
		*chain; /* of what is parked: itself first, then what it awaits; NULL: itself */
	size_t chain_count;
	bool has_suspended;
	bool at_least; /* it was suspended when the run began */
	uint64_t suspended_ns;
	const struct code *maker; /* where it was made; NULL: not known */
	uint32_t maker_line;
};

/* The words of the contract: "never_awaited". */
const char *name_of_suspect(uint8_t type);

/* Whether that event makes its object a suspect. */
bool suspect_of_event(const struct event *event, struct suspect *out);

/* One that living_parked() has handed out. */
void suspect_of_parked(const struct living_chain *chain, struct suspect *out);

#endif
