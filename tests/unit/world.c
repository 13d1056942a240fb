/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <criterion/criterion.h>

#include "bpf_native.h"

/* The Makefile compiles the BPF object with this warning off, too. */
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "context.bpf.h"
#include "survey.bpf.h"
#include "transition.bpf.h"

#define SITE_ADDRESS 0x10000 /* of the first site, as linked */
#define SITE_BYTES   16
#define PAGE         4096
#define IDS_MAX      4096
#define CODES_SEEN   64
#define LINES_SEEN   16384

static struct world {
	enum placement placement;
	unsigned thread;
	struct task_struct leaders[THREADS_MAX], tasks[THREADS_MAX];
	u64 next_address;
	struct site sites[SITES_MAX];
	u32 site_count;
	size_t taken;      /* records */
	u32 seqs[IDS_MAX]; /* the last seen, by id */
	struct code_record codes[CODES_SEEN];
	u8 lines[CODES_SEEN][LINES_SEEN];
	u32 lines_bytes[CODES_SEEN];
	unsigned code_count;
	u32 codes_before, surveys;
	u64 contexts;  /* hits of USDT probes */
	u64 anomalies; /* expected */
} world;

static const u32 attachment = 7;

static void clear_kernel(void)
{
	for (size_t i = 0; i < kernel.region_count; i++)
		free(kernel.regions[i].bytes);
	for (size_t i = 0; i < kernel.submitted_count; i++)
		record_free(kernel.submitted[i]);
	free(kernel.submitted);
	for (struct map *map = maps; map < maps + MAPS_MAX; map++) {
		for (size_t i = 0; i < map->count; i++)
			free(map->entries[i].value);
		map->count = 0;
		map->identity = NULL;
	}
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		free(world.tasks[i].storage);
		world.tasks[i].storage = NULL;
	}
	memset(&kernel, 0, sizeof(kernel));
}

static void clear_bpf(void)
{
	memset((void *)&settings, 0, sizeof(settings));
	memset(counters, 0, sizeof(counters));
	memset(transition_counts, 0, sizeof(transition_counts));
	memset(site_hits, 0, sizeof(site_hits));
	memset(site_strangers, 0, sizeof(site_strangers));
	memset(site_anomalies, 0, sizeof(site_anomalies));
	memset(watched, 0, sizeof(watched));
	last_object_id = 0;
	last_code_id = 0;
}

static void map_memory(u64 address, u64 size);

void world_begin(const struct layout *layout, enum placement placement)
{
	static struct signal_struct alive = { { 1 } };
	struct image image = { .types = { 0, 0x1000, 0x2000, 0x3000 }, .layout = *layout };
	u32 zero = 0;

	clear_kernel();
	clear_bpf();
	memset(&world, 0, sizeof(world));
	map_memory(BASE, DATA_BYTES);
	world.placement = placement;
	world.next_address = 0x7f0000000000;
	kernel.now = 1000000;
	kernel.ring_capacity = RING_BYTES_DEFAULT;
	for (unsigned i = 0; i < THREADS_MAX; i++) {
		u32 pid = i == THREADS_MAX - 1 ? 2000 : 1000;

		world.leaders[i] = (struct task_struct){ .pid = (pid_t)pid,
							 .tgid = (pid_t)pid,
							 .start_time = 12345678 + pid,
							 .signal = &alive };
		world.tasks[i] = world.leaders[i];
		world.tasks[i].pid = (pid_t)(pid + i);
		world.tasks[i].group_leader = &world.leaders[i];
	}
	thread_choose(0);
	world_settings()->kinds =
		1u << KIND_GENERATOR | 1u << KIND_COROUTINE | 1u << KIND_ASYNC_GENERATOR;
	world_settings()->wake_bytes = 1 << 20;
	world_settings()->stream = 1;
	world_watch(true);
	bpf_map_update_elem(&images, &zero, &image, BPF_ANY);
}

/* --- memory --- */

static void map_memory(u64 address, u64 size)
{
	struct region *region = &kernel.regions[kernel.region_count++];

	cr_assert_leq(kernel.region_count, (size_t)REGIONS_MAX);
	*region = (struct region){ .start = address, .size = size, .bytes = calloc(1, size) };
}

uint64_t memory_new(uint64_t size)
{
	u64 address = world.next_address;

	map_memory(address, size);
	world.next_address += (size + PAGE - 1) / PAGE * PAGE + PAGE;
	return address;
}

static u8 *bytes_at(u64 address, u64 size)
{
	struct region *region = region_of(address, size);

	cr_assert(region, "the model touches 0x%llx", address);
	return region->bytes + (address - region->start);
}

void memory_put(uint64_t address, const void *bytes, uint64_t size)
{
	memcpy(bytes_at(address, size), bytes, size);
}

void memory_put64(uint64_t address, uint64_t value)
{
	memory_put(address, &value, sizeof(value));
}

uint64_t memory_get64(uint64_t address)
{
	uint64_t value;

	memcpy(&value, bytes_at(address, sizeof(value)), sizeof(value));
	return value;
}

uint8_t memory_get8(uint64_t address)
{
	return *bytes_at(address, 1);
}

void memory_fault(uint64_t address, bool faulty)
{
	region_of(address, 1)->faulty = faulty;
}

/* --- the thread that runs --- */

void thread_choose(unsigned index)
{
	world.thread = index;
	kernel.current_task = &world.tasks[index];
	kernel.cpu = index * 31; /* counters are per processor */
}

unsigned thread_current(void)
{
	return world.thread;
}

void thread_fs_base(uint64_t fs_base)
{
	kernel.current_task->thread.fsbase = fs_base;
}

void process_executes(void)
{
	kernel.current_task->self_exec_id++;
}

void time_passes(uint64_t ns)
{
	kernel.now += ns;
}

uint64_t world_now(void)
{
	return kernel.now;
}

/* --- hits --- */

struct image *world_image(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&images, &zero);
}

uint32_t site_index(const struct site *site)
{
	struct site fresh = *site;
	u32 index;

	for (index = 0; index < world.site_count; index++) {
		fresh.address = SITE_ADDRESS + index * SITE_BYTES;
		if (!memcmp(&world.sites[index], &fresh, sizeof(fresh)))
			return index;
	}
	fresh.address = SITE_ADDRESS + index * SITE_BYTES;
	world.sites[world.site_count++] = fresh;
	bpf_map_update_elem(&sites, &index, &fresh, BPF_ANY);
	return index;
}

uint64_t site_address(uint32_t index)
{
	return world.sites[index].address;
}

static void put_register(struct pt_regs *regs, u8 reg, u64 value)
{
	unsigned long *const places[GPR_COUNT] = {
		[GPR_RAX] = &regs->ax,  [GPR_RBX] = &regs->bx,  [GPR_RCX] = &regs->cx,
		[GPR_RDX] = &regs->dx,  [GPR_RSI] = &regs->si,  [GPR_RDI] = &regs->di,
		[GPR_RBP] = &regs->bp,  [GPR_RSP] = &regs->sp,  [GPR_R8] = &regs->r8,
		[GPR_R9] = &regs->r9,   [GPR_R10] = &regs->r10, [GPR_R11] = &regs->r11,
		[GPR_R12] = &regs->r12, [GPR_R13] = &regs->r13, [GPR_R14] = &regs->r14,
		[GPR_R15] = &regs->r15,
	};

	*places[reg] = value;
}

void site_hit_storing(uint32_t index, uint64_t value, uint64_t stack_pointer, uint8_t stored)
{
	const struct site *site = &world.sites[index];
	struct pt_regs regs;

	memset(&regs, 0x5a, sizeof(regs));
	regs.ip = BASE + site->address;
	put_register(&regs, site->value_reg, 0x1234567890abcd00 | stored);
	put_register(&regs, site->reg, value);
	regs.sp = stack_pointer;
	kernel.now += 1000;
	on_hit(&regs, COOKIE(attachment, index));
	cr_assert_eq(kernel.reserved, 0, "a record was reserved and not submitted");
}

void site_hit(uint32_t index, uint64_t value, uint64_t stack_pointer)
{
	site_hit_storing(index, value, stack_pointer, 0);
}

void store_hit(unsigned which, uint8_t role, uint8_t where, uint64_t gen, int value,
	       uint64_t stack_pointer)
{
	const struct layout *layout = &world_image()->layout;
	struct site site = { .role = role,
			     .where = where,
			     .via = 0,
			     .value_reg = GPR_RAX,
			     .stack = (u16)which, /* unused by stores: keeps functions apart */
			     .from = VALUE_MEMORY };
	u64 byte = gen + (role == SITE_RUNNING_ASYNC ? layout->gen_running_async :
						       layout->gen_frame_state);
	/* half of the sites go through the object, half through its frame */
	u64 shift = which & 1 ? layout->gen_iframe : 0;

	site.reg = (u8[]){ GPR_RBX, GPR_R12, GPR_RDI, GPR_R15, GPR_RSI, GPR_RBP }[which % 6];
	site.addend = -(s32)shift;
	if (world.placement != PLACED_AFTER)
		site.from = world.placement == PLACED_ON ? VALUE_CONSTANT : VALUE_REGISTER;
	if (world.placement == PLACED_ON)
		site.value = (s8)value;
	if (world.placement == PLACED_AFTER)
		memory_put(byte, &(s8){ (s8)value }, 1);
	site_hit_storing(site_index(&site), gen + shift, stack_pointer, (u8)value);
	if (world.placement != PLACED_AFTER)
		memory_put(byte, &(s8){ (s8)value }, 1);
}

void context_hit(uint32_t event, int64_t value, uint64_t name)
{
	kernel.now += 1000;
	world.contexts++;
	on_context(event, value, (const char *)name);
	cr_assert_eq(kernel.reserved, 0);
}

enum placement world_placement(void)
{
	return world.placement;
}

void world_place(enum placement placement)
{
	world.placement = placement;
}

/* --- switches --- */

struct settings *world_settings(void)
{
	return (struct settings *)&settings; /* volatile for the BPF side only */
}

void world_watch(bool on)
{
	watched[attachment] = !on ? WATCH_NOTHING : settings.steps ? WATCH_OUTERMOST : WATCH_ALL;
}

void world_objects_limit(uint32_t entries)
{
	MAP_OF(&objects)->capacity = entries;
}

void world_codes_limit(uint32_t entries)
{
	MAP_OF(&codes)->capacity = entries;
}

void world_codes_before(uint32_t count)
{
	last_code_id = world.codes_before = count;
}

void world_no_scratch(void)
{
	kernel.no_scratch = true;
}

void world_ring_limit(uint64_t bytes)
{
	kernel.ring_capacity = bytes;
}

void world_verdict(uint64_t code_address, uint32_t verdict)
{
	struct code_key key = { .process = process_identity(kernel.current_task),
				.address = code_address };
	struct code_entry *entry = bpf_map_lookup_elem(&codes, &key);

	cr_assert(entry, "that code is not known");
	entry->verdict = verdict;
}

struct object *world_object(uint64_t gen)
{
	struct object_key key = { .process = process_identity(kernel.current_task), .gen = gen };

	return bpf_map_lookup_elem(&objects, &key);
}

struct object *world_enter(uint64_t gen, const struct object *object)
{
	struct object_key key = { .process = process_identity(kernel.current_task), .gen = gen };

	bpf_map_update_elem(&objects, &key, object, BPF_ANY);
	return world_object(gen);
}

void world_survey(struct survey *survey)
{
	survey->now_ns = kernel.now;
	survey->number = ++world.surveys;
	survey_all(survey);
	cr_assert_eq(kernel.reserved, 0);
}

const struct survey_counts *world_counts(uint32_t code)
{
	static const struct survey_counts none;
	const struct survey_counts *counts = bpf_map_lookup_elem(&surveyed, &code);

	return counts && counts->number == world.surveys ? counts : &none;
}

/* --- what came out --- */

const struct distributions *world_distributions(uint32_t code)
{
	return bpf_map_lookup_elem(&distributions, &code);
}

const struct histogram *world_times(uint32_t code, enum metric metric)
{
	return &world_distributions(code)->metric[metric];
}

uint64_t world_transitions(uint32_t code)
{
	return transition_counts[code];
}

uint64_t world_count(enum statistic statistic)
{
	u64 sum = 0;

	for (size_t i = 0; i < COUNTER_SLOTS; i++)
		sum += counters[i].value[statistic];
	return sum;
}

static u32 code_slot(u32 code)
{
	cr_assert(code > world.codes_before && code <= last_code_id, "code %u was never given",
		  code);
	cr_assert_lt(code - world.codes_before, (u32)CODES_SEEN);
	return code - world.codes_before;
}

static void take_code(const struct code_record *record)
{
	world.codes[code_slot(record->code)] = *record;
	world.code_count++;
	cr_assert_eq(record->head.size, sizeof(*record));
}

static void take_lines(const struct lines_record *record)
{
	u32 code = code_slot(record->code);

	cr_assert_eq(world.codes[code].code, record->code, "lines came before their code");
	cr_assert_leq(record->offset + record->bytes, sizeof(world.lines[0]));
	memcpy(world.lines[code] + record->offset, record->data, record->bytes);
	if (record->offset == world.lines_bytes[code])
		world.lines_bytes[code] += record->bytes;
}

static void check_seq(const struct transition_record *record)
{
	u32 *last;

	if (record->head.flags & TRANSITION_CHAIN) /* of an earlier transition */
		return;
	cr_assert(record->id && record->id < IDS_MAX);
	last = &world.seqs[record->id];
	cr_assert_gt(record->seq, *last, "seq goes back");
	if (!world_count(STAT_FILTERED) && !world_count(STAT_LOST_RING))
		cr_assert_eq(record->seq, *last + 1, "seq %u comes after %u", record->seq, *last);
	*last = record->seq;
}

static void check_head(const struct record_head *head, u64 size)
{
	cr_assert_eq(head->size, size, "a record of %llu bytes says %u", size, head->size);
	cr_assert(head->pid == 1000 || head->pid == 2000);
	cr_assert_leq(head->ts_ns, kernel.now);
}

/* The next record of a type; codes and lines are kept on the way. */
static const void *take_record(u16 type)
{
	while (world.taken < kernel.submitted_count) {
		const struct record_head *head = kernel.submitted[world.taken++];

		check_head(head, record_size(head));
		kernel.ring_waiting -= head->size;
		if (head->type == RECORD_CODE)
			take_code((const void *)head);
		else if (head->type == RECORD_LINES)
			take_lines((const void *)head);
		else if (head->type == RECORD_TRANSITION)
			check_seq((const void *)head);
		if (head->type == type)
			return head;
	}
	return NULL;
}

const struct transition_record *take_transition(void)
{
	return take_record(RECORD_TRANSITION);
}

const struct captured_record *take_captured(uint16_t type)
{
	return take_record(type);
}

const struct context_record *take_context(void)
{
	return take_record(RECORD_CONTEXT);
}

const struct living_record *take_living(void)
{
	return take_record(RECORD_LIVING);
}

const char *told_qualname(uint32_t code)
{
	static char text[NAME_BYTES + 1];

	if (!code || !world.codes[code_slot(code)].code)
		return NULL;
	memcpy(text, world.codes[code_slot(code)].qualname, NAME_BYTES);
	text[world.codes[code_slot(code)].qualname_text.bytes] = 0;
	return text;
}

const struct code_record *told_code(uint32_t code)
{
	return &world.codes[code_slot(code)];
}

const uint8_t *told_lines(uint32_t code, uint32_t *bytes)
{
	*bytes = world.lines_bytes[code_slot(code)];
	return world.lines[code];
}

unsigned told_codes(void)
{
	return world.code_count;
}

void expect_anomalies(uint64_t count)
{
	world.anomalies = count;
}

void world_end(void)
{
	u64 outcomes = 0, by_site = 0;

	cr_assert_null(take_transition(), "a transition came that nobody expected");
	for (int i = STAT_EVENTS; i <= STAT_LOST_FAULT; i++)
		outcomes += world_count((enum statistic)i);
	for (size_t i = 0; i < SITES_MAX; i++)
		by_site += site_hits[i];
	cr_assert_eq(world_count(STAT_HITS), outcomes, "hits %lu, outcomes %llu",
		     (unsigned long)world_count(STAT_HITS), outcomes);
	cr_assert_eq(world_count(STAT_HITS), by_site + world.contexts);
	cr_assert_eq(world_count(STAT_ANOMALIES), world.anomalies, "%lu anomalies",
		     (unsigned long)world_count(STAT_ANOMALIES));
	clear_kernel();
}
