// The world as a map: every agent a dot, coloured by its spirit, with its clock. Shows as many agents as fit
// into a few requests and says how many there are.

import { ask, count, make } from "./main.js";

const element = (id) => document.getElementById(id);
const canvas = element("map");
const PAGE = 1000;
const SHOWN = 5000;
let spirits = new Map();
let agents = [];
let paused = false;
let view = null;
let turn = 0;

export function start() {
  element("pause").addEventListener("click", () => command(`/api/ecs/clock/${paused ? "resume" : "pause"}`));
  element("step").addEventListener("click", () => command("/api/ecs/clock/step", {}));
  element("populate").addEventListener("click", populate);
  canvas.addEventListener("click", (event) => pick(event.offsetX, event.offsetY));
  canvas.addEventListener("keydown", steer);
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2); }, { passive: false });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

export async function refresh() {
  // What was asked earlier and arrives later is older than what is shown.
  const mine = ++turn;
  let status;
  try {
    status = (await ask("/api/ecs/status")).json;
  } catch (error) {
    if (error.status !== 404 && error.status !== 503) throw error;
    if (mine === turn) element("clock").textContent = error.message;
    return;
  }
  if (mine !== turn) return;
  paused = status.status === "paused";
  element("pause").textContent = paused ? "Resume" : "Pause";
  const pages = Math.ceil(Math.min(status.agent_count, SHOWN) / PAGE);
  const asked = Array.from({ length: pages }, (_, at) => ask(`/api/ecs/agents/positions?limit=${PAGE}&offset=${at * PAGE}`));
  const placed = (await Promise.all(asked)).flatMap(({ json }) => json.positions);
  const learnt = await learnSpirits(placed, status.agent_count);
  if (mine !== turn) return;
  [agents, spirits] = [placed, learnt];
  const shown = agents.length < status.agent_count ? `, ${count(agents.length)} of them on the map` : "";
  element("clock").textContent =
    `${status.status} — tick ${count(status.tick)}, ${count(status.agent_count)} agents${shown}, ${status.rules}, ` +
    `last tick ${status.last_tick_ms.toFixed(1)} ms`;
  draw();
}

/// Positions have no spirit. When somebody is new on the map all are asked for, by pages, and who left is forgotten.
async function learnSpirits(placed, total) {
  if (placed.every((agent) => spirits.has(agent.agent_id))) return spirits;
  const learnt = new Map();
  for (let offset = 0; offset < Math.min(total, SHOWN); offset += PAGE) {
    const { json } = await ask(`/api/ecs/agents?limit=${PAGE}&offset=${offset}`);
    for (const agent of json.agents) learnt.set(agent.agent_id, agent);
  }
  for (const agent of placed) if (!learnt.has(agent.agent_id)) learnt.set(agent.agent_id, null);
  return learnt;
}

const hue = (name) => [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 360, 7);
const colour = (spirit) => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return spirit ? `hsl(${hue(spirit)} 65% ${dark ? 65 : 42}%)` : "gray";
};

/// From the world to the canvas; the first look shows everyone.
function frame() {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const everyone = () => agents.reduce((most, { x, y }) => Math.max(most, Math.abs(x), Math.abs(y)), 50) * 1.08;
  const seen = view ?? { x: 0, y: 0, reach: everyone() };
  if (agents.length) view = seen;
  const scale = Math.min(width, height) / (2 * seen.reach);
  return { width, height, to: ({ x, y }) => [width / 2 + (x - seen.x) * scale, height / 2 - (y - seen.y) * scale] };
}

function draw() {
  const { width, height, to } = frame();
  if (!width) return;
  const ratio = devicePixelRatio || 1;
  [canvas.width, canvas.height] = [width * ratio, height * ratio];
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const size = agents.length > 1000 ? 1.5 : 3.5;
  const seen = new Map();
  for (const agent of agents) {
    const spirit = spirits.get(agent.agent_id)?.spirit;
    seen.set(spirit, (seen.get(spirit) ?? 0) + 1);
    const [x, y] = to(agent);
    pen.fillStyle = colour(spirit);
    pen.beginPath();
    pen.arc(x, y, size, 0, 2 * Math.PI);
    pen.fill();
  }
  canvas.dataset.agents = agents.length;
  const most = [...seen].filter(([spirit]) => spirit).sort((left, right) => right[1] - left[1]).slice(0, 12);
  element("legend").replaceChildren(...most.map(([spirit, times]) => {
    const item = make("li");
    const dot = make("i");
    dot.style.background = colour(spirit);
    item.append(dot, `${spirit} ${times}`);
    return item;
  }));
}

async function pick(x, y) {
  const { to } = frame();
  const distance = (agent) => Math.hypot(to(agent)[0] - x, to(agent)[1] - y);
  const nearest = agents.reduce((best, agent) => (!best || distance(agent) < distance(best) ? agent : best), null);
  if (!nearest || distance(nearest) > 20) return;
  try {
    const { json } = await ask(`/api/ecs/agents/${encodeURIComponent(nearest.agent_id)}`);
    element("agent").textContent = `${json.name} (${json.agent_id}), ${json.spirit}, generation ${json.generation}`;
  } catch (error) {
    element("agent").textContent = error.message;
  }
}

function steer(event) {
  const step = view ? view.reach / 5 : 0;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (moves[event.key]) {
    view.x += moves[event.key][0];
    view.y += moves[event.key][1];
    event.preventDefault();
    draw();
  } else if (event.key === "+" || event.key === "=") zoom(1.25);
  else if (event.key === "-") zoom(1 / 1.25);
  else if (event.key === "0") { view = null; draw(); }
}

function zoom(by) {
  if (!view) return;
  view.reach = Math.min(Math.max(view.reach / by, 5), 1e6);
  draw();
}

async function command(path, body) {
  element("agent").textContent = "";
  try {
    await ask(path, body, { method: "POST" });
    await refresh();
  } catch (error) {
    element("agent").textContent = error.message;
  }
}

async function populate() {
  element("agent").textContent = "";
  try {
    const { spirits: list } = (await ask("/api/ecs/naming/config/spirits")).json;
    const mark = Date.now().toString(36);
    const made = Array.from({ length: 50 }, (_, at) => ({ agent_id: `page-${mark}-${at}`, spirit: list[at % list.length] }));
    await ask("/api/ecs/agents/batch", { agents: made });
    view = null;
    await refresh();
  } catch (error) {
    element("agent").textContent = error.message;
  }
}
