// SPDX-License-Identifier: MIT
// The page: a dashboard's JSON, laid out as Grafana lays it out. What is asked of it stands in the address; what it found stands
// in window.drawn when it is done, or in window.failed.
import { createTheme, dateTime, getFieldDisplayName, ThemeContext } from "@grafana/data";
import { GlobalStyles, Icon, PanelChrome } from "@grafana/ui";
import { createRoot } from "react-dom/client";

import { annotationsOf, panelFrames, restoreInfinities, variablesOf } from "./dashboard";
import { Heatmap } from "./heatmap";
import { Graph, Stat, Table } from "./panels";
import { Prometheus } from "./prometheus";
import "./page.css";

const COLUMNS = 24, CELL_HEIGHT = 30, GAP = 8; // Grafana's grid
const KINDS = { stat: Stat, timeseries: Graph, heatmap: Heatmap, table: Table };

const place = ({ x, y, w, h }, width) => {
  const column = (width - GAP * (COLUMNS - 1)) / COLUMNS;
  const span = (cells, size) => cells * size + (cells - 1) * GAP;
  return { left: x * (column + GAP), top: y * (CELL_HEIGHT + GAP), width: span(w, column), height: span(h, CELL_HEIGHT) };
};

function Panel({ panel, frames, error, context, box }) {
  const Kind = KINDS[panel.type];
  const empty = panel.type !== "stat" && !frames?.some(({ length }) => length);
  return (
    <PanelChrome title={panel.title} description={panel.description} width={box.width} height={box.height}>
      {(width, height) => error || empty
        ? <div className="nothing">{error ?? panel.fieldConfig.defaults.noValue ?? "No data"}</div>
        : <Kind panel={panel} frames={frames} context={context} width={width} height={height} />}
    </PanelChrome>
  );
}

function Page({ dashboard, variables, panels, context, width }) {
  const { colors, typography } = context.theme;
  const bottom = Math.max(...panels.map(({ box }) => box.top + box.height));
  return (
    <ThemeContext.Provider value={context.theme}>
      <GlobalStyles />
      <style>{`body { --canvas: ${colors.background.canvas}; --box: ${colors.background.primary}; --line: ${colors.border.weak};
        --text: ${colors.text.primary}; --dim: ${colors.text.secondary}; font-family: ${typography.fontFamily} }`}</style>
      <header>
        <h1>{dashboard.title}</h1>
        <span><Icon name="clock-nine" /> {context.range.from.format("HH:mm:ss")} to {context.range.to.format("HH:mm:ss")}</span>
      </header>
      <nav>
        {variables.map(({ name, label, text }) => (
          <span key={name}><b>{label}</b><em>{text}<Icon name="angle-down" /></em></span>
        ))}
      </nav>
      <main style={{ height: bottom, width }}>
        {panels.map(({ panel, box, ...found }) => (
          <div key={panel.id} className="cell" style={box}>
            {panel.type === "row" ? <h2><Icon name="angle-down" /> {panel.title}</h2>
              : <Panel panel={panel} box={box} context={context} {...found} />}
          </div>
        ))}
      </main>
    </ThemeContext.Provider>
  );
}

/** What one would like to know of a panel without looking at it. */
const summary = ({ panel, frames = [], error }) => ({
  title: panel.title, type: panel.type, error,
  series: frames.flatMap((frame) => frame.fields.filter(({ name }) => name !== "Time").map((field) => ({
    name: getFieldDisplayName(field, frame, frames), numbers: field.values.filter(Number.isFinite).length }))),
});

async function main() {
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  const dashboard = await (await fetch("/dashboard.json")).json();
  restoreInfinities(dashboard);
  const [from, to] = [asked.from, asked.to].map((seconds) => dateTime(Number(seconds) * 1000));
  const range = { from, to, raw: { from, to } };
  const prometheus = new Prometheus(`http://127.0.0.1:${asked.prometheus}`, Number(asked.scrape));
  const { shown, replace } = await variablesOf(dashboard, prometheus, range);
  const context = { prometheus, range, replace, theme: createTheme({ colors: { mode: asked.theme } }), timeZone: "browser" };
  context.annotations = await annotationsOf(dashboard, context);
  const width = document.documentElement.clientWidth - 4 * GAP;
  const panels = await Promise.all(dashboard.panels.map(async (panel) => {
    const box = place(panel.gridPos, width);
    try {
      return { panel, box, frames: panel.type === "row" ? [] : await panelFrames(panel, context, Math.floor(box.width)) };
    } catch (error) {
      return { panel, box, error: String(error) };
    }
  }));
  createRoot(document.getElementById("page")).render(
    <Page dashboard={dashboard} variables={shown} panels={panels} context={context} width={width} />);
  window.drawn = { variables: shown, annotations: context.annotations,
    panels: panels.filter(({ panel }) => panel.type !== "row").map(summary) };
}

main().catch((error) => { window.failed = String(error.stack); });
