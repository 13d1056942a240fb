/* SPDX-License-Identifier: MIT */
/*
 * The state map: one entry an object alive, kept by BPF, readable by the user side.
 */
#ifndef GENSCOPE_OBJECT_H
#define GENSCOPE_OBJECT_H

#include "records.h"

#define OBJECTS_DEFAULT 1000000 /* capacity; memory is paid as entries come (BPF_F_NO_PREALLOC) */
#define CODES_MAX       65536
#define PROCESSES_MAX   4096

/* How an object came into the map. */
enum object_origin {
	ORIGIN_FIRST_SEEN = 0, /* at a change in mid-life */
	ORIGIN_BIRTH = 1,
	ORIGIN_SEEDED = 2, /* from memory, and no hit has confirmed it yet */
};

struct object_key {
	__u64 process; /* see process_identity() in bpf/process.bpf.h */
	__u64 gen;     /* address */
};

struct object {
	__u64 id;
	__u64 birth_ns;   /* 0: older than the tracer */
	__u64 changed_ns; /* last visible change; 0: not seen */
	__u64 run_sum_ns;
	__u64 suspended_sum_ns;
	__u64 code_address;
	__u64 driver_gen; /* who ran on this thread when the step began: the thread's stack as a list */
	__u64 driver_id;
	__u64 entered_ns;     /* its frame began to run; 0: not seen */
	__u64 outer_inner_ns; /* what the one below it had had inside by then */
	__u64 self_ns;        /* of this step so far, without what ran inside */
	__u64 held_ns; /* its frame held a thread for so long when it ran last; 0: not seen */
	__u64 inner_gen; /* the object that it awaited when it was suspended last, 0: none, or not asked */
	__u32 code;
	__u32 seq;
	__u32 instruction; /* where it left RUNNING last */
	__u32 tid;         /* of the thread of its last step */
	__u32 maker_code;  /* id of the code that made it, 0: not seen, or not asked */
	__u32 maker_instruction;
	__u32 told; /* 1 + seq at which a survey told of it as parked, or as awaited by what is; 0: never */
	__u32 awaited;  /* the survey (by its `number`) that found another object to await it */
	__u32 task_row; /* of the task whose coroutine it is; 0: not looked for */
	__u8 kind;      /* enum object_kind */
	__u8 visible;   /* enum object_state, as inspect would say */
	__u8 frame;     /* enum object_state of gi_frame_state alone */
	__u8 async;     /* ag_running_async */
	__u8 driver_kind;
	__u8 step_via;      /* what began the step */
	__u8 exit_via;      /* how the frame left RUNNING last */
	__u8 async_via;     /* asend, athrow or aclose called, not yet begun */
	__u8 delegated_via; /* throw or close that went to the inner iterator first */
	__u8 origin;        /* enum object_origin */
	__u8 yields_from;   /* suspended in yield from or await, as far as the version can tell */
	__u8 code_pending;  /* its code's line table has not been sent whole */
};
_Static_assert(sizeof(struct object) == 152, "object is shared with BPF");

struct code_key {
	__u64 process;
	__u64 address;
};

struct code_entry {
	__u32 code;       /* id */
	__u32 verdict;    /* enum code_verdict, written by the user side */
	__u32 locals_due; /* transitions whose locals could be sampled so far */
	__u32 variables;  /* the names of its variables have been sent */
};

#endif
