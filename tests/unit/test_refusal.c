/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "interpreter_files.h"
#include "session/images.h"
#include "target/process.h"

static char folder[64], why[IMAGE_WHY_MAX];
static struct images images;

static void make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/genscope-refusal-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
	char command[128];

	images_free(&images);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(refusal, .init = make_folder, .fini = remove_folder);

/* A copy of an interpreter with every `from` in it made `to`, as `name`; how many there were. */
static int patch(const char *source, const char *from, const char *to, const char *name, char *path)
{
	char command[512];
	FILE *sed;
	int count = 0;

	snprintf(path, 128, "%s/%s", folder, name);
	snprintf(command, sizeof(command), "sed 's/%s/%s/g' %s > %s && grep -c -a %s %s", from, to,
		 source, path, to, path);
	sed = popen(command, "r");
	cr_assert_not_null(sed);
	cr_assert_eq(fscanf(sed, "%d", &count), 1);
	pclose(sed);
	return count;
}

static void put(const char *name, const void *bytes, size_t size, char *path)
{
	FILE *file;

	snprintf(path, 128, "%s/%s", folder, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static int add(const char *path)
{
	struct image_file *image;

	return images_add(&images, path, path, &image, why);
}

Test(refusal, every_reason_has_a_word_of_its_own)
{
	for (int i = REFUSAL_NONE; i < REFUSAL_COUNT; i++) {
		const char *word = refusal_word(i);

		cr_assert_not_null(word);
		cr_assert_eq(!*word, i == REFUSAL_NONE);
		cr_assert_eq(strspn(word, "abcdefghijklmnopqrstuvwxyz_"), strlen(word));
		for (int k = 0; k < i; k++)
			cr_assert_str_neq(word, refusal_word(k));
	}
}

Test(refusal, the_kernels_errors_are_told_apart)
{
	cr_assert_eq(refusal_of_attaching(0), REFUSAL_NONE);
	cr_assert_eq(refusal_of_attaching(-ESRCH), REFUSAL_NONE);
	cr_assert_eq(refusal_of_attaching(-EPERM), REFUSAL_NO_RIGHT);
	cr_assert_eq(refusal_of_attaching(-EACCES), REFUSAL_NO_RIGHT);
	cr_assert_eq(refusal_of_attaching(-ENOSPC), REFUSAL_TOO_MANY);
	cr_assert_eq(refusal_of_attaching(-EMFILE), REFUSAL_TOO_MANY);
	cr_assert_eq(refusal_of_attaching(-ENOTSUP), REFUSAL_BUILD);
	cr_assert_eq(refusal_of_attaching(-EINVAL), REFUSAL_NOT_ATTACHED);
	cr_assert_eq(refusal_of_attaching(-EIO), REFUSAL_NOT_ATTACHED);
}

Test(refusal, a_python_is_known_by_its_name)
{
	static const char *const pythons[] = { "/usr/bin/python3.11", "python",
					       "/a/libpython3.13.so.1.0", "C:/python/python.exe" };
	static const char *const others[] = { "/usr/bin/pypy3", "/python3/bin/sh",
					      "/x/_ssl.cpython-311-x86_64-linux-gnu.so", "", "/" };

	for (size_t i = 0; i < sizeof(pythons) / sizeof(pythons[0]); i++)
		cr_assert(refusal_names_python(pythons[i]), "%s", pythons[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		cr_assert_not(refusal_names_python(others[i]), "%s", others[i]);
	cr_assert_not(refusal_names_python(NULL));
}

Test(refusal, files_of_other_machines_and_no_files)
{
	unsigned char elf32[128] = { 0x7f, 'E', 'L', 'F', 1, 1, 1, [16] = 2, [18] = 3 };
	char path[128];

	put("python3", elf32, sizeof(elf32), path);
	cr_assert_eq(add(path), -ENOENT);
	cr_assert_eq(images.refusal, REFUSAL_MACHINE);
	put("sh", elf32, sizeof(elf32), path);
	cr_assert_eq(add(path), -ENOENT);
	cr_assert_eq(images.refusal, REFUSAL_NONE);
	snprintf(path, sizeof(path), "%s/python9", folder);
	cr_assert_eq(add(path), -ENOENT);
	cr_assert_eq(images.refusal, REFUSAL_UNREADABLE);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_assert_eq(add(path), -EINVAL);
	cr_assert_eq(images.refusal, REFUSAL_UNREADABLE);
}

/* What tells a version from another is a number in the file; that it is a Python at all, names of symbols. */
Test(refusal, interpreters_that_were_changed)
{
	struct interpreter_files files;
	char path[128];

	interpreter_files_find(11, &files);
	cr_assert_gt(patch(files.at[0].path, "Py_Version", "Py_Wersion", "python-old", path), 0);
	cr_assert_eq(add(path), -ENOTSUP);
	cr_assert_eq(images.refusal, REFUSAL_VERSION, "%s", why);
	cr_assert_gt(
		patch(files.at[0].path, "PyAsyncGen_Type", "PyAsyncGen_Typo", "python-no", path),
		0);
	cr_assert_eq(add(path), -ENOENT);
	cr_assert_eq(images.refusal, REFUSAL_NONE, "%s", why);
	cr_assert_eq(add(files.at[0].path), 0, "%s", why);
	cr_assert_eq(images.refusal, REFUSAL_NONE);
}

Test(refusal, a_layout_that_is_published_and_not_ours)
{
	struct interpreter_files files;
	char path[128];

	interpreter_files_find(13, &files);
	/* how _Py_DebugOffsets begins */
	cr_assert_gt(patch(files.at[0].path, "xdebugpy", "xdebugpx", "python-odd", path), 0);
	cr_assert_eq(add(path), -ENOTSUP);
	cr_assert_eq(images.refusal, REFUSAL_BUILD, "%s", why);
}

/* A child of that name; it lives until it is killed. */
static pid_t start(const char *comm)
{
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, comm);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

Test(refusal, a_process_is_called_what_it_says)
{
	pid_t python = start("python3.9"), other = start("my-python");

	cr_assert(process_is_called(python, "python"));
	cr_assert_not(process_is_called(python, "python3.11"));
	cr_assert_not(process_is_called(other, "python"));
	kill(python, SIGKILL);
	kill(other, SIGKILL);
	waitpid(python, NULL, 0);
	waitpid(other, NULL, 0);
	cr_assert_not(process_is_called(python, "python"));
	cr_assert_not(process_is_called(2, "python")); /* a kernel thread, or nobody */
}
