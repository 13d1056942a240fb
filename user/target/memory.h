/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_MEMORY_H
#define GENSCOPE_TARGET_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Memory to read from: that of another process, through a cache of its pages, or pieces of it that
 * somebody copied earlier. Who reads does not know which.
 */
struct memory;

struct memory_counts {
	uint64_t calls; /* process_vm_readv */
	uint64_t bytes; /* that it copied */
};

/* A running process, read through a cache of about cache_bytes; it may change at any time, so what is in
 * the cache is of different moments. -ENOMEM. */
int memory_open_process(pid_t pid, size_t cache_bytes, struct memory **out);

/* Pieces that lie elsewhere than they did: `bytes` holds what was at `address`. Borrowed, they must
 * outlive the handle; where they overlap the first one counts. -ENOMEM. */
struct memory_piece {
	uint64_t address;
	const void *bytes;
	size_t size;
};
int memory_open_pieces(const struct memory_piece *pieces, size_t count, struct memory **out);

void memory_close(struct memory *memory); /* NULL is fine */

/* Copies size bytes at address. All or nothing: -EFAULT when a part is not there; -ESRCH when the
 * process is gone, -EPERM when it may not be read. */
int memory_read(struct memory *memory, uint64_t address, void *out, size_t size);

/* Drops that range from the cache: it will be read anew. */
void memory_forget(struct memory *memory, uint64_t address, size_t size);
void memory_forget_all(struct memory *memory);

struct memory_counts memory_counts(const struct memory *memory);

/* Shorthands: 0 where it cannot be read. */
uint64_t memory_u64(struct memory *memory, uint64_t address);
uint32_t memory_u32(struct memory *memory, uint64_t address);

#endif
