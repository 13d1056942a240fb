# SPDX-License-Identifier: MIT
# Tasks and futures of Modules/_asynciomodule.c; put behind live.py by check.py.

import asyncio
import gc
import struct

import _asyncio  # behind asyncio, which otherwise goes on without some of it

SIZES = (("sizeof FutureObj", _asyncio.Future), ("sizeof TaskObj", _asyncio.Task))  # told where there are headers
STATES = ["PENDING", "CANCELLED", "FINISHED"]


def state(future):
    return STATES[i32(id(future) + numbers["future_state"])]


def waiter(task):
    return field(task, "task_waiter")


def awaiters(task):
    """Addresses of the tasks that await it."""
    first = field(task, "task_awaited_by")
    if not first:
        return set()
    if not u8(id(task) + numbers["task_awaited_by_is_set"]) & numbers["task_awaited_by_mask"]:
        return {first}
    return {id(thing) for thing in ctypes.cast(first, ctypes.py_object).value}


async def sleeper(gate):
    await gate
    return "slept"


async def collects(*tasks):
    return await asyncio.gather(*tasks)


async def groups(gate, made):
    async with asyncio.TaskGroup() as group:
        made += [group.create_task(sleeper(gate)) for _ in range(3)]


async def awaits(other):
    return await other


async def settle():
    for _ in range(4):
        await asyncio.sleep(0)


def check_callbacks():
    future = asyncio.get_running_loop().create_future()
    check("future_callback0, none", field(future, "future_callback0"), 0)
    first, second, third = (lambda _: None), (lambda _: None), (lambda _: None)
    future.add_done_callback(first)
    check("future_callback0", field(future, "future_callback0"), id(first))
    check("future_callbacks, none", field(future, "future_callbacks") in (0, id(None)), True)
    future.add_done_callback(second)
    future.add_done_callback(third)
    rest = ctypes.cast(field(future, "future_callbacks"), ctypes.py_object).value
    check("future_callbacks", [entry[0] for entry in rest], [second, third])
    check("future state", state(future), future._state)
    future.set_result(1)
    check("future state", state(future), "FINISHED")


async def check_tasks(gate):
    coroutine = sleeper(gate)
    task = asyncio.get_running_loop().create_task(coroutine)
    own = asyncio.get_running_loop().create_future()
    named = asyncio.get_running_loop().create_task(sleeper(own), name="a name")
    raw = ctypes.cast(field(task, "task_name"), ctypes.py_object).value
    check("task_name, its own", f"Task-{raw}" if isinstance(raw, int) else raw, task.get_name())
    check("task_name", ctypes.cast(field(named, "task_name"), ctypes.py_object).value, "a name")
    check("task_waiter, not started", waiter(task), 0)
    await settle()
    check("task_coroutine", field(task, "task_coroutine"), id(coroutine))
    check("task_coroutine", field(task, "task_coroutine"), id(task.get_coro()))
    check("task_waiter", waiter(task), id(gate))
    check("task state", state(task), "PENDING")
    named.cancel()
    await settle()
    check("future state, cancelled", state(own), "CANCELLED")
    check("task state, cancelled", state(named), "CANCELLED")
    check("task_waiter, cancelled", waiter(named), 0)
    check("task_waiter of the running one", waiter(asyncio.current_task()), 0)
    return task


async def check_dict(gate):
    """What gather() returns: an instance of a subclass, whose attributes are in its dict."""
    children = [asyncio.ensure_future(sleeper(gate)) for _ in range(2)]
    outer = asyncio.gather(*children)
    if numbers["future_dict"]:
        at = u64(id(outer) + signed(numbers["future_dict"], 32))
        dictionary, = (thing for thing in gc.get_referents(outer) if type(thing) is dict)
        check("future_dict", at, id(dictionary))
        check("_children", dictionary["_children"], children)
    return outer


async def check_awaited_by(gate):
    alone = asyncio.create_task(sleeper(gate))
    collector = asyncio.create_task(collects(*[asyncio.create_task(sleeper(gate)) for _ in range(2)]))
    shared = asyncio.create_task(sleeper(gate))
    several = [asyncio.create_task(awaits(shared)) for _ in range(5)]
    gathered = [asyncio.create_task(sleeper(gate)) for _ in range(3)]
    gatherer = asyncio.create_task(collects(*gathered))
    made = []
    group = asyncio.create_task(groups(gate, made))
    await settle()
    check("awaited by nobody", awaiters(alone), set())
    check("awaited by several", awaiters(shared), {id(task) for task in several})
    check("it is a set", u8(id(shared) + numbers["task_awaited_by_is_set"]), 1)
    single = asyncio.create_task(awaits(alone))
    await settle()
    check("awaited by one", awaiters(alone), {id(single)})
    check("no set", u8(id(alone) + numbers["task_awaited_by_is_set"]), 0)
    for task in gathered:
        check("awaited by gather()", awaiters(task), {id(gatherer)})
    for task in made:
        check("awaited by TaskGroup", awaiters(task), {id(group)})
    return [alone, single, collector, shared, *several, *gathered, gatherer, *made, group]


async def check_asyncio():
    check("Task is in C", asyncio.Task, _asyncio.Task)
    for name, kind in SIZES:
        check(name, numbers.get(name, kind.__basicsize__), kind.__basicsize__)
    gate = asyncio.get_running_loop().create_future()
    check_callbacks()
    tasks = [await check_tasks(gate), await check_dict(gate)]
    if numbers["task_awaited_by"]:
        tasks += await check_awaited_by(gate)
    iterator = iter(gate)
    check("fi_future", u64(id(iterator) + 16), id(gate))
    gate.set_result(None)
    await asyncio.gather(*tasks)
    check("task state, finished", {state(task) for task in tasks}, {"FINISHED"})
    coroutine = tasks[0].get_coro()
    check("task_coroutine, finished", field(tasks[0], "task_coroutine"), id(coroutine) if coroutine else 0)


def published():
    """What the section .AsyncioDebug of the file that holds the module says (3.14 on), or None."""
    path = getattr(_asyncio, "__file__", None) or sys.executable
    with open(path, "rb") as file:
        data = file.read()
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, strings = struct.unpack_from("<HHH", data, 0x3a)
    sections = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
    for name, _, _, _, offset, length in sections:
        at = sections[strings][4] + name
        if data[at:data.index(b"\0", at)] == b".AsyncioDebug":
            return struct.unpack_from("<7Q", data, offset) if length >= 56 else None
    return None


def check_published():
    found = published()
    check(".AsyncioDebug", found is not None, True)
    if found:
        size, name, awaited_by, _, is_set, coroutine, _ = found
        check("published", [size, name, awaited_by, is_set, coroutine],
              [_asyncio.Task.__basicsize__, numbers["task_name"], numbers["task_awaited_by"],
               numbers["task_awaited_by_is_set"], numbers["task_coroutine"]])


asyncio.run(check_asyncio())
if VERSION >= (3, 14):
    check_published()
