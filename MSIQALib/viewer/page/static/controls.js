// How the images are shown: heatmap, PET, CT window.

import { changeDisplay, page } from "./state.js";
import { gradient } from "./colour-scale.js";

const { computed } = window.Vue;

const Slider = {
  props: { label: String, value: Number, min: Number, max: Number, step: Number, text: String, name: String, disabled: Boolean },
  emits: ["change"],
  template: `
    <label class="slider">
      <span>{{ label }}</span>
      <input type="range" :min="min" :max="max" :step="step" :value="value" :disabled="disabled" :data-test="name"
             @input="$emit('change', Number($event.target.value))" />
      <output>{{ text }}</output>
    </label>`,
};

export const HeatmapControls = {
  components: { Slider },
  setup() {
    const chosen = computed(() => (page.display.heatmap_shown ? page.display.heatmap : ""));
    const meaning = computed(() => ((page.constants.maps || []).find(({ key }) => key === chosen.value) || {}).meaning);
    const choose = (key) => changeDisplay(key ? { heatmap: key, heatmap_shown: true } : { heatmap_shown: false });
    return {
      page, chosen, meaning, choose, changeDisplay, bar: computed(() => gradient(page.constants.heatColours)),
      percent: (value) => `${Math.round(value * 100)} %`,
    };
  },
  template: `
    <fieldset class="panel">
      <legend>Heatmap <kbd>space</kbd></legend>
      <div class="choices" role="group" aria-label="Heatmap">
        <button type="button" :aria-pressed="String(!chosen)" data-test="map-off" @click="choose('')">Off</button>
        <button v-for="map in page.constants.maps" :key="map.key" type="button" :title="map.meaning"
                :aria-pressed="String(chosen === map.key)" :disabled="!page.maps.includes(map.key)"
                :data-test="'map-' + map.key" @click="choose(map.key)">{{ map.name.slice(0, 1) }}<sub>{{ map.name.slice(1) }}</sub></button>
      </div>
      <template v-if="chosen">
        <p class="note">{{ meaning }}</p>
        <slider label="Opacity" name="heatmap-opacity" :min="0" :max="1" :step="0.05" :value="page.display.heatmap_opacity"
                :text="percent(page.display.heatmap_opacity)" @change="changeDisplay({ heatmap_opacity: $event })" />
        <label v-if="page.study.hasPet" class="check"><input type="checkbox" :checked="page.display.heatmap_over_pet" data-test="over-pet"
          @change="changeDisplay({ heatmap_over_pet: $event.target.checked })" /> Keep the PET under it</label>
      </template>
      <p v-else-if="!page.maps.length" class="note">Shows what the network reacts to, once the study is assessed.</p>
    </fieldset>`,
};

export const PetControls = {
  components: { Slider },
  setup() {
    const colours = computed(() => (page.constants.petColours || []).find(({ key }) => key === page.display.pet_colours));
    return {
      page, colours, changeDisplay, bar: computed(() => gradient(colours.value && colours.value.stops)),
      percent: (value) => `${Math.round(value * 100)} %`,
    };
  },
  template: `
    <fieldset v-if="page.study && page.study.hasPet" class="panel">
      <legend>PET</legend>
      <slider label="Fusion" name="pet-opacity" :min="0" :max="1" :step="0.05" :value="page.display.pet_opacity"
              :text="percent(page.display.pet_opacity)" @change="changeDisplay({ pet_opacity: $event })" />
      <slider label="SUV max" name="pet-high" :min="0.5" :max="25" :step="0.5" :value="page.display.pet_high"
              :text="page.display.pet_high.toFixed(1)" @change="changeDisplay({ pet_high: $event })" />
      <slider label="SUV min" name="pet-low" :min="0" :max="10" :step="0.25" :value="page.display.pet_low"
              :text="page.display.pet_low.toFixed(1)" @change="changeDisplay({ pet_low: $event })" />
      <label class="field"><span>Colours</span>
        <select :value="page.display.pet_colours" data-test="pet-colours" @change="changeDisplay({ pet_colours: $event.target.value })">
          <option v-for="map in page.constants.petColours" :key="map.key" :value="map.key">{{ map.name }}</option>
        </select>
      </label>
      <div class="scale"><span>{{ page.display.pet_low.toFixed(1) }}</span><i :style="{ background: bar }"></i><span>SUV {{ page.display.pet_high.toFixed(1) }}</span></div>
    </fieldset>`,
};

export const CtControls = {
  components: { Slider },
  setup() {
    const preset = computed(() => {
      const found = (page.constants.windows || []).find(({ centre, width }) => (
        Math.abs(centre - page.display.ct_centre) < 0.5 && Math.abs(width - page.display.ct_width) < 0.5));
      return found ? found.name : "";
    });
    const choose = (name) => {
      const { centre, width } = page.constants.windows.find((window) => window.name === name);
      changeDisplay({ ct_centre: centre, ct_width: width });
    };
    return { page, preset, choose, changeDisplay };
  },
  template: `
    <fieldset class="panel">
      <legend>CT window</legend>
      <label class="field"><span>Preset</span>
        <select :value="preset" data-test="ct-window" @change="choose($event.target.value)">
          <option value="" disabled>Custom</option>
          <option v-for="window in page.constants.windows" :key="window.name">{{ window.name }}</option>
        </select>
      </label>
      <slider label="Centre" name="ct-centre" :min="-1000" :max="1000" :step="10" :value="page.display.ct_centre"
              :text="Math.round(page.display.ct_centre) + ' HU'" @change="changeDisplay({ ct_centre: $event })" />
      <slider label="Width" name="ct-width" :min="10" :max="3000" :step="10" :value="page.display.ct_width"
              :text="Math.round(page.display.ct_width) + ' HU'" @change="changeDisplay({ ct_width: $event })" />
    </fieldset>`,
};
