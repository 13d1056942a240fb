// SPDX-License-Identifier: MIT
#include "python/jit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/proc_file.h"

#define VARIABLE "PYTHON_JIT="

bool jit_is_on(pid_t pid)
{
	char path[64], *text, *at;
	bool on = false;
	size_t size;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	if (proc_file_read(path, &text, &size))
		return false;
	for (at = text; at < text + size; at += strlen(at) + 1) {
		const char *value = at + sizeof(VARIABLE) - 1;

		if (!strncmp(at, VARIABLE, sizeof(VARIABLE) - 1))
			on = *value && strcmp(value, "0");
	}
	free(text);
	return on;
}
