// Which study is shown: the list, files from the reader's own disk, and CT and PET the right way round.

import { act, page, running } from "./state.js";

const { computed, onBeforeUnmount, onMounted, reactive, ref } = window.Vue;

const upload = reactive({ share: null });

function send(files) {
  if (!files.length || upload.share !== null) return;
  const form = new FormData();
  files.forEach(({ file, path }) => form.append("files", file, path));
  const request = new XMLHttpRequest();
  upload.share = 0;
  page.notice = null;
  request.upload.onprogress = ({ loaded, total }) => { upload.share = total ? loaded / total : 0; };
  request.onerror = () => { page.notice = "The upload broke off. Try again."; };
  request.onload = () => { if (request.status >= 400) page.notice = reason(request); };
  request.onloadend = () => { upload.share = null; };
  request.open("POST", "upload");
  request.send(form);
}

function reason(request) {
  try {
    const answer = JSON.parse(request.responseText);
    return answer.error || answer.message || `The upload was refused (${request.status}).`;
  } catch {
    return `The upload was refused (${request.status}).`;
  }
}

const chosen = (list) => [...list].map((file) => ({ file, path: file.webkitRelativePath || file.name }));

async function dropped(items) {
  const found = [];
  async function walk(entry, path) {
    if (entry.isFile) {
      const file = await new Promise((take, fail) => entry.file(take, fail));
      found.push({ file, path: path + file.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((take, fail) => reader.readEntries(take, fail));
      if (!some.length) return;
      for (const child of some) await walk(child, `${path}${entry.name}/`);
    }
  }
  // The list of items is emptied once this function waits.
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  for (const entry of entries) await walk(entry, "");
  return found;
}

export const StudyBar = {
  setup() {
    const files = ref(null), folder = ref(null);
    const over = ref(false);
    const blocked = computed(() => running() || Boolean(page.loading));
    const take = (event) => {
      send(chosen(event.target.files));
      event.target.value = "";
    };
    const hover = (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      over.value = true;
    };
    const drop = async (event) => {
      event.preventDefault();
      over.value = false;
      if (!blocked.value) send(await dropped(event.dataTransfer.items));
    };
    const leave = (event) => { if (!event.relatedTarget) over.value = false; };
    const listeners = { dragover: hover, drop, dragleave: leave };
    onMounted(() => Object.entries(listeners).forEach(([name, handler]) => window.addEventListener(name, handler)));
    onBeforeUnmount(() => Object.entries(listeners).forEach(([name, handler]) => window.removeEventListener(name, handler)));
    return {
      page, upload, files, folder, over, blocked, take,
      open: (event) => act("open", Number(event.target.value)),
      swap: () => act("swap"),
    };
  },
  template: `
    <div class="studies">
      <select v-if="page.studies.length" :value="page.chosen === null ? '' : page.chosen" :disabled="blocked" aria-label="Study"
              data-test="studies" :title="blocked ? 'Not while a study is read or assessed' : ''" @change="open">
        <option value="" disabled>Choose a study</option>
        <option v-for="(name, at) in page.studies" :key="at" :value="at">{{ name }}</option>
      </select>
      <button type="button" :disabled="blocked" title="DICOM, NIfTI, NRRD, zip; or drop them on the page" @click="files.click()">Add files</button>
      <button type="button" :disabled="blocked" title="A folder with the CT and the PET; or drop it on the page" @click="folder.click()">Add folder</button>
      <button v-if="page.study && page.study.hasPet" type="button" :disabled="blocked" data-test="swap"
              :title="'CT: ' + page.study.ct + '\\nPET: ' + page.study.pet" @click="swap">⇄ Swap CT and PET</button>
      <input ref="files" type="file" multiple hidden data-test="files" @change="take" />
      <input ref="folder" type="file" webkitdirectory hidden data-test="folder" @change="take" />
      <div v-if="upload.share !== null" class="progress progress--upload" role="progressbar" aria-label="Upload"
           :aria-valuenow="Math.round(upload.share * 100)" aria-valuemin="0" aria-valuemax="100">
        <span>Uploading {{ Math.round(upload.share * 100) }} %</span><i :style="{ width: upload.share * 100 + '%' }"></i>
      </div>
      <div v-if="over" class="drop" role="status"><p>Drop a CT and its PET here: files, folders or a zip</p></div>
    </div>`,
};
