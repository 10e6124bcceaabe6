// The page as a plugin of Vue: trame's client installs it once the server's state is here.

import { act, follow, page } from "./state.js";
import { KeysMenu, listen, stopListening } from "./keyboard.js";
import { watchConnection } from "./connection.js";
import { SliceView } from "./slice-view.js";
import { QualityCurve } from "./quality-curve.js";
import { CtControls, HeatmapControls, PetControls } from "./controls.js";
import { StudySummary, WorstSlices } from "./results.js";
import { AssessBar, ExportMenu } from "./assess-bar.js";
import { StudyBar } from "./studies.js";

const { onBeforeUnmount, onMounted } = window.Vue;

const Viewer = {
  components: {
    SliceView, QualityCurve, CtControls, HeatmapControls, PetControls, StudySummary, WorstSlices, AssessBar, ExportMenu, KeysMenu,
    StudyBar,
  },
  setup() {
    onMounted(listen);
    onBeforeUnmount(stopListening);
    const dismiss = () => {
      page.message = page.notice = null;
      act("dismiss");
    };
    return { page, dismiss };
  },
  template: `
    <main class="viewer">
      <header class="bar">
        <h1 class="brand"><img src="__msiqa/icon.svg" alt="" /> MSIQA <span>PET/CT image quality</span></h1>
        <study-bar />
        <p class="research" :title="page.constants.disclaimer">Research use only</p>
        <assess-bar />
        <export-menu />
        <keys-menu />
      </header>
      <p v-if="page.notice || page.message" class="message" role="alert" data-test="message"><span>{{ page.notice || page.message }}</span>
        <button type="button" aria-label="Dismiss" @click="dismiss">✕</button></p>
      <p v-if="page.study && page.run.state === 'failed' && page.run.message" class="message" role="alert" data-test="failure">
        <span>{{ page.run.message }}</span></p>
      <template v-if="page.study">
        <div class="views">
          <slice-view view="Axial" /><slice-view view="Coronal" /><slice-view view="Sagittal" />
        </div>
        <quality-curve />
        <aside class="side" aria-label="Result and display">
          <study-summary /><worst-slices /><heatmap-controls /><pet-controls /><ct-controls />
        </aside>
      </template>
      <div v-else-if="!page.loading" class="empty">
        <h2>No study is open</h2>
        <p>{{ page.studies.length ? "Choose one above, or" : "To begin," }} drop a CT and its PET on this page: DICOM folders, NIfTI or NRRD files, or a zip.</p>
      </div>
      <div v-if="page.loading" class="loading" role="status" data-test="loading"><i></i>{{ page.loading }}</div>
    </main>`,
};

window.MSIQAViewer = {
  install(application) {
    follow(window.trame);
    watchConnection(window.trame);
    application.component("msiqa-viewer", Viewer);
  },
};
