// Charts of the last minutes: throughput, latency, hit rate, pools. Keeps its own samples: a page that is
// opened anew begins with an empty chart.

import { ask, bytes, count, make } from "./main.js";

const KEPT = 150;
const samples = [];
let last = null;

const CHARTS = [
  { name: "Searches", unit: "/s", of: (sample) => sample.rate, digits: 1 },
  { name: "Mean time of a search", unit: "ms", of: (sample) => sample.mean, digits: 2 },
  { name: "Cache hits", unit: "%", of: (sample) => sample.hits, digits: 0, most: 100 },
  { name: "Cache", unit: "", of: (sample) => sample.memory, text: bytes },
  { name: "Database pool", unit: "in use", of: (sample) => sample.database, digits: 0 },
  { name: "Redis pool", unit: "in use", of: (sample) => sample.redis, digits: 0 },
];

/// One sample more. Rates are of the time since the last one; nothing is drawn for a time without searches.
export async function sample() {
  const { json } = await ask("/api/search/performance");
  const { search_metrics: searches, cache_status: cache, pools } = json.metrics;
  const now = {
    at: json.timestamp, searches: searches.total_searches, time: searches.total_search_time_ms,
    found: searches.cache_hits, missed: searches.cache_misses,
  };
  if (last && now.searches >= last.searches && now.at > last.at) {
    const done = now.searches - last.searches;
    const looked = now.found + now.missed - last.found - last.missed;
    samples.push({
      at: now.at, rate: done / (now.at - last.at), mean: done ? (now.time - last.time) / done : null,
      hits: looked ? (100 * (now.found - last.found)) / looked : null, memory: cache.bytes,
      database: pools.database?.in_use ?? null, redis: pools.redis?.in_use ?? null,
    });
    if (samples.length > KEPT) samples.shift();
  }
  last = { ...now, p95: searches.p95_search_time_ms };
}

/// For the head of the page.
export function summary() {
  if (!last) return "";
  const rate = samples.at(-1)?.rate ?? 0;
  const searches = last.searches === 1 ? "1 search" : `${count(last.searches)} searches`;
  return `${searches}, ${rate.toFixed(1)} a second, p95 ${last.p95.toFixed(1)} ms`;
}

export async function refresh() {
  const drawn = CHARTS.filter((chart) => samples.some((sample) => chart.of(sample) !== null));
  const first = [make("p", "The first figures are of the next two seconds.", { class: "note" })];
  document.getElementById("charts").replaceChildren(...(drawn.length ? drawn.map(figure) : first));
  let parts;
  try {
    parts = (await ask("/api/search/health")).json.parts;
  } catch (error) {
    // Searches cannot be answered: that is when one wants to know which part it is.
    parts = error.json?.parts;
    if (!parts) {
      document.getElementById("parts").replaceChildren(make("li", error.message, { class: "bad" }));
      return;
    }
  }
  const colour = { up: "good", degraded: "wait", away: "bad", off: "" };
  const items = Object.entries(parts).map(([name, { state, detail }]) => {
    const item = make("li", `${name}: `);
    item.append(make("span", state, { class: colour[state] ?? "" }), " ", make("span", detail, { class: "tag" }));
    return item;
  });
  document.getElementById("parts").replaceChildren(...items);
}

function figure(chart) {
  const values = samples.map(chart.of);
  const known = values.filter((value) => value !== null);
  const text = chart.text ?? ((value) => `${value.toFixed(chart.digits)} ${chart.unit}`);
  const most = chart.most ?? (Math.max(...known) || 1);
  const figure = make("figure");
  const caption = make("figcaption");
  caption.append(make("span", chart.name), make("strong", values.at(-1) === null ? "–" : text(values.at(-1))));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [name, value] of Object.entries({ viewBox: "0 0 150 50", preserveAspectRatio: "none", role: "img" })) {
    svg.setAttribute(name, value);
  }
  svg.setAttribute("aria-label", `${chart.name}: now ${caption.lastChild.textContent}, at most ${text(most)}`);
  svg.append(line("grid", "M0 1H150"), line("grid", "M0 49H150"), line("trend", path(values, most)));
  const scale = make("div", null, { class: "scale" });
  const seconds = samples.length > 1 ? samples.at(-1).at - samples[0].at : 0;
  scale.append(make("span", `${seconds.toFixed(0)} s ago`), make("span", `top: ${text(most)}`), make("span", "now"));
  figure.append(caption, svg, scale);
  return figure;
}

function line(kind, path) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
  drawn.setAttribute("class", kind);
  drawn.setAttribute("d", path);
  return drawn;
}

/// From left to right over the whole width; a gap where there is no value.
function path(values, most) {
  const step = 150 / Math.max(values.length - 1, 1);
  let pen = "M";
  return values.map((value, at) => {
    if (value === null) { pen = "M"; return ""; }
    const point = `${pen}${(at * step).toFixed(1)} ${(49 - (48 * value) / most).toFixed(1)}`;
    pen = "L";
    return point;
  }).join("");
}
