// One clip and the answers to it as explorer/viewer/payload.py packs them: flat arrays beside the words and names that explain them.

const ARRAYS = ["input_px", "confidence", "curve_reference"];
const OF_ACTOR = ["pose", "ground", "curve"];
const OF_BODY = ["vertices", "rest", "turns", "root"]; // of one person
const OF_SKIN = ["faces", "influences", "weights"]; // of all who wear one body model
const SIMILARITY = 8; // numbers of one: scale, quaternion, shift

export class Clip {
  constructor(data) {
    const { meta } = data;
    const column = (name) => (data[name].getChildAt ? data[name].getChildAt(0).toArray() : data[name]); // Arrow, or a page's own
    this.meta = meta;
    this.frames = meta.frames;
    this.joints = meta.joints.length;
    for (const name of ARRAYS) this[name] = column(name);
    this.truth = data.truth ? column("truth") : null;
    this.video = meta.video ? { ...meta.video, bytes: column("video") } : null; // not in a page of its own
    this.onto = data.b_onto_a ? column("b_onto_a") : null;
    const skins = meta.bodies.map((words, number) => ({
      ...words,
      ...pick(OF_SKIN, (name) => column(`body${number}_${name}`)),
      colors: words.has_colors ? column(`body${number}_colors`) : null,
    }));
    this.actors = meta.actors.map((words) => ({
      ...words,
      ...pick(OF_ACTOR, (name) => column(`${words.prefix}_${name}`)),
      body: words.body === null ? null : { skin: skins[words.body], ...pick(OF_BODY, (name) => column(`${words.prefix}_${name}`)) },
      measures: words.measures.map((measure) => ({
        ...measure,
        values: column(`${words.prefix}_heat_${measure.key}`),
        truth: measure.has_truth ? column(`${words.prefix}_truth_${measure.key}`) : null,
      })),
    }));
  }

  isPresent(actor, frame) {
    return Number.isFinite(this.actors[actor].pose[frame * this.joints * 3]);
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

  /** A joint of an actor projected into the image, in pixels. */
  reprojected(actor, frame, joint) {
    const { fx, fy, cx, cy } = this.meta.camera;
    const { pose } = this.actors[actor];
    const i = (frame * this.joints + joint) * 3;
    const depth = pose[i + 2] > 1e-6 ? pose[i + 2] : NaN;
    return [(fx * pose[i]) / depth + cx, (fy * pose[i + 1]) / depth + cy];
  }
}

/** Set a three.js object's own transform to the similarity of a frame; false where there is none. */
export function placeBy(object, similarities, frame) {
  const i = frame * SIMILARITY;
  const scale = similarities[i];
  if (!Number.isFinite(scale)) return false;
  object.scale.setScalar(scale);
  object.quaternion.set(similarities[i + 1], similarities[i + 2], similarities[i + 3], similarities[i + 4]);
  object.position.set(similarities[i + 5], similarities[i + 6], similarities[i + 7]);
  return true;
}

function pick(names, read) {
  return Object.fromEntries(names.map((name) => [name, read(name)]));
}
