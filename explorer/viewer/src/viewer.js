// The viewer: one player, and the views, timeline and readout that follow its frame.
import { readTheme } from "./colours.js";
import { keyAction } from "./keys.js";
import { loadOptions, optionOf, saveOptions, showOptions } from "./options.js";
import { Picture2D } from "./picture2d.js";
import { Player } from "./player.js";
import { Stage3D } from "./stage3d.js";
import { Timeline, amount } from "./timeline.js";
import styles from "./viewer.css";
import markup from "./viewer.html";

const REPORT_DELAY_MS = 250; // after the last scrub; each message to Python is a rerun there
// Where drawing is slow, the readout follows every eighth frame only: the browser redraws everything between changed elements,
// which would be the whole page.
const READOUT_INTERVAL = 8;
const CHOICES = { layout: ["side", "over"], parts: ["both", "body", "skeleton"], colour: ["own", "errors", "candidates"] };

export class Viewer {
  clip = null;
  onRest = () => {};
  #root;
  #options = loadOptions();
  #player = new Player();
  #stage;
  #picture;
  #timeline;
  #theme;
  #listeners = new AbortController();
  #resizes;
  #reportTimer = 0;
  #reportedFrame = 0;
  #framesSinceReadout = 0;

  constructor(parent) {
    this.#root = document.createElement("div");
    this.#root.className = "viewer";
    this.#root.tabIndex = 0;
    this.#root.setAttribute("aria-label", "Viewer. Space plays, arrow keys step.");
    this.#root.innerHTML = `<style>${styles}</style>${markup}`;
    parent.append(this.#root);
    this.#theme = this.#readTheme();
    this.#stage = new Stage3D(this.#find("canvas.stage"), this.#theme);
    this.#root.classList.toggle("software", this.#stage.isInSoftware);
    this.#picture = new Picture2D(this.#find("canvas.picture"), this.#theme);
    this.#timeline = new Timeline(this.#find(".timeline"), this.#listeners.signal);
    this.#stage.options = this.#picture.options = this.#options;
    this.#listen();
    this.#resizes = new ResizeObserver(() => this.#resize());
    for (const canvas of this.#root.querySelectorAll("canvas")) this.#resizes.observe(canvas);
  }

  /** Show a clip from `frame` on. */
  open(clip, frame = 0) {
    this.clip = clip;
    const { candidates, meta } = clip;
    this.#find(".measure").replaceChildren(...candidates[0].measures.map((m) => new Option(m.label, m.key)));
    this.#find(".of").replaceChildren(...candidates.map(({ label }, number) => new Option(label, number)));
    this.#find(".slider").max = clip.frames - 1;
    this.#find(".title").textContent = meta.name;
    this.#find(".subtitle").textContent = meta.subtitle;
    this.#find(".sentence").textContent = meta.sentence;
    this.#find(".sentence").hidden = !meta.sentence;
    this.#reportedFrame = frame;
    this.#picture.open(clip);
    this.#stage.measures = this.#shownMeasures();
    this.#stage.open(clip);
    this.#applyOptions();
    this.#player.load(clip.frames, meta.fps, frame);
  }

  dispose() {
    this.#player.pause();
    clearTimeout(this.#reportTimer);
    this.#listeners.abort();
    this.#resizes.disconnect();
    this.#stage.dispose();
    this.#picture.dispose();
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
    on(this.#root, "input", (event) => this.#input(event));
    // The wheel zooms only after a click into the viewer, so that scrolling the page does not stop at it.
    const letPageScroll = (event) => this.#root.matches(":focus-within") || event.stopPropagation();
    this.#find(".panel-3d").addEventListener("wheel", letPageScroll, { signal, capture: true });
    // Streamlit's theme switch may change only CSS variables without calling the component: check when the viewer is used next.
    on(this.#root, "pointerenter", () => this.retheme());
  }

  /** The measure that colours show, of each candidate. */
  #shownMeasures() {
    const { candidates } = this.clip;
    const chosen = Math.max(0, candidates[0].measures.findIndex(({ key }) => key === this.#options.measure));
    return candidates.map(({ measures }) => measures[chosen]);
  }

  /** The measure of the error map and the readout. */
  get #mappedMeasure() {
    return this.#shownMeasures()[this.#mappedCandidate];
  }

  /** The candidate in the error map; a choice made for a pair may not exist for a single candidate. */
  get #mappedCandidate() {
    return Math.min(this.#options.of, this.clip.candidates.length - 1);
  }

  #act(action) {
    const player = this.#player;
    const actions = {
      play: () => player.toggle(),
      back: () => player.step(-1),
      forward: () => player.step(1),
      back10: () => player.step(-10),
      forward10: () => player.step(10),
      first: () => player.seek(0),
      last: () => player.seek(this.clip.frames - 1),
      worst: () => this.#seekWorst(),
      "worst-before": () => this.#stepWorst(-1),
      "worst-after": () => this.#stepWorst(1),
      "reset-view": () => this.#stage.resetView(),
      "switch-trails": () => this.#choose("trails", !this.#options.trails),
      "full-screen": () => (document.fullscreenElement ? document.exitFullscreen() : this.#root.requestFullscreen()),
      screenshot: () => this.#saveImage(),
    };
    if (actions[action]) actions[action]();
    else this.#chooseNext(action.replace("switch-", ""));
  }

  #chooseNext(name) {
    const values = CHOICES[name];
    this.#choose(name, values[(values.indexOf(this.#options[name]) + 1) % values.length]);
  }

  #seekWorst() {
    this.#player.pause();
    if (this.#mappedMeasure.worst.length) this.#player.seek(this.#mappedMeasure.worst[0]);
  }

  #stepWorst(direction) {
    const { frame } = this.#player;
    const ahead = this.#mappedMeasure.worst.filter((worst) => (worst - frame) * direction > 0);
    if (!ahead.length) return;
    this.#player.pause();
    this.#player.seek(direction > 0 ? Math.min(...ahead) : Math.max(...ahead));
  }

  async #saveImage() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await this.#stage.screenshot());
    link.download = `${this.clip.meta.name} ${this.#player.frame}.png`;
    link.click();
    URL.revokeObjectURL(link.href);
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
    // After a mouse click the viewer takes the keys again: space must play, not press the same button once more.
    if (event.detail > 0) this.#root.focus({ preventScroll: true });
  }

  #input(event) {
    if (!this.clip) return;
    if (event.target.matches(".slider")) {
      this.#player.seek(Number(event.target.value));
      return;
    }
    const option = optionOf(event.target);
    if (option) this.#choose(...option);
  }

  #choose(name, value) {
    this.#options[name] = value;
    // Overlaid figures are distinguished by colour, figures side by side by position.
    if (name === "layout" && this.#options.colour !== "errors") this.#options.colour = value === "over" ? "candidates" : "own";
    saveOptions(this.#options);
    this.#applyOptions();
    this.#show(this.#player.frame);
    if (name === "follow" || name === "layout") this.#stage.resetView();
  }

  #applyOptions() {
    const options = this.#options;
    const { candidates, meta } = this.clip;
    const isPair = candidates.length > 1;
    showOptions(this.#root, { ...options, measure: this.#mappedMeasure.key, of: this.#mappedCandidate });
    const hide = (selector, isHidden) => this.#root.querySelectorAll(selector).forEach((part) => (part.hidden = isHidden));
    hide(".pair-only", !isPair);
    hide(".over-only", !isPair || options.layout !== "over");
    hide(".body-only", candidates.every(({ body }) => body === null));
    hide(".has-image", !meta.has_image_size);
    hide(".has-video", !this.clip.video);
    hide(".has-truth, .truth-key", !this.clip.truth);
    hide(".side-key", options.colour !== "own");
    Object.assign(this.#player, { speed: options.speed, loop: options.loop });
    this.#stage.measures = this.#shownMeasures();
    this.#timeline.open(this.clip, this.#mappedMeasure, this.#theme);
    this.#writeLabels();
  }

  #writeLabels() {
    const { candidates } = this.clip;
    const labels = candidates.map(({ label }, number) => {
      const span = document.createElement("span");
      span.textContent = label;
      span.dataset.candidate = number;
      span.style.setProperty("--mark", this.#options.colour === "candidates" || candidates.length > 1 ? this.#theme.candidates[number] : "transparent");
      return span;
    });
    this.#find(".labels").replaceChildren(...labels);
    this.#find(".labels").classList.toggle("over", this.#stage.isOver);
  }

  #show(frame) {
    this.#stage.show(frame);
    this.#picture.show(frame);
    this.#root.dataset.frame = frame;
    if (this.#player.playing) this.#stage.tick(performance.now(), 1000 / (this.clip.meta.fps * this.#options.speed));
    else this.#reportFrameSoon();
    this.#framesSinceReadout += 1;
    if (this.#framesSinceReadout >= (this.#player.playing && this.#stage.isSlow ? READOUT_INTERVAL : 1)) this.#updateReadout(frame);
  }

  /** Update numbers and cursors to the shown frame. */
  #updateReadout(frame) {
    this.#framesSinceReadout = 0;
    this.#timeline.show(frame);
    this.#find(".slider").value = frame;
    this.#writeReadout(frame);
  }

  #writeReadout(frame) {
    const { frames, meta } = this.clip;
    const measure = this.#mappedMeasure;
    this.#find(".frame-number").textContent = `${frame} / ${frames - 1}`;
    this.#find(".frame-time").textContent = `${(frame / meta.fps).toFixed(2)} s`;
    const summary = this.clip.summary(measure, frame);
    this.#find(".frame-mean").textContent = summary ? amount(summary.mean, measure.digits, measure.unit) : "no value";
    const worst = summary && `${meta.joints[summary.worst]} ${amount(summary.value, measure.digits, measure.unit)}`;
    this.#find(".frame-worst").textContent = worst ?? "–";
    for (const label of this.#root.querySelectorAll(".labels span")) {
      label.classList.toggle("absent", !this.clip.isPresent(label.dataset.candidate, frame));
    }
  }

  #showPlaying(playing) {
    this.#root.classList.toggle("playing", playing);
    this.#find(".play").setAttribute("aria-label", playing ? "Pause" : "Play");
    this.#stage.setPlaying(playing);
    if (playing) return;
    this.#stage.show(this.#player.frame);
    this.#updateReadout(this.#player.frame);
    this.#reportFrameSoon();
  }

  #reportFrameSoon() {
    clearTimeout(this.#reportTimer);
    this.#reportTimer = setTimeout(() => {
      const { frame, playing } = this.#player;
      if (playing || frame === this.#reportedFrame) return;
      this.#reportedFrame = frame;
      this.onRest(frame);
    }, REPORT_DELAY_MS);
  }

  #resize() {
    if (!this.clip) return;
    this.#stage.resize();
    this.#timeline.resize();
    this.#picture.show(this.#player.frame);
  }

  /** Read Streamlit's theme, and set our colours in the style sheet. */
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
    this.#applyOptions();
    this.#show(this.#player.frame);
  }
}
