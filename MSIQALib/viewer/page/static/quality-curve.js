// The score along the patient: feet on the left, head on the right. It grows while slices come.

import { page } from "./state.js";
import { goToSlice, positionOf, slice, sliceAt } from "./place.js";
import { colourOf } from "./colour-scale.js";

const { computed, onBeforeUnmount, onMounted, reactive, ref } = window.Vue;
const ROOM = { left: 3.3, right: 7.9, top: 1.05, bottom: 2.75 };  // around the plot, in text sizes
const LEAST = { width: 15, height: 5 };
const WORST = 5;
const ABOUT_TICKS = 10;
const DOTS_UP_TO = 160;

export const QualityCurve = {
  setup() {
    const box = ref(null);
    const size = reactive({ width: 0, height: 0 });
    const hovered = ref(null);

    // The drawing grows with the text.
    const em = ref(16);
    const margin = computed(() => Object.fromEntries(Object.entries(ROOM).map(([side, ems]) => [side, ems * em.value])));
    const limits = computed(() => {
      const half = page.study.stepMm / 2;
      return [page.study.firstMm - half, positionOf(page.study.count - 1) + half];
    });
    const right = computed(() => size.width - margin.value.right);
    const bottom = computed(() => size.height - margin.value.bottom);
    const x = (mm) => margin.value.left + ((mm - limits.value[0]) / (limits.value[1] - limits.value[0])) * (right.value - margin.value.left);
    const y = (score) => {
      const [low, high] = page.constants.scoreRange;
      return bottom.value - ((score - low) / (high - low)) * (bottom.value - margin.value.top);
    };

    const scored = computed(() => page.rows.filter(([, , score]) => score !== null));
    const stretches = computed(() => {
      const found = [];
      scored.value.forEach((row, at) => {
        if (!at || row[0] !== scored.value[at - 1][0] + 1) found.push([]);
        found[found.length - 1].push([x(row[1]), y(row[2])]);
      });
      return found;
    });
    const line = (points) => points.map(([px, py], at) => `${at ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
    const curve = computed(() => stretches.value.map(line).join(""));
    // The area between curve and threshold; a clip path keeps what lies under the line.
    const area = computed(() => stretches.value.filter((points) => points.length > 1).map((points) => {
      const top = y(page.constants.threshold);
      return `${line(points)}L${points[points.length - 1][0].toFixed(1)} ${top}L${points[0][0].toFixed(1)} ${top}Z`;
    }).join(""));
    const gaps = computed(() => {
      const found = [];
      page.rows.filter(([, , score]) => score === null).forEach(([index, position, , , reason]) => {
        const last = found[found.length - 1];
        if (last && last.reason === reason && last.index === index - 1) Object.assign(last, { index, end: position });
        else found.push({ index, start: position, end: position, reason });
      });
      const half = page.study.stepMm / 2;
      return found.map(({ start, end, reason }) => ({ x: x(start - half), width: x(end + half) - x(start - half), reason }));
    });
    const bands = computed(() => page.constants.words.map((word, score) => ({
      word, score, y: y(score), colour: colourOf(score), under: score < page.constants.threshold,
    })));
    const worst = computed(() => [...scored.value].sort((a, b) => a[2] - b[2]).slice(0, WORST));
    const ticks = computed(() => {
      const [low, high] = limits.value;
      const raw = (high - low) / ABOUT_TICKS, power = 10 ** Math.floor(Math.log10(raw));
      const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw);
      const all = [];
      for (let mm = Math.ceil(low / step) * step; mm <= high; mm += step) all.push(mm);
      return all;
    });
    const rowAt = (index) => page.rows.find(([at]) => at === index) || [index, positionOf(index), null, "", ""];
    const current = computed(() => rowAt(slice.value));
    const words = ([index, position, score, word, reason]) => {
      const rating = score === null ? reason || "no score yet" : `${score.toFixed(2)} ${word}`;
      return `Slice ${index}, ${position.toFixed(0)} mm: ${rating}`;
    };
    const tip = computed(() => {
      if (hovered.value === null) return null;
      const row = rowAt(hovered.value), px = x(row[1]);
      return { row, x: px, y: row[2] === null ? y(page.constants.scoreRange[0]) : y(row[2]), end: px > right.value - 12 * em.value };
    });

    const indexAt = (event) => {
      const px = event.clientX - box.value.getBoundingClientRect().left;
      const share = (px - margin.value.left) / (right.value - margin.value.left);
      return sliceAt(limits.value[0] + share * (limits.value[1] - limits.value[0]));
    };
    const point = (event) => {
      hovered.value = indexAt(event);
      if (event.buttons & 1) goToSlice(hovered.value);
    };

    let observer = null;
    onMounted(() => {
      observer = new ResizeObserver(([{ contentRect }]) => {
        em.value = parseFloat(getComputedStyle(box.value).fontSize);
        Object.assign(size, { width: contentRect.width, height: contentRect.height });
      });
      observer.observe(box.value);
    });
    onBeforeUnmount(() => observer.disconnect());

    return {
      DOTS_UP_TO, area, bands, bottom, box, current, curve, em, gaps, hovered, margin, page, point, right, scored,
      size, slice, ticks, tip, words, worst, x, y, positionOf,
      leave: () => { hovered.value = null; },
      press: (event) => goToSlice(indexAt(event)),
      drawn: computed(() => size.width > LEAST.width * em.value && size.height > LEAST.height * em.value),
    };
  },
  template: `
    <section class="curve" aria-label="Quality curve">
      <div class="curve__box" ref="box" role="slider" tabindex="0" aria-label="Slice" data-test="curve"
           aria-valuemin="0" :aria-valuemax="page.study.count - 1" :aria-valuenow="slice" :aria-valuetext="words(current)"
           @pointermove="point" @pointerleave="leave" @pointerdown="press">
        <svg v-if="drawn" :width="size.width" :height="size.height">
          <defs>
            <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <path d="M0 0V6" class="curve__hatch" />
            </pattern>
            <clipPath id="under"><rect :x="margin.left" :y="y(page.constants.threshold)" :width="right - margin.left"
              :height="bottom - y(page.constants.threshold)" /></clipPath>
          </defs>
          <rect class="curve__ground" :x="margin.left" :y="margin.top" :width="right - margin.left" :height="bottom - margin.top" />
          <rect v-for="gap in gaps" class="curve__gap" :x="gap.x" :y="margin.top" :width="gap.width" :height="bottom - margin.top"
                fill="url(#hatch)" />
          <g v-for="band in bands" :key="band.word">
            <path class="curve__grid" :d="'M' + margin.left + ' ' + band.y + 'H' + right" />
            <text class="curve__number" :x="margin.left - 0.7 * em" :y="band.y">{{ band.score }}</text>
            <rect :x="right + 0.7 * em" :y="band.y - 0.38 * em" :width="0.76 * em" :height="0.76 * em" :rx="0.15 * em" :fill="band.colour" />
            <text class="curve__word" :x="right + 1.9 * em" :y="band.y">{{ band.word }}</text>
          </g>
          <g v-for="mm in ticks" :key="mm">
            <path class="curve__tick" :d="'M' + x(mm) + ' ' + bottom + 'v' + 0.3 * em" />
            <text class="curve__mm" :x="x(mm)" :y="bottom + 1.05 * em">{{ mm }}</text>
          </g>
          <text class="curve__axis" :x="margin.left" :y="bottom + 2.15 * em">← feet</text>
          <text class="curve__axis curve__axis--middle" :x="(margin.left + right) / 2" :y="bottom + 2.15 * em">position along the patient (mm)</text>
          <text class="curve__axis curve__axis--end" :x="right" :y="bottom + 2.15 * em">head →</text>
          <path class="curve__area" :d="area" clip-path="url(#under)" />
          <path class="curve__threshold" :d="'M' + margin.left + ' ' + y(page.constants.threshold) + 'H' + right" />
          <path class="curve__now" :d="'M' + x(positionOf(slice)) + ' ' + margin.top + 'V' + bottom" />
          <path class="curve__line" :d="curve" data-test="curve-line" :data-points="scored.length" />
          <template v-if="scored.length <= DOTS_UP_TO">
            <circle v-for="row in scored" :key="row[0]" class="curve__dot" :cx="x(row[1])" :cy="y(row[2])" :r="0.18 * em" />
          </template>
          <circle v-for="row in worst" :key="'w' + row[0]" class="curve__worst" :data-slice="row[0]" data-test="worst-point"
                  :cx="x(row[1])" :cy="y(row[2])" :r="0.4 * em" />
          <circle v-if="current[2] !== null" class="curve__marker" :cx="x(current[1])" :cy="y(current[2])" :r="0.42 * em" />
          <path v-if="tip" class="curve__hover" :d="'M' + tip.x + ' ' + margin.top + 'V' + bottom" />
        </svg>
        <p v-if="tip" class="curve__tip" :class="{ 'curve__tip--end': tip.end }" role="tooltip" data-test="tip"
           :style="{ left: tip.x + 'px', top: Math.max(tip.y, 2.6 * em) + 'px' }">{{ words(tip.row) }}</p>
        <p v-if="!page.rows.length" class="curve__empty">
          {{ page.run.state === "idle" ? "Assess quality draws the score of every slice here." : page.run.message || "Waiting for the first slices…" }}
        </p>
      </div>
    </section>`,
};
