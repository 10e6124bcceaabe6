// Colours of scores and legends, from the stops that the server hands over.

import { page } from "./state.js";

const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));

export function colourOf(score) {
  const stops = page.constants.scoreColours;
  const [low, high] = page.constants.scoreRange;
  const at = Math.min(Math.max((score - low) / (high - low), 0), 1) * (stops.length - 1);
  const [from, to] = [channels(stops[Math.floor(at)]), channels(stops[Math.ceil(at)])];
  return `rgb(${from.map((value, channel) => Math.round(value + (to[channel] - value) * (at % 1))).join(" ")})`;
}

export const gradient = (stops) => `linear-gradient(to right, ${(stops || []).join(", ")})`;
