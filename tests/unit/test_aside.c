/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#include "cmd/aside.h"
#include "cmd/cmd.h"

/* Standard error while it is caught, and afterwards. */

static char text[1 << 20];

static const char *text_of(int fd)
{
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

	cr_assert_geq(size, 0);
	text[size] = 0;
	return text;
}

/* A terminal as standard error; what is written to it comes out at the returned end. */
static int open_terminal(int *saved)
{
	struct termios raw;
	int user, tool;

	cr_assert_eq(openpty(&user, &tool, NULL, NULL, NULL), 0);
	cr_assert_eq(tcgetattr(tool, &raw), 0);
	cfmakeraw(&raw);
	cr_assert_eq(tcsetattr(tool, TCSANOW, &raw), 0);
	cr_assert_eq(fcntl(user, F_SETFL, O_NONBLOCK), 0);
	*saved = dup(STDERR_FILENO);
	cr_assert_eq(dup2(tool, STDERR_FILENO), STDERR_FILENO);
	close(tool);
	return user;
}

static const char *read_all(int fd)
{
	size_t used = 0;
	ssize_t count;

	while (used < sizeof(text) - 1 &&
	       (count = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)count;
	text[used] = 0;
	return text;
}

Test(aside, hands_on_what_goes_into_a_file)
{
	int saved = dup(STDERR_FILENO), file = memfd_create("stderr", 0);
	struct aside aside;
	char last[ASIDE_LAST_BYTES];

	cr_assert_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
	cr_assert_eq(aside_begin(&aside), 0);
	complain("the first");
	complain("the second");
	cr_expect_str_eq(text_of(file), "", "not before a step");
	aside_step(&aside);
	cr_expect_str_eq(text_of(file), "genscope: the first\ngenscope: the second\n");
	cr_expect_str_eq(aside.last, "the second");
	aside_step(&aside);
	complain("the third");
	aside_end(&aside);
	memcpy(last, aside.last, sizeof(last));
	complain("directly");
	aside_end(&aside);
	dup2(saved, STDERR_FILENO);
	cr_expect_str_eq(text_of(file), "genscope: the first\ngenscope: the second\ngenscope: the "
					"third\ngenscope: directly\n");
	cr_expect_str_eq(last, "the third");
}

Test(aside, keeps_what_would_spoil_a_screen)
{
	struct aside aside;
	int saved, user = open_terminal(&saved);
	char shown[64];

	cr_assert_eq(aside_begin(&aside), 0);
	fputs("genscope: a warning\n", stderr);
	aside_step(&aside);
	fputs("libbpf: another\n\n", stderr);
	aside_step(&aside);
	snprintf(shown, sizeof(shown), "%s", read_all(user));
	aside_end(&aside);
	dup2(saved, STDERR_FILENO);
	cr_expect_str_eq(shown, "");
	cr_expect_str_eq(aside.last, "libbpf: another");
	cr_expect_str_eq(read_all(user), "genscope: a warning\nlibbpf: another\n\n");
}

/* A terminal takes a few KB before somebody reads: the end is written by a child. */
Test(aside, keeps_the_last_of_very_much)
{
	struct aside aside;
	int saved, user = open_terminal(&saved);
	size_t length;

	cr_assert_eq(aside_begin(&aside), 0);
	for (int i = 0; i < 20000; i++) {
		fprintf(stderr, "line %d\n", i);
		if (i % 100 == 0)
			aside_step(&aside);
	}
	if (!fork()) {
		aside_end(&aside);
		_exit(0);
	}
	close(aside.file);
	close(aside.saved);
	dup2(saved, STDERR_FILENO);
	fcntl(user, F_SETFL, 0);
	read_all(user); /* until the last who has it open ends */
	length = strlen(text);
	cr_expect_lt(length, 80000);
	cr_expect_gt(length, 60000);
	cr_expect_eq(strncmp(text, "genscope: (earlier messages are left out)\n", 42), 0);
	cr_expect_str_eq(text + length - 11, "line 19999\n");
	free(aside.kept);
}
