// What the heatmap over the axial view is, and what its colours stand for.

import { page } from "./state.js";
import { gradient } from "./colour-scale.js";

const { computed } = window.Vue;

export const HeatmapLegend = {
  setup() {
    const shown = computed(() => page.display.heatmap_shown && page.maps.includes(page.display.heatmap));
    const map = computed(() => (page.constants.maps || []).find(({ key }) => key === page.display.heatmap));
    const ends = computed(() => (page.activations[page.display.heatmap] || []).map((value) => Number(value.toPrecision(2)).toString()));
    return { shown, map, ends, bar: computed(() => gradient(page.constants.heatColours)) };
  },
  template: `
    <div v-if="shown" class="legend" data-test="heatmap-legend">
      <b>{{ map.name }}: mean activation</b>
      <span class="legend__scale"><span>{{ ends[0] || "low" }}</span><i :style="{ background: bar }"></i><span>{{ ends[1] || "high" }}</span></span>
    </div>`,
};
