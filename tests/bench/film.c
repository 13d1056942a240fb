// SPDX-License-Identifier: MIT
/*
 * film FILE TRANSITIONS: writes a recording that looks like an asyncio service under load: workers on a few
 * threads, each step one of a chain of three coroutines. The same numbers
 * always give the same file: what reading a recording costs is measured with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/recording.h"
#include "records.h"

#define PID       4242
#define THREADS   4
#define WORKERS   64 /* of a thread */
#define FUNCTIONS 400
#define ROUTES    50 /* functions that are outermost */
#define DEPTH     3
#define FIRST_NS  1000000000000ull

struct worker {
	uint64_t ids[DEPTH]; /* outermost first */
	uint64_t since_ns[DEPTH];
	uint32_t seq[DEPTH];
	uint32_t codes[DEPTH];
	bool alive, suspended;
};

struct film {
	struct recording *recording;
	struct worker workers[THREADS][WORKERS];
	uint64_t now_ns, next_id, chance, transitions, wanted;
	int error;
};

static uint64_t by_chance(struct film *film)
{
	uint64_t x = (film->chance += 0x9e3779b97f4a7c15); /* splitmix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static struct text put_ascii(uint8_t *out, const char *text)
{
	struct text of = { .length = (uint32_t)strlen(text),
			   .bytes = (uint16_t)strlen(text),
			   .width = 1,
			   .ascii = 1 };

	memcpy(out, text, of.bytes);
	return of;
}

static void tell_codes(struct film *film)
{
	char text[64];

	for (uint32_t id = 1; id <= FUNCTIONS && !film->error; id++) {
		struct code_record code = {
			.head = { .size = sizeof(code), .type = RECORD_CODE, .pid = PID },
			.process = 1,
			.address = 0x1000 * id,
			.code = id,
			.first_line = 10 * id,
		};

		snprintf(text, sizeof(text), "Service.handler_%u", id);
		code.name_text = put_ascii(code.name, text + strlen("Service."));
		code.qualname_text = put_ascii(code.qualname, text);
		snprintf(text, sizeof(text), "/srv/app/module_%u.py", id % 20);
		code.filename_text = put_ascii(code.filename, text);
		film->error = recording_append(film->recording, &code, sizeof(code));
	}
}

static void tell(struct film *film, int thread, struct worker *worker, int level, uint8_t from,
		 uint8_t to, uint8_t via)
{
	struct transition_record t = {
		.head = { .size = sizeof(t),
			  .type = RECORD_TRANSITION,
			  .pid = PID,
			  .tid = PID + (uint32_t)thread,
			  .ts_ns = film->now_ns },
		.gen = 0x10 * worker->ids[level],
		.id = worker->ids[level],
		.parent = level ? worker->ids[level - 1] : 0,
		.seq = ++worker->seq[level],
		.code = worker->codes[level],
		.instruction = NO_INSTRUCTION,
		.kind = KIND_COROUTINE,
		.from = from,
		.to = to,
		.via = via,
	};
	uint64_t passed_ns = film->now_ns - worker->since_ns[level];

	if (from == STATE_RUNNING) {
		t.head.flags = TRANSITION_HAS_RUN;
		t.run_ns = passed_ns;
	} else if (from == STATE_SUSPENDED) {
		t.head.flags = TRANSITION_HAS_SUSPENDED;
		t.suspended_ns = passed_ns;
	}
	worker->since_ns[level] = film->now_ns;
	film->transitions++;
	if (!film->error)
		film->error = recording_append(film->recording, &t, sizeof(t));
	/* mostly a few microseconds, sometimes milliseconds */
	film->now_ns += 300 + by_chance(film) % 4000;
	if (by_chance(film) % 5000 == 0)
		film->now_ns += by_chance(film) % 20000000;
}

/* Each function calls a few others, as in a program. */
static uint32_t called_by(uint32_t code, uint64_t chance)
{
	return 1 + (code * 7 + (uint32_t)(chance % 4) * 31) % FUNCTIONS;
}

static void be_born(struct film *film, int thread, struct worker *worker)
{
	*worker = (struct worker){ .alive = true };
	for (int level = 0; level < DEPTH; level++) {
		worker->ids[level] = film->next_id++;
		worker->codes[level] =
			level ? called_by(worker->codes[level - 1], by_chance(film)) :
				1 + (uint32_t)(by_chance(film) % ROUTES);
		tell(film, thread, worker, level, STATE_NONE, STATE_CREATED, VIA_CREATE);
	}
}

/* A step of a worker: down its chain, then back, suspended or done. */
static void step(struct film *film, int thread, struct worker *worker)
{
	bool done = by_chance(film) % 8 == 0;

	if (!worker->alive)
		be_born(film, thread, worker);
	for (int level = 0; level < DEPTH; level++)
		tell(film, thread, worker, level,
		     worker->suspended ? STATE_SUSPENDED : STATE_CREATED, STATE_RUNNING, VIA_SEND);
	for (int level = DEPTH; level--;)
		tell(film, thread, worker, level, STATE_RUNNING,
		     done ? STATE_CLOSED : STATE_SUSPENDED, done ? VIA_RETURN : VIA_AWAIT);
	for (int level = DEPTH; done && level--;)
		tell(film, thread, worker, level, STATE_CLOSED, STATE_NONE, VIA_FREE);
	worker->suspended = !done;
	worker->alive = !done;
}

static int write_film(struct film *film, const char *path)
{
	struct recording_about about;
	struct recording_summary summary = { .coverage = "full" };
	int err;

	recording_about_now(&about);
	err = recording_open(path, &about, &film->recording);
	if (err)
		return err;
	film->now_ns = FIRST_NS;
	film->next_id = 1;
	tell_codes(film);
	while (film->transitions < film->wanted && !film->error) {
		int thread = (int)(by_chance(film) % THREADS);

		step(film, thread, &film->workers[thread][by_chance(film) % WORKERS]);
	}
	summary.value[STAT_HITS] = film->transitions;
	summary.value[STAT_OBJECTS] = film->next_id - 1;
	summary.duration_ns = summary.on_ns = film->now_ns - FIRST_NS;
	err = recording_close(film->recording, &summary);
	return film->error ? film->error : err;
}

int main(int argc, char **argv)
{
	struct film *film = calloc(1, sizeof(*film));
	int err;

	if (argc != 3 || !film) {
		fprintf(stderr, "usage: film FILE TRANSITIONS\n");
		free(film);
		return 2;
	}
	film->wanted = strtoull(argv[2], NULL, 10);
	err = write_film(film, argv[1]);
	if (err)
		fprintf(stderr, "film: %s: %s\n", argv[1], strerror(-err));
	else
		printf("%llu transitions\n", (unsigned long long)film->transitions);
	free(film);
	return err ? 1 : 0;
}
