// SPDX-License-Identifier: MIT
/*
 * The cache holds blocks of 64 KiB, each with a bit a page for what has been read. A first look at a
 * block reads the one page that is wanted, a second one the rest of it: walking a list through a heap is
 * mostly sequential, following a pointer somewhere is not, and a system call costs about as much as
 * copying four pages.
 */
#include "target/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "target/hash.h"

#define PAGE_BYTES  4096ull
#define BLOCK_PAGES 16
#define BLOCK_BYTES (PAGE_BYTES * BLOCK_PAGES)
#define WAYS        4 /* blocks that share a place in the table */
#define SETS_MIN    4

struct block {
	uint64_t number; /* address / BLOCK_BYTES */
	uint64_t used;   /* clock of the last use */
	uint16_t pages;  /* bit: that page has been read */
	uint8_t *bytes;  /* NULL: never used */
};

struct memory {
	/* a process */
	pid_t pid;
	struct block *blocks; /* sets of WAYS */
	size_t set_bits;
	uint64_t clock;
	struct block *last;
	struct memory_counts counts;
	/* pieces */
	struct memory_piece *pieces;
	size_t piece_count;
};

int memory_open_process(pid_t pid, size_t cache_bytes, struct memory **out)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	size_t sets = SETS_MIN;

	if (!memory)
		return -ENOMEM;
	memory->pid = pid;
	for (memory->set_bits = 2; sets * 2 * WAYS * BLOCK_BYTES <= cache_bytes; sets *= 2)
		memory->set_bits++;
	memory->blocks = calloc(sets * WAYS, sizeof(*memory->blocks));
	if (!memory->blocks) {
		free(memory);
		return -ENOMEM;
	}
	*out = memory;
	return 0;
}

int memory_open_pieces(const struct memory_piece *pieces, size_t count, struct memory **out)
{
	struct memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	if (count)
		memory->pieces = malloc(count * sizeof(*pieces));
	if (count && !memory->pieces) {
		free(memory);
		return -ENOMEM;
	}
	if (count)
		memcpy(memory->pieces, pieces, count * sizeof(*pieces));
	memory->piece_count = count;
	*out = memory;
	return 0;
}

void memory_close(struct memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; memory->blocks && i < (size_t)WAYS << memory->set_bits; i++)
		free(memory->blocks[i].bytes);
	free(memory->blocks);
	free(memory->pieces);
	free(memory);
}

/* The block of that number, made empty in the place of the one unused longest if it was not there. */
static struct block *find_block(struct memory *memory, uint64_t number)
{
	size_t set = hash_address(number) & (((size_t)1 << memory->set_bits) - 1);
	struct block *ways = &memory->blocks[set * WAYS], *victim = ways;

	if (memory->last && memory->last->number == number && memory->last->bytes)
		return memory->last;
	for (int i = 0; i < WAYS; i++) {
		if (ways[i].bytes && ways[i].number == number) {
			ways[i].used = ++memory->clock;
			return memory->last = &ways[i];
		}
		if (ways[i].used < victim->used)
			victim = &ways[i];
	}
	if (!victim->bytes)
		victim->bytes = malloc(BLOCK_BYTES);
	if (!victim->bytes)
		return NULL;
	victim->number = number;
	victim->pages = 0;
	victim->used = ++memory->clock;
	return memory->last = victim;
}

/* Reads pages [first, first + count) of a block; returns how many came, or -errno for none. */
static int read_pages(struct memory *memory, struct block *block, unsigned first, unsigned count)
{
	struct iovec local = { .iov_base = block->bytes + first * PAGE_BYTES,
			       .iov_len = count * PAGE_BYTES };
	struct iovec remote = { .iov_base =
					(void *)(block->number * BLOCK_BYTES + first * PAGE_BYTES),
				.iov_len = count * PAGE_BYTES };
	ssize_t got = process_vm_readv(memory->pid, &local, 1, &remote, 1, 0);
	unsigned pages;

	memory->counts.calls++;
	if (got < 0)
		return -errno;
	memory->counts.bytes += (uint64_t)got;
	pages = (unsigned)((uint64_t)got / PAGE_BYTES);
	block->pages |= (uint16_t)(((1u << pages) - 1) << first);
	return (int)pages;
}

/* Makes that page of the block valid. */
static int want_page(struct memory *memory, struct block *block, unsigned page)
{
	unsigned end = page + 1;
	int got;

	if (block->pages >> page & 1)
		return 0;
	if (block->pages)
		while (end < BLOCK_PAGES && !(block->pages >> end & 1))
			end++;
	got = read_pages(memory, block, page, end - page);
	if (got < 0)
		return got;
	return got ? 0 : -EFAULT;
}

static int read_process(struct memory *memory, uint64_t address, uint8_t *out, size_t size)
{
	while (size) {
		uint64_t at = address % BLOCK_BYTES;
		unsigned page = (unsigned)(at / PAGE_BYTES);
		size_t part = PAGE_BYTES - at % PAGE_BYTES;
		struct block *block = find_block(memory, address / BLOCK_BYTES);
		int err = block ? want_page(memory, block, page) : -ENOMEM;

		if (err)
			return err;
		if (part > size)
			part = size;
		memcpy(out, block->bytes + at, part);
		address += part;
		out += part;
		size -= part;
	}
	return 0;
}

static int read_pieces(const struct memory *memory, uint64_t address, uint8_t *out, size_t size)
{
	while (size) {
		const struct memory_piece *piece = NULL;
		size_t part = size;

		for (size_t i = 0; i < memory->piece_count && !piece; i++) {
			uint64_t ahead = memory->pieces[i].address - address;

			if (address - memory->pieces[i].address < memory->pieces[i].size)
				piece = &memory->pieces[i];
			else if (memory->pieces[i].size && ahead < part)
				part = ahead; /* from there on it comes before those behind it */
		}
		if (!piece)
			return -EFAULT;
		if (part > piece->size - (address - piece->address))
			part = piece->size - (address - piece->address);
		memcpy(out, (const uint8_t *)piece->bytes + (address - piece->address), part);
		address += part;
		out += part;
		size -= part;
	}
	return 0;
}

int memory_read(struct memory *memory, uint64_t address, void *out, size_t size)
{
	if (address + size < address)
		return -EFAULT;
	if (memory->blocks)
		return read_process(memory, address, out, size);
	return read_pieces(memory, address, out, size);
}

void memory_forget(struct memory *memory, uint64_t address, size_t size)
{
	uint64_t first = address / PAGE_BYTES, last = (address + size - 1) / PAGE_BYTES;

	if (!memory->blocks || !size)
		return;
	for (uint64_t page = first; page <= last; page++) {
		struct block *block = find_block(memory, page / BLOCK_PAGES);

		if (block)
			block->pages &= (uint16_t) ~(1u << page % BLOCK_PAGES);
	}
}

void memory_forget_all(struct memory *memory)
{
	for (size_t i = 0; memory->blocks && i < (size_t)WAYS << memory->set_bits; i++)
		memory->blocks[i].pages = 0;
}

struct memory_counts memory_counts(const struct memory *memory)
{
	return memory->counts;
}

uint64_t memory_u64(struct memory *memory, uint64_t address)
{
	uint64_t value = 0;

	return memory_read(memory, address, &value, sizeof(value)) ? 0 : value;
}

uint32_t memory_u32(struct memory *memory, uint64_t address)
{
	uint32_t value = 0;

	return memory_read(memory, address, &value, sizeof(value)) ? 0 : value;
}
