/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/maps.h"

static size_t parse(const char *text, struct mapping **maps)
{
	size_t count = 99;

	cr_assert_eq(maps_parse(text, strlen(text), maps, &count), 0);
	return count;
}

Test(maps, reads_every_field)
{
	struct mapping *maps;

	cr_assert_eq(parse("559f8a000000-559f8a0b2000 r-xp 0001f000 103:0a 1835023    "
			   "                /usr/bin/python3.11\n",
			   &maps),
		     1);
	cr_assert_eq(maps->start, 0x559f8a000000);
	cr_assert_eq(maps->end, 0x559f8a0b2000);
	cr_assert_eq(maps->offset, 0x1f000);
	cr_assert_eq(maps->dev_major, 0x103);
	cr_assert_eq(maps->dev_minor, 0x0a);
	cr_assert_eq(maps->inode, 1835023);
	cr_assert(maps->readable && !maps->writable && maps->executable && !maps->deleted);
	cr_assert_str_eq(maps->path, "/usr/bin/python3.11");
	maps_free(maps, 1);
}

Test(maps, tells_anonymous_pseudo_and_deleted_mappings_apart)
{
	struct mapping *maps;

	cr_assert_eq(parse("1000-2000 rw-p 00000000 00:00 0\n"
			   "2000-3000 rw-p 00000000 00:00 0 \n"
			   "3000-4000 rw-p 00000000 00:00 0          [heap]\n"
			   "4000-5000 r-xs 00000000 08:01 7          /tmp/a b (deleted)\n"
			   "5000-6000 ---p 00000000 08:01 8          /tmp/(deleted)\n",
			   &maps),
		     5);
	cr_assert(!maps[0].path && !maps[1].path);
	cr_assert_str_eq(maps[2].path, "[heap]");
	cr_assert_str_eq(maps[3].path, "/tmp/a b");
	cr_assert(maps[3].deleted && maps[3].executable);
	cr_assert_str_eq(maps[4].path, "/tmp/(deleted)");
	cr_assert(!maps[4].deleted && !maps[4].readable);
	maps_free(maps, 5);
}

Test(maps, undoes_the_one_escape_there_is)
{
	struct mapping *maps;

	cr_assert_eq(parse("1000-2000 r--p 0 0:0 1 /a\\012b\\040c\\01\n", &maps), 1);
	cr_assert_str_eq(maps->path, "/a\nb\\040c\\01");
	maps_free(maps, 1);
}

Test(maps, skips_lines_that_are_none)
{
	static const char *const bad[] = {
		"",
		"\n\n\n",
		"nonsense\n",
		"1000-2000\n",
		"1000-2000 r--p\n",
		"1000-2000 r-- 0 0:0 1 /a\n",
		"1000-2000 q--p 0 0:0 1 /a\n",
		"1000-2000 r--p 0 00 1 /a\n",
		"1000-2000 r--p 0 0:0 x /a\n",
		"1000-2000 r--p 0 0:0 1/a\n",
		"1000-2000 r--p 0 100000000:0 1 /a\n",
		"2000-1000 r--p 0 0:0 1 /a\n",
		"1000-1000 r--p 0 0:0 1 /a\n",
		"-1000 r--p 0 0:0 1 /a\n",
		"10000000000000000-20000000000000000 r--p 0 0:0 1 /a\n",
		"1000-2000 r--p 0 0:0 99999999999999999999999 /a\n",
	};
	struct mapping *maps;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		cr_assert_eq(parse(bad[i], &maps), 0, "%s", bad[i]);
		cr_assert_null(maps);
	}
	cr_assert_eq(parse("?\n1000-2000 r--p 0 0:0 1 /a\n?\n2000-3000 r--p 0 0:0 1 /b", &maps), 2);
	cr_assert_str_eq(maps[1].path, "/b");
	maps_free(maps, 2);
}

Test(maps, survives_every_cut_and_flipped_byte)
{
	static const char line[] =
		"559f8a000000-559f8a0b2000 rwxp 0001f000 08:01 17 /a\\012b (deleted)";
	unsigned int seed = 7;
	struct mapping *maps;
	size_t count;

	for (size_t size = 0; size <= strlen(line); size++) {
		char *part = malloc(size + 1); /* its own block: one byte too far is seen */

		memcpy(part, line, size);
		for (int round = 0; round < 200; round++) {
			cr_assert_eq(maps_parse(part, size, &maps, &count), 0);
			maps_free(maps, count);
			if (size)
				part[rand_r(&seed) % size] = (char)rand_r(&seed);
		}
		free(part);
	}
	maps_free(NULL, 0);
}

Test(maps, finds_the_mapping_of_an_address)
{
	struct mapping *maps;

	cr_assert_eq(
		parse("1000-2000 r--p 0 0:0 0\n2000-3000 r-xp 0 0:0 0\n5000-6000 rw-p 0 0:0 0\n",
		      &maps),
		3);
	cr_assert_null(maps_find(maps, 3, 0xfff));
	cr_assert_eq(maps_find(maps, 3, 0x1000), &maps[0]);
	cr_assert_eq(maps_find(maps, 3, 0x1fff), &maps[0]);
	cr_assert_eq(maps_find(maps, 3, 0x2000), &maps[1]);
	cr_assert_null(maps_find(maps, 3, 0x3000));
	cr_assert_eq(maps_find(maps, 3, 0x5fff), &maps[2]);
	cr_assert_null(maps_find(maps, 3, 0x6000));
	cr_assert_null(maps_find(NULL, 0, 0x1000));
	maps_free(maps, 3);
}

static bool is_loading(const char *text)
{
	struct mapping *maps;
	size_t count = parse(text, &maps);
	bool loading = maps_are_loading(maps, count);

	maps_free(maps, count);
	return loading;
}

Test(maps, know_when_the_loader_has_done_its_work)
{
#define LINE(path) "1000-2000 r-xp 00000000 08:01 7 " path "\n"
	cr_expect(is_loading(LINE("/opt/libc.so/python") LINE("/usr/lib/ld-linux-x86-64.so.2")));
	cr_expect(is_loading(LINE("/bin/a") LINE("/lib/ld-2.31.so")
				     LINE("/lib/libpython3.9.so.1.0")));
	cr_expect(!is_loading(LINE("/bin/a") LINE("/lib/ld-linux-aarch64.so.1")
				      LINE("/lib/libc.so.6")));
	cr_expect(!is_loading(LINE("/bin/a") LINE("/lib/ld-2.31.so") LINE("/lib/libc-2.31.so")));
	cr_expect(!is_loading(LINE("/bin/a") LINE("/lib/ld-musl-x86_64.so.1")));
	cr_expect(!is_loading(LINE("/bin/static") "1000-2000 rw-p 00000000 00:00 0\n"
						  "1000-2000 rw-p 00000000 00:00 0 [stack]\n"));
#undef LINE
}

Test(maps, reads_this_process)
{
	char path[] = "/tmp/genscope maps\nXXXXXX";
	int fd = mkstemp(path);
	const struct mapping *found;
	struct mapping *maps;
	struct stat status;
	size_t count;
	void *at;

	cr_assert(fd >= 0 && !ftruncate(fd, 8192) && !fstat(fd, &status));
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096);
	cr_assert_neq(at, MAP_FAILED);
	cr_assert_eq(maps_read(getpid(), &maps, &count), 0);
	found = maps_find(maps, count, (uint64_t)(uintptr_t)at);
	cr_assert(found && !found->deleted && found->offset == 4096);
	cr_assert_eq(found->inode, status.st_ino);
	cr_assert_str_eq(found->path, path);
	maps_free(maps, count);

	unlink(path);
	cr_assert_eq(maps_read(getpid(), &maps, &count), 0);
	found = maps_find(maps, count, (uint64_t)(uintptr_t)at);
	cr_assert(found && found->deleted);
	cr_assert_str_eq(found->path, path);
	maps_free(maps, count);
	munmap(at, 4096);
	close(fd);
}

Test(maps, says_why_a_process_has_none)
{
	struct mapping *maps = NULL;
	siginfo_t info;
	size_t count;
	pid_t child = fork();

	if (!child)
		_exit(0);
	cr_assert_eq(waitid(P_PID, child, &info, WEXITED | WNOWAIT), 0);
	cr_assert_eq(maps_read(child, &maps, &count), -ENOEXEC); /* a zombie */
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(maps_read(child, &maps, &count), -ESRCH);
	cr_assert(!maps && !count);
}
