// Pictures of one view: one at a time, the newest wish wins. While slices pass they are as large as
// the line and the server manage in time; when the reader stops, a full one follows.

import { call } from "./state.js";

const PICTURE_MS = 55;
const STILL_AFTER_MS = 140;
const MOST_PIXELS = 960;
const LEAST_PIXELS = 256;

export class Pictures {
  constructor(view, onPicture) {
    this.view = view;
    this.onPicture = onPicture;
    this.budget = 512;
    this.wanted = null;
    this.busy = false;
    this.shown = 0;
  }

  /** Ask for the picture of a frame. */
  want(frame, { moving }) {
    this.wanted = { frame, still: !moving };
    clearTimeout(this.timer);
    if (moving) {
      this.timer = setTimeout(() => this.want(frame, { moving: false }), STILL_AFTER_MS);
    }
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.wanted) {
      const { frame, still } = this.wanted;
      this.wanted = null;
      try {
        await this.fetch(frame, still);
      } catch (error) {
        console.warn("No picture", error);
      }
    }
    this.busy = false;
  }

  async fetch(frame, still) {
    const longest = Math.max(frame.width, frame.height) * window.devicePixelRatio;
    const share = Math.min(longest, still ? MOST_PIXELS : this.budget) / Math.max(frame.width, frame.height);
    const width = Math.max(Math.round(frame.width * share), 16);
    const height = Math.max(Math.round(frame.height * share), 16);
    const started = performance.now();
    const bytes = await call("msiqa.picture", {
      view: this.view, width, height, centre: frame.centre, mm: frame.mm * (frame.width / width), still,
    });
    if (!bytes || !bytes.byteLength) return;
    const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
    if (!still) this.adapt(performance.now() - started);
    this.shown += 1;
    this.onPicture(bitmap, frame, still && !this.wanted);
  }

  adapt(milliseconds) {
    const factor = Math.min(Math.max(Math.sqrt(PICTURE_MS / milliseconds), 0.8), 1.15);
    this.budget = Math.min(Math.max(this.budget * factor, LEAST_PIXELS), MOST_PIXELS);
  }
}
