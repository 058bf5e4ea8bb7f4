// The source video behind the joints: explorer/browser_video.py made it with one picture per frame of the clip.

export class Video {
  onPicture = () => {}; // a picture that was asked for is there
  #element = null;
  #size = null;
  #fps = 30;
  #wanted = 0;
  #asked = -1;

  open(clip) {
    this.dispose();
    if (!clip.video) return;
    const { bytes, size, fps } = clip.video;
    this.#size = size;
    this.#fps = fps;
    this.#asked = -1;
    const element = document.createElement("video");
    Object.assign(element, { muted: true, playsInline: true, preload: "auto" });
    element.addEventListener("loadeddata", () => this.#next());
    element.addEventListener("seeked", () => this.#next());
    element.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    this.#element = element;
  }

  dispose() {
    if (this.#element) URL.revokeObjectURL(this.#element.src);
    this.#element?.removeAttribute("src");
    this.#element = null;
  }

  /** Ask for a frame; while one is on its way, only the latest wish is kept. */
  seek(frame) {
    this.#wanted = frame;
    if (this.#element?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !this.#element.seeking) this.#next();
  }

  /** Draw the picture at hand where the image lies: [left, top, right, bottom] in the image's pixels, through `toScreen`. */
  draw(context, image, toScreen) {
    if (!(this.#element?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA)) return;
    const [left, top, right, bottom] = image ?? [0, 0, ...this.#size];
    const [x0, y0] = toScreen(left, top);
    const [x1, y1] = toScreen(right, bottom);
    context.drawImage(this.#element, x0, y0, x1 - x0, y1 - y0);
  }

  #next() {
    if (this.#asked === this.#wanted) {
      this.onPicture();
      return;
    }
    this.#asked = this.#wanted;
    this.#element.currentTime = (this.#wanted + 0.5) / this.#fps; // the middle of a picture's time: no rounding to a neighbour
  }
}
