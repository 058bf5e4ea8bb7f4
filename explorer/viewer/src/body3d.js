// A body: its skin hangs on 24 joints; each frame turns the joints, and the graphics card moves the skin along.
import {
  Bone, BufferAttribute, BufferGeometry, Color, Group, Matrix4, MeshLambertMaterial, Skeleton, SkinnedMesh,
} from "three";

const WEIGHT_STEPS = 65535;
const PLAIN = "#a9adb5"; // of a body that brings no colours

export class Body3D {
  group = new Group();
  #bones;
  #material = new MeshLambertMaterial({ vertexColors: true });
  #mesh;
  #veil; // writes depth only, so that a translucent body shows its outside and not its far side
  #own;

  constructor(body) {
    this.body = body;
    const { skin, rest } = body;
    this.#bones = makeBones(skin.parents, rest);
    const skeleton = new Skeleton(this.#bones, this.#bones.map((_, j) => new Matrix4().makeTranslation(-rest[3 * j], -rest[3 * j + 1], -rest[3 * j + 2])));
    const geometry = makeGeometry(body);
    this.#own = ownColours(skin, geometry.attributes.position.count);
    geometry.setAttribute("color", new BufferAttribute(this.#own.slice(), 3));
    this.#mesh = new SkinnedMesh(geometry, this.#material);
    this.#veil = new SkinnedMesh(geometry, new MeshLambertMaterial({ colorWrite: false }));
    this.#veil.renderOrder = 1;
    this.#mesh.renderOrder = 2;
    this.group.add(this.#bones[0]);
    for (const mesh of [this.#veil, this.#mesh]) {
      mesh.frustumCulled = false; // bounds are those of the rest pose
      mesh.bind(skeleton, new Matrix4());
      this.group.add(mesh);
    }
    this.opacity = 1;
  }

  set opacity(value) {
    this.#material.transparent = value < 1;
    this.#material.opacity = value;
    this.#material.needsUpdate = true;
    this.#veil.visible = value < 1;
  }

  /** In the camera's frame. */
  pose(frame) {
    const { turns, root } = this.body;
    this.#bones.forEach((bone, joint) => {
      const i = (frame * this.#bones.length + joint) * 4;
      bone.quaternion.set(turns[i], turns[i + 1], turns[i + 2], turns[i + 3]).normalize();
    });
    this.#bones[0].position.set(root[3 * frame], root[3 * frame + 1], root[3 * frame + 2]);
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
    this.#mesh.skeleton.dispose();
    this.#material.dispose();
    this.#veil.material.dispose();
  }
}

function makeBones(parents, rest) {
  const bones = parents.map(() => new Bone());
  parents.forEach((parent, joint) => {
    if (parent < 0) return;
    bones[parent].add(bones[joint]);
    bones[joint].position.set(...[0, 1, 2].map((axis) => rest[3 * joint + axis] - rest[3 * parent + axis]));
  });
  return bones;
}

function makeGeometry({ skin, vertices }) {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(vertices, 3));
  geometry.setAttribute("skinIndex", new BufferAttribute(skin.influences, 4));
  geometry.setAttribute("skinWeight", new BufferAttribute(skin.weights, 4, true));
  geometry.setIndex(new BufferAttribute(new Uint32Array(skin.faces), 1));
  geometry.computeVertexNormals();
  return geometry;
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
