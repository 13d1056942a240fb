// SPDX-License-Identifier: MIT
// Slow steps and their reasons, and objects that may have been forgotten.

function frameWords([, name, file, line]) {
  const place = file < 0 || !text(file) ? "" : `${shortFile(text(file))}${line ? `:${line}` : ""}`;
  return [el("span", { class: "mono" }, text(name) || "?"), place ? ` ${place}` : ""];
}

const chainCell = (frames) => el("td", {}, frames.length
  ? el("ol", {}, ...frames.map((each) => el("li", {}, ...frameWords(each)))) : "not seen");

function findingsTable(caption, headings, body) {
  return el("div", { class: "scroll-x" }, el("table", {}, el("caption", { class: "hidden" }, caption),
    el("thead", {}, el("tr", {}, ...headings.map(([title, number]) =>
      el("th", { scope: "col", class: number ? "number" : null }, title)))),
    el("tbody", {}, ...body)));
}

function reasonWords([type, name, ns]) {
  const what = text(name) ? `${text(type)} ${text(name)}` : text(type);
  return el("li", {}, ns ? `${what}, ${duration(ns)}` : what);
}

function showInTimeline(begin, length) {
  zoomTo(begin, length);
  byId("timeline").scrollIntoView({ block: "start" });
  byId("timeline-canvas").focus({ preventScroll: true });
}

function slowRow(step) {
  const thread = tracks.find((track) => track.pid === step.pid && track.tid === step.tid);
  return el("tr", {},
    el("td", {}, el("button", { type: "button", class: "plain", click: () => showInTimeline(step.begin, step.run) }, moment(step.begin, 1000))),
    el("td", { class: "number" }, duration(step.run), step.running ? " and going on" : ""),
    el("td", { class: "number" }, duration(step.self)),
    el("td", {}, thread ? thread.name : `thread ${step.tid}`),
    chainCell(step.chain),
    el("td", {}, step.reasons.length ? el("ul", {}, ...step.reasons.map(reasonWords)) : "none seen: its own code, or C code that it called"));
}

function drawSlow() {
  const box = byId("slow-body"), slow = data.slow;
  if (!slow) return box.append(el("p", { class: "muted" }, "This report did not look for slow steps."));
  if (!slow.list.length) return box.append(el("p", { class: "muted" }, `None: no step ran for ${duration(slow.over)} or more.`));
  return box.append(
    el("p", { class: "muted hint" }, `Steps that held their thread for ${duration(slow.over)} or more, longest first` +
      (slow.told > slow.list.length ? `: ${count(slow.list.length)} of ${count(slow.told)}.` : ".")),
    findingsTable("Slow steps", [["Began at"], ["Ran", true], ["By itself", true], ["Thread"], ["Await chain"], ["Meanwhile"]],
      slow.list.map(slowRow)));
}

const SUSPECTS = {
  never_awaited: "never awaited",
  unclosed: "not closed",
  parked: "parked",
};

function suspectRow(suspect) {
  const what = text(suspect.what), [frame] = suspect.object;
  return el("tr", {},
    el("td", {}, el("span", { class: `tag${what === "never_awaited" ? " bad" : ""}` }, SUSPECTS[what] || what)),
    el("td", {}, el("span", { class: "mono" }, text(frame[1]) || "?"), el("span", { class: "place mono" },
      frame[2] < 0 || !text(frame[2]) ? "place unknown" : `${text(frame[2])}:${frame[3]}`)),
    el("td", { class: "kind" }, text(suspect.kind).replace("_", " ")),
    el("td", { class: "number" }, duration(suspect.age)),
    chainCell(suspect.created));
}

function drawSuspects() {
  const box = byId("suspects-body"), suspects = data.suspects;
  if (!suspects) return box.append(el("p", { class: "muted" }, "This report did not look for objects that were forgotten."));
  if (!suspects.list.length)
    return box.append(el("p", { class: "muted" }, "None: nothing was created and never awaited, left unclosed, or parked for long."));
  return box.append(
    el("p", { class: "muted hint" }, "Objects that were alive at the end, oldest first" +
      (suspects.told > suspects.list.length ? `: ${count(suspects.list.length)} of ${count(suspects.told)}.` : ".")),
    findingsTable("Leak suspects", [["Suspicion"], ["Object"], ["Kind"], ["For", true], ["Created by"]], suspects.list.map(suspectRow)));
}
