/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_ASSEMBLE_H
#define GENSCOPE_TESTS_ASSEMBLE_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "site.h"
#include "sites/insn.h"

/*
 * A few x86-64 instructions, put together by the rules of the Intel manual: enough to say "a byte
 * store through this register with that displacement" for any of them.
 */

struct code_bytes {
	uint8_t at[4096];
	size_t size;
};

static inline void put_bytes(struct code_bytes *code, const void *bytes, size_t size)
{
	cr_assert_leq(code->size + size, sizeof(code->at));
	memcpy(code->at + code->size, bytes, size);
	code->size += size;
}

#define PUT(code, literal) put_bytes(code, literal, sizeof(literal) - 1)

static inline void put_byte(struct code_bytes *code, unsigned byte)
{
	uint8_t one = (uint8_t)byte;

	put_bytes(code, &one, 1);
}

/* The processor's number of a register. */
static inline unsigned number_of(uint8_t reg)
{
	static const uint8_t numbers[GPR_COUNT] = {
		[GPR_RAX] = 0,  [GPR_RCX] = 1,  [GPR_RDX] = 2,  [GPR_RBX] = 3,
		[GPR_RSP] = 4,  [GPR_RBP] = 5,  [GPR_RSI] = 6,  [GPR_RDI] = 7,
		[GPR_R8] = 8,   [GPR_R9] = 9,   [GPR_R10] = 10, [GPR_R11] = 11,
		[GPR_R12] = 12, [GPR_R13] = 13, [GPR_R14] = 14, [GPR_R15] = 15,
	};

	return numbers[reg];
}

#define REX   0x40
#define REX_W 0x08
#define REX_R 0x04
#define REX_B 0x01

/* Prefixes, opcode and operands of `opcode reg, disp(base)`; disp in 8 bits if it fits. `reg` is the
 * processor's number, or the opcode's extension. */
static inline void put_memory(struct code_bytes *code, unsigned rex, unsigned opcode, unsigned reg,
			      uint8_t base_reg, int32_t disp)
{
	unsigned base = number_of(base_reg), small = disp == (int8_t)disp;

	rex |= (reg & 8 ? REX_R : 0) | (base & 8 ? REX_B : 0);
	if (rex)
		put_byte(code, REX | rex);
	put_byte(code, opcode);
	put_byte(code, (small ? 0x40 : 0x80) | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == 4)
		put_byte(code, 0x24); /* rsp and r12 need a SIB byte */
	put_bytes(code, &disp, small ? 1 : 4);
}

/* movb $imm, disp(base) */
static inline void put_store(struct code_bytes *code, uint8_t base, int32_t disp, int imm)
{
	put_memory(code, 0, 0xc6, 0, base, disp);
	put_byte(code, (unsigned)imm);
}

/* mov %reg(8 bits), disp(base) */
static inline void put_store_register(struct code_bytes *code, uint8_t base, int32_t disp,
				      uint8_t reg)
{
	unsigned number = number_of(reg);

	put_memory(code, number >= 4 ? REX : 0, 0x88, number, base, disp);
}

/* movw $imm, disp(base); movl; movq */
static inline void put_store_wide(struct code_bytes *code, unsigned size, uint8_t base,
				  int32_t disp, uint32_t imm)
{
	if (size == 2)
		put_byte(code, 0x66);
	put_memory(code, size == 8 ? REX_W : 0, 0xc7, 0, base, disp);
	put_bytes(code, &imm, size == 2 ? 2 : 4);
}

/* mov %from, %to */
static inline void put_move(struct code_bytes *code, uint8_t from_reg, uint8_t to_reg)
{
	unsigned from = number_of(from_reg), to = number_of(to_reg);

	put_byte(code, REX | REX_W | (from & 8 ? REX_R : 0) | (to & 8 ? REX_B : 0));
	put_byte(code, 0x89);
	put_byte(code, 0xc0 | (from & 7) << 3 | (to & 7));
}

/* lea disp(from), %to */
static inline void put_lea(struct code_bytes *code, uint8_t from, int32_t disp, uint8_t to)
{
	put_memory(code, REX_W, 0x8d, number_of(to), from, disp);
}

#define TEXT_ADDRESS 0x401000

static inline struct insn_list decode_bytes(const void *bytes, size_t size)
{
	/* behind its bytes is memory that the sanitizer watches */
	uint8_t *copy = malloc(size ? size : 1);
	struct insn_list list;

	memcpy(copy, bytes, size);
	cr_assert_eq(insn_decode(copy, size, TEXT_ADDRESS, &list), 0);
	free(copy);
	return list;
}

#endif
