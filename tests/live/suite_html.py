# SPDX-License-Identifier: MIT
"""report --html in a real browser: what the page says, and that it can be used by pointer, by keys, and in the dark."""

import json
import os

from browser import Browser, missing
from harness import Skip, check, equal, guard, until
from procs import Target, Tool
from suite_record import report

TARGET = "page_service.py"
TASKS, ROUNDS, ROWS, TICKS = 20, 100, 40, 3  # page_service.py
PAUSES = 2
CALLS = TASKS * ROUNDS
ROUND_BYTES = TASKS * 2 * (ROWS + 1) * 96  # of a recording: at least the transitions of rows()
HANG = 60  # seconds
# Steps of each function. asyncio.sleep(0) awaits a generator, __sleep0; asyncio.sleep(0.001) a future.
STEPS = {"rows": CALLS * (ROWS + 1), "leaf": 2 * CALLS, "middle": 2 * CALLS, "__sleep0": 2 * CALLS,
         "sleep": 2 * (CALLS + TASKS * TICKS), "ticks": TASKS * (TICKS + 1), "work": TASKS * (1 + ROUNDS + TICKS),
         "</script><b>evil": 2 * TASKS}
WAITS = {"__sleep0": CALLS, "sleep": TASKS * TICKS}
FULL = "Object.assign({}, document.getElementById('timeline-canvas').dataset)"
SUMMARY = "document.getElementById('timeline-summary').textContent"
LEAST_CONTRAST = 4.5  # WCAG 2.2, level AA, for text of this size
# Places of the keyboard, from the page's top to the timeline.
TAB_ORDER = [".skip", "#theme", *(".jumps a" for _ in range(7)), "#zoom-in", "#zoom-out", "#zoom-all", "#timeline-canvas"]


def make_page(ctx, interp):
    """A page of a recording, and what `report --json` says of that."""
    host, _ = interp.scratch()
    path, page = os.path.join(host, "page.rec"), os.path.join(host, "page.html")
    with Target(interp, TARGET) as target:
        pid = target.ready()
        with Tool(ctx.genscope, "record", "-o", path, "-p", pid, "--context=gc") as tool:
            tool.attached()
            target.say()
            for _ in range(PAUSES):
                rounds = int(target.await_line(target.out_queue, "rounds ", HANG).split()[1])
                size = (rounds - 1) * ROUND_BYTES  # the other tasks may be in the one before
                until(f"{size} bytes of a recording", lambda: os.path.getsize(path) >= size)
                target.say("on\n")
            equal("the target's exit status", 0, target.finish(HANG))
            equal("record's exit status", 0, tool.finish(HANG))
    status, out, said = report(ctx, path, "--html", page, "-o", "/dev/null")
    check(status == 0 and not said and not out, f"report ended with {status}: {said}")
    status, out, said = report(ctx, path, "--json")
    check(status == 0 and not said, f"report --json ended with {status}: {said}")
    return page, json.loads(out.rstrip()[out.rstrip().rindex("\n"):])


def shown(browser):
    """(from, to) of the timeline, nanoseconds."""
    told = browser.script(f"return {FULL}")
    return float(told["from"]), float(told["to"])


def no_errors(browser, what):
    said = [line["message"] for line in browser.console() if line["level"] in ("SEVERE", "WARNING")]
    check(not said, f"{what}: the console says {said[:3]}")


# --- what it says ---

def table_of(browser):
    """Of each function shown: its steps."""
    return browser.script("return Object.fromEntries([...document.querySelectorAll('#function-table tbody tr')]"
                          ".map((row) => [row.cells[0].querySelector('button').textContent, row.cells[2].textContent]))")


def says(browser, summary):
    """The overview's numbers are the summary's; a function's steps are what the program does."""
    told = browser.script("return Object.assign({}, document.getElementById('cards').dataset)")
    expected = {"events": summary["events"], "objects": summary["objects"], "durationNs": summary["duration_ns"],
                "lost": sum(summary["lost"].values())}
    equal("the overview", {name: str(value) for name, value in expected.items()}, told)
    check(TARGET in browser.script("return document.querySelector('h1').textContent"), "the title names no program")
    browser.script("document.getElementById('function-more').click()")
    steps = table_of(browser)
    equal("steps", {name: f"{number:,}" for name, number in STEPS.items()}, {name: steps.get(name) for name in STEPS})
    check(sum(STEPS.values()) >= 100_000, "the recording is shorter than it should be")
    waits = browser.script("return [...document.querySelectorAll('#flame-wait [data-node]')].map((node) => node.title)")
    for name, number in WAITS.items():
        check(any(words.startswith(f"{name}: ") and f" {number:,} waits" in words for words in waits),
              f"{name}: not {number:,} waits: {waits}")
    equal("things fetched", 0, browser.script("return performance.getEntriesByType('resource').length"))


def stays_inside(browser):
    """A name is text, whatever is in it; and a script that got into the page does not run."""
    equal("elements made by names", [0, 2], browser.script(
        "return [document.querySelectorAll('b').length, document.scripts.length]"))
    check("</script><b>evil" in table_of(browser), "the function's name is not in the table")
    no_errors(browser, "before the test's own script")
    browser.script("const added = document.createElement('script'); added.textContent = 'window.broken = true';"
                   "document.body.append(added); document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"broken=1\">')")
    check(browser.script("return window.broken === undefined"), "a script that was added ran")
    refused = [line["message"] for line in browser.console()]
    check(any("Content Security Policy" in words for words in refused), f"nobody refused it: {refused}")


# --- how it is used ---

def by_pointer(browser):
    span = shown(browser)
    browser.click("#zoom-in")
    near = shown(browser)
    check(near[1] - near[0] < 0.6 * (span[1] - span[0]), f"Zoom in: from {span} to {near}")
    browser.drag("#timeline-canvas", -300)
    dragged = shown(browser)
    check(dragged[0] > near[0] and abs((dragged[1] - dragged[0]) - (near[1] - near[0])) < 2, f"a drag: from {near} to {dragged}")
    browser.click("#zoom-all")
    equal("everything", span, shown(browser))
    browser.click("#timeline-canvas")
    browser.wheel("#timeline-canvas", -240)
    browser.until(f"Number(({FULL}).to) < {span[1]}", "the wheel zooms")
    middle, near = (span[0] + span[1]) / 2, shown(browser)
    check(near[0] < middle < near[1], f"the wheel in the middle shows {near} of {span}")
    colors = browser.script("const it = document.getElementById('timeline-canvas'), all = it.getContext('2d')"
                            ".getImageData(0, 0, it.width, it.height).data, seen = new Set();"
                            "for (let i = 0; i < all.length; i += 4) seen.add(`${all[i]} ${all[i + 1]} ${all[i + 2]}`);"
                            "return seen.size")
    check(colors > 8, f"{colors} colours: nothing is drawn")
    browser.click("#zoom-all")


def summary_of(browser):
    return browser.script(f"return {SUMMARY}")


def by_keys(browser, everything):
    """Tab comes to the timeline, whose keys do what the page says. `everything`: the words for all there is."""
    browser.script("document.activeElement.blur(); getSelection().removeAllRanges(); window.scrollTo(0, 0)")
    browser.script("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    for place in TAB_ORDER:
        browser.press("tab")
        check(browser.script("return document.activeElement.matches(arguments[0])", place),
              f"Tab: expected {place}, got {browser.script('return document.activeElement.outerHTML.slice(0, 80)')}")
    span = shown(browser)
    browser.until(f"{SUMMARY} === {json.dumps(everything)}", "the words are those of everything")
    browser.press("+", "+", "+")
    near = shown(browser)
    check(near[1] - near[0] < 0.3 * (span[1] - span[0]), f"three +: from {span} to {near}")
    browser.press("right")
    right = shown(browser)
    check(right[0] > near[0] and right[1] > near[1], f"→: from {near} to {right}")
    browser.press("left", "-")
    wider = shown(browser)
    check(wider[1] - wider[0] > near[1] - near[0], f"-: from {near} to {wider}")
    browser.until(f"{SUMMARY} !== {json.dumps(everything)}", "the words for what is in view follow")
    browser.press("home")
    equal("Home", span, shown(browser))
    browser.until(f"{SUMMARY} === {json.dumps(everything)}", "the words are those of everything again")
    browser.press("n", "n", "enter")
    details = browser.script("return document.getElementById('details').textContent")
    check("Began at" in details and "Chain" in details, f"the selected step: {details}")
    check(shown(browser)[1] - shown(browser)[0] < (span[1] - span[0]) / 2, "Enter does not zoom to the step")
    browser.press("escape", "home")
    check("None" in browser.script("return document.getElementById('details').textContent"), "Esc keeps the step selected")


def flames(browser):
    node = "#flame-run [data-node]:nth-child(3)"
    browser.click(node)
    root = browser.script("return document.getElementById('flame-run').dataset.root")
    check(root != "0", "a click does not zoom")
    browser.press("escape")
    equal("after Esc", "0", browser.script("return document.getElementById('flame-run').dataset.root"))
    browser.press("down")
    level = browser.script("return document.activeElement.getAttribute('aria-level')")
    equal("the level after ↓", "2", level)
    browser.type("#flame-search", "leaf")
    browser.until("document.querySelector('#flame-run.seeking .hit')", "a hit is marked")
    found = browser.script("return document.getElementById('flame-found').textContent")
    check("running" in found, f"what was found: {found}")


def table(browser):
    """Search counts what its words are in; headings sort, and say so."""
    every = browser.script("return [...document.querySelectorAll('#function-table tbody tr')].map((row) =>"
                           " (row.cells[0].querySelector('button').textContent + '\\n' + row.querySelector('.place').title).toLowerCase())")
    for words in ("leaf", "page_service", "SLEEP", "no such function"):
        expected = sum(words.lower() in one for one in every)
        browser.script("document.getElementById('function-search').value = ''")
        browser.type("#function-search", words)
        rows = browser.script("return document.querySelectorAll('#function-table tbody td.name').length")
        equal(f"rows with {words!r}", expected, rows)
    check(expected == 0 and any("leaf" in one for one in every), "the searches show nothing")
    browser.script("const it = document.getElementById('function-search'); it.value = ''; it.dispatchEvent(new Event('input'))")
    heading = "#function-table th:nth-child(3) button"
    for order in ("descending", "ascending"):
        browser.click(heading)
        equal("aria-sort", order, browser.script(f"return document.querySelector({heading!r}).parentElement.ariaSort"))
        steps = [int(number.replace(",", "").replace("–", "-1")) for number in browser.script(
            "return [...document.querySelectorAll('#function-table tbody tr')].map((row) => row.cells[2].textContent)")]
        equal(f"{order} steps", sorted(steps, reverse=order == "descending"), steps)
    browser.script("document.querySelector('#function-table td.name button').click()")
    browser.until("document.querySelectorAll('#histograms .histogram').length === 5", "five distributions are drawn")


# --- how it looks ---

def luminance(color):
    """Of "rgb(1, 2, 3)", by WCAG's formula."""
    parts = [int(part) / 255 for part in color[color.index("(") + 1:-1].split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def look(browser):
    """Colours of text on its background, by what is coloured."""
    return browser.script("""
        const color = (selector, name) => getComputedStyle(document.querySelector(selector))[name];
        const section = color('section', 'backgroundColor');
        return { text: [color('h2', 'color'), section], muted: [color('.hint', 'color'), section],
                 link: [color('td.name button', 'color'), section], cards: [color('.cards dt', 'color'), color('.cards > div', 'backgroundColor')],
                 flame: [color('.flame-node:not(.unnamed)', 'color'), color('.flame-node:not(.unnamed)', 'backgroundColor')],
                 page: [color('h1', 'color'), color('body', 'backgroundColor')] };""")


def themes(browser):
    before = look(browser)
    browser.click("#theme")
    after = look(browser)
    for looks in (before, after):
        for what, colors in looks.items():
            check(contrast(*colors) >= LEAST_CONTRAST, f"{what}: contrast {contrast(*colors):.1f} of {colors}")
    check(luminance(before["page"][1]) > 0.5 > luminance(after["page"][1]), f"from {before['page']} to {after['page']}")
    browser.call("POST", "/refresh", {})
    equal("the theme after a reload", after["page"], look(browser)["page"])
    browser.click("#theme")
    equal("the first theme again", before["page"], look(browser)["page"])


def fits(browser):
    """Nothing is wider than a narrow window."""
    browser.resize(800, 900)
    browser.until("innerWidth === 800 && document.documentElement.scrollWidth <= innerWidth", "all fits into the window")


def page(ctx, interp):
    """A 100 000-step recording: right numbers, no console errors, zoom, search, both themes, keys, safe names."""
    absent = missing()
    if absent:
        raise Skip(f"not installed: {', '.join(absent)}: run `make deps` as root")
    path, summary = make_page(ctx, interp)
    with Browser() as browser:
        browser.open(path)
        browser.until("'ready' in document.documentElement.dataset", "the page is ready")
        no_errors(browser, "on load")
        everything = summary_of(browser)
        loaded = browser.script("return performance.timing.loadEventEnd - performance.timing.navigationStart")
        for use in (lambda it: says(it, summary), by_pointer, lambda it: by_keys(it, everything), flames, table, themes, fits):
            use(browser)
        no_errors(browser, "after use")
        browser.script("document.getElementById('function-more').click()")
        stays_inside(browser)
    print(f"     {interp.label}  html.page: {os.path.getsize(path) / 1e6:.1f} MB, loaded in {loaded} ms", flush=True)


def empty(ctx, interp):
    """Of a recording in which nothing happened there is a page too; what cannot be written is one line."""
    host, _ = interp.scratch()
    path, out = os.path.join(host, "empty.rec"), os.path.join(host, "empty.html")
    with Tool(ctx.genscope, "record", "-o", path, "-F", "/nowhere/*", "--", *interp.command("scope.py")) as tool:
        tool.finish(HANG)
    for words, expected in ((("--html", "/nowhere/a.html"), 1), (("--html", "-"), 2),
                            (("--html", out, "--perfetto", out), 2), (("--html", "/dev/full"), 1)):
        status, _, said = report(ctx, path, *words)
        check(status == expected and len(said) == 1 and said[0].startswith("genscope: "), f"{words}: {status}, {said}")
    status, text, said = report(ctx, path, "--html", "-", "-o", os.devnull)
    check(status == 0 and not said and text.startswith("<!DOCTYPE html>"), f"--html -: {status}, {said}")
    check("only some functions or files were recorded" in text, "the recorder's filter is not told")
    text = report(ctx, path, "--html", "-", "-o", os.devnull, "-k", "coroutine", "-f", "a<b")[1]
    check('recorded; only kinds coroutine; only functions a\\u003cb"' in text, "the report's filters are not told")
    status, _, said = report(ctx, path, "--html", out)
    check(status == 0 and not said, f"report ended with {status}: {said}")
    if missing():
        raise Skip(f"not installed: {', '.join(missing())}")
    with Browser() as browser:
        browser.open(out)
        browser.until("'ready' in document.documentElement.dataset", "the page is ready")
        no_errors(browser, "on load")
        check("No function ran" in browser.script("return document.getElementById('function-table').textContent"),
              "the table does not say that it is empty")


TESTS = {"page": page, "empty": empty}


def run(ctx):
    for name, test in TESTS.items():
        if ctx.wanted(f"{ctx.one.label} html.{name}"):
            yield guard(ctx.one.label, f"html.{name}", lambda test=test: test(ctx, ctx.one))
