/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <link.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include "target/elf_file.h"
#include "target/maps.h"

/* The fuzzer's walk over every function serves here too, over bytes chosen by the test. */
#define LLVMFuzzerTestOneInput try_everything
#include "../fuzz/fuzz_elf.c"

/*
 * The truth comes from outside: from what the test's own small program says of itself, and from
 * what nm and readelf say of that program and of a real interpreter.
 */

#define PYTHON "/usr/bin/python3.11"

static const char source[] = "#include <stdio.h>\n"
			     "static int hidden(int x) { return x + 1; }\n"
			     "int callee(int x) { puts(\"a needle\"); return hidden(x); }\n"
			     "int (*pointer)(int) = callee;\n"
			     "int (*table[])(int) = {hidden, callee, hidden};\n"
			     "int (*import)(const char *) = puts;\n"
			     "const void *inside[2] = {0, (char *)&pointer + 4};\n"
			     "unsigned short counter = 1;\n"
			     "int main(int argc, char **argv)\n"
			     "{\n"
			     "	(void)argv;\n"
			     "	__asm__ volatile(\"990: nop\\n.pushsection "
			     ".note.stapsdt,\\\"\\\",\\\"note\\\"\\n\"\n"
			     "	\".balign 4\\n.4byte 992f-991f, 994f-993f, 3\\n\"\n"
			     "	\"991: .asciz \\\"stapsdt\\\"\\n992: .balign 4\\n993: .8byte 990b, "
			     "0, counter\\n\"\n"
			     "	\".asciz \\\"genscope\\\"\\n.asciz \\\"hello\\\"\\n.asciz "
			     "\\\"-4@%eax 8@%rdi\\\"\\n\"\n"
			     "	\"994: .balign 4\\n.popsection\\n\");\n"
			     "	return pointer(argc) + import(\"\") + !inside[1] + table[0](1);\n"
			     "}\n";

struct program {
	char directory[64];
	char path[96];
	struct elf_file *file;
};

/* In CI nothing may be skipped. */
static void skip(const char *why)
{
	cr_assert_null(getenv("CI"), "%s", why);
	cr_skip_test("%s", why);
}

static void need(const char *path)
{
	char why[128];

	snprintf(why, sizeof(why), "%s is missing", path);
	if (access(path, R_OK))
		skip(why);
}

/* Starts a shell command and returns its output ("r") or its input ("w"). */
__attribute__((format(printf, 2, 3))) static FILE *shell(const char *mode, const char *format, ...)
{
	char command[512];
	va_list args;
	FILE *stream;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	stream = popen(command, mode);
	cr_assert_not_null(stream);
	return stream;
}

static void build(struct program *program, const char *flags)
{
	FILE *compiler;

	need("/usr/bin/gcc");
	strcpy(program->directory, "/tmp/genscope-elf-XXXXXX");
	cr_assert_not_null(mkdtemp(program->directory));
	snprintf(program->path, sizeof(program->path), "%s/program", program->directory);
	compiler = shell("w", "gcc -O1 -fno-inline -Wl,--build-id %s -x c - -o %s", flags,
			 program->path);
	fputs(source, compiler);
	cr_assert_eq(pclose(compiler), 0, "gcc %s failed", flags);
	cr_assert_eq(elf_file_open(program->path, &program->file), 0);
}

static void discard(struct program *program)
{
	elf_file_close(program->file);
	unlink(program->path);
	rmdir(program->directory);
}

static uint8_t *read_bytes(const char *path, size_t *size)
{
	FILE *stream = fopen(path, "rb");
	struct stat status;
	uint8_t *bytes;

	cr_assert(stream && !fstat(fileno(stream), &status));
	*size = status.st_size;
	bytes = malloc(*size);
	cr_assert_eq(fread(bytes, 1, *size, stream), *size);
	fclose(stream);
	return bytes;
}

static uint64_t symbol(const struct elf_file *file, const char *name)
{
	uint64_t addr = 0;

	cr_assert_eq(elf_file_symbol(file, name, &addr, NULL), 0, "%s", name);
	return addr;
}

static uint64_t pointer_at(const struct elf_file *file, uint64_t vaddr)
{
	uint64_t value = 0;

	cr_assert_eq(elf_file_pointer(file, vaddr, &value), 0, "%lx", vaddr);
	return value;
}

Test(elf, refuses_what_is_no_elf)
{
	static const char text[128] = "#!/bin/sh\n";
	struct elf_file *file = NULL;

	cr_assert_eq(elf_file_open("/nowhere/at/all", &file), -ENOENT);
	cr_assert_eq(elf_file_open("/tmp", &file), -ENOEXEC);
	cr_assert_eq(elf_file_open("/dev/zero", &file), -ENOEXEC);
	cr_assert_eq(elf_file_open("/proc/self/stat", &file), -ENOEXEC);
	cr_assert_eq(elf_file_open_memory(text, sizeof(text), &file), -ENOEXEC);
	cr_assert_eq(elf_file_open_memory("", 0, &file), -ENOEXEC);
	elf_file_close(NULL);
}

Test(elf, refuses_another_class_machine_or_byte_order)
{
	static const size_t places[] = { 4, 5, 18 };
	struct elf_file *file = NULL;
	struct program program;
	uint8_t *bytes;
	size_t size;

	build(&program, "");
	bytes = read_bytes(program.path, &size);
	for (size_t i = 0; i < 3; i++) {
		bytes[places[i]] ^= 3;
		cr_assert_eq(elf_file_open_memory(bytes, size, &file), -ENOEXEC);
		bytes[places[i]] ^= 3;
	}
	cr_assert_eq(elf_file_open_memory(bytes, size, &file), 0);
	elf_file_close(file);
	free(bytes);
	discard(&program);
}

/* What the source above says must be read back, however it was linked. */
static void check_program(const struct elf_file *file, bool pie)
{
	uint64_t callee = symbol(file, "callee"), table = symbol(file, "table");
	uint64_t hidden = symbol(file, "hidden"), value, size;

	cr_assert_eq(elf_file_is_pie(file), pie);
	cr_assert_eq(pointer_at(file, symbol(file, "pointer")), callee);
	cr_assert_eq(pointer_at(file, table), hidden);
	cr_assert_eq(pointer_at(file, table + 8), callee);
	cr_assert_eq(pointer_at(file, table + 16), hidden);
	cr_assert_eq(pointer_at(file, symbol(file, "inside")), 0);
	cr_assert_eq(pointer_at(file, symbol(file, "inside") + 8), symbol(file, "pointer") + 4);
	cr_assert_eq(elf_file_pointer(file, UINT64_MAX - 3, &value), -EFAULT);
	cr_assert_eq(elf_file_symbol(file, "call", &value, NULL), -ENOENT);
	cr_assert_eq(elf_file_symbol(file, "callee", NULL, &size), 0);
	cr_assert(elf_file_is_code(file, callee) && !elf_file_is_code(file, table));
	cr_assert_str_eq(elf_file_symbol_at(file, callee + size - 1, &value), "callee");
	cr_assert_eq(value, size - 1);
	cr_assert_null(elf_file_symbol_at(file, table, NULL));
	cr_assert(elf_file_has_bytes(file, "a needle"));
	cr_assert_not(elf_file_has_bytes(file, "another needle"));
	cr_assert_not(elf_file_has_bytes(file, ""));
}

static void check_import(const struct elf_file *file)
{
	uint64_t slot = symbol(file, "import"), value;

	cr_assert_str_eq(elf_file_import_at(file, slot), "puts");
	cr_assert_eq(elf_file_pointer(file, slot, &value), -ENOENT);
	cr_assert_null(elf_file_import_at(file, slot + 1));
	cr_assert_eq(elf_file_symbol(file, "puts", &value, NULL), -ENOENT);
}

static void check_functions(const struct elf_file *file)
{
	struct elf_function *functions;
	uint64_t addr, size;
	size_t count, i;

	cr_assert_eq(elf_file_symbol(file, "callee", &addr, &size), 0);
	cr_assert_eq(elf_file_functions(file, &functions, &count), 0);
	for (i = 0; i < count && functions[i].addr != addr; i++)
		;
	cr_assert(i < count && functions[i].size == size);
}

static void check_usdt(const struct elf_file *file)
{
	struct elf_usdt *probes;
	size_t count;

	cr_assert_eq(elf_file_usdt(file, "python", &probes, &count), 0);
	cr_assert(!probes && !count);
	cr_assert_eq(elf_file_usdt(file, "genscope", &probes, &count), 0);
	cr_assert_eq(count, 1);
	cr_assert_str_eq(probes->provider, "genscope");
	cr_assert_str_eq(probes->name, "hello");
	cr_assert_str_eq(probes->args, "-4@%eax 8@%rdi");
	cr_assert_eq(probes->semaphore, symbol(file, "counter"));
	cr_assert_eq(*elf_file_bytes(file, probes->addr, 1), 0x90);
	cr_assert_str_eq(elf_file_symbol_at(file, probes->addr, NULL), "main");
	free(probes);
}

static void check_linked(const char *flags, bool pie)
{
	struct program program;

	build(&program, flags);
	check_program(program.file, pie);
	check_functions(program.file);
	check_usdt(program.file);
	if (pie)
		check_import(program.file);
	discard(&program);
}

Test(elf, reads_a_pie)
{
	check_linked("-fpie -pie", true);
}

Test(elf, reads_a_fixed_executable)
{
	check_linked("-fno-pie -no-pie", false);
}

Test(elf, reads_a_static_executable)
{
	check_linked("-fno-pie -static", false);
}

Test(elf, reads_a_shared_library)
{
	check_linked("-fpic -shared", true);
}

Test(elf, reads_packed_relocations)
{
	FILE *linker = shell("r", "ld --help | grep pack-relative-relocs");
	bool known = fgetc(linker) != EOF;

	pclose(linker);
	if (!known)
		skip("ld knows no -z pack-relative-relocs");
	check_linked("-fpie -pie -Wl,-z,pack-relative-relocs", true);
}

Test(elf, reads_code_and_data_in_one_segment)
{
	check_linked("-fpie -pie -Wl,-z,noseparate-code", true);
}

static void check_same_functions(const struct elf_file *file, const struct elf_file *whole)
{
	struct elf_function *functions, *expected;
	size_t count, expected_count;

	cr_assert_eq(elf_file_functions(file, &functions, &count), 0);
	cr_assert_eq(elf_file_functions(whole, &expected, &expected_count), 0);
	cr_assert_eq(count, expected_count);
	cr_assert_eq(memcmp(functions, expected, count * sizeof(*functions)), 0);
}

/* The bytes no longer show the program's section headers. */
static void check_without_sections(const uint8_t *bytes, size_t size, const struct program *program)
{
	struct elf_file *file;

	cr_assert_eq(elf_file_open_memory(bytes, size, &file), 0);
	check_same_functions(file, program->file);
	cr_assert_eq(symbol(file, "callee"), symbol(program->file, "callee"));
	cr_assert_eq(pointer_at(file, symbol(file, "pointer")), symbol(file, "callee"));
	check_import(file);
	elf_file_close(file);
}

Test(elf, does_without_section_headers)
{
	struct program program;
	Elf64_Ehdr header;
	uint8_t *bytes;
	size_t size;

	build(&program, "-fpic -shared");
	bytes = read_bytes(program.path, &size);
	memcpy(&header, bytes, sizeof(header));
	check_without_sections(bytes, size - 1, &program); /* their table is cut off */
	memset(bytes + offsetof(Elf64_Ehdr, e_shoff), 0, sizeof(header.e_shoff));
	check_without_sections(bytes, size, &program);
	check_without_sections(bytes, header.e_shoff, &program);
	free(bytes);
	discard(&program);
}

/* The same file with its section names compressed, as no linker does. */
static uint8_t *compress_names(const uint8_t *bytes, size_t *size)
{
	uint8_t *grown = malloc(*size + 4096), *place;
	Elf64_Chdr chdr = { .ch_type = ELFCOMPRESS_ZLIB, .ch_addralign = 1 };
	uLongf room = 4096 - sizeof(chdr);
	Elf64_Ehdr header;
	Elf64_Shdr names;

	memcpy(grown, bytes, *size);
	memcpy(&header, bytes, sizeof(header));
	place = grown + header.e_shoff + header.e_shstrndx * sizeof(names);
	memcpy(&names, place, sizeof(names));
	chdr.ch_size = names.sh_size;
	cr_assert_eq(compress(grown + *size + sizeof(chdr), &room, bytes + names.sh_offset,
			      names.sh_size),
		     Z_OK);
	memcpy(grown + *size, &chdr, sizeof(chdr));
	names.sh_flags |= SHF_COMPRESSED;
	names.sh_offset = *size;
	names.sh_size = sizeof(chdr) + room;
	memcpy(place, &names, sizeof(names));
	*size += names.sh_size;
	return grown;
}

Test(elf, never_inflates_section_names)
{
	struct elf_usdt *probes;
	struct program program;
	uint8_t *bytes, *changed;
	struct elf_file *file;
	size_t size, count;

	build(&program, "-fpic -shared");
	bytes = read_bytes(program.path, &size);
	changed = compress_names(bytes, &size);
	cr_assert_eq(elf_file_open_memory(changed, size, &file), 0);
	check_same_functions(file, program.file); /* told by PT_GNU_EH_FRAME */
	cr_assert_eq(elf_file_usdt(file, NULL, &probes, &count), 0);
	cr_assert(!probes && !count);
	elf_file_close(file);
	free(changed);
	free(bytes);
	discard(&program);
}

Test(elf, tells_the_build_id_that_readelf_tells)
{
	char hex[65] = "", small[16], expected[65];
	struct program program;
	FILE *stream;

	build(&program, "");
	stream = shell("r", "readelf -n %s | sed -n 's/.*Build ID: //p'", program.path);
	cr_assert_eq(fscanf(stream, "%64s", expected), 1);
	pclose(stream);
	cr_assert_eq(elf_file_build_id(program.file, hex, sizeof(hex)), 0);
	cr_assert_str_eq(hex, expected);
	cr_assert_eq(elf_file_build_id(program.file, small, sizeof(small)), -ENOSPC);
	discard(&program);
	build(&program, "-Wl,--build-id=0x123456"); /* a note whose padding ld leaves out */
	cr_assert_eq(elf_file_build_id(program.file, hex, sizeof(hex)), 0);
	cr_assert_str_eq(hex, "123456");
	discard(&program);
	build(&program, "-Wl,--build-id=none");
	cr_assert_eq(elf_file_build_id(program.file, hex, sizeof(hex)), -ENOENT);
	discard(&program);
}

Test(elf, translates_between_addresses_and_offsets)
{
	struct elf_segment segments[2];
	uint64_t offset, back, bias;
	struct program program;

	build(&program, "-fpie -pie");
	cr_assert_eq(elf_file_code_segments(program.file, segments, 2), 1);
	cr_assert_eq(elf_file_code_segments(program.file, segments, 0), 0);
	for (uint64_t addr = segments->addr; addr < segments->addr + segments->size; addr += 7) {
		cr_assert_eq(elf_file_offset(program.file, addr, &offset), 0);
		cr_assert_eq(elf_file_vaddr(program.file, offset, &back), 0);
		cr_assert_eq(back, addr);
	}
	cr_assert_eq(elf_file_bytes(program.file, segments->addr, segments->size), segments->bytes);
	cr_assert_null(elf_file_bytes(program.file, segments->addr, segments->size + 1));
	cr_assert_null(elf_file_bytes(program.file, segments->addr + 1, SIZE_MAX));
	cr_assert_eq(elf_file_offset(program.file, UINT64_MAX, &offset), -EINVAL);
	cr_assert_eq(elf_file_vaddr(program.file, UINT64_MAX, &back), -EINVAL);
	cr_assert_eq(elf_file_bias(program.file, 0, UINT64_MAX - 4095, &bias), -EINVAL);
	discard(&program);
}

Test(elf, lists_the_segments_that_readelf_lists)
{
	struct elf_segment code[8], data[8];
	size_t codes, datas, i = 0, j = 0;
	unsigned long addr, size;
	struct program program;
	char kind[8];
	FILE *stream;

	build(&program, "-fpie -pie");
	cr_assert_eq(elf_file_data_segments(program.file, data, 0), 0);
	codes = elf_file_code_segments(program.file, code, 8);
	datas = elf_file_data_segments(program.file, data, 8);
	stream = shell("r",
		       "readelf -lW %s | awk '/LOAD/ {print $3, $5, / E / ? \"code\" : \"data\"}'",
		       program.path);
	while (fscanf(stream, "%lx %lx %7s", &addr, &size, kind) == 3) {
		bool is_code = !strcmp(kind, "code");
		const struct elf_segment *segment = is_code ? &code[i++] : &data[j++];

		cr_assert(i <= codes && j <= datas);
		cr_assert_eq(segment->addr, addr);
		cr_assert_eq(segment->size, size);
		cr_assert_eq(elf_file_bytes(program.file, addr, size), segment->bytes);
	}
	pclose(stream);
	cr_assert(codes == i && i && datas == j && j);
	discard(&program);
}

/* A breakpoint in every process that maps the file; -1 where that is not allowed. */
static int probe(const char *path, uint64_t offset)
{
	struct perf_event_attr attr = { .size = sizeof(attr), .probe_offset = offset };
	FILE *stream = fopen("/sys/bus/event_source/devices/uprobe/type", "r");
	bool known = stream && fscanf(stream, "%u", &attr.type) == 1;

	if (stream)
		fclose(stream);
	attr.uprobe_path = (uintptr_t)path;
	return known ? (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC) :
		       -1;
}

Test(elf, sees_no_breakpoint_of_another_tracer)
{
	struct program program;
	struct elf_file *file;
	uint64_t addr, offset;
	uint8_t byte;
	int fd;

	build(&program, "");
	addr = symbol(program.file, "callee");
	byte = *elf_file_bytes(program.file, addr, 1);
	cr_assert_eq(elf_file_offset(program.file, addr, &offset), 0);
	fd = probe(program.path, offset);
	if (fd < 0) {
		discard(&program);
		skip("only root may set a uprobe, and not everywhere");
	}
	cr_assert_eq(elf_file_open(program.path, &file), 0);
	cr_assert_eq(*elf_file_bytes(file, addr, 1), byte);
	cr_assert_eq(*elf_file_bytes(program.file, addr, 1), byte);
	elf_file_close(file);
	close(fd);
	discard(&program);
}

static int main_program_bias(struct dl_phdr_info *info, size_t size, void *bias)
{
	(void)size;
	*(uint64_t *)bias = info->dlpi_addr;
	return 1; /* the first is the program itself */
}

Test(elf, finds_the_load_bias_that_the_loader_chose)
{
	struct mapping *maps;
	struct elf_file *file;
	uint64_t expected = 1, bias = 0;
	const struct mapping *code;
	size_t count;

	dl_iterate_phdr(main_program_bias, &expected);
	cr_assert_eq(maps_read(getpid(), &maps, &count), 0);
	code = maps_find(maps, count, (uint64_t)(uintptr_t)main_program_bias);
	cr_assert(code && code->executable);
	cr_assert_eq(elf_file_open("/proc/self/exe", &file), 0);
	cr_assert_eq(elf_file_bias(file, code->start, code->offset, &bias), 0);
	cr_assert_eq(bias, expected);
	elf_file_close(file);
	maps_free(maps, count);
}

Test(elf, finds_the_symbols_that_nm_finds)
{
	unsigned long addr;
	struct elf_file *file;
	size_t count = 0;
	char name[512];
	FILE *stream;

	need(PYTHON);
	cr_assert_eq(elf_file_open(PYTHON, &file), 0);
	stream = shell("r", "nm -D --defined-only " PYTHON " | awk '$2 != \"A\" {print $1, $3}'");
	while (fscanf(stream, "%lx %511s", &addr, name) == 2) {
		if (count++ % 8)
			continue;
		name[strcspn(name, "@")] = '\0';
		cr_assert_eq(symbol(file, name), addr, "%s", name);
	}
	pclose(stream);
	cr_assert_gt(count, 1000);
	elf_file_close(file);
}

Test(elf, finds_the_functions_that_readelf_finds)
{
	struct elf_function *functions;
	struct elf_file *file;
	unsigned long from, to;
	size_t count, i = 0;
	FILE *stream;

	need(PYTHON);
	cr_assert_eq(elf_file_open(PYTHON, &file), 0);
	cr_assert_eq(elf_file_functions(file, &functions, &count), 0);
	stream = shell("r",
		       "readelf -W --debug-dump=frames " PYTHON " 2>/dev/null | "
		       "sed -n 's/.* FDE .*pc=\\([0-9a-f]*\\)\\.\\.\\([0-9a-f]*\\)$/\\1 \\2/p' | "
		       "sort -u");
	for (; fscanf(stream, "%lx %lx", &from, &to) == 2; i++) {
		cr_assert_lt(i, count);
		cr_assert_eq(functions[i].addr, from);
		cr_assert_eq(functions[i].addr + functions[i].size, to);
	}
	pclose(stream);
	cr_assert_eq(i, count);
	cr_assert_gt(count, 1000);
	elf_file_close(file);
}

Test(elf, finds_the_probes_that_readelf_finds)
{
	unsigned long addr, base, semaphore;
	struct elf_usdt *probes;
	struct elf_file *file;
	char provider[64], name[64];
	size_t count, i = 0;
	FILE *stream;

	need(PYTHON);
	cr_assert_eq(elf_file_open(PYTHON, &file), 0);
	cr_assert_eq(elf_file_usdt(file, NULL, &probes, &count), 0);
	stream = shell("r", "readelf -n " PYTHON " | tr -d ',' | awk '/Provider:/ {p = $2} "
			    "/Name:/ {n = $2} /Location:/ {print p, n, $2, $4, $6}'");
	for (;
	     fscanf(stream, "%63s %63s %lx %lx %lx", provider, name, &addr, &base, &semaphore) == 5;
	     i++) {
		cr_assert_lt(i, count);
		cr_assert_str_eq(probes[i].provider, provider);
		cr_assert_str_eq(probes[i].name, name);
		cr_assert_eq(probes[i].addr, addr); /* not prelinked: base needs no correction */
		cr_assert_eq(probes[i].semaphore, semaphore);
	}
	pclose(stream);
	cr_assert_eq(i, count);
	cr_assert_gt(count, 0);
	free(probes);
	elf_file_close(file);
}

Test(elf, survives_truncation, .timeout = 60)
{
	struct program program;
	uint8_t *bytes, *part;
	size_t size;

	build(&program, "-fpie -pie");
	bytes = read_bytes(program.path, &size);
	for (size_t length = 0; length < size; length += 16) {
		part = malloc(length + 1); /* its own block: one byte too far is seen */
		memcpy(part, bytes, length);
		cr_assert_eq(try_everything(part, length), 0);
		free(part);
	}
	free(bytes);
	discard(&program);
}

Test(elf, survives_flipped_bytes, .timeout = 60)
{
	unsigned int seed = 20261122;
	struct program program;
	uint8_t *bytes, *broken;
	size_t size;

	build(&program, "-fpic -shared -s");
	bytes = read_bytes(program.path, &size);
	broken = malloc(size);
	for (int round = 0; round < 1000; round++) {
		size_t reach = round % 2 ? size : 1024; /* every other time the headers alone */

		memcpy(broken, bytes, size);
		for (int i = 0; i < 8; i++)
			broken[rand_r(&seed) % reach] = rand_r(&seed);
		memcpy(broken, bytes, 20); /* or it would be refused at once */
		cr_assert_eq(try_everything(broken, size), 0);
	}
	free(broken);
	free(bytes);
	discard(&program);
}
