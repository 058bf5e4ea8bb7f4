// A body: a mesh with linear blend skinning by 24 joints. Skinning is done here and not by the graphics card: two bodies take
// 2 ms, drawing needs the result twice, and a browser without a graphics card skins much more slowly.
import { BufferAttribute, BufferGeometry, Color, DynamicDrawUsage, Group, Mesh, MeshBasicMaterial, MeshLambertMaterial } from "three";
import schema from "../payload_schema.json";

const { weight_steps: WEIGHT_STEPS } = schema;
const COARSE_CELL = 0.03; // metres
const DEPTH_OFFSET = { polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1 }; // or the skin would hide behind its own depth
const DEFAULT_COLOUR = "#a9adb5"; // of a body without colours

export class Body3D {
  group = new Group();
  body;
  #material = new MeshLambertMaterial({ vertexColors: true });
  #mesh;
  #depthPrepass; // writes depth only, so that a translucent body does not show its far side
  #ownColours;
  #restNormals;
  #fine; // triangles
  #coarse;
  #transforms; // of each joint: 3 x 3 rotation, then translation, from the rest pose

  constructor(body) {
    this.body = body;
    const geometry = makeGeometry(body);
    this.#fine = geometry.index;
    this.#coarse = new BufferAttribute(coarseFaces(body.skin, body.vertices), 1);
    this.#restNormals = geometry.attributes.normal.array.slice();
    this.#transforms = new Float32Array(12 * body.skin.parents.length);
    this.#ownColours = ownColours(body.skin, geometry.attributes.position.count);
    geometry.setAttribute("color", new BufferAttribute(this.#ownColours.slice(), 3));
    this.#mesh = new Mesh(geometry, this.#material);
    this.#depthPrepass = new Mesh(geometry, new MeshBasicMaterial({ colorWrite: false, ...DEPTH_OFFSET }));
    this.#depthPrepass.renderOrder = 1;
    this.#mesh.renderOrder = 2;
    for (const mesh of [this.#depthPrepass, this.#mesh]) mesh.frustumCulled = false; // bounds are those of the rest pose
    this.group.add(this.#depthPrepass, this.#mesh);
    this.#depthPrepass.visible = false;
  }

  set opacity(value) {
    if (value === this.#material.opacity) return; // a material that has changed is compiled again
    this.#material.transparent = value < 1;
    this.#material.opacity = value;
    this.#material.needsUpdate = true;
  }

  /**
   * Draw fast: with a third of the triangles, and without the depth prepass (a limb before the trunk of a translucent body may
   * look a little denser then).
   */
  set lowQuality(value) {
    this.#depthPrepass.visible = !value && this.#material.opacity < 1;
    const index = value ? this.#coarse : this.#fine;
    if (this.#mesh.geometry.index !== index) this.#mesh.geometry.setIndex(index);
  }

  /** Pose the body, in the camera's frame. */
  pose(frame) {
    const { skin, rest, turns, root, vertices } = this.body;
    const count = skin.parents.length;
    setJointTransforms(this.#transforms, skin.parents, rest, turns.subarray(4 * count * frame, 4 * count * (frame + 1)), root.subarray(3 * frame, 3 * frame + 3));
    const { position, normal } = this.#mesh.geometry.attributes;
    skinVertices(position.array, normal.array, vertices, this.#restNormals, skin, this.#transforms);
    position.needsUpdate = normal.needsUpdate = true;
  }

  /** `colours`: a CSS string or [r, g, b] (0 to 255) for each of the 17 joints; null for the body's own colours. */
  colour(colours) {
    const { color } = this.#mesh.geometry.attributes;
    if (colours) paint(color.array, this.body.skin, colours);
    else color.array.set(this.#ownColours);
    color.needsUpdate = true;
  }

  dispose() {
    this.#mesh.geometry.dispose();
    this.#material.dispose();
    this.#depthPrepass.material.dispose();
  }
}

function makeGeometry({ skin, vertices }) {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(vertices.slice(), 3).setUsage(DynamicDrawUsage));
  geometry.setIndex(new BufferAttribute(new Uint32Array(skin.faces), 1));
  geometry.computeVertexNormals();
  geometry.attributes.normal.setUsage(DynamicDrawUsage);
  return geometry;
}

/** Triangles between one vertex per cell of space and bone; vertices of different bones must not be merged. */
function coarseFaces({ faces, influences }, vertices) {
  const first = new Map();
  const chosen = new Uint32Array(vertices.length / 3);
  for (let vertex = 0; vertex < chosen.length; vertex++) {
    const cell = [0, 1, 2].map((axis) => Math.round(vertices[3 * vertex + axis] / COARSE_CELL));
    const key = `${influences[4 * vertex]} ${cell}`;
    if (!first.has(key)) first.set(key, vertex);
    chosen[vertex] = first.get(key);
  }
  const kept = [];
  for (let i = 0; i < faces.length; i += 3) {
    const [a, b, c] = [chosen[faces[i]], chosen[faces[i + 1]], chosen[faces[i + 2]]];
    if (a !== b && b !== c && c !== a) kept.push(a, b, c);
  }
  return new Uint32Array(kept);
}

/** Set each joint's transform from the rest pose; `quaternions` (x, y, z, w) are relative to the parents. */
function setJointTransforms(transforms, parents, rest, quaternions, root) {
  const positions = new Float32Array(3 * parents.length);
  parents.forEach((parent, joint) => {
    const [x, y, z, w] = unitQuaternion(quaternions, 4 * joint);
    const own = [
      1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
      2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
      2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ];
    const [m, o] = [12 * joint, 12 * parent];
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        transforms[m + 3 * row + column] = parent < 0 ? own[3 * row + column]
          : transforms[o + 3 * row] * own[column] + transforms[o + 3 * row + 1] * own[3 + column] + transforms[o + 3 * row + 2] * own[6 + column];
      }
      positions[3 * joint + row] = parent < 0 ? root[row] : positions[3 * parent + row] + boneOffset(transforms, o + 3 * row, rest, parent, joint);
    }
    for (let row = 0; row < 3; row++) {
      const turned = transforms[m + 3 * row] * rest[3 * joint] + transforms[m + 3 * row + 1] * rest[3 * joint + 1] + transforms[m + 3 * row + 2] * rest[3 * joint + 2];
      transforms[m + 9 + row] = positions[3 * joint + row] - turned;
    }
  });
}

/** One coordinate of the bone from parent to child, rotated as the parent is. */
function boneOffset(transforms, row, rest, parent, child) {
  let sum = 0;
  for (let axis = 0; axis < 3; axis++) sum += transforms[row + axis] * (rest[3 * child + axis] - rest[3 * parent + axis]);
  return sum;
}

function unitQuaternion(values, start) {
  const four = values.subarray(start, start + 4);
  const length = Math.hypot(...four) || 1;
  return [four[0] / length, four[1] / length, four[2] / length, four[3] / length];
}

/** Linear blend skinning: transform every vertex by the weighted mean of up to four joints' transforms. */
function skinVertices(positions, normals, rest, restNormals, { influences, weights }, transforms) {
  const blend = new Float32Array(12);
  for (let vertex = 0; vertex < rest.length / 3; vertex++) {
    blend.fill(0);
    for (let k = 4 * vertex; k < 4 * vertex + 4; k++) {
      const weight = weights[k] / WEIGHT_STEPS;
      if (weight === 0) continue;
      const m = 12 * influences[k];
      for (let i = 0; i < 12; i++) blend[i] += weight * transforms[m + i];
    }
    const v = 3 * vertex;
    const [x, y, z] = [rest[v], rest[v + 1], rest[v + 2]];
    const [nx, ny, nz] = [restNormals[v], restNormals[v + 1], restNormals[v + 2]];
    for (let row = 0; row < 3; row++) {
      positions[v + row] = blend[3 * row] * x + blend[3 * row + 1] * y + blend[3 * row + 2] * z + blend[9 + row];
      normals[v + row] = blend[3 * row] * nx + blend[3 * row + 1] * ny + blend[3 * row + 2] * nz;
    }
  }
}

const scratch = new Color();

function linear(colour) {
  scratch.set(typeof colour === "string" ? colour : `rgb(${colour.map(Math.round)})`);
  return [scratch.r, scratch.g, scratch.b];
}

function ownColours(skin, count) {
  const colours = new Float32Array(3 * count);
  const plain = linear(DEFAULT_COLOUR);
  for (let vertex = 0; vertex < count; vertex++) {
    const rgb = skin.colors ? linear([...skin.colors.subarray(3 * vertex, 3 * vertex + 3)]) : plain;
    colours.set(rgb, 3 * vertex);
  }
  return colours;
}

/** Colour each vertex by the colours of its joints, weighted as in the skinning. */
function paint(target, skin, colours) {
  const ofJoint = skin.nearest.map((joint) => linear(colours[joint]));
  const { influences, weights } = skin;
  for (let vertex = 0; vertex < target.length / 3; vertex++) {
    let r = 0, g = 0, b = 0;
    for (let k = 4 * vertex; k < 4 * vertex + 4; k++) {
      const weight = weights[k] / WEIGHT_STEPS;
      const colour = ofJoint[influences[k]];
      r += weight * colour[0];
      g += weight * colour[1];
      b += weight * colour[2];
    }
    target[3 * vertex] = r;
    target[3 * vertex + 1] = g;
    target[3 * vertex + 2] = b;
  }
}
