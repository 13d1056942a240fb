# SPDX-License-Identifier: MIT
# Suspended generators, coroutines and async generators: their variables, what they await, where; put behind live.py.

import types
import warnings

RESUME_MIN = 2  # an argument of RESUME, after yield from and await


def frame_of(thing):
    return id(thing) + numbers["layout.gen_iframe"]


def code_of(thing):
    for name in ("gi_code", "cr_code", "ag_code"):
        if hasattr(thing, name):
            return getattr(thing, name)


def slot(thing, index):
    return u64(frame_of(thing) + numbers["values.frame_localsplus"] + 8 * index)


def stack_top(thing):
    at = frame_of(thing) + numbers["frame_stacktop"]
    if numbers["stack_is_pointer"]:
        return u64(at)
    return frame_of(thing) + numbers["values.frame_localsplus"] + 8 * i32(at)


def resume_unit(thing):
    """Opcode and argument of the instruction it goes on with (3.11, 3.12)."""
    at = u64(frame_of(thing) + numbers["layout.frame_instr"]) + 2
    return u8(at), u8(at + 1)


def frame_state(thing):
    return signed(u8(id(thing) + numbers["layout.gen_frame_state"]), 8)


def awaited(thing):
    """What it awaits, by the tables alone; 0: nothing."""
    if numbers["resume.0"]:
        opcode, argument = resume_unit(thing)
        forms = [numbers[f"resume.{i}"] for i in range(6)]
        check(f"RESUME of {thing.__name__}", opcode in forms and opcode != 0, True)
        awaits = argument >= RESUME_MIN
    else:
        first, last = (signed(numbers[f"layout.suspended_{end}"], 8) for end in ("first", "last"))
        check(f"suspended state of {thing.__name__}", first <= frame_state(thing) <= last, True)
        awaits = frame_state(thing) > first
    return untagged(u64(stack_top(thing) - 8 * numbers["yield_from_depth"])) if awaits else 0


@types.coroutine
def pause():
    yield 1


def yields(a, b=None):
    yield a
    yield b


def delegates(inner):
    yield from inner


def delegates_deep(inner):
    for _ in [1, 2]:
        with memoryview(b"x"):
            x = [1, (yield from inner), 2]
    return x


async def coroutine(inner):
    await inner


async def coroutine_deep(inner):
    return 1, "two", [await inner]


async def async_yields():
    yield 1
    yield 2


async def async_awaits(inner):
    await inner
    yield 1


async def async_for(inner):
    async for _ in inner:
        pass


async def async_with(inner):
    async with inner:
        await pause()


class Manager:
    def __init__(self, inner):
        self.inner = inner

    async def __aenter__(self):
        await self.inner

    async def __aexit__(self, *_):
        pass


class Awaitable:
    def __await__(self):
        return iter([1, 2, 3])


def makers():
    """(name, object at its first stop, what Python says it awaits)"""
    for name, thing in (("yield", yields(1)), ("yield of None", yields(None))):
        next(thing)
        yield name, thing, thing.gi_yieldfrom
    for name, inner in (("generator", lambda: yields(1)), ("iterator", lambda: iter([1, 2, 3]))):
        for function in (delegates, delegates_deep):
            thing = function(inner())
            next(thing)
            yield f"{function.__name__} {name}", thing, thing.gi_yieldfrom
    for function in (coroutine, coroutine_deep):
        for inner in (pause(), coroutine(pause()), Awaitable(), coroutine(Awaitable())):
            thing = function(inner)
            thing.send(None)
            yield f"{function.__name__} {type(inner).__name__}", thing, thing.cr_await
    for thing in (coroutine(async_awaits(pause()).asend(None)), async_for(async_awaits(pause())),
                  async_with(Manager(pause())), async_with(Manager(coroutine(pause())))):
        thing.send(None)
        yield thing.__name__, thing, thing.cr_await
    thing = async_yields()
    try:
        thing.asend(None).send(None)
    except StopIteration:
        pass
    yield "async yield", thing, thing.ag_await
    thing = async_awaits(pause())
    step = thing.asend(None)
    step.send(None)
    yield "await in async generator", thing, thing.ag_await


def check_awaited(what, rounds=1):
    for _ in range(rounds):  # later ones run specialised
        for name, thing, expected in makers():
            check(f"{what}: {name} awaits", awaited(thing), id(expected) if expected is not None else 0)
            check(f"{what}: frame_owner of {name}", u8(frame_of(thing) + numbers["frame_owner"]), 1)
            if hasattr(thing, "close"):
                thing.close()


def check_monitored():
    """Monitoring rewrites instructions, and must not hide what is awaited."""
    events = sys.monitoring.events
    kinds = {"resume": events.PY_RESUME, "line": events.LINE, "instruction": events.INSTRUCTION,
             "all": events.PY_RESUME | events.LINE | events.INSTRUCTION}
    for name, wanted in kinds.items():
        sys.monitoring.use_tool_id(0, "genscope tests")
        for event in (events.PY_RESUME, events.LINE, events.INSTRUCTION):
            sys.monitoring.register_callback(0, event, lambda *_: None)
        sys.monitoring.set_events(0, wanted)
        check_awaited(f"monitored {name}")
        sys.monitoring.set_events(0, 0)
        sys.monitoring.free_tool_id(0)


class Iterator:
    def __anext__(self):
        self.made = pause()
        return self.made


class Local:
    pass


def variables(argument, *rest, keyword, captured, **more):
    local, number, nothing, late = Local(), 7, None, 1 << 70

    def closure():
        return captured, shared

    shared = [argument]
    hidden = [hidden_one for hidden_one in (1, 2)]
    del late
    yield closure, local, number, nothing, rest, more, keyword, hidden


def check_variables():
    thing = variables(Local(), 1, 2, keyword=True, captured="x", extra=None)
    next(thing)
    code = code_of(thing)
    tagged = 0
    count = i32(id(code) + numbers["values.code_nlocalsplus"])
    names, kinds = (field(code, f"values.code_localsplus{part}") for part in ("names", "kinds"))
    names = ctypes.cast(names, ctypes.py_object).value
    kinds = ctypes.cast(kinds, ctypes.py_object).value
    check("localsplusnames", [type(names), len(names)], [tuple, count])
    check("localspluskinds", [type(kinds), len(kinds)], [bytes, count])
    cells = [name for name in code.co_cellvars if name not in code.co_varnames]
    check("variable names", [*names], [*code.co_varnames, *cells, *code.co_freevars])
    expected = thing.gi_frame.f_locals
    for index, (name, kind) in enumerate(zip(names, kinds)):
        reference = slot(thing, index)
        tagged += reference & 3 != 0
        value = untagged(reference)
        if kind & 0xc0 and value:
            value = u64(value + 16)
        check(f"variable {name}", value, id(expected[name]) if name in expected else 0)
    check("tagged references", tagged > 0, numbers["values.stackref_tag"] > 0)
    thing.close()


def wrappers():
    """WRAPPED: what stands between two coroutines has the inner one behind its header."""
    inner, waiting = coroutine(pause()), async_yields()
    step = inner.__await__()
    check("cw_coroutine", u64(id(step) + 16), id(inner))
    for name, step in (("ags_gen", waiting.asend(None)), ("agt_gen", waiting.athrow(ValueError)),
                       ("agt_gen of aclose", waiting.aclose())):
        check(name, u64(id(step) + 16), id(waiting))
    iterator = Iterator()
    step = anext(iterator, 1)
    check("wrapped of anext_awaitable", u64(id(step) + 16), id(iterator.made))
    inner.close()


warnings.simplefilter("ignore")  # of coroutines that were never awaited
check_awaited("cold")
check_awaited("warm", 80)
if VERSION >= (3, 12):
    check_monitored()
check_variables()
wrappers()
