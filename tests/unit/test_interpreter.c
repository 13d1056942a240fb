/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "interpreter_files.h"
#include "python/interpreter.h"
#include "sites/finder.h"

/* The truth comes from the interpreters themselves (-V), from their names, and from nm. */

static char why[INTERPRETER_WHY_MAX];

static void check_read(const struct interpreter_file *file, const struct elf_file *elf,
		       struct interpreter *interpreter)
{
	cr_assert(interpreter_present(elf), "%s", file->path);
	cr_assert_eq(interpreter_read(elf, interpreter, why), 0, "%s: %s", file->path, why);
	cr_assert_str_empty(why);
	cr_assert_str_eq(interpreter->version, file->version, "%s", file->path);
	cr_assert_eq(interpreter->version_hex, file->version_hex);
	cr_assert_eq(interpreter->debug, file->debug, "%s", file->path);
	cr_assert_not(interpreter->free_threaded);
}

/* We keep the names of 3.11 to 3.14 for what 3.15 calls otherwise. */
static bool is_same_function(const char *ours, const char *theirs)
{
	static const char *const renamed[][2] = {
		{ "_PyGen_Finalize", "gen_finalize" },
		{ "async_gen_asend_am_send", "_PyAsyncGenASend_Send" },
	};

	for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
		if (!strcmp(ours, renamed[i][0]) && !strcmp(theirs, renamed[i][1]))
			return true;
	return !strcmp(ours, theirs);
}

/* Where nm knows a function that we named, it is by that name (".part", ".lto_priv" aside). */
static void check_names(const struct interpreter_file *file, const struct interpreter *interpreter)
{
	bool known[INTERPRETER_FUNCTIONS_MAX] = { false },
	     same[INTERPRETER_FUNCTIONS_MAX] = { false };
	char command[300], line[1024], name[512];
	unsigned long address;
	FILE *nm;

	snprintf(command, sizeof(command), "nm %s 2>/dev/null", file->path);
	nm = popen(command, "r");
	cr_assert_not_null(nm);
	while (fgets(line, sizeof(line), nm)) {
		if (sscanf(line, "%lx %*c %511s", &address, name) != 2)
			continue;
		name[strcspn(name, ".@")] = '\0';
		for (size_t i = 0; i < interpreter->function_count; i++) {
			if (interpreter->functions[i].address != address)
				continue;
			known[i] = true;
			same[i] |= is_same_function(interpreter->functions[i].name, name);
		}
	}
	pclose(nm);
	for (size_t i = 0; i < interpreter->function_count; i++)
		cr_assert_eq(known[i], same[i], "%s: %s", file->path,
			     interpreter->functions[i].name);
}

/* Where a probe sits, and what BPF is told of it, must be what its proof is about. */
static void check_proof(const struct site_table *sites, const struct found_site *site)
{
	const struct site_proof *proof = &site->proof;
	char text[PROOF_TEXT_MAX];
	unsigned parts = 0;

	sites_proof_text(site, text, sizeof(text));
	cr_assert_eq(!*text, proof->rule == PROOF_NONE);
	cr_assert_eq(proof->rule == PROOF_RETURN, site->site.role == SITE_RETURN);
	cr_assert_eq(proof->rule == PROOF_NONE,
		     site->site.role > SITE_BOTH && site->site.role != SITE_RETURN);
	cr_assert(proof->rule == PROOF_EDGES || !site->site.condition);
	if (proof->rule == PROOF_FORWARD)
		cr_assert(site->site.address > site->store && !site->site.stepped &&
			  site->site.from == VALUE_MEMORY);
	if (proof->rule == PROOF_STORE)
		cr_assert(site->site.address == site->store && site->site.stepped && proof->stop &&
			  proof->obstacle);
	if (proof->rule != PROOF_PUSH && proof->rule != PROOF_EDGES)
		return;
	cr_assert(site->site.from != VALUE_MEMORY && !site->site.stepped && proof->stop);
	cr_assert(proof->rule == PROOF_EDGES || site->site.address < site->store);
	for (size_t i = 0; i < sites->count; i++) {
		const struct found_site *other = &sites->at[i];

		parts += other->store == site->store && other->proof.rule == proof->rule;
		cr_assert(other == site || other->site.address != site->site.address,
			  "two probes at one instruction: 0x%lx", (long)site->site.address);
	}
	cr_assert_eq(parts, proof->parts);
	cr_assert(proof->part >= 1 && proof->part <= proof->parts);
}

static bool is_closing(const struct found_site *site, int8_t value)
{
	return site->constant && site->site.role == SITE_FRAME_STATE && site->site.value == value;
}

static bool has_return(const struct site_table *sites, uint64_t function)
{
	for (size_t i = 0; i < sites->count; i++)
		if (sites->at[i].function == function && (sites->at[i].tells & TELLS_RETURN))
			return true;
	return false;
}

/* Outermost steps: who begins one has to end it. A debug build's code is not optimised: its registers do not
 * outlive the call. */
static void check_steps(const struct interpreter_file *file, const struct site_table *sites)
{
	size_t entries = 0, returns = 0;

	for (size_t i = 0; i < sites->count; i++) {
		const struct found_site *site = &sites->at[i];

		cr_assert_eq(site->site.role == SITE_RETURN, site->tells == TELLS_RETURN);
		cr_assert(site->tells, "%s: nobody would attach 0x%lx", file->path,
			  (long)site->site.address);
		returns += site->site.role == SITE_RETURN;
		if (!(site->tells & TELLS_ENTRY))
			continue;
		entries++;
		cr_assert(site->tells & TELLS_RUN);
		cr_assert_neq(site->site.where, SITE_IN_EVAL, "%s: 0x%lx", file->path,
			      (long)site->site.address);
		cr_assert(has_return(sites, site->function), "%s: 0x%lx begins what nobody ends",
			  file->path, (long)site->site.address);
	}
	cr_assert_eq(sites->has_returns, returns > 0);
	cr_assert_eq(entries > 0, returns > 0);
	if (!file->debug)
		cr_assert(sites->has_returns, "%s", file->path);
}

/* 3.11 stores COMPLETED, then CLEARED, of each that ends: one probe of the two. */
static void check_covered(const struct interpreter_file *file,
			  const struct interpreter *interpreter, const struct site_table *sites)
{
	const struct layout *layout = &interpreter->layout;
	size_t completed = 0;

	if (interpreter->version_hex >= 0x030c0000) {
		cr_assert_eq(sites->covered, 0);
		return;
	}
	cr_assert_gt(sites->covered, 0, "%s", file->path);
	for (size_t i = 0; i < sites->count; i++) {
		if (!is_closing(&sites->at[i], layout->completed))
			continue;
		completed++;
		for (size_t j = 0; j < sites->count; j++)
			cr_assert(sites->at[j].function != sites->at[i].function ||
					  !is_closing(&sites->at[j], layout->cleared),
				  "%s: 0x%lx is a second probe of one end", file->path,
				  (long)sites->at[j].site.address);
	}
	cr_assert_gt(completed, 0, "%s", file->path);
}

static void check_sites(const struct interpreter_file *file, const struct elf_file *elf,
			const struct interpreter *interpreter)
{
	static struct site_table sites;

	cr_assert_eq(sites_find(elf, interpreter, &sites), 0, "%s", file->path);
	cr_assert_gt(sites.count, 20, "%s: %zu", file->path, sites.count);
	cr_assert_leq(sites.count, FOUND_SITES_MAX);
	cr_assert(sites.has_create && sites.has_run && sites.has_suspend && sites.has_close &&
			  sites.has_free,
		  "%s", file->path);
	for (size_t i = 0; i < sites.count; i++) {
		const struct found_site *site = &sites.at[i];
		uint64_t offset;

		cr_assert(elf_file_is_code(elf, site->site.address));
		cr_assert(elf_file_is_code(elf, site->store));
		cr_assert_eq(elf_file_offset(elf, site->site.address, &offset), 0);
		cr_assert_eq(offset, site->file_offset);
		check_proof(&sites, site);
		cr_assert_not_null(sites_function_name(elf, interpreter, site));
	}
	check_steps(file, &sites);
	check_covered(file, interpreter, &sites);
}

static void check_version(int minor)
{
	static struct interpreter interpreter;
	struct interpreter_files files;
	struct elf_file *elf;

	interpreter_files_find(minor, &files);
	for (size_t i = 0; i < files.count; i++) {
		cr_assert_eq(elf_file_open(files.at[i].path, &elf), 0);
		check_read(&files.at[i], elf, &interpreter);
		check_names(&files.at[i], &interpreter);
		check_sites(&files.at[i], elf, &interpreter);
		elf_file_close(elf);
	}
}

Test(interpreter, reads_3_11, .timeout = 120)
{
	check_version(11);
}

Test(interpreter, reads_3_12, .timeout = 120)
{
	check_version(12);
}

Test(interpreter, reads_3_13, .timeout = 120)
{
	check_version(13);
}

Test(interpreter, reads_3_14, .timeout = 120)
{
	check_version(14);
}

Test(interpreter, reads_3_15, .timeout = 120)
{
	check_version(15);
}

Test(interpreter, finds_none_in_another_program)
{
	static struct interpreter interpreter;
	struct elf_file *elf;

	cr_assert_eq(elf_file_open("/bin/ls", &elf), 0);
	cr_assert_not(interpreter_present(elf));
	cr_assert_eq(interpreter_read(elf, &interpreter, why), -ENOENT);
	cr_assert_str_not_empty(why);
	elf_file_close(elf);
}

struct copy { /* of a file, to be changed */
	uint8_t *bytes;
	size_t size;
	struct elf_file *elf;
};

static void copy_file(const char *path, struct copy *copy)
{
	FILE *stream = fopen(path, "rb");
	struct stat status;

	cr_assert(stream && !fstat(fileno(stream), &status));
	copy->size = status.st_size;
	copy->bytes = malloc(copy->size);
	cr_assert_eq(fread(copy->bytes, 1, copy->size, stream), copy->size);
	fclose(stream);
	cr_assert_eq(elf_file_open_memory(copy->bytes, copy->size, &copy->elf), 0);
}

static void discard(struct copy *copy)
{
	elf_file_close(copy->elf);
	free(copy->bytes);
}

static uint8_t *place(const struct copy *copy, const char *symbol)
{
	uint64_t address, offset;

	cr_assert_eq(elf_file_symbol(copy->elf, symbol, &address, NULL), 0);
	cr_assert_eq(elf_file_offset(copy->elf, address, &offset), 0);
	return copy->bytes + offset;
}

static void check_refused(const struct copy *copy, const char *reason,
			  struct interpreter *interpreter)
{
	cr_assert_eq(interpreter_read(copy->elf, interpreter, why), -ENOTSUP);
	cr_assert_not_null(strstr(why, reason), "%s", why);
}

Test(interpreter, refuses_versions_it_does_not_know)
{
	static const uint32_t versions[] = { 0x030a0df0, 0x03100000 };
	static const char *const texts[] = { "3.10.13", "3.16.0" };
	static struct interpreter interpreter;
	struct interpreter_files files;
	struct copy copy;

	interpreter_files_find(11, &files);
	copy_file(files.at[0].path, &copy);
	for (int i = 0; i < 2; i++) {
		memcpy(place(&copy, "Py_Version"), &versions[i], sizeof(versions[i]));
		check_refused(&copy, texts[i], &interpreter);
		cr_assert_str_eq(interpreter.version, texts[i]);
	}
	discard(&copy);
}

Test(interpreter, refuses_a_layout_it_does_not_know)
{
	static struct interpreter interpreter;
	struct interpreter_files files;
	struct copy copy;

	interpreter_files_find(11, &files);
	copy_file(files.at[0].path, &copy);
	place(&copy, "PyGen_Type")[0x20] += 8; /* tp_basicsize */
	check_refused(&copy, "layout", &interpreter);
	discard(&copy);
}

Test(interpreter, refuses_free_threads)
{
	static struct interpreter interpreter;
	struct interpreter_files files;
	struct copy copy;

	interpreter_files_find(14, &files);
	copy_file(files.at[0].path, &copy);
	place(&copy, "_PyRuntime")[16] = 1; /* _Py_DebugOffsets.free_threaded */
	check_refused(&copy, "free-threaded", &interpreter);
	cr_assert(interpreter.free_threaded);
	discard(&copy);
}

Test(interpreter, writes_versions_as_python_does)
{
	static const char *const versions[] = { "3.11.2",   "3.14.10",   "3.15.0a7",
						"3.12.0b1", "3.13.0rc2", "3.15.255" };
	char text[24];

	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		interpreter_version_text(interpreter_version_hex(versions[i]), text, sizeof(text));
		cr_assert_str_eq(text, versions[i]);
	}
	interpreter_version_text(0x030f00a7, text, sizeof(text));
	cr_assert_str_eq(text, "3.15.0a7");
	interpreter_version_text(0x030f00a7, text, 5);
	cr_assert_str_eq(text, "3.15");
}
