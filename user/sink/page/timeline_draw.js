// SPDX-License-Identifier: MIT
// The timeline's picture: what is where, in pixels, and how it is painted.

const ROW = 17, HEAD = 24, MARK_ROW = 12, GAP = 10;
const MARK_NAMES = ["garbage collection", "import", "audit event"];

const view = {
  from: 0, to: 1, // what is shown, nanoseconds
  span: Math.max(1, data.about.span_ns),
  width: 1, height: 1, // of the canvas, CSS pixels
  top: 0, // scrolled down by
  selected: -1, // a step
};

/** Process by process, the main thread first, then the busiest. */
const shownTracks = [...tracks].sort((a, b) =>
  a.pid - b.pid || (b.tid === b.pid) - (a.tid === a.pid) || b.busy - a.busy || a.tid - b.tid);

/** Where each track is. Returns the height of all. */
function layOut() {
  let y = 4;
  for (const track of shownTracks) {
    const rows = track.lanes.reduce((most, lane) => Math.max(most, lane.depth + 1), 0);
    track.y = y;
    track.rowsY = y + HEAD + (track.marks.length ? MARK_ROW : 0);
    track.end = track.rowsY + rows * ROW;
    if (rows || track.marks.length) y = track.end + GAP;
  }
  return y;
}

const painter = {
  colors: {}, fills: new Map(), hatch: null,
  /** Colours are the theme's: to be called when that changes. */
  reset(context) {
    const dark = theme.dark();
    this.fills.clear();
    this.dark = dark;
    for (const name of ["text", "muted", "line", "surface", "raised", "accent", "bad-line", "warn-line"])
      this.colors[name] = theme.color(name);
    this.marks = [this.colors["warn-line"], this.colors.accent, dark ? "#c9a3ff" : "#7a3fc1"];
    const tile = document.createElement("canvas");
    tile.width = tile.height = 6;
    const pen = tile.getContext("2d");
    pen.strokeStyle = this.colors.surface;
    pen.lineWidth = 1.5;
    for (const shift of [-6, 0, 6]) {
      pen.moveTo(shift, 6);
      pen.lineTo(shift + 6, 0);
    }
    pen.stroke();
    this.hatch = context.createPattern(tile, "repeat");
  },
  fill(index) {
    if (index < 0) return this.dark ? "#8a95a3" : "#c3cad4";
    const hue = functions[index].hue;
    let color = this.fills.get(hue);
    if (!color) this.fills.set(hue, (color = this.dark ? `hsl(${hue} 46% 67%)` : `hsl(${hue} 58% 78%)`));
    return color;
  },
};

/** Distances of grid lines: 1, 2 or 5 of a power of ten, some 120 pixels apart. */
function gridStep(ns, pixels) {
  const least = (ns * 120) / Math.max(1, pixels), power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return power * [1, 2, 5, 10].find((each) => each * power >= least);
}

const AXIS = 22;

function paintAxis(pen, pixels) {
  const step = gridStep(view.to - view.from, view.width), { colors } = painter;
  pen.fillStyle = colors.surface;
  pen.fillRect(0, 0, view.width, AXIS);
  pen.fillStyle = colors.muted;
  pen.strokeStyle = colors.line;
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.beginPath();
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = Math.round((at - view.from) * pixels) + 0.5;
    pen.moveTo(x, AXIS - 5);
    pen.lineTo(x, AXIS);
    if (x + 60 < view.width) pen.fillText(moment(at, step), x + 4, AXIS / 2);
  }
  pen.moveTo(0, AXIS + 0.5);
  pen.lineTo(view.width, AXIS + 0.5);
  pen.stroke();
}

function paintGrid(pen, pixels) {
  const step = gridStep(view.to - view.from, view.width);
  pen.strokeStyle = painter.colors.line;
  pen.globalAlpha = 0.5;
  pen.beginPath();
  for (let at = Math.ceil(view.from / step) * step; at <= view.to; at += step) {
    const x = Math.round((at - view.from) * pixels) + 0.5;
    pen.moveTo(x, AXIS);
    pen.lineTo(x, view.height);
  }
  pen.stroke();
  pen.globalAlpha = 1;
}

/** Many short steps, as one: the fuller, the stronger. */
function paintBands(pen, lane, y, pixels) {
  let i = Math.max(lane.bands, lowerBound(bands.begin, view.from, lane.bands, lane.bandsTo) - 1);
  for (; i < lane.bandsTo && bands.begin[i] < view.to; i++) {
    const x = (bands.begin[i] - view.from) * pixels, width = Math.max(1, bands.width * pixels);
    pen.globalAlpha = 0.3 + 0.7 * Math.min(1, bands.busy[i] / bands.width);
    pen.fillStyle = painter.fill(bands.function[i]);
    pen.fillRect(x, y, width, ROW - 2);
    pen.globalAlpha = 1;
    if (width < 3) continue;
    pen.fillStyle = painter.hatch;
    pen.fillRect(x, y, width, ROW - 2);
  }
}

function paintLabel(pen, index, x, width, y) {
  const from = Math.max(x, 0) + 4, room = Math.min(x + width, view.width) - from - 4, name = functionName(index);
  const fits = Math.floor(room / 6.3); // the font's mean width
  if (fits < 3) return;
  pen.fillStyle = "#18202b";
  pen.fillText(name.length <= fits ? name : name.slice(0, fits - 1) + "…", from, y + (ROW - 2) / 2 + 0.5);
}

/** Steps narrower than a pixel are one stroke a pixel: the work grows with the width, not with the steps. */
function paintSteps(pen, lane, y, pixels) {
  let i = Math.max(lane.steps, lowerBound(steps.begin, view.from, lane.steps, lane.stepsTo) - 1);
  while (i < lane.stepsTo && steps.begin[i] < view.to) {
    const x = (steps.begin[i] - view.from) * pixels, width = steps.length[i] * pixels;
    if (x + width < 0) {
      i++;
      continue;
    }
    pen.fillStyle = painter.fill(steps.function[i]);
    if (width < 1.5) {
      pen.fillRect(Math.floor(x), y, 1, ROW - 2);
      const next = lowerBound(steps.begin, view.from + (Math.floor(x) + 1) / pixels, i + 1, lane.stepsTo);
      i = Math.max(i + 1, next - 1); // the last that begins in this pixel may be a long one
      continue;
    }
    pen.fillRect(x, y, Math.max(1, width - 0.5), ROW - 2);
    if (width > 24) paintLabel(pen, steps.function[i], x, width, y);
    i++;
  }
}

function paintMarks(pen, track, pixels) {
  const y = track.rowsY - MARK_ROW - view.top + AXIS;
  for (const i of track.marks) {
    const x = (marks.begin[i] - view.from) * pixels, width = marks.length[i] * pixels;
    if (x + width < -4 || x > view.width + 4) continue;
    pen.fillStyle = painter.marks[marks.type[i]];
    if (width > 3) {
      pen.fillRect(x, y + 2, width, MARK_ROW - 6);
      continue;
    }
    pen.beginPath();
    pen.moveTo(x - 4, y + 1);
    pen.lineTo(x + 4, y + 1);
    pen.lineTo(x, y + MARK_ROW - 3);
    pen.fill();
  }
}

function paintLosses(pen, pixels) {
  pen.fillStyle = painter.colors["bad-line"];
  for (const [at] of data.losses) {
    const x = (at - view.from) * pixels;
    if (x >= 0 && x <= view.width) pen.fillRect(Math.round(x), AXIS, 2, view.height);
  }
}

function trackTitle(track) {
  const process = processes.get(track.pid);
  const name = process && process.name ? shortCommand(process.name) : `process ${track.pid}`;
  return track.tid ? `${track.name} · ${name} (pid ${track.pid})` : track.name;
}

function paintTrackHead(pen, track) {
  const y = track.y - view.top + AXIS;
  const title = trackTitle(track), busy = `${plural(track.steps, "step")}, running ${percent(track.busy, view.span)}`;
  pen.font = "600 12px system-ui, sans-serif";
  pen.fillStyle = painter.colors.text;
  const width = pen.measureText(title).width;
  pen.fillText(title, 8, y + HEAD / 2);
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = painter.colors.muted;
  pen.fillText(busy, 8 + width + 12, y + HEAD / 2);
  pen.font = "11px system-ui, sans-serif";
}

const laneY = (lane) => lane.track.rowsY + lane.depth * ROW - view.top + AXIS;

function paintSelected(pen, pixels) {
  if (view.selected < 0) return;
  const x = (steps.begin[view.selected] - view.from) * pixels, width = Math.max(3, steps.length[view.selected] * pixels);
  pen.strokeStyle = painter.colors.text;
  pen.lineWidth = 2;
  pen.strokeRect(x - 1, laneY(lanes[steps.lane[view.selected]]) - 1, width + 1, ROW);
  pen.lineWidth = 1;
}

function paintTimeline(pen) {
  const pixels = view.width / (view.to - view.from);
  pen.fillStyle = painter.colors.surface;
  pen.fillRect(0, 0, view.width, view.height);
  pen.font = "11px system-ui, sans-serif";
  pen.textBaseline = "middle";
  paintGrid(pen, pixels);
  for (const track of shownTracks) {
    if (track.end - view.top < 0 || track.y - view.top > view.height) continue;
    if (!track.lanes.length && !track.marks.length) continue;
    paintTrackHead(pen, track);
    paintMarks(pen, track, pixels);
    for (const lane of track.lanes) {
      const y = laneY(lane);
      if (y < -ROW || y > view.height) continue;
      paintBands(pen, lane, y, pixels);
      paintSteps(pen, lane, y, pixels);
    }
  }
  paintLosses(pen, pixels);
  paintSelected(pen, pixels);
  paintAxis(pen, pixels);
}

/** All the recording: how much happened when, and which part is shown above. */
function paintMinimap(pen, width, height) {
  const { width: bin, count: bins } = data.activity, most = Math.max(1, ...bins), { colors } = painter;
  const used = Math.min(bins.length, Math.ceil(view.span / bin) || 1), pixels = width / view.span;
  pen.fillStyle = colors.raised;
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = colors.accent;
  for (let i = 0; i < used; i++) {
    const tall = (bins[i] / most) * (height - 4);
    if (bins[i]) pen.fillRect(i * bin * pixels, height - Math.max(1, tall), Math.max(1, bin * pixels - 0.5), tall);
  }
  pen.fillStyle = colors["bad-line"];
  for (const [at] of data.losses) pen.fillRect(Math.round(at * pixels), 0, 2, height);
  const from = view.from * pixels, to = view.to * pixels;
  pen.fillStyle = colors.surface;
  pen.globalAlpha = 0.72;
  pen.fillRect(0, 0, from, height);
  pen.fillRect(to, 0, width - to, height);
  pen.globalAlpha = 1;
  pen.strokeStyle = colors.text;
  pen.lineWidth = 1.5;
  pen.strokeRect(Math.min(from, width - 3) + 0.75, 0.75, Math.max(2, to - from - 1.5), height - 1.5);
}
