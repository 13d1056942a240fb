/* SPDX-License-Identifier: MIT */
/*
 * A site: one instruction of an interpreter at which a probe sits, and what the BPF side needs to
 * know of it. Found by user/sites/, read by bpf/ through an array that the probe's cookie indexes.
 */
#ifndef GENSCOPE_SITE_H
#define GENSCOPE_SITE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif
#include "layout.h"
#include "records.h"
#include "values.h"

#define SITES_MAX  1024 /* all interpreters of a run together; one has 20 to 60 */
#define IMAGES_MAX 256  /* interpreter files of one run: each container may have its own */

enum site_role {
	SITE_FRAME_STATE = 1,   /* a store to gi_frame_state */
	SITE_RUNNING_ASYNC = 2, /* a store to ag_running_async */
	SITE_BOTH = 3,          /* one wide store, or two stores that one probe covers */
	SITE_FREE = 4,          /* the object's memory is given back */
	SITE_CAUSE = 5,         /* entry of a method: `via` says which */
	SITE_CODE_FREE = 6,     /* entry of the code object's tp_dealloc */
	SITE_RETURN = 7,        /* the evaluation loop has returned to C: the state is in memory */
};

/* Where the new state is found. */
enum site_value {
	VALUE_MEMORY = 0,   /* the probe sits after the store */
	VALUE_CONSTANT = 1, /* on the store or before it: `value` is what it will write */
	VALUE_REGISTER = 2, /* likewise: low byte of `value_reg`, plus `value_add` */
	VALUE_LOADED = 3,   /* likewise: the byte at `value_reg` + `value_disp`, plus `value_add` */
};

/* What the function that holds the store says about who resumes. */
enum site_where {
	SITE_ANYWHERE = 0,
	SITE_IN_EVAL = 1,      /* the evaluation loop itself */
	SITE_IN_SLOT = 2,      /* tp_iternext or am_send: no method was called */
	SITE_IN_FINALISER = 3, /* gen_close() as a part of _PyGen_Finalize() or of its caller */
};

/* Registers in the order of struct pt_regs on x86-64. */
enum site_register {
	GPR_R15,
	GPR_R14,
	GPR_R13,
	GPR_R12,
	GPR_RBP,
	GPR_RBX,
	GPR_R11,
	GPR_R10,
	GPR_R9,
	GPR_R8,
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RSI,
	GPR_RDI,
	GPR_RSP,
	GPR_COUNT,
};

struct site {
	__u64 address; /* of the probe, as linked */
	__s32 addend;  /* object = register + addend */
	__u8 reg;      /* enum site_register */
	__u8 role;     /* enum site_role */
	__u8 from;     /* enum site_value */
	__u8 value_reg;
	__s8 value;       /* the frame state stored, when constant */
	__s8 value_async; /* the ag_running_async stored, when constant and SITE_BOTH */
	__u8 via;         /* enum via of a SITE_CAUSE */
	__u8 where;       /* enum site_where */
	__u8 stepped;     /* the kernel single-steps the instruction under the probe */
	__u8 image;       /* index of the struct image */
	__u16 stack;      /* of a SITE_CAUSE: from the stack pointer to the return address */
	/* of a probe that sits before the store, see user/sites/cut.h */
	__s32 object_disp; /* when loaded: object = pointer at (register + object_disp), + addend */
	__s32 value_disp;  /* VALUE_LOADED */
	__s8 value_add;    /* VALUE_REGISTER, VALUE_LOADED */
	__u8 object_loaded;  /* 1: the object's register is to be read through */
	__u8 condition;      /* 1 + the processor's code of one that the store follows only under */
	__u8 condition_less; /* it holds when sign and overflow differ, */
	__u16 condition_flags; /* or one of these is set; an odd code negates that */
	__u8 entry;            /* a step that C drives begins here: seen with WATCH_OUTERMOST too */
	__u8 pad;
};
_Static_assert(sizeof(struct site) == 40, "site is shared with BPF");

/* Of the flags register: Intel manual, volume 1, figure 3-8. */
#define FLAG_CARRY    (1u << 0)
#define FLAG_PARITY   (1u << 2)
#define FLAG_ZERO     (1u << 6)
#define FLAG_SIGN     (1u << 7)
#define FLAG_OVERFLOW (1u << 11)

/* How a thread finds its PyThreadState. */
enum tstate_access {
	TSTATE_NONE = 0,
	TSTATE_GLOBAL = 1, /* a pointer at link address `tstate` (3.11: the holder of the GIL) */
	TSTATE_FS = 2,     /* a pointer at fs + `tstate` (local or initial exec, static builds) */
	TSTATE_GOT = 3,    /* the offset from fs is in the GOT slot `tstate` (initial exec) */
	TSTATE_DTV = 4,    /* {module, offset} is in the GOT slot `tstate` (general dynamic) */
};

struct image {
	__u64 types[4]; /* link addresses of the type objects, by enum object_kind; [0] unused */
	__u64 tstate;   /* see enum tstate_access */
	__u64 generator_exit; /* link address of the pointer PyExc_GeneratorExit */
	__u32 tstate_access;
	__u32 dtv_stride; /* bytes an entry of the dtv: 16 glibc, 8 musl */
	struct layout layout;
	__u64 value_types[VALUE_TYPE_COUNT]; /* link addresses by enum value_type, 0: none */
	struct value_layout values;
	__u32 task_coroutine; /* TaskObj of Modules/_asynciomodule.c */
	__u32 task_name;
};
_Static_assert(sizeof(struct image) == 56 + 312 + 120 + 56 + 8, "image is shared with BPF");

/* Counted in BPF, per processor; see "Loss is arithmetic" in the manual. */
enum statistic {
	STAT_HITS = 0,
	STAT_EVENTS = 1,
	STAT_FILTERED = 2,
	STAT_CAUSES = 3,
	STAT_REDUNDANT = 4,
	STAT_STRANGERS = 5,
	STAT_LOST_RING = 6,
	STAT_LOST_MAP_FULL = 7,
	STAT_LOST_FAULT = 8,
	STAT_ANOMALIES = 9,
	STAT_STEPPED = 10,
	STAT_OBJECTS = 11,    /* objects ever entered into the state map */
	STAT_CODES_LOST = 12, /* code records that found the ring full (tried again later) */
	STAT_PROCESSES_LOST = 13,
	STAT_LOCALS_LOST = 14, /* transitions that came without their locals: the ring was full */
	STAT_UNWATCHED = 15,   /* hits while probes came or went; not in STAT_HITS */
	STAT_COUNT = 16,
};

#define ATTACHMENTS_MAX           4096
/* A probe's cookie: which site, and which attachment (an image in one process, or in all). */
#define COOKIE(attachment, site)  ((__u64)(attachment) << 32 | (__u32)(site))
#define COOKIE_SITE(cookie)       ((__u32)(cookie))
#define COOKIE_ATTACHMENT(cookie) ((__u32)((cookie) >> 32))

/* What is looked for at the probes of an attachment. */
enum watch {
	WATCH_NOTHING = 0, /* they come, or go */
	WATCH_ALL = 1,     /* every object and all its states */
	WATCH_OUTERMOST =
		2, /* steps that C drives, and only these: entries from C and returns to it */
};

/* Filters and switches that BPF decides on, constant for a run. */
struct settings {
	__u64 min_run_ns;       /* 0: off */
	__u64 min_suspended_ns; /* 0: off */
	__u32 kinds;            /* bit 1 << enum object_kind */
	__u32 wake_bytes;       /* wake the reader when so much waits in the ring */
	__u8 filter_codes;      /* a code object needs the verdict PASS */
	__u8 watch_exec;        /* report every exec, fork and exit of the machine */
	__u8 follow_forks;
	__u8 locals;        /* copy the variables of a frame at its transitions */
	__u8 locals_depth;  /* levels of containers, at most LOCALS_DEPTH_MAX */
	__u8 stream;        /* transitions are sent through the ring */
	__u8 distributions; /* their times are kept in histograms */
	__u8 steps;         /* WATCH_OUTERMOST is possible */
	__u32 locals_rate;  /* of one transition in so many of each function */
	__u32 locals_names; /* at most LOCALS_…_MAX of each */
	__u32 locals_items;
	__u32 locals_string;
	__u32 locals_ring_bytes; /* none when so much waits in the ring: the rest is for transitions */
	__u8 forget_closed; /* frees are not seen: an object leaves the map when it is closed */
	__u8 places;        /* where an object was suspended is kept though nothing is streamed */
	__u8 makers;        /* which line made an object is kept */
	__u8 chains;        /* a step is told with the objects that it awaits (TRANSITION_CHAIN) */
	__u8 suspects;      /* what was never awaited or never closed passes the filters */
	__u8 tasks;         /* distributions are those of asyncio tasks, not of functions */
	__u8 distributions_live; /* they are made as they come, whatever the id */
	__u8 attachments;        /* hits are counted for each attachment too */
	__u8 pad[4];
	__u64 slow_ns; /* 0: no step is counted as slow */
};

#define LOCALS_DEPTH_MAX  2
#define LOCALS_NAMES_MAX  64
#define LOCALS_ITEMS_MAX  64
#define LOCALS_STRING_MAX 1024 /* characters, of up to 4 bytes */

enum code_verdict { VERDICT_UNKNOWN = 0, VERDICT_PASS = 1, VERDICT_DROP = 2 };

#endif
