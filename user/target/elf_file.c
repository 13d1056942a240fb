/* SPDX-License-Identifier: MIT */
#include "target/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/elf_internal.h"

#define PAGE_BYTES 4096ULL

int elf_segment_find(const struct elf_file *file, uint32_t type, size_t index, GElf_Phdr *out)
{
	/* Up to the count that was checked, which libelf would read anew. */
	for (size_t i = 0; i < file->program_count; i++)
		if (gelf_getphdr(file->elf, (int)i, out) && out->p_type == type && !index--)
			return 0;
	return -ENOENT;
}

Elf_Scn *elf_section_next(const struct elf_file *file, Elf_Scn *section)
{
	return file->sectioned ? elf_nextscn(file->elf, section) : NULL;
}

Elf_Data *elf_section_data(Elf_Scn *section)
{
	Elf_Data *data = elf_getdata(section, NULL);

	/* SHT_NOBITS has a size but no buffer (__libelf_set_rawdata_wrlock). */
	return data && (data->d_buf || !data->d_size) && data->d_type != ELF_T_CHDR ? data : NULL;
}

Elf_Scn *elf_section_find(const struct elf_file *file, const char *name)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	size_t names;

	/* elf_strptr() would inflate a compressed table, to whatever size its header says. */
	if (elf_getshdrstrndx(file->elf, &names) || !elf_section_data(elf_getscn(file->elf, names)))
		return NULL;
	while ((section = elf_section_next(file, section))) {
		const char *found = NULL;

		if (gelf_getshdr(section, &header))
			found = elf_strptr(file->elf, names, header.sh_name);
		if (found && !strcmp(found, name))
			break;
	}
	return section;
}

Elf_Data *elf_loaded_data(const struct elf_file *file, uint64_t vaddr, uint64_t size, Elf_Type type)
{
	const uint8_t *bytes = elf_file_bytes(file, vaddr, size);

	return bytes ? elf_getdata_rawchunk(file->elf, bytes - file->bytes, size, type) : NULL;
}

int elf_dynamic(const struct elf_file *file, int64_t tag, uint64_t *value)
{
	GElf_Phdr header;
	GElf_Dyn entry;
	Elf_Data *data;

	if (elf_segment_find(file, PT_DYNAMIC, 0, &header))
		return -ENOENT;
	data = elf_getdata_rawchunk(file->elf, (int64_t)header.p_offset, header.p_filesz,
				    ELF_T_DYN);
	for (int i = 0; gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++) {
		if (entry.d_tag == tag) {
			*value = entry.d_un.d_val;
			return 0;
		}
	}
	return -ENOENT;
}

static void add_load(struct elf_file *file, const GElf_Phdr *header)
{
	struct elf_load load = {
		.vaddr = header->p_vaddr,
		.memsz = header->p_memsz,
		.offset = header->p_offset,
		.filesz = header->p_filesz,
		.executable = header->p_flags & PF_X,
		.writable = header->p_flags & PF_W,
	};

	if (load.memsz > UINT64_MAX - load.vaddr || load.offset > file->size)
		return;
	if (load.filesz > file->size - load.offset)
		load.filesz = file->size - load.offset;
	if (load.filesz > load.memsz)
		load.filesz = load.memsz;
	file->loads[file->load_count++] = load;
}

static int read_headers(struct elf_file *file)
{
	GElf_Phdr program;
	GElf_Ehdr header;

	elf_version(EV_CURRENT);
	file->elf = elf_memory((char *)file->bytes, file->size); /* which never writes there */
	if (!gelf_getehdr(file->elf, &header) || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64)
		return -ENOEXEC;
	file->pie = header.e_type == ET_DYN;
	/* libelf would look for a table at offset 0 (get_shnum), and looks at no entry size. */
	file->sectioned = header.e_shoff && header.e_shentsize == sizeof(Elf64_Shdr);
	if (!header.e_phnum)
		return 0;
	/* Nor at this one; and it counts only the entries that the file has. */
	if (header.e_phentsize != sizeof(Elf64_Phdr) ||
	    elf_getphdrnum(file->elf, &file->program_count) || !file->program_count)
		return -ENOEXEC;
	for (size_t i = 0; i < file->program_count && file->load_count < ELF_MAX_LOADS; i++) {
		if (!gelf_getphdr(file->elf, (int)i, &program))
			return -ENOEXEC;
		if (program.p_type == PT_LOAD)
			add_load(file, &program);
	}
	return 0;
}

static int open_bytes(const void *bytes, size_t size, bool mapped, struct elf_file **out)
{
	struct elf_file *file = calloc(1, sizeof(*file));
	int err = -ENOMEM;

	if (!file)
		return err;
	file->cache = calloc(1, sizeof(*file->cache));
	if (!file->cache)
		goto fail;
	file->bytes = bytes;
	file->size = size;
	err = read_headers(file);
	if (err)
		goto fail;
	elf_symbols_load(file);
	file->mapped = mapped;
	*out = file;
	return 0;
fail:
	elf_file_close(file);
	return err;
}

int elf_file_open_memory(const void *bytes, size_t size, struct elf_file **out)
{
	return open_bytes(bytes, size, false, out);
}

int elf_file_open(const char *path, struct elf_file **out)
{
	/* O_NONBLOCK: opening a FIFO must not wait for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	void *bytes;
	int err;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status)) {
		err = -errno;
		goto out;
	}
	err = -ENOEXEC;
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(Elf64_Ehdr))
		goto out;
	/* Shared: the kernel writes the breakpoints of everybody's uprobes, another genscope's among
	 * them, into private mappings (valid_vma() in kernel/events/uprobes.c). */
	bytes = mmap(NULL, status.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		err = -errno;
		goto out;
	}
	err = open_bytes(bytes, status.st_size, true, out);
	if (err)
		munmap(bytes, status.st_size);
out:
	close(fd);
	return err;
}

void elf_file_close(struct elf_file *file)
{
	if (!file)
		return;
	if (file->cache) {
		free(file->cache->relocs);
		free(file->cache->functions);
		free(file->cache->named);
		free(file->cache);
	}
	elf_end(file->elf);
	if (file->mapped)
		munmap((void *)file->bytes, file->size);
	free(file);
}

bool elf_file_is_pie(const struct elf_file *file)
{
	return file->pie;
}

const struct elf_load *elf_backed_load(const struct elf_file *file, uint64_t vaddr, uint64_t size)
{
	for (size_t i = 0; i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];

		if (vaddr >= load->vaddr && vaddr - load->vaddr < load->filesz &&
		    size <= load->filesz - (vaddr - load->vaddr))
			return load;
	}
	return NULL;
}

const uint8_t *elf_file_bytes(const struct elf_file *file, uint64_t vaddr, size_t size)
{
	const struct elf_load *load = elf_backed_load(file, vaddr, size);

	return load ? file->bytes + load->offset + (vaddr - load->vaddr) : NULL;
}

int elf_file_offset(const struct elf_file *file, uint64_t vaddr, uint64_t *offset)
{
	const struct elf_load *load = elf_backed_load(file, vaddr, 1);

	if (!load)
		return -EINVAL;
	*offset = load->offset + (vaddr - load->vaddr);
	return 0;
}

int elf_file_vaddr(const struct elf_file *file, uint64_t offset, uint64_t *vaddr)
{
	for (size_t i = 0; i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];

		if (offset >= load->offset && offset - load->offset < load->filesz) {
			*vaddr = load->vaddr + (offset - load->offset);
			return 0;
		}
	}
	return -EINVAL;
}

int elf_file_bias(const struct elf_file *file, uint64_t start, uint64_t offset, uint64_t *bias)
{
	for (size_t i = 0; i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];
		uint64_t first = load->offset & ~(PAGE_BYTES - 1);

		if (load->executable && load->filesz && offset >= first &&
		    offset < load->offset + load->filesz) {
			*bias = start - (load->vaddr + (offset - load->offset));
			return 0;
		}
	}
	return -EINVAL;
}

const struct elf_load *elf_code_load(const struct elf_file *file, uint64_t addr, uint64_t size)
{
	for (size_t i = 0; i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];

		if (load->executable && addr >= load->vaddr && addr - load->vaddr < load->memsz &&
		    size <= load->memsz - (addr - load->vaddr))
			return load;
	}
	return NULL;
}

bool elf_file_is_code(const struct elf_file *file, uint64_t vaddr)
{
	return elf_code_load(file, vaddr, 1);
}

static int list_segments(const struct elf_file *file, bool executable, struct elf_segment *out,
			 size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < file->load_count && count < max; i++) {
		const struct elf_load *load = &file->loads[i];

		if (load->executable != executable || !load->filesz)
			continue;
		out[count].addr = load->vaddr;
		out[count].size = load->filesz;
		out[count].bytes = file->bytes + load->offset;
		count++;
	}
	return (int)count;
}

int elf_file_code_segments(const struct elf_file *file, struct elf_segment *out, size_t max)
{
	return list_segments(file, true, out, max);
}

int elf_file_data_segments(const struct elf_file *file, struct elf_segment *out, size_t max)
{
	return list_segments(file, false, out, max);
}

bool elf_file_has_bytes(const struct elf_file *file, const char *needle)
{
	size_t length = strlen(needle);

	for (size_t i = 0; length && i < file->load_count; i++) {
		const struct elf_load *load = &file->loads[i];

		if (!load->writable &&
		    memmem(file->bytes + load->offset, load->filesz, needle, length))
			return true;
	}
	return false;
}
