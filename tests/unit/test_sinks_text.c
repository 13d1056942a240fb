/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "paper.h"
#include "sink/sink.h"
#include "sink/writer.h"

/* The text sink, the writer under both sinks, and numbers. What a number looks like, snprintf() says. */

#define ARROW "\xe2\x86\x92"

static struct code code = { .id = 1,
			    .name = "step",
			    .qualname = "Worker.step",
			    .file = "/srv/app/worker.py",
			    .wanted = true };

static const char *transition_line(struct paper *paper, struct transition_record *record)
{
	struct event event = { .type = EVENT_TRANSITION,
			       .ts_ns = record->head.ts_ns,
			       .pid = record->head.pid,
			       .tid = record->head.tid,
			       .transition = record,
			       .code = &code,
			       .line = 42 };

	paper_clear(paper);
	paper->sink.ops->event(&paper->sink, &event);
	return paper_text(paper);
}

Test(text_sink, aligns_its_columns)
{
	struct transition_record record = {
		.head = { .flags = TRANSITION_HAS_RUN, .pid = 4242, .ts_ns = 3723000001999 },
		.id = 77,
		.run_ns = 2500,
		.kind = KIND_COROUTINE,
		.from = STATE_RUNNING,
		.to = STATE_SUSPENDED,
		.via = VIA_AWAIT,
	};
	struct paper paper;

	paper_open(&paper, &sink_text, false);
	paper.sink.ops->begin(&paper.sink);
	cr_assert_str_eq(paper_text(&paper), "TIME                PID     ID KIND FROM        "
					     "TO        VIA        TOOK              FUNCTION\n");
	cr_assert_str_eq(transition_line(&paper, &record),
			 "01:02:03.000001    4242     77 coro RUNNING   " ARROW
			 " SUSPENDED await      ran 2.5 us        Worker.step  worker.py:42\n");
	record.head.flags = TRANSITION_HAS_SUSPENDED;
	record.head.pid = 4194304; /* the most a kernel gives */
	record.suspended_ns = 999990000;
	record.id = 999999;
	record.kind = KIND_ASYNC_GENERATOR;
	record.from = STATE_SUSPENDED;
	record.to = STATE_RUNNING;
	record.via = VIA_YIELD_FROM;
	cr_assert_str_eq(transition_line(&paper, &record),
			 "01:02:03.000001 4194304 999999 agen SUSPENDED " ARROW
			 " RUNNING   yield_from waited 999.99 ms  Worker.step  worker.py:42\n");
	record.head.flags = 0;
	record.kind = KIND_GENERATOR;
	record.from = STATE_NONE;
	record.to = STATE_CREATED;
	record.via = VIA_CREATE;
	cr_assert_str_eq(transition_line(&paper, &record),
			 "01:02:03.000001 4194304 999999 gen  born      " ARROW
			 " CREATED   create                       Worker.step  worker.py:42\n");
	paper_close(&paper);
}

/* Without its escape sequences a coloured line is the plain one. */
Test(text_sink, colours_without_moving_anything)
{
	struct transition_record record = { .head = { .pid = 1 }, .id = 1 };
	struct paper plain, coloured;

	paper_open(&plain, &sink_text, false);
	paper_open(&coloured, &sink_text, true);
	for (unsigned i = 0; i < STATE_COUNT * STATE_COUNT * VIA_COUNT * 3; i++) {
		char stripped[1024], *out = stripped;
		const char *in;

		record.from = (uint8_t)(i % STATE_COUNT);
		record.to = (uint8_t)(i / STATE_COUNT % STATE_COUNT);
		record.kind = (uint8_t)(1 + i / (STATE_COUNT * STATE_COUNT) % 3);
		record.via = (uint8_t)(i / (STATE_COUNT * STATE_COUNT * 3));
		for (in = transition_line(&coloured, &record); *in; in++) {
			if (*in == '\033') {
				in = strchr(in, 'm');
				cr_assert(in, "a sequence that does not end");
			} else {
				*out++ = *in;
			}
		}
		*out = 0;
		cr_assert_str_eq(stripped, transition_line(&plain, &record));
		cr_assert_not(strchr(plain.text, '\033'));
	}
	paper_close(&plain);
	paper_close(&coloured);
}

Test(text_sink, writes_contexts_losses_and_the_end)
{
	struct event event = { .type = EVENT_GC,
			       .pid = 9,
			       .name = "",
			       .value = 31,
			       .generation = 2,
			       .has_ns = true,
			       .ns = 1500000 };
	struct loss loss = { 1, 2, 3 };
	struct summary summary = { .hits = 21,
				   .events = 1,
				   .filtered = 2,
				   .causes = 3,
				   .redundant = 4,
				   .strangers = 5,
				   .lost = { 1, 2, 3 },
				   .objects = 8,
				   .duration_ns = 2000000000,
				   .coverage = "full" };
	struct paper paper;

	paper_open(&paper, &sink_text, false);
	paper_clear(&paper);
	paper.sink.ops->event(&paper.sink, &event);
	cr_assert(strstr(paper_text(&paper), "gc generation 2 took 1.50 ms, freed 31\n"));
	event = (struct event){ .type = EVENT_IMPORT, .name = "os.path", .value = 1 };
	paper_clear(&paper);
	paper.sink.ops->event(&paper.sink, &event);
	cr_assert(strstr(paper_text(&paper), "import os.path took ?\n"));
	event.type = EVENT_AUDIT;
	event.name = "open";
	paper_clear(&paper);
	paper.sink.ops->event(&paper.sink, &event);
	cr_assert(strstr(paper_text(&paper), "open\n"));
	paper_clear(&paper);
	paper.sink.ops->lost(&paper.sink, 0, &loss);
	cr_assert(strchr(paper_text(&paper), '6'), "the sum is missing: %s", paper.text);
	paper.sink.ops->end(&paper.sink, &summary);
	cr_assert(strstr(paper_text(&paper),
			 "hits 21 = events 1 + filtered 2 + causes 3 + redundant "
			 "4 + strangers 5 + lost 6  DOES NOT CLOSE\n"));
	cr_assert(strstr(paper.text, "lost: ring full 1, map full 2, faults 3\n"));
	cr_assert(strstr(paper.text, "of 8 objects in 2.000 s\n"));
	paper_close(&paper);
}

/* A name is anything that a program says: it must not break the line, nor talk to the terminal. */
Test(text_sink, keeps_a_hostile_name_on_its_line)
{
	struct transition_record record = { .kind = KIND_GENERATOR, .to = STATE_CREATED };
	struct code hostile = { .name = "x",
				.qualname = "evil\n\033[2Jname",
				.file = "a\r\033]0;x" };
	struct event event = {
		.type = EVENT_TRANSITION, .transition = &record, .code = &hostile, .line = 1
	};
	struct paper paper;
	const char *text;

	paper_open(&paper, &sink_text, false);
	paper.sink.ops->event(&paper.sink, &event);
	text = paper_text(&paper);
	cr_expect_eq(strchr(text, '\n'), text + strlen(text) - 1, "two lines");
	cr_expect_not(strpbrk(text, "\033\r"), "a control sequence came through");
	paper_close(&paper);
}

/* Within half a unit of its last digit of what it says, short, and never 1000 of a unit. */
static void check_duration(uint64_t ns)
{
	char out[24] = "", unit[8];
	double number, factor, last;
	const char *point;

	format_duration(ns, out, 16);
	cr_assert_lt(strlen(out), 16u);
	cr_assert_eq(sscanf(out, "%lf %7s", &number, unit), 2, "%s", out);
	factor = !strcmp(unit, "ns") ? 1 :
		 !strcmp(unit, "us") ? 1e3 :
		 !strcmp(unit, "ms") ? 1e6 :
				       1e9;
	cr_assert(factor < 1e9 || !strcmp(unit, "s"), "%s", out);
	point = strchr(out, '.');
	last = factor * (point ? pow(10, -(double)strspn(point + 1, "0123456789")) : 1);
	cr_assert(fabs(number * factor - (double)ns) <= last / 2 + (double)ns * 1e-15,
		  "%" PRIu64 " ns are not %s", ns, out);
	cr_assert(factor == 1e9 || number < 1000, "%" PRIu64 " ns: %s", ns, out);
}

Test(numbers, format_durations)
{
	char out[24];

	for (uint64_t ns = 0; ns < 12000; ns++)
		check_duration(ns);
	for (unsigned shift = 0; shift < 53; shift++)
		for (int near = -2; near <= 2; near++)
			check_duration((1ull << shift) + (uint64_t)(near + 2));
	format_duration(0, out, 16);
	cr_assert_str_eq(out, "0 ns");
	format_duration(1500, out, 16);
	cr_assert_str_eq(out, "1.5 us");
	format_duration(60000000000, out, 16);
	cr_assert_str_eq(out, "60.000 s");
}

/* Rounding must not make a thousand of a smaller unit. */
Test(numbers, format_durations_at_the_edge_of_a_unit)
{
	for (uint64_t unit = 1000; unit <= 1000000000; unit *= 1000)
		for (uint64_t below = 1; below <= unit / 1000 + 1; below += unit / 1000 / 7 + 1)
			check_duration(unit - below);
}

/* 2^64 ns are 584 years: even that fits where 16 bytes are. */
Test(numbers, format_the_longest_duration)
{
	char out[17] = "................";

	format_duration(UINT64_MAX, out, 16);
	cr_assert_str_eq(out, "18446744073.710");
}

static void check_number(uint64_t value)
{
	char expected[32], got[32];

	memset(got, '#', sizeof(got));
	*put_u64(got, value) = 0;
	snprintf(expected, sizeof(expected), "%" PRIu64, value);
	cr_assert_str_eq(got, expected);
	memset(got, '#', sizeof(got));
	*put_hex(got, value) = 0;
	snprintf(expected, sizeof(expected), "%" PRIx64, value);
	cr_assert_str_eq(got, expected);
}

Test(numbers, are_those_of_snprintf)
{
	uint64_t power = 1, state = 88172645463325252;

	for (uint64_t value = 0; value < 20000; value++)
		check_number(value);
	for (int digits = 0; digits < 20; digits++, power *= 10)
		for (uint64_t near = 0; near < 5; near++)
			check_number(power + near - 2);
	for (int shift = 0; shift < 64; shift++)
		for (uint64_t near = 0; near < 5; near++)
			check_number((1ull << shift) + near - 2);
	check_number(UINT64_MAX);
	for (int i = 0; i < 100000; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		check_number(state >> (i & 63));
	}
}

Test(writer, keeps_every_byte)
{
	size_t total = 0, size = 3 * 256 * 1024 + 17;
	char *back, *blob = malloc(size);
	struct writer writer;
	int fd = memfd_create("writer", 0);

	for (size_t i = 0; i < size; i++)
		blob[i] = (char)(i * 2654435761u >> 13);
	cr_assert_eq(writer_open(&writer, NULL), 0);
	writer.fd = fd;
	for (size_t part = 1; total < size; part = part * 3 + 1) {
		size_t now = part < size - total ? part : size - total;

		writer_put(&writer, blob + total, now);
		total += now;
	}
	writer_put(&writer, blob, 0);
	writer_printf(&writer, "%s|%d", "end", 7);
	cr_assert_eq(writer_close(&writer), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_END), (off_t)size + 5);
	back = malloc(size + 5);
	cr_assert_eq(pread(fd, back, size + 5, 0), (ssize_t)size + 5);
	cr_assert_eq(memcmp(back, blob, size), 0);
	cr_assert_eq(memcmp(back + size, "end|7", 5), 0);
	free(back);
	free(blob);
	close(fd);
}

Test(writer, remembers_its_first_error)
{
	struct writer writer;

	cr_assert_eq(writer_open(&writer, "/nonexistent/file"), -ENOENT);
	cr_assert_eq(writer_open(&writer, "/dev/full"), 0);
	writer_puts(&writer, "lost");
	cr_assert_eq(writer_flush(&writer), -ENOSPC);
	writer_puts(&writer, "lost too");
	cr_assert_eq(writer_flush(&writer), -ENOSPC);
	cr_assert_eq(writer_close(&writer), -ENOSPC);
}

Test(writer, replaces_a_file)
{
	char path[] = "/tmp/genscope-writer-XXXXXX", back[32] = "";
	struct writer writer;
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, "a longer text than the next", 27), 27);
	cr_assert_eq(writer_open(&writer, path), 0);
	writer_puts(&writer, "short");
	cr_assert_eq(writer_close(&writer), 0);
	cr_assert_eq(pread(fd, back, sizeof(back), 0), 5);
	cr_assert_str_eq(back, "short");
	close(fd);
	unlink(path);
}
