/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_STEPPING_H
#define GENSCOPE_TESTS_STEPPING_H

#include <signal.h>
#include <stdint.h>
#include <ucontext.h>

#include "site.h"

/*
 * Executing assembled functions one instruction at a time, by this very thread (the trap flag): the
 * handler of SIGTRAP sees the registers before each of them.
 */

static const int gregs[GPR_COUNT] = {
	[GPR_R15] = REG_R15, [GPR_R14] = REG_R14, [GPR_R13] = REG_R13, [GPR_R12] = REG_R12,
	[GPR_RBP] = REG_RBP, [GPR_RBX] = REG_RBX, [GPR_R11] = REG_R11, [GPR_R10] = REG_R10,
	[GPR_R9] = REG_R9,   [GPR_R8] = REG_R8,   [GPR_RAX] = REG_RAX, [GPR_RCX] = REG_RCX,
	[GPR_RDX] = REG_RDX, [GPR_RSI] = REG_RSI, [GPR_RDI] = REG_RDI, [GPR_RSP] = REG_RSP,
};

static inline uint64_t reg_of(const ucontext_t *context, uint8_t reg)
{
	return (uint64_t)context->uc_mcontext.gregs[gregs[reg]];
}

/* Calls the function with the trap flag set. In it rbx, r12 and r15 are the object, rbp is 0x48 behind
 * it (its frame), r13 random bits, r14 fuel for loops. */
static inline void execute(const void *function, void *object, uint64_t bits)
{
	register uint64_t r13 __asm__("r13") = bits;
	register uint64_t r14 __asm__("r14") = 30;
	register void *r15 __asm__("r15") = object;

	__asm__ volatile("push %%rbx; push %%rbp; push %%r12\n"
			 "sub $8, %%rsp\n"
			 "mov %%r15, %%rbx; lea 0x48(%%r15), %%rbp; mov %%r15, %%r12\n"
			 "pushfq; orq $0x100, (%%rsp); popfq\n"
			 "call *%%rax\n"
			 "pushfq; andq $~0x100, (%%rsp); popfq\n"
			 "add $8, %%rsp\n"
			 "pop %%r12; pop %%rbp; pop %%rbx\n"
			 : "+a"(function), "+r"(r13), "+r"(r14), "+r"(r15)
			 :
			 : "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}

#endif
