// SPDX-License-Identifier: MIT
// The recording, as user/sink/html_data.c wrote it, in columns that can be searched.

const data = JSON.parse(byId("data").textContent);

function rising(column) {
  const out = new Float64Array(column.length);
  for (let i = 0, sum = 0; i < column.length; i++) out[i] = sum += column[i];
  return out;
}

const text = (index) => (index < 0 ? "" : data.texts[index]);

/** A function by its number; -1: several, or unknown. */
const functions = data.functions.name.map((name, i) => ({
  index: i,
  name: text(name),
  file: text(data.functions.file[i]),
  line: data.functions.line[i],
  kind: data.kinds[data.functions.kind[i]],
  hue: hueOf(text(name)),
}));

const placeOf = (of) => (of.file ? `${of.file}${of.line ? `:${of.line}` : ""}` : "place unknown");
/** The last two steps of the path: what tells files apart that are called alike. */
function shortPlace(of) {
  const file = of.file.split("/").slice(-2).join("/");
  return placeOf({ ...of, file: file.length < of.file.length - 1 ? `…/${file}` : of.file });
}
const shortFile = (file) => file.slice(file.lastIndexOf("/") + 1);

/** A command without the folder of its program. */
const shortCommand = (name) => name.replace(/^\S*\/(?=\S)/, "");

const processes = new Map(data.about.processes.map(([pid, name, python]) =>
  [pid, { pid, name: text(name), python: text(python) }]));

const tracks = data.tracks.map(([pid, tid, steps, busy], index) => ({
  index, pid, tid, steps, busy,
  name: !tid ? "all other threads" : pid === tid ? "main thread" : `thread ${tid}`,
  lanes: [],
  marks: [],
}));

const steps = {
  count: data.steps.begin.length,
  begin: rising(data.steps.begin),
  id: rising(data.steps.id),
  length: Float64Array.from(data.steps.length),
  self: Float64Array.from(data.steps.self),
  function: Int32Array.from(data.steps.function),
  chain: Int32Array.from(data.steps.chain),
  line: data.steps.line,
  via: data.steps.via,
  lane: new Int32Array(data.steps.begin.length),
};
const bands = { ...data.bands, begin: rising(data.bands.begin) };
const marks = { ...data.marks, begin: rising(data.marks.begin) };
const flame = data.flame;

// Columns hold absolute times; the page's begin with the first event.
for (const column of [steps.begin, bands.begin, marks.begin])
  for (let i = 0; i < column.length; i++) column[i] -= data.origin_ns;

/** Rows of the timeline: which steps and bands are theirs. */
const lanes = [];
for (const [track, depth, stepCount, bandCount] of data.lanes) {
  const before = lanes[lanes.length - 1] || { stepsTo: 0, bandsTo: 0 };
  const lane = {
    track: tracks[track], depth, index: lanes.length,
    steps: before.stepsTo, stepsTo: before.stepsTo + stepCount,
    bands: before.bandsTo, bandsTo: before.bandsTo + bandCount,
  };
  steps.lane.fill(lane.index, lane.steps, lane.stepsTo);
  tracks[track].lanes.push(lane);
  lanes.push(lane);
}
for (let i = 0; i < marks.begin.length; i++) tracks[marks.track[i]].marks.push(i);

/** The functions of a chain, outermost first. */
function chainOf(node) {
  const out = [];
  for (; node > 0; node = flame.parent[node]) out.unshift(flame.function[node]);
  return out;
}

const functionName = (index) => (index < 0 ? "several functions" : functions[index].name);
