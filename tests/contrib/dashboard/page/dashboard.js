// SPDX-License-Identifier: MIT
// What Grafana does with a dashboard's JSON before a panel sees it: variables, transformations, field configuration.
import {
  applyFieldOverrides, FieldConfigOptionsRegistry, standardTransformers, standardTransformersRegistry, transformDataFrame,
} from "@grafana/data";
import { lastValueFrom } from "rxjs";

// Some stand there twice, by an older name.
standardTransformersRegistry.setInit(() => [...new Map(Object.values(standardTransformers).map(
  (transformer) => [transformer.id, { id: transformer.id, name: transformer.name, transformation: () => transformer }])).values()]);

/** Text with $name and ${name} filled in; one that is not known is a mistake of the dashboard. */
function replacer(known) {
  return (text, scoped = {}) => text.replace(/\$(?:{(\w+)}|(\w+))/g, (_, braced, bare) => {
    const value = scoped[braced ?? bare] ?? known[braced ?? bare];
    if (value === undefined) {
      throw new Error(`no such variable: ${braced ?? bare}`);
    }
    return value;
  });
}

/** What a new visitor has chosen: all, where that can be chosen, else the first. [{label, text, choices}], and a function to
 *  fill them in. */
export async function variablesOf(dashboard, prometheus, range) {
  const known = {}, shown = [], replace = replacer(known);
  for (const variable of dashboard.templating.list) {
    let choices = ["Prometheus"];
    if (variable.type === "query") {
      const [, selector, label] = variable.definition.match(/^label_values\((.*), (\w+)\)$/);
      choices = await prometheus.labelValues(replace(selector), label, range);
    }
    known[variable.name] = variable.includeAll ? variable.allValue : choices[0];
    shown.push({ name: variable.name, label: variable.label, text: variable.includeAll ? "All" : choices[0], choices });
  }
  return { shown, replace };
}

/** What JSON cannot say: the first threshold begins at -∞. */
export function restoreInfinities(dashboard) {
  for (const { fieldConfig } of dashboard.panels) {
    for (const step of fieldConfig?.defaults.thresholds?.steps ?? []) {
      step.value ??= -Infinity;
    }
  }
}

/** What a field may have is told by Grafana's plugins, which are not here: whatever the panel's JSON sets, as it stands. */
function registryFor({ defaults, overrides }) {
  const { custom = {}, ...standard } = defaults;
  const ids = new Set([...Object.keys(standard), ...Object.keys(custom).map((name) => `custom.${name}`),
    ...overrides.flatMap(({ properties }) => properties.map(({ id }) => id))]);
  return new FieldConfigOptionsRegistry(() => [...ids].map((id) => ({ id, name: id, path: id.replace(/^custom\./, ""),
    isCustom: id.startsWith("custom."), process: (value) => value, shouldApply: () => true })));
}

/** The frames of all targets of a panel, as its component gets them. */
export async function panelFrames(panel, { prometheus, range, replace, theme, timeZone }, width) {
  const answers = await Promise.all(panel.targets.map((target) => prometheus.frames(target, range, width, replace)));
  const transformed = transformDataFrame(panel.transformations ?? [], answers.flat(), { interpolate: (text) => text });
  return applyFieldOverrides({ data: await lastValueFrom(transformed), fieldConfig: panel.fieldConfig, theme, timeZone,
    replaceVariables: (text) => text, fieldConfigRegistry: registryFor(panel.fieldConfig) });
}

/** [{from, to, color, text}] of the annotations that are switched on. */
export async function annotationsOf(dashboard, { prometheus, range, replace }) {
  const wanted = dashboard.annotations.list.filter(({ enable, expr }) => enable && expr);
  const found = await Promise.all(wanted.map(async (annotation) => {
    const target = { refId: "Anno", expr: annotation.expr, legendFormat: annotation.titleFormat };
    const frames = await prometheus.frames(target, range, 1000, replace);
    return frames.map(({ fields: [time, value] }) => {
      const times = time.values.filter((_, index) => value.values[index] !== null);
      return { from: times[0], to: times.at(-1), color: annotation.iconColor, text: value.config.displayNameFromDS };
    });
  }));
  return found.flat();
}
