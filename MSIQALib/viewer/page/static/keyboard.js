// Keys that work anywhere on the page, but where a control wants them for itself.

import { changeDisplay, page } from "./state.js";
import { goToSlice, slice } from "./place.js";

const FAR = 10;
const FIRST_MAP = "F3";

let rank = 0;

/** The worst slice; from there the next worst, and so on, until the reader goes elsewhere. */
export function nextWorst() {
  const worst = page.rows.filter(([, , score]) => score !== null).sort((a, b) => a[2] - b[2]).map(([index]) => index);
  if (!worst.length) return;
  rank = worst[rank] === slice.value ? (rank + 1) % worst.length : 0;
  goToSlice(worst[rank]);
}

export function toggleHeatmap() {
  if (!page.maps.length) return;
  const heatmap = page.maps.includes(page.display.heatmap) ? page.display.heatmap : FIRST_MAP;
  changeDisplay({ heatmap, heatmap_shown: !page.display.heatmap_shown });
}

const KEYS = {
  ArrowUp: () => goToSlice(slice.value + 1),
  ArrowRight: () => goToSlice(slice.value + 1),
  ArrowDown: () => goToSlice(slice.value - 1),
  ArrowLeft: () => goToSlice(slice.value - 1),
  PageUp: () => goToSlice(slice.value + FAR),
  PageDown: () => goToSlice(slice.value - FAR),
  Home: () => goToSlice(0),
  End: () => goToSlice(page.study.count - 1),
  " ": toggleHeatmap,
  w: nextWorst,
};

const WANTS_ALL = "select, input, textarea, [contenteditable]";
const WANTS_SPACE = "button, summary, a";

// A control that was used by mouse gives the keys back: arrows and space then mean slices and
// heatmap again, not the slider that was moved or the button that was clicked.
let byPointer = false;

const LISTENERS = {
  keydown: onKey,
  pointerdown: () => { byPointer = true; },
  change: ({ target }) => { if (byPointer) target.blur(); },
  click: ({ target }) => { if (byPointer && target.closest("button")) target.closest("button").blur(); },
};

export function listen() {
  Object.entries(LISTENERS).forEach(([name, handler]) => window.addEventListener(name, handler, { capture: true }));
}

export function stopListening() {
  Object.entries(LISTENERS).forEach(([name, handler]) => window.removeEventListener(name, handler, { capture: true }));
}

function onKey(event) {
  byPointer = false;
  const action = KEYS[event.key];
  if (!action || !page.study || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest(WANTS_ALL)) return;
  if (event.key === " " && event.target.closest(WANTS_SPACE)) return;
  event.preventDefault();
  action();
}

export const KeysMenu = {
  template: `
    <details class="menu" @focusout="$event.currentTarget.open = false">
      <summary aria-label="Keys and mouse" title="Keys and mouse">?</summary>
      <dl class="menu__list menu__list--keys">
        <dt><kbd>↑</kbd> <kbd>↓</kbd> or wheel</dt><dd>next slice</dd>
        <dt><kbd>PgUp</kbd> <kbd>PgDn</kbd></dt><dd>ten slices</dd>
        <dt><kbd>Home</kbd> <kbd>End</kbd></dt><dd>feet, head</dd>
        <dt><kbd>w</kbd></dt><dd>next worst slice</dd>
        <dt><kbd>space</kbd></dt><dd>heatmap on, off</dd>
        <dt>click, drag</dt><dd>crosshair in all views</dd>
        <dt>right drag</dt><dd>CT window</dd>
        <dt>middle or <kbd>Shift</kbd> drag</dt><dd>move the image</dd>
        <dt><kbd>Ctrl</kbd> wheel</dt><dd>zoom</dd>
        <dt>double click</dt><dd>fit the image</dd>
      </dl>
    </details>`,
};
