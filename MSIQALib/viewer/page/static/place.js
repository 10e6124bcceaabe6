// Where the reader looks: one point in the patient (RAS, mm), shared by all views.

import { act, page } from "./state.js";

const { computed, reactive, watch } = window.Vue;
const REMEMBER_MS = 400;
const RIGHT = 0, ANTERIOR = 1, SUPERIOR = 2;

export const place = reactive({ ras: [0, 0, 0] });

export const slice = computed(() => (page.study ? sliceAt(place.ras[SUPERIOR]) : 0));

export function sliceAt(millimetres) {
  const { firstMm, stepMm, count } = page.study;
  return Math.min(Math.max(Math.round((millimetres - firstMm) / stepMm), 0), count - 1);
}

export const positionOf = (index) => page.study.firstMm + index * page.study.stepMm;

export function goTo(ras) {
  const [left, right, back, front] = page.study.bounds;
  const within = (value, low, high) => Math.min(Math.max(value, low), high);
  place.ras = [
    within(ras[RIGHT], left, right),
    within(ras[ANTERIOR], back, front),
    positionOf(sliceAt(ras[SUPERIOR])),
  ];
  remember();
}

export function goToSlice(index) {
  const last = page.study.count - 1;
  goTo([place.ras[RIGHT], place.ras[ANTERIOR], positionOf(Math.min(Math.max(index, 0), last))]);
}

/** Move by slices along an axis: 0 to the right, 1 to the front, 2 to the head. */
export function step(axis, slices) {
  if (axis === SUPERIOR) {
    goToSlice(slice.value + slices);
    return;
  }
  const ras = [...place.ras];
  ras[axis] += slices * page.study.spacing[axis];
  goTo(ras);
}

let timer = null;

function remember() {
  clearTimeout(timer);
  timer = setTimeout(() => act("remember", place.ras).catch(() => {}), REMEMBER_MS);
}

// A study that is opened begins where the reader left it, else in its middle.
watch(() => page.study, (study) => {
  if (!study) return;
  const [left, right, back, front, low, high] = study.bounds;
  const middle = [(left + right) / 2, (back + front) / 2, (low + high) / 2];
  const ras = page.place || middle;
  place.ras = [ras[0], ras[1], positionOf(sliceAt(ras[2]))];
}, { immediate: true });
