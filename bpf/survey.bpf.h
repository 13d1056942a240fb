/* SPDX-License-Identifier: MIT */
/*
 * Looking through the state map: what the user side cannot do as fast, one system call an object.
 */
#ifndef GENSCOPE_SURVEY_BPF_H
#define GENSCOPE_SURVEY_BPF_H

#include "maps.bpf.h"
#include "living.h"

/* By the id of a code object; [0] is for all that found no room. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SURVEYED_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, u32);
	__type(value, struct survey_counts);
} surveyed SEC(".maps");

/* The entry of a function, empty at its first object of this survey. */
static __always_inline struct survey_counts *counts_of(u32 code, u32 round)
{
	struct survey_counts none = { .round = round }, *counts;
	u32 other = 0;

	counts = bpf_map_lookup_elem(&surveyed, &code);
	if (counts && counts->round == round)
		return counts;
	if (bpf_map_update_elem(&surveyed, &code, &none, BPF_ANY))
		return bpf_map_lookup_elem(&surveyed, &other);
	return bpf_map_lookup_elem(&surveyed, &code);
}

/* Since when it is in its state, as far as known. */
static __always_inline u64 in_state_since(const struct object *object, const struct survey *survey)
{
	if (object->changed_ns)
		return object->changed_ns;
	return object->birth_ns ? object->birth_ns : survey->begin_ns;
}

static __always_inline void count_living(const struct object *object, const struct survey *survey)
{
	struct survey_counts *counts = counts_of(object->code, survey->round);
	u32 state = object->visible;
	u64 since;

	if (!counts || state >= STATE_COUNT)
		return;
	counts->objects[state]++;
	if (state != STATE_SUSPENDED)
		return;
	since = in_state_since(object, survey);
	if (!counts->suspended_ns || since < counts->suspended_ns)
		counts->suspended_ns = since;
}

/* Which of its questions this object answers: enum survey_flag. */
static __always_inline u8 asked_for(const struct object *object, const struct survey *survey)
{
	if ((survey->flags & SURVEY_RUNNING) && object->frame == STATE_RUNNING)
		return SURVEY_RUNNING;
	if ((survey->flags & SURVEY_PARKED) && object->visible == STATE_SUSPENDED &&
	    object->told != object->seq + 1 && in_state_since(object, survey) <= survey->parked_ns)
		return SURVEY_PARKED;
	if ((survey->flags & SURVEY_CODE) && object->code == survey->code &&
	    object->visible != STATE_CLOSED)
		return SURVEY_CODE;
	return 0;
}

static __always_inline bool send_living(const struct object_key *key, const struct object *object,
					const struct survey *survey, u8 asked)
{
	struct living_record *record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);

	if (!record)
		return false;
	record->head.size = sizeof(*record);
	record->head.type = RECORD_LIVING;
	record->head.flags = 0;
	record->head.pid = key->process >> 32;
	record->head.tid = object->tid;
	record->head.ts_ns = survey->now_ns;
	record->gen = key->gen;
	record->id = object->id;
	record->driver = object->driver_id;
	record->inner_gen = object->inner_gen;
	record->birth_ns = object->birth_ns;
	record->changed_ns = asked == SURVEY_RUNNING && object->entered_ns ? object->entered_ns :
									     object->changed_ns;
	record->seq = object->seq;
	record->code = object->code;
	record->instruction = object->instruction;
	record->maker_code = object->maker_code;
	record->maker_instruction = object->maker_instruction;
	record->kind = object->kind;
	record->state = object->visible;
	record->frame = object->frame;
	record->asked = asked;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return true;
}

static long survey_object(void *map, struct object_key *key, struct object *object,
			  struct survey *survey)
{
	u8 asked = asked_for(object, survey);

	survey->objects++;
	if (survey->flags & SURVEY_COUNT)
		count_living(object, survey);
	if (!asked)
		return 0;
	if (survey->told >= survey->limit || !send_living(key, object, survey, asked)) {
		survey->left++;
		return 0;
	}
	survey->told++;
	if (asked == SURVEY_PARKED)
		object->told = object->seq + 1; /* 0 is never told */
	return 0;
}

#endif
