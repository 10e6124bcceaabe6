// From pixels of a view to millimetres of the patient and back.

const LEAST_ZOOM = 0.5, MOST_ZOOM = 16, MARGIN = 1.02;

/** right and down: what a step on the screen is in RAS; normal: the axis that slices follow. */
export const VIEWS = {
  Axial: {
    right: [-1, 0, 0], down: [0, -1, 0], normal: 2, letters: { left: "R", right: "L", top: "A", bottom: "P" },
  },
  Sagittal: {
    right: [0, -1, 0], down: [0, 0, -1], normal: 0, letters: { left: "A", right: "P", top: "S", bottom: "I" },
  },
  Coronal: {
    right: [-1, 0, 0], down: [0, 0, -1], normal: 1, letters: { left: "R", right: "L", top: "S", bottom: "I" },
  },
};

const axisOf = (direction) => direction.findIndex((value) => value !== 0);

/** A picture's place: width and height in pixels, the RAS of its middle, millimetres a pixel. */
export function frameOf(view, size, camera, study, ras) {
  const { right, down, normal } = VIEWS[view];
  const extent = (axis) => study.bounds[2 * axis + 1] - study.bounds[2 * axis];
  const fit = Math.max(extent(axisOf(right)) / size.width, extent(axisOf(down)) / size.height);
  const mm = (fit * MARGIN) / camera.zoom;
  const centre = [0, 1, 2].map((axis) => (study.bounds[2 * axis] + study.bounds[2 * axis + 1]) / 2);
  centre[axisOf(right)] += camera.across;
  centre[axisOf(down)] += camera.along;
  centre[normal] = ras[normal];
  return { ...size, centre, mm };
}

export function pixelOf(view, frame, ras) {
  const { right, down } = VIEWS[view];
  const along = (direction) => direction.reduce((sum, d, at) => sum + d * (ras[at] - frame.centre[at]), 0);
  return { x: frame.width / 2 + along(right) / frame.mm, y: frame.height / 2 + along(down) / frame.mm };
}

export function rasOf(view, frame, x, y) {
  const { right, down } = VIEWS[view];
  const across = (x - frame.width / 2) * frame.mm, along = (y - frame.height / 2) * frame.mm;
  return frame.centre.map((value, at) => value + right[at] * across + down[at] * along);
}

/** The camera after a drag by so many pixels. */
export function panned(view, frame, camera, dx, dy) {
  const { right, down } = VIEWS[view];
  return {
    ...camera,
    across: camera.across - right[axisOf(right)] * dx * frame.mm,
    along: camera.along - down[axisOf(down)] * dy * frame.mm,
  };
}

/** The camera after a zoom that keeps the point under a pixel where it is. */
export function zoomed(view, frame, camera, factor, x, y) {
  const zoom = Math.min(Math.max(camera.zoom * factor, LEAST_ZOOM), MOST_ZOOM);
  const share = 1 - camera.zoom / zoom;
  const dx = (frame.width / 2 - x) * share, dy = (frame.height / 2 - y) * share;
  return { ...panned(view, frame, camera, dx, dy), zoom };
}
