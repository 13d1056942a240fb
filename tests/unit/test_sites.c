/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "insns.h"
#include "python/layouts.h"
#include "sites/insn.h"
#include "sites/store.h"

/* Instructions, and which of them are stores to a generator's state. */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

Test(insn, knows_what_is_written)
{
	for (size_t i = 0; i < COUNT(known_writes); i++) {
		const struct known_write *known = &known_writes[i];
		struct insn_list list = decode_bytes(known->bytes, known->size);

		cr_expect_eq(list.count, 1, "%s", known->text);
		cr_expect(list.count && (list.at[0].written & known->written) == known->written,
			  "%s: 0x%x is not all of 0x%x", known->text,
			  list.count ? list.at[0].written : 0, known->written);
		insn_list_free(&list);
	}
}

Test(insn, knows_where_control_goes)
{
	for (size_t i = 0; i < COUNT(known_flows); i++) {
		const struct known_flow *known = &known_flows[i];
		struct insn_list list = decode_bytes(known->bytes, known->size);

		cr_assert_eq(list.count, 1, "%s", known->text);
		cr_expect_eq(list.at[0].size, known->size, "%s", known->text);
		cr_expect_eq(list.at[0].flow, known->flow, "%s: %d", known->text, list.at[0].flow);
		if (known->flow == FLOW_CALL || known->flow == FLOW_JUMP ||
		    known->flow == FLOW_BRANCH)
			cr_expect_eq(list.at[0].target, TEXT_ADDRESS + (uint64_t)known->target,
				     "%s", known->text);
		insn_list_free(&list);
	}
}

/* Linux, arch/x86/kernel/uprobes.c: branch_setup_xol_ops() and push_setup_xol_ops() take these, once
 * legacy prefixes are set aside; with 0x66 the branches are refused. */
static bool kernel_emulates(const uint8_t *bytes, size_t size)
{
	uint8_t rex = 0;
	size_t at = 0;

	for (; at < size; at++) {
		if (bytes[at] == 0x66)
			return false;
		if (bytes[at] != 0x2e && bytes[at] != 0x36 && bytes[at] != 0x3e &&
		    bytes[at] != 0x26 && bytes[at] != 0x64 && bytes[at] != 0x65 &&
		    bytes[at] != 0x67 && bytes[at] != 0xf2 && bytes[at] != 0xf3)
			break;
	}
	if (at < size && (bytes[at] & 0xf0) == REX)
		rex = bytes[at++];
	if (at >= size)
		return false;
	if (bytes[at] >= 0x50 && bytes[at] <= 0x57)
		return size == 1 || (size == 2 && rex == (REX | REX_B));
	if (bytes[at] == 0x0f)
		return at + 1 < size && bytes[at + 1] >= 0x80 && bytes[at + 1] <= 0x8f;
	return bytes[at] == 0xe8 || bytes[at] == 0xe9 || bytes[at] == 0xeb ||
	       (bytes[at] >= 0x70 && bytes[at] <= 0x7f);
}

/* Never says yes where the kernel says no; says yes to whatever compilers write of these. */
Test(insn, is_emulated_only_where_the_kernel_does)
{
	for (unsigned opening = 0; opening < 0x10000; opening++) {
		uint8_t bytes[15] = { (uint8_t)opening, (uint8_t)(opening >> 8) };
		struct insn_list list = decode_bytes(bytes, sizeof(bytes));
		bool plain = (bytes[0] >= 0x50 && bytes[0] <= 0x57) || (bytes[0] & 0xf0) == 0x70 ||
			     bytes[0] == 0xe8 || bytes[0] == 0xe9 || bytes[0] == 0xeb ||
			     (bytes[0] == 0x0f && (bytes[1] & 0xf0) == 0x80) ||
			     (bytes[0] == 0x41 && bytes[1] >= 0x50 && bytes[1] <= 0x57);

		if (list.count && list.at[0].address == TEXT_ADDRESS) {
			const struct insn *insn = &list.at[0];

			cr_assert_eq(insn->emulated, insn_is_emulated(bytes, insn->size));
			cr_assert(!insn->emulated || kernel_emulates(bytes, insn->size),
				  "%02x %02x is single-stepped", bytes[0], bytes[1]);
			cr_assert(insn->emulated || !plain, "%02x %02x is emulated", bytes[0],
				  bytes[1]);
		}
		insn_list_free(&list);
	}
	cr_assert_not(insn_is_emulated((const uint8_t *)"", 0));
	cr_assert_not(insn_is_emulated((const uint8_t *)"\x0f", 1));
	cr_assert_not(insn_is_emulated((const uint8_t *)"\x41", 1));
}

Test(insn, follows_copies_of_whole_registers_only)
{
	static const struct {
		const char *bytes;
		size_t size;
		uint8_t from, to;
		int64_t add;
	} cases[] = {
		{ INSN("\x48\x89\xf7"), GPR_RSI, GPR_RDI, 0 },            /* mov %rsi,%rdi */
		{ INSN("\x4c\x8b\xe5"), GPR_RBP, GPR_R12, 0 },            /* mov %rbp,%r12 */
		{ INSN("\x48\x8d\x7e\xb8"), GPR_RSI, GPR_RDI, -0x48 },    /* lea -0x48(%rsi),%rdi */
		{ INSN("\x4d\x8d\x6c\x24\x48"), GPR_R12, GPR_R13, 0x48 }, /* lea 0x48(%r12),%r13 */
		{ INSN("\x89\xf7"), INSN_NO_REG, INSN_NO_REG, 0 },        /* mov %esi,%edi */
		{ INSN("\x66\x89\xf7"), INSN_NO_REG, INSN_NO_REG, 0 },    /* mov %si,%di */
		{ INSN("\x40\x88\xf7"), INSN_NO_REG, INSN_NO_REG, 0 },    /* mov %sil,%dil */
		{ INSN("\x8d\x7e\xb8"), INSN_NO_REG, INSN_NO_REG, 0 },    /* lea -0x48(%rsi),%edi */
		{ INSN("\x48\x8d\x7c\x0e\xb8"), INSN_NO_REG, INSN_NO_REG, 0 }, /* (%rsi,%rcx) */
		{ INSN("\x48\x63\xfe"), INSN_NO_REG, INSN_NO_REG, 0 },     /* movslq %esi,%rdi */
		{ INSN("\x48\x87\xf7"), INSN_NO_REG, INSN_NO_REG, 0 },     /* xchg %rsi,%rdi */
		{ INSN("\x48\x0f\x44\xfe"), INSN_NO_REG, INSN_NO_REG, 0 }, /* cmove %rsi,%rdi */
		{ INSN("\x48\x8b\x3e"), INSN_NO_REG, INSN_NO_REG, 0 },     /* mov (%rsi),%rdi */
		{ INSN("\x48\x01\xf7"), INSN_NO_REG, INSN_NO_REG, 0 },     /* add %rsi,%rdi */
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct insn_list list = decode_bytes(cases[i].bytes, cases[i].size);
		const struct insn *insn = list.at;
		bool copies = insn->move_from != INSN_NO_REG && insn->move_to != INSN_NO_REG;

		cr_assert_eq(list.count, 1);
		cr_expect_eq(copies, cases[i].from != INSN_NO_REG, "case %zu", i);
		if (copies) {
			cr_expect_eq(insn->move_from, cases[i].from, "case %zu", i);
			cr_expect_eq(insn->move_to, cases[i].to, "case %zu", i);
			cr_expect_eq(insn->move_add, cases[i].add, "case %zu", i);
		}
		insn_list_free(&list);
	}
}

Test(insn, skips_what_it_cannot_decode)
{
	/* 06 is no instruction of 64-bit mode */
	struct insn_list list = decode_bytes("\x90\x06\x06\xc3\x06", 5);

	cr_assert_eq(list.count, 2);
	cr_assert_eq(list.at[1].address, TEXT_ADDRESS + 3);
	cr_assert_eq(insn_find(&list, TEXT_ADDRESS), 0);
	cr_assert_eq(insn_find(&list, TEXT_ADDRESS + 1), -1);
	cr_assert_eq(insn_find(&list, TEXT_ADDRESS + 3), 1);
	cr_assert_eq(insn_find(&list, TEXT_ADDRESS + 4), -1);
	cr_assert_eq(insn_find(&list, 0), -1);
	insn_list_free(&list);
	list = decode_bytes("", 0);
	cr_assert_eq(list.count, 0);
	cr_assert_eq(insn_find(&list, 0), -1);
	insn_list_free(&list);
}

/* Include/internal/pycore_frame.h of each: enum _framestate; genobject.h: where the bytes are. */
static const struct version {
	uint32_t hex;
	int32_t async, state, frame;
	int8_t states[7];
	size_t state_count;
	int32_t weakrefs, hooks, previous_item;
} versions[] = {
	{ 0x030b02f0, 0x4a, 0x4b, 0x50, { -2, -1, 0, 1, 4 }, 5, 0x18, 0x48, 0x38 },
	{ 0x030c01f0, 0x42, 0x43, 0x48, { -2, -1, 0, 1, 4 }, 5, 0x10, 0x40, 0x30 },
	{ 0x030d00f0, 0x42, 0x43, 0x48, { -3, -2, -1, 0, 1, 4 }, 6, 0x10, 0x40, 0x30 },
	{ 0x030e00f0, 0x42, 0x43, 0x48, { -3, -2, -1, 0, 1, 4 }, 6, 0x10, 0x40, 0x30 },
	{ 0x030f00f0, 0x42, 0x43, 0x48, { 0, 1, 2, 3, 4, 5 }, 6, 0x10, 0x40, 0x30 },
};

#define EACH_VERSION(v, layout)                                                                    \
	for (const struct version *v = versions; v < versions + COUNT(versions); v++)              \
		for (struct layout layout, *once = &layout;                                        \
		     once && !layout_for_version(v->hex, &layout, NULL); once = NULL)

static bool is_state(const struct version *v, int value)
{
	return memchr(v->states, (int8_t)value, v->state_count);
}

/* The store that the first instruction of these bytes is; false: none. */
static bool decode_store(const struct layout *layout, const struct code_bytes *code,
			 struct store *out)
{
	struct insn_list list = decode_bytes(code->at, code->size);
	bool found = list.count && store_decode(layout, &list, 0, out);

	insn_list_free(&list);
	return found;
}

static bool bytes_hold_store(const struct layout *layout, const struct code_bytes *code,
			     bool *registers)
{
	struct code_bytes whole = *code;

	PUT(&whole, "\xc3"); /* a function does not end in its store */
	return store_in_bytes(layout, whole.at, whole.size, registers);
}

Test(store, is_found_through_every_register)
{
	EACH_VERSION(v, layout)
	{
		for (uint8_t base = 0; base < GPR_COUNT; base++) {
			for (int through_frame = 0; through_frame < 2; through_frame++) {
				int32_t shift = through_frame ? v->frame : 0;
				struct code_bytes constant = {}, from_register = {};
				bool registers;
				struct store store;

				put_store(&constant, base, v->state - shift, 4);
				put_store_register(&from_register, base, v->state - shift, GPR_RSI);
				if (base == GPR_RSP) { /* a local variable */
					cr_assert_not(decode_store(&layout, &constant, &store));
					cr_assert_not(
						decode_store(&layout, &from_register, &store));
					continue;
				}
				cr_assert(decode_store(&layout, &constant, &store));
				cr_assert(store.constant && store.value == 4);
				cr_assert_eq(store.role, SITE_FRAME_STATE);
				cr_assert_eq(store.base, base);
				cr_assert_eq(store.addend, -shift);
				cr_assert(bytes_hold_store(&layout, &constant, &registers));
				cr_assert_not(registers);

				cr_assert(decode_store(&layout, &from_register, &store));
				cr_assert_not(store.constant);
				cr_assert_eq(store.value_reg, GPR_RSI);
				cr_assert_eq(store.base, base);
				cr_assert_eq(store.addend, -shift);
				cr_assert_not(
					bytes_hold_store(&layout, &from_register, &registers));
				cr_assert(registers);
			}
		}
	}
}

Test(store, writes_a_state_at_its_place)
{
	EACH_VERSION(v, layout)
	{
		for (int disp = -128; disp < 128; disp++) {
			bool at_state = disp == v->state || disp == v->state - v->frame;
			bool at_async = disp == v->async || disp == v->async - v->frame;

			for (int value = -128; value < 128; value++) {
				struct code_bytes code = {};
				struct store store;
				bool is_one;

				put_store(&code, GPR_RBX, disp, value);
				is_one = decode_store(&layout, &code, &store);
				cr_assert_eq(is_one,
					     (at_state && is_state(v, value)) ||
						     (at_async && (value == 0 || value == 1)),
					     "%x: movb $%d,%d(%%rbx)", v->hex, value, disp);
				if (!is_one)
					continue;
				cr_assert_eq(store.value, value);
				cr_assert_eq(store.role,
					     at_state ? SITE_FRAME_STATE : SITE_RUNNING_ASYNC);
				cr_assert_eq(store.addend, disp < 0 ? -v->frame : 0);
			}
		}
	}
}

/* A register holds SUSPENDED + oparg; ag_running_async is only ever set to 0 or 1. */
Test(store, comes_from_a_low_byte)
{
	EACH_VERSION(v, layout)
	{
		struct code_bytes code;
		struct store store;

		for (int disp = -128; disp < 128; disp++) {
			code.size = 0;
			put_store_register(&code, GPR_RBX, disp, GPR_R9);
			cr_assert_eq(decode_store(&layout, &code, &store),
				     disp == v->state || disp == v->state - v->frame);
		}
		for (uint8_t reg = 0; reg < GPR_COUNT; reg++) {
			code.size = 0;
			put_store_register(&code, GPR_RBX, v->state, reg);
			cr_assert(decode_store(&layout, &code, &store));
			cr_assert_eq(store.value_reg, reg);
		}
		code.size = 0; /* mov %ah,disp(%rbx): no low byte */
		put_memory(&code, 0, 0x88, 4, GPR_RBX, v->state);
		cr_assert_not(decode_store(&layout, &code, &store));
		code.size = 0; /* mov %eax,disp(%rbx): wider */
		put_memory(&code, 0, 0x89, 0, GPR_RBX, v->state);
		cr_assert_not(decode_store(&layout, &code, &store));
	}
}

/* Wider stores begin at the flags (ag_hooks_inited, ag_closed, ag_running_async) and set them to 0. */
Test(store, may_be_wider)
{
	EACH_VERSION(v, layout)
	{
		for (unsigned size = 2; size <= 4; size += 2) {
			for (int state = -128; state < 128; state++) {
				uint32_t imm = (uint32_t)(uint8_t)state << 8 * (size - 1);
				struct code_bytes code = {};
				struct store store;
				bool is_one;

				put_store_wide(&code, size, GPR_RBP, v->state - (int32_t)size + 1,
					       imm);
				is_one = decode_store(&layout, &code, &store);
				if (!state) /* all zero: anything */
					continue;
				cr_assert_eq(is_one, is_state(v, state), "%x: %d", v->hex, state);
				if (!is_one)
					continue;
				cr_assert_eq(store.role, SITE_BOTH);
				cr_assert_eq(store.value, state);
				cr_assert_eq(store.value_async, 0);
				cr_assert_eq(store.addend, 0);
				cr_assert(bytes_hold_store(&layout, &code, &(bool){ false }));
				code.size = 0; /* a flag that begins as 1 is not ours */
				put_store_wide(&code, size, GPR_RBP, v->state - (int32_t)size + 1,
					       imm | 1);
				cr_assert_not(decode_store(&layout, &code, &store));
			}
		}
	}
}

Test(store, is_not_any_other_instruction)
{
	/* all at 0x43 of %rbx, or nearly */
	static const struct {
		const char *bytes;
		size_t size;
		const char *text;
	} others[] = {
		{ INSN("\xc6\x44\x0b\x43\x04"), "movb $4,0x43(%rbx,%rcx,1)" },
		{ INSN("\x88\x44\x0b\x43"), "mov %al,0x43(%rbx,%rcx,1)" },
		{ INSN("\xc6\x44\x24\x43\x04"), "movb $4,0x43(%rsp)" },
		{ INSN("\xc6\x05\x43\x00\x00\x00\x04"), "movb $4,0x43(%rip)" },
		{ INSN("\xc6\x04\x25\x43\x00\x00\x00\x04"), "movb $4,0x43" },
		{ INSN("\x64\xc6\x43\x43\x04"), "movb $4,%fs:0x43(%rbx)" },
		{ INSN("\xc6\x43\x44\x04"), "movb $4,0x44(%rbx)" },
		{ INSN("\xc6\x83\x43\x01\x00\x00\x04"), "movb $4,0x143(%rbx)" },
		{ INSN("\xc6\x03\x04"), "movb $4,(%rbx)" },
		{ INSN("\x66\xc7\x43\x43\x04\x00"), "movw $4,0x43(%rbx)" },
		{ INSN("\xc7\x43\x43\x04\x00\x00\x00"), "movl $4,0x43(%rbx)" },
		{ INSN("\x48\xc7\x43\x3c\x00\x00\x00\x00"), "movq $0,0x3c(%rbx)" },
		{ INSN("\x80\x7b\x43\x04"), "cmpb $4,0x43(%rbx)" },
		{ INSN("\xf6\x43\x43\x04"), "testb $4,0x43(%rbx)" },
		{ INSN("\x80\x63\x43\x04"), "andb $4,0x43(%rbx)" },
		{ INSN("\x80\x43\x43\x04"), "addb $4,0x43(%rbx)" },
		{ INSN("\x8a\x43\x43"), "mov 0x43(%rbx),%al" },
		{ INSN("\x0f\xbe\x43\x43"), "movsbl 0x43(%rbx),%eax" },
		{ INSN("\x48\x8d\x43\x43"), "lea 0x43(%rbx),%rax" },
		{ INSN("\xff\x53\x43"), "call *0x43(%rbx)" },
		{ INSN("\xff\x73\x43"), "push 0x43(%rbx)" },
	};
	struct layout layout;

	cr_assert_eq(layout_for_version(0x030d00f0, &layout, NULL), 0);
	for (size_t i = 0; i < COUNT(others); i++) {
		struct code_bytes code = {};

		put_bytes(&code, others[i].bytes, others[i].size);
		cr_expect_not(decode_store(&layout, &code, &(struct store){}), "%s",
			      others[i].text);
	}
}

/* How the second operand's register is written must not matter, nor which form of a displacement. */
Test(store, is_the_same_in_every_form)
{
	struct insn_list list = decode_bytes("\xc6\x83\x43\x00\x00\x00\x04" /* disp32 */
					     "\x40\xc6\x43\x43\x04"         /* a useless rex */
					     "\xc6\x44\x23\x43\x04", /* a SIB without index */
					     17);
	struct layout layout;
	struct store store;

	cr_assert_eq(layout_for_version(0x030d00f0, &layout, NULL), 0);
	cr_assert_eq(list.count, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_assert(store_decode(&layout, &list, i, &store), "form %zu", i);
		cr_assert_eq(store.index, i);
		cr_assert_eq(store.base, GPR_RBX);
		cr_assert_eq(store.value, 4);
		cr_assert_eq(store.addend, 0);
	}
	insn_list_free(&list);
}
