/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/memory.h"

#define PAGE       4096ull
#define BLOCK      65536ull /* that the cache reads at most at once */
#define CACHE_SIZE (1 << 20)

/* A byte that tells where it is. */
static uint8_t mark(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 8) * 17 + (at >> 16));
}

/* Aligned to a block, each byte marked by its offset. */
static uint8_t *region_new(size_t size)
{
	uint8_t *room = mmap(NULL, size + BLOCK, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *region;

	cr_assert_neq(room, MAP_FAILED);
	region = (uint8_t *)(((uint64_t)room + BLOCK - 1) / BLOCK * BLOCK);
	for (size_t i = 0; i < size; i++)
		region[i] = mark(i);
	return region;
}

static struct memory *open_self(size_t cache_bytes)
{
	struct memory *memory;

	cr_assert_eq(memory_open_process(getpid(), cache_bytes, &memory), 0);
	return memory;
}

static void expect_marks(struct memory *memory, const uint8_t *region, uint64_t at, size_t size)
{
	uint8_t *got = malloc(size + 1);

	memset(got, 0xee, size + 1);
	cr_assert_eq(memory_read(memory, (uint64_t)region + at, got, size), 0, "%zu bytes at %llx",
		     size, (unsigned long long)at);
	for (size_t i = 0; i < size; i++)
		cr_assert_eq(got[i], mark(at + i), "byte %zu of %zu at %llx", i, size,
			     (unsigned long long)at);
	cr_assert_eq(got[size], 0xee);
	free(got);
}

Test(memory, reads_ranges_that_begin_and_end_anywhere)
{
	static const uint64_t edges[] = { 0, PAGE, 5 * PAGE, BLOCK, BLOCK + PAGE, 3 * BLOCK };
	static const size_t sizes[] = { 1, 8, PAGE, PAGE + 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7 };
	uint8_t *region = region_new(8 * BLOCK);

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			struct memory *memory = open_self(CACHE_SIZE);

			expect_marks(memory, region, edges[i], sizes[j]);
			expect_marks(memory, region, edges[i] + 3, sizes[j]);
			if (edges[i])
				expect_marks(memory, region, edges[i] - 1, sizes[j]);
			memory_close(memory);
		}
	}
}

Test(memory, reads_nothing_where_nothing_is_asked)
{
	struct memory *memory = open_self(CACHE_SIZE);

	cr_assert_eq(memory_read(memory, 0, NULL, 0), 0);
	cr_assert_eq(memory_counts(memory).calls, 0);
	memory_close(memory);
}

/* A page is missing in the middle of a block: those around it are there, whichever is read first. */
Test(memory, finds_the_pages_around_a_hole)
{
	for (unsigned int hole = 0; hole < 16; hole++) {
		uint8_t *region = region_new(BLOCK);

		cr_assert_eq(munmap(region + hole * PAGE, PAGE), 0);
		for (unsigned int first = 0; first < 16; first++) {
			struct memory *memory = open_self(CACHE_SIZE);
			uint8_t byte;

			for (unsigned int i = 0; i < 32; i++) {
				unsigned int page = (first + i * 5) % 16;

				if (page != hole)
					expect_marks(memory, region, page * PAGE + 100, 200);
				else
					cr_assert_eq(memory_read(memory,
								 (uint64_t)region + page * PAGE + 9,
								 &byte, 1),
						     -EFAULT);
			}
			memory_close(memory);
		}
	}
}

Test(memory, reads_all_or_nothing)
{
	uint8_t *region = region_new(4 * BLOCK), byte[2 * PAGE];
	struct memory *memory = open_self(CACHE_SIZE);

	cr_assert_eq(munmap(region + 2 * BLOCK, PAGE), 0);
	expect_marks(memory, region, 2 * BLOCK - 8, 8);
	cr_assert_eq(memory_read(memory, (uint64_t)region + 2 * BLOCK - 8, byte, 9), -EFAULT);
	cr_assert_eq(memory_read(memory, (uint64_t)region + 2 * BLOCK - 8, byte, 2 * PAGE),
		     -EFAULT);
	expect_marks(memory, region, 2 * BLOCK + PAGE, 8);
	cr_assert_eq(memory_read(memory, (uint64_t)region + 2 * BLOCK + PAGE - 1, byte, 2),
		     -EFAULT);
	cr_assert_eq(memory_u64(memory, (uint64_t)region + 2 * BLOCK - 4), 0);
	cr_assert_eq(memory_u32(memory, (uint64_t)region + 2 * BLOCK - 2), 0);
	memory_close(memory);
}

Test(memory, has_shorthands_for_words)
{
	uint64_t words[2] = { 0x1122334455667788, 0x99aabbccddeeff00 };
	struct memory *memory = open_self(CACHE_SIZE);

	cr_assert_eq(memory_u64(memory, (uint64_t)words), 0x1122334455667788);
	cr_assert_eq(memory_u64(memory, (uint64_t)words + 4), 0xddeeff0011223344);
	cr_assert_eq(memory_u32(memory, (uint64_t)words + 6), 0xff001122);
	cr_assert_eq(memory_u64(memory, 0), 0);
	memory_close(memory);
}

Test(memory, is_what_it_was_until_it_is_forgotten)
{
	uint8_t *region = region_new(2 * BLOCK);
	struct memory *memory = open_self(CACHE_SIZE);
	uint64_t at = (uint64_t)region;
	uint8_t byte;

	expect_marks(memory, region, 0, 2 * BLOCK);
	for (size_t i = 0; i < 2 * BLOCK; i += PAGE)
		region[i] = (uint8_t)~mark(i);
	expect_marks(memory, region, 0, 2 * BLOCK);
	memory_forget(memory, at + PAGE, 1);
	cr_assert_eq(memory_read(memory, at + PAGE, &byte, 1), 0);
	cr_assert_eq(byte, (uint8_t)~mark(PAGE));
	expect_marks(memory, region, 0, PAGE);
	expect_marks(memory, region, 2 * PAGE, 2 * BLOCK - 2 * PAGE);
	memory_forget(memory, at + BLOCK - 1, 2); /* two pages, of two blocks */
	for (uint64_t page = BLOCK / PAGE - 2; page <= BLOCK / PAGE + 1; page++) {
		bool fresh = page == BLOCK / PAGE - 1 || page == BLOCK / PAGE;

		cr_assert_eq(memory_read(memory, at + page * PAGE, &byte, 1), 0);
		cr_assert_eq(byte, fresh ? (uint8_t)~mark(page * PAGE) : mark(page * PAGE));
	}
	memory_forget_all(memory);
	for (size_t i = 0; i < 2 * BLOCK; i += PAGE) {
		cr_assert_eq(memory_read(memory, at + i, &byte, 1), 0);
		cr_assert_eq(byte, (uint8_t)~mark(i));
	}
	memory_close(memory);
}

Test(memory, forgets_what_it_does_not_have)
{
	uint8_t *region = region_new(BLOCK);
	struct memory *memory = open_self(CACHE_SIZE);

	memory_forget(memory, (uint64_t)region, 0);
	memory_forget(memory, (uint64_t)region, BLOCK);
	memory_forget(memory, UINT64_MAX - 7, 8);
	memory_forget(memory, UINT64_MAX, 1);
	memory_forget(memory, 0, 1);
	expect_marks(memory, region, 0, BLOCK);
	memory_close(memory);
}

/* What is not there any more is not there after it was forgotten; what was not there may come. */
Test(memory, sees_pages_come_and_go)
{
	uint8_t *region = region_new(BLOCK), byte;
	struct memory *memory = open_self(CACHE_SIZE);

	cr_assert_eq(mprotect(region + PAGE, PAGE, PROT_NONE), 0);
	cr_assert_eq(memory_read(memory, (uint64_t)region + PAGE, &byte, 1), -EFAULT);
	cr_assert_eq(mprotect(region + PAGE, PAGE, PROT_READ), 0);
	expect_marks(memory, region, PAGE, PAGE);
	cr_assert_eq(mprotect(region + PAGE, PAGE, PROT_NONE), 0);
	memory_forget(memory, (uint64_t)region + PAGE, 8);
	cr_assert_eq(memory_read(memory, (uint64_t)region + PAGE, &byte, 1), -EFAULT);
	memory_close(memory);
}

/* Memory far larger than the cache, read here and there. */
Test(memory, answers_right_however_small_the_cache_is)
{
	static const size_t caches[] = { 0, 1, BLOCK, CACHE_SIZE, 8 * CACHE_SIZE };
	const size_t size = 64 * BLOCK;
	uint8_t *region = region_new(size);

	for (size_t i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		struct memory *memory = open_self(caches[i]);
		unsigned int seed = 7;

		for (int n = 0; n < 20000; n++) {
			size_t length = (size_t)rand_r(&seed) % 300 + 1;
			uint64_t at = (uint64_t)rand_r(&seed) % (size - 3 * PAGE);

			if (n % 100 == 0)
				length += 2 * PAGE;
			if (n % 1000 == 0)
				memory_forget(memory, (uint64_t)region + at, length);
			expect_marks(memory, region, at, length);
		}
		memory_close(memory);
	}
}

/* Blocks that compete for the same place: their numbers differ by many powers of two. */
Test(memory, keeps_distant_blocks_apart)
{
	struct memory *memory = open_self(0);
	uint64_t *at[64];

	for (int i = 0; i < 64; i++) {
		at[i] = mmap((void *)(0x100000000000 + ((uint64_t)i << (16 + i % 24))), PAGE,
			     PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		cr_assert_neq(at[i], MAP_FAILED);
		*at[i] = (uint64_t)i + 1;
	}
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 64; i++)
			cr_assert_eq(memory_u64(memory, (uint64_t)at[i]), (uint64_t)i + 1);
	memory_close(memory);
}

Test(memory, reads_a_walk_in_few_calls)
{
	const size_t size = 16 * BLOCK;
	uint8_t *region = region_new(size);
	struct memory *memory = open_self(2 * size);

	for (uint64_t at = 0; at < size; at += 64)
		expect_marks(memory, region, at, 32);
	cr_expect_leq(memory_counts(memory).calls, 2 * size / BLOCK);
	cr_expect_eq(memory_counts(memory).bytes, size);
	memory_close(memory);
}

Test(memory, refuses_ranges_that_no_address_space_has)
{
	static const uint64_t addresses[] = { UINT64_MAX,         UINT64_MAX - 7,     1ull << 63,
					      0x0000800000000000, 0xffff800000000000, 0,
					      0x0000900000000008 };
	struct memory *memory = open_self(CACHE_SIZE);
	uint8_t bytes[64];

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		for (size_t size = 1; size <= sizeof(bytes); size *= 2)
			cr_assert_eq(memory_read(memory, addresses[i], bytes, size), -EFAULT,
				     "%zu bytes at %llx", size, (unsigned long long)addresses[i]);
	cr_assert_eq(memory_read(memory, 8, bytes, SIZE_MAX), -EFAULT);
	cr_assert_eq(memory_read(memory, 8, bytes, SIZE_MAX - 7), -EFAULT);
	memory_close(memory);
}

Test(memory, reads_another_process_until_it_is_gone)
{
	uint8_t *region = region_new(BLOCK);
	struct memory *memory;
	pid_t child = fork();
	siginfo_t info;
	uint8_t byte;

	if (!child)
		for (;;)
			pause();
	cr_assert_eq(memory_open_process(child, CACHE_SIZE, &memory), 0);
	region[0] ^= 0xff; /* ours, not the child's */
	expect_marks(memory, region, 0, PAGE);
	kill(child, SIGKILL);
	cr_assert_eq(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	cr_expect_eq(memory_read(memory, (uint64_t)region + 2 * PAGE, &byte, 1), -ESRCH, "zombie");
	cr_assert_eq(waitpid(child, NULL, 0), child);
	memory_forget_all(memory);
	cr_expect_eq(memory_read(memory, (uint64_t)region, &byte, 1), -ESRCH, "reaped");
	memory_close(memory);
}

Test(memory, closes_what_was_never_opened)
{
	memory_close(NULL);
}

/* --- pieces --- */

static void expect_text(struct memory *memory, uint64_t address, const char *text)
{
	char got[64] = "";

	cr_assert_eq(memory_read(memory, address, got, strlen(text)), 0, "%s", text);
	cr_assert_str_eq(got, text);
}

Test(pieces, join_where_they_meet)
{
	const struct memory_piece pieces[] = { { 0x2004, "efgh", 4 },
					       { 0x2000, "abcd", 4 },
					       { 0x2008, "i", 1 },
					       { 0x3000, "far", 3 } };
	struct memory *memory;
	char bytes[16];

	cr_assert_eq(memory_open_pieces(pieces, 4, &memory), 0);
	expect_text(memory, 0x2000, "abcdefghi");
	expect_text(memory, 0x2003, "def");
	expect_text(memory, 0x2008, "i");
	expect_text(memory, 0x3000, "far");
	cr_assert_eq(memory_read(memory, 0x2000, bytes, 10), -EFAULT);
	cr_assert_eq(memory_read(memory, 0x1fff, bytes, 2), -EFAULT);
	cr_assert_eq(memory_read(memory, 0x2009, bytes, 1), -EFAULT);
	cr_assert_eq(memory_read(memory, 0x3003, bytes, 1), -EFAULT);
	cr_assert_eq(memory_read(memory, 0x3000, bytes, 0), 0);
	cr_assert_eq(memory_counts(memory).calls, 0);
	memory_forget(memory, 0x2000, 4);
	memory_forget_all(memory);
	expect_text(memory, 0x2000, "abcd");
	memory_close(memory);
}

Test(pieces, that_come_first_count_where_they_overlap)
{
	const struct memory_piece pieces[] = { { 0x2002, "CDE", 3 },
					       { 0x2000, "abcdefgh", 8 },
					       { 0x2006, "0123", 4 } };
	struct memory *memory;

	cr_assert_eq(memory_open_pieces(pieces, 3, &memory), 0);
	expect_text(memory, 0x2002, "CDEfgh");
	expect_text(memory, 0x2006, "gh23");
	expect_text(memory, 0x2000, "ab");
	expect_text(memory, 0x2000, "abCDEfgh23"); /* into a piece that comes before */
	memory_close(memory);
}

Test(pieces, at_the_end_of_all_addresses)
{
	const struct memory_piece pieces[] = { { UINT64_MAX - 3, "abcd", 4 }, { 0, "efgh", 4 } };
	struct memory *memory;
	char bytes[8];

	cr_assert_eq(memory_open_pieces(pieces, 2, &memory), 0);
	expect_text(memory, UINT64_MAX - 3, "abc");
	expect_text(memory, 0, "efgh");
	cr_assert_eq(memory_read(memory, UINT64_MAX - 3, bytes, 8), -EFAULT);
	memory_close(memory);
}

Test(pieces, may_be_none)
{
	const struct memory_piece empty = { 0x2000, "", 0 };
	struct memory *memory;
	char byte;

	cr_assert_eq(memory_open_pieces(NULL, 0, &memory), 0);
	cr_assert_eq(memory_read(memory, 0x2000, &byte, 1), -EFAULT);
	memory_close(memory);
	cr_assert_eq(memory_open_pieces(&empty, 1, &memory), 0);
	cr_assert_eq(memory_read(memory, 0x2000, &byte, 1), -EFAULT);
	memory_close(memory);
}
