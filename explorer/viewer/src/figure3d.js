// One candidate in 3D: skeleton, body, ground truth, trails and onion skin, all in the camera's frame (x right, y down, z forward).
import { Group } from "three";
import { Body3D } from "./body3d.js";
import { placeBy } from "./clip.js";
import { cividis } from "./colours.js";
import { Skeleton3D } from "./skeleton3d.js";
import { Trails } from "./trails.js";

const ADULT_HEIGHT = 1.8; // metres, with head room
const BRIDGED_OPACITY = 0.4; // of the chosen opacity
const ONION = [-2, -1, 1, 2];
const ONION_S = 1 / 6; // between two layers of the onion skin
const NO_VALUE = "#8b9099"; // colour of joints without a value

export class Figure3D {
  clip;
  number;
  candidate;
  frame = 0;
  anchor = [0, 0, 0]; // the point of the camera's frame that lies at the scene's origin
  lowQuality = false; // draw fast
  root = new Group(); // holds the camera's frame; its own transform leads to the scene
  #placed = new Group(); // aligned to the other candidate where both are overlaid
  #truthPlace = new Group();
  #skeleton;
  #truth;
  #body = null;
  #trails;
  #onion;
  #painted = ""; // the colours of the body, as text

  constructor(clip, candidate) {
    this.clip = clip;
    this.number = candidate;
    this.candidate = clip.candidates[candidate];
    const { joints, meta: { bones } } = clip;
    const unit = this.candidate.size.height / ADULT_HEIGHT; // a child, or a figure of unknown scale, is drawn as slender as an adult
    const thick = { jointRadius: 0.03 * unit, boneRadius: 0.0165 * unit };
    this.#skeleton = new Skeleton3D(bones, joints, thick);
    const thin = { jointRadius: 0.013 * unit, boneRadius: 0.008 * unit, opacity: 0.75, fadedOpacity: 1 };
    this.#truth = new Skeleton3D(bones, joints, thin);
    this.#truthPlace.add(this.#truth.group);
    this.#onion = ONION.map(() => new Skeleton3D(bones, joints, { ...thick, opacity: 0.16, fadedOpacity: 0.5 }));
    this.#trails = new Trails(clip, candidate);
    if (this.candidate.body) this.#body = new Body3D(this.candidate.body);
    const parts = [this.#skeleton, ...this.#onion, ...(this.#body ? [this.#body] : [])].map((part) => part.group);
    this.#placed.add(...parts, this.#trails.object);
    this.root.rotation.x = Math.PI; // y down and z forward become y up and z towards the viewer
    this.root.add(this.#placed, this.#truthPlace);
  }

  get isLifted() {
    return this.clip.isPresent(this.number, this.frame);
  }

  /** The pelvis and the floor under it, in the camera's frame. */
  ground(frame) {
    const i = frame * this.clip.joints * 3;
    const { pose, ground } = this.candidate;
    return [pose[i], ground[frame], pose[i + 2]];
  }

  setResolution(width, height) {
    this.#trails.setResolution(width, height);
  }

  /**
   * `options`: the visitor's; `measure`: of this candidate; `theme`: colours; `alignment`: how this figure is aligned to the
   * first one, or 'none'.
   */
  show(frame, options, measure, theme, alignment) {
    this.frame = frame;
    this.root.visible = this.isLifted && this.#place(frame, alignment);
    if (!this.root.visible) return;
    const hasBody = this.#body !== null;
    const colours = this.#colours(options, measure, theme);
    this.#skeleton.group.visible = !hasBody || options.parts !== "body";
    if (this.#skeleton.group.visible) this.#pose(this.#skeleton, frame, colours);
    if (hasBody) this.#showBody(frame, options, colours);
    this.#showTruth(frame, options, measure, theme, alignment);
    this.#showOnion(frame, options, colours);
    this.#trails.object.visible = options.trails;
    if (options.trails) this.#trails.show(frame, colours.map(css), theme.panel);
  }

  #place(frame, alignment) {
    this.#placed.position.set(0, 0, 0);
    this.#placed.quaternion.identity();
    this.#placed.scale.setScalar(1);
    if (alignment === "procrustes") return placeBy(this.#placed, this.clip.secondOntoFirst, frame);
    if (alignment === "pelvis") {
      const i = frame * this.clip.joints * 3;
      const [ours, theirs] = [this.candidate.pose, this.clip.candidates[0].pose];
      if (Number.isFinite(theirs[i])) this.#placed.position.set(theirs[i] - ours[i], theirs[i + 1] - ours[i + 1], theirs[i + 2] - ours[i + 2]);
    }
    return true;
  }

  #colours(options, measure, theme) {
    const { sides } = this.clip.meta;
    if (options.colour === "candidates") return sides.map(() => theme.candidates[this.number]);
    if (options.colour !== "errors") return sides.map((side) => theme.sides[side]);
    return sides.map((_, joint) => {
      const value = measure.values[this.frame * this.clip.joints + joint];
      return Number.isFinite(value) ? cividis(value / measure.top) : NO_VALUE;
    });
  }

  #pose(skeleton, frame, colours) {
    const { joints, confidence, meta } = this.clip;
    const isBridged = this.#isBridged(frame);
    const isSeen = (joint) => !isBridged && confidence[frame * joints + joint] > 0;
    skeleton.show(this.candidate.pose, frame, isSeen, colours, meta.bones.map(([, child]) => colours[child]));
  }

  /** Whether nobody was seen in the frame, and the pose is a guess between two sightings. */
  #isBridged(frame) {
    return Boolean(this.candidate.bridged?.[frame]);
  }

  #showBody(frame, options, colours) {
    this.#body.group.visible = options.parts !== "skeleton";
    if (!this.#body.group.visible) return;
    this.#body.opacity = options.opacity * (this.#isBridged(frame) ? BRIDGED_OPACITY : 1);
    this.#body.lowQuality = this.lowQuality;
    this.#body.pose(frame);
    this.#paint(options.colour === "own" ? null : colours);
  }

  #paint(colours) {
    const wanted = JSON.stringify(colours);
    if (wanted === this.#painted) return;
    this.#painted = wanted;
    this.#body.colour(colours);
  }

  #showTruth(frame, options, measure, theme, alignment) {
    const { truth } = this.clip;
    this.#truthPlace.visible = options.truth && alignment === "none" && measure.truth !== null && placeBy(this.#truthPlace, measure.truth, frame);
    if (!this.#truthPlace.visible) return;
    const { sides, bones } = this.clip.meta;
    this.#truth.show(truth, frame, () => true, sides.map(() => theme.truth), bones.map(() => theme.truth));
  }

  #showOnion(frame, options, colours) {
    const step = Math.max(1, Math.round(ONION_S * this.clip.meta.fps));
    this.#onion.forEach((skeleton, layer) => {
      const at = frame + ONION[layer] * step;
      skeleton.group.visible = options.onion && at >= 0 && at < this.clip.frames && this.clip.isPresent(this.number, at);
      if (!skeleton.group.visible) return;
      skeleton.show(this.candidate.pose, at, () => true, colours, this.clip.meta.bones.map(([, child]) => colours[child]));
    });
  }

  dispose() {
    for (const part of [this.#skeleton, this.#truth, ...this.#onion, this.#trails, this.#body]) part?.dispose();
  }
}

function css(colour) {
  return typeof colour === "string" ? colour : `rgb(${colour.map(Math.round)})`;
}
