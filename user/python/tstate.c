// SPDX-License-Identifier: MIT
#include "python/tstate.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <string.h>

#include "site.h"

#define GETTER_BYTES        48
#define GETTER_INSTRUCTIONS 8

static const char *const getters[] = {
	"PyThreadState_GetUnchecked",  /* 3.13 on */
	"_PyThreadState_GetCurrent",   /* 3.12 on */
	"_PyThreadState_UncheckedGet", /* to 3.12 */
};

struct getter {
	uint64_t slot;  /* the last rip-relative address loaded from, or taken */
	bool slot_read; /* loaded from: its content, not its address, is in the register */
	bool taken;     /* lea: the argument of __tls_get_addr */
	uint32_t access;
	uint64_t location;
};

static uint64_t rip_target(const cs_insn *insn, const cs_x86_op *op)
{
	return insn->address + insn->size + (uint64_t)op->mem.disp;
}

/* One `mov memory, register` of the getter; true when it yields the result. */
static bool follow_load(struct getter *getter, const cs_insn *insn, const cs_x86_op *memory)
{
	if (memory->mem.segment == X86_REG_FS && memory->mem.base == X86_REG_INVALID) {
		getter->access = TSTATE_FS;
		getter->location = (uint64_t)memory->mem.disp;
		return true;
	}
	if (memory->mem.segment == X86_REG_FS) { /* the offset came from the GOT */
		getter->access = getter->slot_read ? TSTATE_GOT : TSTATE_NONE;
		getter->location = getter->slot;
		return true;
	}
	if (memory->mem.base == X86_REG_RIP) {
		getter->slot = rip_target(insn, memory);
		getter->slot_read = true;
		return false;
	}
	return false;
}

/* 3.11 reads _PyRuntime.gilstate.tstate_current: directly, or through the GOT's pointer to _PyRuntime. */
static bool global_of(const struct elf_file *file, struct getter *getter, const cs_x86_op *last)
{
	uint64_t runtime;

	if (!getter->slot_read)
		return false;
	getter->access = TSTATE_GLOBAL;
	getter->location = getter->slot;
	if (!last)
		return true;
	if (elf_file_pointer(file, getter->slot, &runtime))
		return false;
	getter->location = runtime + (uint64_t)last->mem.disp;
	return true;
}

static int follow(const struct elf_file *file, const cs_insn *insns, size_t count,
		  struct getter *getter)
{
	const cs_x86_op *through = NULL;
	bool called = false;

	for (size_t i = 0; i < count; i++) {
		const cs_x86 *x86 = &insns[i].detail->x86;
		const cs_x86_op *source = x86->op_count == 2 ? &x86->operands[1] : NULL;

		if (insns[i].id == X86_INS_RET)
			break;
		if (insns[i].id == X86_INS_CALL && getter->taken)
			called = true;
		if (!source || source->type != X86_OP_MEM)
			continue;
		if (insns[i].id == X86_INS_LEA && source->mem.base == X86_REG_RIP) {
			getter->slot = rip_target(&insns[i], source);
			getter->taken = true;
		} else if (insns[i].id == X86_INS_MOV && called) {
			/* __tls_get_addr's result plus a displacement that is 0 for a slot of its own */
			getter->access = TSTATE_DTV;
			getter->location = getter->slot;
			return source->mem.disp ? -ENOTSUP : 0;
		} else if (insns[i].id == X86_INS_MOV) {
			if (source->mem.base != X86_REG_RIP && !source->mem.segment)
				through = source;
			if (follow_load(getter, &insns[i], source))
				return getter->access == TSTATE_NONE ? -ENOTSUP : 0;
		}
	}
	return global_of(file, getter, through) ? 0 : -ENOTSUP;
}

static int read_getter(const struct elf_file *file, uint64_t address, struct getter *getter)
{
	const uint8_t *bytes = elf_file_bytes(file, address, GETTER_BYTES);
	int err = -ENOTSUP;
	cs_insn *insns;
	size_t count;
	csh handle;

	if (!bytes)
		return -ENOENT;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return -ENOMEM;
	cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
	count = cs_disasm(handle, bytes, GETTER_BYTES, address, GETTER_INSTRUCTIONS, &insns);
	if (count) {
		err = follow(file, insns, count, getter);
		cs_free(insns, count);
	}
	cs_close(&handle);
	return err;
}

int tstate_find(const struct elf_file *file, uint32_t *access, uint64_t *location)
{
	*access = TSTATE_NONE;
	*location = 0;
	for (size_t i = 0; i < sizeof(getters) / sizeof(getters[0]); i++) {
		struct getter getter = {};
		uint64_t address;

		if (elf_file_symbol(file, getters[i], &address, NULL))
			continue;
		if (read_getter(file, address, &getter))
			continue;
		*access = getter.access;
		*location = getter.location;
		return 0;
	}
	return -ENOTSUP;
}
