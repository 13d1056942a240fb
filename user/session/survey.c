// SPDX-License-Identifier: MIT
#include "session/survey.h"

#include <errno.h>
#include <string.h>

#include "python/generator.h"
#include "session/internal.h"
#include "session/view.h"
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
	struct process_view view;
	struct generator found;
	int err = process_view_open(&session->images, pid, CACHE_BYTES, &view, why);

	if (err)
		return err;
	err = generator_read(&view.remote, gen, &found);
	if (!err)
		*instruction = found.instruction;
	process_view_close(&view);
	return err;
}
