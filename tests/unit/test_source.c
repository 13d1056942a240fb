/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target/source.h"

/* Lines of a file, by a name as a process knows it: this one. */

static char folder[] = "/tmp/genscope-source-XXXXXX";
static char path[64];

static void make_file(const char *text)
{
	FILE *file;

	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/app.py", folder);
	file = fopen(path, "w");
	cr_assert(file);
	fputs(text, file);
	fclose(file);
}

static void clean(void)
{
	unlink(path);
	rmdir(folder);
}

static void expect_line(const char *name, uint32_t number, const char *expected)
{
	char text[32] = "before";
	struct source_line line = { number, text, sizeof(text) };

	cr_assert_eq(source_read(getpid(), name, &line, 1), 0, "%s", name);
	cr_expect_str_eq(text, expected, "line %u of %s: '%s'", number, name, text);
}

static void expect_error(const char *name, int err)
{
	char text[32] = "before";
	struct source_line line = { 1, text, sizeof(text) };

	cr_expect_eq(source_read(getpid(), name, &line, 1), err, "%s", name);
	cr_expect_str_eq(text, "", "%s: '%s'", name, text);
}

Test(source, has_lines_without_the_blanks_around, .fini = clean)
{
	char first[32], third[32], again[32];
	struct source_line lines[] = { { 3, third, 32 }, { 1, first, 32 }, { 3, again, 32 } };

	make_file(
		"async def f():\n\n \t await g()  \r\n    x = '" /* line 4: longer than the room */
		"ääääääääääääääääää'\nlast");
	cr_assert_eq(source_read(getpid(), path, lines, 3), 0);
	cr_expect_str_eq(first, "async def f():");
	cr_expect_str_eq(third, "await g()");
	cr_expect_str_eq(again, "await g()");
	expect_line(path, 2, "");
	expect_line(path, 4, "x = 'äääääääääääää"); /* 5 + 13 * 2 bytes: no half a letter */
	expect_line(path, 5, "last");
	expect_line(path, 6, "");
	expect_line(path, 0, "");
}

Test(source, has_lines_behind_very_long_ones, .fini = clean)
{
	char *text = malloc(20000);

	memset(text, 'x', 10000);
	strcpy(text + 10000, "\nsecond\n");
	make_file(text);
	expect_line(path, 2, "second");
	free(text);
}

Test(source, is_below_the_working_directory_if_it_does_not_begin_at_the_root, .fini = clean)
{
	make_file("one\n");
	cr_assert_eq(chdir(folder), 0);
	expect_line("app.py", 1, "one");
	expect_line("./app.py", 1, "one");
	expect_error("nothing.py", -ENOENT);
	expect_error("../app.py", -EXDEV);
	expect_error("<string>", -ENOENT);
	expect_error("", -ENOENT);
}

/* Whatever the target says its file is, no device is opened and no pipe is waited for. */
Test(source, is_a_regular_file, .fini = clean)
{
	char pipe_path[80], link_path[80];

	make_file("one\n");
	snprintf(pipe_path, sizeof(pipe_path), "%s/pipe", folder);
	snprintf(link_path, sizeof(link_path), "%s/link", folder);
	cr_assert_eq(mkfifo(pipe_path, 0600), 0);
	cr_assert_eq(symlink(path, link_path), 0);
	expect_error(pipe_path, -EINVAL);
	expect_error("/dev/null", -EINVAL);
	expect_error("/tmp", -EINVAL);
	expect_error("/proc/self/exe/x", -ELOOP); /* a magic link leads anywhere */
	expect_line(link_path, 1, "one");
	unlink(pipe_path);
	unlink(link_path);
}

Test(source, of_a_process_that_is_gone)
{
	char text[8];
	struct source_line line = { 1, text, sizeof(text) };

	cr_expect_eq(source_read(1 << 30, "/etc/passwd", &line, 1), -ENOENT);
}
