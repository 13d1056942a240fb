// SPDX-License-Identifier: MIT
#include "session/survey.h"

#include <errno.h>
#include <string.h>

#include "session/internal.h"
#include "target/clock.h"

int session_survey(struct session *session, struct survey *survey)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = survey, .ctx_size_in = sizeof(*survey));
	struct genscope_bpf__bss *bss = session->skeleton->bss;

	survey->now_ns = clock_now_ns();
	if (!survey->begin_ns)
		survey->begin_ns = session->begin_ns;
	if (survey->flags & SURVEY_COUNT)
		memset(bss->survey_counts, 0, sizeof(bss->survey_counts));
	return bpf_prog_test_run_opts(bpf_program__fd(session->skeleton->progs.survey_objects),
				      &options);
}

int session_survey_counts(const struct session *session, uint32_t code, struct survey_counts *out)
{
	const struct genscope_bpf__bss *bss = session->skeleton->bss;

	if (code >= sizeof(bss->survey_counts) / sizeof(bss->survey_counts[0]))
		return -ENOENT;
	memcpy(out, &bss->survey_counts[code], sizeof(*out));
	return 0;
}
