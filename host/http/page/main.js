// Sections, keys, and the one way to the server. Knows nothing of what the sections show.

import * as search from "./search.js";
import * as plugins from "./plugins.js";
import * as live from "./live.js";
import * as world from "./world.js";

const sections = { search, plugins, live, world };
const element = (id) => document.getElementById(id);
const state = element("state");
const key = element("key");
const keys = element("keys");
let open = "search";

/// Asks the server; answers with the body and the headers. A problem document becomes an error with its words.
export async function ask(path, body, options = {}) {
  const headers = {};
  if (key.value) headers.authorization = `Bearer ${key.value}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const method = options.method ?? (body === undefined ? "GET" : "POST");
  let response, text;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal: options.signal });
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer: see whether it runs, and ask again");
  }
  let json = null;
  try { json = JSON.parse(text); } catch { /* An empty body, or not ours. */ }
  if (!response.ok) {
    const error = new Error(problem(response, json));
    error.status = response.status;
    error.json = json;
    throw error;
  }
  return { json, headers: response.headers };
}

/// What is wrong, with each of several fields, and what helps.
function problem(response, json) {
  const errors = json?.errors ?? [];
  const fields = errors.length > 1 ? errors.map(({ field, message }) => `${field} ${message}`) : [];
  const remedies = errors.flatMap(({ remedy }) => remedy ?? []);
  if (response.status === 401) remedies.push("enter a key at the foot of the page");
  return [json?.detail ?? `${response.status} ${response.statusText}`, ...fields, ...remedies].join("; ");
}

/// An element with text and attributes; text is never taken for markup.
export function make(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  return made;
}

export const count = (value) => Math.round(value).toLocaleString("en");

export function bytes(value) {
  const units = ["B", "kB", "MB", "GB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) { value /= 1000; at += 1; }
  return `${value.toFixed(at ? 1 : 0)} ${units[at]}`;
}

function show(name) {
  open = name;
  for (const section of Object.keys(sections)) element(section).hidden = section !== name;
  for (const button of document.querySelectorAll("nav button")) {
    if (button.dataset.section === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  history.replaceState(null, "", name === "search" ? location.pathname + location.search : `#${name}`);
  refresh();
}

/// Refreshes what is looked at; the figures are taken even when nobody looks, so that their charts have no gap.
let busy = false;
async function refresh() {
  if (busy || document.hidden) return;
  busy = true;
  try {
    await live.sample();
    // A server that was away when the page came has told no names yet.
    if (!element("strategy").options.length) await plugins.pickers();
    await sections[open].refresh?.();
    tell(live.summary(), false);
  } catch (error) {
    tell(error.message, true);
  } finally {
    busy = false;
  }
}

/// Figures change every two seconds: nobody wants all of them read aloud, but that something is wrong, once.
function tell(text, bad) {
  state.setAttribute("aria-live", bad ? "polite" : "off");
  state.className = bad ? "bad" : "";
  if (state.textContent !== text) state.textContent = text;
}

document.querySelector("nav").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) show(button.dataset.section);
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    // A search box would be emptied.
    event.preventDefault();
    return document.activeElement?.blur();
  }
  if (!keys.checked || event.target.closest("input, select, textarea")) return;
  const section = Object.keys(sections)[Number(event.key) - 1];
  if (section) {
    show(section);
    // So that it is read aloud where one is, and Tab goes on from there.
    return document.querySelector(`nav [data-section="${section}"]`).focus();
  }
  if (event.key === "/") {
    event.preventDefault();
    show("search");
    element("query").focus();
  } else if (open === "search" && (event.key === "j" || event.key === "k")) {
    search.move(event.key === "j" ? 1 : -1);
  }
});

key.value = sessionStorage.getItem("key") ?? "";
key.addEventListener("change", () => {
  sessionStorage.setItem("key", key.value);
  refresh();
});
// Who speaks to the computer, or presses keys by chance, must be able to do without them (WCAG 2.2, 2.1.4).
keys.checked = localStorage.getItem("keys") !== "off";
keys.addEventListener("change", () => localStorage.setItem("keys", keys.checked ? "on" : "off"));
element("key-form").addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("visibilitychange", refresh);

search.start();
world.start();
show(sections[location.hash.slice(1)] ? location.hash.slice(1) : "search");
search.fromAddress();
setInterval(refresh, 2000);
