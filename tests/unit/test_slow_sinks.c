/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "paper.h"
#include "sink/slow.h"

/* `slow` on paper: the text line by line, JSON read back by libjson-c. */

static struct code handler = {
	.id = 1, .name = "get", .qualname = "Handler.get", .file = "/srv/app/web.py"
};
static struct code query = {
	.id = 2, .name = "query", .qualname = "query", .file = "/srv/app/db.py"
};
static struct code hostile = { .id = 3,
			       .name = "\x1b[2J",
			       .qualname = "ev\"il\n\x1b]0;x\a\\\x7f\u202e\x01",
			       .file = "/tmp/a\nb\t\x1b[1m.py" };

/* A step of an hour, two minutes and three seconds after the epoch. */
struct scene {
	struct transition_record transition;
	struct living_record living;
	struct event event;
	struct slow_place chain[3], inner[2];
	struct slow_step step;
	struct paper paper;
};

static void scene_open(struct scene *scene)
{
	*scene = (struct scene){
		.transition = { .head = { .flags = TRANSITION_HAS_RUN },
				.gen = 0x7f12,
				.id = 5,
				.run_ns = 131000000,
				.seq = 9,
				.kind = KIND_COROUTINE,
				.from = STATE_RUNNING,
				.to = STATE_SUSPENDED,
				.via = VIA_AWAIT },
		.living = { .gen = 0x7f12,
			    .id = 5,
			    .seq = 8,
			    .kind = KIND_COROUTINE,
			    .state = STATE_RUNNING,
			    .frame = STATE_RUNNING },
		.chain = { { .id = 5,
			     .gen = 0x7f12,
			     .code = &handler,
			     .line = 42,
			     .kind = KIND_COROUTINE,
			     .to = STATE_SUSPENDED },
			   { .id = 6,
			     .gen = 0x7f34,
			     .code = &query,
			     .line = 7,
			     .kind = KIND_COROUTINE,
			     .to = STATE_SUSPENDED },
			   { .id = 7, .gen = 0x7f56, .code = &query, .kind = KIND_GENERATOR } },
		.inner = { { .id = 8,
			     .gen = 0x7f78,
			     .code = &query,
			     .line = 9,
			     .run_ns = 70000000,
			     .kind = KIND_COROUTINE,
			     .to = STATE_CLOSED },
			   { .id = 6,
			     .gen = 0x7f34,
			     .code = &query,
			     .line = 7,
			     .run_ns = 60000000,
			     .kind = KIND_COROUTINE,
			     .to = STATE_SUSPENDED } },
	};
	scene->event = (struct event){ .type = EVENT_TRANSITION,
				       .ts_ns = 3723000001000,
				       .pid = 4242,
				       .tid = 4243,
				       .transition = &scene->transition,
				       .code = &handler,
				       .line = 42 };
	scene->step = (struct slow_step){ .event = &scene->event,
					  .begin_ns = 3722869001000,
					  .run_ns = 131000000,
					  .chain = scene->chain,
					  .chain_count = 3,
					  .inner = scene->inner,
					  .inner_count = 2 };
	paper_open(&scene->paper, &sink_json, false);
}

static void scene_close(struct scene *scene)
{
	for (struct code *code = &handler; code; code = code == &handler ? &query :
							code == &query   ? &hostile :
									   NULL) {
		free(code->json); /* what the JSON sink keeps with a code */
		code->json = NULL;
	}
	paper_close(&scene->paper);
}

static void give_reasons(struct scene *scene)
{
	struct reasons *reasons = &scene->step.reasons;

	reasons->count = 3;
	reasons->at[0] = (struct reason){ .type = EVENT_GC,
					  .generation = 2,
					  .value = 1200,
					  .at_ns = 1000000,
					  .has_ns = true,
					  .ns = 30000000,
					  .count = 1 };
	reasons->at[1] = (struct reason){ .type = EVENT_IMPORT,
					  .name = "yaml",
					  .at_ns = 40000000,
					  .has_ns = true,
					  .ns = 12000000,
					  .count = 1 };
	reasons->at[2] = (struct reason){
		.type = EVENT_AUDIT, .name = "time.sleep", .at_ns = 60000000, .count = 2
	};
	reasons->gc_ns = 30000000;
	reasons->import_ns = 12000000;
	reasons->left = 4;
}

static struct json_object *item(struct json_object *object, const char *key, size_t n, size_t count)
{
	struct json_object *array = member(object, key);

	cr_assert_eq(json_object_get_type(array), json_type_array, "%s", key);
	cr_assert_eq(json_object_array_length(array), count, "%zu %s",
		     json_object_array_length(array), key);
	return json_object_array_get_idx(array, n);
}

static struct json_object *json_of(struct scene *scene, const char *thread)
{
	paper_clear(&scene->paper);
	slow_json_step(&scene->paper.sink, &scene->step, thread);
	return read_line(&scene->paper);
}

Test(slow_json, has_what_the_contract_says)
{
	struct scene scene;
	struct json_object *line, *place;

	scene_open(&scene);
	line = json_of(&scene, "worker-1");
	expect_string(line, "type", "slow");
	expect_number(line, "ts_ns", 3723000001000);
	expect_string(line, "time", "1970-01-01T01:02:03.000001000Z");
	expect_number(line, "pid", 4242);
	expect_number(line, "tid", 4243);
	expect_string(line, "gen", "0x7f12");
	expect_number(line, "id", 5);
	expect_number(line, "seq", 9);
	expect_string(line, "kind", "coroutine");
	expect_string(line, "name", "get");
	expect_string(line, "qualname", "Handler.get");
	expect_string(line, "file", "/srv/app/web.py");
	expect_number(line, "line", 42);
	expect_string(line, "from", "CORO_RUNNING");
	expect_string(line, "to", "CORO_SUSPENDED");
	expect_string(line, "via", "await");
	expect_number(line, "run_ns", 131000000);
	expect_null(line, "suspended_ns");
	expect_null(line, "parent");
	expect_bool(line, "running", false);
	expect_bool(line, "at_least", false);
	expect_number(line, "begin_ns", 3722869001000);
	expect_string(line, "thread", "worker-1");
	place = item(line, "chain", 0, 3);
	expect_number(place, "id", 5);
	expect_string(place, "gen", "0x7f12");
	expect_string(place, "kind", "coroutine");
	expect_string(place, "qualname", "Handler.get");
	expect_string(place, "file", "/srv/app/web.py");
	expect_number(place, "line", 42);
	place = item(line, "chain", 2, 3);
	expect_string(place, "kind", "generator");
	expect_null(place, "line");
	place = item(line, "inner", 0, 2);
	expect_number(place, "id", 8);
	expect_string(place, "qualname", "query");
	expect_number(place, "run_ns", 70000000);
	expect_string(place, "to", "CORO_CLOSED");
	expect_string(item(line, "inner", 1, 2), "to", "CORO_SUSPENDED");
	expect_number(line, "inner_left_out", 0);
	cr_expect_eq(json_object_array_length(member(line, "reasons")), 0);
	expect_number(line, "reasons_left_out", 0);
	expect_bool(line, "reasons_forgotten", false);
	expect_number(line, "gc_ns", 0);
	expect_number(line, "import_ns", 0);
	json_object_put(line);
	scene_close(&scene);
}

Test(slow_json, has_reasons)
{
	struct scene scene;
	struct json_object *line, *reason;

	scene_open(&scene);
	give_reasons(&scene);
	scene.step.reasons.forgotten = true;
	scene.step.inner_left = 3;
	line = json_of(&scene, NULL);
	expect_null(line, "thread");
	expect_number(line, "inner_left_out", 3);
	reason = item(line, "reasons", 0, 3);
	expect_string(reason, "type", "gc");
	expect_string(reason, "name", "generation 2");
	expect_number(reason, "generation", 2);
	expect_number(reason, "collected", 1200);
	expect_number(reason, "ns", 30000000);
	expect_number(reason, "at_ns", 1000000);
	expect_number(reason, "count", 1);
	reason = item(line, "reasons", 1, 3);
	expect_string(reason, "type", "import");
	expect_string(reason, "name", "yaml");
	expect_number(reason, "ns", 12000000);
	reason = item(line, "reasons", 2, 3);
	expect_string(reason, "type", "audit");
	expect_string(reason, "name", "time.sleep");
	expect_null(reason, "ns");
	expect_number(reason, "at_ns", 60000000);
	expect_number(reason, "count", 2);
	expect_number(line, "reasons_left_out", 4);
	expect_bool(line, "reasons_forgotten", true);
	expect_number(line, "gc_ns", 30000000);
	expect_number(line, "import_ns", 12000000);
	json_object_put(line);
	scene.step.reasons.at[0].generation = -1; /* its beginning was not seen */
	scene.step.reasons.at[0].has_ns = false;
	line = json_of(&scene, NULL);
	reason = item(line, "reasons", 0, 3);
	expect_string(reason, "name", "generation unknown");
	expect_null(reason, "generation");
	expect_null(reason, "ns");
	json_object_put(line);
	scene_close(&scene);
}

Test(slow_json, tells_a_step_that_runs)
{
	struct scene scene;
	struct json_object *line;

	scene_open(&scene);
	scene.event.type = EVENT_LIVING;
	scene.event.transition = NULL;
	scene.event.living = &scene.living;
	scene.event.line = 1; /* where it was left last */
	scene.step.running = scene.step.at_least = true;
	line = json_of(&scene, NULL);
	expect_string(line, "type", "slow");
	expect_bool(line, "running", true);
	expect_bool(line, "at_least", true);
	expect_number(line, "id", 5);
	expect_number(line, "seq", 8);
	expect_number(line, "run_ns", 131000000);
	expect_number(line, "line", 42);
	expect_string(line, "from", "CORO_RUNNING");
	expect_null(line, "to");
	json_object_put(line);
	scene_close(&scene);
}

static struct suspect a_suspect(struct scene *scene, uint8_t type)
{
	return (struct suspect){ .type = type,
				 .event = &scene->event,
				 .self = scene->chain[0],
				 .has_suspended = true,
				 .suspended_ns = 7200000000000,
				 .maker = &query,
				 .maker_line = 70 };
}

Test(slow_json, has_suspects)
{
	struct scene scene;
	struct suspect suspect;
	struct json_object *line, *created;

	scene_open(&scene);
	suspect = a_suspect(&scene, SUSPECT_PARKED);
	suspect.chain = scene.chain;
	suspect.chain_count = 2;
	suspect.at_least = true;
	slow_json_suspect(&scene.paper.sink, &suspect);
	line = read_line(&scene.paper);
	expect_string(line, "type", "parked");
	expect_number(line, "ts_ns", 3723000001000);
	expect_number(line, "pid", 4242);
	expect_string(line, "gen", "0x7f12");
	expect_number(line, "id", 5);
	expect_string(line, "kind", "coroutine");
	expect_string(line, "qualname", "Handler.get");
	expect_number(line, "line", 42);
	expect_number(line, "suspended_ns", 7200000000000);
	expect_bool(line, "at_least", true);
	created = member(line, "created");
	expect_string(created, "qualname", "query");
	expect_string(created, "file", "/srv/app/db.py");
	expect_number(created, "line", 70);
	expect_string(item(line, "chain", 1, 2), "qualname", "query");
	json_object_put(line);

	suspect = a_suspect(&scene, SUSPECT_NEVER_AWAITED);
	suspect.self.line = 0;
	suspect.has_suspended = false;
	suspect.maker = NULL;
	paper_clear(&scene.paper);
	slow_json_suspect(&scene.paper.sink, &suspect);
	line = read_line(&scene.paper);
	expect_string(line, "type", "never_awaited");
	expect_null(line, "line");
	expect_null(line, "suspended_ns");
	expect_null(line, "created");
	expect_bool(line, "at_least", false);
	expect_number(item(line, "chain", 0, 1), "id", 5);
	json_object_put(line);

	suspect = a_suspect(&scene, SUSPECT_UNCLOSED);
	suspect.maker_line = 0;
	paper_clear(&scene.paper);
	slow_json_suspect(&scene.paper.sink, &suspect);
	line = read_line(&scene.paper);
	expect_string(line, "type", "unclosed");
	expect_null(member(line, "created"), "line");
	json_object_put(line);
	scene_close(&scene);
}

static void make_hostile(struct scene *scene)
{
	scene->event.code = &hostile;
	for (size_t i = 0; i < 3; i++)
		scene->chain[i].code = &hostile;
	scene->inner[0].code = &hostile;
	give_reasons(scene);
	strcpy(scene->step.reasons.at[1].name, hostile.qualname);
	strcpy(scene->step.reasons.at[2].name, "\x1b[31m\n\"");
}

Test(slow_json, keeps_hostile_names_as_they_are)
{
	struct scene scene;
	struct suspect suspect;
	struct json_object *line;

	scene_open(&scene);
	make_hostile(&scene);
	line = json_of(&scene, "\x1b[0m\n\"");
	expect_string(line, "thread", "\x1b[0m\n\"");
	expect_string(line, "qualname", hostile.qualname);
	expect_string(item(line, "chain", 1, 3), "file", hostile.file);
	expect_string(item(line, "inner", 0, 2), "qualname", hostile.qualname);
	expect_string(item(line, "reasons", 1, 3), "name", hostile.qualname);
	expect_string(item(line, "reasons", 2, 3), "name", "\x1b[31m\n\"");
	json_object_put(line);
	suspect = a_suspect(&scene, SUSPECT_PARKED);
	suspect.self = scene.chain[0];
	suspect.maker = &hostile;
	paper_clear(&scene.paper);
	slow_json_suspect(&scene.paper.sink, &suspect);
	line = read_line(&scene.paper);
	expect_string(line, "qualname", hostile.qualname);
	expect_string(member(line, "created"), "file", hostile.file);
	json_object_put(line);
	scene_close(&scene);
}

/* --- text --- */

static const char *text_of(struct scene *scene, const char *thread)
{
	paper_clear(&scene->paper);
	slow_text_step(&scene->paper.sink, &scene->step, thread);
	return paper_text(&scene->paper);
}

Test(slow_text, is_a_block_a_step)
{
	struct scene scene;

	scene_open(&scene);
	cr_expect_str_eq(
		text_of(&scene, "worker-1"),
		"01:02:03.000001 131 ms  coroutine Handler.get held thread 4243 (worker-1) of pid "
		"4242, then it awaited\n"
		"      at its end  Handler.get  /srv/app/web.py:42\n"
		"                    query  /srv/app/db.py:7\n"
		"                      query  /srv/app/db.py\n"
		"  of that inside  70.0 ms  query  /srv/app/db.py:9  (ended)\n"
		"                  60.0 ms  query  /srv/app/db.py:7\n");
	scene.step.chain_count = 1;
	scene.step.inner_count = 0;
	scene.transition.via = VIA_RETURN;
	give_reasons(&scene);
	scene.step.reasons.forgotten = true;
	cr_expect_str_eq(
		text_of(&scene, NULL),
		"01:02:03.000001 131 ms  coroutine Handler.get held thread 4243 of pid 4242, then "
		"it returned\n"
		"      at its end  Handler.get  /srv/app/web.py:42\n"
		"       meanwhile  garbage collection of generation 2, took 30.0 ms, freed 1200, "
		"after 1.00 ms\n"
		"                  import of yaml, took 12.0 ms, after 40.0 ms\n"
		"                  time.sleep, 2 times, first after 60.0 ms\n"
		"                  and 4 more\n"
		"                  and earlier ones, more than are kept\n");
	scene.step.inner_count = 1;
	scene.step.inner_left = 2;
	scene.step.reasons = (struct reasons){};
	scene.step.running = scene.step.at_least = true;
	cr_expect_str_eq(
		text_of(&scene, NULL),
		"01:02:03.000001 over 131 ms  coroutine Handler.get held thread 4243 of pid 4242, "
		"it still runs\n"
		"          now at  Handler.get  /srv/app/web.py:42\n"
		"  of that inside  70.0 ms  query  /srv/app/db.py:9  (ended)\n"
		"                  and 2 before\n");
	scene_close(&scene);
}

Test(slow_text, says_how_it_ended)
{
	static const struct {
		uint8_t via;
		const char *words;
	} ends[] = { { VIA_AWAIT, ", then it awaited\n" },
		     { VIA_YIELD, ", then it yielded\n" },
		     { VIA_RETURN, ", then it returned\n" },
		     { VIA_RAISE, ", then it raised\n" },
		     { VIA_CLOSE, ", then it was closed\n" } };
	struct scene scene;

	scene_open(&scene);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		scene.transition.via = ends[i].via;
		cr_expect(strstr(text_of(&scene, NULL), ends[i].words), "%s", ends[i].words);
	}
	scene_close(&scene);
}

Test(slow_text, has_suspects)
{
	struct scene scene;
	struct suspect suspect;

	scene_open(&scene);
	suspect = a_suspect(&scene, SUSPECT_PARKED);
	suspect.chain = scene.chain;
	suspect.chain_count = 2;
	slow_text_suspect(&scene.paper.sink, &suspect);
	cr_expect_str_eq(paper_text(&scene.paper),
			 "01:02:03.000001 parked: coroutine Handler.get of pid 4242, suspended for "
			 "2 h 0 min\n"
			 "        waits at  Handler.get  /srv/app/web.py:42\n"
			 "                    query  /srv/app/db.py:7\n"
			 "         made in  query  /srv/app/db.py:70\n");
	suspect = a_suspect(&scene, SUSPECT_UNCLOSED);
	suspect.at_least = true;
	paper_clear(&scene.paper);
	slow_text_suspect(&scene.paper.sink, &suspect);
	cr_expect_str_eq(paper_text(&scene.paper),
			 "01:02:03.000001 dropped, not closed: coroutine Handler.get of pid 4242, "
			 "suspended for at least 2 h 0 min\n"
			 "        stood at  Handler.get  /srv/app/web.py:42\n"
			 "         made in  query  /srv/app/db.py:70\n");
	suspect = a_suspect(&scene, SUSPECT_NEVER_AWAITED);
	suspect.self.line = 0;
	suspect.has_suspended = false;
	suspect.maker = NULL;
	paper_clear(&scene.paper);
	slow_text_suspect(&scene.paper.sink, &suspect);
	cr_expect_str_eq(paper_text(&scene.paper),
			 "01:02:03.000001 never awaited: coroutine Handler.get of pid 4242\n");
	scene_close(&scene);
}

Test(slow_text, tells_ages_in_few_words)
{
	static const struct {
		uint64_t ns;
		const char *words;
	} ages[] = { { 1500000, " for 1.50 ms\n" },           { 119900000000, " for 120 s\n" },
		     { 120000000000, " for 2 min\n" },        { 7199999999999, " for 119 min\n" },
		     { 93784000000000, " for 26 h 3 min\n" }, { 172800000000000, " for 2 d 0 h\n" },
		     { 9000000000000000, " for 104 d 4 h\n" } };
	struct scene scene;

	scene_open(&scene);
	for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++) {
		struct suspect suspect = a_suspect(&scene, SUSPECT_UNCLOSED);

		suspect.suspended_ns = ages[i].ns;
		paper_clear(&scene.paper);
		slow_text_suspect(&scene.paper.sink, &suspect);
		cr_expect(strstr(paper_text(&scene.paper), ages[i].words), "%s in %s",
			  ages[i].words, paper_text(&scene.paper));
	}
	scene_close(&scene);
}

Test(slow_text, counts_more_of_the_same)
{
	struct repeat repeat = { .type = SUSPECT_PARKED,
				 .kind = KIND_COROUTINE,
				 .code = &handler,
				 .line = 42,
				 .more = 99995 };
	struct scene scene;

	scene_open(&scene);
	slow_text_repeat(&scene.paper.sink, 3723000001000, &repeat);
	cr_expect_str_eq(paper_text(&scene.paper), "01:02:03.000001 and 99995 more parked: "
						   "coroutine Handler.get  /srv/app/web.py:42\n");
	repeat.at = &query;
	repeat.at_line = 7;
	paper_clear(&scene.paper);
	slow_text_repeat(&scene.paper.sink, 3723000001000, &repeat);
	cr_expect(
		strstr(paper_text(&scene.paper), "web.py:42, waits in query  /srv/app/db.py:7\n"));
	repeat.type = SUSPECT_NEVER_AWAITED;
	repeat.line = 0;
	paper_clear(&scene.paper);
	slow_text_repeat(&scene.paper.sink, 3723000001000, &repeat);
	cr_expect(strstr(paper_text(&scene.paper),
			 "never awaited: coroutine Handler.get  /srv/app/web.py, made in query  "
			 "/srv/app/db.py:7\n"));
	scene_close(&scene);
}

Test(slow_text, has_no_control_characters)
{
	struct repeat repeat = {
		.type = SUSPECT_PARKED, .kind = KIND_COROUTINE, .code = &hostile, .at = &hostile
	};
	struct scene scene;
	struct suspect suspect;
	const char *text;

	scene_open(&scene);
	make_hostile(&scene);
	slow_text_step(&scene.paper.sink, &scene.step, "\x1b[0m\nx");
	suspect = a_suspect(&scene, SUSPECT_PARKED);
	suspect.self = scene.chain[0];
	suspect.maker = &hostile;
	slow_text_suspect(&scene.paper.sink, &suspect);
	slow_text_repeat(&scene.paper.sink, 1, &repeat);
	text = paper_text(&scene.paper);
	cr_expect_eq(count_lines(text), 1u + 3 + 2 + 4 + 3 + 1);
	for (const char *at = text; *at; at++)
		cr_assert((unsigned char)*at >= 0x20 || *at == '\n', "byte %d", *at);
	cr_expect_null(strchr(text, 0x7f));
	scene_close(&scene);
}

Test(slow_text, colours_without_moving_anything)
{
	struct scene scene;
	char *plain, *colored;

	scene_open(&scene);
	give_reasons(&scene);
	plain = strdup(text_of(&scene, "t"));
	scene.paper.sink.color = true;
	colored = strdup(text_of(&scene, "t"));
	cr_expect_neq(strlen(plain), strlen(colored));
	strip_colors(colored);
	cr_expect_str_eq(colored, plain);
	free(plain);
	free(colored);
	scene_close(&scene);
}
