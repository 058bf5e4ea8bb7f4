// A skeleton of spheres and rods, drawn twice: solid where the joint was detected in 2D, faded where it was not.
import {
  Color, CylinderGeometry, Group, InstancedMesh, Matrix4, MeshLambertMaterial, Quaternion, SphereGeometry, Vector3,
} from "three";

const UP = new Vector3(0, 1, 0);

export class Skeleton3D {
  group = new Group();
  bones;
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
    const sphere = new SphereGeometry(jointRadius, 12, 8); // a dozen pixels on the screen; vertices cost where there is no GPU
    const rod = new CylinderGeometry(boneRadius, boneRadius, 1, 8, 1, true);
    const layer = (alpha) => {
      // Depth is written even when translucent: crossing rods would otherwise add up to dark spots.
      const material = new MeshLambertMaterial({ transparent: alpha < 1, opacity: alpha });
      const meshes = [new InstancedMesh(sphere, material, joints), new InstancedMesh(rod, material, bones.length)];
      for (const mesh of meshes) mesh.frustumCulled = false; // instances move, bounds would be stale
      this.group.add(...meshes);
      return { spheres: meshes[0], rods: meshes[1], material };
    };
    this.#solid = layer(opacity);
    this.#faded = layer(opacity * fadedOpacity);
  }

  /**
   * `poses`: x, y, z of every joint of every frame; `isSolid(joint)`: whether it was detected; colours of joints and bones are CSS
   * strings or [r, g, b] of 0 to 255.
   */
  show(poses, frame, isSolid, jointColours, boneColours) {
    const points = this.#points;
    for (const { spheres, rods } of [this.#solid, this.#faded]) spheres.count = rods.count = 0; // drawn are the first `count`
    points.forEach((point, joint) => {
      point.fromArray(poses, (frame * points.length + joint) * 3);
      this.#matrix.makeTranslation(point);
      this.#add("spheres", isSolid(joint), jointColours[joint]);
    });
    this.bones.forEach(([parent, child], bone) => {
      this.#along.subVectors(points[child], points[parent]);
      const length = Math.max(this.#along.length(), 1e-6);
      this.#middle.addVectors(points[child], points[parent]).multiplyScalar(0.5);
      this.#turn.setFromUnitVectors(UP, this.#along.divideScalar(length));
      this.#matrix.compose(this.#middle, this.#turn, this.#scale.set(1, length, 1));
      this.#add("rods", isSolid(parent) && isSolid(child), boneColours[bone]);
    });
    for (const { spheres, rods } of [this.#solid, this.#faded]) {
      for (const mesh of [spheres, rods]) {
        mesh.visible = mesh.count > 0;
        mesh.instanceMatrix.needsUpdate = true;
        if (mesh.instanceColor) mesh.instanceColor.needsUpdate = true;
      }
    }
  }

  #add(part, isSolid, colour) {
    const mesh = (isSolid ? this.#solid : this.#faded)[part];
    mesh.setMatrixAt(mesh.count, this.#matrix);
    mesh.setColorAt(mesh.count, toColor(colour));
    mesh.count += 1;
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
