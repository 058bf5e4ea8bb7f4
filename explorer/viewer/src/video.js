// The video behind the joints; explorer/browser_video.py makes it with one picture per frame of the clip.

export class Video {
  onPicture = () => {}; // called when the requested picture is there
  #element = null;
  #size = null;
  #fps = 30;
  #wantedFrame = 0;
  #requestedFrame = -1;

  open(clip) {
    this.dispose();
    if (!clip.video) return;
    const { bytes, size, fps } = clip.video;
    this.#size = size;
    this.#fps = fps;
    this.#requestedFrame = -1;
    const element = document.createElement("video");
    Object.assign(element, { muted: true, playsInline: true, preload: "auto" });
    element.addEventListener("loadeddata", () => this.#requestFrame());
    element.addEventListener("seeked", () => this.#requestFrame());
    element.src = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    this.#element = element;
  }

  dispose() {
    if (this.#element) URL.revokeObjectURL(this.#element.src);
    this.#element?.removeAttribute("src");
    this.#element = null;
  }

  /** Request a frame; while one is being decoded, only the latest request is kept. */
  seek(frame) {
    this.#wantedFrame = frame;
    if (this.#element?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !this.#element.seeking) this.#requestFrame();
  }

  /** Draw the present picture where the image lies: [left, top, right, bottom] in the image's pixels, through `toScreen`. */
  draw(context, image, toScreen) {
    if (!(this.#element?.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA)) return;
    const [left, top, right, bottom] = image ?? [0, 0, ...this.#size];
    const [x0, y0] = toScreen(left, top);
    const [x1, y1] = toScreen(right, bottom);
    context.drawImage(this.#element, x0, y0, x1 - x0, y1 - y0);
  }

  #requestFrame() {
    if (this.#requestedFrame === this.#wantedFrame) {
      this.onPicture();
      return;
    }
    this.#requestedFrame = this.#wantedFrame;
    this.#element.currentTime = (this.#wantedFrame + 0.5) / this.#fps; // the middle of a picture's time: no rounding to a neighbour
  }
}
