// The 3D view: one canvas and one camera, with the candidates side by side or overlaid.
import {
  BufferGeometry, CircleGeometry, DirectionalLight, Float32BufferAttribute, Fog, GridHelper, HemisphereLight, LineBasicMaterial,
  LineSegments, Mesh, MeshBasicMaterial, PerspectiveCamera, Scene, WebGLRenderer,
} from "three";
import { OrbitControls } from "three/examples/jsm/controls/OrbitControls.js";
import { Figure3D } from "./figure3d.js";

const GRID_SIZE = 12; // metres
const CELL = 0.5; // metres
const FIELD_OF_VIEW = 32; // degrees; long enough a lens to keep limbs in proportion
const START_AZIMUTH = 0.45; // radians off the input camera: depth shows at once, left and right stay obvious
const START_ELEVATION = 0.16; // radians
const FRUSTUM_DEPTH = 0.6; // metres
const [NEAR, FAR] = [0.05, 200];
const SLOW_MS = 45; // per frame while playing; above it the view is drawn with fewer pixels
const MAX_DELAY_RATIO = 1.3; // of the time that frames take to the time that they should take
const MIN_PIXELS = 0.45; // per CSS pixel

export class Stage3D {
  clip = null;
  frame = 0;
  options = {};
  measures = []; // of each candidate, the measure that its colours show
  isInSoftware = isDrawnInSoftware();
  isSlow = this.isInSoftware; // frames come late while playing
  #canvas;
  #renderer;
  #scene = new Scene();
  #camera = new PerspectiveCamera(FIELD_OF_VIEW, 1, NEAR, FAR);
  #inputCamera = new PerspectiveCamera(FIELD_OF_VIEW, 1, NEAR, FAR);
  #controls;
  #grid = null;
  #shadow = new Mesh(new CircleGeometry(0.3, 40), new MeshBasicMaterial({ color: 0, transparent: true, opacity: 0.07 }));
  #frustum = new LineSegments(new BufferGeometry(), new LineBasicMaterial());
  #figures = [];
  #theme;
  #request = 0;
  #size = [1, 1];
  #pixels = Math.min(devicePixelRatio, 2); // per CSS pixel
  #playPixels = this.isInSoftware ? MIN_PIXELS : this.#pixels; // while playing; fewer where drawing is slow
  #isPlaying = false;
  #ticks = [];

  constructor(canvas, theme) {
    this.#canvas = canvas;
    this.#renderer = new WebGLRenderer({ canvas, antialias: !this.isInSoftware }); // opaque: the page behind it needs no blending
    this.#renderer.autoClear = false;
    this.#renderer.setPixelRatio(this.#pixels);
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.addEventListener("change", () => this.#requestDraw());
    canvas.addEventListener("webglcontextrestored", () => this.#requestDraw()); // a busy GPU process may lose the picture
    const sun = new DirectionalLight(0xffffff, 2.2);
    sun.position.set(1.5, 4, 3);
    this.#shadow.rotation.x = -Math.PI / 2;
    this.#scene.add(new HemisphereLight(0xffffff, 0x777788, 2.1), sun, this.#shadow);
    this.#scene.fog = new Fog(0, 1, 10);
    this.setTheme(theme);
  }

  get isOver() {
    return this.#figures.length > 1 && this.options.layout === "over";
  }

  setTheme(theme) {
    this.#theme = theme;
    this.#scene.fog.color.set(theme.panel);
    this.#renderer.setClearColor(theme.panel);
    this.#frustum.material.color.set(theme.truth);
    if (this.#grid) {
      this.#scene.remove(this.#grid);
      this.#grid.dispose();
    }
    this.#grid = new GridHelper(GRID_SIZE, GRID_SIZE / CELL, theme.dark ? "#555b66" : "#c3c7ce", theme.dark ? "#3b4049" : "#d9dce1");
    this.#scene.add(this.#grid);
    this.#requestDraw();
  }

  open(clip) {
    this.clip = clip;
    this.#clear();
    this.#figures = clip.candidates.map((_, candidate) => new Figure3D(clip, candidate));
    this.#scene.add(...this.#figures.map((figure) => figure.root));
    this.#shadow.scale.setScalar(clip.candidates[0].size.height / 1.8);
    this.#frustum.geometry.dispose();
    this.#frustum.geometry = frustumOf(clip.meta);
    this.resize();
    this.resetView();
  }

  /** Reset to a view near the input camera's, a little rotated, with the person (or the whole path) filling it. */
  resetView() {
    const sizes = this.clip.candidates.map(({ size }) => size);
    const largest = (name) => Math.max(...sizes.map((size) => size[name]));
    const height = largest("height");
    const width = largest("width") + (this.options.follow ? 0 : largest("travel"));
    const halfAngle = Math.tan((FIELD_OF_VIEW / 2) * Math.PI / 180);
    const distance = 1.16 * Math.max(height, width / Math.max(this.#aspect(), 0.3)) / 2 / halfAngle;
    this.#controls.target.set(0, height * 0.5, 0);
    this.#camera.position.setFromSphericalCoords(distance, Math.PI / 2 - START_ELEVATION, START_AZIMUTH).add(this.#controls.target);
    this.#controls.update();
    this.#requestDraw();
  }

  show(frame) {
    this.frame = frame;
    this.#figures.forEach((figure, candidate) => {
      figure.lowQuality = this.isSlow && this.#isPlaying;
      const alignment = this.isOver && candidate > 0 ? this.options.align : "none";
      figure.show(frame, this.options, this.measures[candidate], this.#theme, alignment);
      this.#anchor(figure, this.isOver ? this.#figures[0] : figure);
    });
    this.#controls.enabled = !this.options.fromCamera;
    this.#requestDraw();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    for (const figure of this.#figures) figure.setResolution(width, height);
    const isAsBefore = width === this.#size[0] && height === this.#size[1] && this.#pixels === this.#renderer.getPixelRatio();
    if (isAsBefore) return; // a new canvas gets its size twice, and setting it clears the picture
    const isFirst = this.#size[0] === 1;
    this.#size = [width, height];
    this.#renderer.setPixelRatio(this.#pixels);
    this.#renderer.setSize(width, height, false);
    if (isFirst && this.clip) this.resetView(); // the page was laid out after the clip was opened, so that its distance was wrong
    this.#requestDraw();
  }

  /** Measure the time between played frames, which should be `due` milliseconds; draw with fewer pixels where it is longer. */
  tick(now, due) {
    this.#ticks.push(now);
    if (this.#ticks.length < 12) return;
    const mean = (this.#ticks.at(-1) - this.#ticks[0]) / (this.#ticks.length - 1);
    this.#ticks = [];
    if (mean < Math.max(SLOW_MS, MAX_DELAY_RATIO * due)) return;
    this.isSlow = true;
    if (this.#playPixels <= MIN_PIXELS) return;
    this.#playPixels = Math.max(MIN_PIXELS, this.#playPixels * 0.75);
    this.#setPixels(this.#playPixels);
  }

  /** The present view as a PNG. */
  screenshot() {
    const kept = this.#pixels;
    this.#setPixels(Math.max(devicePixelRatio, 2));
    this.#draw();
    const picture = new Promise((resolve) => this.#canvas.toBlob(resolve, "image/png"));
    this.#setPixels(kept);
    return picture;
  }

  /** Draw a still view with all pixels, a moving one with as many as can be drawn in time. */
  setPlaying(playing) {
    this.#isPlaying = playing;
    this.#ticks = [];
    this.#setPixels(playing ? this.#playPixels : Math.min(devicePixelRatio, 2));
  }

  #setPixels(pixels) {
    if (pixels === this.#pixels) return;
    this.#pixels = pixels;
    this.resize();
  }

  #aspect() {
    const views = this.#figures.length > 1 && !this.isOver ? 2 : 1;
    return this.#size[0] / views / this.#size[1];
  }

  /** Move the point below the person, or the fixed centre of the path, to the scene's origin. */
  #anchor(figure, centre) {
    const { follow } = this.options;
    const known = follow && centre.isLifted;
    const [x, y, z] = known ? centre.ground(this.frame) : centre.candidate.centre;
    figure.root.position.set(-x, y, z);
    figure.anchor = [x, y, z];
  }

  #requestDraw() {
    this.#request ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#request = 0;
    if (!this.#figures.length) return;
    const [width, height] = this.#size;
    const views = this.isOver ? [this.#figures] : this.#figures.map((figure) => [figure]);
    const share = width / views.length;
    this.#renderer.setScissorTest(false);
    this.#renderer.clear();
    this.#renderer.setScissorTest(true);
    const wanted = this.#figures.map((figure) => figure.root.visible);
    views.forEach((shown, view) => {
      this.#figures.forEach((figure, i) => (figure.root.visible = wanted[i] && shown.includes(figure)));
      this.#placeScenery(shown[0]);
      this.#renderer.setViewport(view * share, 0, share, height);
      this.#renderer.setScissor(view * share, 0, share, height);
      this.#renderer.render(this.#scene, this.#cameraOf(shown[0], share / height));
    });
    this.#figures.forEach((figure, i) => (figure.root.visible = wanted[i]));
  }

  /** Place floor, shadow and input camera around this figure. */
  #placeScenery(figure) {
    const [x, , z] = figure.anchor;
    // The floor slides below a followed person, which shows how fast the person moves.
    this.#grid.position.set(-x % CELL, 0, z % CELL);
    const [px, , pz] = figure.ground(this.frame);
    this.#shadow.visible = figure.root.visible;
    this.#shadow.position.set(px - x, 0.002, z - pz);
    this.#frustum.visible = this.options.frustum && !this.options.fromCamera;
    if (this.#frustum.parent !== figure.root) figure.root.add(this.#frustum);
  }

  #cameraOf(figure, aspect) {
    const camera = this.options.fromCamera ? this.#inputCamera : this.#camera;
    if (this.options.fromCamera) {
      camera.position.copy(figure.root.position);
      const [left, right, top, bottom] = imageEdges(this.clip.meta, aspect).map((edge) => edge * NEAR);
      camera.projectionMatrix.makePerspective(left, right, -top, -bottom, NEAR, FAR);
      camera.projectionMatrixInverse.copy(camera.projectionMatrix).invert();
    } else {
      camera.aspect = aspect;
      camera.updateProjectionMatrix();
    }
    const distance = this.options.fromCamera ? figure.root.position.length() : camera.position.distanceTo(this.#controls.target);
    this.#scene.fog.near = distance;
    this.#scene.fog.far = distance + 6;
    return camera;
  }

  #clear() {
    this.#frustum.removeFromParent();
    for (const figure of this.#figures) {
      this.#scene.remove(figure.root);
      figure.dispose();
    }
  }

  dispose() {
    cancelAnimationFrame(this.#request);
    this.#clear();
    this.#grid.dispose();
    for (const { geometry, material } of [this.#shadow, this.#frustum]) {
      geometry.dispose();
      material.dispose();
    }
    this.#controls.dispose();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss(); // browsers allow few contexts and free them late
  }
}

/** Whether this browser draws without a graphics card; antialiasing would halve its frames per second. */
function isDrawnInSoftware() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const names = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = names ? gl.getParameter(names.UNMASKED_RENDERER_WEBGL) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}

/** Left, right, top and bottom edge of the image on the plane one metre in front of the camera, widened to `aspect`. */
function imageEdges({ camera, image }, aspect = null) {
  const { fx, fy, cx, cy } = camera;
  let [left, right, top, bottom] = [(image[0] - cx) / fx, (image[2] - cx) / fx, (image[1] - cy) / fy, (image[3] - cy) / fy];
  if (aspect === null) return [left, right, top, bottom];
  const wider = Math.max(0, (bottom - top) * aspect - (right - left)) / 2;
  const taller = Math.max(0, (right - left) / aspect - (bottom - top)) / 2;
  return [left - wider, right + wider, top - taller, bottom + taller];
}

/** The input camera as a pyramid, in its own frame. */
function frustumOf(meta) {
  const [left, right, top, bottom] = imageEdges(meta).map((edge) => edge * FRUSTUM_DEPTH);
  const corners = [[left, top], [right, top], [right, bottom], [left, bottom]].map((corner) => [...corner, FRUSTUM_DEPTH]);
  const lines = corners.flatMap((corner, i) => [[0, 0, 0], corner, corner, corners[(i + 1) % 4]]);
  const up = [[left, top], [(left + right) / 2, top - 0.3 * (bottom - top)], [right, top]].map((p) => [...p, FRUSTUM_DEPTH]);
  lines.push(up[0], up[1], up[1], up[2]); // a roof marks the upper side
  return new BufferGeometry().setAttribute("position", new Float32BufferAttribute(lines.flat(), 3));
}
