// SPDX-License-Identifier: MIT
#include "model/times.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/steps.h"

/*
 * Run, suspension, start and lifetime are in the transitions. What a step took by itself is not: that is
 * steps.c's to tell. The moments between a driver's going on and its async generator's count as the async
 * generator's own, which BPF, that sees the frames, tells apart.
 */

#define CODE_ID_MAX (1u << 24) /* far more code objects than a program has */
#define CODE_ROOM   256        /* at first */

struct of_code {
	struct distributions distributions;
	uint8_t kind;
};

struct times {
	struct steps *steps;
	struct of_code **codes;
	uint32_t code_room;
};

/* --- life --- */

int times_new(struct times **out)
{
	int err;

	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	err = steps_new(NULL, &(*out)->steps);
	if (err) {
		free(*out);
		*out = NULL;
	}
	return err;
}

void times_free(struct times *times)
{
	if (!times)
		return;
	for (uint32_t i = 0; i < times->code_room; i++)
		free(times->codes[i]);
	free(times->codes);
	steps_free(times->steps);
	free(times);
}

uint64_t times_objects(const struct times *times)
{
	return steps_objects(times->steps);
}

uint32_t times_end(const struct times *times)
{
	return times->code_room;
}

const struct distributions *times_of(const struct times *times, uint32_t code, uint8_t *kind)
{
	const struct of_code *of = code < times->code_room ? times->codes[code] : NULL;

	if (of)
		*kind = of->kind;
	return of ? &of->distributions : NULL;
}

static struct of_code *code_have(struct times *times, const struct transition_record *t)
{
	uint32_t id = t->code < CODE_ID_MAX ? t->code : 0, room = times->code_room;
	struct of_code **grown;

	if (id >= room) {
		for (room = room ? room : CODE_ROOM; room <= id; room *= 2)
			;
		grown = realloc(times->codes, room * sizeof(struct of_code *));
		if (!grown)
			return NULL;
		memset(grown + times->code_room, 0,
		       (room - times->code_room) * sizeof(struct of_code *));
		times->codes = grown;
		times->code_room = room;
	}
	if (!times->codes[id]) {
		times->codes[id] = calloc(1, sizeof(struct of_code));
		if (times->codes[id])
			times->codes[id]->kind = id ? t->kind : KIND_NONE;
	}
	return times->codes[id];
}

/* --- times --- */

static void enter(struct distributions *to, enum metric metric, uint64_t ns)
{
	if (ns) /* as in BPF: nothing takes no time */
		histogram_record(&to->metric[metric], ns);
}

static void enter_all(struct distributions *to, const struct step_facts *facts,
		      const struct transition_record *t)
{
	uint64_t now_ns = t->head.ts_ns;

	if (t->head.flags & TRANSITION_HAS_RUN)
		enter(to, METRIC_RUN, t->run_ns);
	if (facts->has_self)
		enter(to, METRIC_SELF, facts->self_ns);
	if (t->head.flags & TRANSITION_HAS_SUSPENDED)
		enter(to, METRIC_SUSPENDED, t->suspended_ns);
	if (!facts->birth_ns || now_ns < facts->birth_ns)
		return;
	if (t->from == STATE_CREATED && t->to == STATE_RUNNING)
		enter(to, METRIC_START, now_ns - facts->birth_ns);
	if (t->to == STATE_CLOSED)
		enter(to, METRIC_LIFETIME, now_ns - facts->birth_ns);
}

int times_add(struct times *times, const struct transition_record *t)
{
	struct of_code *code = code_have(times, t);
	struct step_facts facts;
	int err;

	if (!code)
		return -ENOMEM;
	err = steps_add(times->steps, t, &facts);
	if (!err && t->id) /* 0: no object has that id */
		enter_all(&code->distributions, &facts, t);
	return err;
}
