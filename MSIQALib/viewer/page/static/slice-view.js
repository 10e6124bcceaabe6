// One slice view: the server's picture, and over it what the browser draws itself, so that it is
// sharp at every size and moves at once: crosshair, letters, ruler, strip of scores, texts.

import { changeDisplay, page } from "./state.js";
import { VIEWS, frameOf, panned, pixelOf, rasOf, zoomed } from "./frame.js";
import { Pictures } from "./pictures.js";
import { goTo, place, slice, step } from "./place.js";
import { colourOf } from "./colour-scale.js";
import { QualityStrip } from "./quality-strip.js";
import { HeatmapLegend } from "./heatmap-legend.js";

const { computed, onBeforeUnmount, onMounted, reactive, ref, watch } = window.Vue;
const WHEEL_PIXELS = 50;
const RULER_MM = [200, 100, 50, 20, 10, 5];
const RULER_SHARE = 0.3;
const GAP = 14;

export const SliceView = {
  props: { view: { type: String, required: true } },
  components: { QualityStrip, HeatmapLegend },
  setup(props) {
    const box = ref(null), canvas = ref(null);
    const size = reactive({ width: 0, height: 0 });
    const camera = ref({ zoom: 1, across: 0, along: 0 });
    const orientation = VIEWS[props.view];
    const frame = computed(() => (page.study && size.width > 16 && size.height > 16
      ? frameOf(props.view, size, camera.value, page.study, place.ras) : null));
    const cross = computed(() => pixelOf(props.view, frame.value, place.ras));
    let picture = null;
    let wheel = 0;
    let drag = null;

    const pictures = new Pictures(props.view, (bitmap, of, still) => {
      if (picture) picture.bitmap.close();
      picture = { bitmap, frame: of };
      draw();
      canvas.value.dataset.still = still;
    });

    function draw() {
      const element = canvas.value;
      if (!element || !frame.value) return;
      const scale = window.devicePixelRatio;
      const [width, height] = [Math.round(size.width * scale), Math.round(size.height * scale)];
      if (element.width !== width || element.height !== height) Object.assign(element, { width, height });
      const context = element.getContext("2d");
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      if (!picture) return;
      // Where the picture belongs, if the reader has zoomed or moved since it was asked for.
      const middle = pixelOf(props.view, frame.value, picture.frame.centre);
      const share = (picture.frame.mm / frame.value.mm) * scale;
      const [w, h] = [picture.frame.width * share, picture.frame.height * share];
      context.imageSmoothingQuality = "high";
      context.drawImage(picture.bitmap, middle.x * scale - w / 2, middle.y * scale - h / 2, w, h);
      element.dataset.pictures = pictures.shown;
    }

    // What a picture depends on; the crosshair's place within it is none of it.
    watch(() => frame.value && JSON.stringify([frame.value, page.revision]), (now, before) => {
      if (!frame.value) return;
      draw();
      canvas.value.dataset.still = false;
      pictures.want(frame.value, { moving: Boolean(before) });
    });

    function pointer(event) {
      const { left, top } = box.value.getBoundingClientRect();
      return { x: event.clientX - left, y: event.clientY - top };
    }

    function press(event) {
      if (!frame.value) return;
      box.value.setPointerCapture(event.pointerId);
      const kind = event.button === 1 || event.shiftKey ? "pan" : event.button === 2 ? "window" : "cross";
      drag = { kind, ...pointer(event) };
      if (kind === "cross") goTo(rasOf(props.view, frame.value, drag.x, drag.y));
    }

    function move(event) {
      if (!drag || !frame.value) return;
      const now = pointer(event), dx = now.x - drag.x, dy = now.y - drag.y;
      drag = { ...drag, ...now };
      if (drag.kind === "cross") goTo(rasOf(props.view, frame.value, now.x, now.y));
      if (drag.kind === "pan") camera.value = panned(props.view, frame.value, camera.value, dx, dy);
      if (drag.kind === "window") {
        const { ct_centre: centre, ct_width: width } = page.display;
        const share = Math.max(width, 50) / 300;
        changeDisplay({ ct_centre: centre + dy * share, ct_width: Math.max(width + dx * share, 1) });
      }
    }

    function scroll(event) {
      if (!frame.value) return;
      const pixels = event.deltaMode ? event.deltaY * WHEEL_PIXELS : event.deltaY;
      if (event.ctrlKey) {
        const { x, y } = pointer(event);
        camera.value = zoomed(props.view, frame.value, camera.value, Math.exp(-pixels / 400), x, y);
        return;
      }
      wheel += pixels;
      const slices = Math.abs(pixels) >= WHEEL_PIXELS ? Math.sign(pixels) : Math.trunc(wheel / WHEEL_PIXELS);
      if (!slices) return;
      wheel = 0;
      step(orientation.normal, -slices);
    }

    let observer = null;
    onMounted(() => {
      observer = new ResizeObserver(([{ contentRect }]) => {
        Object.assign(size, { width: contentRect.width, height: contentRect.height });
      });
      observer.observe(box.value);
    });
    onBeforeUnmount(() => observer.disconnect());

    const ruler = computed(() => {
      const mm = RULER_MM.find((length) => length / frame.value.mm < size.width * RULER_SHARE) || 5;
      return { text: mm % 10 ? `${mm} mm` : `${mm / 10} cm`, pixels: mm / frame.value.mm };
    });
    const row = computed(() => page.rows.find(([index]) => index === slice.value) || null);

    return {
      GAP, box, camera, canvas, colourOf, cross, frame, move, orientation, page, place, press, row, ruler,
      scroll, size, slice,
      reset: () => { camera.value = { zoom: 1, across: 0, along: 0 }; },
      release: () => { drag = null; },
      axial: props.view === "Axial",
      position: computed(() => page.study.firstMm + slice.value * page.study.stepMm),
    };
  },
  template: `
    <section class="view" :class="'view--' + view.toLowerCase()" :aria-label="view + ' view'">
      <div class="view__box" ref="box" @pointerdown.prevent="press" @pointermove="move" @pointerup="release"
           @pointercancel="release" @wheel.prevent="scroll" @dblclick="reset" @contextmenu.prevent>
        <canvas ref="canvas" class="view__picture" :data-view="view"></canvas>
        <template v-if="frame">
          <svg class="view__lines" :width="size.width" :height="size.height" aria-hidden="true">
            <g class="cross">
              <path :d="'M0 ' + cross.y + 'H' + (cross.x - GAP) + 'M' + (cross.x + GAP) + ' ' + cross.y + 'H' + size.width" />
              <path :d="'M' + cross.x + ' 0V' + (cross.y - GAP) + 'M' + cross.x + ' ' + (cross.y + GAP) + 'V' + size.height" />
            </g>
            <g class="ruler" :transform="'translate(' + (size.width - ruler.pixels - 14) + ' ' + (size.height - 14) + ')'">
              <path :d="'M0 -5V0H' + ruler.pixels + 'V-5'" />
              <text :x="ruler.pixels / 2" y="-6">{{ ruler.text }}</text>
            </g>
          </svg>
          <quality-strip v-if="!axial" :view="view" :frame="frame" />
          <span v-for="(letter, side) in orientation.letters" :key="side" class="letter" :class="'letter--' + side"
                aria-hidden="true">{{ letter }}</span>
          <p class="view__name">{{ view }}</p>
          <p v-if="axial" class="score" data-test="corner">
            <span class="score__slice">Slice {{ slice }} <i>/ {{ page.study.count - 1 }}</i> · {{ position.toFixed(1) }} mm</span>
            <strong v-if="row && row[2] !== null" class="score__value">
              <i class="swatch" :style="{ background: colourOf(row[2]) }"></i>{{ row[2].toFixed(2) }} {{ row[3] }}
            </strong>
            <span v-else-if="row" class="score__none">{{ row[4] }}</span>
            <span v-else-if="page.run.state !== 'idle'" class="score__none">no score yet</span>
          </p>
          <heatmap-legend v-if="axial" />
        </template>
      </div>
    </section>`,
};
