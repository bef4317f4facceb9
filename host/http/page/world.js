// The world as a map: every agent a dot, coloured by its spirit, with its clock. Shows as many agents as fit
// into a few requests and says how many there are. One of them is chosen, with a pointer or from the keyboard.

import { ask, count, make } from "./main.js";

const element = (id) => document.getElementById(id);
const canvas = element("map");
const PAGE = 1000;
const SHOWN = 5000;
/// Pixels: how near to an agent a pointer must be, and how wide the mark of the chosen one is.
const NEAR = 20;
const RING = 9;
/// How far to the right, how far up, and what that is called.
const DIRECTIONS = {
  ArrowLeft: [-1, 0, "left"], ArrowRight: [1, 0, "right"], ArrowUp: [0, 1, "up"], ArrowDown: [0, -1, "down"],
};
const KEYS = {
  Enter: detail, Escape: leave, Home: () => choose(agents[0]), End: () => choose(agents.at(-1)),
  PageUp: () => along(-1), PageDown: () => along(1),
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(1 / 1.25), "0": whole,
};
let spirits = new Map();
let agents = [];
let chosen = null;
let paused = false;
let view = null;
let turn = 0;

export function start() {
  element("pause").addEventListener("click", () => command(`/api/ecs/clock/${paused ? "resume" : "pause"}`));
  element("step").addEventListener("click", () => command("/api/ecs/clock/step", {}));
  element("populate").addEventListener("click", populate);
  element("zoom-in").addEventListener("click", () => zoom(1.25));
  element("zoom-out").addEventListener("click", () => zoom(1 / 1.25));
  element("whole").addEventListener("click", whole);
  canvas.addEventListener("click", (event) => pick(event.offsetX, event.offsetY));
  canvas.addEventListener("keydown", steer);
  canvas.addEventListener("wheel", wheel, { passive: false });
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
  const there = status.agent_count === 1 ? "1 agent" : `${count(status.agent_count)} agents`;
  element("clock").textContent =
    `${status.status} — tick ${count(status.tick)}, ${there}${shown}, ${status.rules}, ` +
    `last tick ${status.last_tick_ms.toFixed(1)} ms` +
    (status.agent_count ? "" : ". Nobody lives here yet: “Add 50 agents” brings some.");
  if (chosen !== null && !chosenAgent()) {
    say(`${chosen} is no longer on the map`);
    chosen = null;
  }
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
/// So dark, or so light, that every hue has the contrast of 3 to 1 that WCAG wants of what is no text.
const colour = (spirit) => {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return spirit ? `hsl(${hue(spirit)} 65% ${dark ? 65 : 34}%)` : "gray";
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
  const agent = chosenAgent();
  if (agent) ring(pen, to(agent));
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

/// Two strokes: the wider one parts the mark from the dots around it.
function ring(pen, [x, y]) {
  const style = getComputedStyle(canvas);
  for (const [paint, width] of [[style.getPropertyValue("--surface"), 6], [style.color, 2]]) {
    pen.strokeStyle = paint;
    pen.lineWidth = width;
    pen.beginPath();
    pen.arc(x, y, RING, 0, 2 * Math.PI);
    pen.stroke();
  }
}

const chosenAgent = () => agents.find((agent) => agent.agent_id === chosen);

/// The first of the least.
function least(items, distance) {
  let best = null;
  for (const item of items) {
    const away = distance(item);
    if (!best || away < best.away) best = { item, away };
  }
  return best;
}

function pick(x, y) {
  const { to } = frame();
  const found = least(agents, (agent) => Math.hypot(to(agent)[0] - x, to(agent)[1] - y));
  if (!found || found.away > NEAR) return;
  mark(found.item);
  detail();
}

function steer(event) {
  // Those are the browser's.
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const direction = DIRECTIONS[event.key];
  const act = direction ? () => (event.shiftKey ? shift : go)(direction) : KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

/// To the nearest agent within the quarter of that direction, or else to the nearest on that side; at first to the
/// one in the middle.
function go([right, up, word]) {
  const from = chosenAgent();
  if (!from) return choose(least(agents, ({ x, y }) => Math.hypot(x - view.x, y - view.y))?.item);
  const onward = agents.map((agent) => {
    const [x, y] = [agent.x - from.x, agent.y - from.y];
    return { agent, ahead: x * right + y * up, aside: Math.abs(x * up + y * right) };
  }).filter(({ ahead }) => ahead > 0);
  const straight = onward.filter(({ ahead, aside }) => aside <= ahead);
  const found = least(straight.length ? straight : onward, ({ ahead, aside }) => Math.hypot(ahead, aside));
  if (found) choose(found.item.agent);
  else choose(from, `; nobody is further ${word}`);
}

/// One on or one back in the order in which they came: so everyone is reached, also who stands where another does.
function along(by) {
  const at = agents.indexOf(chosenAgent());
  choose(agents[at < 0 ? 0 : Math.min(Math.max(at + by, 0), agents.length - 1)]);
}

/// Chooses an agent and says who it is.
function choose(agent, note = "") {
  if (!agent) return say("nobody is on the map");
  mark(agent);
  const { name, spirit } = spirits.get(agent.agent_id) ?? {};
  const place = `${count(agents.indexOf(agent) + 1)} of ${count(agents.length)}`;
  const who = [name ?? agent.agent_id, spirit].filter(Boolean).join(", ");
  say(`${who}, at ${Math.round(agent.x)}, ${Math.round(agent.y)} (${place})${note}`);
}

function mark(agent) {
  chosen = agent.agent_id;
  reveal(agent);
  draw();
}

/// Moves the map only when the agent is not on what is shown of it.
function reveal(agent) {
  const { width, height, to } = frame();
  const [x, y] = to(agent);
  const within = (at, size) => at >= RING && at <= size - RING;
  if (!within(x, width) || !within(y, height)) Object.assign(view, { x: agent.x, y: agent.y });
}

/// What there is to say of the chosen one.
async function detail() {
  const id = chosen;
  if (id === null) return say("nobody is chosen: an arrow key chooses");
  let told;
  try {
    const { json } = await ask(`/api/ecs/agents/${encodeURIComponent(id)}`);
    told = [`${json.name} (${json.agent_id}), ${json.spirit}, generation ${json.generation}`];
  } catch (error) {
    told = [error.message, true];
  }
  // Meanwhile it may be another.
  if (id === chosen) say(...told);
}

/// Nobody is chosen any more; the focus is taken by the page's own Escape.
function leave() {
  chosen = null;
  say("");
  draw();
}

function shift([right, up]) {
  if (!view) return;
  view.x += right * view.reach / 5;
  view.y += up * view.reach / 5;
  draw();
}

function zoom(by) {
  if (!view) return;
  view.reach = Math.min(Math.max(view.reach / by, 5), 1e6);
  const agent = chosenAgent();
  if (agent) reveal(agent);
  draw();
}

function whole() {
  view = null;
  draw();
}

/// A wheel over a map that has not the focus scrolls the page.
function wheel(event) {
  if (document.activeElement !== canvas && !event.ctrlKey) return;
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2);
}

/// The one line below the map, which is read aloud.
function say(text, bad = false) {
  element("agent").className = bad ? "bad" : "";
  element("agent").textContent = text;
}

async function command(path, body) {
  say("");
  try {
    await ask(path, body, { method: "POST" });
    await refresh();
  } catch (error) {
    say(error.message, true);
  }
}

async function populate() {
  say("");
  try {
    const { spirits: list } = (await ask("/api/ecs/naming/config/spirits")).json;
    const stamp = Date.now().toString(36);
    const made = Array.from({ length: 50 }, (_, at) => ({ agent_id: `page-${stamp}-${at}`, spirit: list[at % list.length] }));
    await ask("/api/ecs/agents/batch", { agents: made });
    view = null;
    await refresh();
    say("50 agents were added");
  } catch (error) {
    say(error.message, true);
  }
}
