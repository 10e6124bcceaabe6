// Assess quality, how far it is, and what can be taken along.

import { act, page, running } from "./state.js";
import { savePicture } from "./snapshot.js";

const { computed, ref } = window.Vue;
const STATES = { complete: "Assessed", cancelled: "Cancelled", failed: "Failed" };

function time(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 60) return `${Math.max(Math.round(seconds), 1)} s left`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s left`;
}

export const AssessBar = {
  setup() {
    const again = computed(() => page.run.state !== "idle");
    const words = computed(() => {
      const { state, done, total, secondsLeft } = page.run;
      if (state === "starting") return "Loading images and network…";
      if (state === "cancelling") return "Cancelling…";
      return [`${done} of ${total} slices`, time(secondsLeft)].filter(Boolean).join(" · ");
    });
    return {
      page, again, words, running: computed(running), STATES,
      share: computed(() => (page.run.total ? page.run.done / page.run.total : 0)),
      assess: () => act("assess"),
      cancel: () => act("cancel"),
    };
  },
  template: `
    <div class="assess">
      <template v-if="running">
        <div class="progress" role="progressbar" aria-label="Assessment" aria-valuemin="0" aria-valuemax="100"
             :aria-valuenow="Math.round(share * 100)" :title="page.run.device" data-test="progress">
          <span>{{ words }}</span><i :style="{ width: share * 100 + '%' }"></i>
        </div>
        <button type="button" data-test="cancel" :disabled="page.run.state === 'cancelling'" @click="cancel">Cancel</button>
      </template>
      <template v-else>
        <span v-if="STATES[page.run.state]" class="state" :class="'state--' + page.run.state" role="status" data-test="state"
              :title="page.run.device">{{ STATES[page.run.state] }}</span>
        <button type="button" class="primary" data-test="assess" :disabled="!page.study" @click="assess">
          {{ again ? "Assess again" : "Assess quality" }}</button>
      </template>
    </div>`,
};

export const ExportMenu = {
  setup() {
    const box = ref(null);
    async function get(what) {
      box.value.open = false;
      const url = await act("export", what);
      if (!url) return;
      const link = document.createElement("a");
      Object.assign(link, { href: url, download: url.split("/").pop() });
      link.click();
    }
    const finished = computed(() => page.summary !== null && page.summary.mean !== null && !running());
    return {
      box, get, page, finished,
      picture: () => { box.value.open = false; savePicture(); },
      leave: (event) => { if (!box.value.contains(event.relatedTarget)) box.value.open = false; },
    };
  },
  template: `
    <details class="menu" ref="box" @focusout="leave">
      <summary data-test="export">Export</summary>
      <div class="menu__list">
        <button type="button" :disabled="!finished" data-test="export-report" @click="get('report')">Report <i>HTML</i></button>
        <button type="button" :disabled="!finished" data-test="export-scores" @click="get('scores')">Scores <i>CSV</i></button>
        <button type="button" :disabled="!page.maps.length" data-test="export-features" @click="get('features')">Heatmaps <i>NRRD, zip</i></button>
        <button type="button" :disabled="!page.study" data-test="export-picture" @click="picture">Picture of the views <i>PNG</i></button>
      </div>
    </details>`,
};
