#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The table in user/python/printable.c: which code points str.isprintable() accepts, by CPython version.

printable.py dump                 the ranges of the interpreter that runs it, as JSON
printable.py table PYTHON...      the C file, from one interpreter of each version; a PYTHON with blanks is a
                                  command ("chroot ROOT /usr/bin/python3.14")
printable.py check FILE PYTHON... whether FILE is what `table` prints of these
"""
import json
import subprocess
import sys

HEAD = """\
// SPDX-License-Identifier: MIT
#include "python/printable.h"

#include <stddef.h>

/*
 * Made by tests/tables/printable.py from str.isprintable() of {versions}
 * (Unicode {unidata}). A code point that is printable once stays so.
 */
struct range {{
	uint32_t since : 8; /* minor version of Python 3 */
	uint32_t first : 24;
	uint32_t last;
}};

/* clang-format off */
static const struct range ranges[] = {{
"""

TAIL = """\
};
/* clang-format on */

bool printable_is(uint32_t version_hex, uint32_t point)
{
	size_t low = 0, high = sizeof(ranges) / sizeof(ranges[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].last < point)
			low = middle + 1;
		else
			high = middle;
	}
	return low < sizeof(ranges) / sizeof(ranges[0]) && ranges[low].first <= point &&
	       ranges[low].since <= (version_hex >> 16 & 0xff);
}
"""


def dump():
    import unicodedata

    ranges, first = [], None
    for point in range(0x110001):
        if point < 0x110000 and chr(point).isprintable():
            first = point if first is None else first
        elif first is not None:
            ranges.append([first, point - 1])
            first = None
    json.dump({"version": sys.version_info[:3], "unidata": unicodedata.unidata_version, "ranges": ranges}, sys.stdout)


def ask(python):
    return json.loads(subprocess.check_output([*python.split(), "-c", open(__file__).read(), "dump"]))


def since_of(answers):
    since = {}
    for answer in answers:
        now = {point for first, last in answer["ranges"] for point in range(first, last + 1)}
        lost = set(since) - now
        if lost:
            sys.exit(f"{answer['version']} lost {sorted(lost)[:5]}: the table cannot say that")
        for point in now:
            since.setdefault(point, answer["version"][1])
    return since


def table(pythons):
    answers = sorted((ask(python) for python in pythons), key=lambda answer: answer["version"])
    since, ranges = since_of(answers), []
    for point in sorted(since):
        if ranges and ranges[-1][2] == point - 1 and ranges[-1][0] == since[point]:
            ranges[-1][2] = point
        else:
            ranges.append([since[point], point, point])
    minors = sorted({answer["version"][1] for answer in answers})
    unidata = {answer["version"][1]: answer["unidata"] for answer in answers}
    text = HEAD.format(versions=", ".join(f"3.{minor}" for minor in minors),
                       unidata=", ".join(unidata[minor] for minor in minors))
    cells = [f"{{ {minor}, {first:#x}, {last:#x} }}," for minor, first, last in ranges]
    for at in range(0, len(cells), 4):
        text += "\t" + " ".join(cells[at:at + 4]) + "\n"
    return text + TAIL


def main(arguments):
    if arguments == ["dump"]:
        dump()
    elif len(arguments) > 1 and arguments[0] == "table":
        sys.stdout.write(table(arguments[1:]))
    elif len(arguments) > 2 and arguments[0] == "check":
        if open(arguments[1]).read() != table(arguments[2:]):
            sys.exit(f"{arguments[1]} differs from what these interpreters say")
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
