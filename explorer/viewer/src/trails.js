// Paths of wrists, ankles and head in the last second.
import { Color, Vector2 } from "three";
import { LineSegments2 } from "three/examples/jsm/lines/LineSegments2.js";
import { LineSegmentsGeometry } from "three/examples/jsm/lines/LineSegmentsGeometry.js";
import { LineMaterial } from "three/examples/jsm/lines/LineMaterial.js";

const SECONDS = 1;
const NAMES = ["head top", "left wrist", "right wrist", "left ankle", "right ankle"];
const WIDTH = 2.5; // CSS pixels

export class Trails {
  joints;
  object;
  #clip;
  #candidate;
  #material = new LineMaterial({ vertexColors: true, linewidth: WIDTH });

  constructor(clip, candidate) {
    this.#clip = clip;
    this.#candidate = clip.candidates[candidate];
    this.joints = NAMES.map((name) => clip.meta.joints.indexOf(name));
    this.object = new LineSegments2(new LineSegmentsGeometry(), this.#material);
    this.object.frustumCulled = false;
  }

  setResolution(width, height) {
    this.#material.resolution = new Vector2(width, height);
  }

  /** `colours`: of each joint; older parts fade into `background`. */
  show(frame, colours, background) {
    const { joints, meta } = this.#clip;
    const count = Math.max(2, Math.round(SECONDS * meta.fps));
    const step = Math.max(1, Math.round(meta.fps / 30));
    const positions = [], tints = [];
    const faded = new Color(background);
    const point = (at, joint) => this.#candidate.pose.subarray((at * joints + joint) * 3, (at * joints + joint) * 3 + 3);
    for (const joint of this.joints) {
      const own = new Color(colours[joint]);
      for (let at = Math.max(0, frame - count); at + step <= frame; at += step) {
        const [from, to] = [point(at, joint), point(at + step, joint)];
        if (!Number.isFinite(from[0] + to[0])) continue;
        const age = (frame - at) / count;
        const tint = own.clone().lerp(faded, age);
        positions.push(...from, ...to);
        tints.push(tint.r, tint.g, tint.b, tint.r, tint.g, tint.b);
      }
    }
    this.object.visible = positions.length > 0;
    if (!this.object.visible) return;
    this.object.geometry.dispose();
    this.object.geometry = new LineSegmentsGeometry().setPositions(positions).setColors(tints);
  }

  dispose() {
    this.object.geometry.dispose();
    this.#material.dispose();
  }
}
