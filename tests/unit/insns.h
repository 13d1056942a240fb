/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_INSNS_H
#define GENSCOPE_TESTS_INSNS_H

#include <stddef.h>
#include <stdint.h>

#include "site.h"
#include "sites/insn.h"

/*
 * Instructions as GNU as assembles them, and what the Intel manual (volume 2) says that they do.
 */

#define BIT(name) (1u << GPR_##name)

/* Which general registers are written in part or in whole, by the operands or without being named. */
struct known_write {
	const char *bytes;
	size_t size;
	unsigned written;
	const char *text;
};

#define INSN(bytes) bytes, sizeof(bytes) - 1

static const struct known_write known_writes[] = {
	{ INSN("\x48\x89\xf7"), BIT(RDI), "mov %rsi,%rdi" },
	{ INSN("\x88\xc3"), BIT(RBX), "mov %al,%bl" },
	{ INSN("\x88\xc7"), BIT(RBX), "mov %al,%bh" },
	{ INSN("\x31\xc0"), BIT(RAX), "xor %eax,%eax" },
	{ INSN("\x49\x83\xc4\x01"), BIT(R12), "add $1,%r12" },
	{ INSN("\x48\x0f\xaf\xd1"), BIT(RDX), "imul %rcx,%rdx" },
	{ INSN("\x4c\x6b\xc9\x03"), BIT(R9), "imul $3,%rcx,%r9" },
	{ INSN("\x48\xf7\xe3"), BIT(RAX) | BIT(RDX), "mul %rbx" },
	{ INSN("\x48\xf7\xf3"), BIT(RAX) | BIT(RDX), "div %rbx" },
	{ INSN("\xf7\x3b"), BIT(RAX) | BIT(RDX), "idivl (%rbx)" },
	{ INSN("\x48\x87\xd9"), BIT(RBX) | BIT(RCX), "xchg %rbx,%rcx" },
	{ INSN("\x49\x95"), BIT(RAX) | BIT(R13), "xchg %rax,%r13" },
	{ INSN("\x48\x0f\xc1\x19"), BIT(RBX), "xadd %rbx,(%rcx)" },
	{ INSN("\x48\x0f\xc1\xd9"), BIT(RBX) | BIT(RCX), "xadd %rbx,%rcx" },
	{ INSN("\x48\x0f\xb1\x19"), BIT(RAX), "cmpxchg %rbx,(%rcx)" },
	{ INSN("\x48\x0f\xc7\x0e"), BIT(RAX) | BIT(RDX), "cmpxchg16b (%rsi)" },
	{ INSN("\x49\x0f\xce"), BIT(R14), "bswap %r14" },
	{ INSN("\xf3\x48\x0f\xb8\xf3"), BIT(RSI), "popcnt %rbx,%rsi" },
	{ INSN("\xf3\x48\x0f\xbc\xf3"), BIT(RSI), "tzcnt %rbx,%rsi" },
	{ INSN("\x48\x0f\xbc\xf3"), BIT(RSI), "bsf %rbx,%rsi" },
	{ INSN("\xf3\x44\x0f\xbd\xc0"), BIT(R8), "lzcnt %eax,%r8d" },
	{ INSN("\x48\x0f\x44\xcb"), BIT(RCX), "cmove %rbx,%rcx" },
	{ INSN("\x0f\x95\xc3"), BIT(RBX), "setne %bl" },
	{ INSN("\x41\x0f\x94\xc7"), BIT(R15), "sete %r15b" },
	{ INSN("\x48\xc1\xe3\x03"), BIT(RBX), "shl $3,%rbx" },
	{ INSN("\x49\xd3\xfb"), BIT(R11), "sar %cl,%r11" },
	{ INSN("\x48\x0f\xa4\xd9\x01"), BIT(RCX), "shld $1,%rbx,%rcx" },
	{ INSN("\x48\xd1\xc5"), BIT(RBP), "rol $1,%rbp" },
	{ INSN("\x48\xf7\xdb"), BIT(RBX), "neg %rbx" },
	{ INSN("\x48\xf7\xd3"), BIT(RBX), "not %rbx" },
	{ INSN("\x48\xff\xc3"), BIT(RBX), "inc %rbx" },
	{ INSN("\x49\xff\xca"), BIT(R10), "dec %r10" },
	{ INSN("\x5b"), BIT(RBX) | BIT(RSP), "pop %rbx" },
	{ INSN("\x41\x5c"), BIT(R12) | BIT(RSP), "pop %r12" },
	{ INSN("\x53"), BIT(RSP), "push %rbx" },
	{ INSN("\xc9"), BIT(RBP) | BIT(RSP), "leave" },
	{ INSN("\x48\x83\xec\x08"), BIT(RSP), "sub $8,%rsp" },
	{ INSN("\x48\x83\xe4\xf0"), BIT(RSP), "and $-16,%rsp" },
	{ INSN("\x48\x98"), BIT(RAX), "cltq" },
	{ INSN("\x48\x99"), BIT(RDX), "cqto" },
	{ INSN("\x99"), BIT(RDX), "cltd" },
	{ INSN("\xa4"), BIT(RSI) | BIT(RDI), "movsb" },
	{ INSN("\x48\xab"), BIT(RDI), "stosq" },
	{ INSN("\xf3\x48\xa5"), BIT(RCX) | BIT(RSI) | BIT(RDI), "rep movsq" },
	{ INSN("\xf3\xaa"), BIT(RCX) | BIT(RDI), "rep stosb" },
	{ INSN("\xac"), BIT(RAX) | BIT(RSI), "lodsb" },
	{ INSN("\xf2\xae"), BIT(RCX) | BIT(RDI), "repne scasb" },
	{ INSN("\xa6"), BIT(RSI) | BIT(RDI), "cmpsb" },
	{ INSN("\x0f\xa2"), BIT(RAX) | BIT(RBX) | BIT(RCX) | BIT(RDX), "cpuid" },
	{ INSN("\x0f\x31"), BIT(RAX) | BIT(RDX), "rdtsc" },
	{ INSN("\x0f\x05"), BIT(RAX) | BIT(RCX) | BIT(R11), "syscall" },
	{ INSN("\x0f\xb6\x0b"), BIT(RCX), "movzbl (%rbx),%ecx" },
	{ INSN("\x48\x63\xd9"), BIT(RBX), "movslq %ecx,%rbx" },
	{ INSN("\x48\x8d\x54\x4b\x08"), BIT(RDX), "lea 8(%rbx,%rcx,2),%rdx" },
	{ INSN("\x66\x48\x0f\x7e\xc3"), BIT(RBX), "movq %xmm0,%rbx" },
	{ INSN("\x66\x0f\x50\xd8"), BIT(RBX), "movmskpd %xmm0,%ebx" },
	{ INSN("\x66\x44\x0f\xd7\xc8"), BIT(R9), "pmovmskb %xmm0,%r9d" },
	{ INSN("\xf2\x48\x0f\x2c\xd8"), BIT(RBX), "cvttsd2si %xmm0,%rbx" },
	{ INSN("\x48\x0f\xba\xeb\x01"), BIT(RBX), "bts $1,%rbx" },
	{ INSN("\x48\x11\xc3"), BIT(RBX), "adc %rax,%rbx" },
	{ INSN("\x19\xc0"), BIT(RAX), "sbb %eax,%eax" },
	{ INSN("\xc4\xe2\xe0\xf2\xc8"), BIT(RCX), "andn %rax,%rbx,%rcx" },
	{ INSN("\xc4\xe2\xf8\xf7\xcb"), BIT(RCX), "bextr %rax,%rbx,%rcx" },
	{ INSN("\xc4\xe2\xe3\xf6\xc8"), BIT(RBX) | BIT(RCX), "mulx %rax,%rbx,%rcx" },
	{ INSN("\xc4\xe2\xe2\xf5\xc8"), BIT(RCX), "pext %rax,%rbx,%rcx" },
	{ INSN("\xc4\xe2\xf9\xf7\xcb"), BIT(RCX), "shlx %rax,%rbx,%rcx" },
	{ INSN("\xc4\xe3\xfb\xf0\xcb\x01"), BIT(RCX), "rorx $1,%rbx,%rcx" },
	{ INSN("\xc4\xe2\xf0\xf3\xcb"), BIT(RCX), "blsr %rbx,%rcx" },
	{ INSN("\xd7"), BIT(RAX), "xlat" },
	{ INSN("\x9f"), BIT(RAX), "lahf" },
	{ INSN("\x66\x48\x0f\x3a\x16\xc3\x01"), BIT(RBX), "pextrq $1,%xmm0,%rbx" },
	{ INSN("\x48\x0f\xc7\xf3"), BIT(RBX), "rdrand %rbx" },
	{ INSN("\xf3\x48\x0f\xae\xc3"), BIT(RBX), "rdfsbase %rbx" },
	{ INSN("\x0f\x01\xd0"), BIT(RAX) | BIT(RDX), "xgetbv" },
	{ INSN("\x0f\x01\xf9"), BIT(RAX) | BIT(RCX) | BIT(RDX), "rdtscp" },
	{ INSN("\x48\x0f\x38\xf0\x18"), BIT(RBX), "movbe (%rax),%rbx" },
	{ INSN("\xf2\x48\x0f\x38\xf1\xd8"), BIT(RBX), "crc32q %rax,%rbx" },
	{ INSN("\xe2\xfe"), BIT(RCX), "loop ." },
	{ INSN("\xec"), BIT(RAX), "in (%dx),%al" },
	{ INSN("\xc8\x10\x00\x00"), BIT(RSP) | BIT(RBP), "enter $16,$0" },
	{ INSN("\xc4\xc1\xf9\x7e\xc8"), BIT(R8), "vmovq %xmm1,%r8" },
	{ INSN("\xc4\xc3\x79\x16\xc9\x01"), BIT(R9), "vpextrd $1,%xmm1,%r9d" },
	{ INSN("\x66\x48\x0f\x38\xf6\xd8"), BIT(RBX), "adcx %rax,%rbx" },
	{ INSN("\x0f\xc7\x0f"), BIT(RAX) | BIT(RDX), "cmpxchg8b (%rdi)" },
};

/* Where control goes; `target` is counted from the instruction's own address. */
struct known_flow {
	const char *bytes;
	size_t size;
	enum insn_flow flow;
	int64_t target;
	const char *text;
};

static const struct known_flow known_flows[] = {
	{ INSN("\xeb\x00"), FLOW_JUMP, 2, "jmp .+2" },
	{ INSN("\xe9\xfb\x0f\x00\x00"), FLOW_JUMP, 4096, "jmp .+0x1000" },
	{ INSN("\x74\x00"), FLOW_BRANCH, 2, "je .+2" },
	{ INSN("\x0f\x85\xfa\x0f\x00\x00"), FLOW_BRANCH, 4096, "jne .+0x1000" },
	{ INSN("\x7f\xf8"), FLOW_BRANCH, -6, "jg .-6" },
	{ INSN("\xe2\xfe"), FLOW_BRANCH, 0, "loop ." },
	{ INSN("\xe0\x00"), FLOW_BRANCH, 2, "loopne .+2" },
	{ INSN("\xe3\x07"), FLOW_BRANCH, 9, "jrcxz .+9" },
	{ INSN("\x67\xe3\x06"), FLOW_BRANCH, 9, "jecxz .+9" },
	{ INSN("\xe8\x00\x00\x00\x00"), FLOW_CALL, 5, "call .+5" },
	{ INSN("\xe8\xfb\xfe\xff\xff"), FLOW_CALL, -256, "call .-0x100" },
	{ INSN("\xf2\xe9\xfa\x0f\x00\x00"), FLOW_JUMP, 4096, "bnd jmp .+0x1000" },
	{ INSN("\xf2\xe8\xfa\x0f\x00\x00"), FLOW_CALL, 4096, "bnd call .+0x1000" },
	{ INSN("\xff\xd0"), FLOW_CALL_INDIRECT, 0, "call *%rax" },
	{ INSN("\xff\x53\x08"), FLOW_CALL_INDIRECT, 0, "call *8(%rbx)" },
	{ INSN("\xff\x15\x08\x00\x00\x00"), FLOW_CALL_INDIRECT, 0, "call *8(%rip)" },
	{ INSN("\xff\xe2"), FLOW_JUMP_INDIRECT, 0, "jmp *%rdx" },
	{ INSN("\x3e\xff\xe0"), FLOW_JUMP_INDIRECT, 0, "notrack jmp *%rax" },
	{ INSN("\xff\x24\xd0"), FLOW_JUMP_INDIRECT, 0, "jmp *(%rax,%rdx,8)" },
	{ INSN("\xff\x25\x08\x00\x00\x00"), FLOW_JUMP_INDIRECT, 0, "jmp *8(%rip)" },
	{ INSN("\xc3"), FLOW_RETURN, 0, "ret" },
	{ INSN("\xc2\x08\x00"), FLOW_RETURN, 0, "ret $8" },
	{ INSN("\xf3\xc3"), FLOW_RETURN, 0, "rep ret" },
	{ INSN("\xf2\xc3"), FLOW_RETURN, 0, "bnd ret" },
	{ INSN("\x0f\x0b"), FLOW_RETURN, 0, "ud2" },
	{ INSN("\xf4"), FLOW_RETURN, 0, "hlt" },
	{ INSN("\x90"), FLOW_NEXT, 0, "nop" },
	{ INSN("\xf3\x0f\x1e\xfa"), FLOW_NEXT, 0, "endbr64" },
	{ INSN("\x66\x0f\x1f\x04\x00"), FLOW_NEXT, 0, "nopw 0(%rax,%rax,1)" },
	{ INSN("\x0f\x1f\x04\x00"), FLOW_NEXT, 0, "nopl 0(%rax,%rax,1)" },
	{ INSN("\x53"), FLOW_NEXT, 0, "push %rbx" },
	{ INSN("\x80\x7b\x43\x00"), FLOW_NEXT, 0, "cmpb $0,0x43(%rbx)" },
	{ INSN("\x48\x89\xf7"), FLOW_NEXT, 0, "mov %rsi,%rdi" },
	{ INSN("\x0f\x05"), FLOW_NEXT, 0, "syscall" },
	{ INSN("\xcc"), FLOW_NEXT, 0, "int3" },
	{ INSN("\xf3\x90"), FLOW_NEXT, 0, "pause" },
	{ INSN("\xc9"), FLOW_NEXT, 0, "leave" },
	{ INSN("\x48\x0f\x44\xd8"), FLOW_NEXT, 0, "cmove %rax,%rbx" },
	{ INSN("\x0f\x94\xc0"), FLOW_NEXT, 0, "sete %al" },
	{ INSN("\x48\x8d\x05\x08\x00\x00\x00"), FLOW_NEXT, 0, "lea 8(%rip),%rax" },
};

#endif
