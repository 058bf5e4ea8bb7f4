// The detector's 2D joints in image coordinates, with the video behind them and each candidate's reprojected joints over them.
import { Video } from "./video.js";

const DASHES = [[5, 3], [2, 3]]; // of the first and the second candidate
const MARGIN = 0.1; // of the person's extent, around the crop

export class Picture2D {
  clip = null;
  frame = 0;
  options = {};
  #canvas;
  #context;
  #theme;
  #video = new Video();

  constructor(canvas, theme) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true });
    this.#theme = theme;
    this.#video.onPicture = () => this.#draw();
  }

  setTheme(theme) {
    this.#theme = theme;
  }

  open(clip) {
    this.clip = clip;
    this.#video.open(clip);
  }

  dispose() {
    this.#video.dispose();
  }

  show(frame) {
    this.frame = frame;
    this.#video.seek(frame);
    this.#draw();
  }

  #draw() {
    const { frame } = this;
    const { meta } = this.clip;
    const { width, height, scale } = fitToDevice(this.#canvas);
    const context = this.#context;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const toScreen = this.#view(width, height);
    if (this.options.video) this.#video.draw(context, meta.has_image_size ? meta.image : null, toScreen);
    this.#drawImageEdge(toScreen);
    this.#drawInput(frame, toScreen);
    if (this.options.reprojection) this.clip.candidates.forEach((_, candidate) => this.#drawReprojection(candidate, frame, toScreen));
  }

  /** Pixels to screen, the same for every frame of the clip and with one scale for both axes. */
  #view(width, height) {
    const { image, crop } = this.clip.meta;
    let [left, top, right, bottom] = this.options.whole ? image : crop;
    const margin = this.options.whole ? 0.02 : MARGIN;
    const grow = Math.max(right - left, bottom - top) * margin;
    [left, top, right, bottom] = [left - grow, top - grow, right + grow, bottom + grow];
    const zoom = Math.min(width / (right - left), height / (bottom - top));
    const x0 = width / 2 - (zoom * (left + right)) / 2;
    const y0 = height / 2 - (zoom * (top + bottom)) / 2;
    return (x, y) => [x0 + zoom * x, y0 + zoom * y];
  }

  #drawImageEdge(toScreen) {
    const { image, has_image_size: known } = this.clip.meta;
    if (!known) return;
    const [x0, y0] = toScreen(image[0], image[1]);
    const [x1, y1] = toScreen(image[2], image[3]);
    this.#context.strokeStyle = this.#theme.border;
    this.#context.lineWidth = 1;
    this.#context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }

  #drawInput(frame, toScreen) {
    const { inputPx: px, confidence, joints, meta } = this.clip;
    const context = this.#context;
    const at = (joint) => toScreen(px[(frame * joints + joint) * 2], px[(frame * joints + joint) * 2 + 1]);
    const seen = (joint) => confidence[frame * joints + joint];
    const colour = (joint) => this.#theme.sides[meta.sides[joint]];
    context.lineCap = "round";
    context.lineWidth = 4;
    for (const [parent, child] of meta.bones) {
      context.globalAlpha = opacityOf(Math.min(seen(parent), seen(child)));
      if (context.globalAlpha > 0) line(context, at(parent), at(child), colour(child));
    }
    for (let joint = 0; joint < joints; joint++) {
      context.globalAlpha = opacityOf(seen(joint));
      if (context.globalAlpha > 0) dot(context, at(joint), 4.5, colour(joint));
    }
    context.globalAlpha = 1;
  }

  #drawReprojection(candidate, frame, toScreen) {
    const { joints, meta } = this.clip;
    if (!this.clip.isPresent(candidate, frame)) return;
    const context = this.#context;
    const at = (joint) => toScreen(...this.clip.reprojected(candidate, frame, joint));
    const colour = this.#theme.candidates[candidate];
    context.lineWidth = 1.5;
    context.setLineDash(DASHES[candidate]);
    for (const [parent, child] of meta.bones) line(context, at(parent), at(child), colour);
    context.setLineDash([]);
    for (let joint = 0; joint < joints; joint++) {
      context.beginPath();
      context.arc(...at(joint), 3, 0, 2 * Math.PI);
      context.fillStyle = this.#theme.panel;
      context.fill();
      context.strokeStyle = colour;
      context.stroke();
    }
  }
}

/** Opacity of a confidence; a detected joint never fades completely. */
function opacityOf(confidence) {
  return confidence > 0 ? 0.2 + 0.8 * Math.min(confidence, 1) : 0;
}

function line(context, from, to, colour) {
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.stroke();
}

function dot(context, at, radius, colour) {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(...at, radius, 0, 2 * Math.PI);
  context.fill();
}

/** Give a canvas as many pixels as the screen shows of it; sizes are in CSS pixels. */
export function fitToDevice(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  return { width, height, scale };
}
