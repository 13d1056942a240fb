// SPDX-License-Identifier: MIT
// Flame graphs: a tree of functions along await chains, as wide as what is in it took.

const FLAME_ROW = 19, FLAME_NODES_SHOWN = 1500;
const flameChildren = Array.from({ length: flame.parent.length }, () => []);
for (let i = 1; i < flame.parent.length; i++) flameChildren[flame.parent[i]].push(i);

function flameName(node) {
  if (node === 0) return "everything";
  return flame.function[node] < 0 ? "others, not told apart" : functions[flame.function[node]].name;
}

class FlameGraph {
  /** `own`: nanoseconds of each node by itself; `counts`: of what. `words`: how both are told. */
  constructor(box, status, own, counts, words) {
    Object.assign(this, { box, status, counts, words, root: 0, focused: 0, hits: null });
    this.total = Float64Array.from(own);
    this.all = Float64Array.from(counts);
    this.own = own;
    for (let i = own.length - 1; i > 0; i--) {
      this.total[flame.parent[i]] += this.total[i];
      this.all[flame.parent[i]] += this.all[i];
    }
    for (const name of ["click", "keydown"]) box.addEventListener(name, this);
    this.draw();
  }

  children(node) {
    return flameChildren[node].filter((each) => this.total[each] > 0).sort((a, b) => this.total[b] - this.total[a]);
  }

  label(node) {
    const parts = node ? `, ${percent(this.total[node], this.total[0])} of all, ${duration(this.own[node])} by itself` : "";
    return `${flameName(node)}: ${duration(this.total[node])}${parts}; ${plural(this.all[node], this.words.one, this.words.many)}`;
  }

  /** Of a name that does not fit, its last part: "Service.handler" is "handler". */
  shortLabel(node, pixels) {
    const name = flameName(node);
    if (pixels < 14) return "";
    return name.length * 7 > pixels ? name.slice(name.lastIndexOf(".") + 1) : name;
  }

  /** What is wide enough to be seen, as [node, depth, left, width] of 1. */
  place() {
    const above = [], out = [];
    for (let node = this.root; ; node = flame.parent[node]) {
      above.unshift(node);
      if (!node) break;
    }
    above.forEach((node, depth) => out.push([node, depth, 0, 1]));
    const queue = [[this.root, above.length, 0]], whole = this.total[this.root], least = 1 / Math.max(400, this.box.clientWidth);
    for (let at = 0; at < queue.length && out.length < FLAME_NODES_SHOWN; at++) {
      const [parent, depth, start] = queue[at];
      let left = start;
      for (const node of this.children(parent)) {
        const width = this.total[node] / whole;
        if (width < least || out.length >= FLAME_NODES_SHOWN) break;
        out.push([node, depth, left, width]);
        queue.push([node, depth + 1, left]);
        left += width;
      }
    }
    return out;
  }

  element([node, depth, left, width]) {
    const of = flame.function[node] < 0 ? null : functions[flame.function[node]];
    const above = depth && this.root && this.isAbove(node);
    const out = el("div", {
      class: `flame-node${of ? "" : " unnamed"}${above ? " above" : ""}${width * this.box.clientWidth < 14 ? " narrow" : ""}`,
      role: "treeitem", tabindex: node === this.focused ? 0 : -1, title: this.label(node), "aria-label": this.label(node),
      "aria-level": depth + 1, "data-node": node,
    }, this.shortLabel(node, width * this.box.clientWidth));
    out.style.left = `${100 * left}%`;
    out.style.width = `${100 * width}%`;
    out.style.top = `${depth * FLAME_ROW}px`;
    if (of) out.style.setProperty("--hue", of.hue);
    if (this.hits && this.hits.has(node)) out.classList.add("hit");
    return out;
  }

  isAbove(node) {
    for (let at = this.root; at; at = flame.parent[at]) if (at === node) return at !== this.root;
    return node === 0;
  }

  draw() {
    if (!this.total[0]) {
      this.box.replaceChildren(el("p", { class: "muted" }, this.words.none));
      this.box.removeAttribute("role");
      this.status.textContent = "";
      return;
    }
    const placed = this.place(), depth = placed.reduce((most, [, each]) => Math.max(most, each + 1), 0);
    const floor = el("div", { role: "none" });
    if (!placed.some(([node]) => node === this.focused)) this.focused = this.root;
    floor.style.height = `${depth * FLAME_ROW}px`;
    this.box.replaceChildren(floor, ...placed.map((each) => this.element(each)));
    this.box.classList.toggle("seeking", this.hits !== null);
    this.box.dataset.root = this.root;
    this.status.textContent = `${this.root ? "Zoomed to " : ""}${this.label(this.root)}.`;
  }

  zoom(node) {
    this.root = this.focused = node;
    this.draw();
    this.focus(node);
  }

  focus(node) {
    const next = this.box.querySelector(`[data-node="${node}"]`), now = this.box.querySelector('[tabindex="0"]');
    if (!next) return;
    if (now) now.tabIndex = -1;
    next.tabIndex = 0;
    this.focused = node;
    next.focus();
  }

  sibling(node, by) {
    const all = node ? this.children(flame.parent[node]) : [];
    return all[all.indexOf(node) + by];
  }

  handleEvent(event) {
    const target = event.target.closest("[data-node]");
    if (!target) return;
    const node = Number(target.dataset.node);
    if (event.type === "click") {
      this.zoom(node);
      return;
    }
    const to = { ArrowUp: node ? flame.parent[node] : undefined, ArrowDown: this.children(node)[0],
      ArrowLeft: this.sibling(node, -1), ArrowRight: this.sibling(node, 1) };
    if (event.key in to) {
      if (to[event.key] !== undefined) this.focus(to[event.key]);
    } else if (event.key === "Enter" || event.key === " ") this.zoom(node);
    else if (event.key === "Escape") this.zoom(flame.parent[this.root]);
    else if (event.key === "Home") this.zoom(0);
    else return;
    event.preventDefault();
  }

  /** Nanoseconds in chains that have a hit. */
  highlight(hits) {
    this.hits = hits;
    this.draw();
    let sum = 0;
    for (let i = 1; hits && i < flame.parent.length; i++) {
      let inside = false;
      for (let at = flame.parent[i]; at && !inside; at = flame.parent[at]) inside = hits.has(at);
      if (hits.has(i) && !inside) sum += this.total[i];
    }
    return sum;
  }
}

function startFlames() {
  const run = new FlameGraph(byId("flame-run"), byId("flame-run-now"), flame.run, flame.steps,
    { one: "step", many: "steps", none: "No step was seen from its beginning." });
  const wait = new FlameGraph(byId("flame-wait"), byId("flame-wait-now"), flame.wait, flame.waits,
    { one: "wait", many: "waits", none: "No coroutine waited and went on while this was recorded." });
  const seek = () => {
    const wanted = byId("flame-search").value.trim().toLowerCase();
    const hits = wanted ? new Set() : null;
    for (let i = 1; wanted && i < flame.function.length; i++) {
      const of = flame.function[i] < 0 ? null : functions[flame.function[i]];
      if (of && `${of.name}\n${of.file}`.toLowerCase().includes(wanted)) hits.add(i);
    }
    const ran = run.highlight(hits), waited = wait.highlight(hits);
    byId("flame-found").textContent = hits ? `${duration(ran)} running (${percent(ran, run.total[0])}), ` +
      `${duration(waited)} waiting (${percent(waited, wait.total[0])})` : "";
  };
  byId("flame-search").addEventListener("input", later(120, seek));
  new ResizeObserver(later(150, () => { run.draw(); wait.draw(); })).observe(byId("flames"));
  const notes = ["A wait is counted once, with the innermost object that awaited, and only if it ended while this was recorded."];
  if (flame.others) notes.push(`There were more chains than are kept: ${plural(flame.others, "step is", "steps are")} counted as “others”.`);
  if (flame.too_deep) notes.push(`${plural(flame.too_deep, "step is", "steps are")} nested too deep, and counted with the innermost that is shown.`);
  byId("flame-notes").textContent = notes.join(" ");
}
