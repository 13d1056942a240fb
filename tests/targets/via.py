# SPDX-License-Identifier: MIT
"""What a Python-level caller was doing when it resumed a generator.

The answer comes from the caller's current instruction and, for calls, from the source text under it
(co_positions, 3.11+): `g.send(1)` is "send", `next(g)` and `sum(g)` are "next", and so on.
"""

import ast
import inspect
import linecache
import opcode

GENLIKE = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
THROWERS = ("throw", "close", "athrow", "aclose")
METHODS = ("send", "throw", "close", "asend", "athrow", "aclose")
_op_cache = {}
_text_cache = {}


def op_at(code, offset):
    """Name of the instruction at a byte offset, caches skipped backwards (3.12 leaves f_lasti on them)."""
    key = (code, offset)
    name = _op_cache.get(key)
    if name is None:
        raw = code.co_code
        name = "NONE"
        while offset >= 0:
            name = opcode.opname[raw[offset]]
            if name != "CACHE":
                break
            offset -= 2
        _op_cache[key] = name
    return name


def delegating(code, offset):
    """True when the YIELD_VALUE at offset belongs to a `yield from` or an `await`."""
    raw = code.co_code
    for at in (offset, offset + 2):
        if at < len(raw) and opcode.opname[raw[at]] == "RESUME":
            return raw[at + 1] & 3 >= 2
    return False


def position_text(code, offset):
    positions = list(code.co_positions())
    index = offset // 2
    if not 0 <= index < len(positions):
        return ""
    line, end_line, col, end_col = positions[index]
    if line is None or line != end_line or col is None:
        return ""
    return linecache.getline(code.co_filename, line).encode()[col:end_col].decode(errors="replace")


def callee(code, offset):
    """The name called by the expression at offset: `g.send(1)` -> "send", `await a.asend(2)` -> "asend"."""
    key = (code, offset)
    name = _text_cache.get(key)
    if name is None:
        name = ""
        try:
            node = ast.parse(position_text(code, offset).strip(), mode="eval").body
        except (SyntaxError, ValueError):
            node = None
        if isinstance(node, ast.Await):
            node = node.value
        if isinstance(node, ast.Call):
            func = node.func
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
        _text_cache[key] = name
    return name


def driver(frame):
    """The frame whose instruction drives `frame`, and whether a throw/close was delegated through others."""
    back, delegated = frame.f_back, False
    while back is not None and back.f_code.co_flags & GENLIKE:
        if op_at(back.f_code, back.f_lasti) not in ("YIELD_VALUE", "RESUME"):
            break
        back, delegated = back.f_back, True
    return back, delegated


def of_resume(frame, kind):
    """via of an ordinary resume (no exception thrown in)."""
    back = frame.f_back
    if back is None:
        return "send" if kind == "coroutine" else "next"
    code, at = back.f_code, back.f_lasti
    op = op_at(code, at)
    if kind == "async_generator":
        name = callee(code, at) if op == "SEND" else ""
        return name if name in ("asend", "athrow", "aclose") else "anext"
    if op == "FOR_ITER":
        return "for"
    if op == "SEND":
        plain = code.co_flags & inspect.CO_GENERATOR
        return "yield_from" if plain else "await"
    if op.startswith("CALL"):
        name = callee(code, at)
        if name in METHODS:
            return name
    return "send" if kind == "coroutine" else "next"


def of_throw(frame, kind, exc_type, dying):
    """via of a resume that throws an exception in; several answers are joined by |.

    dying: its last reference is gone.
    """
    back, delegated = driver(frame)
    asynchronous = kind == "async_generator"
    in_asyncio = back is not None and "asyncio" in back.f_code.co_filename
    if dying:  # what runs now is the finaliser, or the task that asyncio's hook made for an async generator
        return "aclose" if asynchronous and in_asyncio else "finalize"
    name = ""
    if back is not None:
        op = op_at(back.f_code, back.f_lasti)
        if op.startswith("CALL") or op == "SEND":
            name = callee(back.f_code, back.f_lasti)
    if name not in THROWERS and in_asyncio:
        name = "aclose" if asynchronous else "throw"  # a task driven from C: cancel() throws
    if name not in THROWERS or asynchronous and not name.startswith("a"):
        return "finalize|close" if delegated else "finalize"
    if name == "throw" and delegated and exc_type is GeneratorExit:
        return "throw|close"  # _gen_throw closes the inner one itself
    return name
