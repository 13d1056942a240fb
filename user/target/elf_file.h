/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_ELF_FILE_H
#define GENSCOPE_TARGET_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One ELF64 x86-64 file, read-only. Every address is a link-time virtual address and every size is
 * in bytes. The file's content is never believed: what does not fit is left out or answered with an
 * error. Every int is 0 or a negative errno unless said otherwise; -ENOMEM is always possible. A
 * handle keeps caches behind its const, so one handle must stay within one thread.
 */
struct elf_file;

struct elf_function {
	uint64_t addr;
	uint64_t size;
};

struct elf_segment {
	uint64_t addr;
	uint64_t size;
	const uint8_t *bytes; /* borrowed from the file */
};

struct elf_usdt {
	char provider[32];
	char name[64];
	uint64_t addr;      /* of the nop; moved by .stapsdt.base as prelink demands */
	uint64_t semaphore; /* address of the 16-bit counter, 0 if there is none */
	char args[128]; /* as written: "-4@%eax 8@%rdi"; arguments that do not fit are cut whole */
};

/* Maps the file at path. -ENOEXEC when it is no regular ELF64 x86-64 file, else open's -errno. The
 * caller closes. A file that somebody truncates while it is open raises SIGBUS, as mmap says. */
int elf_file_open(const char *path, struct elf_file **out);

/* The same over bytes in memory, which are borrowed and must outlive the handle. */
int elf_file_open_memory(const void *bytes, size_t size, struct elf_file **out);

/* Frees the handle and everything borrowed from it. NULL is fine. */
void elf_file_close(struct elf_file *file);

/* Whether the file may be loaded anywhere (ET_DYN: shared library or PIE). */
bool elf_file_is_pie(const struct elf_file *file);

/* The GNU build-id in lower-case hex. -ENOENT if there is none, -ENOSPC if hex is too small. */
int elf_file_build_id(const struct elf_file *file, char *hex, size_t size);

/* A symbol defined in .dynsym or else .symtab (a global before a local); thread-local ones are not
 * looked at. addr and size may be NULL. -ENOENT if there is none. */
int elf_file_symbol(const struct elf_file *file, const char *name, uint64_t *addr, uint64_t *size);

/* The name of the function that covers addr, in .symtab or .dynsym; borrowed. NULL if none does.
 * *offset (may be NULL) is how far into it addr lies. */
const char *elf_file_symbol_at(const struct elf_file *file, uint64_t addr, uint64_t *offset);

/* size bytes at vaddr, borrowed; NULL unless all of them come from the file through one PT_LOAD. */
const uint8_t *elf_file_bytes(const struct elf_file *file, uint64_t vaddr, size_t size);

/* The pointer the loader leaves at vaddr, as a link-time address: relocations against the file
 * itself or a symbol it defines are applied. -ENOENT for an import or whatever only the loader
 * knows (IFUNC, TLS, COPY), -EFAULT if neither a relocation nor the file has bytes there. */
int elf_file_pointer(const struct elf_file *file, uint64_t vaddr, uint64_t *value);

/* The symbol that the relocation of this slot (of the GOT, say) names, defined here or not;
 * borrowed. NULL if there is none. */
const char *elf_file_import_at(const struct elf_file *file, uint64_t slot_vaddr);

/* Between link-time address and file offset, through the PT_LOADs. -EINVAL when in none. */
int elf_file_offset(const struct elf_file *file, uint64_t vaddr, uint64_t *offset);
int elf_file_vaddr(const struct elf_file *file, uint64_t offset, uint64_t *vaddr);

/* The load bias: what to add (modulo 2^64) to a link-time address to get the run-time one, given
 * start and offset of an executable line of /proc/PID/maps. -EINVAL when no PT_LOAD fits. */
int elf_file_bias(const struct elf_file *file, uint64_t start, uint64_t offset, uint64_t *bias);

bool elf_file_is_code(const struct elf_file *file, uint64_t vaddr); /* in an executable PT_LOAD */

/* Every function range (FDE) that .eh_frame tells, inside executable segments, sorted by address
 * and without duplicates; hot and cold parts are ranges of their own. Owned by the file.
 * -ENOENT without an .eh_frame. */
int elf_file_functions(const struct elf_file *file, struct elf_function **out, size_t *count);

/* Writes up to max executable PT_LOADs (their file-backed part); returns how many it wrote. */
int elf_file_code_segments(const struct elf_file *file, struct elf_segment *out, size_t max);

/* The same for the PT_LOADs that are not executable. */
int elf_file_data_segments(const struct elf_file *file, struct elf_segment *out, size_t max);

/* The USDT probes of a provider (NULL: of all), in file order; the caller frees *out. None is no
 * error: *out is NULL and *count 0. Probes whose names do not fit are left out. */
int elf_file_usdt(const struct elf_file *file, const char *provider, struct elf_usdt **out,
		  size_t *count);

/* Whether the characters of needle (its NUL is not searched for) stand in a segment that is not
 * writable. Never true for "". */
bool elf_file_has_bytes(const struct elf_file *file, const char *needle);

#endif
