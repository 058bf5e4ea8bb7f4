// Puts the parts together: one player, and everything that follows its frame.
import { readTheme } from "./colours.js";
import { keyAction } from "./keys.js";
import { Picture2D } from "./picture2d.js";
import { Player } from "./player.js";
import { Stage3D } from "./stage3d.js";
import { Timeline, amount } from "./timeline.js";
import styles from "./viewer.css";
import markup from "./viewer.html";

const SETTLE_MS = 250; // after the last scrub; each message to Python is a rerun there

export class Viewer {
  clip = null;
  measure = null;
  onSettled = () => {};
  #root;
  #player = new Player();
  #stage;
  #picture;
  #timeline;
  #theme;
  #listeners = new AbortController();
  #resizes;
  #settleTimer = 0;
  #settled = 0;

  constructor(parent) {
    this.#root = document.createElement("div");
    this.#root.className = "viewer";
    this.#root.tabIndex = 0;
    this.#root.setAttribute("aria-label", "Skeleton viewer. Space plays, arrow keys step.");
    this.#root.innerHTML = `<style>${styles}</style>${markup}`;
    parent.append(this.#root);
    this.#theme = this.#readTheme();
    this.#stage = new Stage3D(this.#find("canvas.stage"), this.#theme);
    this.#picture = new Picture2D(this.#find("canvas.picture"), this.#theme);
    this.#timeline = new Timeline(this.#find(".timeline"), this.#listeners.signal);
    this.#listen();
    this.#resizes = new ResizeObserver(() => this.#resize());
    for (const canvas of this.#root.querySelectorAll("canvas")) this.#resizes.observe(canvas);
  }

  open(clip) {
    this.clip = clip;
    const { measures, meta } = clip;
    const kept = measures.find((measure) => measure.key === this.measure?.key);
    this.measure = kept ?? measures[0];
    this.#find(".measure").replaceChildren(...measures.map((m) => new Option(m.label, m.key, false, m === this.measure)));
    this.#find(".slider").max = clip.frames - 1;
    this.#find(".has-image").hidden = !meta.has_image_size;
    this.#find(".has-truth").hidden = this.#find(".truth-key").hidden = !meta.has_truth;
    this.#find(".title").textContent = meta.name;
    this.#find(".subtitle").textContent = meta.subtitle;
    this.#find(".sentence").textContent = meta.sentence;
    this.#find(".sentence").hidden = !meta.sentence;
    this.#picture.open(clip);
    this.#stage.resize();
    this.#stage.open(clip, this.measure);
    this.#timeline.open(clip, this.measure, this.#theme);
    this.#player.load(clip.frames, meta.fps);
  }

  dispose() {
    this.#player.pause();
    clearTimeout(this.#settleTimer);
    this.#listeners.abort();
    this.#resizes.disconnect();
    this.#stage.dispose();
    this.#root.remove();
  }

  #find(selector) {
    return this.#root.querySelector(selector);
  }

  #listen() {
    const { signal } = this.#listeners;
    const on = (target, event, handler) => target.addEventListener(event, handler, { signal });
    this.#player.onFrame = (frame) => this.#show(frame);
    this.#player.onPlaying = (playing) => this.#showPlaying(playing);
    this.#timeline.onSeek = (frame) => this.#player.seek(frame);
    on(this.#root, "keydown", (event) => this.#key(event));
    on(this.#root, "click", (event) => this.#click(event));
    on(this.#root, "change", (event) => this.#change(event));
    on(this.#find(".slider"), "input", (event) => this.#player.seek(Number(event.target.value)));
    // The wheel zooms only after a click into the viewer: whoever scrolls past it must not get stuck on it.
    const letPageScroll = (event) => this.#root.matches(":focus-within") || event.stopPropagation();
    this.#find(".panel-3d").addEventListener("wheel", letPageScroll, { signal, capture: true });
    // Streamlit's theme switch may change only CSS variables, without a call to the component: look when it is used next.
    on(this.#root, "pointerenter", () => this.retheme());
  }

  #act(action) {
    const player = this.#player;
    const last = this.clip.frames - 1;
    const actions = {
      play: () => player.toggle(),
      back: () => player.step(-1),
      forward: () => player.step(1),
      back10: () => player.step(-10),
      forward10: () => player.step(10),
      first: () => player.seek(0),
      last: () => player.seek(last),
      worst: () => this.#seekWorst(),
      "worst-before": () => this.#stepWorst(-1),
      "worst-after": () => this.#stepWorst(1),
      "reset-view": () => this.#stage.resetView(),
    };
    actions[action]();
  }

  #seekWorst() {
    this.#player.pause();
    if (this.measure.worst.length) this.#player.seek(this.measure.worst[0]);
  }

  #stepWorst(direction) {
    const { frame } = this.#player;
    const ahead = this.measure.worst.filter((worst) => (worst - frame) * direction > 0);
    if (!ahead.length) return;
    this.#player.pause();
    this.#player.seek(direction > 0 ? Math.min(...ahead) : Math.max(...ahead));
  }

  #key(event) {
    const action = this.clip && keyAction(event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own
    this.#act(action);
  }

  #click(event) {
    const button = event.target.closest("[data-action]");
    if (!button || !this.clip) return;
    this.#act(button.dataset.action);
    // After a mouse click the keys belong to the viewer again: space must play, not press the same button once more.
    if (event.detail > 0) this.#root.focus({ preventScroll: true });
  }

  #change(event) {
    const { target } = event;
    if (target.matches(".speed")) this.#player.speed = Number(target.value);
    else if (target.matches(".loop")) this.#player.loop = target.checked;
    else if (target.matches(".measure")) this.#choose(target.value);
    else if (target.dataset.stage) this.#setStageOption(target.dataset.stage, target.checked);
    else if (target.dataset.picture) this.#picture.options[target.dataset.picture] = target.checked;
    else return;
    this.#show(this.#player.frame);
  }

  #setStageOption(name, value) {
    this.#stage.options[name] = value;
    if (name === "follow") {
      this.#stage.show(this.#player.frame);
      this.#stage.resetView();
    }
  }

  #choose(key) {
    this.measure = this.clip.measures.find((measure) => measure.key === key);
    this.#stage.measure = this.measure;
    this.#timeline.open(this.clip, this.measure, this.#theme);
  }

  #show(frame) {
    this.#stage.show(frame);
    this.#picture.show(frame);
    this.#timeline.show(frame);
    this.#find(".slider").value = frame;
    this.#root.dataset.frame = frame;
    this.#writeReadout(frame);
    if (!this.#player.playing) this.#settleSoon();
  }

  #writeReadout(frame) {
    const { frames, meta } = this.clip;
    const { measure } = this;
    this.#find(".frame-number").textContent = `${frame} / ${frames - 1}`;
    this.#find(".frame-time").textContent = `${(frame / meta.fps).toFixed(2)} s`;
    const summary = this.clip.summary(measure, frame);
    this.#find(".frame-mean").textContent = summary ? amount(summary.mean, measure.digits, measure.unit) : "no value";
    const worst = summary && `${meta.joints[summary.worst]} ${amount(summary.value, measure.digits, measure.unit)}`;
    this.#find(".frame-worst").textContent = worst ?? "–";
    this.#find(".nobody").hidden = this.clip.isPresent(frame);
  }

  #showPlaying(playing) {
    this.#root.classList.toggle("playing", playing);
    this.#find(".play").setAttribute("aria-label", playing ? "Pause" : "Play");
    if (!playing) this.#settleSoon();
  }

  #settleSoon() {
    clearTimeout(this.#settleTimer);
    this.#settleTimer = setTimeout(() => {
      const { frame, playing } = this.#player;
      if (playing || frame === this.#settled) return;
      this.#settled = frame;
      this.onSettled(frame);
    }, SETTLE_MS);
  }

  #resize() {
    if (!this.clip) return;
    this.#stage.resize();
    this.#timeline.resize();
    this.#picture.show(this.#player.frame);
  }

  /** Streamlit's theme, with our colours handed to the style sheet so that they are written down once. */
  #readTheme() {
    const theme = readTheme(this.#root);
    for (const [side, colour] of Object.entries(theme.sides)) this.#root.style.setProperty(`--${side}`, colour);
    this.#root.style.setProperty("--truth", theme.truth);
    return theme;
  }

  /** Follow a change of Streamlit's theme; does nothing when there is none. */
  retheme() {
    const theme = this.#readTheme();
    if (!this.clip || JSON.stringify(theme) === JSON.stringify(this.#theme)) return;
    this.#theme = theme;
    this.#stage.setTheme(theme);
    this.#picture.setTheme(theme);
    this.#timeline.open(this.clip, this.measure, theme);
    this.#show(this.#player.frame);
  }
}
