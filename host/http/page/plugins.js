// The table of plugins with its live state, and the pickers of the search box.

import { ask, bytes, count, make } from "./main.js";

const rows = document.getElementById("plugin-rows");
const COLOURS = { active: "good", failed: "bad", draining: "wait" };

async function list() {
  return (await ask("/api/plugins")).json.plugins;
}

/// Fills the pickers, and keeps what was picked.
export async function pickers() {
  const plugins = await list();
  fill("strategy", plugins, "strategy", "strategy-", "smart");
  fill("ranker", plugins, "ranker", "rank-", "relevance");
}

const short = (name, prefix) => (name.startsWith(prefix) ? name.slice(prefix.length) : name);

function fill(id, plugins, kind, prefix, usual) {
  const picker = document.getElementById(id);
  const named = plugins.filter((plugin) => plugin.kind === kind).map((plugin) => short(plugin.name, prefix));
  const names = [...new Set(named)];
  const picked = names.includes(picker.value) ? picker.value : usual;
  if (names.join() === [...picker.options].map((option) => option.value).join()) return;
  picker.replaceChildren(...names.map((name) => make("option", name, { value: name })));
  picker.value = picked;
}

export async function refresh() {
  const plugins = await list();
  await pickers();
  rows.replaceChildren(...plugins.map(row));
}

function row(plugin) {
  const row = make("tr", null, { "data-plugin": plugin.name });
  const name = make("td");
  name.append(make("strong", plugin.name), make("p", plugin.purpose));
  if (plugin.last_error) name.append(make("p", plugin.last_error, { class: "bad" }));
  const state = make("td", plugin.state, { class: COLOURS[plugin.state] ?? "", title: `since ${plugin.since}` });
  const failed = Object.entries(plugin.errors).filter(([, times]) => times > 0);
  const errors = make("td", count(failed.reduce((sum, [, times]) => sum + times, 0)), { class: "number" });
  errors.title = failed.map(([kind, times]) => `${kind}: ${times}`).join(", ");
  const number = (text) => make("td", text, { class: "number" });
  const digest = make("td");
  digest.append(make("code", plugin.digest.slice(0, 12)));
  const action = make("td");
  const reload = make("button", "Reload", { type: "button", "aria-label": `Reload ${plugin.name}` });
  reload.addEventListener("click", () => again(plugin.name, reload));
  action.append(reload);
  row.append(
    name, make("td", plugin.version || "–"), make("td", plugin.kind ?? "–"), state, number(count(plugin.calls)), errors,
    number(plugin.p50_us.toFixed(0)), number(plugin.p99_us.toFixed(0)), number(bytes(plugin.memory_high_water_bytes)),
    make("td", plugin.source), digest, action,
  );
  return row;
}

/// Loads a plugin's file anew.
async function again(name, button) {
  button.disabled = true;
  try {
    await ask(`/api/plugins/${encodeURIComponent(name)}/reload`, undefined, { method: "POST" });
    await refresh();
  } catch (error) {
    button.textContent = "Failed";
    button.title = error.message;
  }
}
