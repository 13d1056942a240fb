// SPDX-License-Identifier: MIT
// The timeline: pan, zoom, hover, select; and the same in words.

const LEAST_NS = 200; // shown at once: no step is shorter than what takes a trap
const canvas = byId("timeline-canvas"), minimap = byId("minimap"), scroll = byId("timeline-scroll");
let frame = 0;

function fit(target, width, height) {
  const ratio = window.devicePixelRatio || 1, pen = target.getContext("2d");
  if (target.width !== Math.round(width * ratio) || target.height !== Math.round(height * ratio)) {
    target.width = Math.round(width * ratio);
    target.height = Math.round(height * ratio);
    target.style.width = `${width}px`;
    target.style.height = `${height}px`;
  }
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return pen;
}

function paint() {
  frame = 0;
  view.width = Math.max(100, scroll.clientWidth);
  view.height = scroll.clientHeight;
  view.top = scroll.scrollTop;
  const pen = fit(canvas, view.width, view.height);
  if (!painter.hatch) painter.reset(pen);
  paintTimeline(pen);
  paintMinimap(fit(minimap, minimap.parentElement.clientWidth, 44), minimap.parentElement.clientWidth, 44);
}

function repaint() {
  if (!frame) frame = requestAnimationFrame(paint);
}

// --- what is shown ---

const tellLater = later(200, tellView);

function show(from, to) {
  const length = Math.min(view.span, Math.max(LEAST_NS, to - from));
  view.from = Math.max(0, Math.min(view.span - length, from));
  view.to = view.from + length;
  canvas.dataset.from = view.from;
  canvas.dataset.to = view.to;
  byId("timeline-range").textContent = `${moment(view.from, length / 1000)} to ${moment(view.to, length / 1000)}, ${duration(length)}`;
  repaint();
  tellLater();
}

/** Zooms so that what is at this share of the width stays there. */
function zoom(factor, share = 0.5) {
  const length = Math.min(view.span, Math.max(LEAST_NS, (view.to - view.from) * factor));
  const fixed = view.from + share * (view.to - view.from);
  show(fixed - share * length, fixed + (1 - share) * length);
}

function pan(share) {
  const by = share * (view.to - view.from);
  show(view.from + by, view.to + by);
}

function longestInView(most) {
  const found = [];
  let shown = 0, merged = 0;
  for (const lane of lanes) {
    const first = Math.max(lane.steps, lowerBound(steps.begin, view.from, lane.steps, lane.stepsTo) - 1);
    for (let i = first; i < lane.stepsTo && steps.begin[i] < view.to; i++) {
      if (steps.begin[i] + steps.length[i] < view.from) continue;
      shown++;
      if (found.length === most && steps.length[i] <= steps.length[found[most - 1]]) continue;
      let at = Math.min(found.length, most - 1);
      for (; at > 0 && steps.length[found[at - 1]] < steps.length[i]; at--) found[at] = found[at - 1];
      found[at] = i;
    }
    for (let i = lowerBound(bands.begin, view.from - bands.width, lane.bands, lane.bandsTo);
      i < lane.bandsTo && bands.begin[i] < view.to; i++) merged += bands.count[i];
  }
  return { found, shown, merged };
}

function tellView() {
  const { found, shown, merged } = longestInView(10), longest = found[0], exact = (view.to - view.from) / 1000;
  byId("timeline-summary").textContent = `In view: ${plural(shown + merged, "step")} from ${moment(view.from, exact)} to ` +
    `${moment(view.to, exact)}${longest === undefined ? "." : `; the longest ran ${duration(steps.length[longest])} in ` +
    `${functionName(steps.function[longest])}.`}`;
  byId("longest").tBodies[0].replaceChildren(...found.map((i) => el("tr", {},
    el("td", {}, el("button", { type: "button", class: "plain", click: () => select(i, true) }, functionName(steps.function[i]))),
    el("td", { class: "number" }, moment(steps.begin[i], 1000)),
    el("td", { class: "number" }, duration(steps.length[i])),
    el("td", {}, lanes[steps.lane[i]].track.name))));
  if (!found.length) byId("longest").tBodies[0].append(el("tr", {}, el("td", { colspan: 4 }, "No single step is in view.")));
}

// --- one step ---

function zoomTo(begin, length) {
  const margin = Math.max(length, LEAST_NS) * 0.6;
  show(begin - margin, begin + length + margin);
}

function scrollToLane(lane) {
  const y = lane.track.rowsY + lane.depth * ROW;
  if (y < scroll.scrollTop || y + ROW + AXIS > scroll.scrollTop + view.height) scroll.scrollTop = y - view.height / 2;
}

function drawDetails(i) {
  const lane = lanes[steps.lane[i]], track = lane.track, list = el("dl", {}), of = functions[steps.function[i]];
  const add = (name, ...value) => list.append(el("dt", {}, name), el("dd", {}, ...value));
  add("Function", el("strong", {}, of.name), `, ${of.kind.replace("_", " ")}`);
  add("Defined at", placeOf(of));
  add("Thread", `${track.name}, tid ${track.tid}, pid ${track.pid}`);
  add("Began at", moment(steps.begin[i], 1));
  add("Ran", duration(steps.length[i]), `, ${duration(steps.self[i])} of it by itself`);
  add("Ended by", steps.via[i] ? `${data.vias[steps.via[i]]}${steps.line[i] ? ` in line ${steps.line[i]}` : ""}`
    : "its thread going on without it");
  add("Object", `number ${count(steps.id[i])}`);
  add("Chain", el("ol", {}, ...chainOf(steps.chain[i]).map((each) => el("li", {}, functionName(each)))));
  byId("details").replaceChildren(list, el("p", { class: "toolbar" },
    el("button", { type: "button", click: () => zoomTo(steps.begin[i], steps.length[i]) }, "Zoom to it"),
    el("button", { type: "button", click: () => pickFunction(of.index, true) }, "Its function's times")));
}

function select(i, zoomed) {
  view.selected = i;
  if (i < 0) {
    byId("details").replaceChildren(el("p", { class: "muted" }, "None."));
  } else {
    drawDetails(i);
    scrollToLane(lanes[steps.lane[i]]);
    const end = steps.begin[i] + steps.length[i];
    if (zoomed) zoomTo(steps.begin[i], steps.length[i]);
    else if (steps.begin[i] > view.to || end < view.from) show(steps.begin[i] - (view.to - view.from) / 2, steps.begin[i] + (view.to - view.from) / 2);
  }
  repaint();
}

/** The next or previous step of the row; of none selected, the first in view. */
function walk(by) {
  if (!steps.count) return;
  if (view.selected < 0) {
    const lane = lanes.find((each) => {
      const first = lowerBound(steps.begin, view.from, each.steps, each.stepsTo);
      return first < each.stepsTo && steps.begin[first] < view.to;
    });
    if (lane) select(lowerBound(steps.begin, view.from, lane.steps, lane.stepsTo), false);
  } else {
    const lane = lanes[steps.lane[view.selected]], to = view.selected + by;
    if (to >= lane.steps && to < lane.stepsTo) select(to, false);
  }
  if (view.selected >= 0) {
    const i = view.selected, pixels = view.width / (view.to - view.from);
    showTooltip(stepWords(i), (steps.begin[i] - view.from) * pixels, laneY(lanes[steps.lane[i]]) + ROW);
  }
}

// --- under the pointer ---

const stepWords = (i) => `${functionName(steps.function[i])}: ran ${duration(steps.length[i])}, ` +
  `${duration(steps.self[i])} by itself; began at ${moment(steps.begin[i], 1000)}`;

function bandWords(i) {
  const of = bands.function[i] < 0 ? "steps of several functions" : `steps, mostly of ${functionName(bands.function[i])}`;
  return `${count(bands.count[i])} short ${of}, together ${duration(bands.busy[i])} of ${duration(bands.width)}`;
}

function markWords(i) {
  const name = text(marks.name[i]), length = marks.length[i] ? `, ${duration(marks.length[i])}` : "";
  return `${MARK_NAMES[marks.type[i]]}${name ? ` (${name})` : ""}${length}, at ${moment(marks.begin[i], 1000)}` +
    (marks.type[i] === 0 ? `, ${plural(marks.value[i], "object")} collected` : "");
}

/** What is at a place of the canvas: { step }, { band }, { mark } or null. */
function thingAt(x, y) {
  const ns = (view.to - view.from) / view.width, at = view.from + x * ns, slack = 2 * ns;
  const inside = y - AXIS + view.top;
  const track = tracks.find((each) => (each.lanes.length || each.marks.length) && inside >= each.y && inside < each.end);
  if (!track || y < AXIS) return null;
  if (inside < track.rowsY) {
    const near = track.marks.find((i) => at >= marks.begin[i] - 3 * slack && at <= marks.begin[i] + marks.length[i] + 3 * slack);
    return near !== undefined && inside >= track.rowsY - MARK_ROW ? { mark: near } : null;
  }
  const lane = track.lanes.find((each) => each.depth === Math.floor((inside - track.rowsY) / ROW));
  if (!lane) return null;
  const next = lowerBound(steps.begin, at, lane.steps, lane.stepsTo);
  for (const i of [next - 1, next])
    if (i >= lane.steps && i < lane.stepsTo && at >= steps.begin[i] - slack && at <= steps.begin[i] + steps.length[i] + slack)
      return { step: i };
  const band = lowerBound(bands.begin, at, lane.bands, lane.bandsTo) - 1;
  return band >= lane.bands && at < bands.begin[band] + bands.width ? { band } : null;
}

function showTooltip(words, x, y) {
  const tip = byId("tooltip"), box = canvas.getBoundingClientRect();
  tip.textContent = words;
  tip.hidden = false;
  tip.style.left = `${Math.max(4, Math.min(window.innerWidth - tip.offsetWidth - 8, box.left + x + 12))}px`;
  tip.style.top = `${Math.max(4, Math.min(window.innerHeight - tip.offsetHeight - 8, box.top + y + 14))}px`;
}

const hideTooltip = () => { byId("tooltip").hidden = true; };

function hover(event) {
  const thing = thingAt(event.offsetX, event.offsetY);
  if (!thing) return hideTooltip();
  const words = thing.step !== undefined ? stepWords(thing.step) : thing.band !== undefined ? bandWords(thing.band) : markWords(thing.mark);
  return showTooltip(words, event.offsetX, event.offsetY);
}

// --- pointers, wheel, keys ---

function onWheel(event) {
  const zooms = event.ctrlKey || event.metaKey || document.activeElement === canvas;
  if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
    event.preventDefault();
    pan((event.deltaX || event.deltaY) / view.width);
  } else if (zooms) {
    event.preventDefault();
    zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), event.offsetX / view.width);
  }
  hideTooltip();
}

/** One pointer drags, two pinch. */
function followPointers() {
  const held = new Map();
  let moved = 0;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, event.offsetX);
    moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (before === undefined) return hover(event);
    const other = [...held].find(([id]) => id !== event.pointerId);
    moved += Math.abs(event.offsetX - before);
    if (other && Math.abs(event.offsetX - other[1]) > 8)
      zoom(Math.abs(before - other[1]) / Math.abs(event.offsetX - other[1]), other[1] / view.width);
    else if (!other && moved > 3) pan((before - event.offsetX) / view.width);
    held.set(event.pointerId, event.offsetX);
    return hideTooltip();
  });
  const release = (event) => {
    if (held.delete(event.pointerId) && moved <= 3 && event.type === "pointerup") {
      const thing = thingAt(event.offsetX, event.offsetY);
      select(thing && thing.step !== undefined ? thing.step : -1, false);
      if (thing && thing.band !== undefined) zoomTo(bands.begin[thing.band], bands.width);
    }
  };
  for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, release);
  for (const name of ["pointerleave", "blur"]) canvas.addEventListener(name, hideTooltip);
}

function followMinimap() {
  let dragging = false;
  const move = (event) => {
    const at = (event.offsetX / minimap.clientWidth) * view.span, half = (view.to - view.from) / 2;
    if (dragging) show(at - half, at + half);
  };
  minimap.addEventListener("pointerdown", (event) => {
    dragging = true;
    minimap.setPointerCapture(event.pointerId);
    move(event);
  });
  minimap.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) minimap.addEventListener(name, () => { dragging = false; });
}

const KEYS = {
  ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2),
  ArrowUp: () => { scroll.scrollTop -= 3 * ROW; }, ArrowDown: () => { scroll.scrollTop += 3 * ROW; },
  "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), Home: () => show(0, view.span),
  n: () => walk(1), p: () => walk(-1),
  Enter: () => { if (view.selected >= 0) zoomTo(steps.begin[view.selected], steps.length[view.selected]); },
  Escape: () => { select(-1, false); hideTooltip(); },
};

function onKey(event) {
  const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

// --- what is said once ---

function drawLegend() {
  const sample = (draw, words) => {
    const swatch = el("canvas", { "aria-hidden": "true" });
    byId("legend").append(el("li", {}, swatch, words));
    return () => draw(fit(swatch, 18, 12));
  };
  const box = (color) => (pen) => {
    pen.clearRect(0, 0, 18, 12);
    pen.fillStyle = color();
    pen.fillRect(0, 0, 18, 12);
  };
  const draws = [sample(box(() => painter.fill(steps.function.length ? steps.function[0] : -1)), "a step; its colour is its function's")];
  if (bands.count.length)
    draws.push(sample((pen) => {
      box(() => painter.fill(-1))(pen);
      pen.fillStyle = painter.hatch;
      pen.fillRect(0, 0, 18, 12);
    }, "many short steps, as one"));
  for (const type of [0, 1, 2])
    if (marks.type.includes(type)) draws.push(sample(box(() => painter.marks[type]), MARK_NAMES[type]));
  if (data.losses.length) draws.push(sample(box(() => painter.colors["bad-line"]), "events were lost"));
  return () => draws.forEach((draw) => draw());
}

function tellLimits() {
  const notes = [];
  if (bands.merged)
    notes.push(`${count(bands.merged)} steps of at most ${duration(bands.longest)} are drawn together, in pieces of ` +
      `${duration(bands.width)}; the ${count(steps.count)} longest are drawn one by one.`);
  if (bands.left_out) notes.push(`${plural(bands.left_out, "step is", "steps are")} not drawn: too deep, or of too many threads.`);
  if (marks.left_out) notes.push(`${plural(marks.left_out, "short or later mark is", "short or later marks are")} not drawn.`);
  byId("timeline-notes").textContent = notes.join(" ");
}

function startTimeline() {
  const height = layOut() + AXIS, shown = Math.min(Math.max(height, 120), 460);
  scroll.style.height = `${shown}px`;
  byId("timeline-spacer").style.height = `${Math.max(0, height - shown)}px`;
  painter.reset(canvas.getContext("2d"));
  const drawSamples = drawLegend();
  drawSamples();
  theme.listeners.push(() => {
    painter.reset(canvas.getContext("2d"));
    drawSamples();
    repaint();
  });
  tellLimits();
  followPointers();
  followMinimap();
  canvas.addEventListener("wheel", onWheel, { passive: false });
  canvas.addEventListener("keydown", onKey);
  scroll.addEventListener("scroll", repaint);
  window.addEventListener("scroll", hideTooltip, { passive: true });
  byId("zoom-in").addEventListener("click", () => zoom(0.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("zoom-all").addEventListener("click", () => show(0, view.span));
  new ResizeObserver(repaint).observe(scroll);
  show(0, view.span);
  paint();
  tellView();
}
