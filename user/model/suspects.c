// SPDX-License-Identifier: MIT
#include "model/suspects.h"

const char *name_of_suspect(uint8_t type)
{
	static const char *const names[SUSPECT_COUNT] = { "", "never_awaited", "unclosed",
							  "parked" };

	return type < SUSPECT_COUNT ? names[type] : "";
}

/* The same question as is_suspect() of bpf/company.bpf.h asks. */
static uint8_t type_of(const struct transition_record *t)
{
	if (t->kind == KIND_COROUTINE && t->from == STATE_CREATED &&
	    (t->to == STATE_NONE || (t->to == STATE_CLOSED && t->via == VIA_FINALIZE)))
		return SUSPECT_NEVER_AWAITED;
	if (t->kind == KIND_ASYNC_GENERATOR && t->from == STATE_SUSPENDED &&
	    (t->to == STATE_NONE || t->via == VIA_FINALIZE || (t->via == VIA_ACLOSE && !t->parent)))
		return SUSPECT_UNCLOSED;
	return SUSPECT_NONE;
}

bool suspect_of_event(const struct event *event, struct suspect *out)
{
	const struct transition_record *t = event->transition;
	uint8_t type = event->type == EVENT_TRANSITION && !(t->head.flags & TRANSITION_CHAIN) ?
			       type_of(t) :
			       SUSPECT_NONE;

	if (!type)
		return false;
	*out = (struct suspect){
		.type = type,
		.event = event,
		.self = { .id = t->id,
			  .gen = t->gen,
			  .code = event->code,
			  .line = type == SUSPECT_UNCLOSED ? event->line : 0,
			  .kind = t->kind,
			  .to = t->to,
			  .ts_ns = event->ts_ns },
		.has_suspended = t->head.flags & TRANSITION_HAS_SUSPENDED,
		.suspended_ns = t->suspended_ns,
		.maker = event->maker,
		.maker_line = event->maker_line,
	};
	return true;
}

void suspect_of_parked(const struct living_chain *chain, struct suspect *out)
{
	*out = (struct suspect){
		.type = SUSPECT_PARKED,
		.event = chain->event,
		.self = chain->at[0],
		.chain = chain->at,
		.chain_count = chain->count,
		.has_suspended = true,
		.at_least = chain->at_least,
		.suspended_ns = chain->event->ts_ns - chain->since_ns,
		.maker = chain->maker,
		.maker_line = chain->maker_line,
	};
}
