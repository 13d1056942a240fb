// SPDX-License-Identifier: MIT
// viewer.js FOLDER TRACE: what chrome://tracing makes of a trace, as one JSON object. FOLDER has its own importer and model,
// without the pictures, as the npm package traceviewer.
"use strict";

const fs = require("fs");
const path = require("path");

const root = path.join(process.argv[2], "node_modules/traceviewer");
require(path.join(root, "catapult_build/node_bootstrap.js")); // HTMLImportsLoader
const libraries = ["", "third_party/gl-matrix/dist", "third_party/jszip", "third_party/d3", "third_party/components"];
HTMLImportsLoader.addArrayToSourcePath(libraries.map((folder) => path.join(root, "tracing", folder)));
for (const part of ["importer/import.html", "model/model.html", "extras/full_config.html"])
  HTMLImportsLoader.loadHTML("/tracing/" + part);

const model = new tr.Model();
new tr.importer.Import(model, new tr.importer.ImportOptions()).importTraces([fs.readFileSync(process.argv[3], "utf8")]);

function slice(of) {
  return { title: of.title, ms: of.duration, finished: !of.didNotFinish, depth: ancestors(of) };
}

function ancestors(of) {
  let depth = 0;
  for (let at = of.parentSlice; at; at = at.parentSlice) depth++;
  return depth;
}

function threadsOf(owner) {
  return Object.values(owner.threads).map(({ tid, name, sliceGroup, asyncSliceGroup }) => ({
    pid: owner.pid, tid, name, slices: sliceGroup.slices.map(slice), objects: asyncSliceGroup.slices.map(slice),
  }));
}

const end = (at) => (at ? at.title : null);
console.log(JSON.stringify({
  warnings: model.importWarnings,
  threads: [].concat(...model.getAllProcesses().map(threadsOf)),
  arrows: model.flowEvents.map((flow) => ({ title: flow.title, from: end(flow.startSlice), to: end(flow.endSlice) })),
}));
