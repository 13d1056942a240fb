// SPDX-License-Identifier: MIT
#include "session/survey.h"

#include <errno.h>
#include <string.h>

#include "python/generator.h"
#include "session/internal.h"
#include "target/clock.h"

#define CACHE_BYTES (64u << 10) /* one object is read */

int session_survey(struct session *session, struct survey *survey)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = survey, .ctx_size_in = sizeof(*survey));

	survey->now_ns = clock_now_ns();
	survey->number = ++session->surveys;
	if (!survey->begin_ns)
		survey->begin_ns = session->begin_ns;
	return bpf_prog_test_run_opts(bpf_program__fd(session->skeleton->progs.survey_objects),
				      &options);
}

int session_survey_counts(const struct session *session, uint32_t code, struct survey_counts *out)
{
	int err = bpf_map__lookup_elem(session->skeleton->maps.surveyed, &code, sizeof(code), out,
				       sizeof(*out), 0);

	return !err && out->number == session->surveys ? 0 : -ENOENT;
}

int session_instruction(struct session *session, pid_t pid, uint64_t gen, uint32_t *instruction)
{
	char why[IMAGE_WHY_MAX];
	struct memory *memory = NULL;
	struct remote remote = {};
	struct generator found;
	struct image_file *image;
	uint64_t bias;
	int err = images_of_process(&session->images, pid, &image, why);

	if (!err)
		err = image_bias(image, pid, &bias);
	if (!err)
		err = memory_open_process(pid, CACHE_BYTES, &memory);
	if (!err)
		err = remote_open(&remote, &image->interpreter, bias, memory, why);
	if (!err)
		err = generator_read(&remote, gen, &found);
	if (!err)
		*instruction = found.instruction;
	remote_close(&remote);
	memory_close(memory);
	return err;
}
