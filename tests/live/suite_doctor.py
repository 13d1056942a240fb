# SPDX-License-Identifier: MIT
"""doctor on files and processes, with and without root; and the USDT context of a stream."""

import json
import os
import subprocess

from harness import check, equal, guard, trace
from procs import Target
from suite_errors import NOBODY

NO_CAPS = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
ENOUGH_SITES = 10


def find(value, key):
    """Every value of a key, however deep."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == key:
                yield item
            yield from find(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from find(item, key)


def unprivileged(path):
    """How to run without rights and still read the file: as nobody, or as root without a capability."""
    readable = subprocess.run([*NOBODY, "test", "-r", path], check=False).returncode == 0
    return NOBODY if readable else NO_CAPS


def version_of(interp):
    chroot = ["chroot", interp.root] if interp.root else []
    return subprocess.run([*chroot, interp.path, "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
                          capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def judge(interp, done):
    equal("status", 0, done.returncode)
    answer = json.loads(done.stdout)
    check(version_of(interp) in list(find(answer, "version")),
          f"no version {version_of(interp)}, but {list(find(answer, 'version'))}")
    sites = next(find(answer, "sites"), [])
    number = sites if isinstance(sites, int) else len(sites)
    check(number > ENOUGH_SITES, f"{number} sites")
    verdict = next(find(answer, "verdict"), None)
    word = verdict if isinstance(verdict, str) else next(iter(find(verdict, "coverage")), str(verdict))
    check(word.startswith(("full", "partial")), f"verdict {verdict!r}")


def doctor_file(ctx, interp):
    """Without root, on a file that no process need run."""
    words = [*unprivileged(interp.exe), ctx.genscope, "doctor", "--json", interp.exe]
    judge(interp, subprocess.run(words, capture_output=True, text=True, timeout=60))


def doctor_pid(ctx, interp):
    with Target(interp, "spin.py") as target:
        pid = target.ready()
        judge(interp, subprocess.run([ctx.genscope, "doctor", "--json", "-p", str(pid)], capture_output=True,
                                     text=True, timeout=60))


def doctor_text(ctx, interp):
    done = subprocess.run([ctx.genscope, "doctor", "-v", interp.exe], capture_output=True, text=True, timeout=60)
    equal("status", 0, done.returncode)
    for word in (version_of(interp), "0x", "behind the store: "):
        check(word in done.stdout, f"{word} is not in {done.stdout[:300]!r}")


def has_usdt(interp):
    """Does the interpreter's file hold a note for a probe of CPython's own?"""
    files = [interp.exe]
    folder = os.path.join(os.path.dirname(os.path.dirname(interp.exe)), "lib")
    files += [os.path.join(folder, name) for name in os.listdir(folder) if name.startswith("libpython3.")] \
        if interp.kind == "shared" else []
    for path in files:
        with open(path, "rb") as file:
            if b"gc__start" in file.read():
                return True
    return False


def context(ctx, interp):
    if not has_usdt(interp):
        without_probes(ctx, interp)
        return
    run = trace(ctx, interp, "contexts.py", ["{out}/truth"], ("-p", "{pid}", "--context", "gc,import,audit"))
    with open(os.path.join(run.folder, "truth"), encoding="utf-8") as file:
        truth = json.load(file)
    run.must_be_sound()
    lines = run.stream.context
    kinds = {kind: [line for line in lines if line["type"] == kind] for kind in ("gc", "import", "audit")}
    equal("gc lines", truth["collections"], len(kinds["gc"]))
    check(all(isinstance(line["ns"], int) for line in kinds["gc"]), f"a gc line without ns: {kinds['gc'][:1]}")
    audits = [line for line in kinds["audit"] if truth["event"] in line.values()]
    equal("audit lines of the event it raises", truth["audits"], len(audits))
    check(any(truth["module"] in line.values() for line in kinds["import"]),
          f"no import line of {truth['module']}: {kinds['import'][:3]}")


def without_probes(ctx, interp):
    """A build without USDT: said, and gone on without."""
    run = trace(ctx, interp, "contexts.py", ["{out}/truth"], ("-p", "{pid}", "--context", "gc,import,audit"))
    equal("context lines without probes", 0, len(run.stream.context))
    check(run.stream.transitions, "no transition")


def context_off(ctx, interp):
    run = trace(ctx, interp, "contexts.py", ["{out}/truth"])
    equal("context lines that nobody asked for", 0, len(run.stream.context))
    run.must_be_sound()


TESTS = {"file": doctor_file, "pid": doctor_pid, "text": doctor_text}
CONTEXTS = {"on": context, "off": context_off}


def run(ctx, interp):
    for group, tests in (("doctor", TESTS), ("context", CONTEXTS)):
        for name, test in tests.items():
            if ctx.wanted(f"{interp.label} {group}.{name}"):
                yield guard(interp.label, f"{group}.{name}", lambda: test(ctx, interp))
