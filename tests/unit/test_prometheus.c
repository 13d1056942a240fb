/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "object.h"
#include "sink/prometheus.h"

/* The page of `export`, from series and counts that are made up. */

#define SECOND     1000000000ull
#define SERIES_MAX 4

static const struct prometheus_status statuses[] = { { "traced", 3 }, { "paused", 0 } };
static const struct prometheus_self self = { .lost = { .ring = 5, .fault = 7 },
					     .hits = 1000,
					     .probe_seconds = 0.25,
					     .duty_ratio = 0.5,
					     .state_map_entries = 17,
					     .statuses = statuses,
					     .status_count = 2,
					     .up = true,
					     .version = "1.2.3",
					     .revision = "abc",
					     .now_ns = 100 * SECOND,
					     .start_ns = SECOND,
					     .probes = true };

/* The caller frees it. */
static char *page_of(const struct prometheus_self *of, struct exporter_series *at, size_t count)
{
	struct exporter_page series = { .at = at, .count = count };
	struct buffer out = {};

	cr_assert_eq(prometheus_page(EXPOSITION_TEXT, of, &series, &out), 0);
	return out.text;
}

/* The value after this name and these labels, as it is written. "" where there is no such line. */
static const char *value(const char *page, const char *sample)
{
	static char out[64];
	const char *at = page;

	*out = 0;
	while ((at = strstr(at, sample))) {
		if ((at == page || at[-1] == '\n') && at[strlen(sample)] == ' ') {
			sscanf(at + strlen(sample), " %63[^\n]", out);
			return out;
		}
		at++;
	}
	return out;
}

static struct exporter_series series_of(const char *function, uint64_t suspended_since_ns)
{
	return (struct exporter_series){
		.service = "shop",
		.function = function,
		.kind = KIND_COROUTINE,
		.objects = { .suspended_since_ns = suspended_since_ns },
	};
}

#define OLDEST(function)                                                                           \
	"genscope_oldest_suspended_seconds{service=\"shop\",kind=\"coroutine\",function="          \
	"\"" function "\"}"

Test(prometheus, tells_the_age_of_the_oldest)
{
	struct exporter_series at[SERIES_MAX] = { series_of("none", 0),
						  series_of("old", 60 * SECOND),
						  series_of("now", 100 * SECOND),
						  series_of("later", 100 * SECOND + 5000) };
	char *page = page_of(&self, at, SERIES_MAX);

	cr_expect_str_eq(value(page, OLDEST("none")), "0");
	cr_expect_str_eq(value(page, OLDEST("old")), "40");
	/* suspended between the look at the clock and that at the objects */
	cr_expect_float_eq(atof(value(page, OLDEST("now"))), 1e-9, 1e-12);
	cr_expect_float_eq(atof(value(page, OLDEST("later"))), 1e-9, 1e-12);
	free(page);
}

#define OBJECTS(state) "genscope_objects{service=\"shop\",kind=\"coroutine\",state=\"" state "\"}"

Test(prometheus, adds_up_the_objects_of_functions)
{
	struct exporter_series at[] = { series_of("f", 0), series_of("g", 0) };
	char *page;

	at[0].objects.count[STATE_SUSPENDED] = 2;
	at[1].objects.count[STATE_SUSPENDED] = 40;
	at[1].objects.count[STATE_CREATED] = 1;
	page = page_of(&self, at, 2);
	cr_expect_str_eq(value(page, OBJECTS("suspended")), "42");
	cr_expect_str_eq(value(page, OBJECTS("created")), "1");
	cr_expect_str_eq(value(page, OBJECTS("running")), "0");
	free(page);
}

Test(prometheus, tells_of_the_exporter)
{
	char *page = page_of(&self, NULL, 0);

	cr_expect_str_eq(value(page, "genscope_events_lost_total{reason=\"ring\"}"), "5");
	cr_expect_str_eq(value(page, "genscope_events_lost_total{reason=\"fault\"}"), "7");
	cr_expect_str_eq(value(page, "genscope_targets{status=\"traced\"}"), "3");
	cr_expect_str_eq(value(page, "genscope_targets{status=\"paused\"}"), "0");
	cr_expect_str_eq(value(page, "genscope_probe_hits_total"), "1000");
	cr_expect_str_eq(value(page, "genscope_probe_seconds_total"), "0.25");
	cr_expect_str_eq(value(page, "genscope_duty_ratio"), "0.5");
	cr_expect_str_eq(value(page, "genscope_state_map_entries"), "17");
	cr_expect_str_eq(value(page, "genscope_build_info{version=\"1.2.3\",revision=\"abc\"}"),
			 "1");
	free(page);
}

/* Does the HELP line of this metric say that its numbers are estimated? */
static bool is_marked(const char *page, const char *name)
{
	char begin[96], *line = strdup(page);
	bool marked = false;

	snprintf(begin, sizeof(begin), "# HELP %s ", name);
	for (char *at = strtok(line, "\n"); at; at = strtok(NULL, "\n"))
		if (!strncmp(at, begin, strlen(begin)))
			marked = strstr(at, "stimated") != NULL;
	free(line);
	return marked;
}

Test(prometheus, marks_what_is_estimated)
{
	struct prometheus_self estimated = self;
	struct exporter_series at[] = { series_of("f", 0) };
	char *page = page_of(&self, at, 1);

	cr_expect_not(is_marked(page, "genscope_transitions_total"));
	free(page);
	estimated.estimated = true;
	page = page_of(&estimated, at, 1);
	cr_expect(is_marked(page, "genscope_transitions_total"));
	cr_expect(is_marked(page, "genscope_run_seconds"));
	cr_expect_not(is_marked(page, "genscope_objects"), "those are counted in memory");
	cr_expect_not(is_marked(page, "genscope_probe_hits_total"), "those are counted");
	free(page);
}

Test(prometheus, has_no_counters_of_transitions_without_probes)
{
	struct prometheus_self memory_only = self;
	struct exporter_series at[] = { series_of("f", 60 * SECOND) };
	char *page;

	memory_only.probes = false;
	page = page_of(&memory_only, at, 1);
	cr_expect(!strstr(page, "genscope_transitions_total"));
	cr_expect(!strstr(page, "genscope_run_seconds"));
	cr_expect_str_eq(value(page, OLDEST("f")), "40");
	free(page);
}
