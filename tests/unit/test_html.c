/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "model/histogram.h"
#include "paper.h"
#include "sink/html.h"
#include "sink/page_text.h"

/*
 * The page's data, read back by libjson-c from where a browser finds it: between the page's head and tail.
 * Names are chosen to break out of it if they could.
 */

#define EVIL   "a</script><b>\"\\\n\xff<!--"
#define ORIGIN 5000ull

struct page {
	struct paper paper;
	struct sink *sink;
	struct latency *table;
	struct latency_rows rows;
	struct json_object *root;
	char *data; /* as it is in the page */
	uint64_t since[16];
};

static struct code codes[] = {
	{ .id = 0, .qualname = "?", .file = "" },
	{ .id = 1, .qualname = "outer", .file = "/srv/a.py", .first_line = 10 },
	{ .id = 2, .qualname = EVIL, .file = "/srv/<b>.py", .first_line = 20 },
	{ .id = 3, .qualname = "outer", .file = "/srv/a.py", .first_line = 10 }, /* as 1 */
};

static void page_open(struct page *page, struct html_options options)
{
	memset(page, 0, sizeof(*page));
	paper_open(&page->paper, &sink_json, false);
	cr_assert_eq(html_new(&options, &page->paper.writer, &page->sink), 0);
	cr_assert_eq(latency_new(&page->table, LATENCY_BY_FUNCTION), 0);
	page->sink->ops->begin(page->sink);
}

/* Everything in time order; via: RUNNING by send, out of it by await or return. */
static void move(struct page *page, uint64_t ts_ns, uint64_t id, uint32_t code, uint8_t from,
		 uint8_t to, uint64_t parent)
{
	struct transition_record t = { .head = { .ts_ns = ts_ns, .pid = 7, .tid = 7 },
				       .id = id,
				       .parent = parent,
				       .code = code,
				       .kind = KIND_COROUTINE,
				       .from = from,
				       .to = to };
	const struct event event = { .type = EVENT_TRANSITION,
				     .ts_ns = ts_ns,
				     .pid = 7,
				     .tid = 7,
				     .transition = &t,
				     .code = &codes[code],
				     .line = code * 10 + 1 };

	if (from == STATE_SUSPENDED) {
		t.head.flags = TRANSITION_HAS_SUSPENDED;
		t.suspended_ns = ts_ns - page->since[id];
	}
	t.via = to == STATE_RUNNING ? VIA_SEND : to == STATE_CLOSED ? VIA_RETURN : VIA_AWAIT;
	page->since[id] = ts_ns;
	page->sink->ops->event(page->sink, &event);
}

static void context(struct page *page, struct event event)
{
	event.pid = event.tid = 7;
	page->sink->ops->event(page->sink, &event);
}

static void page_read(struct page *page, const struct summary *summary)
{
	struct json_tokener *tokener = json_tokener_new();
	const struct latency_order order = { .metric = METRIC_RUN, .sort = LATENCY_SORT_TOTAL };
	struct page_text around;
	const char *text;
	size_t size;

	latency_sort(page->table, &order, &page->rows);
	html_functions(page->sink, &page->rows);
	page->sink->ops->end(page->sink, summary);
	text = paper_text(&page->paper);
	page_text(&around);
	size = strlen(text);
	cr_assert_gt(size, around.head_bytes + around.tail_bytes);
	cr_assert(!memcmp(text, around.head, around.head_bytes), "the page's head is another");
	cr_assert(!memcmp(text + size - around.tail_bytes, around.tail, around.tail_bytes));
	size -= around.head_bytes + around.tail_bytes;
	page->data = strndup(text + around.head_bytes, size);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	page->root = json_tokener_parse_ex(tokener, page->data, (int)strlen(page->data));
	cr_assert(page->root, "%s", json_tokener_error_desc(json_tokener_get_error(tokener)));
	json_tokener_free(tokener);
}

static void page_close(struct page *page)
{
	cr_assert_eq(html_free(page->sink), 0);
	latency_free(page->table);
	paper_close(&page->paper);
	json_object_put(page->root);
	free(page->data);
}

/* "steps.begin", "processes.0.1" */
static struct json_object *at(struct json_object *object, const char *path)
{
	char key[64];

	while (*path) {
		size_t size = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)size, path);
		path += size + (path[size] == '.');
		if (json_object_is_type(object, json_type_array)) {
			cr_assert_lt(strtoul(key, NULL, 10), json_object_array_length(object));
			object = json_object_array_get_idx(object, strtoul(key, NULL, 10));
		} else {
			cr_assert(json_object_object_get_ex(object, key, &object), "no %s", key);
		}
	}
	return object;
}

static int64_t number(const struct page *page, const char *path)
{
	struct json_object *object = at(page->root, path);

	cr_assert(json_object_is_type(object, json_type_int), "%s is no number", path);
	return json_object_get_int64(object);
}

static const char *text_at(const struct page *page, const char *path)
{
	char where[64];

	snprintf(where, sizeof(where), "texts.%d", (int)number(page, path));
	return json_object_get_string(at(page->root, where));
}

static void expect_column(const struct page *page, const char *path, size_t count,
			  const int64_t *want)
{
	struct json_object *column = at(page->root, path);

	cr_assert_eq(json_object_array_length(column), count, "%s has %zu values", path,
		     json_object_array_length(column));
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(
			json_object_get_int64(json_object_array_get_idx(column, i)), want[i],
			"%s: value %zu is %lld", path, i,
			(long long)json_object_get_int64(json_object_array_get_idx(column, i)));
}

/* An outer and an inner coroutine: run, wait, run again. */
static void play(struct page *page)
{
	move(page, ORIGIN, 1, 1, STATE_CREATED, STATE_RUNNING, 0);
	move(page, ORIGIN + 10, 2, 2, STATE_CREATED, STATE_RUNNING, 1);
	move(page, ORIGIN + 40, 2, 2, STATE_RUNNING, STATE_SUSPENDED, 1);
	move(page, ORIGIN + 45, 1, 1, STATE_RUNNING, STATE_SUSPENDED, 0);
	move(page, ORIGIN + 145, 1, 1, STATE_SUSPENDED, STATE_RUNNING, 0);
	move(page, ORIGIN + 150, 2, 2, STATE_SUSPENDED, STATE_RUNNING, 1);
	move(page, ORIGIN + 152, 2, 2, STATE_RUNNING, STATE_CLOSED, 1);
	move(page, ORIGIN + 160, 1, 1, STATE_RUNNING, STATE_CLOSED, 0);
}

Test(html, has_the_steps_of_the_timeline)
{
	struct summary summary = { .events = 8, .objects = 2, .coverage = "full" };
	struct page page;

	page_open(&page, (struct html_options){ 0 });
	play(&page);
	page_read(&page, &summary);
	expect_column(&page, "lanes.0", 4, (int64_t[]){ 0, 0, 2, 0 });
	expect_column(&page, "lanes.1", 4, (int64_t[]){ 0, 1, 2, 0 });
	/* told as differences, row after row */
	expect_column(&page, "steps.begin", 4, (int64_t[]){ ORIGIN, 145, 10 - 145, 140 });
	expect_column(&page, "steps.length", 4, (int64_t[]){ 45, 15, 30, 2 });
	expect_column(&page, "steps.self", 4, (int64_t[]){ 15, 13, 30, 2 });
	expect_column(&page, "steps.id", 4, (int64_t[]){ 1, 0, 1, 0 });
	expect_column(&page, "steps.line", 4, (int64_t[]){ 11, 11, 21, 21 });
	expect_column(&page, "steps.via", 4,
		      (int64_t[]){ VIA_AWAIT, VIA_RETURN, VIA_AWAIT, VIA_RETURN });
	expect_column(&page, "tracks.0", 4, (int64_t[]){ 7, 7, 4, 60 });
	cr_expect_eq(number(&page, "origin_ns"), ORIGIN);
	cr_expect_eq(number(&page, "summary.events"), 8);
	cr_expect_eq(number(&page, "about.span_ns"), 160);
	cr_expect_str_eq(json_object_get_string(at(page.root, "vias.6")), "await");
	page_close(&page);
}

Test(html, has_the_chains_of_the_flame_graphs)
{
	struct summary summary = { .coverage = "full" };
	struct page page;

	page_open(&page, (struct html_options){ 0 });
	play(&page);
	page_read(&page, &summary);
	/* the root, outer, inner */
	expect_column(&page, "flame.parent", 3, (int64_t[]){ 0, 0, 1 });
	expect_column(&page, "flame.function", 3, (int64_t[]){ -1, 0, 1 });
	expect_column(&page, "flame.steps", 3, (int64_t[]){ 0, 2, 2 });
	expect_column(&page, "flame.run", 3, (int64_t[]){ 0, 28, 32 });
	expect_column(&page, "flame.waits", 3, (int64_t[]){ 0, 0, 1 });
	expect_column(&page, "flame.wait", 3, (int64_t[]){ 0, 0, 110 });
	page_close(&page);
}

/* Nothing that a target calls itself ends the element, or the string, that it is in. */
Test(html, keeps_names_inside)
{
	const struct html_process process = { .pid = 7, .name = EVIL, .python = "3.14.0" };
	struct html_options options = { .file = EVIL, .filters = EVIL };
	struct summary summary = { .coverage = EVIL };
	struct page page;

	snprintf(options.about.kernel, sizeof(options.about.kernel), "%s", EVIL);
	page_open(&page, options);
	play(&page);
	html_process(page.sink, &process);
	page_read(&page, &summary);
	cr_expect_null(strchr(page.data, '<'), "at: %.40s", strchr(page.data, '<'));
	cr_expect_str_eq(text_at(&page, "functions.name.1"), "a</script><b>\"\\\n\xef\xbf\xbd<!--");
	cr_expect_str_eq(text_at(&page, "functions.file.1"), "/srv/<b>.py");
	cr_expect_str_eq(text_at(&page, "about.processes.0.1"),
			 "a</script><b>\"\\\n\xef\xbf\xbd<!--");
	cr_expect_str_eq(text_at(&page, "about.processes.0.2"), "3.14.0");
	cr_expect_str_eq(json_object_get_string(at(page.root, "about.kernel")),
			 "a</script><b>\"\\\n\xef\xbf\xbd<!--");
	page_close(&page);
}

/* Escaping goes piece by piece: characters at the seams stay whole, whatever their length. */
Test(html, keeps_long_names_whole)
{
	struct summary summary = { .coverage = "full" };
	char *want = calloc(1, 40001);
	struct page page;

	for (size_t i = 0; i + 4 < 40000;)
		i += (size_t)sprintf(want + i, "%s", i % 3 ? "\xe2\x80\xa6" : i % 7 ? "x" : "<");
	page_open(&page, (struct html_options){ .file = want });
	page_read(&page, &summary);
	cr_expect_str_eq(json_object_get_string(at(page.root, "about.file")), want);
	cr_expect_null(strchr(page.data, '<'));
	page_close(&page);
	free(want);
}

/* Code objects that are called alike, of one place, are one function; and so is the row of the table. */
Test(html, has_each_function_once)
{
	const struct latency_code code = {
		.qualname = "outer", .file = "/srv/a.py", .first_line = 10, .kind = KIND_COROUTINE
	};
	struct distributions *times = calloc(1, sizeof(*times));
	struct summary summary = { .coverage = "full" };
	struct page page;

	histogram_record(&times->metric[METRIC_RUN], 1000);
	histogram_record(&times->metric[METRIC_RUN], 1000);
	histogram_record(&times->metric[METRIC_RUN], 5000);
	page_open(&page, (struct html_options){ 0 });
	cr_assert_eq(latency_add(page.table, &code, times), 0);
	move(&page, ORIGIN, 1, 1, STATE_CREATED, STATE_RUNNING, 0);
	move(&page, ORIGIN + 5, 3, 3, STATE_CREATED, STATE_RUNNING, 1);
	move(&page, ORIGIN + 6, 3, 3, STATE_RUNNING, STATE_CLOSED, 1);
	page_read(&page, &summary);
	cr_expect_eq(json_object_array_length(at(page.root, "functions.name")), 1);
	cr_expect_eq(number(&page, "table.0.0"), 0);
	/* count, sum, quantiles, maximum; then which buckets, and how many in each */
	cr_expect_eq(number(&page, "table.0.1.0"), 3);
	cr_expect_eq(number(&page, "table.0.1.1"), 7000);
	cr_expect_eq(number(&page, "table.0.1.6"), 5000);
	cr_expect_eq(number(&page, "table.0.1.7"), histogram_bucket(1000));
	cr_expect_eq(number(&page, "table.0.1.8"), 2);
	cr_expect_eq(number(&page, "table.0.1.9"), histogram_bucket(5000) - histogram_bucket(1000));
	cr_expect_eq(number(&page, "table.0.1.10"), 1);
	cr_expect_eq(number(&page, "table.0.2"), 0, "nothing was measured of it");
	page_close(&page);
	free(times);
}

Test(html, has_marks_and_losses)
{
	const struct loss loss = { .ring = 3, .map_full = 4, .fault = 5 }, none = { 0 };
	struct summary summary = { .lost = loss, .coverage = "full" };
	struct page page;

	page_open(&page, (struct html_options){ 0 });
	play(&page);
	context(&page, (struct event){ .type = EVENT_GC,
				       .ts_ns = ORIGIN + 100,
				       .name = "",
				       .value = 12,
				       .generation = 2,
				       .has_ns = true,
				       .ns = 60 });
	context(&page, (struct event){ .type = EVENT_AUDIT, .ts_ns = ORIGIN + 70, .name = "open" });
	page.sink->ops->lost(page.sink, ORIGIN + 90, &loss);
	page.sink->ops->lost(page.sink, ORIGIN + 95, &none);
	page_read(&page, &summary);
	expect_column(&page, "marks.begin", 2, (int64_t[]){ ORIGIN + 40, 30 });
	expect_column(&page, "marks.length", 2, (int64_t[]){ 60, 0 });
	expect_column(&page, "marks.type", 2, (int64_t[]){ 0, 2 });
	expect_column(&page, "marks.value", 2, (int64_t[]){ 12, 0 });
	cr_expect_str_eq(text_at(&page, "marks.name.0"), "generation 2");
	cr_expect_str_eq(text_at(&page, "marks.name.1"), "open");
	cr_expect_eq(json_object_array_length(at(page.root, "losses")), 1);
	expect_column(&page, "losses.0", 2, (int64_t[]){ 90, 12 });
	cr_expect_eq(number(&page, "summary.lost.map_full"), 4);
	page_close(&page);
}

Test(html, tells_slow_steps_longest_first)
{
	const struct html_frame chain[] = { { .id = 1, .qualname = "outer", .file = "/srv/a.py" },
					    { .id = 2, .qualname = EVIL, .line = 9 } };
	const struct html_reason reasons[] = { { "gc", "generation 2", 300 },
					       { "audit", "open", 0 } };
	struct summary summary = { .coverage = "full" };
	struct page page;

	page_open(&page, (struct html_options){ .looks_for_slow = true, .slow_ns = 50000000 });
	play(&page);
	for (uint64_t i = 1; i <= 3 * HTML_SLOW; i++) {
		const struct html_slow slow = { .chain = chain,
						.chain_count = 2,
						.reasons = reasons,
						.reason_count = i % 3,
						.pid = 7,
						.tid = 8,
						.begin_ns = ORIGIN + i,
						.run_ns = i * 7919 % 10007,
						.running = i % 2 };

		html_slow(page.sink, &slow);
	}
	page_read(&page, &summary);
	cr_expect_eq(number(&page, "slow.over"), 50000000);
	cr_expect_eq(number(&page, "slow.told"), 3 * HTML_SLOW);
	cr_assert_eq(json_object_array_length(at(page.root, "slow.list")), HTML_SLOW);
	for (int i = 0, before = INT32_MAX; i < HTML_SLOW; i++) {
		struct json_object *slow =
			json_object_array_get_idx(at(page.root, "slow.list"), (size_t)i);
		int run = (int)json_object_get_int64(at(slow, "run")), shorter = 0;
		int64_t index = json_object_get_int64(at(slow, "begin"));

		cr_expect_leq(run, before);
		before = run;
		cr_expect_eq(index * 7919 % 10007, run, "another step's numbers");
		cr_expect_eq((int64_t)json_object_array_length(at(slow, "reasons")), index % 3);
		cr_expect_eq(json_object_get_boolean(at(slow, "running")), index % 2);
		for (int64_t other = 1; other <= 3 * HTML_SLOW; other++)
			shorter += other * 7919 % 10007 < run;
		cr_expect_geq(shorter, 2 * HTML_SLOW, "it is not of the longest");
	}
	cr_expect_str_eq(text_at(&page, "slow.list.0.chain.0.1"), "outer");
	cr_expect_str_eq(text_at(&page, "slow.list.0.chain.1.1"),
			 "a</script><b>\"\\\n\xef\xbf\xbd<!--");
	cr_expect_eq(number(&page, "slow.list.0.chain.1.2"), -1, "its file is not known");
	cr_expect(json_object_is_type(at(page.root, "suspects"), json_type_null));
	page_close(&page);
}

Test(html, tells_suspects_oldest_first)
{
	const struct html_frame created = {
		.id = 9, .qualname = "main", .file = "/srv/a.py", .line = 3
	};
	struct summary summary = { .coverage = "full" };
	struct page page;

	page_open(&page, (struct html_options){ .looks_for_suspects = true });
	play(&page);
	for (uint64_t i = 0; i < 3; i++) {
		const struct html_suspect suspect = {
			.what = "never_awaited",
			.kind = "coroutine",
			.object = { .id = 20 + i,
				    .qualname = "lost",
				    .file = "/srv/a.py",
				    .line = 4 },
			.created = &created,
			.created_count = i == 1,
			.pid = 7,
			.since_ns = ORIGIN + 10 * ((i + 1) % 3),
		};

		html_suspect(page.sink, &suspect);
	}
	page_read(&page, &summary);
	cr_assert_eq(json_object_array_length(at(page.root, "suspects.list")), 3);
	for (int i = 0; i < 3; i++) {
		struct json_object *suspect =
			json_object_array_get_idx(at(page.root, "suspects.list"), (size_t)i);

		cr_expect_eq(json_object_get_int64(at(suspect, "age")), 160 - 10 * i);
		cr_expect_eq(json_object_get_int64(at(suspect, "object.0.0")), 20 + (i + 2) % 3);
	}
	cr_expect_str_eq(text_at(&page, "suspects.list.2.created.0.1"), "main");
	cr_expect_str_eq(text_at(&page, "suspects.list.0.what"), "never_awaited");
	cr_expect(json_object_is_type(at(page.root, "slow"), json_type_null));
	page_close(&page);
}

/* A recording in which nothing happened. */
Test(html, of_nothing_is_whole)
{
	struct summary summary = { .coverage = "full" };
	struct page page;

	page_open(&page, (struct html_options){ .looks_for_slow = true });
	page_read(&page, &summary);
	cr_expect_eq(json_object_array_length(at(page.root, "steps.begin")), 0);
	cr_expect_eq(json_object_array_length(at(page.root, "slow.list")), 0);
	cr_expect_eq(number(&page, "about.span_ns"), 0);
	page_close(&page);
	cr_expect_eq(html_free(NULL), 0);
}

/* Only what the build put into the page runs in a browser, and nothing comes from elsewhere. */
Test(html, lets_nothing_else_run)
{
	struct page_text text;
	char *head, *tail;

	page_text(&text);
	head = strndup(text.head, text.head_bytes);
	tail = strndup(text.tail, text.tail_bytes);
	cr_expect(strstr(head, "default-src 'none'; style-src 'sha256-"));
	cr_expect(strstr(head, "script-src 'sha256-"));
	cr_expect_null(strstr(head, "unsafe"));
	for (const char **part = (const char *[]){ head, tail, NULL }; *part; part++) {
		cr_expect_null(strstr(*part, "src="));
		cr_expect_null(strstr(*part, "innerHTML"));
		cr_expect_null(strstr(*part, " style=\""));
		cr_expect_null(strstr(*part, "onclick="));
	}
	free(head);
	free(tail);
}
