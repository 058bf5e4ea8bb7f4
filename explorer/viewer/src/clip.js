// One clip and its candidates: reads the arrays of explorer/viewer/payload.py by the names in payload_schema.json.
import schema from "../payload_schema.json";

const SIMILARITY = 8; // numbers of one: scale, quaternion, shift

export class Clip {
  meta;
  frames;
  joints;
  inputPx;
  confidence;
  curveReference;
  truth; // null without ground truth
  secondOntoFirst; // similarities that align the second candidate to the first; null for one candidate
  video; // null without one, and in a saved page
  candidates;

  constructor(data) {
    const { meta } = data;
    this.meta = meta;
    this.frames = meta.frames;
    this.joints = meta.joints.length;
    const own = readArrays(data, "clip", (name) => name);
    this.inputPx = own.input_px;
    this.confidence = own.confidence;
    this.curveReference = own.curve_reference;
    this.truth = own.truth;
    this.secondOntoFirst = own.b_onto_a;
    this.video = meta.video ? { ...meta.video, bytes: own.video } : null;
    const skins = meta.bodies.map((fields, number) => ({ ...fields, ...readArrays(data, "body", (name) => `body${number}_${name}`) }));
    this.candidates = meta.candidates.map((fields) => readCandidate(data, fields, skins));
  }

  isPresent(candidate, frame) {
    return Number.isFinite(this.candidates[candidate].pose[frame * this.joints * 3]);
  }

  /** Mean over joints and the worst joint of one frame; null where no joint has a value. */
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

  /** A joint of a candidate projected into the image, in pixels. */
  reprojected(candidate, frame, joint) {
    const { fx, fy, cx, cy } = this.meta.camera;
    const { pose } = this.candidates[candidate];
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

function readCandidate(data, fields, skins) {
  const { prefix } = fields;
  const nameOf = (name) => `${prefix}_${name}`;
  return {
    ...fields,
    ...readArrays(data, "candidate", nameOf),
    body: fields.body === null ? null : { skin: skins[fields.body], ...readArrays(data, "candidate_body", nameOf) },
    measures: fields.measures.map((measure) => {
      const { heat, truth } = readArrays(data, "measure", (name) => `${prefix}_${name}_${measure.key}`);
      return { ...measure, values: heat, truth };
    }),
  };
}

/** Every array that the schema names for one kind of owner; null for an optional one that is missing. */
function readArrays(data, kind, nameOf) {
  const read = ([name, { optional = false }]) => {
    const array = data[nameOf(name)];
    if (array === undefined && !optional) throw new Error(`The viewer's data lack the array '${nameOf(name)}'.`);
    if (array === undefined) return [name, null];
    return [name, array.getChildAt ? array.getChildAt(0).toArray() : array]; // Arrow, or an array of a saved page
  };
  return Object.fromEntries(Object.entries(schema.arrays[kind]).map(read));
}
