// SPDX-License-Identifier: MIT
// Grafana's heatmap is not among the components of @grafana/ui: this one is ours, on the same axes and in the same colours, for
// frames of buckets and for what the dashboard's JSON sets.
import { formattedValueToString, getValueFormat } from "@grafana/data";
import { UPlotChart, UPlotConfigBuilder, VizLayout } from "@grafana/ui";
import * as chromatic from "d3-scale-chromatic";
import { useMemo } from "react";

const LABEL_HEIGHT = 14, SCALE_HEIGHT = 26;

/** From what is hardly there to what is most; the single-hue schemes begin with the theme's background. */
function palette({ scheme, steps, reverse }, theme) {
  const colors = Array.from({ length: steps }, (_, step) => chromatic[`interpolate${scheme}`](step / (steps - 1)));
  return reverse !== theme.isDark ? colors.reverse() : colors;
}

/** [first, end) of the buckets that were hit, and one on either side. */
const shownBuckets = (rows, least) => {
  const used = rows.map((row, index) => (row.values.some((count) => count > least) ? index : -1)).filter((index) => index >= 0);
  return [Math.max(0, (used[0] ?? 0) - 1), (used.at(-1) ?? rows.length - 1) + 1];
};

function configOf({ rows, least, first, end, colorOf, options, context }) {
  const { theme, range, timeZone } = context, format = getValueFormat(options.yAxis.unit);
  const config = new UPlotConfigBuilder(timeZone);
  const bound = (index) => (index < 0 ? "" : Number.isFinite(Number(rows[index].name))
    ? formattedValueToString(format(Number(rows[index].name))) : "+Inf");
  const [horizontal, vertical, upwards] = [0, 1, 1]; // uPlot's
  config.addScale({ scaleKey: "x", isTime: true, orientation: horizontal, direction: upwards,
    range: () => [range.from.valueOf(), range.to.valueOf()] });
  config.addScale({ scaleKey: "y", orientation: vertical, direction: upwards, range: () => [first - 1, end - 1] });
  config.addAxis({ scaleKey: "x", placement: "bottom", isTime: true, timeZone, theme });
  config.addAxis({
    scaleKey: "y", placement: options.yAxis.axisPlacement, theme,
    splits: ({ height }) => {
      const stride = Math.ceil((end - first) * LABEL_HEIGHT / height);
      return Array.from({ length: end - first + 1 }, (_, index) => first - 1 + index).filter((_, index) => index % stride === 0);
    },
    values: (_, splits) => splits.map(bound),
  });
  config.addSeries({ scaleKey: "y", theme, pathBuilder: () => null, pointsBuilder: () => false, showPoints: "never" });
  config.addHook("draw", ({ ctx, bbox, data: [times], valToPos }) => {
    const wide = valToPos(times[1], "x", true) - valToPos(times[0], "x", true);
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (let index = first; index < end; index++) {
      const top = valToPos(index, "y", true), tall = valToPos(index - 1, "y", true) - top;
      rows[index].values.forEach((count, at) => {
        if (count > least) {
          ctx.fillStyle = colorOf(count);
          ctx.fillRect(valToPos(times[at], "x", true) - wide / 2, top, wide - options.cellGap, tall - options.cellGap);
        }
      });
    }
    ctx.restore();
  });
  config.setPrepData(([frame]) => [frame.fields[0].values, frame.fields[1].values]);
  return config;
}

function Scale({ colors, lowest, highest, unit }) {
  const format = (value) => formattedValueToString(getValueFormat(unit)(value));
  return (
    <div className="heatmap-scale" style={{ height: SCALE_HEIGHT }}>
      <span>{format(lowest)}</span>
      <i style={{ background: `linear-gradient(90deg, ${colors.join()})` }} />
      <span>{format(highest)}</span>
    </div>
  );
}

export function Heatmap({ panel: { options }, frames, context, width, height }) {
  const plan = useMemo(() => {
    const rows = frames[0].fields.slice(1), least = options.filterValues.le;
    const counts = rows.flatMap((row) => row.values.filter((count) => count > least));
    const lowest = Math.min(...counts), highest = Math.max(...counts), colors = palette(options.color, context.theme);
    const colorOf = (count) => colors[Math.round((count - lowest) / (highest - lowest || 1) * (colors.length - 1))];
    const [first, end] = shownBuckets(rows, least);
    const config = configOf({ rows, least, first, end, colorOf, options, context });
    return { config, data: config.prepData(frames), colors, lowest, highest };
  }, [frames, options, context]);
  const legend = options.legend.show
    ? <VizLayout.Legend placement="bottom"><Scale {...plan} unit={options.cellValues.unit} /></VizLayout.Legend> : null;
  return (
    <VizLayout width={width} height={height} legend={legend}>
      {(plotWidth, plotHeight) => <UPlotChart config={plan.config} data={plan.data} width={plotWidth} height={plotHeight} />}
    </VizLayout>
  );
}
