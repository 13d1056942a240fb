/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SITES_INSN_H
#define GENSCOPE_SITES_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * x86-64 instructions as the site finder wants them: what flows where, which general registers are
 * written, which memory operand there is. Decoded by libcapstone; nothing else of it gets out.
 */

enum insn_flow {
	FLOW_NEXT = 0,
	FLOW_CALL, /* direct, `target` */
	FLOW_CALL_INDIRECT,
	FLOW_JUMP, /* direct, unconditional */
	FLOW_JUMP_INDIRECT,
	FLOW_BRANCH, /* conditional */
	FLOW_RETURN, /* also ud2, hlt: control does not come out below */
};

#define INSN_NO_REG 0xff

/* What an instruction does to the low byte of a register, whatever it does to the rest. */
enum insn_low {
	LOW_OTHER = 0, /* nothing, or something else than these; insn.written tells */
	LOW_COPY,      /* to = from + add; add of a constant has to == from */
	LOW_LOAD,      /* to = the byte at insn.memory */
};

struct insn_memory {
	bool present;
	bool stored; /* written by the instruction (its destination) */
	bool indexed;
	uint8_t base; /* enum site_register, INSN_NO_REG for none or rip */
	uint8_t size; /* bytes accessed; 0 for lea */
	int64_t disp;
	uint64_t rip_target; /* absolute address when rip-relative, else 0 */
};

struct insn {
	uint64_t address;
	uint64_t target;  /* of a direct call, jump or branch */
	uint16_t written; /* bit 1 << enum site_register: any part of it is written */
	uint8_t size;
	uint8_t flow;  /* enum insn_flow */
	bool emulated; /* the kernel emulates it at a uprobe, see insn_is_emulated() */
	bool join;     /* control can come here from elsewhere than the instruction before */
	bool entered;  /* … and not only by jumps of the function itself that are known */
	uint8_t condition; /* of a conditional jump the kernel emulates: 1 + its condition code, else 0 */
	bool writes_memory;         /* or may */
	bool is_move;               /* plain mov: register to register, or the store below */
	uint8_t move_from, move_to; /* registers of a 64-bit register move or of lea; else NO_REG */
	int64_t move_add;           /* lea: move_to = move_from + move_add */
	uint8_t load_to;            /* of a 64-bit mov from memory: the register; else NO_REG */
	uint8_t low_kind;           /* enum insn_low */
	uint8_t low_to, low_from;   /* registers; low_from of LOW_COPY only */
	int8_t low_add;             /* what is added to the byte */
	int32_t stack_add;          /* of `sub` and `add` of a constant to rsp: what is added */
	uint64_t compared;          /* constant that a register is compared with, else 0 */
	bool has_immediate;         /* of a store */
	int64_t immediate;
	uint8_t value_reg; /* of a store from a register; its low bytes */
	struct insn_memory memory;
};

struct insn_list {
	struct insn *at; /* in address order, without gaps but for undecodable bytes */
	size_t count;
};

/* Decodes `size` bytes linked at `address`; undecodable bytes are skipped. 0 or -ENOMEM. */
int insn_decode(const uint8_t *bytes, size_t size, uint64_t address, struct insn_list *out);
void insn_list_free(struct insn_list *list);

/* The text of one instruction in AT&T syntax, "movb $0, 0x43(%rbx)". */
void insn_text(const uint8_t *bytes, size_t size, uint64_t address, char *out, size_t room);

/* Does the kernel emulate these bytes at a uprobe instead of single-stepping them out of line?
 * arch/x86/kernel/uprobes.c, branch_setup_xol_ops() and push_setup_xol_ops() (v4.17, commit
 * e7ed9d9bd0375): relative jmp, jcc, call and push of a register, none with an operand-size prefix.
 * Its nops are left out: from 6.18 on a five-byte one is rewritten into a call that clobbers the red
 * zone (see design), and one-byte ones are padding. */
bool insn_is_emulated(const uint8_t *bytes, size_t size);

/* The index of the instruction at exactly this address, or -1. */
long insn_find(const struct insn_list *list, uint64_t address);

#endif
