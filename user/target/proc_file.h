/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_PROC_FILE_H
#define GENSCOPE_TARGET_PROC_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Reads a whole /proc or cgroup file, which stat calls empty. *text is NUL-terminated (the NUL is
 * not part of *size) and the caller's to free(). Else -errno, with -ESRCH for a file that is not
 * there, -EFBIG beyond 64 MiB. */
int proc_file_read(const char *path, char **text, size_t *size);

/* A list of numbers that grows; zeroed at the start, freed by free(list.pids). */
struct pid_list {
	pid_t *pids;
	size_t count;
};

/* 0 or -ENOMEM. */
int pid_list_add(struct pid_list *list, pid_t pid);

/* Sorts and drops duplicates. */
void pid_list_sort(struct pid_list *list);

/* Adds every entry of the directory whose name is a pid. -ESRCH if it is not there. */
int pid_list_add_entries(struct pid_list *list, const char *directory);

/* The positive decimal number that is all of text[0..size), else 0. */
pid_t pid_parse(const char *text, size_t size);

#endif
