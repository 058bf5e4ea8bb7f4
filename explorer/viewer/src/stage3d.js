// The 3D view. The clip is in the camera frame (x right, y down, z forward); three.js has y up, so y and z change sign.
import {
  CircleGeometry, DirectionalLight, Fog, GridHelper, HemisphereLight, Mesh, MeshBasicMaterial, PerspectiveCamera, Scene,
  Vector3, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { cividis } from "./colours.js";
import { Skeleton3D } from "./skeleton3d.js";

const GRID_SIZE = 12; // metres
const CELL = 0.5; // metres
const ADULT = 1.8; // metres, with head room
const FIELD_OF_VIEW = 32; // degrees; long enough a lens to keep limbs in proportion
const START_AZIMUTH = 0.45; // radians off the input camera: depth shows at once, left and right stay obvious
const START_ELEVATION = 0.16; // radians

export class Stage3D {
  options = { truth: true, follow: true, errors: false };
  #canvas;
  #renderer;
  #scene = new Scene();
  #camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, 0.05, 200);
  #controls;
  #grid = null;
  #shadow = new Mesh(new CircleGeometry(0.3, 40), new MeshBasicMaterial({ color: 0, transparent: true, opacity: 0.07 }));
  #prediction = null;
  #truth = null;
  #points = [];
  #anchor = new Vector3();
  #theme;
  #request = 0;

  constructor(canvas, theme) {
    this.#canvas = canvas;
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.#renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.addEventListener("change", () => this.#requestDraw());
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(1.5, 4, 3);
    this.#shadow.rotation.x = -Math.PI / 2;
    this.#scene.add(new HemisphereLight(0xffffff, 0x777788, 2.1), sun, this.#shadow);
    this.#scene.fog = new Fog(0, 1, 10);
    this.setTheme(theme);
  }

  setTheme(theme) {
    this.#theme = theme;
    this.#scene.fog.color.set(theme.panel);
    if (this.#grid) {
      this.#scene.remove(this.#grid);
      this.#grid.dispose();
    }
    this.#grid = new GridHelper(GRID_SIZE, GRID_SIZE / CELL, theme.dark ? "#555b66" : "#c3c7ce", theme.dark ? "#3b4049" : "#d9dce1");
    this.#scene.add(this.#grid);
    this.#requestDraw();
  }

  open(clip, measure) {
    this.clip = clip;
    this.measure = measure;
    this.#clear();
    const { joints, meta: { bones, size } } = clip;
    const unit = size.height / ADULT; // a child, or a figure of unknown scale, is drawn as slender as an adult
    this.#shadow.scale.setScalar(unit);
    this.#prediction = new Skeleton3D(bones, joints, { jointRadius: 0.03 * unit, boneRadius: 0.0165 * unit });
    const thin = { jointRadius: 0.013 * unit, boneRadius: 0.008 * unit, opacity: 0.75, fadedOpacity: 1 };
    this.#truth = new Skeleton3D(bones, joints, thin);
    this.#scene.add(this.#prediction.group, this.#truth.group);
    this.#points = Array.from({ length: joints }, () => new Vector3());
    this.resetView();
  }

  /** Back to the side of the input camera, a little turned, with the person (or the whole path) filling the view. */
  resetView() {
    const { size } = this.clip.meta;
    const tall = size.height;
    const wide = this.options.follow ? size.width : size.travel + size.width;
    const halfAngle = Math.tan((FIELD_OF_VIEW / 2) * Math.PI / 180);
    const distance = 1.16 * Math.max(tall, wide / Math.max(this.#camera.aspect, 0.3)) / 2 / halfAngle;
    this.#controls.target.set(0, tall * 0.5, 0);
    this.#camera.position.setFromSphericalCoords(distance, Math.PI / 2 - START_ELEVATION, START_AZIMUTH).add(this.#controls.target);
    this.#controls.update();
    this.#requestDraw();
  }

  show(frame) {
    this.frame = frame;
    const { clip } = this;
    const present = clip.isPresent(frame);
    this.#prediction.group.visible = this.#shadow.visible = present;
    this.#truth.group.visible = present && this.options.truth && this.measure.truth !== null;
    if (present) {
      this.#placeAnchor(frame);
      this.#prediction.pose(this.#read(clip.pose, frame), (joint) => clip.confidence[frame * clip.joints + joint] > 0);
      this.#shadow.position.set(this.#points[0].x, 0.002, this.#points[0].z);
      this.#colour(frame);
      if (this.#truth.group.visible) this.#truth.pose(this.#read(this.measure.truth, frame), () => true);
    }
    this.#requestDraw();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    this.#renderer.setSize(width, height, false);
    this.#camera.aspect = width / height;
    this.#camera.updateProjectionMatrix();
    this.#requestDraw();
  }

  /** The point of the camera frame that becomes the origin: under the person, or one fixed place of the path. */
  #placeAnchor(frame) {
    const { pose, ground, joints, meta } = this.clip;
    const pelvis = frame * joints * 3;
    if (this.options.follow) this.#anchor.set(pose[pelvis], ground[frame], pose[pelvis + 2]);
    else this.#anchor.fromArray(meta.centre);
    // The floor slides under a followed person, which shows that (and how fast) they travel.
    this.#grid.position.set(-this.#anchor.x % CELL, 0, this.#anchor.z % CELL);
  }

  #read(array, frame) {
    const { x, y, z } = this.#anchor;
    const offset = frame * this.clip.joints * 3;
    this.#points.forEach((point, joint) => {
      const i = offset + joint * 3;
      point.set(array[i] - x, y - array[i + 1], z - array[i + 2]);
    });
    return this.#points;
  }

  #colour(frame) {
    const { meta, joints } = this.clip;
    const { sides, truth } = this.#theme;
    const { values, top } = this.measure;
    const bySide = meta.sides.map((side) => sides[side]);
    const byError = (_, joint) => {
      const value = values[frame * joints + joint];
      return Number.isFinite(value) ? cividis(value / top) : truth;
    };
    const boneColours = meta.bones.map(([, child]) => bySide[child]);
    this.#prediction.colour(this.options.errors ? bySide.map(byError) : bySide, boneColours);
    this.#truth.colour(bySide.map(() => truth), boneColours.map(() => truth));
  }

  #requestDraw() {
    if (!this.#request) this.#request = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#request = 0;
    const distance = this.#camera.position.distanceTo(this.#controls.target);
    this.#scene.fog.near = distance;
    this.#scene.fog.far = distance + 6;
    this.#renderer.render(this.#scene, this.#camera);
  }

  #clear() {
    for (const skeleton of [this.#prediction, this.#truth]) {
      if (!skeleton) continue;
      this.#scene.remove(skeleton.group);
      skeleton.dispose();
    }
  }

  dispose() {
    cancelAnimationFrame(this.#request);
    this.#clear();
    this.#grid.dispose();
    this.#shadow.geometry.dispose();
    this.#shadow.material.dispose();
    this.#controls.dispose();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss(); // browsers allow few contexts and free them late
  }
}
