// A picture of the three views as they are, with what the corner says.

import { page } from "./state.js";
import { place, slice } from "./place.js";
import { VIEWS, frameOf } from "./frame.js";

const GAP = 8, FOOT = 44, HEAD = 40;
const INK = "#e6ebf0", GROUND = "#0b0e12", MUTED = "#9fabb7";

export function savePicture() {
  const scale = window.devicePixelRatio;
  const canvases = [...document.querySelectorAll("canvas[data-view]")];
  const width = canvases.reduce((sum, { width: own }) => sum + own + GAP * scale, -GAP * scale);
  const height = Math.max(...canvases.map(({ height: own }) => own)) + (HEAD + FOOT) * scale;
  const picture = Object.assign(document.createElement("canvas"), { width, height });
  const context = picture.getContext("2d");
  context.fillStyle = GROUND;
  context.fillRect(0, 0, width, height);
  const write = (text, x, y, size, colour) => {
    context.font = `${size * scale}px system-ui, sans-serif`;
    context.fillStyle = colour;
    context.fillText(text, x, y);
  };
  let x = 0;
  canvases.forEach((canvas) => {
    context.drawImage(canvas, x, HEAD * scale);
    write(canvas.dataset.view, x + 10 * scale, (HEAD + 22) * scale, 13, MUTED);
    const { left, right } = VIEWS[canvas.dataset.view].letters;
    write(left, x + 10 * scale, HEAD * scale + canvas.height / 2, 13, INK);
    write(right, x + canvas.width - 20 * scale, HEAD * scale + canvas.height / 2, 13, INK);
    x += canvas.width + GAP * scale;
  });
  const row = page.rows.find(([index]) => index === slice.value);
  const rating = row && row[2] !== null ? `${row[2].toFixed(2)} ${row[3]}` : "no score";
  const map = page.display.heatmap_shown && page.maps.includes(page.display.heatmap) ? ` · heatmap ${page.display.heatmap}` : "";
  write(`${page.study.name} · slice ${slice.value} · ${rating}${map}`, 10 * scale, 27 * scale, 17, INK);
  write(page.constants.disclaimer, 10 * scale, height - 17 * scale, 12, MUTED);
  picture.toBlob((blob) => {
    const url = URL.createObjectURL(blob);
    Object.assign(document.createElement("a"), { href: url, download: `msiqa-slice-${slice.value}.png` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }, "image/png");
}
