// The scores along the patient, at the edge of the views that run along it.

import { page } from "./state.js";
import { pixelOf } from "./frame.js";
import { goToSlice } from "./place.js";
import { colourOf } from "./colour-scale.js";

const { computed } = window.Vue;

export const QualityStrip = {
  props: { view: { type: String, required: true }, frame: { type: Object, required: true } },
  setup(props) {
    const bars = computed(() => {
      const { stepMm } = page.study;
      const height = stepMm / props.frame.mm;
      return page.rows.filter(([, , score]) => score !== null).map(([index, position, score]) => {
        const { y } = pixelOf(props.view, props.frame, [0, 0, position]);
        return { index, y: y - height / 2, height: height + 0.5, colour: colourOf(score), poor: score < page.constants.threshold };
      });
    });
    return { bars, goToSlice };
  },
  template: `
    <svg v-if="bars.length" class="strip" :viewBox="'0 0 20 ' + frame.height" preserveAspectRatio="none" aria-hidden="true">
      <g v-for="bar in bars" :key="bar.index" @pointerdown.stop="goToSlice(bar.index)">
        <rect x="0" :y="bar.y" width="14" :height="bar.height" :fill="bar.colour" />
        <rect v-if="bar.poor" class="strip__poor" x="15.5" :y="bar.y" width="3" :height="bar.height" />
      </g>
    </svg>`,
};
