// SPDX-License-Identifier: MIT
// Questions to Prometheus, and its answers as the data frames that Grafana's data source makes of them.
import { createDataFrame, FieldType, rangeUtil } from "@grafana/data";

const number = (text) => (text.endsWith("Inf") ? Number(text.replace("Inf", "Infinity")) : Number(text));
const metricName = ({ __name__: name = "", ...labels }) =>
  `${name}{${Object.entries(labels).map(([label, value]) => `${label}="${value}"`).join(", ")}}`;

/** What a series is called: its target's legend, or its labels, or else the expression. */
function seriesName(target, expr, labels) {
  if (target.legendFormat) {
    return target.legendFormat.replace(/{{\s*(\w+)\s*}}/g, (_, label) => labels[label] ?? "");
  }
  const name = metricName(labels);
  return name === "{}" ? expr : name;
}

/** A frame a series, with a null wherever it has no sample: there its line has a gap. */
function seriesFrames(target, expr, rows, times) {
  return rows.map(({ metric, values }) => {
    const samples = new Map(values.map(([at, value]) => [at, number(value)]));
    return createDataFrame({
      refId: target.refId,
      fields: [
        { name: "Time", type: FieldType.time, values: times.map((at) => at * 1000) },
        { name: "Value", type: FieldType.number, labels: metric, values: times.map((at) => samples.get(at) ?? null),
          config: { displayNameFromDS: seriesName(target, expr, metric) } },
      ],
    });
  });
}

/** A frame with a column a bucket: what lies in it, not below its bound as Prometheus counts. */
function bucketFrames(target, rows) {
  const columns = rows.map(({ metric, values }) => ({ le: metric.le, values: values.map(([, value]) => number(value)) }))
    .sort((a, b) => number(a.le) - number(b.le));
  if (!columns.length) {
    return [];
  }
  return [createDataFrame({
    refId: target.refId,
    fields: [
      { name: "Time", type: FieldType.time, values: rows[0].values.map(([at]) => at * 1000) },
      ...columns.map(({ le, values }, index) => ({ name: le, type: FieldType.number, config: {},
        values: values.map((value, row) => Math.max(0, value - (index ? columns[index - 1].values[row] : 0))) })),
    ],
  })];
}

function tableFrames(target, rows) {
  const labels = [...new Set(rows.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return [createDataFrame({
    refId: target.refId,
    fields: [
      { name: "Time", type: FieldType.time, values: rows.map(({ value }) => value[0] * 1000) },
      ...labels.map((label) => ({ name: label, type: FieldType.string, values: rows.map(({ metric }) => metric[label] ?? "") })),
      { name: "Value", type: FieldType.number, values: rows.map(({ value }) => number(value[1])) },
    ],
  })];
}

export class Prometheus {
  /** scrapeSeconds: what a data source in Grafana is told as its scrape interval. */
  constructor(url, scrapeSeconds) {
    Object.assign(this, { url, scrapeSeconds });
  }

  async get(path, parameters) {
    const answer = await (await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`)).json();
    if (answer.status !== "success") {
      throw new Error(answer.error);
    }
    return answer.data;
  }

  labelValues(selector, label, range) {
    return this.get(`label/${label}/values`, { "match[]": selector, start: range.from.unix(), end: range.to.unix() });
  }

  /** The frames of one target of a panel that is `points` wide. `replace` fills the variables in. */
  async frames(target, range, points, replace) {
    const limit = `${this.scrapeSeconds}s`;
    const step = Math.max(this.scrapeSeconds, rangeUtil.calculateInterval(range, points, limit).intervalMs / 1000);
    const seconds = range.to.unix() - range.from.unix();
    const expr = replace(target.expr, {
      __range: `${seconds}s`,
      __interval: `${step}s`,
      __rate_interval: `${Math.max(step + this.scrapeSeconds, 4 * this.scrapeSeconds)}s`,
    });
    if (target.instant) {
      const time = range.to.unix(), { result } = await this.get("query", { query: expr, time });
      return target.format === "table" ? tableFrames(target, result)
        : seriesFrames(target, expr, result.map(({ metric, value }) => ({ metric, values: [value] })), [time]);
    }
    const [start, end] = [range.from, range.to].map((at) => Math.floor(at.unix() / step) * step);
    const { result } = await this.get("query_range", { query: expr, start, end, step });
    const times = Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
    return target.format === "heatmap" ? bucketFrames(target, result) : seriesFrames(target, expr, result, times);
  }
}
