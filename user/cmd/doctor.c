// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/diagnosis.h"
#include "cmd/options.h"
#include "python/jit.h"
#include "target/process.h"

struct doctor {
	struct options options;
	const char *path; /* of a file to look at */
	struct features features;
	struct images images;
	struct writer writer;
};

static void add_missing(struct diagnosis *d, bool missing, const char *what)
{
	if (missing && d->missing_count < MISSING_MAX)
		d->missing[d->missing_count++] = what;
}

static int diagnose(struct doctor *doctor, const struct image_file *image, pid_t pid)
{
	const struct site_table *table = &image->table;
	struct diagnosis d = { .image = image, .features = &doctor->features, .pid = pid };
	int err;

	err = elf_file_usdt(image->elf, "python", &d.usdt, &d.usdt_count);
	if (err)
		return err;
	d.jit_on = pid && image->interpreter.jit_built && jit_is_on(pid);
	for (size_t i = 0; i < table->count; i++)
		d.stepped += table->at[i].site.stepped;
	add_missing(&d, !table->has_create, "births are not seen");
	add_missing(&d, !table->has_run, "resumes are not seen");
	add_missing(&d, !table->has_suspend, "suspensions are not seen");
	add_missing(&d, !table->has_close, "ends are not seen");
	add_missing(&d, !table->has_free, "frees are not seen");
	add_missing(&d, image->interpreter.tstate_access == TSTATE_NONE,
		    "via is less exact, the thread state was not found");
	add_missing(&d, d.jit_on, "the JIT is on, what it compiled is not seen");
	if (doctor->options.json)
		diagnosis_json(&doctor->writer, &d);
	else
		diagnosis_text(&doctor->writer, &d, doctor->options.verbose);
	free(d.usdt);
	return 0;
}

static int of_pid(struct doctor *doctor, pid_t pid)
{
	struct image_file *image;
	struct process_id id;
	char why[IMAGE_WHY_MAX];
	int err;

	if (process_identify(pid, &id)) {
		complain("pid %d: no such process", pid);
		return EXIT_NO_TARGET;
	}
	err = images_of_process(&doctor->images, pid, &image, why);
	if (err) {
		complain("pid %d: %s", pid, why);
		return exit_status_of(err);
	}
	return exit_status_of(diagnose(doctor, image, pid));
}

static int of_file(struct doctor *doctor, const char *path)
{
	struct image_file *image;
	char why[IMAGE_WHY_MAX];
	int err = images_of_executable(&doctor->images, path, &image, why);

	if (err) {
		complain("%s", why);
		return exit_status_of(err);
	}
	return exit_status_of(diagnose(doctor, image, 0));
}

/* Without a target: the kernel, and every CPython that runs. */
static int of_machine(struct doctor *doctor)
{
	char why[IMAGE_WHY_MAX], command[64];
	size_t count, found = 0;
	pid_t *pids;
	int err = process_list(&pids, &count);

	if (err)
		return exit_status_of(err);
	features_text(&doctor->writer, &doctor->features);
	writer_puts(&doctor->writer, "processes\n");
	for (size_t i = 0; i < count; i++) {
		struct image_file *image;

		err = images_of_process(&doctor->images, pids[i], &image, why);
		if (err && err != -ENOTSUP)
			continue;
		if (process_command(pids[i], command, sizeof(command)))
			continue;
		found++;
		if (err)
			writer_printf(&doctor->writer, "  %7d  no: %s  %s\n", pids[i], why,
				      command);
		else
			writer_printf(&doctor->writer, "  %7d  CPython %-8s %zu sites  %s\n",
				      pids[i], image->interpreter.version, image->table.count,
				      command);
	}
	if (!found)
		writer_puts(&doctor->writer,
			    "  no CPython runs here, or none that may be looked at\n");
	free(pids);
	return EXIT_DONE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *doctor = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &doctor->options;
		return 0;
	case 'p': {
		char *end;
		long pid = strtol(arg, &end, 10);

		if (*end || pid <= 0 || pid > INT32_MAX)
			return options_error(state, "--pid: '%s' is no process id", arg);
		doctor->options.pids[0] = (pid_t)pid;
		doctor->options.pid_count = 1;
		return 0;
	}
	case ARGP_KEY_ARG:
		if (doctor->path)
			return options_error(state, "'%s': one file at a time", arg);
		doctor->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (doctor->path && doctor->options.pid_count)
			return options_error(state, "a process or a file, not both");
		if (doctor->options.json && !doctor->path && !doctor->options.pid_count)
			return options_error(state, "--json wants -p PID or a file");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_option doctor_options[] = {
	{ "pid", 'p', "PID", 0, "the interpreter that this process runs", 1 },
	{ 0 },
};

static const struct argp_child children[] = { { &argp_output, 0, NULL, 0 }, { 0 } };

static const struct argp doctor_argp = {
	.options = doctor_options,
	.parser = parse,
	.args_doc = "[BINARY]",
	.doc = "Say what can be traced here, how, and what is missing.\v"
	       "BINARY is an interpreter's file, python3.13 or libpython3.13.so.1.0; no process "
	       "needs to "
	       "run it, and root is not needed. Without a target: the kernel, and every CPython "
	       "that "
	       "runs. The verdict is full, partial (and what is missing) or, with exit status 3 or "
	       "4, "
	       "none and why.",
	.children = children,
};

int cmd_doctor(int argc, char **argv)
{
	struct doctor doctor = { .options = { .command = "doctor" } };
	int status, err;

	argv[0] = "genscope doctor";
	status = options_parse(&doctor_argp, argc, argv, &doctor.options);
	if (status)
		return status;
	catch_signals();
	features_set_verbose(doctor.options.verbose);
	err = writer_open(&doctor.writer, doctor.options.output);
	if (err) {
		complain("%s: %s", doctor.options.output, strerror(-err));
		return EXIT_FAILED;
	}
	features_try(&doctor.features);
	if (doctor.options.pid_count)
		status = of_pid(&doctor, doctor.options.pids[0]);
	else if (doctor.path)
		status = of_file(&doctor, doctor.path);
	else
		status = of_machine(&doctor);
	status = close_output(&doctor.writer, doctor.options.output, status);
	images_free(&doctor.images);
	return status;
}
