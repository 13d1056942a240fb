// SPDX-License-Identifier: MIT
#include "sink/prometheus.h"

#include <stdio.h>
#include <string.h>

#include "model/names.h"

#define ESTIMATED                                                                                  \
	" Estimated: to keep --max-overhead not all is seen all the time; what is counted stands " \
	"for the rest."

#define LABELS_MAX 5
#define HELP_BYTES 512

/* What all families share. */
struct page {
	struct exposition out;
	const struct prometheus_self *self;
	const struct exporter_page *series;
	uint64_t bounds[EXPONENTIAL_BOUNDS];
	struct exposition_family family; /* the one that is written */
	char help[HELP_BYTES];
};

static uint64_t realtime(const struct page *page, uint64_t monotonic_ns)
{
	return monotonic_ns ? monotonic_ns + (uint64_t)page->self->realtime_offset_ns : 0;
}

static void begin_family(struct page *page, const char *name, enum exposition_type type,
			 const char *unit, const char *help, bool sampled)
{
	page->family = (struct exposition_family){
		.name = name, .type = type, .unit = unit, .help = page->help
	};
	snprintf(page->help, sizeof(page->help), "%s%s", help,
		 sampled && page->self->estimated ? ESTIMATED : "");
	exposition_family(&page->out, &page->family);
}

/* service, kind and what else is given; a function of "other" has no kind if it is of all. */
static struct exposition_labels labels_of(const struct exporter_series *series,
					  struct exposition_label at[LABELS_MAX], bool function)
{
	size_t count = 0;

	at[count++] = (struct exposition_label){ "service", series->service };
	at[count++] = (struct exposition_label){ "kind", series->kind ? name_of_kind(series->kind) :
									"other" };
	if (function)
		at[count++] = (struct exposition_label){ "function", series->function };
	return (struct exposition_labels){ at, count };
}

static const char *word_of_state(unsigned state)
{
	static const char *const words[STATE_COUNT] = { "freed", "created", "running", "suspended",
							"closed" };

	return words[state];
}

/* --- gauges of objects --- */

static void put_objects(struct page *page, const struct exporter_series *series,
			const uint64_t count[STATE_COUNT], bool function)
{
	struct exposition_label at[LABELS_MAX];
	struct exposition_labels labels = labels_of(series, at, function);

	labels.count++;
	for (unsigned state = STATE_CREATED; state < STATE_COUNT; state++) {
		at[labels.count - 1] = (struct exposition_label){ "state", word_of_state(state) };
		exposition_gauge(&page->out, &labels, (double)count[state]);
	}
}

static size_t group_end(const struct exporter_page *series, size_t first)
{
	size_t end = first + 1;

	while (end < series->count && series->at[end].kind == series->at[first].kind &&
	       !strcmp(series->at[end].service, series->at[first].service))
		end++;
	return end;
}

static void put_object_sums(struct page *page)
{
	const struct exporter_page *series = page->series;

	begin_family(page, "genscope_objects", EXPOSITION_GAUGE, NULL,
		     "Generators, coroutines and async generators alive, by state.", false);
	for (size_t first = 0, end; first < series->count; first = end) {
		uint64_t sums[STATE_COUNT] = {};

		end = group_end(series, first);
		for (size_t i = first; i < end; i++)
			for (int state = 0; state < STATE_COUNT; state++)
				sums[state] += series->at[i].objects.count[state];
		put_objects(page, &series->at[first], sums, false);
	}
}

static void put_function_objects(struct page *page)
{
	begin_family(page, "genscope_function_objects", EXPOSITION_GAUGE, NULL,
		     "Objects alive by function and state; functions beyond --max-series are "
		     "function=\"other\".",
		     false);
	for (size_t i = 0; i < page->series->count; i++)
		put_objects(page, &page->series->at[i], page->series->at[i].objects.count, true);
}

/* 0: nothing is suspended. A suspension may have begun after the page's time was taken: that is not nothing. */
static uint64_t age_of(uint64_t since_ns, uint64_t now_ns)
{
	if (!since_ns)
		return 0;
	return since_ns < now_ns ? now_ns - since_ns : 1;
}

static void put_oldest(struct page *page)
{
	begin_family(page, "genscope_oldest_suspended_seconds", EXPOSITION_GAUGE, "seconds",
		     "Age of the longest suspension that has not ended; 0 when nothing is "
		     "suspended. Where probes are off: at least so long, counted from when the "
		     "process last ran.",
		     false);
	for (size_t i = 0; i < page->series->count; i++) {
		const struct exporter_series *series = &page->series->at[i];
		uint64_t age_ns = age_of(series->objects.suspended_since_ns, page->self->now_ns);
		struct exposition_label at[LABELS_MAX];
		struct exposition_labels labels = labels_of(series, at, true);

		exposition_gauge(&page->out, &labels, (double)age_ns / 1e9);
	}
}

/* --- counters and histograms of functions --- */

static void put_transitions(struct page *page)
{
	const struct exporter_page *series = page->series;

	begin_family(page, "genscope_transitions", EXPOSITION_COUNTER, NULL,
		     "State changes, by the state they led to.", true);
	for (size_t first = 0, end; first < series->count; first = end) {
		struct exposition_label at[LABELS_MAX];
		struct exposition_labels labels = labels_of(&series->at[first], at, false);
		uint64_t sums[STATE_COUNT] = {}, created_ns = series->at[first].created_ns;

		end = group_end(series, first);
		for (size_t i = first; i < end; i++) {
			if (series->at[i].created_ns < created_ns)
				created_ns = series->at[i].created_ns;
			for (int state = 0; state < STATE_COUNT; state++)
				sums[state] += series->at[i].counts.to[state];
		}
		labels.count++;
		for (unsigned state = STATE_NONE; state < STATE_COUNT; state++) {
			at[labels.count - 1] =
				(struct exposition_label){ "to", word_of_state(state) };
			exposition_counter(&page->out, &labels, sums[state],
					   realtime(page, created_ns), NULL);
		}
	}
}

/* The bucket that a duration falls into. */
static size_t bucket_of(const struct page *page, uint64_t ns)
{
	size_t bucket = 0;

	while (bucket < EXPONENTIAL_BOUNDS && ns >= page->bounds[bucket])
		bucket++;
	return bucket;
}

static void put_histogram(struct page *page, const struct exporter_series *series,
			  const struct exponential *times, bool exemplars)
{
	uint64_t cumulative[EXPONENTIAL_BOUNDS + 1];
	const struct exposition_exemplar *at_bucket[EXPONENTIAL_BOUNDS + 1] = {};
	struct exposition_label at[LABELS_MAX], about[2];
	struct exposition_labels labels = labels_of(series, at, true);
	struct exposition_exemplar exemplar = { .labels = { about, 2 },
						.value_ns = series->slow.run_ns,
						.time_ns = realtime(page, series->slow.at_ns) };
	struct exposition_histogram histogram = { .bounds = EXPONENTIAL_BOUNDS,
						  .bounds_ns = page->bounds,
						  .cumulative = cumulative,
						  .sum_ns = times->sum_ns };
	char id[24], position[24];

	exponential_cumulate(times, cumulative);
	if (exemplars && series->slow.id) {
		snprintf(id, sizeof(id), "%llu", (unsigned long long)series->slow.id);
		snprintf(position, sizeof(position), "%llu",
			 (unsigned long long)series->slow.at_ns);
		about[0] = (struct exposition_label){ "gen_id", id };
		about[1] = (struct exposition_label){ "ts_ns", position };
		at_bucket[bucket_of(page, series->slow.run_ns)] = &exemplar;
		histogram.exemplars = at_bucket;
	}
	exposition_histogram(&page->out, &labels, &histogram, realtime(page, series->created_ns));
}

static void put_times(struct page *page)
{
	static const struct {
		const char *name, *help;
	} families[EXPORTER_METRICS] = {
		[EXPORTER_RUN] = { "genscope_run_seconds",
				   "Steps: from resumed until suspended or ended, with what was "
				   "awaited inside." },
		[EXPORTER_SUSPENDED] = { "genscope_suspended_seconds",
					 "Waits: from suspended until resumed or closed." },
		[EXPORTER_START] = { "genscope_start_delay_seconds",
				     "From creation to the first step." },
		[EXPORTER_LIFETIME] = { "genscope_lifetime_seconds", "From creation to the end." },
	};

	for (int i = 0; i < EXPORTER_METRICS; i++) {
		begin_family(page, families[i].name, EXPOSITION_HISTOGRAM, "seconds",
			     families[i].help, true);
		for (size_t k = 0; k < page->series->count; k++)
			put_histogram(page, &page->series->at[k],
				      &page->series->at[k].counts.times[i], i == EXPORTER_RUN);
	}
}

static void put_slow_steps(struct page *page)
{
	begin_family(page, "genscope_slow_steps", EXPOSITION_COUNTER, NULL,
		     "Steps that held their thread for --over or longer, of what an event loop or "
		     "other code drives.",
		     true);
	for (size_t i = 0; i < page->series->count; i++) {
		const struct exporter_series *series = &page->series->at[i];
		struct exposition_label at[LABELS_MAX];
		struct exposition_labels labels = labels_of(series, at, true);

		exposition_counter(&page->out, &labels, series->counts.slow,
				   realtime(page, series->created_ns), NULL);
	}
}

static void put_never_awaited(struct page *page)
{
	begin_family(page, "genscope_never_awaited", EXPOSITION_COUNTER, NULL,
		     "Coroutines that ended without having begun, and were not closed.", true);
	for (size_t i = 0; i < page->series->count; i++) {
		const struct exporter_series *series = &page->series->at[i];
		const struct exposition_label at[] = { { "service", series->service },
						       { "function", series->function } };
		const struct exposition_labels labels = { at, 2 };

		if (series->kind == KIND_COROUTINE)
			exposition_counter(&page->out, &labels, series->counts.never_awaited,
					   realtime(page, series->created_ns), NULL);
	}
}

static void put_gc(struct page *page)
{
	begin_family(page, "genscope_gc_pause_seconds", EXPOSITION_HISTOGRAM, "seconds",
		     "Collections of the cyclic garbage collector, of interpreters that tell of "
		     "them (--with-dtrace).",
		     false);
	for (size_t i = 0; i < page->series->gc_count; i++) {
		const struct exporter_gc *gc = &page->series->gc[i];
		uint64_t cumulative[EXPONENTIAL_BOUNDS + 1];
		const struct exposition_label at[] = { { "service", gc->service } };
		const struct exposition_labels labels = { at, 1 };
		const struct exposition_histogram histogram = { .bounds = EXPONENTIAL_BOUNDS,
								.bounds_ns = page->bounds,
								.cumulative = cumulative,
								.sum_ns = gc->pauses.sum_ns };

		exponential_cumulate(&gc->pauses, cumulative);
		exposition_histogram(&page->out, &labels, &histogram,
				     realtime(page, gc->created_ns));
	}
}

/* --- of the exporter itself --- */

static const struct exposition_labels no_labels = { NULL, 0 };

static void put_counter(struct page *page, const char *name, const char *help, uint64_t value)
{
	begin_family(page, name, EXPOSITION_COUNTER, NULL, help, false);
	exposition_counter(&page->out, &no_labels, value, realtime(page, page->self->start_ns),
			   NULL);
}

static void put_gauge(struct page *page, const char *name, const char *help, double value)
{
	begin_family(page, name, EXPOSITION_GAUGE, NULL, help, false);
	exposition_gauge(&page->out, &no_labels, value);
}

static void put_lost(struct page *page)
{
	const struct loss *lost = &page->self->lost;
	const struct {
		const char *reason;
		uint64_t count;
	} reasons[] = { { "ring", lost->ring },
			{ "map_full", lost->map_full },
			{ "fault", lost->fault } };

	begin_family(page, "genscope_events_lost", EXPOSITION_COUNTER, NULL,
		     "Events that were seen and could not be counted.", false);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const struct exposition_label at[] = { { "reason", reasons[i].reason } };
		const struct exposition_labels labels = { at, 1 };

		exposition_counter(&page->out, &labels, reasons[i].count,
				   realtime(page, page->self->start_ns), NULL);
	}
}

static void put_targets(struct page *page)
{
	begin_family(page, "genscope_targets", EXPOSITION_GAUGE, NULL,
		     "Processes that run CPython, by what becomes of them here.", false);
	for (size_t i = 0; i < page->self->status_count; i++) {
		const struct exposition_label at[] = { { "status",
							 page->self->statuses[i].status } };
		const struct exposition_labels labels = { at, 1 };

		exposition_gauge(&page->out, &labels, (double)page->self->statuses[i].targets);
	}
}

static void put_build(struct page *page)
{
	const struct exposition_label at[] = { { "version", page->self->version },
					       { "revision", page->self->revision } };
	const struct exposition_labels labels = { at, 2 };

	begin_family(page, "genscope_build_info", EXPOSITION_GAUGE, NULL, "1, and which genscope.",
		     false);
	exposition_gauge(&page->out, &labels, 1);
}

static void put_self(struct page *page)
{
	const struct prometheus_self *self = page->self;

	put_lost(page);
	put_counter(page, "genscope_anomalies",
		    "State changes that cannot be: something was missed or misread.",
		    self->anomalies);
	put_counter(page, "genscope_series_overflow",
		    "Functions without a series of their own, because of --max-series.",
		    self->overflow);
	put_counter(page, "genscope_probe_hits", "Traps taken in targets.", self->hits);
	begin_family(page, "genscope_probe_seconds", EXPOSITION_COUNTER, "seconds",
		     "Processor time that traps have cost the targets, by the price of one that "
		     "was measured at the start.",
		     false);
	exposition_counter(&page->out, &no_labels, (uint64_t)(self->probe_seconds * 1e9),
			   realtime(page, self->start_ns), NULL);
	put_gauge(page, "genscope_duty_ratio",
		  "Part of the targets' time with all probes on, of late; less than 1 under "
		  "--max-overhead.",
		  self->duty_ratio);
	put_gauge(page, "genscope_state_map_entries", "Objects in the state map.",
		  (double)self->state_map_entries);
	put_targets(page);
	put_gauge(page, "genscope_up", "1: the exporter works.", self->up);
	put_build(page);
}

int prometheus_page(enum exposition_format format, const struct prometheus_self *self,
		    const struct exporter_page *series, struct buffer *out)
{
	struct page page = { .self = self, .series = series };

	for (unsigned i = 0; i < EXPONENTIAL_BOUNDS; i++)
		page.bounds[i] = exponential_bound(i);
	exposition_begin(&page.out, format, out);
	put_object_sums(&page);
	put_function_objects(&page);
	put_oldest(&page);
	if (self->probes) {
		put_transitions(&page);
		put_times(&page);
		put_slow_steps(&page);
		put_never_awaited(&page);
		put_gc(&page);
	}
	put_self(&page);
	return exposition_end(&page.out);
}
