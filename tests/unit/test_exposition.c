/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "http/negotiate.h"
#include "model/exponential.h"
#include "model/histogram.h"
#include "samples.h"
#include "sink/exposition.h"

/* Pages against the words of both formats' specifications; tests/http/ has Prometheus' own parsers look at
 * a whole one. */

static const struct exposition_family counter = { "spam", EXPOSITION_COUNTER, NULL, "Tins." };
static const struct exposition_family seconds = { "spam_seconds", EXPOSITION_COUNTER, "seconds",
						  "Time." };
static const struct exposition_family gauge = { "eggs", EXPOSITION_GAUGE, NULL, "Now." };
static const struct exposition_family histogram = { "ham_seconds", EXPOSITION_HISTOGRAM, "seconds",
						    "Times." };

typedef void fill(struct exposition *page);

static void expect_page(enum exposition_format format, fill *fill, const char *expected)
{
	struct buffer out = {};
	struct exposition page;

	exposition_begin(&page, format, &out);
	fill(&page);
	cr_assert_eq(exposition_end(&page), 0);
	cr_expect_str_eq(out.text ? out.text : "", expected);
	free(out.text);
}

static void nothing(struct exposition *page)
{
	(void)page;
}

Test(exposition, is_ended_in_openmetrics_only)
{
	expect_page(EXPOSITION_OPENMETRICS, nothing, "# EOF\n");
	expect_page(EXPOSITION_TEXT, nothing, "");
}

static void counters(struct exposition *page)
{
	const struct exposition_label labels[] = { { "kind", "generator" },
						   { "to", "GEN_CLOSED" } };
	const struct exposition_label cause = { "gen_id", "7" };
	const struct exposition_exemplar exemplar = { { &cause, 1 }, 2500000000, 1000000000 };

	exposition_family(page, &counter);
	exposition_counter(page, &(struct exposition_labels){ labels, 2 }, 18446744073709551615u,
			   1500000000250000000, NULL);
	exposition_family(page, &seconds);
	exposition_counter(page, NULL, 1000000001, 0, &exemplar);
}

Test(exposition, has_counters)
{
	expect_page(EXPOSITION_TEXT, counters,
		    "# HELP spam_total Tins.\n# TYPE spam_total counter\n"
		    "spam_total{kind=\"generator\",to=\"GEN_CLOSED\"} 18446744073709551615\n"
		    "# HELP spam_seconds_total Time.\n# TYPE spam_seconds_total counter\n"
		    "spam_seconds_total 1.000000001\n");
	expect_page(EXPOSITION_OPENMETRICS, counters,
		    "# HELP spam Tins.\n# TYPE spam counter\n"
		    "spam_total{kind=\"generator\",to=\"GEN_CLOSED\"} 18446744073709551615\n"
		    "spam_created{kind=\"generator\",to=\"GEN_CLOSED\"} 1500000000.25\n"
		    "# HELP spam_seconds Time.\n# TYPE spam_seconds counter\n"
		    "# UNIT spam_seconds seconds\n"
		    "spam_seconds_total 1.000000001 # {gen_id=\"7\"} 2.5 1\n# EOF\n");
}

static void gauges(struct exposition *page)
{
	const double values[] = { 0, 1, 0.1, -2.5, 1e300, 1.0 / 3, NAN, INFINITY, -INFINITY };

	exposition_family(page, &gauge);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		exposition_gauge(page, NULL, values[i]);
}

Test(exposition, has_gauges)
{
	expect_page(EXPOSITION_TEXT, gauges,
		    "# HELP eggs Now.\n# TYPE eggs gauge\neggs 0\neggs 1\neggs 0.1\neggs -2.5\n"
		    "eggs 1e+300\neggs 0.3333333333333333\neggs NaN\neggs +Inf\neggs -Inf\n");
}

static void histograms(struct exposition *page)
{
	static const uint64_t bounds[] = { 1000000, 4000000000 }, cumulative[] = { 1, 3, 6 };
	const struct exposition_label label = { "f", "g" };
	const struct exposition_exemplar exemplar = { { NULL, 0 }, 9000000000, 0 };
	const struct exposition_exemplar *const exemplars[] = { NULL, NULL, &exemplar };

	exposition_family(page, &histogram);
	exposition_histogram(
		page, &(struct exposition_labels){ &label, 1 },
		&(struct exposition_histogram){ 2, bounds, cumulative, 12500000000, exemplars },
		3000000000);
}

Test(exposition, has_histograms)
{
	expect_page(EXPOSITION_TEXT, histograms,
		    "# HELP ham_seconds Times.\n# TYPE ham_seconds histogram\n"
		    "ham_seconds_bucket{f=\"g\",le=\"0.001\"} 1\n"
		    "ham_seconds_bucket{f=\"g\",le=\"4\"} 3\n"
		    "ham_seconds_bucket{f=\"g\",le=\"+Inf\"} 6\n"
		    "ham_seconds_sum{f=\"g\"} 12.5\nham_seconds_count{f=\"g\"} 6\n");
	expect_page(EXPOSITION_OPENMETRICS, histograms,
		    "# HELP ham_seconds Times.\n# TYPE ham_seconds histogram\n"
		    "# UNIT ham_seconds seconds\n"
		    "ham_seconds_bucket{f=\"g\",le=\"0.001\"} 1\n"
		    "ham_seconds_bucket{f=\"g\",le=\"4\"} 3\n"
		    "ham_seconds_bucket{f=\"g\",le=\"+Inf\"} 6 # {} 9\n"
		    "ham_seconds_sum{f=\"g\"} 12.5\nham_seconds_count{f=\"g\"} 6\n"
		    "ham_seconds_created{f=\"g\"} 3\n# EOF\n");
}

static void escapes(struct exposition *page)
{
	static const struct exposition_family odd = { "odd", EXPOSITION_GAUGE, NULL,
						      "a \"b\" \\ c\nd" };
	/* whole characters of each length; cut, overlong, a surrogate, too high, a stray byte */
	const struct exposition_label label = {
		"l", "\"\\\n\xc2\xa2\xe2\x82\xac\xf0\x90\x8d\x88|\xe2\x82|\xc0\xaf|\xed\xa0\x80|"
		     "\xf4\x90\x80\x80|\x80"
	};

	exposition_family(page, &odd);
	exposition_gauge(page, &(struct exposition_labels){ &label, 1 }, 1);
}

#define BAD "\xef\xbf\xbd"

Test(exposition, escapes_as_each_format_says)
{
#define VALUE                                                                                      \
	"odd{l=\"\\\"\\\\\\n\xc2\xa2\xe2\x82\xac\xf0\x90\x8d\x88|" BAD BAD "|" BAD BAD             \
	"|" BAD BAD BAD "|" BAD BAD BAD BAD "|" BAD "\"} 1\n"
	expect_page(EXPOSITION_TEXT, escapes,
		    "# HELP odd a \"b\" \\\\ c\\nd\n# TYPE odd gauge\n" VALUE);
	expect_page(EXPOSITION_OPENMETRICS, escapes,
		    "# HELP odd a \\\"b\\\" \\\\ c\\nd\n# TYPE odd gauge\n" VALUE "# EOF\n");
}

Test(exposition, leaves_out_exemplars_that_are_too_long)
{
	char value[128] = "";
	const struct exposition_label label = { "id", value };
	const struct exposition_exemplar exemplar = { { &label, 1 }, 1, 0 };
	struct buffer out = {};
	struct exposition page;

	exposition_begin(&page, EXPOSITION_OPENMETRICS, &out);
	exposition_family(&page, &counter);
	memset(value, 'x', 126); /* with "id" 128 */
	exposition_counter(&page, NULL, 1, 0, &exemplar);
	cr_expect_not_null(strstr(out.text, "spam_total 1 # {id=\"xxx"));
	buffer_clear(&out);
	memset(value, 'x', 127);
	exposition_counter(&page, NULL, 1, 0, &exemplar);
	cr_expect_str_eq(out.text, "spam_total 1\n");
	free(out.text);
}

Test(exposition, writes_seconds_exactly)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = { { 0, "0" },
		      { 1, "0.000000001" },
		      { 4096, "0.000004096" },
		      { 1000000000, "1" },
		      { 1000000010, "1.00000001" },
		      { UINT64_MAX, "18446744073.709551615" } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[EXPOSITION_SECONDS_BYTES];

		exposition_seconds(cases[i].ns, text);
		cr_expect_str_eq(text, cases[i].text);
	}
}

/* Dashboards and recording rules have them: they must never change. */
Test(exponential, has_these_bounds)
{
	static const char *const bounds[EXPONENTIAL_BOUNDS] = {
		"0.000004096",  "0.000016384",   "0.000065536",    "0.000262144",
		"0.001048576",  "0.004194304",   "0.016777216",    "0.067108864",
		"0.268435456",  "1.073741824",   "4.294967296",    "17.179869184",
		"68.719476736", "274.877906944", "1099.511627776", "4398.046511104",
	};

	for (unsigned i = 0; i < EXPONENTIAL_BOUNDS; i++) {
		char text[EXPOSITION_SECONDS_BYTES];

		exposition_seconds(exponential_bound(i), text);
		cr_expect_str_eq(text, bounds[i]);
	}
}

Test(exponential, counts_what_is_below_each_bound)
{
	struct histogram fine = {};
	struct exponential by_one = {}, by_histogram = {};
	struct samples chance = { .chance = 3 };
	uint64_t below[EXPONENTIAL_BOUNDS + 1] = {}, cumulative[EXPONENTIAL_BOUNDS + 1], sum = 0;

	for (int i = 0; i < 100000; i++) {
		uint64_t ns = by_chance(&chance) >> (20 + by_chance(&chance) % 44);

		if (i % 3 == 0)
			ns = (1ull << i % 44) - (i & 1);
		histogram_record(&fine, ns);
		exponential_record(&by_one, ns);
		sum += ns;
		for (unsigned b = 0; b < EXPONENTIAL_BOUNDS; b++)
			below[b] += ns < 4096ull << 2 * b;
		below[EXPONENTIAL_BOUNDS]++;
	}
	exponential_add(&by_histogram, &fine);
	cr_expect_arr_eq(&by_one, &by_histogram, sizeof(by_one));
	cr_expect_eq(by_one.sum_ns, sum);
	exponential_cumulate(&by_histogram, cumulative);
	cr_expect_arr_eq(cumulative, below, sizeof(below));
	exponential_merge(&by_one, &by_histogram);
	exponential_cumulate(&by_one, cumulative);
	for (unsigned b = 0; b <= EXPONENTIAL_BOUNDS; b++)
		cr_expect_eq(cumulative[b], 2 * below[b]);
}

Test(negotiate, gives_openmetrics_to_who_prefers_it)
{
	static const char *const open[] = {
		"application/openmetrics-text",
		"application/openmetrics-text; version=1.0.0; charset=utf-8",
		"Application/OpenMetrics-Text;Version=\"1.0.0\"",
		/* Prometheus 2.42's */
		("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"),
		"text/plain;q=0.5, application/openmetrics-text;q=0.5",
		"*/*, application/openmetrics-text;q=0.001",
		"\"a,b\";x=\"y;z\", application/openmetrics-text",
	};
	static const char *const text[] = {
		NULL,
		"",
		"*/*",
		"text/plain",
		"text/html,application/xhtml+xml,*/*;q=0.8",
		"application/openmetrics-text;version=2.0.0",
		"application/openmetrics-text;version=0.0.1",
		"application/openmetrics-text;q=0",
		"application/openmetrics-text;q=1.5",
		"application/openmetrics-text;q=",
		"application/openmetrics-text;q=nan",
		"application/openmetrics-text;q=-1",
		"application/openmetrics-textual",
		"application/openmetrics-text;q=0.4,text/plain;q=0.5",
		"\"application/openmetrics-text",
		",,;;==\"\";q=,\xff\xfe",
		" ; q=1",
	};

	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
		cr_expect_eq(negotiate_exposition(open[i]), EXPOSITION_OPENMETRICS, "%s", open[i]);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
		cr_expect_eq(negotiate_exposition(text[i]), EXPOSITION_TEXT, "%s",
			     text[i] ? text[i] : "none");
}

Test(negotiate, compresses_for_who_says_so)
{
	static const char *const yes[] = { "gzip",        "GZIP", "deflate, gzip;q=0.5",
					   "x-gzip",      "*",    "br;q=1, *;q=0.1",
					   "gzip;q=1.000" };
	static const char *const no[] = { NULL,           "",        "deflate",
					  "gzip;q=0",     "*;q=0",   "gzip;q=0, *",
					  "gzip;q=0.000", "gzipped", "identity" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		cr_expect(negotiate_gzip(yes[i]), "%s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		cr_expect(!negotiate_gzip(no[i]), "%s", no[i] ? no[i] : "none");
}
