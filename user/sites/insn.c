// SPDX-License-Identifier: MIT
#include "sites/insn.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "site.h"

/* Every width of a general register, to enum site_register. */
static uint8_t general_register(unsigned reg)
{
	switch (reg) {
#define WIDTHS(index, a, b, c, d)                                                                  \
	case X86_REG_##a:                                                                          \
	case X86_REG_##b:                                                                          \
	case X86_REG_##c:                                                                          \
	case X86_REG_##d:                                                                          \
		return index;
		WIDTHS(GPR_RAX, RAX, EAX, AX, AL)
		WIDTHS(GPR_RBX, RBX, EBX, BX, BL)
		WIDTHS(GPR_RCX, RCX, ECX, CX, CL)
		WIDTHS(GPR_RDX, RDX, EDX, DX, DL)
		WIDTHS(GPR_RSI, RSI, ESI, SI, SIL)
		WIDTHS(GPR_RDI, RDI, EDI, DI, DIL)
		WIDTHS(GPR_RBP, RBP, EBP, BP, BPL)
		WIDTHS(GPR_RSP, RSP, ESP, SP, SPL)
		WIDTHS(GPR_R8, R8, R8D, R8W, R8B)
		WIDTHS(GPR_R9, R9, R9D, R9W, R9B)
		WIDTHS(GPR_R10, R10, R10D, R10W, R10B)
		WIDTHS(GPR_R11, R11, R11D, R11W, R11B)
		WIDTHS(GPR_R12, R12, R12D, R12W, R12B)
		WIDTHS(GPR_R13, R13, R13D, R13W, R13B)
		WIDTHS(GPR_R14, R14, R14D, R14W, R14B)
		WIDTHS(GPR_R15, R15, R15D, R15W, R15B)
#undef WIDTHS
	default:
		return INSN_NO_REG;
	}
}

/* ah, bh, ch, dh are parts of a register too, but not its low byte. */
static uint8_t written_register(unsigned reg)
{
	switch (reg) {
	case X86_REG_AH:
		return GPR_RAX;
	case X86_REG_BH:
		return GPR_RBX;
	case X86_REG_CH:
		return GPR_RCX;
	case X86_REG_DH:
		return GPR_RDX;
	default:
		return general_register(reg);
	}
}

bool insn_is_emulated(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return false;
	if (bytes[0] == 0xe8 || bytes[0] == 0xe9 || bytes[0] == 0xeb)
		return true;
	if (bytes[0] >= 0x70 && bytes[0] <= 0x7f)
		return true;
	if (bytes[0] >= 0x50 && bytes[0] <= 0x57)
		return true;
	if (size < 2)
		return false;
	if (bytes[0] == 0x0f && bytes[1] >= 0x80 && bytes[1] <= 0x8f)
		return true;
	return bytes[0] == 0x41 && bytes[1] >= 0x50 && bytes[1] <= 0x57;
}

static void decode_flow(struct insn *out, const cs_insn *in)
{
	const cs_x86_op *op = in->detail->x86.op_count ? &in->detail->x86.operands[0] : NULL;
	bool direct = op && op->type == X86_OP_IMM;

	if (direct)
		out->target = (uint64_t)op->imm;
	switch (in->id) {
	case X86_INS_CALL:
		out->flow = direct ? FLOW_CALL : FLOW_CALL_INDIRECT;
		return;
	case X86_INS_JMP:
		out->flow = direct ? FLOW_JUMP : FLOW_JUMP_INDIRECT;
		return;
	case X86_INS_RET:
	case X86_INS_UD2:
	case X86_INS_HLT:
		out->flow = FLOW_RETURN;
		return;
	}
	if (in->id == X86_INS_LOOP || in->id == X86_INS_LOOPE || in->id == X86_INS_LOOPNE)
		out->flow = FLOW_BRANCH; /* libcapstone has them in no group */
	for (int i = 0; i < in->detail->groups_count; i++)
		if (in->detail->groups[i] == X86_GRP_JUMP)
			out->flow = FLOW_BRANCH;
	if (out->flow == FLOW_NEXT)
		out->target = 0;
}

static void decode_memory(struct insn *out, const cs_insn *in, const cs_x86_op *op, bool first)
{
	struct insn_memory *memory = &out->memory;

	memory->present = true;
	out->writes_memory |= in->id == X86_INS_XCHG ||
			      (first && in->id != X86_INS_CMP && in->id != X86_INS_TEST &&
			       in->id != X86_INS_LEA && in->id != X86_INS_NOP);
	memory->stored = first && in->id != X86_INS_CMP && in->id != X86_INS_TEST &&
			 in->id != X86_INS_LEA && out->flow == FLOW_NEXT;
	memory->indexed = op->mem.index != X86_REG_INVALID;
	memory->base = general_register((unsigned)op->mem.base);
	memory->size = in->id == X86_INS_LEA ? 0 : op->size;
	memory->disp = op->mem.disp;
	if (op->mem.base == X86_REG_RIP)
		memory->rip_target = in->address + in->size + (uint64_t)op->mem.disp;
	if (op->mem.segment != X86_REG_INVALID)
		memory->base = INSN_NO_REG;
}

/* mov and lea between registers, mov of an immediate or a register to memory. */
static void decode_move(struct insn *out, const cs_insn *in)
{
	const cs_x86 *x86 = &in->detail->x86;
	const cs_x86_op *to = &x86->operands[0], *from = &x86->operands[1];

	if (x86->op_count != 2)
		return;
	if (in->id == X86_INS_LEA && !out->memory.indexed && to->size == 8) {
		out->move_from = out->memory.base;
		out->move_to = general_register(to->reg);
		out->move_add = out->memory.disp;
		return;
	}
	if (in->id != X86_INS_MOV && in->id != X86_INS_MOVABS)
		return;
	out->is_move = true;
	if (to->type == X86_OP_REG && from->type == X86_OP_REG && to->size == 8) {
		out->move_from = general_register(from->reg);
		out->move_to = general_register(to->reg);
	} else if (to->type == X86_OP_MEM && from->type == X86_OP_IMM) {
		out->has_immediate = true;
		out->immediate = from->imm;
	} else if (to->type == X86_OP_MEM && from->type == X86_OP_REG) {
		out->value_reg = general_register(from->reg);
	} else if (to->type == X86_OP_REG && from->type == X86_OP_MEM && to->size == 8) {
		out->load_to = general_register(to->reg);
	}
}

/* Moves and additions of a constant, as far as the lowest byte sees them: on a little-endian machine
 * it is the same byte whatever the width, and no carry comes in from below. */
static void decode_low(struct insn *out, const cs_insn *in)
{
	const cs_x86_op *to = &in->detail->x86.operands[0], *from = &in->detail->x86.operands[1];
	unsigned count = in->detail->x86.op_count;

	if (count < 2 || to->type != X86_OP_REG || general_register(to->reg) == INSN_NO_REG)
		return;
	out->low_to = general_register(to->reg);
	switch (in->id) {
	case X86_INS_MOV:
	case X86_INS_MOVZX:
	case X86_INS_MOVSX:
	case X86_INS_MOVSXD:
		if (from->type == X86_OP_MEM) {
			out->low_kind = LOW_LOAD;
		} else if (from->type == X86_OP_REG && general_register(from->reg) != INSN_NO_REG) {
			out->low_kind = LOW_COPY;
			out->low_from = general_register(from->reg);
		}
		break;
	case X86_INS_LEA:
		if (!out->memory.indexed && out->memory.base != INSN_NO_REG) {
			out->low_kind = LOW_COPY;
			out->low_from = out->memory.base;
			out->low_add = (int8_t)out->memory.disp;
		}
		break;
	case X86_INS_ADD:
	case X86_INS_SUB:
		if (from->type == X86_OP_IMM) {
			out->low_kind = LOW_COPY;
			out->low_from = out->low_to;
			out->low_add = (int8_t)(in->id == X86_INS_ADD ? from->imm : -from->imm);
		}
		break;
	}
}

static void decode_constant(struct insn *out, const cs_insn *in)
{
	const cs_x86 *x86 = &in->detail->x86;

	if (x86->op_count == 2 && in->id == X86_INS_CMP && x86->operands[0].type == X86_OP_REG &&
	    x86->operands[1].type == X86_OP_IMM)
		out->compared = (uint64_t)x86->operands[1].imm;
	if ((in->id != X86_INS_SUB && in->id != X86_INS_ADD) || x86->op_count != 2 ||
	    x86->operands[0].type != X86_OP_REG || x86->operands[0].reg != X86_REG_RSP ||
	    x86->operands[1].type != X86_OP_IMM)
		return;
	out->stack_add = (int32_t)x86->operands[1].imm;
	if (in->id == X86_INS_SUB)
		out->stack_add = -out->stack_add;
}

/* Registers that libcapstone 4 does not list as written. */
static bool writes_more_than_told(unsigned id)
{
	switch (id) {
	case X86_INS_CMPXCHG:
	case X86_INS_CMPXCHG8B:
	case X86_INS_CMPXCHG16B:
	case X86_INS_SYSCALL:
	case X86_INS_XLATB:
	case X86_INS_ENTER:
	case X86_INS_CPUID:
	case X86_INS_RDTSC:
	case X86_INS_RDTSCP:
	case X86_INS_XGETBV:
		return true;
	}
	return false;
}

static bool writes_without_operand(unsigned id)
{
	switch (id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHF:
	case X86_INS_PUSHFQ:
	case X86_INS_MOVSB:
	case X86_INS_MOVSW:
	case X86_INS_MOVSQ:
	case X86_INS_STOSB:
	case X86_INS_STOSW:
	case X86_INS_STOSD:
	case X86_INS_STOSQ:
		return true;
	}
	return false;
}

/* 1 + the low four bits of the opcode, as the Intel manual numbers conditions; 0: no such jump. */
static uint8_t condition_of(const uint8_t *bytes, size_t size)
{
	if (size >= 2 && bytes[0] >= 0x70 && bytes[0] <= 0x7f)
		return (bytes[0] & 15) + 1;
	if (size >= 6 && bytes[0] == 0x0f && bytes[1] >= 0x80 && bytes[1] <= 0x8f)
		return (bytes[1] & 15) + 1;
	return 0;
}

static void decode_one(csh handle, struct insn *out, const cs_insn *in)
{
	cs_regs read, written;
	uint8_t read_count, written_count;

	memset(out, 0, sizeof(*out));
	out->address = in->address;
	out->size = (uint8_t)in->size;
	out->move_from = out->move_to = out->value_reg = INSN_NO_REG;
	out->load_to = out->low_to = out->low_from = INSN_NO_REG;
	out->memory.base = INSN_NO_REG;
	out->emulated = insn_is_emulated(in->bytes, in->size);
	decode_flow(out, in);
	out->condition = condition_of(in->bytes, in->size);
	out->writes_memory = writes_without_operand(in->id);
	for (int i = 0; i < in->detail->x86.op_count; i++)
		if (in->detail->x86.operands[i].type == X86_OP_MEM)
			decode_memory(out, in, &in->detail->x86.operands[i], i == 0);
	decode_move(out, in);
	decode_low(out, in);
	decode_constant(out, in);
	if (writes_more_than_told(in->id) ||
	    cs_regs_access(handle, in, read, &read_count, written, &written_count)) {
		out->written = 0xffff; /* not known: believe nothing after it */
		out->writes_memory = true;
		return;
	}
	for (int i = 0; i < written_count; i++) {
		uint8_t reg = written_register(written[i]);

		if (reg != INSN_NO_REG)
			out->written |= (uint16_t)(1u << reg);
	}
}

static int grow(struct insn_list *list, size_t *room)
{
	size_t wanted = *room ? *room * 2 : 256;
	struct insn *grown = realloc(list->at, wanted * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->at = grown;
	*room = wanted;
	return 0;
}

int insn_decode(const uint8_t *bytes, size_t size, uint64_t address, struct insn_list *out)
{
	size_t room = 0, left = size;
	int err = 0;
	cs_insn *insn;
	csh handle;

	memset(out, 0, sizeof(*out));
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	insn = cs_malloc(handle);
	while (insn && left) {
		if (!cs_disasm_iter(handle, &bytes, &left, &address, insn)) {
			bytes++; /* data in the text, or an instruction too new for libcapstone */
			left--;
			address++;
			continue;
		}
		if (out->count == room && (err = grow(out, &room)))
			break;
		decode_one(handle, &out->at[out->count++], insn);
	}
	if (!insn)
		err = -ENOMEM;
	else
		cs_free(insn, 1);
	cs_close(&handle);
	if (err)
		insn_list_free(out);
	return err;
}

void insn_list_free(struct insn_list *list)
{
	free(list->at);
	memset(list, 0, sizeof(*list));
}

void insn_text(const uint8_t *bytes, size_t size, uint64_t address, char *out, size_t room)
{
	cs_insn *insn;
	csh handle;

	snprintf(out, room, "?");
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return;
	cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	if (cs_disasm(handle, bytes, size, address, 1, &insn) == 1) {
		snprintf(out, room, "%s %s", insn->mnemonic, insn->op_str);
		cs_free(insn, 1);
	}
	cs_close(&handle);
}

long insn_find(const struct insn_list *list, uint64_t address)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->at[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->count && list->at[low].address == address ? (long)low : -1;
}
