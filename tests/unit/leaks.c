// SPDX-License-Identifier: MIT
/*
 * Where leaks are looked for. Criterion runs each test in a process of its own and lets the runner collect
 * the results. What the runner itself forgets is libcriterion's affair (some runs end with 48 bytes of it)
 * and must not decide ours; a leak of a test is reported by the test's process, and `make unit` fails on
 * such a report, since Criterion looks at no exit status after a test's end.
 */
#include <stdlib.h>

/* Called by LeakSanitizer (sanitizer/lsan_interface.h). */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
	return !getenv(
		"BXFI_MAP"); /* BoxFort, Criterion's sandbox, sets it for the processes of tests */
}
