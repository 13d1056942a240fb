// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/exporter.h"
#include "model/histogram.h"

#define MS 1000000ull

/* What BPF would have for a code object. */
static void steps(struct distributions *times, unsigned count, uint64_t ns)
{
	for (unsigned i = 0; i < count; i++)
		histogram_record(&times->metric[METRIC_RUN], ns);
	times->to[STATE_RUNNING] += count;
}

static void add(struct exporter *exporter, uint32_t code, uint32_t pid, const char *service,
		const char *qualname)
{
	cr_assert_eq(
		exporter_add(exporter, code, pid, service, KIND_COROUTINE, "app.py", qualname, 100),
		0);
}

static const struct exporter_series *find(const struct exporter_page *page, const char *service,
					  const char *function)
{
	for (size_t i = 0; i < page->count; i++)
		if (!strcmp(page->at[i].service, service) &&
		    !strcmp(page->at[i].function, function))
			return &page->at[i];
	return NULL;
}

static uint64_t running(const struct exporter_page *page, const char *service, const char *function)
{
	const struct exporter_series *series = find(page, service, function);

	cr_assert(series, "no series %s of %s", function, service);
	return series->counts.to[STATE_RUNNING];
}

static uint64_t all_running(const struct exporter_page *page)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < page->count; i++)
		sum += page->at[i].counts.to[STATE_RUNNING];
	return sum;
}

static struct exporter *begin(size_t max_series)
{
	struct exporter *exporter;

	cr_assert_eq(exporter_new(max_series, &exporter), 0);
	return exporter;
}

/* A scrape, and what its page was. */
static struct exporter_page scrape(struct exporter *exporter)
{
	struct exporter_page page;

	exporter_promote(exporter, 1000);
	cr_assert_eq(exporter_collect(exporter, &page), 0);
	return page;
}

static void end(struct exporter *exporter, struct exporter_page *page)
{
	free(page->at);
	exporter_free(exporter);
}

Test(exporter, sums_functions_over_processes_of_a_service)
{
	struct exporter *exporter = begin(10);
	struct distributions a = {}, b = {}, c = {};
	struct exporter_page page;

	add(exporter, 1, 11, "shop", "f");
	add(exporter, 2, 12, "shop", "f");
	add(exporter, 3, 13, "mail", "f");
	steps(&a, 5, 2 * MS);
	steps(&b, 7, 3 * MS);
	steps(&c, 1, MS);
	exporter_read(exporter, 1, &a, &UNSEEN_NOTHING);
	exporter_read(exporter, 2, &b, &UNSEEN_NOTHING);
	exporter_read(exporter, 3, &c, &UNSEEN_NOTHING);
	page = scrape(exporter);
	cr_expect_eq(running(&page, "shop", "app.py:f"), 12);
	cr_expect_eq(running(&page, "mail", "app.py:f"), 1);
	cr_expect_eq(running(&page, "shop", "other"), 0);
	cr_expect_eq(find(&page, "shop", "app.py:f")->counts.times[EXPORTER_RUN].sum_ns,
		     5 * 2 * MS + 7 * 3 * MS);
	end(exporter, &page);
}

Test(exporter, takes_readings_as_sums)
{
	struct exporter *exporter = begin(10);
	struct distributions times = {};
	struct exporter_page page;

	add(exporter, 1, 11, "shop", "f");
	for (unsigned round = 1; round <= 3; round++) {
		steps(&times, 4, MS);
		times.never_awaited = times.slow = round;
		exporter_read(exporter, 1, &times, &UNSEEN_NOTHING);
		exporter_read(exporter, 1, &times, &UNSEEN_NOTHING); /* nothing new */
		page = scrape(exporter);
		cr_expect_eq(running(&page, "shop", "app.py:f"), 4 * round);
		cr_expect_eq(find(&page, "shop", "app.py:f")->counts.slow, round);
		cr_expect_eq(find(&page, "shop", "app.py:f")->counts.never_awaited, round);
		if (round < 3)
			free(page.at);
	}
	end(exporter, &page);
}

Test(exporter, survives_buckets_of_32_bits_that_wrap)
{
	struct exporter *exporter = begin(10);
	struct distributions times = {};
	uint32_t bucket = histogram_bucket(MS);
	uint64_t expected = 0, counted = 0;
	struct exporter_page page;

	add(exporter, 1, 11, "shop", "f");
	times.to[STATE_RUNNING] = 1;
	for (int i = 0; i < 5; i++) {
		times.metric[METRIC_RUN].buckets[bucket] += 0xc0000000u; /* wraps */
		expected += 0xc0000000u;
		exporter_read(exporter, 1, &times, &UNSEEN_NOTHING);
	}
	page = scrape(exporter);
	for (unsigned i = 0; i <= EXPONENTIAL_BOUNDS; i++)
		counted += find(&page, "shop", "app.py:f")->counts.times[EXPORTER_RUN].counts[i];
	cr_expect_eq(counted, expected);
	end(exporter, &page);
}

Test(exporter, gives_series_to_those_that_are_used_most)
{
	struct exporter *exporter = begin(2);
	struct distributions times[4] = {};
	struct exporter_page page;
	static const char *const names[] = { "rare", "often", "most", "never" };
	static const unsigned uses[] = { 1, 10, 100, 0 };

	for (uint32_t i = 0; i < 4; i++) {
		add(exporter, i + 1, 11, "shop", names[i]);
		steps(&times[i], uses[i], MS);
		exporter_read(exporter, i + 1, &times[i], &UNSEEN_NOTHING);
	}
	page = scrape(exporter);
	cr_expect_eq(page.count, 3, "two, and the rest");
	cr_expect_eq(running(&page, "shop", "app.py:most"), 100);
	cr_expect_eq(running(&page, "shop", "app.py:often"), 10);
	cr_expect_eq(running(&page, "shop", "other"), 1);
	cr_expect_eq(exporter_overflow(exporter), 1, "one that was used and found no room");
	cr_expect_str_eq(page.at[page.count - 1].function, "other", "last of its service");
	end(exporter, &page);
}

/* A function that was in "other" gets room: no counter goes down, and nothing is counted twice. */
Test(exporter, moves_no_counts_that_were_published)
{
	struct exporter *exporter = begin(1);
	struct distributions first = {}, second = {};
	struct exporter_page page;

	add(exporter, 1, 11, "shop", "first");
	add(exporter, 2, 12, "shop", "second");
	steps(&first, 50, MS);
	steps(&second, 7, MS);
	exporter_read(exporter, 1, &first, &UNSEEN_NOTHING);
	exporter_read(exporter, 2, &second, &UNSEEN_NOTHING);
	page = scrape(exporter);
	cr_expect_eq(running(&page, "shop", "other"), 7);
	cr_expect_eq(all_running(&page), 57);
	free(page.at);
	exporter_scraped(exporter);

	exporter_remove(exporter, 11, NULL, NULL); /* its series is free after one more scrape */
	page = scrape(exporter);
	cr_expect_eq(running(&page, "shop", "app.py:first"), 50, "one last time");
	free(page.at);
	exporter_scraped(exporter);

	steps(&second, 3, MS);
	exporter_read(exporter, 2, &second, &UNSEEN_NOTHING);
	page = scrape(exporter);
	cr_expect_null(find(&page, "shop", "app.py:first"));
	cr_expect_eq(running(&page, "shop", "other"), 10, "all that was in there before it moved");
	cr_expect_eq(running(&page, "shop", "app.py:second"), 0);
	cr_expect_eq(find(&page, "shop", "app.py:second")->created_ns, 1000);
	free(page.at);
	steps(&second, 2, MS);
	exporter_read(exporter, 2, &second, &UNSEEN_NOTHING);
	page = scrape(exporter);
	cr_expect_eq(running(&page, "shop", "other"), 10);
	cr_expect_eq(running(&page, "shop", "app.py:second"), 2);
	end(exporter, &page);
}

Test(exporter, drops_services_that_have_gone)
{
	struct exporter *exporter = begin(10);
	struct distributions times = {};
	struct exporter_page page;

	add(exporter, 1, 11, "shop", "f");
	steps(&times, 1, MS);
	exporter_read(exporter, 1, &times, &UNSEEN_NOTHING);
	cr_assert_eq(exporter_add_gc(exporter, "shop", MS, 5), 0);
	page = scrape(exporter);
	free(page.at);
	exporter_scraped(exporter);
	exporter_remove(exporter, 11, NULL, NULL);
	page = scrape(exporter);
	cr_expect_eq(page.count, 2);
	cr_expect_eq(page.gc_count, 1);
	free(page.at);
	exporter_scraped(exporter);
	page = scrape(exporter);
	cr_expect_eq(page.count, 0);
	cr_expect_eq(page.gc_count, 0);
	end(exporter, &page);
}

/* Hundreds of processes that come and go leave nothing behind, and "other" never goes down. */
Test(exporter, stays_bounded_and_monotonic)
{
	struct exporter *exporter = begin(3);
	uint64_t before = 0, total = 0;
	struct exporter_page page = {};
	struct distributions keeper = {};

	add(exporter, 1, 1, "shop", "keeper");
	for (uint32_t i = 2; i < 500; i++) {
		struct distributions times = {};
		char name[32];

		snprintf(name, sizeof(name), "f%u", i % 50);
		add(exporter, i, i, "shop", name);
		steps(&times, i % 7 + 1, MS);
		steps(&keeper, 10, MS);
		total += i % 7 + 1;
		exporter_read(exporter, i, &times, &UNSEEN_NOTHING);
		exporter_read(exporter, 1, &keeper, &UNSEEN_NOTHING);
		if (i % 3 == 0) {
			free(page.at);
			page = scrape(exporter);
			cr_assert_leq(page.count, 4);
			cr_assert_geq(running(&page, "shop", "other"), before);
			before = running(&page, "shop", "other");
			exporter_scraped(exporter);
		}
		exporter_remove(exporter, i, NULL, NULL);
	}
	cr_expect_leq(before, total);
	end(exporter, &page);
}

Test(exporter, estimates_what_probes_did_not_see)
{
	struct exporter *exporter = begin(3);
	const struct unseen_scale scale = { .outermost = 2, .inner = 7 };
	const struct exporter_series *series;
	struct distributions times = {};
	struct exporter_page page;

	add(exporter, 1, 1, "shop", "f");
	steps(&times, 100, MS);
	exporter_read(exporter, 1, &times, &UNSEEN_NOTHING);
	steps(&times, 100, MS);
	times.outermost += 50;
	times.to[STATE_CREATED] += 10;
	times.slow += 3;
	exporter_read(exporter, 1, &times, &scale);
	page = scrape(exporter);
	series = find(&page, "shop", "app.py:f");
	cr_expect_eq(running(&page, "shop", "app.py:f"), 100 + 50 * 2 + 50 * 7);
	cr_expect_eq(series->counts.times[EXPORTER_RUN].sum_ns, 550 * MS);
	cr_expect_eq(series->counts.to[STATE_CREATED], 10 * 7u,
		     "births are seen with all probes alone");
	cr_expect_eq(series->counts.slow, 3 * 2u, "slow steps are outermost ones");
	end(exporter, &page);
}

/* Many small readings add up to what they stand for, and no bucket to more than the whole. */
Test(exporter, estimates_without_a_bias)
{
	static const double scales[] = { 1.1, 1.4, 1.5, 2.3, 7.9 };

	for (size_t k = 0; k < sizeof(scales) / sizeof(scales[0]); k++) {
		const struct unseen_scale scale = { scales[k], scales[k] };
		struct exporter *exporter = begin(3);
		struct distributions times = {};
		struct exporter_page page;
		const int readings = 4000;

		add(exporter, 1, 1, "shop", "f");
		for (int i = 0; i < readings; i++) {
			steps(&times, 1, MS);
			exporter_read(exporter, 1, &times, &scale);
		}
		page = scrape(exporter);
		/* five standard deviations of so many throws */
		cr_expect_float_eq((double)running(&page, "shop", "app.py:f"), readings * scales[k],
				   5 * 32, "scale %.1f", scales[k]);
		end(exporter, &page);
	}
}

Test(exporter, counts_objects_by_state)
{
	struct exporter *exporter = begin(5);
	struct survey_counts counts = { .objects = { [STATE_CREATED] = 1, [STATE_SUSPENDED] = 4 },
					.suspended_ns = 77 };
	struct exporter_page page;

	add(exporter, 1, 1, "shop", "f");
	add(exporter, 2, 2, "shop", "f");
	for (int round = 0; round < 2; round++) {
		exporter_begin_objects(exporter);
		exporter_set_objects(exporter, 1, &counts);
		counts.suspended_ns = 55;
		exporter_set_objects(exporter, 2, &counts);
		exporter_set_objects(exporter, 99, &counts); /* nobody's */
		counts.suspended_ns = 77;
	}
	page = scrape(exporter);
	cr_expect_eq(find(&page, "shop", "app.py:f")->objects.count[STATE_SUSPENDED], 8);
	cr_expect_eq(find(&page, "shop", "app.py:f")->objects.count[STATE_CREATED], 2);
	cr_expect_eq(find(&page, "shop", "app.py:f")->objects.suspended_since_ns, 55);
	end(exporter, &page);
}

Test(exporter, publishes_objects_of_processes_without_probes)
{
	struct exporter *exporter = begin(5);
	struct exporter_page page;

	exporter_begin_objects(exporter);
	cr_assert_eq(exporter_add_objects(exporter, "shop", KIND_GENERATOR, "a.py", "g",
					  STATE_SUSPENDED, 12, 0, 50),
		     0);
	page = scrape(exporter);
	cr_expect_eq(find(&page, "shop", "a.py:g")->objects.count[STATE_SUSPENDED], 12);
	free(page.at);
	exporter_scraped(exporter);
	exporter_begin_objects(exporter); /* and not told again */
	page = scrape(exporter);
	free(page.at);
	exporter_scraped(exporter);
	page = scrape(exporter);
	cr_expect_eq(page.count, 0);
	end(exporter, &page);
}

Test(exporter, keeps_the_last_slow_step)
{
	struct exporter *exporter = begin(5);
	struct distributions times = {
		.slow = 1, .slow_id = 9, .slow_run_ns = 5, .slow_at_ns = 70
	};
	struct exporter_page page;

	add(exporter, 1, 1, "shop", "f");
	add(exporter, 2, 2, "shop", "f");
	steps(&times, 1, MS);
	exporter_read(exporter, 1, &times, &UNSEEN_NOTHING);
	times.slow_id = 3;
	times.slow_at_ns = 60;
	exporter_read(exporter, 2, &times, &UNSEEN_NOTHING);
	page = scrape(exporter);
	cr_expect_eq(find(&page, "shop", "app.py:f")->slow.id, 9);
	cr_expect_eq(find(&page, "shop", "app.py:f")->counts.slow, 2);
	end(exporter, &page);
}

Test(exporter, knows_news)
{
	struct exporter *exporter = begin(5);

	cr_expect_not(exporter_is_news(exporter, 1, 7), "nobody has added it");
	add(exporter, 1, 1, "shop", "f");
	add(exporter, 2, 1, "shop", "g");
	cr_expect_not(exporter_is_news(exporter, 1, 0), "nothing has happened");
	cr_expect(exporter_is_news(exporter, 1, 7));
	cr_expect_not(exporter_is_news(exporter, 1, 7));
	cr_expect(exporter_is_news(exporter, 2, 7), "each for itself");
	cr_expect(exporter_is_news(exporter, 1, 3),
		  "a slot that others use, too, may have wrapped");
	exporter_free(exporter);
}

Test(exporter, refuses_nonsense)
{
	struct exporter *exporter = begin(5);
	struct distributions times = {};

	cr_expect_eq(exporter_add(exporter, 0, 1, "s", KIND_COROUTINE, "f", "q", 0), -EINVAL);
	cr_expect_eq(exporter_add(exporter, 1, 1, "s", KIND_NONE, "f", "q", 0), -EINVAL);
	exporter_read(exporter, 5, &times, &UNSEEN_NOTHING); /* nobody's */
	exporter_free(exporter);
	exporter_free(NULL);
}
