// SPDX-License-Identifier: MIT
// What was recorded, how much of it, and what is missing.

function processTitle() {
  const names = data.about.processes.map(([, name]) => text(name)).filter(Boolean);
  if (!names.length) return data.about.file || "A recording";
  const first = shortCommand(names[0]);
  return names.length === 1 ? first : `${first} and ${plural(names.length - 1, "other process", "other processes")}`;
}

function banner(kind, ...words) {
  byId("banners").append(el("p", { class: `banner ${kind}`, role: kind === "bad" ? "alert" : null }, ...words));
}

function drawBanners() {
  const { lost, coverage, anomalies, duty_ratio: duty } = data.summary;
  const total = lost.ring + lost.map_full + lost.fault;
  if (total)
    banner("bad", `${plural(total, "event was", "events were")} lost (ring full ${count(lost.ring)}, map full ` +
      `${count(lost.map_full)}, fault ${count(lost.fault)}): counts and sums are too low, and some chains have gaps.`);
  if (anomalies)
    banner("bad", `${plural(anomalies, "transition")} cannot have come after the one before it: some was missed.`);
  if (coverage && coverage !== "full") banner("warn", `Coverage: ${coverage}`);
  if (duty < 1)
    banner("warn", `Probes were on for ${percent(duty, 1)} of the time, to keep the overhead low: counts are of that part only.`);
  if (data.about.filters) banner("info", `Not everything is shown: ${data.about.filters}`);
}

function card(name, value, note, bad) {
  const body = el("dd", {}, value);
  if (note) body.append(el("small", {}, note));
  byId("cards").append(el("div", { class: bad ? "bad" : null }, el("dt", {}, name), body));
}

function drawCards() {
  const { events, objects, duration_ns: ran, lost } = data.summary;
  const stepCount = tracks.reduce((sum, track) => sum + track.steps, 0);
  const busy = tracks.reduce((sum, track) => sum + track.busy, 0);
  const longest = steps.length.reduce((most, length) => Math.max(most, length), 0);
  const total = lost.ring + lost.map_full + lost.fault;
  const span = data.about.span_ns;
  card("Duration", duration(ran), `events span ${duration(span)}`);
  card("Events", count(events), span ? `${count(Math.round(events / (span / 1e9)))} a second` : "");
  card("Objects", count(objects), `of ${plural(rows.length + data.table_rest, "function")}`);
  card("Steps", count(stepCount), `on ${plural(tracks.filter((track) => track.lanes.length).length, "thread")}`);
  card("Running", duration(busy), span ? `${percent(busy, span)} of one thread` : "");
  card("Longest step", stepCount ? duration(longest) : "none");
  card("Lost", count(total), total ? "see above" : "nothing is missing", total > 0);
  for (const [id, value] of Object.entries({ events, objects, "duration-ns": ran, lost: total }))
    byId("cards").setAttribute(`data-${id}`, value);
}

function fact(name, ...value) {
  byId("facts").append(el("dt", {}, name), el("dd", {}, ...value));
}

function drawFacts() {
  const about = data.about, start = new Date(about.start_ms), shown = about.processes.slice(0, 12);
  for (const [pid, name, python] of shown)
    fact(`Process ${pid}`, text(name) || "name unknown", python < 0 ? "" : `, Python ${text(python)}`);
  if (about.processes.length > shown.length)
    fact("Processes", `and ${count(about.processes.length - shown.length)} more`);
  fact("Began", `${start.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" })} (${start.toISOString()})`);
  fact("Machine", `Linux ${about.kernel}, ${about.machine}, ${plural(about.processors, "processor")}`);
  if (about.file) fact("Recording", `${about.file}, by genscope ${about.genscope}`);
  const { gc, imports, audits } = data.summary;
  fact("Also seen", gc + imports + audits
    ? `${plural(gc, "garbage collection")}, ${plural(imports, "import")}, ${plural(audits, "audit event")}`
    : "no garbage collections, imports or audit events (record --context=gc,import,audit has them)");
}

function drawOverview() {
  byId("title").textContent = processTitle();
  document.title = `${processTitle()} – genscope report`;
  const pids = data.about.processes.map(([pid]) => pid);
  byId("subtitle").textContent = [
    pids.length ? `pid ${pids.slice(0, 6).join(", ")}${pids.length > 6 ? " …" : ""}` : "",
    new Date(data.about.start_ms).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }),
    duration(data.summary.duration_ns),
  ].filter(Boolean).join(" · ");
  byId("footer").textContent = `genscope ${data.about.genscope}. This page is complete in itself: it loads nothing, and sends nothing.`;
  drawBanners();
  drawCards();
  drawFacts();
}
