/* SPDX-License-Identifier: MIT */
/*
 * Reading CPython's structures from the thread that is stopped at a probe. Nothing here trusts what
 * it reads: a fault or nonsense gives 0 or UNKNOWN, and the caller counts it.
 */
#ifndef GENSCOPE_CPYTHON_BPF_H
#define GENSCOPE_CPYTHON_BPF_H

#include "maps.bpf.h"
#include "state.h"

/* One probe hit, everything the transition logic wants to know of it. */
struct hit {
	const struct site *site;
	const struct image *image;
	u64 base; /* load address minus link address */
	u64 gen;
	u64 fs_base;
	u64 stack_pointer;
	u64 process;
	u64 now;
	u32 tid;
	u32 site_index;
	u32 kind;
	bool outermost; /* only outermost steps are looked for (steps.bpf.h) */
};

static __always_inline u64 read_pointer(u64 address)
{
	u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

/* _PyStackRef of 3.14 on tags the low bits of object pointers (Include/internal/pycore_stackref.h). */
static __always_inline u64 untagged(u64 reference)
{
	return reference & ~7ull;
}

static __always_inline u32 kind_of(const struct hit *hit)
{
	u64 type = read_pointer(hit->gen + PYOBJECT_TYPE) - hit->base;

	if (type == hit->image->types[KIND_GENERATOR])
		return KIND_GENERATOR;
	if (type == hit->image->types[KIND_COROUTINE])
		return KIND_COROUTINE;
	if (type == hit->image->types[KIND_ASYNC_GENERATOR])
		return KIND_ASYNC_GENERATOR;
	return KIND_NONE;
}

static __always_inline u64 frame_code(const struct hit *hit, u64 frame)
{
	return untagged(read_pointer(frame + hit->image->layout.frame_executable));
}

static __always_inline u64 code_of(const struct hit *hit)
{
	const struct layout *layout = &hit->image->layout;

	if (layout->gen_code)
		return read_pointer(hit->gen + layout->gen_code);
	return frame_code(hit, hit->gen + layout->gen_iframe);
}

/* Byte offset of the object's current instruction in its code, NO_INSTRUCTION if it makes no sense. */
static __always_inline u32 instruction_of(const struct hit *hit, u64 code)
{
	const struct layout *layout = &hit->image->layout;
	u64 at = read_pointer(hit->gen + layout->gen_iframe + layout->frame_instr);
	u64 offset = at - code - layout->code_instructions;

	/* 3.11 and 3.12 point one unit before the first instruction until something has run */
	if (offset == (u64)-2)
		return 0;
	return code && offset < (1u << 28) ? (u32)offset : NO_INSTRUCTION;
}

/* Where a pointer to the PyThreadState lies, by enum tstate_access; `slot` is the place in the image and
 * `location` the offset found in it. A function of its own with plain numbers only: the verifier looks
 * at such a one once, not once for each way that leads to it. */
__noinline u64 read_thread_state(u64 access, u64 slot, u64 location, u64 fs_base, u64 dtv_stride)
{
	u64 dtv, block;

	switch (access) {
	case TSTATE_GLOBAL:
		return read_pointer(slot);
	case TSTATE_FS:
		return read_pointer(fs_base + location);
	case TSTATE_GOT:
		return read_pointer(fs_base + read_pointer(slot));
	case TSTATE_DTV:
		/* ELF TLS, variant II: the thread control block holds the dtv at 8 (glibc tcbhead_t,
		 * musl struct pthread); an entry is a module's block */
		dtv = read_pointer(fs_base + 8);
		block = read_pointer(dtv + read_pointer(slot) * dtv_stride);
		return block ? read_pointer(block + read_pointer(slot + 8)) : 0;
	}
	return 0;
}

/* The PyThreadState of the thread that hit the probe, or 0. */
static __always_inline u64 thread_state(const struct hit *hit)
{
	const struct image *image = hit->image;

	return read_thread_state(image->tstate_access, hit->base + image->tstate, image->tstate,
				 hit->fs_base, image->dtv_stride);
}

/* The exception that is on its way out of the current frame: 0 none, else its type. */
static __always_inline u64 exception_type(const struct hit *hit)
{
	u64 tstate = thread_state(hit);
	u64 exception = tstate ? read_pointer(tstate + hit->image->layout.tstate_exception) : 0;

	if (!exception || hit->image->layout.exception_is_type)
		return exception;
	return read_pointer(exception + PYOBJECT_TYPE);
}

static __always_inline bool is_generator_exit(const struct hit *hit, u64 type)
{
	return type && hit->image->generator_exit &&
	       type == read_pointer(hit->base + hit->image->generator_exit);
}

#define LINE_ENTRY_MAX 6 /* an opcode and a line delta of up to five bytes */

/* The opcode under INSTRUMENTED_LINE or INSTRUMENTED_INSTRUCTION (Python/instrumentation.c). */
static __always_inline u8 instrumented_opcode(const struct layout *layout, u64 code, u64 at,
					      u8 class)
{
	u64 monitoring = read_pointer(code + layout->code_monitoring);
	u64 index = (at - code - layout->code_instructions) / 2;
	u8 opcode = 0, width = 2, header = 0;
	u64 table;

	if (!monitoring || index > (1u << 27))
		return 0;
	if (class == OPCODE_LINE) {
		table = read_pointer(monitoring + layout->monitoring_lines);
		bpf_probe_read_user(&header, 1, (void *)table);
		/* entries {opcode, delta} of two bytes; point releases of 3.13 changed to a leading byte
		 * that says how many. What stands there otherwise is the first instruction's opcode,
		 * which is none of those few numbers. */
		if (layout->lines_header || (header >= 2 && header <= LINE_ENTRY_MAX)) {
			width = header;
			table++;
		}
		bpf_probe_read_user(&opcode, 1, (void *)(table + index * width));
		return opcode;
	}
	table = read_pointer(monitoring + layout->monitoring_opcodes);
	bpf_probe_read_user(&opcode, 1, (void *)(table + index));
	return opcode;
}

/* What an instruction is, behind instrumentation: enum opcode_class. See read_thread_state() for why it
 * is a function of numbers. */
__noinline u64 opcode_class(u32 image_index, u64 code, u64 at)
{
	const struct image *image = bpf_map_lookup_elem(&images, &image_index);
	u8 class, opcode = 0;

	if (!image || !at || bpf_probe_read_user(&opcode, 1, (void *)at))
		return OPCODE_OTHER;
	class = image->layout.opcode_class[opcode];
	/* a line event hides the instruction, an instruction event may hide under a line event */
	if (class == OPCODE_LINE) {
		opcode = instrumented_opcode(&image->layout, code, at, class);
		class = image->layout.opcode_class[opcode];
	}
	if (class == OPCODE_INSTRUCTION) {
		opcode = instrumented_opcode(&image->layout, code, at, class);
		class = image->layout.opcode_class[opcode];
	}
	return class;
}

static __always_inline u8 opcode_class_at(const struct hit *hit, u64 code, u64 at)
{
	return opcode_class(hit->site->image, code, at);
}

/* The Python frame that called us, or 0. */
static __always_inline u64 caller_frame(const struct hit *hit)
{
	const struct layout *layout = &hit->image->layout;
	u64 frame = thread_state(hit);

	if (!frame)
		return 0;
	if (layout->tstate_cframe)
		frame = read_pointer(frame + layout->tstate_cframe);
	frame = read_pointer(frame + layout->current_frame);
	if (frame == hit->gen + layout->gen_iframe) /* it has been pushed already */
		frame = read_pointer(frame + layout->frame_previous);
	return frame;
}

/* Where it stands. */
static __always_inline u64 caller_instruction(const struct hit *hit)
{
	u64 frame = caller_frame(hit);

	return frame ? read_pointer(frame + hit->image->layout.frame_instr) : 0;
}

/* What it is doing: enum opcode_class. */
static __always_inline u8 caller_opcode(const struct hit *hit)
{
	u64 frame = caller_frame(hit);

	if (!frame)
		return OPCODE_OTHER;
	return opcode_class_at(hit, frame_code(hit, frame),
			       read_pointer(frame + hit->image->layout.frame_instr));
}

/* Has the cycle collector marked it as finalized? finalize_garbage() (Python/gc.c) sets the bit before
 * it calls tp_finalize; PyObject_CallFinalizer(), which dealloc uses, only after. */
static __always_inline bool is_finalized(const struct hit *hit)
{
	return read_pointer(hit->gen - GC_HEAD_PREVIOUS) & GC_FINALIZED;
}

/* Has it not run yet? Then its frame stands at RETURN_GENERATOR (3.11, 3.12) or right behind it. */
static __always_inline bool is_unstarted(const struct hit *hit, u64 code, u32 instruction)
{
	u64 at = code + hit->image->layout.code_instructions + instruction;
	u8 opcode = 0;

	if (!code || instruction == NO_INSTRUCTION)
		return false;
	bpf_probe_read_user(&opcode, 1, (void *)at);
	if (hit->image->layout.opcode_class[opcode] == OPCODE_RETURN_GENERATOR)
		return true;
	if (!instruction)
		return true;
	bpf_probe_read_user(&opcode, 1, (void *)(at - 2));
	return hit->image->layout.opcode_class[opcode] == OPCODE_RETURN_GENERATOR;
}

/* The object's reference count: 0 in dealloc, once the finaliser is through. */
static __always_inline u32 references(const struct hit *hit)
{
	u32 count = 0;

	bpf_probe_read_user(&count, sizeof(count), (void *)hit->gen);
	return count;
}

/* Is this memory an object in the making (make_gen() stores CLEARED first) and not one that ends?
 * It has a reference and the collector does not know it yet; in dealloc the count is 0. */
static __always_inline bool in_the_making(const struct hit *hit)
{
	return references(hit) && !read_pointer(hit->gen - GC_HEAD_BYTES);
}

#endif
