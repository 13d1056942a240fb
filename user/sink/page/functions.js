// SPDX-License-Identifier: MIT
// The table of functions: sorted, searched; and the distributions of one.

const METRICS = [
  { name: "Run", words: "RUNNING until it leaves it, with what it awaits" },
  { name: "Self", words: "of that, without what ran inside" },
  { name: "Suspended", words: "from one step to the next" },
  { name: "Start", words: "from creation to the first step" },
  { name: "Lifetime", words: "from creation to the end" },
];
const ROWS_AT_FIRST = 100;

function readHistogram(packed) {
  if (!packed) return null;
  const [number, sum, p50, p90, p99, p999, most, ...pairs] = packed, buckets = [];
  for (let i = 0, at = 0; i < pairs.length; i += 2) buckets.push([(at += pairs[i]), pairs[i + 1]]);
  return { count: number, sum, p50, p90, p99, p999, max: most, buckets };
}

const rows = data.table.map(([index, ...metrics]) => ({ of: functions[index], metrics: metrics.map(readHistogram) }));
const valueOf = (metric, key) => (row) => (row.metrics[metric] ? row.metrics[metric][key] : -1);
const cell = (shown) => (value) => (value < 0 ? "–" : shown(value));

const COLUMNS = [
  { title: "Function", value: (row) => row.of.name.toLowerCase(), text: true },
  { title: "Kind", value: (row) => row.of.kind, text: true },
  { title: "Steps", value: valueOf(0, "count"), shown: cell(count) },
  { title: "Run, total", value: valueOf(0, "sum"), shown: cell(duration) },
  { title: "Self, total", value: valueOf(1, "sum"), shown: cell(duration) },
  { title: "Run, median", value: valueOf(0, "p50"), shown: cell(duration) },
  { title: "Run, p99", value: valueOf(0, "p99"), shown: cell(duration) },
  { title: "Run, longest", value: valueOf(0, "max"), shown: cell(duration) },
  { title: "Suspended, total", value: valueOf(2, "sum"), shown: cell(duration) },
  { title: "Suspended, median", value: valueOf(2, "p50"), shown: cell(duration) },
  { title: "Suspended, p99", value: valueOf(2, "p99"), shown: cell(duration) },
];

const table = { column: COLUMNS[3], down: true, wanted: "", all: false, picked: null };

function sortedRows() {
  const { value, text: isText } = table.column, sign = table.down ? -1 : 1;
  const wanted = table.wanted;
  return rows
    .filter((row) => !wanted || `${row.of.name}\n${row.of.file}`.toLowerCase().includes(wanted))
    .sort((a, b) => {
      const x = value(a), y = value(b);
      return (isText ? (x < y ? -1 : x > y ? 1 : 0) : x - y) * sign || a.of.index - b.of.index;
    });
}

function drawRow(row) {
  const name = el("button", { type: "button", class: "plain mono", click: () => pickFunction(row.of.index, true) }, row.of.name);
  return el("tr", { class: row === table.picked ? "chosen" : null },
    el("td", { class: "name" }, name, el("span", { class: "place mono", title: placeOf(row.of) }, shortPlace(row.of))),
    el("td", { class: "kind" }, row.of.kind.replace("_", " ")),
    ...COLUMNS.slice(2).map((column) => el("td", { class: "number" }, column.shown(column.value(row)))));
}

function drawTable() {
  const found = sortedRows(), shown = table.all ? found : found.slice(0, ROWS_AT_FIRST);
  const body = byId("function-table").tBodies[0], more = byId("function-more");
  body.replaceChildren(...shown.map(drawRow));
  if (!found.length)
    body.append(el("tr", {}, el("td", { colspan: COLUMNS.length },
      rows.length ? `No function has “${table.wanted}” in its name or file.` : "No function ran while this was recorded.")));
  more.hidden = shown.length === found.length;
  more.textContent = `Show all ${count(found.length)}`;
  byId("function-found").textContent = (table.wanted ? `${count(found.length)} of ` : "") + plural(rows.length, "function") +
    (data.table_rest ? `, those that ran longest; ${count(data.table_rest)} more are not on this page` : "");
  byId("function-found").dataset.found = found.length;
}

function drawHeadings() {
  byId("function-table").tHead.rows[0].replaceChildren(...COLUMNS.map((column) => el("th", {
    scope: "col", class: column.text ? null : "number",
    "aria-sort": column !== table.column ? "none" : table.down ? "descending" : "ascending",
  }, el("button", { type: "button", click: () => sortBy(column) }, column.title))));
}

function sortBy(column) {
  table.down = table.column === column ? !table.down : !column.text;
  table.column = column;
  drawHeadings();
  byId("function-table").tHead.rows[0].cells[COLUMNS.indexOf(column)].firstChild.focus();
  drawTable();
}

// --- distributions ---

/** Buckets side by side taken together, until a chart's width is enough for them. */
function barsOf(histogram, most) {
  const LEAST = 12; // one value alone is no wall
  let first = histogram.buckets[0][0], last = histogram.buckets[histogram.buckets.length - 1][0], size = 1;
  if (last - first < LEAST - 1) {
    first = Math.max(0, first - Math.floor((LEAST - (last - first)) / 2));
    last = Math.min(data.bounds.length - 1, first + LEAST - 1);
  }
  while (Math.floor(last / size) - Math.floor(first / size) + 1 > most) size *= 2;
  const start = Math.floor(first / size), out = Array.from({ length: Math.floor(last / size) - start + 1 }, () => 0);
  for (const [at, number] of histogram.buckets) out[Math.floor(at / size) - start] += number;
  return out.map((number, i) => ({
    number, from: data.bounds[Math.max(0, (start + i) * size)] || 0, to: data.bounds[Math.min((start + i + 1) * size, data.bounds.length - 1)],
  }));
}

function drawBars(bars, histogram) {
  const WIDTH = 360, HEIGHT = 120, TOP = 28, most = Math.max(...bars.map((bar) => bar.number)), each = WIDTH / bars.length;
  const chart = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT + 18}`, "aria-hidden": "true" });
  bars.forEach((bar, i) => {
    const tall = bar.number ? Math.max(1.5, (bar.number / most) * (HEIGHT - TOP)) : 0;
    chart.append(svg("rect", { class: "bar", x: i * each + 0.5, y: HEIGHT - tall, width: Math.max(0.5, each - 1), height: tall },
      svg("title", {}, `${duration(bar.from)} to ${duration(bar.to)}: ${count(bar.number)}`)));
  });
  chart.append(svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT + 0.5, y2: HEIGHT + 0.5 }));
  const label = (x, anchor, words, y) => chart.append(svg("text", { x, y: y || HEIGHT + 13, "text-anchor": anchor }, words));
  label(0, "start", duration(bars[0].from));
  if (bars.length > 4) label(WIDTH / 2, "middle", duration(bars[Math.floor(bars.length / 2)].from));
  label(WIDTH, "end", duration(bars[bars.length - 1].to));
  label(0, "start", `most in a bar: ${count(most)}`, 9);
  let taken = -100; // where the label before ends
  for (const [key, words] of [["p50", "median"], ["p99", "p99"]]) {
    const at = bars.findIndex((bar) => histogram[key] < bar.to), x = ((at < 0 ? bars.length - 1 : at) + 0.5) * each;
    chart.append(svg("line", { class: "quantile", x1: x, x2: x, y1: TOP - 4, y2: HEIGHT }));
    if (x < taken) continue;
    label(Math.max(18, Math.min(x, WIDTH - 12)), "middle", words, TOP - 7);
    taken = x + 40;
  }
  return chart;
}

function drawHistogram(metric, histogram) {
  const box = el("div", { class: "histogram" }, el("h3", {}, metric.name), el("p", { class: "muted" }, metric.words));
  if (!histogram || !histogram.buckets.length) {
    box.append(el("p", {}, "No value was measured."));
    return box;
  }
  box.append(drawBars(barsOf(histogram, 48), histogram),
    el("p", {}, `${plural(histogram.count, "value")}, together ${duration(histogram.sum)}: median ${duration(histogram.p50)}, ` +
      `p90 ${duration(histogram.p90)}, p99 ${duration(histogram.p99)}, p99.9 ${duration(histogram.p999)}, longest ${duration(histogram.max)}`));
  return box;
}

function pickFunction(index, go) {
  table.picked = rows.find((row) => row.of.index === index) || null;
  byId("function-pick").value = String(index);
  byId("histograms").replaceChildren(...(table.picked
    ? METRICS.map((metric, i) => drawHistogram(metric, table.picked.metrics[i]))
    : [el("p", { class: "muted" }, rows.length ? "This function's times are not on this page." : "There is no function to show.")]));
  drawTable();
  if (go) {
    byId("distributions").scrollIntoView({ block: "start" });
    byId("function-pick").focus({ preventScroll: true });
  }
}

function startFunctions() {
  byId("function-pick").append(...rows.map((row) =>
    el("option", { value: row.of.index }, `${row.of.name} – ${shortFile(row.of.file)}:${row.of.line}`)));
  byId("function-pick").addEventListener("change", (event) => pickFunction(Number(event.target.value), false));
  byId("function-search").addEventListener("input", () => {
    table.wanted = byId("function-search").value.trim().toLowerCase();
    drawTable();
  });
  byId("function-more").addEventListener("click", () => {
    table.all = true;
    drawTable();
  });
  drawHeadings();
  pickFunction(rows.length ? rows[0].of.index : -1, false);
}
