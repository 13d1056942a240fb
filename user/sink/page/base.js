// SPDX-License-Identifier: MIT
// What all parts of the page use: elements, words for numbers, and the theme's colours.

const byId = (id) => document.getElementById(id);

/** An element: attributes, then children (elements, texts, null). Text is never read as HTML. */
function el(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function svg(tag, attributes, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const counts = new Intl.NumberFormat("en");
const count = (number) => counts.format(number);
const plural = (number, one, many = one + "s") => `${count(number)} ${number === 1 ? one : many}`;

/** Three digits and a unit, which stay together: "1.23 ms". */
function duration(ns) {
  if (ns < 1000) return `${Math.round(ns)}\u00a0ns`;
  let unit = 0;
  for (; ns >= 999.5 && unit < 3; unit++) ns /= 1000;
  const digits = ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0;
  return `${ns.toFixed(digits)}\u00a0${["ns", "µs", "ms", "s"][unit]}`;
}

/** A place in time, exact enough to tell two apart that are `step_ns` from each other. */
function moment(ns, step_ns) {
  if (ns < 0.5) return "0 s";
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]];
  const [size, unit] = units.find(([each]) => ns >= each) || [1, "ns"];
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10(Math.max(step_ns, 1) / size))));
  return `${(ns / size).toFixed(digits)}\u00a0${unit}`;
}

function percent(part, whole) {
  if (!whole) return "0 %";
  const value = (100 * part) / whole;
  return `${value === 0 || value >= 10 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(1) : "< 0.1"} %`;
}

/** A function's colour, by its name: the same in every report. */
function hueOf(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return ((hash >>> 8) % 24) * 15;
}

/** The first of a sorted column, between two places, that is not below the value. */
function lowerBound(column, value, from, to) {
  while (from < to) {
    const middle = (from + to) >> 1;
    if (column[middle] < value) from = middle + 1;
    else to = middle;
  }
  return from;
}

function later(delay_ms, what) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(what, delay_ms);
  };
}

// --- theme: the system's, until one is chosen ---

const theme = {
  listeners: [],
  system: matchMedia("(prefers-color-scheme: dark)"),
  chosen() {
    try {
      return localStorage.getItem("genscope-theme");
    } catch {
      return null; // a page from a file may have no storage
    }
  },
  dark() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : this.system.matches;
  },
  color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },
  changed() {
    document.documentElement.toggleAttribute("data-dark", this.dark());
    byId("theme").textContent = this.dark() ? "Light theme" : "Dark theme";
    for (const listener of this.listeners) listener();
  },
  toggle() {
    const name = this.dark() ? "light" : "dark";
    document.documentElement.dataset.theme = name;
    try {
      localStorage.setItem("genscope-theme", name);
    } catch {
      // then it lasts as long as the page
    }
    this.changed();
  },
  start() {
    const chosen = this.chosen();
    if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
    this.system.addEventListener("change", () => this.changed());
    byId("theme").addEventListener("click", () => this.toggle());
    this.changed();
  },
};
