/* SPDX-License-Identifier: MIT */
/*
 * Looking through the state map: what the user side cannot do as fast, one system call an object.
 */
#ifndef GENSCOPE_SURVEY_BPF_H
#define GENSCOPE_SURVEY_BPF_H

#include "company.bpf.h"
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
static __always_inline struct survey_counts *counts_of(u32 code, u32 number)
{
	struct survey_counts none = { .number = number }, *counts;
	u32 other = 0;

	counts = bpf_map_lookup_elem(&surveyed, &code);
	if (counts && counts->number == number)
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
	struct survey_counts *counts = counts_of(object->code, survey->number);
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

/* An async generator is RUNNING while it awaits, but its frame is not. */
static __always_inline bool is_parked(const struct object *object, const struct survey *survey)
{
	return object->frame == STATE_SUSPENDED &&
	       in_state_since(object, survey) <= survey->parked_ns;
}

/* Which of its questions this object answers: enum survey_flag. */
static __always_inline u8 asked_for(const struct object *object, const struct survey *survey)
{
	if ((survey->flags & SURVEY_RUNNING) && object->frame == STATE_RUNNING)
		return SURVEY_RUNNING;
	if ((survey->flags & SURVEY_PARKED) && object->told != object->seq + 1 &&
	    object->awaited != survey->number && is_parked(object, survey))
		return SURVEY_PARKED;
	if ((survey->flags & SURVEY_CODE) && object->code == survey->code &&
	    object->visible != STATE_CLOSED)
		return SURVEY_CODE;
	return 0;
}

static __always_inline bool send_living(const struct object_key *key, const struct object *object,
					struct survey *survey, u8 asked)
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
	survey->records++;
	return true;
}

struct await_walk {
	struct object_key key;
	struct survey *survey;
};

static long walk_awaited(u64 index, struct await_walk *walk)
{
	struct object *object = bpf_map_lookup_elem(&objects, &walk->key);

	if (!object || object->frame != STATE_SUSPENDED ||
	    !send_living(&walk->key, object, walk->survey, SURVEY_AWAITED))
		return 1;
	/* not again when what awaits it goes first, as it may at the end of a process */
	object->told = object->seq + 1;
	walk->key.gen = object->inner_gen;
	return !walk->key.gen;
}

static __always_inline void send_what_it_awaits(const struct object_key *key,
						const struct object *object, struct survey *survey)
{
	struct await_walk walk = { .key = { .process = key->process, .gen = object->inner_gen },
				   .survey = survey };

	if (walk.key.gen)
		bpf_loop(CHAIN_MAX, walk_awaited, &walk, 0);
}

/* Before anything is told: what is awaited is told with what awaits it. */
static long survey_awaited(void *map, struct object_key *key, struct object *object,
			   struct survey *survey)
{
	struct object_key inner_key = { .process = key->process, .gen = object->inner_gen };
	struct object *inner;

	if (object->frame != STATE_SUSPENDED || !inner_key.gen)
		return 0;
	inner = bpf_map_lookup_elem(&objects, &inner_key);
	if (inner)
		inner->awaited = survey->number;
	return 0;
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
	if ((asked != SURVEY_RUNNING && survey->told >= survey->limit) ||
	    !send_living(key, object, survey, asked)) {
		survey->left++;
		return 0;
	}
	survey->told++;
	if (asked == SURVEY_PARKED) {
		object->told = object->seq + 1;
		send_what_it_awaits(key, object, survey);
	}
	return 0;
}

static __always_inline void survey_all(struct survey *survey)
{
	if (survey->flags & SURVEY_PARKED)
		bpf_for_each_map_elem(&objects, survey_awaited, survey, 0);
	bpf_for_each_map_elem(&objects, survey_object, survey, 0);
}

#endif
