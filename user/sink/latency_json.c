// SPDX-License-Identifier: MIT
/*
 * `latency --json`: contract.md's lines of type "function", "file" and "task".
 */
#include "model/names.h"
#include "records.h"
#include "sink/json_put.h"
#include "sink/latency.h"

static void put_buckets(struct writer *writer, const struct histogram *histogram)
{
	const char *before = ",\"buckets\":[[";

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (!histogram->buckets[i])
			continue;
		/* all that is longer than a histogram goes has no upper bound */
		json_put_number(writer, before, histogram_bound(i + 1), i + 1 == HISTOGRAM_BUCKETS);
		json_put_number(writer, ",", histogram->buckets[i], false);
		before = "],[";
	}
	writer_puts(writer, *before == ',' ? ",\"buckets\":[" : "]");
	writer_puts(writer, "]");
}

static void put_histogram(struct writer *writer, const struct histogram *histogram, bool buckets)
{
	static const struct {
		const char *before;
		unsigned thousandths;
	} quantiles[] = { { ",\"p50_ns\":", QUANTILE_50 },
			  { ",\"p90_ns\":", QUANTILE_90 },
			  { ",\"p99_ns\":", QUANTILE_99 },
			  { ",\"p999_ns\":", QUANTILE_999 } };

	if (!histogram->count) {
		writer_puts(writer, "null");
		return;
	}
	json_put_number(writer, "{\"count\":", histogram->count, false);
	json_put_number(writer, ",\"sum_ns\":", histogram->sum_ns, false);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++)
		json_put_number(writer, quantiles[i].before,
				histogram_quantile(histogram, quantiles[i].thousandths), false);
	json_put_number(writer, ",\"max_ns\":", histogram->max_ns, false);
	if (buckets)
		put_buckets(writer, histogram);
	writer_puts(writer, "}");
}

static void put_row(struct writer *writer, const struct latency_page *page, enum latency_by by,
		    const struct latency_row *row)
{
	const struct latency_code *code = &row->code;

	writer_printf(writer, "{\"type\":\"%s\",\"qualname\":", name_of_latency_by(by));
	json_put_string_or_null(writer, code->qualname);
	writer_puts(writer, ",\"file\":");
	json_put_string_or_null(writer, code->file);
	json_put_number(writer, ",\"firstlineno\":", code->first_line, !code->qualname);
	writer_puts(writer, ",\"kind\":");
	json_put_string_or_null(writer, code->kind == KIND_NONE ? NULL : name_of_kind(code->kind));
	if (by == LATENCY_BY_TASK) {
		writer_puts(writer, ",\"task\":");
		json_put_string_or_null(writer, code->task);
	}
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		writer_printf(writer, ",\"%s\":", name_of_metric(i));
		put_histogram(writer, &row->distributions.metric[i], page->buckets);
	}
	writer_puts(writer, "}\n");
}

void latency_json(const struct ps_view *view, const struct latency_page *page,
		  const struct latency_rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		put_row(view->writer, page, rows->by, rows->at[i]);
}
