#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds user/python/memory_layouts.c against every test interpreter, in two ways:

- against its headers: offsets.c, compiled with them, must print what table.c prints, with and without Py_DEBUG;
- against itself: live_*.py, run inside it, read its memory by the tables and compare with what Python says.

What an interpreter publishes of itself (_Py_DebugOffsets) must be adopted first. Interpreters whose headers are not
installed are named and pass without the first part, with CI set they fail.
"""

import argparse
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = ["live_heap.py", "live_frames.py", "live_values.py", "live_asyncio.py"]
LIVE_ONLY = {"yield_from_depth"}  # no header says it
ABOUT = """
import ctypes, sys, sysconfig
runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
print(sys.hexversion, int(hasattr(sys, "gettotalrefcount")), sysconfig.get_path("include"))
print(ctypes.string_at(runtime, 1024).hex())
"""
RESULT = """
print("\\n".join([str(checks), *failures]))
"""


class Failed(Exception):
    pass


def run(command, what, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    if done.returncode:
        raise Failed(f"{what}: {(done.stderr or done.stdout).strip() or f'ended with {done.returncode}'}")
    return done.stdout


def read_numbers(lines):
    return {name: int(value) for name, value in (line.rsplit(" ", 1) for line in lines.splitlines())}


class Interpreter:
    def __init__(self, line, options, work):
        self.version, self.kind, self.path, *rest = line.split("\t")
        self.root = rest[0] if rest else ""
        self.options, self.work = options, work
        self.label = f"{self.version} {self.kind} {self.root}{self.path}"
        about, runtime = self.python(ABOUT).splitlines()
        version, debug, self.include = about.split(" ", 2)
        self.hexversion, self.debug = int(version), debug == "1"
        self.runtime = os.path.join(work, "runtime")
        with open(self.runtime, "wb") as file:
            file.write(bytes.fromhex(runtime))

    def python(self, source, given=None):
        chroot = ["chroot", self.root] if self.root else []
        return run([*chroot, self.path, "-I", "-c", source], f"{self.label} does not run", input=given)

    def table(self, debug):
        return run([self.options.table, hex(self.hexversion), str(int(debug)), self.runtime], "the table")

    def has_headers(self):
        # A debug build has links to the headers of the plain one.
        headers = [f"{self.root}{self.include}/{name}" for name in ("pyconfig.h", "internal/pycore_interp.h")]
        return all(os.path.exists(path) for path in headers)

    def offsets(self, debug):
        include = self.root + self.include
        program = os.path.join(self.work, "offsets")
        # Debian's pyconfig.h names one below usr/include.
        below = [f"-I{self.root}/usr/include"] if self.root else []
        define = ["-DPy_DEBUG"] if debug and not self.debug else []
        run([self.options.cc, "-std=gnu11", "-w", *define, f"-I{include}", f"-I{include}/internal", *below,
             os.path.join(HERE, "offsets.c"), "-o", program], "offsets.c")
        return run([program], "offsets")

    def check_headers(self, debug):
        """Returns what is different."""
        table, offsets = read_numbers(self.table(debug)), read_numbers(self.offsets(debug))
        if offsets["debug"] != debug or offsets["version"] >> 16 != self.hexversion >> 16:
            raise Failed(f"{self.include} is of {offsets['version']:#x}, debug {offsets['debug']}")
        names = {name for name in table if not name.startswith("layout.")} - LIVE_ONLY
        names |= {name for name in offsets if not name.startswith("sizeof ")} - {"version", "debug"}
        return [f"{name}: the table has {table.get(name)}, the headers {offsets.get(name)}{' (Py_DEBUG)' * debug}"
                for name in sorted(names) if table.get(name) != offsets.get(name)]

    def check_live(self, sizes):
        given = self.table(self.debug) + sizes
        with open(os.path.join(HERE, "live.py"), encoding="utf-8") as file:
            common = file.read()
        failures, checks = [], 0
        for part in PARTS:
            with open(os.path.join(HERE, part), encoding="utf-8") as file:
                source = common + file.read() + RESULT
            count, *failed = self.python(source, given).splitlines()
            checks += int(count)
            failures += failed
        return checks, failures


def check(line, options, work):
    """Prints how it went; True when all is well."""
    label = line.replace("\t", " ")
    try:
        interpreter = Interpreter(line, options, work)
        label = interpreter.label
        headers = interpreter.has_headers()
        different, sizes = [], ""
        if headers:
            for debug in {interpreter.debug, True}:
                different += interpreter.check_headers(debug)
            sizes = "".join(f"{line}\n" for line in interpreter.offsets(interpreter.debug).splitlines()
                            if line.startswith("sizeof "))
        checks, failures = interpreter.check_live(sizes)
    except (Failed, subprocess.TimeoutExpired, OSError) as error:
        print(f"layouts: {label}: FAILED: {error}")
        return False
    for failure in (different + failures)[:20]:
        print(f"layouts: {label}: FAILED: {failure}")
    if different or failures:
        return False
    missing = "" if headers else f"; headers SKIPPED: {interpreter.root}{interpreter.include} lacks them"
    print(f"layouts: {label}: {checks} checks of its memory{' and its headers' if headers else ''} agree{missing}")
    return headers or not os.environ.get("CI")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", required=True, help="the program made of table.c")
    parser.add_argument("--interpreters", required=True, help="what tests/interpreters.sh wrote")
    parser.add_argument("--cc", default="gcc")
    options = parser.parse_args()
    with open(options.interpreters, encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if line]
    if not lines:
        print("layouts: no interpreters")
        return 1
    with tempfile.TemporaryDirectory() as work:
        passed = [check(line, options, work) for line in lines]
    print(f"layouts: {sum(passed)} of {len(lines)} interpreters agree with the tables")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
