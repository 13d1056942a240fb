/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_BPF_NATIVE_H
#define GENSCOPE_TESTS_BPF_NATIVE_H

#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * What the .bpf.h files get instead of the kernel: its types, and its helpers over memory of our own.
 * Maps are lists, the ring buffer keeps what was submitted, user memory is a set of regions outside
 * of which every read faults. Include it before the .bpf.h files, in one file only: they define the
 * maps.
 */

typedef __u8 u8;
typedef __s8 s8;
typedef __u16 u16;
typedef __s16 s16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;

#define SEC(name)
#define READ_ONLY           volatile
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name
#undef __always_inline
#undef __noinline
#define __always_inline inline __attribute__((always_inline))
#define __noinline      __attribute__((noinline))

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

/* arch/x86/include/asm/ptrace.h */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

typedef struct {
	int counter;
} atomic_t;

struct thread_struct {
	unsigned long fsbase;
};

struct signal_struct {
	atomic_t live;
};

struct task_struct {
	pid_t pid;
	pid_t tgid;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	u64 start_time;
	u64 self_exec_id;
	struct thread_struct thread;
	void *storage; /* ours: what bpf_task_storage_get() gave */
};

/* --- user memory ---------------------------------------------------------------------------------- */

#define REGIONS_MAX 512

struct region {
	u64 start, size;
	u8 *bytes;
	bool faulty; /* paged out: a program cannot read it */
};

struct kernel {
	struct region regions[REGIONS_MAX];
	size_t region_count;
	struct task_struct *current_task;
	u64 now;
	u32 cpu;
	/* the ring buffer */
	void **submitted;
	size_t submitted_count;
	u64 ring_capacity, ring_waiting;
	unsigned reserved; /* and neither submitted nor discarded yet */
	bool no_scratch;   /* no memory for large task storage */
};

static struct kernel kernel;

static inline struct region *region_of(u64 address, u64 size)
{
	for (size_t i = 0; i < kernel.region_count; i++) {
		struct region *region = &kernel.regions[i];

		if (address >= region->start && size <= region->size &&
		    address - region->start <= region->size - size)
			return region;
	}
	return NULL;
}

/* As the kernel's: on a fault the destination is zeroed. */
static inline long bpf_probe_read_user(void *out, u32 size, const void *from)
{
	struct region *region = region_of((u64)from, size);

	if (!size)
		return 0;
	if (!region || region->faulty) {
		memset(out, 0, size);
		return -EFAULT;
	}
	memcpy(out, region->bytes + ((u64)from - region->start), size);
	return 0;
}

static inline long bpf_probe_read_user_str(void *out, u32 size, const void *from)
{
	char *to = out;

	for (u32 i = 0; i < size; i++) {
		if (bpf_probe_read_user(to + i, 1, (const char *)from + i))
			return -EFAULT;
		if (!to[i])
			return i + 1;
	}
	to[size - 1] = 0;
	return size;
}

/* --- maps ----------------------------------------------------------------------------------------- */

#define ENTRIES_MAX 4096
#define MAPS_MAX    16

struct entry {
	u8 key[32];
	void *value;
};

struct map {
	const void *identity;
	bool is_array;
	u32 capacity;
	size_t count;
	struct entry entries[ENTRIES_MAX];
};

static struct map maps[MAPS_MAX];

static inline struct map *map_of(const void *identity, bool is_array, u32 capacity)
{
	struct map *map = maps;

	while (map->identity && map->identity != identity)
		if (++map == maps + MAPS_MAX)
			abort();
	if (!map->identity)
		*map = (struct map){ .identity = identity,
				     .is_array = is_array,
				     .capacity = capacity < ENTRIES_MAX ? capacity : ENTRIES_MAX };
	return map;
}

static inline struct entry *entry_of(struct map *map, const void *key, size_t key_size)
{
	for (size_t i = 0; i < map->count; i++)
		if (!memcmp(map->entries[i].key, key, key_size))
			return &map->entries[i];
	return NULL;
}

static inline long map_update(struct map *map, const void *key, size_t key_size, const void *value,
			      size_t value_size)
{
	struct entry *entry = entry_of(map, key, key_size);

	if (!entry) {
		if (map->count >= map->capacity)
			return -E2BIG;
		entry = &map->entries[map->count++];
		memcpy(entry->key, key, key_size);
		entry->value = malloc(value_size);
	}
	memcpy(entry->value, value, value_size);
	return 0;
}

static inline void *map_lookup(struct map *map, const void *key, size_t key_size, size_t value_size)
{
	struct entry *entry = entry_of(map, key, key_size);

	if (!entry && map->is_array) { /* every element of an array is there, as zeroes */
		void *zeroes = calloc(1, value_size);

		if (*(const u32 *)key < map->capacity)
			map_update(map, key, key_size, zeroes, value_size);
		free(zeroes);
		entry = entry_of(map, key, key_size);
	}
	return entry ? entry->value : NULL;
}

/* The value's memory is given back at once: whoever still uses it is found out. */
static inline long map_delete(struct map *map, const void *key, size_t key_size)
{
	struct entry *entry = entry_of(map, key, key_size);

	if (!entry || map->is_array)
		return -ENOENT;
	free(entry->value);
	*entry = map->entries[--map->count];
	return 0;
}

/* The attributes are the sizes of what the map's members point to. */
#define MAP_OF(map)                                                                                \
	map_of(map, sizeof(*(map)->type) / sizeof(int) == BPF_MAP_TYPE_ARRAY,                      \
	       sizeof(*(map)->max_entries) / sizeof(int))
#define KEY_SIZE(map)                 sizeof(*(map)->key)
#define VALUE_SIZE(map)               sizeof(*(map)->value)
#define bpf_map_lookup_elem(map, key) map_lookup(MAP_OF(map), key, KEY_SIZE(map), VALUE_SIZE(map))
#define bpf_map_update_elem(map, key, value, flags)                                                \
	map_update(MAP_OF(map), key, KEY_SIZE(map), value, VALUE_SIZE(map))
#define bpf_map_delete_elem(map, key) map_delete(MAP_OF(map), key, KEY_SIZE(map))

/* A small value stays with its task. A large one is scratch memory, good for one hit: it comes full of
 * nonsense each time. */
#define STORAGE_SMALL 4096
#define STORAGE_LARGE (32 * 1024)

static inline void *task_storage(struct task_struct *task, size_t size)
{
	static _Alignas(8) u8 scratch[STORAGE_LARGE];

	if (size <= STORAGE_SMALL)
		return task->storage ? task->storage : (task->storage = calloc(1, size));
	if (size > sizeof(scratch) || kernel.no_scratch)
		return NULL;
	return memset(scratch, 0xa5, size);
}

#define bpf_task_storage_get(map, task, value, flags) task_storage(task, VALUE_SIZE(map))

/* --- the ring buffer ------------------------------------------------------------------------------ */

struct reservation {
	u64 size;
	u8 data[];
};

static inline void *ring_reserve(u64 size)
{
	struct reservation *reservation;

	if (kernel.ring_waiting + size > kernel.ring_capacity)
		return NULL;
	reservation = malloc(sizeof(*reservation) + size);
	reservation->size = size;
	memset(reservation->data, 0xa5, size); /* the kernel does not clear it either */
	kernel.ring_waiting += size;
	kernel.reserved++;
	return reservation->data;
}

static inline void ring_submit(void *record)
{
	kernel.submitted =
		realloc(kernel.submitted, (kernel.submitted_count + 1) * sizeof(*kernel.submitted));
	kernel.submitted[kernel.submitted_count++] = record;
	kernel.reserved--;
}

static inline long ring_output(const void *bytes, u64 size)
{
	void *record = ring_reserve(size);

	if (!record)
		return -EAGAIN;
	memcpy(record, bytes, size);
	ring_submit(record);
	return 0;
}

static inline u64 record_size(const void *record)
{
	return ((const struct reservation *)((const char *)record -
					     offsetof(struct reservation, data)))
		->size;
}

static inline void record_free(void *record)
{
	free((char *)record - offsetof(struct reservation, data));
}

#define bpf_ringbuf_reserve(ring, size, flags) ((void)(ring), ring_reserve(size))
#define bpf_ringbuf_submit(record, flags)      ((void)(flags), ring_submit(record))
#define bpf_ringbuf_output(ring, bytes, size, flags)                                               \
	((void)(ring), (void)(flags), ring_output(bytes, size))
#define bpf_ringbuf_query(ring, what) ((void)(ring), kernel.ring_waiting)

/* --- the rest ------------------------------------------------------------------------------------- */

#define bpf_get_current_task_btf() kernel.current_task
#define bpf_get_smp_processor_id() kernel.cpu
#define bpf_ktime_get_ns()         kernel.now
/* The body takes none out. */
#define bpf_for_each_map_elem(which, body, context, flags)                                         \
	do {                                                                                       \
		struct map *map_ = MAP_OF(which);                                                  \
		for (size_t i_ = 0; i_ < map_->count; i_++)                                        \
			if (body(which, (void *)map_->entries[i_].key, map_->entries[i_].value,    \
				 context))                                                         \
				break;                                                             \
	} while (0)
#define bpf_loop(turns, body, context, flags)                                                      \
	do {                                                                                       \
		for (u32 turn_ = 0; turn_ < (turns) && !body(turn_, context); turn_++)             \
			;                                                                          \
	} while (0)

#endif
