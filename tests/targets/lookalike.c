// SPDX-License-Identifier: MIT
/*
 * lookalike [FILE]: says "up", and sleeps. With what a CPython 3.11 exports by which one is known, and none of its machine
 * code, when BASICSIZE (of a generator) is defined; with FILE mapped to be executed, as an emulator's guest may be.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef BASICSIZE
#define TYPE(name) const long name[64] = { 0, 0, 0, 0, BASICSIZE } /* tp_basicsize is the fifth word */
extern const long PyGen_Type[], PyCoro_Type[], PyAsyncGen_Type[], _PyRuntime[];
extern const unsigned long Py_Version;

TYPE(PyGen_Type);
TYPE(PyCoro_Type);
TYPE(PyAsyncGen_Type);
const long _PyRuntime[1024] = { 1 };
const unsigned long Py_Version = 0x030b02f0;
#endif

int main(int argc, char **argv)
{
	if (argc > 1) {
		int fd = open(argv[1], O_RDONLY);

		if (fd < 0 || mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) {
			perror(argv[1]);
			return 1;
		}
	}
	puts("up");
	fflush(stdout);
	pause();
	return 0;
}
