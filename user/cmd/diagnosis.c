// SPDX-License-Identifier: MIT
#include "cmd/diagnosis.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "model/names.h"
#include "sink/sink.h"

#define TEXT_MAX 96

static const char *verdict(const struct diagnosis *d)
{
	return d->missing_count ? "partial" : "full";
}

static const char *linkage(const struct diagnosis *d)
{
	const char *name = strrchr(d->image->path, '/');

	return strstr(name ? name : d->image->path, ".so") ? "shared" : "static";
}

static const char *frame_word(const struct layout *layout, int8_t value)
{
	if (value == layout->executing)
		return "FRAME_EXECUTING";
	if (value == layout->created)
		return "FRAME_CREATED";
	if (value == layout->cleared)
		return "FRAME_CLEARED";
	if (value == layout->completed)
		return "FRAME_COMPLETED";
	return value == layout->suspended_first ? "FRAME_SUSPENDED" : "FRAME_SUSPENDED_YIELD_FROM";
}

/* "gi_frame_state = FRAME_EXECUTING", "entry of throw()" */
static void describe(const struct diagnosis *d, const struct found_site *found, char *out)
{
	const struct site *site = &found->site;
	const struct layout *layout = &d->image->interpreter.layout;

	switch (site->role) {
	case SITE_FREE:
		snprintf(out, TEXT_MAX, "memory given back");
		return;
	case SITE_CAUSE:
		snprintf(out, TEXT_MAX, "entry: %s", name_of_via(site->via));
		return;
	case SITE_CODE_FREE:
		snprintf(out, TEXT_MAX, "entry: a code object is freed");
		return;
	case SITE_RETURN:
		snprintf(out, TEXT_MAX, "a step comes back to C (--steps)");
		return;
	}
	if (!found->constant)
		snprintf(out, TEXT_MAX, "gi_frame_state = register");
	else if (site->role == SITE_RUNNING_ASYNC)
		snprintf(out, TEXT_MAX, "ag_running_async = %d", site->value);
	else
		snprintf(out, TEXT_MAX, "gi_frame_state = %s", frame_word(layout, site->value));
	if (found->merged)
		snprintf(out + strlen(out), TEXT_MAX - strlen(out), " and %u more", found->merged);
}

static void instruction_at(const struct diagnosis *d, uint64_t address, char *out)
{
	const uint8_t *bytes = NULL;
	size_t size = 15; /* the longest instruction */

	while (size && !(bytes = elf_file_bytes(d->image->elf, address, size)))
		size--;
	if (bytes)
		insn_text(bytes, size, address, out, TEXT_MAX);
	else
		snprintf(out, TEXT_MAX, "?");
}

static void site_text(struct writer *writer, const struct diagnosis *d,
		      const struct found_site *found)
{
	char what[TEXT_MAX], probed[TEXT_MAX], where[TEXT_MAX], proof[PROOF_TEXT_MAX];
	const char *name = sites_function_name(d->image->elf, &d->image->interpreter, found);

	describe(d, found, what);
	instruction_at(d, found->site.address, probed);
	if (*name)
		snprintf(where, sizeof(where), "%.90s", name);
	else
		snprintf(where, sizeof(where), "(0x%llx)", (unsigned long long)found->function);
	writer_printf(writer, "  0x%-10llx %-8s %-26.26s %-43s %s\n",
		      (unsigned long long)found->site.address,
		      found->site.stepped ? "stepped" : "emulated", where, what, probed);
	sites_proof_text(found, proof, sizeof(proof));
	if (*proof)
		writer_printf(writer, "               %s\n", proof);
}

void features_text(struct writer *writer, const struct features *features)
{
	struct utsname name;
	char libbpf[32];

	uname(&name);
	features_libbpf_version(libbpf, sizeof(libbpf));
	writer_printf(writer, "kernel       Linux %s, libbpf %s\n", name.release, libbpf);
	writer_printf(writer, "  BTF          %s\n", features->btf ? "yes" : "no");
	writer_printf(writer, "  uprobe_multi %s%s%s\n",
		      features->uprobe_multi ? "yes" : "no: ", features->multi_why,
		      features->uprobe_multi || *features->missing ? "" :
								     "; single links are used");
	writer_printf(writer, "  privileges   %s\n",
		      *features->missing ? features->missing : "yes");
}

static void interpreter_text(struct writer *writer, const struct diagnosis *d)
{
	const struct interpreter *interpreter = &d->image->interpreter;

	writer_printf(writer, "interpreter  CPython %s\n", interpreter->version);
	writer_printf(writer, "  path         %s\n", d->image->path);
	writer_printf(writer, "  build-id     %s\n",
		      *interpreter->build_id ? interpreter->build_id : "none");
	writer_printf(writer, "  build        %s%s%s, JIT %s\n", linkage(d),
		      interpreter->pie ? ", position independent" : "",
		      interpreter->debug ? ", debug" : "",
		      !interpreter->jit_built ? "not built in" :
		      d->jit_on               ? "built in and on" :
						"built in, off");
	writer_printf(writer, "  analysis     %.1f ms\n", d->image->analysis_ms);
}

static void verdict_text(struct writer *writer, const struct diagnosis *d)
{
	writer_printf(writer, "verdict      %s", verdict(d));
	for (size_t i = 0; i < d->missing_count; i++)
		writer_printf(writer, "%s%s", i ? "; " : ": ", d->missing[i]);
	if (*d->features->missing)
		writer_printf(writer, "; but not now: %s", d->features->missing);
	writer_puts(writer, "\n");
}

/* A probe that the compiler copied is one name still. */
static bool named_before(const struct diagnosis *d, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (!strcmp(d->usdt[i].name, d->usdt[index].name))
			return true;
	return false;
}

static void usdt_text(struct writer *writer, const struct diagnosis *d)
{
	writer_printf(writer, "USDT         %s",
		      d->usdt_count ? "" : "none (built without --with-dtrace)");
	for (size_t i = 0; i < d->usdt_count; i++)
		if (!named_before(d, i))
			writer_printf(writer, "%s%s", i ? ", " : "", d->usdt[i].name);
	writer_puts(writer, "\n");
}

void diagnosis_text(struct writer *writer, const struct diagnosis *d, bool verbose)
{
	const struct site_table *table = &d->image->table;

	interpreter_text(writer, d);
	features_text(writer, d->features);
	writer_printf(writer, "sites        %zu, %zu of them single-stepped%s\n", table->count,
		      d->stepped, verbose ? "" : "; -v lists them all");
	if (verbose && table->covered)
		writer_printf(writer,
			      "             %zu stores need none: a COMPLETED comes before each "
			      "CLEARED\n",
			      table->covered);
	for (size_t i = 0; i < table->count; i++)
		if (verbose || table->at[i].site.stepped)
			site_text(writer, d, &table->at[i]);
	usdt_text(writer, d);
	verdict_text(writer, d);
}

static void put_json_text(struct writer *writer, const char *key, const char *text)
{
	char escaped[6 * 512];
	size_t size = strlen(text);

	*json_escape(escaped, text, size < 511 ? size : 511) = 0;
	writer_printf(writer, "\"%s\":\"%s\"", key, escaped);
}

static const char *word(bool value)
{
	return value ? "true" : "false";
}

static void interpreter_json(struct writer *writer, const struct diagnosis *d)
{
	const struct interpreter *interpreter = &d->image->interpreter;

	writer_puts(writer, "\"interpreter\":{");
	put_json_text(writer, "path", d->image->path);
	writer_printf(writer,
		      ",\"version\":\"%s\",\"build_id\":\"%s\",\"linkage\":\"%s\",\"pie\":%s,"
		      "\"debug\":%s,\"free_threaded\":%s,\"jit\":{\"built\":%s,\"on\":%s}},",
		      interpreter->version, interpreter->build_id, linkage(d),
		      word(interpreter->pie), word(interpreter->debug),
		      word(interpreter->free_threaded), word(interpreter->jit_built),
		      word(d->jit_on));
}

static void features_json(struct writer *writer, const struct features *features)
{
	struct utsname name;
	char libbpf[32];

	uname(&name);
	features_libbpf_version(libbpf, sizeof(libbpf));
	writer_puts(writer, "\"kernel\":{");
	put_json_text(writer, "release", name.release);
	writer_printf(writer,
		      ",\"libbpf\":\"%s\",\"btf\":%s,\"uprobe_multi\":%s,\"privileged\":%s,",
		      libbpf, word(features->btf), word(features->uprobe_multi),
		      word(features->privileged));
	put_json_text(writer, "missing", features->missing);
	writer_puts(writer, "},");
}

static void site_json(struct writer *writer, const struct diagnosis *d,
		      const struct found_site *found)
{
	char what[TEXT_MAX], store[TEXT_MAX], probed[TEXT_MAX], proof[PROOF_TEXT_MAX];

	describe(d, found, what);
	instruction_at(d, found->store, store);
	instruction_at(d, found->site.address, probed);
	writer_printf(writer, "{\"address\":\"0x%llx\",\"file_offset\":\"0x%llx\",",
		      (unsigned long long)found->site.address,
		      (unsigned long long)found->file_offset);
	put_json_text(writer, "function",
		      sites_function_name(d->image->elf, &d->image->interpreter, found));
	writer_printf(writer, ",\"function_address\":\"0x%llx\",\"store_address\":\"0x%llx\",",
		      (unsigned long long)found->function, (unsigned long long)found->store);
	put_json_text(writer, "stores", what);
	writer_puts(writer, ",");
	put_json_text(writer, "store", store);
	writer_puts(writer, ",");
	put_json_text(writer, "instruction", probed);
	writer_printf(writer, ",\"mode\":\"%s\",", found->site.stepped ? "stepped" : "emulated");
	sites_proof_text(found, proof, sizeof(proof));
	put_json_text(writer, "proof", proof);
	writer_puts(writer, "}");
}

void diagnosis_json(struct writer *writer, const struct diagnosis *d)
{
	writer_puts(writer, "{\"type\":\"doctor\",");
	if (d->pid)
		writer_printf(writer, "\"pid\":%d,", d->pid);
	interpreter_json(writer, d);
	features_json(writer, d->features);
	writer_printf(writer, "\"analysis_ms\":%.2f,", d->image->analysis_ms);
	writer_puts(writer, "\"sites\":[");
	for (size_t i = 0; i < d->image->table.count; i++) {
		writer_puts(writer, i ? "," : "");
		site_json(writer, d, &d->image->table.at[i]);
	}
	writer_puts(writer, "],\"usdt\":[");
	for (size_t i = 0; i < d->usdt_count; i++)
		writer_printf(writer, "%s{\"name\":\"%s\",\"address\":\"0x%llx\"}", i ? "," : "",
			      d->usdt[i].name, (unsigned long long)d->usdt[i].addr);
	writer_printf(writer, "],\"verdict\":\"%s\",\"missing\":[", verdict(d));
	for (size_t i = 0; i < d->missing_count; i++)
		writer_printf(writer, "%s\"%s\"", i ? "," : "", d->missing[i]);
	writer_puts(writer, "]}\n");
}
