// The search box, its suggestions, and the hits with their marks and explanations.

import { ask, count, make } from "./main.js";

const element = (id) => document.getElementById(id);
const [form, query, hits, answer, more] = ["search-form", "query", "hits", "answer", "more"].map(element);
const PAGE = 10;
let asked = null;
let running = null;

export function start() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  for (const id of ["strategy", "ranker", "explain"]) {
    element(id).addEventListener("change", () => { if (asked) search(); });
  }
  more.addEventListener("click", async () => {
    const known = hits.children.length;
    await page(asked.offset + PAGE);
    // The button was hidden, and the focus with it.
    if ([document.body, more].includes(document.activeElement)) (hits.children[known] ?? more).focus();
  });
  query.addEventListener("input", suggest);
}

/// A search that the address names.
export function fromAddress() {
  const wanted = new URLSearchParams(location.search).get("q");
  if (!wanted) return;
  query.value = wanted;
  search();
}

async function search() {
  if (!query.value.trim()) return;
  history.replaceState(null, "", `?q=${encodeURIComponent(query.value)}`);
  asked = { strategy: element("strategy").value || "search", offset: 0 };
  asked.body = { query: query.value, max_results: PAGE, explain: element("explain").checked };
  if (element("ranker").value) asked.body.ranker = element("ranker").value;
  hits.replaceChildren();
  await page(0);
}

async function page(offset) {
  running?.abort();
  const mine = running = new AbortController();
  more.hidden = true;
  const slow = setTimeout(() => say("searching …"), 300);
  try {
    const path = `/api/search/${encodeURIComponent(asked.strategy)}`;
    const { json, headers } = await ask(path, { ...asked.body, offset }, { signal: mine.signal });
    if (mine !== running) return;
    asked.offset = offset;
    say(sentence(json, headers), json.degraded ? "wait" : "");
    for (const result of json.results) show(hit(result, hits.children.length + 1));
    more.hidden = json.results.length < PAGE || offset + PAGE >= json.total_results;
  } catch (error) {
    if (error.name === "AbortError" || mine !== running) return;
    say(error.message, "bad");
    // The page that did not come can be asked for again.
    more.hidden = offset === 0;
  } finally {
    clearTimeout(slow);
  }
}

function say(text, kind = "") {
  answer.className = kind;
  answer.textContent = text;
}

/// A text that has to be scrolled can be scrolled from the keyboard.
function show(item) {
  hits.append(item);
  const text = item.querySelector("pre");
  if (!text || (text.scrollWidth <= text.clientWidth && text.scrollHeight <= text.clientHeight)) return;
  for (const [name, value] of Object.entries({ tabindex: "0", role: "group", "aria-label": `text of ${item.dataset.path}` })) {
    text.setAttribute(name, value);
  }
}

/// What was found, how fast, by which versions.
function sentence(json, headers) {
  const total = /total;dur=([\d.]+)/.exec(headers.get("server-timing") ?? "")?.[1];
  const cached = (headers.get("cache-status") ?? "").includes("; hit") ? ", from the cache" : "";
  const many = json.total_results ? `${count(json.total_results)}${json.truncated ? " and more" : ""}` : "nothing";
  const parts = [
    `${many} found in ${Number(total ?? 0).toFixed(1)} ms${cached}`,
    `${json.strategy.name} ${json.strategy.version} · ${json.ranker.name} ${json.ranker.version}`,
  ];
  if (!json.total_results) parts.push("other words or another strategy may find it");
  if (json.reason) parts.push(json.reason);
  if (json.degraded) parts.push(`degraded: ${json.degraded_reasons.join("; ")}`);
  return parts.join(" — ");
}

/// JSON has no infinity and no "not a number": they come as null.
const decimal = (value) => value?.toFixed(4) ?? "–";

function hit(result, rank) {
  const item = make("li", null, { tabindex: "0", "data-id": result.id, "data-path": result.file_path });
  const place = make("div", null, { class: "place" });
  const path = make("button", `${result.file_path}:${result.line_number}`, { type: "button", class: "path", title: "copy, and count as chosen" });
  path.addEventListener("click", () => choose(result));
  place.append(make("span", `${rank}.`, { class: "tag" }), path);
  const part = result.content_truncated ? "a part" : null;
  for (const tag of [result.match_type, result.metadata.language, result.metadata.symbols.slice(0, 3).join(", "), part]) {
    if (tag) place.append(make("span", tag, { class: "tag" }));
  }
  place.append(make("span", decimal(result.score), { class: "score", title: "score of the ranker" }));
  item.append(place);
  if (result.content) item.append(marked(result));
  if (result.explain) item.append(explanation(result.explain));
  return item;
}

/// Somebody takes a hit: the place goes to the clipboard, and rankers that learn are told.
async function choose(result) {
  const body = { query: asked.body.query, file_path: result.file_path, result_id: result.id };
  // Without TLS browsers have a clipboard for pages of loopback only.
  const writing = navigator.clipboard?.writeText(`${result.file_path}:${result.line_number}`);
  const copied = (await writing?.then(() => true, () => false)) ? "was copied" : "could not be copied";
  try {
    const { json } = await ask("/api/search/feedback", body);
    say(`${result.file_path} ${copied}${json.recorded ? " and counts as chosen" : ""}`);
  } catch (error) {
    say(`${result.file_path} ${copied}; its choice was not counted: ${error.message}`, "bad");
  }
}

/// The content with its highlights. Ranges count bytes of UTF-8, so it is cut as bytes.
function marked(result) {
  const content = new TextEncoder().encode(result.content);
  const text = (from, to) => new TextDecoder().decode(content.subarray(from, to));
  const shown = make("pre");
  let at = 0;
  for (const { start, end } of result.highlights) {
    shown.append(text(at, start), make("mark", text(start, end)));
    at = end;
  }
  shown.append(text(at, content.length));
  return shown;
}

function explanation({ legs, strategy_rank, strategy_score, ranker_score, ranker }) {
  const details = make("details");
  const summary = `why here: ${strategy_rank}. of the strategy, ${decimal(ranker_score)} of the ranker`;
  details.append(make("summary", summary));
  const table = make("table");
  const head = table.createTHead().insertRow();
  for (const name of ["leg", "rank", "score"]) head.append(make("th", name, { scope: "col" }));
  const body = table.createTBody();
  const row = (...cells) => cells.forEach((cell, at, all) => (all.row ??= body.insertRow()).append(make("td", cell)));
  for (const [name, leg] of Object.entries(legs)) row(name, leg.rank, decimal(leg.score));
  row("fused", strategy_rank, decimal(strategy_score));
  details.append(table);
  if (ranker) details.append(make("p", ranker));
  return details;
}

/// To the hit after the one in focus, or before it.
export function move(by) {
  const items = [...hits.children];
  const at = items.indexOf(document.activeElement?.closest("#hits > li"));
  items[Math.min(Math.max(at + by, 0), items.length - 1)]?.focus();
}

let typed = 0;
async function suggest() {
  const mine = ++typed;
  const prefix = query.value.trim();
  if (prefix.length < 2) return;
  await new Promise((done) => setTimeout(done, 80));
  if (mine !== typed) return;
  try {
    const { json } = await ask(`/api/search/suggestions?query=${encodeURIComponent(prefix)}&max_suggestions=8`);
    if (mine !== typed) return;
    const options = json.suggestions.map(({ suggestion }) => make("option", null, { value: suggestion }));
    element("suggestions").replaceChildren(...options);
  } catch { /* Without suggestions one can still search. */ }
}
