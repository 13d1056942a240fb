/* SPDX-License-Identifier: MIT */
/*
 * What a site says of its probe, looked up in the registers of the thread that hit it: does the store
 * follow, to which object, and what will it write. Reads registers and user memory, nothing else.
 */
#ifndef GENSCOPE_PLACE_BPF_H
#define GENSCOPE_PLACE_BPF_H

#include "site.h"

/* pt_regs at constant offsets: the verifier forbids computed ones. */
static __always_inline u64 register_value(const struct pt_regs *regs, u8 reg)
{
#define CASE(name, field)                                                                          \
	case name: {                                                                               \
		u64 value = regs->field;                                                           \
		asm volatile("" : "+r"(value)); /* keep it a branch, not a table of offsets */     \
		return value;                                                                      \
	}
	switch (reg) {
		CASE(GPR_RBX, bx)
		CASE(GPR_RDI, di)
		CASE(GPR_RAX, ax)
		CASE(GPR_RCX, cx)
		CASE(GPR_RDX, dx)
		CASE(GPR_RSI, si)
		CASE(GPR_RBP, bp)
		CASE(GPR_R8, r8)
		CASE(GPR_R9, r9)
		CASE(GPR_R10, r10)
		CASE(GPR_R11, r11)
		CASE(GPR_R12, r12)
		CASE(GPR_R13, r13)
		CASE(GPR_R14, r14)
		CASE(GPR_R15, r15)
		CASE(GPR_RSP, sp)
	}
#undef CASE
	return 0;
}

/* A probe on a conditional jump is hit on both its ways; is it this time the one of the store? */
static __always_inline bool leads_to_store(const struct site *site, const struct pt_regs *regs)
{
	u64 flags = regs->flags;
	bool less = !(flags & FLAG_SIGN) != !(flags & FLAG_OVERFLOW), holds;

	if (!site->condition)
		return true;
	holds = (flags & site->condition_flags) || (site->condition_less && less);
	return holds == (site->condition & 1); /* 1 + code: odd is the plain one */
}

static __always_inline u64 object_address(const struct site *site, const struct pt_regs *regs)
{
	u64 address = register_value(regs, site->reg);

	if (site->object_loaded) {
		u64 pointer = 0;

		bpf_probe_read_user(&pointer, sizeof(pointer),
				    (void *)(address + site->object_disp));
		address = pointer;
	}
	return address + site->addend;
}

/* The byte that the store will write. False: it cannot be read. */
static __always_inline bool stored_value(const struct site *site, const struct pt_regs *regs,
					 s8 *value)
{
	u64 at = register_value(regs, site->value_reg);
	u8 byte = (u8)at;

	if (site->from == VALUE_CONSTANT) {
		*value = site->value;
		return true;
	}
	if (site->from == VALUE_LOADED &&
	    bpf_probe_read_user(&byte, sizeof(byte), (void *)(at + site->value_disp)))
		return false;
	*value = (s8)(byte + site->value_add);
	return true;
}

#endif
