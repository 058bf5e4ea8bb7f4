// One clip as explorer/scene.py packs it: flat float32 arrays beside the words and names that explain them.

const ARRAYS = ["pose", "input_px", "confidence", "reprojected_px", "ground", "curve_lifted", "curve_reference"];

export class Clip {
  constructor(data) {
    const column = (name) => data[name].getChildAt(0).toArray(); // an Arrow table with one column
    this.meta = data.meta;
    this.frames = data.meta.frames;
    this.joints = data.meta.joints.length;
    for (const name of ARRAYS) this[name] = column(name);
    this.measures = data.meta.measures.map((measure) => ({
      ...measure,
      values: column(`heat_${measure.key}`),
      truth: measure.truth ? column(measure.truth) : null,
    }));
  }

  isPresent(frame) {
    return Number.isFinite(this.pose[frame * this.joints * 3]);
  }

  /** Mean over joints and the worst joint of one frame; null where nothing is known. */
  summary(measure, frame) {
    let sum = 0, count = 0, worst = -1;
    const offset = frame * this.joints;
    for (let joint = 0; joint < this.joints; joint++) {
      const value = measure.values[offset + joint];
      if (!Number.isFinite(value)) continue;
      sum += value;
      count += 1;
      if (worst < 0 || value > measure.values[offset + worst]) worst = joint;
    }
    return count ? { mean: sum / count, worst, value: measure.values[offset + worst] } : null;
  }
}
