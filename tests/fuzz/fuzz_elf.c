/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "target/elf_file.h"

/*
 * Every function of elf_file.h over bytes that nobody vouches for; whatever a handle lends out is
 * read to its last byte, so that the sanitizers see a bound that is wrong. What must hold of any
 * input is checked with abort(), which both libFuzzer and the unit tests (they include this file)
 * report.
 */

static void touch(const void *bytes, size_t size)
{
	volatile uint8_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += ((const uint8_t *)bytes)[i];
	(void)sum;
}

static void touch_string(const char *string)
{
	if (string)
		touch(string, strlen(string) + 1);
}

static void try_address(const struct elf_file *file, uint64_t addr)
{
	uint64_t value, back;
	const uint8_t *bytes = elf_file_bytes(file, addr, 16);

	if (bytes)
		touch(bytes, 16);
	touch_string(elf_file_symbol_at(file, addr, &value));
	touch_string(elf_file_import_at(file, addr));
	(void)elf_file_pointer(file, addr, &value);
	(void)elf_file_is_code(file, addr);
	if (!elf_file_offset(file, addr, &value) && elf_file_vaddr(file, value, &back))
		abort();
	(void)elf_file_vaddr(file, addr, &value);
	(void)elf_file_bias(file, 0x7f0000000000, addr, &value);
}

static void try_functions(const struct elf_file *file)
{
	struct elf_function *functions;
	size_t count;

	if (elf_file_functions(file, &functions, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		uint64_t last = functions[i].addr + functions[i].size - 1;

		if (!functions[i].size || !elf_file_is_code(file, functions[i].addr) ||
		    !elf_file_is_code(file, last) ||
		    (i && functions[i].addr < functions[i - 1].addr))
			abort();
		if (i < 64)
			try_address(file, functions[i].addr);
	}
}

static void try_segments(const struct elf_file *file)
{
	struct elf_segment segments[8];
	int count = elf_file_code_segments(file, segments, 4);

	count += elf_file_data_segments(file, segments + count, 4);
	for (int i = 0; i < count; i++) {
		touch(segments[i].bytes, segments[i].size);
		try_address(file, segments[i].addr);
		try_address(file, segments[i].addr + segments[i].size - 8);
	}
}

static void try_usdt(const struct elf_file *file, const char *provider)
{
	struct elf_usdt *probes;
	size_t count;

	if (elf_file_usdt(file, provider, &probes, &count))
		return;
	for (size_t i = 0; i < count; i++) {
		touch_string(probes[i].provider);
		touch_string(probes[i].name);
		touch_string(probes[i].args);
		if (i < 64)
			try_address(file, probes[i].addr);
	}
	free(probes);
}

static void try_names(const struct elf_file *file)
{
	static const char *const names[] = { "", "main", "pointer", "callee", "_start", "nothing" };
	uint64_t addr, size;
	char hex[129];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!elf_file_symbol(file, names[i], &addr, &size))
			try_address(file, addr);
		(void)elf_file_has_bytes(file, names[i]);
	}
	if (!elf_file_build_id(file, hex, sizeof(hex)))
		touch_string(hex);
	(void)elf_file_build_id(file, hex, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const uint64_t corners[] = { 0,         1, 0x1000, 0x4000, 0x400000, UINT64_MAX - 7,
					    UINT64_MAX };
	struct elf_file *file;

	if (elf_file_open_memory(bytes, size, &file))
		return 0;
	(void)elf_file_is_pie(file);
	try_functions(file);
	try_segments(file);
	try_usdt(file, NULL);
	try_usdt(file, "genscope");
	try_names(file);
	for (size_t i = 0; i < sizeof(corners) / sizeof(*corners); i++)
		try_address(file, corners[i]);
	for (uint64_t addr = 0; addr < size && addr < 0x10000; addr += 64)
		try_address(file, addr);
	elf_file_close(file);
	return 0;
}
