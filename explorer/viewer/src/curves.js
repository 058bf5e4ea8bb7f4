// The curves below the error map: acceleration of each candidate, and of a reference.
import { fitToDevice } from "./picture2d.js";

const HEADROOM = 1.08;
const LOG_FROM = 4; // ratio of the medians of reference and lifted curve
const TICK_SPACE = 74; // CSS pixels that a time label needs

export class Curves {
  clip = null;
  isLog = false;
  ticks = [];
  toShare = null; // value to share of the height
  #canvas;
  #axis;

  constructor(canvas, axis) {
    this.#canvas = canvas;
    this.#axis = axis;
  }

  open(clip) {
    this.clip = clip;
    const [lifted, reference] = [clip.candidates[0].curve, clip.curveReference];
    const top = HEADROOM * Math.max(...clip.candidates.map(({ curve }) => quantile(curve, 1)), quantile(reference, 1), 1e-3);
    // An unsmoothed reference shakes many times more than any body; only a logarithmic axis shows both.
    this.isLog = quantile(reference, 0.5) > LOG_FROM * quantile(lifted, 0.5);
    if (this.isLog) this.#makeLog(10 ** Math.floor(Math.log10(Math.max(quantile(lifted, 0.05), top / 1e4))), top);
    else this.#makeLinear(top);
  }

  #makeLinear(top) {
    const step = niceStep(top / 2);
    this.ticks = [step, 2 * step].filter((tick) => tick <= top);
    this.toShare = (value) => value / top;
  }

  #makeLog(low, top) {
    this.ticks = [];
    for (let tick = low * 10; tick <= top; tick *= 10) this.ticks.push(tick);
    this.toShare = (value) => Math.log(Math.max(value, low) / low) / Math.log(top / low);
  }

  /** Draw, and return the position of each tick as [value, y in CSS pixels]. */
  draw(theme) {
    const { width, height, scale } = fitToDevice(this.#canvas);
    const context = this.#canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const toY = (value) => height - 1 - Math.min(this.toShare(value), 1) * (height - 2);
    const ticks = this.ticks.map((tick) => [tick, toY(tick)]);
    context.fillStyle = theme.border;
    for (const y of [height - 1, ...ticks.map(([, y]) => y)]) context.fillRect(0, Math.round(y), width, 1);
    this.#line(context, this.clip.curveReference, width, toY, theme.truth, 1.25);
    const lines = this.clip.candidates.map(({ curve }, candidate) => [curve, theme.candidates[candidate]]).reverse();
    for (const [curve, colour] of lines) this.#line(context, curve, width, toY, colour, 1.75);
    this.#drawAxis(theme);
    return ticks;
  }

  #line(context, values, width, toY, colour, thickness) {
    context.strokeStyle = colour;
    context.lineWidth = thickness;
    context.lineJoin = "round";
    context.beginPath();
    let drawing = false;
    values.forEach((value, frame) => {
      if (Number.isFinite(value)) {
        const x = ((frame + 0.5) / values.length) * width;
        if (drawing) context.lineTo(x, toY(value));
        else context.moveTo(x, toY(value));
      }
      drawing = Number.isFinite(value);
    });
    context.stroke();
  }

  #drawAxis(theme) {
    const { width, height, scale } = fitToDevice(this.#axis);
    const context = this.#axis.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const { frames, meta: { fps } } = this.clip;
    const seconds = frames / fps;
    const step = niceStep((seconds * TICK_SPACE) / Math.max(width, 1));
    context.fillStyle = theme.text;
    context.strokeStyle = theme.border;
    context.font = `11px ${theme.font}`;
    context.textBaseline = "bottom";
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    for (let tick = 0; tick * step < seconds; tick++) {
      const x = ((tick * step * fps + 0.5) / frames) * width;
      context.fillRect(x, 0, 1, 4);
      context.textAlign = x < 14 ? "left" : x > width - 14 ? "right" : "center";
      context.fillText(`${(tick * step).toFixed(digits)} s`, x < 14 ? 0 : x, height);
    }
  }
}

/** The quantile of the finite values. */
function quantile(values, share) {
  const sorted = values.filter(Number.isFinite).sort(); // typed arrays sort by number
  return sorted.length ? sorted[Math.round(share * (sorted.length - 1))] : 0;
}

/** The smallest of 1, 2, 5 x 10^n that is at least `atLeast`. */
function niceStep(atLeast) {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(atLeast, 1e-9)));
  return magnitude * ([1, 2, 5].find((step) => step * magnitude >= atLeast * 0.999) ?? 10);
}
