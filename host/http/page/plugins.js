// The table of plugins with its live state, and the pickers of the search box.

import { ask, bytes, count, make } from "./main.js";

const rows = document.getElementById("plugin-rows");
const reloaded = document.getElementById("reloaded");
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
  if (picker.selectedIndex < 0) picker.selectedIndex = 0;
}

export async function refresh() {
  const plugins = await list();
  await pickers();
  const made = plugins.length ? plugins.map(row) : [none()];
  made.forEach((row, at) => {
    const shown = rows.rows[at];
    if (!shown) return rows.append(row);
    if (shown.dataset.plugin !== row.dataset.plugin) return shown.replaceWith(row);
    // The button stays, for it may have the focus.
    [...row.cells].slice(0, -1).forEach((cell, column) => {
      if (!cell.isEqualNode(shown.cells[column])) shown.cells[column].replaceWith(cell);
    });
  });
  while (rows.rows.length > made.length) rows.lastElementChild.remove();
}

function none() {
  const row = make("tr", null, { "data-plugin": "" });
  row.append(make("td", "No plugin is loaded: put one into a folder that the server was given with --plugins.", { colspan: "12" }));
  return row;
}

function row(plugin) {
  const row = make("tr", null, { "data-plugin": plugin.name });
  const name = make("td");
  name.append(make("strong", plugin.name), make("p", plugin.purpose));
  if (plugin.last_error) name.append(make("p", plugin.last_error, { class: "bad" }));
  const state = make("td", plugin.state, { class: COLOURS[plugin.state] ?? "" });
  state.append(make("p", `since ${plugin.since.slice(0, 19).replace("T", " ")} UTC`));
  const failed = Object.entries(plugin.errors).filter(([, times]) => times > 0);
  const errors = make("td", count(failed.reduce((sum, [, times]) => sum + times, 0)), { class: "number" });
  if (failed.length) errors.append(make("p", failed.map(([kind, times]) => `${kind}: ${times}`).join(", ")));
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
  // Disabled it would lose the focus.
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  say(`${name} is being loaded …`);
  try {
    const { json } = await ask(`/api/plugins/${encodeURIComponent(name)}/reload`, undefined, { method: "POST" });
    say(`${json.name} ${json.version} was loaded`);
    await refresh();
  } catch (error) {
    say(`${name} was not loaded: ${error.message}`, "bad");
  } finally {
    button.ariaDisabled = "false";
  }
}

function say(text, kind = "") {
  reloaded.className = kind;
  reloaded.textContent = text;
}
