// The error map: joints x frames as an image with one pixel per cell, stretched to the plot.
import { cividis } from "./colours.js";
import { fitToDevice } from "./picture2d.js";

export class Heatmap {
  clip = null;
  #canvas;
  #texture = document.createElement("canvas");

  constructor(canvas) {
    this.#canvas = canvas;
  }

  open(clip, measure) {
    this.clip = clip;
    this.#paint(measure);
  }

  draw() {
    const { width, height, scale } = fitToDevice(this.#canvas);
    const context = this.#canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, width, height);
    context.drawImage(this.#texture, 0, 0, width, height);
  }

  #paint(measure) {
    const { frames, joints } = this.clip;
    // A long clip has more frames than the screen has columns: a column then shows its largest value, so no spike is lost.
    const columns = Math.min(frames, 2000);
    this.#texture.width = columns;
    this.#texture.height = joints;
    const context = this.#texture.getContext("2d");
    const image = context.createImageData(columns, joints); // transparent where there is no value
    for (let column = 0; column < columns; column++) {
      const first = Math.floor((column * frames) / columns);
      const stop = Math.max(first + 1, Math.floor(((column + 1) * frames) / columns));
      for (let joint = 0; joint < joints; joint++) {
        const value = largest(measure.values, first, stop, joints, joint);
        if (value === null) continue;
        image.data.set([...cividis(value / measure.top), 255], (joint * columns + column) * 4);
      }
    }
    context.putImageData(image, 0, 0);
  }
}

function largest(values, first, stop, joints, joint) {
  let found = null;
  for (let frame = first; frame < stop; frame++) {
    const value = values[frame * joints + joint];
    if (Number.isFinite(value) && (found === null || value > found)) found = value;
  }
  return found;
}
