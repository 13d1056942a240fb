/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_WORLD_H
#define GENSCOPE_TESTS_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "histogram.h"
#include "living.h"
#include "object.h"
#include "site.h"

/*
 * The BPF side, compiled natively, with a machine around it: user memory, threads, sites that are hit
 * as the kernel would hit them, and the records that come out. It knows nothing of what CPython does;
 * python_model.h does. One world at a time; every test ends with world_end(), which holds the promises
 * of the product against what was counted:
 *  - hits = events + filtered + causes + redundant + strangers + lost;
 *  - every record that came was expected, and `seq` has no gaps but for what was filtered or lost.
 */

#define THREADS_MAX 4 /* of them, the last is one of another process */

/* Where a probe sits relative to its store. */
enum placement {
	PLACED_AFTER, /* memory has the new state */
	PLACED_ON,    /* the value is a constant of the site */
	PLACED_ON_REGISTER,
	PLACEMENTS,
};

#define BASE       0x555500000000 /* load address minus link address */
#define DATA_BYTES 0x10000        /* of the interpreter's own memory, from there on */

void world_begin(const struct layout *layout, enum placement placement);
void world_end(void);

/* --- memory --- */
uint64_t memory_new(uint64_t size); /* zeroed; a page of nothing behind it */
void memory_put(uint64_t address, const void *bytes, uint64_t size);
void memory_put64(uint64_t address, uint64_t value);
uint64_t memory_get64(uint64_t address);
uint8_t memory_get8(uint64_t address);
void memory_fault(uint64_t address, bool faulty); /* the whole region of that address */

/* --- the thread that runs --- */
void thread_choose(unsigned index);
unsigned thread_current(void);
void process_executes(void); /* the current one executes another program */
void thread_fs_base(uint64_t fs_base);
void time_passes(uint64_t ns);
uint64_t
world_now(void); /* of the last hit, if no time has passed since: each takes a microsecond */

/* --- hits --- */
struct image *world_image(void); /* the one image, to be filled */
/* The index of a site like this one, made at first use. Its address is chosen. */
uint32_t site_index(const struct site *site);
uint64_t site_address(uint32_t index); /* as linked */
/* Register `reg` holds `value`; every other one but the stack pointer holds nonsense. */
void site_hit(uint32_t index, uint64_t value, uint64_t stack_pointer);
/* The same with a second register for the value that is stored (site.value_reg). */
void site_hit_storing(uint32_t index, uint64_t value, uint64_t stack_pointer, uint8_t stored);
/* A store of `value` to gi_frame_state or ag_running_async of the object, with its probe placed as the
 * world says. `which` tells sites of different functions apart. */
void store_hit(unsigned which, uint8_t role, uint8_t where, uint64_t gen, int value,
	       uint64_t stack_pointer);
enum placement world_placement(void);
void world_place(enum placement placement);

/* A USDT probe: enum context_event; `name` is the address of a C string, or 0. */
void context_hit(uint32_t event, int64_t value, uint64_t name);

/* --- switches --- */
struct settings *world_settings(void);
void world_watch(bool on);
void world_objects_limit(uint32_t entries);
void world_codes_limit(uint32_t entries);
void world_codes_before(uint32_t count); /* so many code objects have had their ids already */
void world_no_scratch(void);             /* large task storage cannot be had */
void world_ring_limit(uint64_t bytes);   /* of what waits; expect_… takes it out */
void world_verdict(uint64_t code_address, uint32_t verdict);
struct object *world_object(uint64_t gen); /* its entry in the state map, or NULL */
/* Enters one as the user side does, in the current process; whatever was there is overwritten. */
struct object *world_enter(uint64_t gen, const struct object *object);

/* Looks through the state map, as survey_objects of bpf/genscope.bpf.c: now_ns and `number` are filled in. */
void world_survey(struct survey *survey);
const struct survey_counts *world_counts(uint32_t code);

/* --- what came out --- */
/* The times kept for a code object; NULL: none can be kept for that id. */
const struct distributions *world_distributions(uint32_t code);
const struct histogram *world_times(uint32_t code, enum metric metric);
uint64_t world_transitions(uint32_t code); /* that entered them */
uint64_t world_count(enum statistic statistic);
/* The next transition; those before it must have been taken. NULL: none. Valid until the next call. */
const struct transition_record *take_transition(void);
/* The next RECORD_LOCALS or RECORD_VARIABLES; what comes before it is passed over. */
const struct captured_record *take_captured(uint16_t type);
/* The same for a context; transitions in between are passed over. */
const struct context_record *take_context(void);
/* The same for what a survey told. */
const struct living_record *take_living(void);
/* What was told of a code id: its qualname, or NULL. */
const char *told_qualname(uint32_t code);
const struct code_record *told_code(uint32_t code);
/* The line table that came for it; bytes so far. */
const uint8_t *told_lines(uint32_t code, uint32_t *bytes);
unsigned told_codes(void); /* code records that came */
/* world_end() demands so many anomalies, 0 if this is not called. */
void expect_anomalies(uint64_t count);

#endif
