// Error map and curves over one time axis with one cursor; a click or drag on them seeks.
import { CIVIDIS_GRADIENT } from "./colours.js";
import { Curves } from "./curves.js";
import { Heatmap } from "./heatmap.js";

export class Timeline {
  onSeek = () => {};
  clip = null;
  measure = null;
  theme = null;
  #root;
  #plots;
  #cursor;
  #tooltip;
  #heat;
  #curves;
  #dragging = false;

  constructor(root, signal) {
    this.#root = root;
    const find = (name) => root.querySelector(name);
    this.#plots = find(".plots");
    this.#cursor = find(".cursor");
    this.#tooltip = find(".tooltip");
    this.#heat = new Heatmap(find(".heat"));
    this.#curves = new Curves(find(".curves"), find(".axis"));
    find(".ramp").style.background = CIVIDIS_GRADIENT;
    const listen = (event, handler) => this.#plots.addEventListener(event, handler, { signal });
    listen("pointerdown", (event) => this.#press(event));
    listen("pointermove", (event) => this.#move(event));
    listen("pointerup", () => (this.#dragging = false));
    listen("pointercancel", () => (this.#dragging = false));
    listen("pointerleave", () => (this.#tooltip.hidden = true));
  }

  open(clip, measure, theme) {
    this.clip = clip;
    this.measure = measure;
    this.theme = theme;
    this.#heat.open(clip, measure);
    this.#curves.open(clip);
    this.#writeNames();
    this.#writeLegend();
    this.#markWorst();
    this.resize();
  }

  show(frame) {
    this.#cursor.style.left = `${((frame + 0.5) / this.clip.frames) * 100}%`;
  }

  resize() {
    this.#heat.draw();
    const ticks = this.#curves.draw(this.theme);
    const plot = this.#root.querySelector(".curves");
    const names = this.#root.querySelector(".names");
    this.#root.querySelector(".curve-ticks").style.marginTop = `${plot.offsetTop - names.offsetHeight}px`;
    const labels = ticks.map(([value, y]) => element("span", `${+value.toPrecision(3)}`, { top: `${y}px` }));
    this.#root.querySelector(".curve-ticks").replaceChildren(...labels);
  }

  #writeNames() {
    const names = this.clip.meta.joints.map((name) => element("span", name));
    this.#root.querySelector(".names").replaceChildren(...names);
  }

  #writeLegend() {
    const { top, unit } = this.measure;
    this.#root.querySelector(".ramp-top").textContent = `≥ ${top} ${unit}`;
    this.#root.querySelector(".measure-note").textContent = this.measure.note;
    const { curve, candidates } = this.clip.meta;
    this.#root.querySelector(".curve-title").textContent = `${curve.title}, ${curve.unit}${this.#curves.isLog ? ", logarithmic" : ""}`;
    const keys = candidates.map(({ label }, candidate) => element("span", label, { "--mark": this.theme.candidates[candidate] }));
    this.#root.querySelector(".curve-candidates").replaceChildren(...keys);
    this.#root.querySelector(".curve-reference").textContent = curve.reference;
  }

  #markWorst() {
    const marks = this.measure.worst.map((frame) =>
      element("i", "", { left: `${((frame + 0.5) / this.clip.frames) * 100}%` }),
    );
    this.#root.querySelector(".marks").replaceChildren(...marks);
  }

  #press(event) {
    if (event.button !== 0) return;
    this.#dragging = true;
    this.#plots.setPointerCapture(event.pointerId);
    this.onSeek(this.#frameAt(event));
  }

  #move(event) {
    const frame = this.#frameAt(event);
    if (this.#dragging) this.onSeek(frame);
    this.#writeTooltip(event, frame);
  }

  #frameAt(event) {
    const box = this.#plots.getBoundingClientRect();
    const frame = Math.floor(((event.clientX - box.left) / box.width) * this.clip.frames);
    return Math.min(Math.max(frame, 0), this.clip.frames - 1);
  }

  #writeTooltip(event, frame) {
    const plots = this.#plots.getBoundingClientRect();
    const [x, y] = [event.clientX - plots.left, event.clientY - plots.top];
    this.#tooltip.hidden = false;
    this.#tooltip.textContent = this.#tooltipText(frame, y);
    const left = Math.min(Math.max(x - this.#tooltip.offsetWidth / 2, 0), plots.width - this.#tooltip.offsetWidth);
    this.#tooltip.style.transform = `translate(${left}px, ${y > 44 ? y - 38 : y + 18}px)`;
  }

  #tooltipText(frame, y) {
    const { clip, measure } = this;
    const joint = Math.floor((y / this.#root.querySelector(".heat").clientHeight) * clip.joints);
    if (joint >= clip.joints || joint < 0) {
      const { curve } = clip.meta;
      const numbers = [...clip.candidates.map((candidate) => [candidate.label, candidate.curve]), [curve.reference, clip.curveReference]];
      const texts = numbers.map(([name, values]) => `${name} ${amount(values[frame], 1, curve.unit)}`);
      return `frame ${frame} · ${texts.join(" · ")}`;
    }
    const value = measure.values[frame * clip.joints + joint];
    return `${clip.meta.joints[joint]} · frame ${frame} · ${amount(value, measure.digits, measure.unit)}`;
  }
}

export function amount(value, digits, unit) {
  return Number.isFinite(value) ? `${value.toFixed(digits)} ${unit}` : "no value";
}

function element(tag, text, style = {}) {
  const created = document.createElement(tag);
  created.textContent = text;
  for (const [name, value] of Object.entries(style)) created.style.setProperty(name, value);
  return created;
}
