// What came of the assessment: the study in a sentence and some numbers, and the worst slices.

import { changeDisplay, page } from "./state.js";
import { goToSlice, slice } from "./place.js";
import { colourOf } from "./colour-scale.js";

const { computed } = window.Vue;
const LISTED = 5;

export const StudySummary = {
  setup() {
    return { page, changeDisplay };
  },
  template: `
    <fieldset class="panel" data-test="summary">
      <legend>Study</legend>
      <template v-if="page.summary && page.summary.mean !== null">
        <dl class="numbers">
          <div><dt>Mean</dt><dd>{{ page.summary.mean }}</dd></div>
          <div><dt>Median</dt><dd>{{ page.summary.median }}</dd></div>
          <div><dt>Under {{ page.summary.threshold }}</dt><dd>{{ page.summary.below }}</dd></div>
        </dl>
        <p class="note">{{ page.summary.verdict }}</p>
        <p v-if="page.summary.partial" class="partial">Partial result: {{ page.summary.assessed }} of {{ page.summary.slices }} assessed.</p>
        <label class="check"><input type="checkbox" :checked="page.display.tint" data-test="tint"
          @change="changeDisplay({ tint: $event.target.checked })" /> Tint sagittal and coronal by score</label>
      </template>
      <p v-else class="note">{{ page.study.hasPet ? "CT and PET are loaded." : "A CT without PET: the network was not trained for this." }}
        {{ page.study.count }} slices.</p>
      <details v-if="page.study.warnings.length || page.run.warnings.length" class="warnings">
        <summary>{{ new Set([...page.study.warnings, ...page.run.warnings]).size }} remarks on the images</summary>
        <ul><li v-for="text in new Set([...page.study.warnings, ...page.run.warnings])" :key="text">{{ text }}</li></ul>
      </details>
    </fieldset>`,
};

export const WorstSlices = {
  setup() {
    const worst = computed(() => page.rows.filter(([, , score]) => score !== null)
      .sort((a, b) => a[2] - b[2]).slice(0, LISTED));
    return { worst, goToSlice, slice, colourOf };
  },
  template: `
    <fieldset v-if="worst.length" class="panel">
      <legend>Worst slices <kbd>w</kbd></legend>
      <ol class="worst" data-test="worst">
        <li v-for="row in worst" :key="row[0]">
          <button type="button" :aria-current="String(row[0] === slice)" @click="goToSlice(row[0])">
            <i class="swatch" :style="{ background: colourOf(row[2]) }"></i>
            <span>Slice {{ row[0] }}</span><span>{{ row[1].toFixed(0) }} mm</span><b>{{ row[2].toFixed(2) }} {{ row[3] }}</b>
          </button>
        </li>
      </ol>
    </fieldset>`,
};
