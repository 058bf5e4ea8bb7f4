// A body: its skin hangs on 24 joints. Each frame turns the joints, and the skin is moved along here (linear blend skinning), not
// by the graphics card: two bodies take 2 ms, drawing needs the result twice, and a browser without a card skins much more slowly.
import { BufferAttribute, BufferGeometry, Color, DynamicDrawUsage, Group, Mesh, MeshBasicMaterial, MeshLambertMaterial } from "three";

const WEIGHT_STEPS = 65535;
const COARSE = 0.03; // metres
const BEHIND = { polygonOffset: true, polygonOffsetFactor: 1, polygonOffsetUnits: 1 }; // so that the skin never hides in its own veil
const PLAIN = "#a9adb5"; // of a body that brings no colours

export class Body3D {
  group = new Group();
  #material = new MeshLambertMaterial({ vertexColors: true });
  #mesh;
  #veil; // writes depth only, so that a translucent body shows its outside and not its far side
  #own;
  #restNormals;
  #fine; // triangles
  #coarse;
  #moves; // of each joint: 3 x 3 turn, then shift, from rest to now

  constructor(body) {
    this.body = body;
    const geometry = makeGeometry(body);
    this.#fine = geometry.index;
    this.#coarse = new BufferAttribute(coarseFaces(body.skin, body.vertices), 1);
    this.#restNormals = geometry.attributes.normal.array.slice();
    this.#moves = new Float32Array(12 * body.skin.parents.length);
    this.#own = ownColours(body.skin, geometry.attributes.position.count);
    geometry.setAttribute("color", new BufferAttribute(this.#own.slice(), 3));
    this.#mesh = new Mesh(geometry, this.#material);
    this.#veil = new Mesh(geometry, new MeshBasicMaterial({ colorWrite: false, ...BEHIND }));
    this.#veil.renderOrder = 1;
    this.#mesh.renderOrder = 2;
    for (const mesh of [this.#veil, this.#mesh]) mesh.frustumCulled = false; // bounds are those of the rest pose
    this.group.add(this.#veil, this.#mesh);
    this.#veil.visible = false;
  }

  set opacity(value) {
    if (value === this.#material.opacity) return; // a material that has changed is compiled again
    this.#material.transparent = value < 1;
    this.#material.opacity = value;
    this.#material.needsUpdate = true;
  }

  /**
   * Drawn fast rather than well: with a third of the triangles, and without the veil (a limb before the trunk of a translucent
   * body may look a little denser then).
   */
  set isHurried(value) {
    this.#veil.visible = !value && this.#material.opacity < 1;
    const index = value ? this.#coarse : this.#fine;
    if (this.#mesh.geometry.index !== index) this.#mesh.geometry.setIndex(index);
  }

  /** In the camera's frame. */
  pose(frame) {
    const { skin, rest, turns, root, vertices } = this.body;
    const count = skin.parents.length;
    turnJoints(this.#moves, skin.parents, rest, turns.subarray(4 * count * frame, 4 * count * (frame + 1)), root.subarray(3 * frame, 3 * frame + 3));
    const { position, normal } = this.#mesh.geometry.attributes;
    moveSkin(position.array, normal.array, vertices, this.#restNormals, skin, this.#moves);
    position.needsUpdate = normal.needsUpdate = true;
  }

  /** `colours`: a CSS string or [r, g, b] (0 to 255) for each of the 17 joints; null for the body's own colours. */
  colour(colours) {
    const { color } = this.#mesh.geometry.attributes;
    if (colours) paint(color.array, this.body.skin, colours);
    else color.array.set(this.#own);
    color.needsUpdate = true;
  }

  dispose() {
    this.#mesh.geometry.dispose();
    this.#material.dispose();
    this.#veil.material.dispose();
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

/** Triangles between one vertex of every cell of space and bone: neighbours on other bones must not be welded together. */
function coarseFaces({ faces, influences }, vertices) {
  const first = new Map();
  const chosen = new Uint32Array(vertices.length / 3);
  for (let vertex = 0; vertex < chosen.length; vertex++) {
    const cell = [0, 1, 2].map((axis) => Math.round(vertices[3 * vertex + axis] / COARSE));
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

/** Where each joint's turn and shift take what was at rest; `quaternions` (x, y, z, w) are against the parents. */
function turnJoints(moves, parents, rest, quaternions, root) {
  const places = new Float32Array(3 * parents.length);
  parents.forEach((parent, joint) => {
    const [x, y, z, w] = unit(quaternions, 4 * joint);
    const own = [
      1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
      2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
      2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ];
    const [m, o] = [12 * joint, 12 * parent];
    for (let row = 0; row < 3; row++) {
      for (let column = 0; column < 3; column++) {
        moves[m + 3 * row + column] = parent < 0 ? own[3 * row + column]
          : moves[o + 3 * row] * own[column] + moves[o + 3 * row + 1] * own[3 + column] + moves[o + 3 * row + 2] * own[6 + column];
      }
      places[3 * joint + row] = parent < 0 ? root[row] : places[3 * parent + row] + bone(moves, o + 3 * row, rest, parent, joint);
    }
    for (let row = 0; row < 3; row++) {
      const turned = moves[m + 3 * row] * rest[3 * joint] + moves[m + 3 * row + 1] * rest[3 * joint + 1] + moves[m + 3 * row + 2] * rest[3 * joint + 2];
      moves[m + 9 + row] = places[3 * joint + row] - turned;
    }
  });
}

/** One coordinate of the bone from parent to child, turned as the parent is. */
function bone(moves, row, rest, parent, child) {
  let sum = 0;
  for (let axis = 0; axis < 3; axis++) sum += moves[row + axis] * (rest[3 * child + axis] - rest[3 * parent + axis]);
  return sum;
}

function unit(values, start) {
  const four = values.subarray(start, start + 4);
  const length = Math.hypot(...four) || 1;
  return [four[0] / length, four[1] / length, four[2] / length, four[3] / length];
}

/** Linear blend skinning: every vertex by the weighted mean of the moves of up to four joints. */
function moveSkin(positions, normals, rest, restNormals, { influences, weights }, moves) {
  const blend = new Float32Array(12);
  for (let vertex = 0; vertex < rest.length / 3; vertex++) {
    blend.fill(0);
    for (let k = 4 * vertex; k < 4 * vertex + 4; k++) {
      const weight = weights[k] / WEIGHT_STEPS;
      if (weight === 0) continue;
      const m = 12 * influences[k];
      for (let i = 0; i < 12; i++) blend[i] += weight * moves[m + i];
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
  const plain = linear(PLAIN);
  for (let vertex = 0; vertex < count; vertex++) {
    const rgb = skin.colors ? linear([...skin.colors.subarray(3 * vertex, 3 * vertex + 3)]) : plain;
    colours.set(rgb, 3 * vertex);
  }
  return colours;
}

/** Each vertex takes the colours of the joints that move it, in the proportion in which they do. */
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
