# SPDX-License-Identifier: MIT
# _PyRuntime, interpreters, threads, and the collector's lists; put behind live.py by check.py.

import gc
import threading

runtime = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
main = u64(runtime + numbers["runtime_interpreters_head"])
collector = main + numbers["interpreter_gc"]


def check_interpreter():
    check("interpreter_id", i64(main + numbers["interpreter_id"]), 0)
    check("interpreter_next", u64(main + numbers["interpreter_next"]), 0)
    check("interpreter_modules", u64(main + numbers["interpreter_modules"]), id(sys.modules))


def subinterpreters():
    try:
        import _interpreters as module
    except ImportError:
        try:
            import _xxsubinterpreters as module
        except ImportError:
            return
    other = module.create()
    at = u64(runtime + numbers["runtime_interpreters_head"])
    found = []
    while at and len(found) < 10:
        found.append(i64(at + numbers["interpreter_id"]))
        at = u64(at + numbers["interpreter_next"])
    check("interpreters", found, [int(other), 0])
    module.destroy(other)


def check_threads():
    ready, done = threading.Barrier(4), threading.Event()
    expected = {(threading.get_ident(), threading.get_native_id())}

    def body():
        expected.add((threading.get_ident(), threading.get_native_id()))
        ready.wait()
        done.wait()

    threads = [threading.Thread(target=body) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wait()
    found = set()
    at = u64(main + numbers["interpreter_threads_head"])
    while at and len(found) < 10:
        found.add((u64(at + numbers["thread_id"]), u64(at + numbers["thread_native_id"])))
        at = u64(at + numbers["thread_next"])
    done.set()
    for thread in threads:
        thread.join()
    check("threads", found, expected)


def members(head, limit=1 << 22):
    """Addresses of the objects of a list."""
    found = []
    at = u64(head) & ~3
    while at != head and len(found) < limit:
        found.append(at + 16)
        at = u64(at) & ~3
    return found


def lists():
    first = collector + numbers["gc_generations"]
    return [first + i * numbers["gc_generation_bytes"] for i in range(3)] + [collector + numbers["gc_permanent"]]


class Marker:
    pass


def check_lists():
    heads = lists()
    for i, head in enumerate(heads):
        check(f"list {i} is closed", u64(u64(head) & ~3) and u64((u64(head) & ~3) + 8) & ~3, head)
    if numbers["gc_generation0"]:
        check("gc_generation0", u64(collector + numbers["gc_generation0"]), heads[0])
    gc.collect()
    gc.disable()
    old, young = [Marker()], None
    gc.collect()
    young = [Marker()]
    objects = {id(thing) for thing in gc.get_objects()}
    found = [set(members(head)) for head in heads]
    everything = set().union(*found)
    missing = {thing for thing in objects - everything} - {id(objects)}
    check("objects in no list", len(missing), 0)
    check("young object", id(young[0]) in found[0], True)
    check("old object", id(old[0]) in found[1] | found[2], True)
    check("permanent list, nothing frozen", len(found[3]), gc.get_freeze_count())
    gc.freeze()
    check("permanent list, frozen", len(members(heads[3])), gc.get_freeze_count())
    check("object frozen", id(young[0]) in set(members(heads[3])), True)
    gc.unfreeze()
    gc.enable()


def check_collecting():
    seen = []

    def callback(phase, info):
        seen.append((phase, i32(collector + numbers["gc_collecting"])))

    gc.callbacks.append(callback)
    gc.collect()
    gc.callbacks.remove(callback)
    check("gc_collecting", [value for phase, value in seen if phase == "start"], [1])
    check("gc_collecting, at rest", i32(collector + numbers["gc_collecting"]), 0)


check_interpreter()
check_threads()
check_lists()
check_collecting()
subinterpreters()
