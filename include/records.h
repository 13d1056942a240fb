/* SPDX-License-Identifier: MIT */
/*
 * What the BPF side tells the user side, one record at a time, through the ring buffer.
 * Both sides compile this file: every size is asserted, every enumerator has its value.
 */
#ifndef GENSCOPE_RECORDS_H
#define GENSCOPE_RECORDS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

enum object_kind {
	KIND_NONE = 0,
	KIND_GENERATOR = 1,
	KIND_COROUTINE = 2,
	KIND_ASYNC_GENERATOR = 3,
	KIND_COUNT = 4,
};

/* States as `inspect` has them, for all three kinds; NONE is before birth and after free. */
enum object_state {
	STATE_NONE = 0,
	STATE_CREATED = 1,
	STATE_RUNNING = 2,
	STATE_SUSPENDED = 3,
	STATE_CLOSED = 4,
	STATE_COUNT = 5,
};

/* What caused a transition; contract.md's `via`. */
enum via {
	VIA_UNKNOWN = 0,
	VIA_CREATE = 1,
	VIA_NEXT = 2,
	VIA_SEND = 3,
	VIA_THROW = 4,
	VIA_CLOSE = 5,
	VIA_AWAIT = 6,
	VIA_FOR = 7,
	VIA_YIELD_FROM = 8,
	VIA_ANEXT = 9,
	VIA_ASEND = 10,
	VIA_ATHROW = 11,
	VIA_ACLOSE = 12,
	VIA_FINALIZE = 13,
	VIA_YIELD = 14,
	VIA_RETURN = 15,
	VIA_RAISE = 16,
	VIA_FREE = 17,
	VIA_COUNT = 18,
};

enum record_type {
	RECORD_TRANSITION = 1, /* struct transition_record */
	RECORD_CODE = 2,       /* struct code_record, before the first transition of that code */
	RECORD_LINES = 3,      /* struct lines_record, the line table in pieces, after the code */
	RECORD_PROCESS = 4,    /* struct process_record */
	RECORD_CONTEXT = 5,    /* struct context_record, from USDT */
	RECORD_LOCALS = 6,     /* struct captured_record, right before its transition */
	RECORD_VARIABLES = 7,  /* struct captured_record, before the first locals of that code */
	RECORD_LIVING = 8,     /* struct living_record, when a survey is made */
	RECORD_TASK = 9,       /* struct task_record, before the first times of that task */
};

struct record_head {
	__u32 size; /* of the whole record, head included */
	__u16 type; /* enum record_type */
	__u16 flags;
	__u32 pid;
	__u32 tid;
	__u64 ts_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct record_head) == 24, "record_head is shared with BPF");

/* flags of a transition_record */
#define TRANSITION_HAS_RUN       1  /* run_ns holds: the step's beginning was seen */
#define TRANSITION_HAS_SUSPENDED 2  /* suspended_ns holds */
#define TRANSITION_FIRST_SEEN    4  /* the object is older than the tracer */
#define TRANSITION_LOCALS        8  /* its RECORD_LOCALS was sent before it */
#define TRANSITION_LOCALS_LOST   16 /* that found the ring full */
/* Told a second time, or late: the next outermost step that ends awaits this object, directly or not */
#define TRANSITION_CHAIN         32

#define NO_INSTRUCTION 0xffffffffu

struct transition_record {
	struct record_head head;
	__u64 gen;    /* address of the object */
	__u64 id;     /* unique in this run, never reused */
	__u64 parent; /* id of the object that drives it, 0 for none */
	__u64 run_ns;
	__u64 suspended_ns;
	__u32 seq;         /* 1, 2, 3 … per object */
	__u32 code;        /* id of a code_record, 0 unknown */
	__u32 instruction; /* byte offset into the code's instructions, or NO_INSTRUCTION */
	__u8 kind;         /* enum object_kind */
	__u8 from;         /* enum object_state */
	__u8 to;
	__u8 via; /* enum via */
	__u32 epoch;
	__u32 site;
	__u32 maker_code; /* id of the code that made the object, 0: not seen, or nobody asked */
	__u32 maker_instruction;
};
_Static_assert(sizeof(struct transition_record) == 96, "transition_record is shared with BPF");

/* An object as the state map has it, without a change. */
struct living_record {
	struct record_head head; /* tid: of its last step, 0 unknown; ts_ns: of the survey */
	__u64 gen;
	__u64 id;
	__u64 driver;     /* id of the object that drove its last step, 0 none */
	__u64 inner_gen;  /* what it awaited when it was suspended last, 0: none, or not known */
	__u64 birth_ns;   /* 0: older than the run */
	__u64 changed_ns; /* when its state changed last; 0: not seen */
	__u32 seq;
	__u32 code;
	__u32 instruction; /* where it left RUNNING last */
	__u32 maker_code;  /* as of a transition */
	__u32 maker_instruction;
	__u8 kind;  /* enum object_kind */
	__u8 state; /* enum object_state */
	__u8 frame; /* enum object_state of the frame alone: RUNNING when it has a thread now */
	__u8 asked; /* enum survey_flag: why it is told */
};
_Static_assert(sizeof(struct living_record) == 96, "living_record is shared with BPF");

#define NAME_BYTES     256
#define FILENAME_BYTES 512

/* A str as CPython stores it: code points of `width` bytes each; `bytes` of them are in the record. */
struct text {
	__u32 length; /* code points in the object */
	__u16 bytes;  /* copied, at most the field's size */
	__u8 width;   /* 1, 2, 4; 0 unreadable */
	__u8 ascii;
};

struct code_record {
	struct record_head head;
	__u64 process; /* as in the state map's keys */
	__u64 address; /* of the code object */
	__u32 code;    /* id, unique in this run */
	__u32 first_line;
	__u32 line_bytes; /* size of the line table, sent in lines_records */
	__u32 code_flags; /* co_flags */
	struct text name_text, qualname_text, filename_text;
	__u8 name[NAME_BYTES];
	__u8 qualname[NAME_BYTES];
	__u8 filename[FILENAME_BYTES];
};
_Static_assert(sizeof(struct code_record) == 24 + 32 + 24 + 1024, "code_record is shared with BPF");

#define LINES_BYTES_SMALL 232
#define LINES_BYTES_LARGE 4072
#define LINES_PIECES_MAX  32 /* 130 KB of line table: far over any function seen */

struct lines_record {
	struct record_head head;
	__u32 code;
	__u32 offset; /* of this piece in the line table */
	__u32 bytes;
	__u32 pad;
	__u8 data[]; /* LINES_BYTES_SMALL or LINES_BYTES_LARGE, `bytes` of them valid */
};
_Static_assert(sizeof(struct lines_record) == 40, "lines_record is shared with BPF");

/* Memory of the target as it was while the thread stood at the probe, in pieces: of a frame and the
 * values that its variables hold, or of a code object and its variables' names. */
#define CAPTURED_BYTES_MAX  16384 /* of all pieces, their heads included */
#define CAPTURED_PIECES_MAX 256
#define CAPTURED_SLOTS_MAX  128 /* of a frame's variables are looked at */

#define CAPTURED_CUT 1 /* head.flags: a limit of these was reached, something was left out */

struct captured_record {
	struct record_head head;
	__u64 process; /* as in the state map's keys */
	__u64 base;    /* load address minus link address of the interpreter */
	__u64 subject; /* address of the frame, or of the code object */
	__u64 gen;     /* of locals: whose, and of which transition */
	__u64 id;
	__u32 seq;
	__u32 code;
	__u32 image; /* index of the struct image */
	__u32 slots; /* of the subject's variables, so many were looked at */
	__u32 pieces;
	__u32 bytes; /* of the pieces, which follow */
};
_Static_assert(sizeof(struct captured_record) == 24 + 64, "captured_record is shared with BPF");

/* flags of a piece: how a class is called, told once in a process */
#define PIECE_TYPE    1 /* a type object */
#define PIECE_OF_TYPE 2 /* what is needed of it besides */

struct captured_piece {
	__u64 address;
	__u32 size;
	__u32 flags;
	/* the bytes follow, padded to a multiple of 8 */
};
_Static_assert(sizeof(struct captured_piece) == 16, "captured_piece is shared with BPF");

#define TASK_NAME_BYTES 128

/* An asyncio task, by its name. */
struct task_record {
	struct record_head head;
	__u64 process;
	__u64 number; /* of a task without a name of its own, "Task-<number>"; 0: the name counts */
	__u32 row;    /* of its distributions */
	__u32 pad;
	struct text name_text;
	__u8 name[TASK_NAME_BYTES];
};
_Static_assert(sizeof(struct task_record) == 24 + 32 + TASK_NAME_BYTES, "shared with BPF");

enum process_event {
	PROCESS_FORK = 1, /* `other` is the parent's pid */
	PROCESS_EXEC = 2, /* `other` is the lower half of its identity until then; 0: not known */
	PROCESS_EXIT = 3,
	PROCESS_SEEN = 4, /* first object of a process that nobody named (--exe, --all) */
};

struct process_record {
	struct record_head head;
	__u32 event;
	__u32 other;
	__u64 process; /* the identity used in the state map's keys */
};
_Static_assert(sizeof(struct process_record) == 40, "process_record is shared with BPF");

enum context_event {
	CONTEXT_GC_START = 1, /* value: generation */
	CONTEXT_GC_DONE = 2,  /* value: objects collected */
	CONTEXT_IMPORT_START = 3,
	CONTEXT_IMPORT_DONE = 4, /* value: found */
	CONTEXT_AUDIT = 5,
};

#define CONTEXT_NAME_BYTES 96

struct context_record {
	struct record_head head;
	__u32 event;
	__u32 pad;
	__s64 value;
	char name[CONTEXT_NAME_BYTES]; /* NUL-terminated; module or audit event */
};
_Static_assert(sizeof(struct context_record) == 40 + CONTEXT_NAME_BYTES, "shared with BPF");

#endif
