// SPDX-License-Identifier: MIT
// Panels as Grafana's plugins put them together from the components of @grafana/ui.
import { FieldType, getDisplayValueAlignmentFactors, getFieldDisplayValues } from "@grafana/data";
import { BigValue, TimeSeries, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";
import { useLayoutEffect } from "react";

export function Stat({ panel, frames, context, width, height }) {
  const { reduceOptions, graphMode, ...options } = panel.options;
  const values = () => getFieldDisplayValues({
    fieldConfig: panel.fieldConfig, reduceOptions, data: frames, sparkline: graphMode !== "none", theme: context.theme,
    timeZone: context.timeZone, replaceVariables: (text) => text,
  });
  const one = ({ value, ...size }) => (
    <BigValue {...size} {...options} graphMode={graphMode} value={value.display} sparkline={value.sparkline}
      theme={context.theme} />
  );
  return (
    <VizRepeater getValues={values} getAlignmentFactors={getDisplayValueAlignmentFactors} renderValue={one} source={frames}
      renderCounter={0} width={width} height={height} orientation={options.orientation} itemSpacing={3} autoGrid />
  );
}

/** Annotations: a line through the plot where one begins, and a bar below it for as long as it lasts. */
function Annotations({ config, list, theme }) {
  useLayoutEffect(() => config.addHook("draw", ({ ctx, bbox, valToPos }) => {
    const foot = bbox.top + bbox.height, tall = 3 * devicePixelRatio;
    ctx.save();
    ctx.setLineDash([3, 3]);
    for (const { from, to, color } of list) {
      const [left, right] = [from, to].map((at) => Math.max(bbox.left, Math.round(valToPos(at, "x", true))));
      ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(color);
      ctx.fillRect(left, foot, right - left, tall);
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, foot);
      ctx.stroke();
    }
    ctx.restore();
  }), [config, list, theme]);
  return null;
}

/** What is no number breaks a line. */
const drawable = (field) => (field.type === FieldType.number
  ? { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) } : field);

export function Graph({ panel, frames, context, width, height }) {
  return (
    <TimeSeries frames={frames.map((frame) => ({ ...frame, fields: frame.fields.map(drawable) }))} options={panel.options}
      legend={panel.options.legend} timeRange={context.range} timeZone={context.timeZone} width={width} height={height}>
      {(config) => <Annotations config={config} list={context.annotations} theme={context.theme} />}
    </TimeSeries>
  );
}

export function Table({ panel, frames, context, width, height }) {
  return (
    <TableNG data={frames[0]} width={width} height={height} noHeader={!panel.options.showHeader}
      cellHeight={panel.options.cellHeight} fieldConfig={panel.fieldConfig} timeRange={context.range} structureRev={1} />
  );
}
