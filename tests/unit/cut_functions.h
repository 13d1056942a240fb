/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_CUT_FUNCTIONS_H
#define GENSCOPE_TESTS_CUT_FUNCTIONS_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "assemble.h"
#include "site.h"

/*
 * Random functions that store to a generator's state: behind guards and diamonds, in loops, with the
 * object and the value moved, computed and read from memory in many ways. They end, and whatever they
 * store through is one of two objects, the second 0x100 behind the first.
 */

#define STATE      0x43 /* gi_frame_state, gi_iframe of 3.13 */
#define FRAME      0x48
#define POINTER_AT 0x60 /* in the object: the address of one of the two objects */
#define BYTE_AT    0x70 /* a byte that is stored as state */

#define LABELS_MAX 512
#define BLOCKS     6

static uint64_t random_state;

static unsigned choose(unsigned count)
{
	random_state = random_state * 6364136223846793005 + 1442695040888963407;
	return (unsigned)(random_state >> 33) % count;
}

static struct generator {
	struct code_bytes code;
	size_t stub;
	size_t blocks[BLOCKS];
	struct {
		size_t at;
		unsigned block;
	} jumps[LABELS_MAX];
	unsigned jump_count;
	uint64_t joins[LABELS_MAX]; /* offsets that a computed jump goes to */
	size_t join_count;
} gen;

#define EMIT(literal) PUT(&gen.code, literal)

/* A jump with a displacement to be patched; returns where that lies. */
static size_t put_jump(unsigned condition)
{
	if (condition > 15)
		EMIT("\xe9\0\0\0\0");
	else {
		EMIT("\x0f");
		put_byte(&gen.code, 0x80 | condition);
		EMIT("\0\0\0\0");
	}
	return gen.code.size - 4;
}

static void patch(size_t at, size_t target)
{
	int32_t disp = (int32_t)(target - at - 4);

	memcpy(gen.code.at + at, &disp, 4);
}

/* Flags of random bits: any condition may hold or not. */
static void put_compare(void)
{
	EMIT("\x49\xc1\xcd\x03"); /* ror $3,%r13 */
	if (choose(4)) {
		EMIT("\x41\x80\xfd"); /* cmp $imm,%r13b */
		put_byte(&gen.code, choose(256));
	} else {
		EMIT("\x45\x84\xed"); /* test %r13b,%r13b */
	}
}

#define INSNS(bytes) bytes, sizeof(bytes) - 1
struct piece {
	const char *bytes;
	size_t size;
};

static void put_one(const struct piece *pieces, size_t count)
{
	const struct piece *piece = &pieces[choose((unsigned)count)];

	put_bytes(&gen.code, piece->bytes, piece->size);
}
#define PUT_ONE(pieces) put_one(pieces, sizeof(pieces) / sizeof(pieces[0]))

/* None writes rbx, rbp, r12, rdx (a store's base) or rcx (its value); some write memory that is read
 * for them, through another register or the same one. */
static const struct piece junk[] = {
	{ INSNS("\x31\xf6") },                 /* xor %esi,%esi */
	{ INSNS("\x48\x8b\x43\x10") },         /* mov 0x10(%rbx),%rax */
	{ INSNS("\x48\x89\x73\x20") },         /* mov %rsi,0x20(%rbx) */
	{ INSNS("\x0f\x1f\x44\x00\x00") },     /* nopl 0(%rax,%rax,1) */
	{ INSNS("\x48\x89\xdf") },             /* mov %rbx,%rdi */
	{ INSNS("\x41\x88\xc0") },             /* mov %al,%r8b */
	{ INSNS("\x40\xb7\x05") },             /* mov $5,%dil */
	{ INSNS("\x50\x5f") },                 /* push %rax; pop %rdi */
	{ INSNS("\x4d\x89\xe1") },             /* mov %r12,%r9 */
	{ INSNS("\x45\x88\x6c\x24\x70") },     /* mov %r13b,0x70(%r12): the byte */
	{ INSNS("\x44\x88\x6b\x70") },         /* mov %r13b,0x70(%rbx) */
	{ INSNS("\x44\x88\x6b\x71") },         /* mov %r13b,0x71(%rbx): beside it */
	{ INSNS("\x4c\x89\x7b\x60") },         /* mov %r15,0x60(%rbx): the pointer */
	{ INSNS("\x4d\x89\x7c\x24\x60") },     /* mov %r15,0x60(%r12) */
	{ INSNS("\x4d\x8d\x87\x00\x01\x00\x00" /* lea 0x100(%r15),%r8: the other object */
		"\x4c\x89\x43\x60") },         /* mov %r8,0x60(%rbx) */
	{ INSNS("\x4d\x8d\x87\x00\x01\x00\x00\x4d\x89\x44\x24\x60") },
	{ INSNS("\x4c\x89\x43\x38") }, /* mov %r8,0x38(%rbx): where a frame's instruction is */
};

static void put_call(void)
{
	int32_t disp;

	EMIT("\xe8");
	disp = (int32_t)(gen.stub - gen.code.size - 4);
	put_bytes(&gen.code, &disp, 4);
}

/* Leaves the straight line without the registers that the store went through. */
static void put_loss(void)
{
	static const struct piece losses[] = {
		{ INSNS("\x31\xdb\x31\xed\x45\x31\xe4\x31\xd2") },
		{ INSNS("\x31\xd2") },
		{ INSNS("\x48\x87\xdf\x31\xed\x4d\x89\xfc\x48\x89\xd6\x31\xd2") },
	};

	PUT_ONE(losses);
	if (choose(2)) {
		EMIT("\x48\x8d\x05\x02\0\0\0\xff\xe0"); /* lea 2(%rip),%rax; jmp *%rax */
		cr_assert_lt(gen.join_count, (size_t)LABELS_MAX);
		gen.joins[gen.join_count++] = gen.code.size;
	}
	EMIT("\x4c\x89\xfb\x49\x8d\x6f\x48\x4d\x89\xfc"); /* from r15: rbx, rbp, r12 */
}

static uint8_t put_base(int32_t *disp)
{
	*disp = STATE;
	switch (choose(8)) {
	case 0:
		EMIT("\x48\x8b\x53\x60"); /* mov 0x60(%rbx),%rdx */
		return GPR_RDX;
	case 1:
		EMIT("\x4c\x89\xe2"); /* mov %r12,%rdx */
		return GPR_RDX;
	case 2:
		EMIT("\x48\x8d\x53\x48"); /* lea 0x48(%rbx),%rdx */
		*disp = STATE - FRAME;
		return GPR_RDX;
	case 3:
		EMIT("\x48\x8d\x53\x08\x48\x8b\x52\x58"); /* lea 8(%rbx),%rdx; mov 0x58(%rdx),%rdx */
		return GPR_RDX;
	case 4:
		*disp = STATE - FRAME;
		return GPR_RBP;
	case 5:
		return GPR_R12;
	}
	return GPR_RBX;
}

/* Something in rcx. */
static void put_value(void)
{
	static const struct piece values[] = {
		{ INSNS("\x0f\xb6\x4b\x70") },             /* movzbl 0x70(%rbx),%ecx */
		{ INSNS("\x41\x8a\x4c\x24\x70") },         /* mov 0x70(%r12),%cl */
		{ INSNS("\x0f\xb6\x4b\x70\x83\xe9\x02") }, /* and sub $2,%ecx */
		{ INSNS("\x44\x89\xe9") },                 /* mov %r13d,%ecx */
		{ INSNS("\x41\x0f\xb6\xcd\x83\xc1\x7f") }, /* movzbl %r13b,%ecx; add $0x7f,%ecx */
		{ INSNS("\x41\x8d\x4d\x03") },             /* lea 3(%r13),%ecx */
		{ INSNS("\x44\x89\xe9\xff\xc1") },         /* … inc %ecx */
		{ INSNS("\x48\x8b\x4b\x70") },             /* mov 0x70(%rbx),%rcx */
		{ INSNS("\xb1\x01") },                     /* mov $1,%cl */
		{ INSNS("\x44\x89\xe9\xd1\xe9") },         /* mov %r13d,%ecx; shr %ecx */
		{ INSNS("\x44\x89\xe9\x88\xe9") },         /* … mov %ch,%cl */
	};

	PUT_ONE(values);
}

static void put_junk(unsigned most)
{
	for (unsigned i = choose(most + 1); i > 0; i--)
		PUT_ONE(junk);
}

static void put_statements(unsigned depth);

/* if (…) { … }, or with an else; nothing in it but junk when `small`. */
static void put_if(unsigned depth, bool small)
{
	size_t skip, end = 0;

	put_compare();
	skip = put_jump(choose(16));
	if (small)
		put_junk(2);
	else
		put_statements(depth - 1);
	if (choose(2)) {
		end = put_jump(16);
		patch(skip, gen.code.size);
		put_junk(2);
		patch(end, gen.code.size);
	} else {
		patch(skip, gen.code.size);
	}
}

/* A guard around what follows; returns what is to be patched. */
static size_t put_guard(void)
{
	size_t skip;

	put_compare();
	skip = put_jump(choose(16));
	put_junk(1);
	return skip;
}

/* The store and what belongs to it; guards around it, a diamond before it. */
static void put_a_store(void)
{
	size_t skips[2], guards = choose(3);
	bool valued = choose(2);
	int32_t disp;
	uint8_t base = choose(2) ? put_base(&disp) : GPR_COUNT;

	if (valued && choose(2))
		put_value();
	for (size_t i = 0; i < guards; i++)
		skips[i] = put_guard();
	if (valued && choose(2))
		put_value();
	if (base == GPR_COUNT || choose(4) == 0)
		base = put_base(&disp);
	put_junk(2);
	if (choose(3) == 0)
		put_if(1, true);
	if (choose(10) == 0) {
		put_call();
		base = put_base(&disp);
	}
	if (valued)
		put_store_register(&gen.code, base, disp, GPR_RCX);
	else
		put_store(&gen.code, base, disp, (int)choose(4) - 2);
	put_junk(1);
	if (choose(2))
		put_loss();
	for (size_t i = 0; i < guards; i++)
		patch(skips[i], gen.code.size);
}

static void put_statements(unsigned depth)
{
	for (unsigned i = choose(3); i > 0; i--) {
		unsigned kind = choose(6);

		if (kind < 3)
			put_a_store();
		else if (kind == 3)
			put_junk(3);
		else if (kind == 4 && depth)
			put_if(depth, false);
		else if (kind == 5)
			put_call();
	}
}

/* From block to block: forward freely, backward only while there is fuel. */
static void put_end(unsigned block)
{
	unsigned target = choose(BLOCKS), condition = choose(20);

	if (target <= block) {
		EMIT("\x49\xff\xce"); /* dec %r14; jns */
		condition = 9;
	} else {
		put_compare();
	}
	cr_assert_lt(gen.jump_count, (unsigned)LABELS_MAX);
	gen.jumps[gen.jump_count].at = put_jump(condition);
	gen.jumps[gen.jump_count++].block = target;
}

static void generate(void)
{
	memset(&gen, 0, sizeof(gen));
	/* the stub: clears rax, rcx, rdx, rsi, rdi, r8 to r11 */
	EMIT("\x31\xc0\x31\xc9\x31\xd2\x31\xf6\x31\xff\x4d\x31\xc0\x4d\x31\xc9\x4d\x31\xd2"
	     "\x4d\x31\xdb\xc3");
	gen.joins[gen.join_count++] = gen.code.size; /* it is called there */
	for (unsigned block = 0; block < BLOCKS; block++) {
		gen.blocks[block] = gen.code.size;
		put_statements(2);
		if (choose(2))
			put_end(block);
		if (choose(2))
			put_a_store();
	}
	EMIT("\xc3");
	for (unsigned i = 0; i < gen.jump_count; i++)
		patch(gen.jumps[i].at, gen.blocks[gen.jumps[i].block]);
}

#endif
