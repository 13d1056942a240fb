/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_SLIDES_H
#define GENSCOPE_TESTS_SLIDES_H

#include <stddef.h>
#include <stdint.h>

#include "site.h"

/*
 * Functions as GNU as assembles them, and where a probe may go in them: `from` is the index of the
 * instruction behind the store (or 0, an entry), where `reg` plus `addend` is the object.
 */

struct known_slide {
	const char *name;
	unsigned from;
	uint8_t reg;
	int32_t addend;
	int probe; /* index of the instruction it goes to, -1: it must stay */
	uint8_t probe_reg;
	int32_t probe_addend, stack;
	const char *bytes;
	size_t size;
};

#define INSNS(bytes) bytes, sizeof(bytes) - 1

/* The block runs on to an instruction that the kernel emulates. */
static const struct known_slide reaching[] = {
	{ "to a call", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x31\xc0"         /* xor %eax,%eax */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "to the next instruction", 1, GPR_RBX, 0, 1, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "to a push", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xc1"     /* mov %rax,%rcx */
		"\x50" /* push %rax */) },
	{ "to a push of r12", 1, GPR_RBX, 0, 1, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x41\x54" /* push %r12 */) },
	{ "to a push of the base", 1, GPR_RBX, 0, 1, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x53" /* push %rbx */) },
	{ "to a short branch", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x85\xc0"         /* test %eax,%eax */
		"\x75\x1e" /* jne .+0x20 */) },
	{ "to a near branch", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x83\xf8\x01" /* cmp $1,%rax */
		"\x0f\x84\xfa\x1f\x00\x00" /* je .+0x2000 */) },
	{ "to a short jump", 1, GPR_RBX, 0, 1, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xeb\x1e" /* jmp .+0x20 */) },
	{ "to a near jump", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x8b\x43\x08" /* mov 8(%rbx),%rax */
		"\xe9\xfb\x1f\x00\x00" /* jmp .+0x2000 */) },
	{ "to the first of them", 1, GPR_RBX, 0, 1, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x50"             /* push %rax */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "over other stores", 1, GPR_RBX, 0, 3, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00"                 /* movb $0,0x43(%rbx) */
		"\x48\x89\x43\x30"                 /* mov %rax,0x30(%rbx) */
		"\x48\xc7\x42\x08\x00\x00\x00\x00" /* movq $0,8(%rdx) */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "over nops to a call", 1, GPR_RBX, 0, 3, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x90"             /* nop */
		"\x0f\x1f\x04\x00" /* nopl 0(%rax,%rax,1) */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "to a branch back to the store", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* 1: movb $0,0x43(%rbx) */
		"\xff\xc8"         /* dec %eax */
		"\x75\xf8" /* jne 1b */) },
	{ "past a read of the stack pointer", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xe7"     /* mov %rsp,%rdi */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
};

/* Something is in the way. */
static const struct known_slide staying[] = {
	{ "not onto a nop", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x90"             /* nop */
		"\x0f\x1f\x04\x00" /* nopl 0(%rax,%rax,1) */
		"\xc3" /* ret */) },
	{ "not past ret", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x31\xc0"         /* xor %eax,%eax */
		"\xc3"             /* ret */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past ud2", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x0f\x0b"         /* ud2 */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past hlt", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xf4"             /* hlt */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past an indirect call", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xff\xd0"         /* call *%rax */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past a call through memory", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xff\x50\x08"     /* call *8(%rax) */
		"\x50" /* push %rax */) },
	{ "not past an indirect jump", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xff\xe2"         /* jmp *%rdx */
		"\x50" /* push %rax */) },
	{ "not past a table's jump", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x3e\xff\x24\xd0" /* notrack jmp *(%rax,%rdx,8) */
		"\x50" /* push %rax */) },
	{ "not past the end", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x31\xc0" /* xor %eax,%eax */) },
	{ "not past bytes that are no code", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x06"             /* .byte 6 */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past such bytes later", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x31\xc0"         /* xor %eax,%eax */
		"\x06"             /* .byte 6 */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past a join", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
		"\x31\xc0"             /* xor %eax,%eax */
		"\x48\x89\xc1"         /* 1: mov %rax,%rcx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */
		"\x75\xf6" /* jne 1b */) },
	{ "not onto a join", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
		"\x31\xc0"             /* xor %eax,%eax */
		"\xe8\xfb\x00\x00\x00" /* 1: call .+0x100 */
		"\x75\xf9" /* jne 1b */) },
	{ "not onto a join right behind", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
		"\xe8\xfb\x00\x00\x00" /* 1: call .+0x100 */
		"\xeb\xf9" /* jmp 1b */) },
	{ "not past a join from before", 2, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\x74\x04"         /* je 1f */
		"\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xe8\xfb\x00\x00\x00" /* 1: call .+0x100 */) },
	{ "not past a mov to the base", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x8b\x58\x08" /* mov 8(%rax),%rbx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past a clearing of the base", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past a byte of the base", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x88\xc3"         /* mov %al,%bl */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past the high byte of it", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x88\xc7"         /* mov %al,%bh */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past a pop of the base", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x5b"             /* pop %rbx */
		"\xeb\x1e" /* jmp .+0x20 */) },
	{ "not past a conditional move", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x0f\x44\xd8" /* cmove %rax,%rbx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past an exchange", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x87\xd9"     /* xchg %rbx,%rcx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past an addition", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x83\xc3\x08" /* add $8,%rbx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past cpuid", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x0f\xa2"         /* cpuid */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past a pop, the stack is unknown", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x58"             /* pop %rax */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past an alignment of the stack", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x83\xe4\xf0" /* and $-16,%rsp */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past leave", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\xc9"             /* leave */
		"\xeb\x1e" /* jmp .+0x20 */) },
	{ "not past lea of the stack", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
		"\x48\x8d\x64\x24\xf8" /* lea -8(%rsp),%rsp */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "not past alloca", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x29\xc4"     /* sub %rax,%rsp */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
};

/* The base is lost, but copies of it are left, or none. */
static const struct known_slide copying[] = {
	{ "a copy", 1, GPR_RBX, 0, 3, GPR_RDI, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xdf"     /* mov %rbx,%rdi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "the base itself while it lasts", 1, GPR_RBX, 0, 2, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xdf"     /* mov %rbx,%rdi */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "a copy of a copy", 1, GPR_RBX, 0, 5, GPR_R14, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xdf"     /* mov %rbx,%rdi */
		"\x49\x89\xfe"     /* mov %rdi,%r14 */
		"\x31\xff"         /* xor %edi,%edi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "the frame's address", 1, GPR_RBX, 0, 3, GPR_RDI, -0x48, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x8d\x7b\x48" /* lea 0x48(%rbx),%rdi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "the object from the frame", 1, GPR_RBX, -0x48, 3, GPR_RDI, 0, 0,
	  INSNS("\xc6\x43\xfb\x00" /* movb $0,-5(%rbx) */
		"\x48\x8d\x7b\xb8" /* lea -0x48(%rbx),%rdi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "back and forth", 1, GPR_RBX, -0x48, 5, GPR_R12, -0x38, 0,
	  INSNS("\xc6\x43\xfb\x00" /* movb $0,-5(%rbx) */
		"\x48\x8d\x73\x10" /* lea 0x10(%rbx),%rsi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\x4c\x8d\x66\xe0" /* lea -0x20(%rsi),%r12 */
		"\x31\xf6"         /* xor %esi,%esi */
		"\xeb\x1e" /* jmp .+0x20 */) },
	{ "a move of the base itself", 1, GPR_RBX, 0, 2, GPR_RBX, -0x8, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x8d\x5b\x08" /* lea 8(%rbx),%rbx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "the base come back", 1, GPR_RBX, 0, 5, GPR_RBX, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xdf"     /* mov %rbx,%rdi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\x48\x89\xfb"     /* mov %rdi,%rbx */
		"\x31\xff"         /* xor %edi,%edi */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "far away", 1, GPR_RBX, 0, 3, GPR_RDI, -0x7fffffff, 0,
	  INSNS("\xc6\x43\x43\x00"             /* movb $0,0x43(%rbx) */
		"\x48\x8d\xbb\xff\xff\xff\x7f" /* lea 0x7fffffff(%rbx),%rdi */
		"\x31\xdb"                     /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "too far for the addend", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00"             /* movb $0,0x43(%rbx) */
		"\x48\x8d\xbb\xff\xff\xff\x7f" /* lea 0x7fffffff(%rbx),%rdi */
		"\x48\x8d\xb7\xff\xff\xff\x7f" /* lea 0x7fffffff(%rdi),%rsi */
		"\x31\xdb"                     /* xor %ebx,%ebx */
		"\x31\xff"                     /* xor %edi,%edi */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no copy of half a register", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x89\xdf"         /* mov %ebx,%edi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no copy from memory", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x8b\x7b\x08" /* mov 8(%rbx),%rdi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no copy with an index", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00"     /* movb $0,0x43(%rbx) */
		"\x48\x8d\x7c\x0b\x08" /* lea 8(%rbx,%rcx,1),%rdi */
		"\x31\xdb"             /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no lea of half a register", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x8d\x7b\x08"     /* lea 8(%rbx),%edi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no copy that may not be made", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x0f\x44\xfb" /* cmove %rbx,%rdi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no copy that was overwritten", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xdf"     /* mov %rbx,%rdi */
		"\x40\x88\xc7"     /* mov %al,%dil */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no copy of what is no more", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\x48\x89\xdf"     /* mov %rbx,%rdi */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "an exchanged copy is lost", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xdf"     /* mov %rbx,%rdi */
		"\x48\x87\xfe"     /* xchg %rdi,%rsi */
		"\x31\xdb"         /* xor %ebx,%ebx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "no copy on the stack pointer", 1, GPR_RBX, 0, -1, GPR_COUNT, 0, 0,
	  INSNS("\xc6\x43\x43\x00" /* movb $0,0x43(%rbx) */
		"\x48\x89\xdc"     /* mov %rbx,%rsp */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
};

/* From a function's first instruction, where the object is in rdi. */
static const struct known_slide entering[] = {
	{ "from a function's entry", 0, GPR_RDI, 0, 1, GPR_RDI, 0, 0x18,
	  INSNS("\x48\x83\xec\x18" /* sub $0x18,%rsp */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "a large stack frame", 0, GPR_RDI, 0, 2, GPR_RDI, 0, 0x1008,
	  INSNS("\x48\x81\xec\x08\x10\x00\x00" /* sub $0x1008,%rsp */
		"\x48\x89\xfd"                 /* mov %rdi,%rbp */
		"\xeb\x1e" /* jmp .+0x20 */) },
	{ "a stack frame that ends", 0, GPR_RDI, 0, 3, GPR_RDI, 0, 0,
	  INSNS("\x48\x83\xec\x18" /* sub $0x18,%rsp */
		"\x48\x89\xf8"     /* mov %rdi,%rax */
		"\x48\x83\xc4\x18" /* add $0x18,%rsp */
		"\xeb\x1e" /* jmp .+0x20 */) },
	{ "an entry that pushes", 0, GPR_RDI, 0, 0, GPR_RDI, 0, 0,
	  INSNS("\x53" /* push %rbx */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
	{ "an entry behind endbr64", 0, GPR_RDI, 0, 1, GPR_RDI, 0, 0,
	  INSNS("\xf3\x0f\x1e\xfa" /* endbr64 */
		"\x55" /* push %rbp */) },
	{ "an entry in two steps", 0, GPR_RDI, 0, 4, GPR_RBX, 0, 0x18,
	  INSNS("\x48\x83\xec\x08" /* sub $8,%rsp */
		"\x48\x83\xec\x10" /* sub $0x10,%rsp */
		"\x48\x89\xfb"     /* mov %rdi,%rbx */
		"\x31\xff"         /* xor %edi,%edi */
		"\xe8\xfb\x00\x00\x00" /* call .+0x100 */) },
};

#endif
