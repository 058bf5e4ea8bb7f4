// One stick figure: spheres and rods, drawn twice - solid where the detector saw the joint, faded where it did not.
import {
  Color, CylinderGeometry, Group, InstancedMesh, Matrix4, MeshStandardMaterial, Quaternion, SphereGeometry, Vector3,
} from "three";

const UP = new Vector3(0, 1, 0);
const NOTHING = new Matrix4().makeScale(0, 0, 0);

export class Skeleton3D {
  group = new Group();
  #solid;
  #faded;
  #points;
  #matrix = new Matrix4();
  #turn = new Quaternion();
  #middle = new Vector3();
  #along = new Vector3();
  #scale = new Vector3();

  constructor(bones, joints, { jointRadius, boneRadius, opacity = 1, fadedOpacity = 0.28 }) {
    this.bones = bones;
    this.#points = Array.from({ length: joints }, () => new Vector3());
    const sphere = new SphereGeometry(jointRadius, 20, 14);
    const rod = new CylinderGeometry(boneRadius, boneRadius, 1, 14);
    const layer = (alpha) => {
      // Depth is written even when translucent: crossing rods would otherwise add up to dark spots.
      const material = new MeshStandardMaterial({ roughness: 0.62, transparent: alpha < 1, opacity: alpha });
      const meshes = [new InstancedMesh(sphere, material, joints), new InstancedMesh(rod, material, bones.length)];
      for (const mesh of meshes) mesh.frustumCulled = false; // instances move, bounds would be stale
      this.group.add(...meshes);
      return { spheres: meshes[0], rods: meshes[1], material };
    };
    this.#solid = layer(opacity);
    this.#faded = layer(opacity * fadedOpacity);
  }

  /** `poses`: x, y, z of every joint of every frame; `isSolid(joint)`: was it observed. */
  pose(poses, frame, isSolid) {
    const points = this.#points;
    points.forEach((point, joint) => {
      point.fromArray(poses, (frame * points.length + joint) * 3);
      this.#matrix.makeTranslation(point);
      this.#place("spheres", joint, isSolid(joint));
    });
    this.bones.forEach(([parent, child], bone) => {
      this.#along.subVectors(points[child], points[parent]);
      const length = Math.max(this.#along.length(), 1e-6);
      this.#middle.addVectors(points[child], points[parent]).multiplyScalar(0.5);
      this.#turn.setFromUnitVectors(UP, this.#along.divideScalar(length));
      this.#matrix.compose(this.#middle, this.#turn, this.#scale.set(1, length, 1));
      this.#place("rods", bone, isSolid(parent) && isSolid(child));
    });
    for (const { spheres, rods } of [this.#solid, this.#faded]) {
      spheres.instanceMatrix.needsUpdate = rods.instanceMatrix.needsUpdate = true;
    }
  }

  /** Colours are CSS strings or [r, g, b] of 0 to 255. */
  colour(jointColours, boneColours) {
    for (const { spheres, rods } of [this.#solid, this.#faded]) {
      jointColours.forEach((colour, joint) => spheres.setColorAt(joint, toColor(colour)));
      boneColours.forEach((colour, bone) => rods.setColorAt(bone, toColor(colour)));
      spheres.instanceColor.needsUpdate = rods.instanceColor.needsUpdate = true;
    }
  }

  #place(part, index, solid) {
    this.#solid[part].setMatrixAt(index, solid ? this.#matrix : NOTHING);
    this.#faded[part].setMatrixAt(index, solid ? NOTHING : this.#matrix);
  }

  dispose() {
    for (const { spheres, rods, material } of [this.#solid, this.#faded]) {
      for (const mesh of [spheres, rods]) {
        mesh.geometry.dispose();
        mesh.dispose();
      }
      material.dispose();
    }
  }
}

const scratch = new Color();

function toColor(colour) {
  return typeof colour === "string" ? scratch.set(colour) : scratch.set(`rgb(${colour.map(Math.round)})`);
}
