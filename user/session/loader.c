// SPDX-License-Identifier: MIT
#include "session/loader.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* PT_INTERP of an ELF64 file. */
static int read_interp(const char *executable, char *path, size_t size)
{
	int fd = open(executable, O_RDONLY | O_CLOEXEC), err = -ENOENT;
	Elf64_Ehdr header;
	Elf64_Phdr program;

	if (fd < 0)
		return -errno;
	if (pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) || header.e_phentsize != sizeof(program))
		goto out;
	for (int i = 0; i < header.e_phnum && err; i++) {
		off_t at = (off_t)(header.e_phoff + (uint64_t)i * sizeof(program));

		if (pread(fd, &program, sizeof(program), at) != sizeof(program))
			break;
		if (program.p_type != PT_INTERP || program.p_filesz >= size)
			continue;
		if (pread(fd, path, program.p_filesz, (off_t)program.p_offset) !=
		    (ssize_t)program.p_filesz)
			break;
		path[program.p_filesz] = 0;
		err = 0;
	}
out:
	close(fd);
	return err;
}

/* "	libpython3.12.so.1.0 => /opt/lib/libpython3.12.so.1.0 (0x00007f…)" */
static bool parse_line(char *line, const char *prefix, char *path, size_t size)
{
	char *name = line + strspn(line, " \t"), *arrow, *end;

	if (strncmp(name, prefix, strlen(prefix)))
		return false;
	arrow = strstr(name, " => ");
	if (!arrow)
		return false;
	arrow += 4;
	end = strstr(arrow, " (0x");
	if (*arrow != '/' || !end)
		return false;
	*end = 0;
	return (size_t)snprintf(path, size, "%s", arrow) < size;
}

static pid_t start_listing(const char *loader, const char *executable, int *out)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(ends[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl(loader, loader, "--list", executable, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	if (pid < 0)
		close(ends[0]);
	*out = ends[0];
	return pid;
}

int loader_find_library(const char *executable, const char *prefix, char *path, size_t size)
{
	char loader[PATH_MAX], *line = NULL;
	int out, err = -ENOENT;
	size_t room = 0;
	FILE *list;
	pid_t pid;

	if (read_interp(executable, loader, sizeof(loader)))
		return -ENOENT;
	pid = start_listing(loader, executable, &out);
	if (pid < 0)
		return -ENOENT;
	list = fdopen(out, "r");
	while (list && getline(&line, &room, list) > 0)
		if (err && parse_line(line, prefix, path, size))
			err = 0;
	free(line);
	if (list)
		fclose(list);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

int loader_read_shebang(const char *script, char *path, size_t size)
{
	char line[PATH_MAX], *interpreter, *argument, *rest;
	FILE *file = fopen(script, "re");
	bool found;

	if (!file)
		return -errno;
	found = fgets(line, sizeof(line), file) && !strncmp(line, "#!", 2);
	fclose(file);
	if (!found)
		return -ENOEXEC;
	interpreter = strtok_r(line + 2, " \t\n", &rest);
	argument = strtok_r(NULL, " \t\n", &rest);
	if (!interpreter)
		return -ENOEXEC;
	if (argument && strlen(interpreter) > 4 &&
	    !strcmp(interpreter + strlen(interpreter) - 4, "/env"))
		interpreter = argument;
	snprintf(path, size, "%s", interpreter);
	return 0;
}
