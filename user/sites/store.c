// SPDX-License-Identifier: MIT
#include "sites/store.h"

#include <string.h>

#include "site.h"

#define COMPANY_REACH                 96 /* instructions before and after a store that are looked at */
#define INIT_REACH                    24
#define POINTER                       8
/* PyGenObject: gi_weakreflist, gi_name, gi_qualname, gi_exc_state { exc_value, previous_item } */
#define WEAKREFS_BEFORE_PREVIOUS_ITEM 0x20
#define HOOKS_BEFORE_RUNNING_ASYNC    2 /* ag_hooks_inited, ag_closed, ag_running_async */

#define OPCODE_MOV_IMM8  0xc6
#define OPCODE_MOV_IMM32 0xc7
#define OPCODE_MOV_REG8  0x88
#define MODRM_MOD(x)     ((x) >> 6)
#define MODRM_REG(x)     ((x) >> 3 & 7)
#define MODRM_RM(x)      ((x)&7)
#define RM_SIB           4
#define MOD_DISP8        1

static bool is_frame_state(const struct layout *layout, int64_t value)
{
	int8_t byte = (int8_t)value;

	return byte == layout->created || byte == layout->executing || byte == layout->completed ||
	       byte == layout->cleared ||
	       (byte >= layout->suspended_first && byte <= layout->suspended_last);
}

/* The displacement of a byte store, as it would reach the two fields through object or frame. */
static bool reaches(const struct layout *layout, int64_t disp, size_t size, int64_t *field)
{
	int64_t through_frame = disp + layout->gen_iframe;

	for (size_t i = 0; i < size; i++) {
		if (disp >= 0 && disp + (int64_t)i == layout->gen_frame_state) {
			*field = disp;
			return true;
		}
		if (disp < 0 && through_frame + (int64_t)i == layout->gen_frame_state) {
			*field = through_frame;
			return true;
		}
	}
	if (size == 1 && (disp == layout->gen_running_async ||
			  (disp < 0 && through_frame == layout->gen_running_async))) {
		*field = layout->gen_running_async;
		return true;
	}
	return false;
}

bool store_in_bytes(const struct layout *layout, const uint8_t *bytes, size_t size, bool *registers)
{
	bool found = false;
	int64_t field;

	*registers = false;
	for (size_t i = 0; i + 2 < size; i++) {
		uint8_t modrm = bytes[i + 1];
		size_t at;

		if (bytes[i] != OPCODE_MOV_IMM8 && bytes[i] != OPCODE_MOV_REG8 &&
		    bytes[i] != OPCODE_MOV_IMM32)
			continue;
		if (MODRM_MOD(modrm) != MOD_DISP8)
			continue; /* the displacements are small, so is their encoding */
		at = i + (MODRM_RM(modrm) == RM_SIB ? 3 : 2);
		if (at >= size || !reaches(layout, (int8_t)bytes[at],
					   bytes[i] == OPCODE_MOV_IMM32 ? 4 : 1, &field))
			continue;
		if (bytes[i] == OPCODE_MOV_REG8)
			*registers = true;
		else if (MODRM_REG(modrm) == 0)
			found = true;
	}
	return found;
}

static bool decode_constant(const struct layout *layout, const struct insn *insn, int64_t field,
			    struct store *out)
{
	uint64_t bytes = (uint64_t)insn->immediate;
	int64_t state_at = (int64_t)layout->gen_frame_state - field;
	int64_t async_at = (int64_t)layout->gen_running_async - field;

	out->constant = true;
	if (out->role == SITE_RUNNING_ASYNC) {
		out->value = (int8_t)bytes;
		return (uint8_t)bytes <= 1;
	}
	out->value = (int8_t)(bytes >> (8 * state_at));
	if (!is_frame_state(layout, out->value))
		return false;
	if (insn->memory.size == 1)
		return true;
	/* a wider store initialises the flags before it as well, or it is none of ours */
	if (async_at < 0 || async_at >= insn->memory.size ||
	    (bytes & ((1ull << (8 * state_at)) - 1)) || !out->value)
		return false;
	out->role = SITE_BOTH;
	return true;
}

bool store_decode(const struct layout *layout, const struct insn_list *list, size_t index,
		  struct store *out)
{
	const struct insn *insn = &list->at[index];
	const struct insn_memory *memory = &insn->memory;
	int64_t field;

	memset(out, 0, sizeof(*out));
	if (!insn->is_move || !memory->present || !memory->stored || memory->indexed)
		return false;
	if (memory->base == INSN_NO_REG || memory->base == GPR_RSP || memory->size > 4)
		return false;
	if (memory->disp < -layout->gen_iframe || memory->disp > layout->gen_frame_state ||
	    !reaches(layout, memory->disp, memory->size, &field))
		return false;
	out->index = index;
	out->base = memory->base;
	out->addend = (int32_t)(memory->disp - field);
	out->role = field == layout->gen_running_async && memory->size == 1 ? SITE_RUNNING_ASYNC :
									      SITE_FRAME_STATE;
	if (insn->has_immediate)
		return decode_constant(layout, insn, field, out);
	out->value_reg = insn->value_reg;
	return memory->size == 1 && insn->value_reg != INSN_NO_REG &&
	       out->role == SITE_FRAME_STATE; /* ag_running_async is only ever set to 0 or 1 */
}

static bool is_company(const struct layout *layout, const struct store *store,
		       const struct insn *insn)
{
	int64_t field = insn->memory.disp - store->addend;

	if (!insn->memory.present || insn->memory.indexed || insn->memory.base != store->base)
		return false;
	if (field == layout->gen_previous_item || field == layout->gen_previous_item - 8)
		return true; /* gi_exc_state */
	if (field == layout->gen_iframe && insn->memory.size == 0)
		return true; /* lea of the frame */
	if (field == layout->gen_frame_state && !insn->memory.stored)
		return true;
	return field == layout->gen_running_async && !insn->memory.stored;
}

bool store_has_company(const struct layout *layout, const struct insn_list *list,
		       const struct store *store)
{
	size_t first = store->index > COMPANY_REACH ? store->index - COMPANY_REACH : 0;
	size_t last = store->index + COMPANY_REACH;

	for (size_t i = first; i < list->count && i < last; i++)
		if (i != store->index && is_company(layout, store, &list->at[i]))
			return true;
	return false;
}

bool store_is_initialisation(const struct layout *layout, const struct insn_list *list,
			     const struct store *store)
{
	size_t first = store->index > INIT_REACH ? store->index - INIT_REACH : 0;
	int64_t weakrefs = layout->gen_previous_item - WEAKREFS_BEFORE_PREVIOUS_ITEM;
	int64_t hooks = layout->gen_running_async - HOOKS_BEFORE_RUNNING_ASYNC;

	if (!store->constant)
		return false;
	if (store->role == SITE_RUNNING_ASYNC ? store->value != 0 : store->value != layout->cleared)
		return false;
	for (size_t i = first; i < list->count && i < store->index + INIT_REACH; i++) {
		const struct insn_memory *memory = &list->at[i].memory;
		int64_t field = memory->disp - store->addend;

		if (!memory->present || !memory->stored || memory->base != store->base ||
		    memory->indexed)
			continue;
		if (store->role == SITE_RUNNING_ASYNC ? field == hooks : field == weakrefs)
			return true;
	}
	return false;
}

static bool overlaps(int64_t a, int64_t a_size, int64_t b, int64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* Told by the displacement alone, through whichever register but that of the stack: the object's fields
 * and those of its frame, and what of the thread says who resumes it. */
bool store_is_disturbed(const struct layout *layout, const struct store *store,
			const struct insn *insn)
{
	int64_t frame = layout->gen_iframe, state = layout->gen_running_async;
	bool suspends = !store->constant || (store->value >= layout->suspended_first &&
					     store->value <= layout->suspended_last);
	bool frame_only = store->role == SITE_RUNNING_ASYNC || suspends;
	bool ends = !frame_only && store->value != layout->executing;
	int64_t size = insn->memory.size ? insn->memory.size : 64;
	bool narrow = size <= 4; /* no wider store reaches the state from there: reaches() */
	const struct {
		int64_t at, size;
		bool minded;
	} fields[] = {
		{ state, 2, true },
		{ state - frame, 2, narrow || size > POINTER },
		{ layout->frame_instr, POINTER, true },
		{ layout->frame_instr + frame, POINTER, true },
		{ layout->gen_previous_item, POINTER, store->role != SITE_RUNNING_ASYNC },
		{ layout->gen_previous_item - frame, POINTER, store->role != SITE_RUNNING_ASYNC },
		{ layout->frame_previous, POINTER, !frame_only },
		{ layout->frame_previous + frame, POINTER, !frame_only },
		{ layout->current_frame, POINTER, !frame_only },
		{ layout->tstate_exception, POINTER, !frame_only },
	};

	if (!insn->writes_memory || !insn->memory.present || insn->memory.indexed ||
	    insn->memory.base == GPR_RSP)
		return false;
	if (ends)
		return true; /* what is made or taken apart around it decides what the end means */
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (fields[i].minded &&
		    overlaps(insn->memory.disp, size, fields[i].at, fields[i].size))
			return true;
	return false;
}
