/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "paper.h"
#include "sink/sink.h"

/* Locals of a transition as the sinks write them; JSON is read back by libjson-c. */

static char word_x[] = "x", word_int[] = "int", word_str[] = "str";

static struct json_object *json_of(struct paper *paper, uint8_t state,
				   const struct local_list *locals)
{
	struct transition_record record = { .kind = KIND_GENERATOR, .to = STATE_SUSPENDED };
	struct code code = { .name = word_x, .qualname = word_x, .file = word_x };
	struct event event = { .type = EVENT_TRANSITION,
			       .transition = &record,
			       .code = &code,
			       .locals_state = state,
			       .locals = locals };
	struct json_object *object;

	paper_open(paper, &sink_json, false);
	paper->sink.ops->begin(&paper->sink);
	paper->sink.ops->event(&paper->sink, &event);
	object = read_line(paper);
	free(code.json);
	return object;
}

Test(locals_sink, each_state_has_its_word)
{
	static const struct local_list none = {};

	for (uint8_t state = EVENT_LOCALS_OFF; state <= EVENT_LOCALS_LOST; state++) {
		struct paper paper;
		struct json_object *line = json_of(&paper, state, &none), *locals, *lost;
		bool there = json_object_object_get_ex(line, "locals", &locals);

		cr_assert_eq(there, state != EVENT_LOCALS_OFF);
		if (there && (state == EVENT_LOCALS_SHOWN || state == EVENT_LOCALS_NONE))
			cr_assert_eq(json_object_object_length(locals), 0);
		else if (there)
			cr_assert_null(locals);
		cr_assert_eq(json_object_object_get_ex(line, "locals_lost", &lost),
			     state == EVENT_LOCALS_LOST);
		json_object_put(line);
		paper_close(&paper);
	}
}

Test(locals_sink, values_come_whole)
{
	static char text[40001];
	static char name[] = "quo\"te\n\xff";
	struct local at[] = {
		{ .name = "n", .type = word_int, .repr = text + 40000 },
		{ .name = "long", .type = word_str, .repr = text, .truncated = true },
		{ .name = "password", .type = word_str, .redacted = true },
		{ .name = name, .type = word_int, .repr = word_x },
	};
	struct local_list list = { .at = at, .count = 4, .truncated = true };
	struct json_object *line, *locals, *value;
	struct paper paper;

	for (int i = 0; i < 40000; i += 4) /* so that a part ends within a character */
		memcpy(text + i, "\xf0\x9f\x98\x80", 4);
	memcpy(text, "abc", 3);
	memcpy(text + 3, "d", 1);
	memmove(text + 1, text, 39999);
	text[0] = '_';
	text[39997] = 0;
	line = json_of(&paper, EVENT_LOCALS_SHOWN, &list);
	locals = member(line, "locals");
	cr_assert_eq(json_object_object_length(locals), 4);
	cr_assert(json_object_get_boolean(member(line, "locals_truncated")));
	value = member(locals, "long");
	cr_assert_str_eq(json_object_get_string(member(value, "repr")), text);
	cr_assert(json_object_get_boolean(member(value, "truncated")));
	value = member(locals, "password");
	cr_assert(json_object_get_boolean(member(value, "redacted")));
	cr_assert_eq(json_object_object_length(value), 2);
	member(locals, "quo\"te\n\xef\xbf\xbd");
	json_object_put(line);
	paper_close(&paper);
}

Test(locals_sink, the_summary_counts_them_where_they_were_asked_for)
{
	for (int asked = 0; asked < 2; asked++) {
		struct summary summary = { .coverage = "full", .locals = { asked, 1, 2, 3, 4 } };
		struct json_object *line, *counts;
		struct paper paper;

		paper_open(&paper, &sink_json, false);
		paper.sink.ops->end(&paper.sink, &summary);
		line = read_line(&paper);
		cr_assert_eq(json_object_object_get_ex(line, "locals", &counts), asked);
		if (asked) {
			expect_number(counts, "captured", 1);
			expect_number(counts, "truncated", 2);
			expect_number(counts, "lost", 3);
			expect_number(counts, "sampled_out", 4);
		}
		json_object_put(line);
		paper_close(&paper);
	}
}
