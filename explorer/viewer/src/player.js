// The clock. Playback follows the wall clock and drops frames, so that speed stays right on a slow machine.

export class Player {
  frame = 0;
  playing = false;
  speed = 1;
  loop = true;
  onFrame = () => {};
  onPlaying = () => {};

  #frames = 1;
  #fps = 30;
  #position = 0; // fractional frame
  #lastTick = 0;
  #request = 0;

  load(frames, fps, frame) {
    this.pause();
    this.#frames = frames;
    this.#fps = fps;
    this.seek(frame);
  }

  seek(frame) {
    this.#position = Math.min(Math.max(frame, 0), this.#frames - 1);
    this.frame = Math.floor(this.#position);
    this.onFrame(this.frame);
  }

  step(count) {
    this.pause();
    this.seek(this.frame + count);
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    if (this.frame === this.#frames - 1) this.seek(0);
    this.playing = true;
    this.onPlaying(true);
    this.#lastTick = performance.now();
    this.#request = requestAnimationFrame(this.#tick);
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    cancelAnimationFrame(this.#request);
    this.onPlaying(false);
  }

  #tick = (now) => {
    let position = this.#position + Math.max(0, now - this.#lastTick) / 1000 * this.#fps * this.speed;
    this.#lastTick = now;
    const atEnd = position >= this.#frames;
    if (atEnd) position = this.loop ? position % this.#frames : this.#frames - 1;
    const frame = Math.floor(position);
    this.#position = position;
    if (frame !== this.frame) {
      this.frame = frame;
      this.onFrame(frame);
    }
    if (atEnd && !this.loop) this.pause();
    else if (this.playing) this.#request = requestAnimationFrame(this.#tick);
  };
}
