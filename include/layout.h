/* SPDX-License-Identifier: MIT */
/*
 * Where things lie in one build of CPython. Filled by user/python/layouts.c, which names the source of
 * every number; read by both sides. Offsets are in bytes from the start of the structure named.
 */
#ifndef GENSCOPE_LAYOUT_H
#define GENSCOPE_LAYOUT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

/* What an instruction means to the question "who resumed this generator, how did it end". */
enum opcode_class {
	OPCODE_OTHER = 0,
	OPCODE_FOR_ITER = 1,
	OPCODE_SEND = 2,
	OPCODE_RETURN = 3,
	OPCODE_LINE = 4, /* INSTRUMENTED_LINE: the real opcode is in the line table of monitoring */
	OPCODE_INSTRUCTION = 5, /* INSTRUMENTED_INSTRUCTION: likewise in per_instruction_opcodes */
	OPCODE_RETURN_GENERATOR = 6,
};

struct layout {
	/* PyGenObject, PyCoroObject, PyAsyncGenObject: one layout */
	__u16 gen_code; /* gi_code of 3.11; 0: the code is the frame's executable */
	__u16 gen_previous_item;
	__u16 gen_running_async;
	__u16 gen_frame_state;
	__u16 gen_iframe;
	/* _PyInterpreterFrame */
	__u16 frame_executable;
	__u16 frame_previous;
	__u16 frame_instr; /* prev_instr (3.11, 3.12), instr_ptr (3.13 on) */
	/* PyThreadState */
	__u16 tstate_cframe; /* 3.11, 3.12: the frame is behind it; else 0 */
	__u16 current_frame; /* in _PyCFrame, or in PyThreadState where there is no cframe */
	__u16 tstate_exception;
	/* PyCodeObject */
	__u16 code_flags;
	__u16 code_first_line;
	__u16 code_filename;
	__u16 code_name;
	__u16 code_qualname;
	__u16 code_linetable;
	__u16 code_instructions;
	__u16 code_monitoring; /* 0: this version has none */
	/* _PyCoMonitoringData */
	__u16 monitoring_lines;
	__u16 monitoring_opcodes;
	__u16 lines_header; /* bytes before the entries: from 3.14 on 1, with the size of an entry; 0: see
			     * instrumented_opcode() in bpf/cpython.bpf.h */
	/* PyASCIIObject, PyCompactUnicodeObject */
	__u16 ascii_size;
	__u16 compact_size;
	/* values of gi_frame_state */
	__s8 created;
	__s8 suspended_first;
	__s8 suspended_last;
	__s8 executing;
	__s8 completed; /* equals cleared where there is no such state */
	__s8 cleared;
	__u8 exception_is_type; /* 3.11 keeps the type apart (curexc_type) */
	__u8 executes_first;    /* 3.15: close() and throw() set EXECUTING once, then delegate */
	__u8 opcode_class
		[256]; /* enum opcode_class by opcode, instrumented and specialised ones too */
};
_Static_assert(sizeof(struct layout) == 312, "layout is shared with BPF");

/* Offsets that hold in every version (Include/object.h, unicodeobject.h, bytesobject.h; no
 * free-threaded build is supported). */
#define CODE_GENERATOR       0x20  /* CO_GENERATOR in co_flags (Include/cpython/code.h), */
#define CODE_COROUTINE       0x80  /* CO_COROUTINE, */
#define CODE_ASYNC_GENERATOR 0x200 /* CO_ASYNC_GENERATOR */
#define PYOBJECT_TYPE        8
#define PYVAROBJECT_SIZE     16
#define UNICODE_LENGTH       16
#define UNICODE_STATE        32
#define BYTES_DATA           32
#define GC_HEAD_BYTES        16 /* PyGC_Head lies right before the object: _gc_next, _gc_prev */
#define GC_HEAD_PREVIOUS     8
#define GC_FINALIZED         1 /* _PyGC_PREV_MASK_FINALIZED in _gc_prev */

#endif
