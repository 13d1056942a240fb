/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/reasons.h"

/* Why a step was long: what overlaps with it, cut to it, merged by name. Times are chosen to be told apart. */

static void add(struct contexts *contexts, uint8_t type, const char *name, uint64_t begin_ns,
		uint64_t end_ns)
{
	struct event event = { .type = type,
			       .ts_ns = end_ns,
			       .name = name,
			       .generation = -1,
			       .has_ns = end_ns > begin_ns,
			       .ns = end_ns - begin_ns };

	contexts_add(contexts, &event);
}

static void add_gc(struct contexts *contexts, int generation, int64_t collected, uint64_t begin_ns,
		   uint64_t end_ns)
{
	struct event event = { .type = EVENT_GC,
			       .ts_ns = end_ns,
			       .name = "",
			       .value = collected,
			       .generation = generation,
			       .has_ns = true,
			       .ns = end_ns - begin_ns };

	contexts_add(contexts, &event);
}

static struct contexts *empty(void)
{
	return calloc(1, sizeof(struct contexts));
}

Test(reasons, are_cut_to_the_step)
{
	struct contexts *contexts = empty();
	struct reasons reasons;

	add_gc(contexts, 0, 1, 100, 200);  /* before */
	add_gc(contexts, 1, 2, 900, 1100); /* 100 of it within */
	add_gc(contexts, 2, 4, 1200, 1203);
	add(contexts, EVENT_IMPORT, "late", 1990, 2500); /* 10 within */
	add_gc(contexts, 0, 8, 2001, 2100);              /* after */
	contexts_reasons(contexts, 1000, 2000, &reasons);
	cr_assert_eq(reasons.count, 3);
	cr_expect_eq(reasons.at[0].generation, 1);
	cr_expect_eq(reasons.at[0].ns, 100);
	cr_expect_eq(reasons.at[0].at_ns, 0, "it was under way when the step began");
	cr_expect_eq(reasons.at[0].value, 2);
	cr_expect_eq(reasons.at[1].generation, 2);
	cr_expect_eq(reasons.at[1].ns, 3);
	cr_expect_eq(reasons.at[1].at_ns, 200);
	cr_expect_eq(reasons.at[2].type, EVENT_IMPORT);
	cr_expect_str_eq(reasons.at[2].name, "late");
	cr_expect_eq(reasons.at[2].ns, 10);
	cr_expect_eq(reasons.at[2].at_ns, 990);
	cr_expect_eq(reasons.gc_ns, 103);
	cr_expect_eq(reasons.import_ns, 10);
	cr_expect_eq(reasons.left, 0);
	cr_expect_not(reasons.forgotten);
	contexts_reasons(contexts, 3000, 4000, &reasons);
	cr_expect_eq(reasons.count, 0);
	cr_expect_eq(reasons.gc_ns + reasons.import_ns, 0);
	free(contexts);
}

Test(reasons, are_merged_by_name)
{
	struct contexts *contexts = empty();
	struct reasons reasons;

	add(contexts, EVENT_AUDIT, "open", 1100, 1100);
	add_gc(contexts, 2, 5, 1150, 1170);
	add(contexts, EVENT_AUDIT, "time.sleep", 1200, 1200);
	add(contexts, EVENT_AUDIT, "open", 1300, 1300);
	add_gc(contexts, 0, 7, 1310, 1320);
	add_gc(contexts, 2, 6, 1400, 1401);
	contexts_reasons(contexts, 1000, 2000, &reasons);
	cr_assert_eq(reasons.count, 4);
	cr_expect_str_eq(reasons.at[0].name, "open");
	cr_expect_eq(reasons.at[0].count, 2);
	cr_expect_eq(reasons.at[0].at_ns, 100, "of the first");
	cr_expect_not(reasons.at[0].has_ns);
	cr_expect_eq(reasons.at[1].type, EVENT_GC);
	cr_expect_eq(reasons.at[1].count, 2);
	cr_expect_eq(reasons.at[1].ns, 21);
	cr_expect_eq(reasons.at[1].value, 11);
	cr_expect(reasons.at[1].has_ns);
	cr_expect_str_eq(reasons.at[2].name, "time.sleep");
	cr_expect_eq(reasons.at[2].count, 1);
	cr_expect_eq(reasons.at[3].generation, 0, "another generation is another reason");
	cr_expect_eq(reasons.gc_ns, 31);
	cr_expect_eq(reasons.import_ns, 0, "an audit event is no import");
	free(contexts);
}

/* Inner imports end first, and are a part of the outer one. */
Test(reasons, has_outer_imports_only)
{
	struct contexts *contexts = empty();
	struct reasons reasons;

	add(contexts, EVENT_IMPORT, "alone", 1000, 1010);
	add(contexts, EVENT_IMPORT, "a.b.c", 1120, 1130);
	add_gc(contexts, 0, 0, 1131, 1133); /* in the middle of it */
	add(contexts, EVENT_IMPORT, "a.b", 1110, 1140);
	add(contexts, EVENT_IMPORT, "a.d", 1150, 1160);
	add(contexts, EVENT_IMPORT, "a", 1100, 1170);
	contexts_reasons(contexts, 1000, 2000, &reasons);
	cr_assert_eq(reasons.count, 3);
	cr_expect_str_eq(reasons.at[0].name, "alone");
	cr_expect_str_eq(reasons.at[1].name, "a");
	cr_expect_eq(reasons.at[1].ns, 70);
	cr_expect_eq(reasons.at[2].type, EVENT_GC);
	cr_expect_eq(reasons.import_ns, 80);
	free(contexts);
}

/* Some package imports ten thousand others: the collection before it is still known. */
Test(reasons, survive_a_flood_of_imports)
{
	struct contexts *contexts = empty();
	struct reasons reasons;
	char name[32];

	add_gc(contexts, 2, 0, 1010, 1020);
	for (unsigned i = 0; i < 80; i++) {
		for (unsigned k = 0; k < 80; k++) {
			uint64_t begin = 2000 + i * 1000 + k * 10;

			snprintf(name, sizeof(name), "m%u.n%u", i, k);
			add(contexts, EVENT_IMPORT, name, begin, begin + 5);
		}
		snprintf(name, sizeof(name), "m%u", i);
		add(contexts, EVENT_IMPORT, name, 1990 + i * 1000, 2900 + i * 1000);
	}
	add(contexts, EVENT_IMPORT, "all", 1900, 90000);
	contexts_reasons(contexts, 1000, 100000, &reasons);
	cr_assert_eq(reasons.count, 2);
	cr_expect_eq(reasons.at[0].type, EVENT_GC);
	cr_expect_str_eq(reasons.at[1].name, "all");
	cr_expect_eq(reasons.at[1].ns, 88100);
	cr_expect_eq(reasons.import_ns, 88100);
	cr_expect_not(reasons.forgotten, "nothing that counts was");
	free(contexts);
}

Test(reasons, survive_a_flood_of_audit_events)
{
	struct contexts *contexts = empty();
	struct reasons reasons;

	add_gc(contexts, 2, 0, 1010, 1500);
	add(contexts, EVENT_IMPORT, "json", 1501, 1600);
	for (unsigned i = 0; i < 3 * CONTEXTS_MAX; i++)
		add(contexts, EVENT_AUDIT, "open", 1700 + i, 1700 + i);
	contexts_reasons(contexts, 1000, 9000, &reasons);
	cr_assert_eq(reasons.count, 3);
	cr_expect_eq(reasons.at[0].ns, 490);
	cr_expect_str_eq(reasons.at[1].name, "json");
	cr_expect_str_eq(reasons.at[2].name, "open");
	cr_expect_eq(reasons.at[2].count, CONTEXTS_MAX);
	cr_expect(reasons.forgotten, "there were more of them");
	contexts_reasons(contexts, 1700 + 2 * CONTEXTS_MAX, 9000, &reasons);
	cr_expect_not(reasons.forgotten, "those were before");
	cr_expect_eq(reasons.at[0].count, CONTEXTS_MAX);
	free(contexts);
}

Test(reasons, say_how_many_are_left_out)
{
	struct contexts *contexts = empty();
	struct reasons reasons;
	char name[32];

	for (unsigned i = 0; i < REASONS_MAX + 4; i++) {
		snprintf(name, sizeof(name), "os.call%u", i);
		add(contexts, EVENT_AUDIT, name, 1000 + i, 1000 + i);
	}
	add(contexts, EVENT_AUDIT, "os.call0", 1900, 1900); /* one that has its place */
	contexts_reasons(contexts, 1000, 2000, &reasons);
	cr_assert_eq(reasons.count, (size_t)REASONS_MAX);
	cr_expect_eq(reasons.left, 4);
	cr_expect_eq(reasons.at[0].count, 2);
	for (unsigned i = 0; i < REASONS_MAX; i++)
		cr_expect_eq(reasons.at[i].at_ns, i);
	free(contexts);
}

/* The spans come first into the room there is, but the order is that of time. */
Test(reasons, are_in_the_order_of_their_beginnings)
{
	struct contexts *contexts = empty();
	struct reasons reasons;

	add(contexts, EVENT_AUDIT, "open", 1001, 1001);
	add(contexts, EVENT_IMPORT, "x", 1002, 1010);
	add(contexts, EVENT_AUDIT, "time.sleep", 1020, 1020);
	add_gc(contexts, 1, 0, 1030, 1040);
	contexts_reasons(contexts, 1000, 2000, &reasons);
	cr_assert_eq(reasons.count, 4);
	for (size_t i = 1; i < 4; i++)
		cr_expect_lt(reasons.at[i - 1].at_ns, reasons.at[i].at_ns);
	free(contexts);
}

/* The beginning was not seen: it ended then, and that is all. */
Test(reasons, may_have_no_length)
{
	struct contexts *contexts = empty();
	struct reasons reasons;

	add(contexts, EVENT_GC, "", 1500, 1500);
	contexts_reasons(contexts, 1000, 2000, &reasons);
	cr_assert_eq(reasons.count, 1);
	cr_expect_not(reasons.at[0].has_ns);
	cr_expect_eq(reasons.at[0].generation, -1);
	cr_expect_eq(reasons.at[0].at_ns, 500);
	free(contexts);
}

Test(reasons, take_long_names)
{
	struct contexts *contexts = empty();
	struct reasons reasons;
	char name[2 * CONTEXT_NAME_BYTES];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	add(contexts, EVENT_IMPORT, name, 1000, 1500);
	contexts_reasons(contexts, 1000, 2000, &reasons);
	cr_assert_eq(strlen(reasons.at[0].name), (size_t)CONTEXT_NAME_BYTES - 1);
	free(contexts);
}

/* docs.python.org/3/library/audit_events.html */
Test(audit, knows_what_may_block)
{
	static const char *const may[] = { "time.sleep",
					   "open",
					   "socket.connect",
					   "socket.getaddrinfo",
					   "socket.gethostbyname",
					   "subprocess.Popen",
					   "sqlite3.connect",
					   "urllib.Request",
					   "os.listdir",
					   "os.system",
					   "os.scandir",
					   "shutil.copyfile",
					   "glob.glob",
					   "tempfile.mkstemp",
					   "fcntl.flock",
					   "http.client.connect",
					   "smtplib.send",
					   "ctypes.dlopen",
					   "builtins.input" };
	static const char *const may_not[] = { "import",
					       "compile",
					       "exec",
					       "marshal.loads",
					       "object.__getattr__",
					       "sys._getframe",
					       "gc.get_objects",
					       "code.__new__",
					       "opener",
					       "openly.open",
					       "socketry.connect",
					       "time.sleeper",
					       "",
					       "os",
					       "socket.__new__",
					       "os.putenv",
					       "os.unsetenv",
					       "signal.pthread_kill",
					       "cpython.run_command" };
	struct contexts *contexts = empty();
	struct reasons reasons;

	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++)
		cr_expect(audit_may_block(may[i]), "%s", may[i]);
	for (size_t i = 0; i < sizeof(may_not) / sizeof(may_not[0]); i++) {
		cr_expect_not(audit_may_block(may_not[i]), "%s", may_not[i]);
		add(contexts, EVENT_AUDIT, may_not[i], 1000, 1000);
	}
	contexts_reasons(contexts, 0, 2000, &reasons);
	cr_expect_eq(reasons.count, 0);
	free(contexts);
}
