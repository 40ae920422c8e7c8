/* The palette beside the editor's canvas: notebooks that could be tasks, and edges that suggest themselves. It asks the
   server what there is, and the editor to change the draft; it changes nothing itself. Loaded behind edit.js and names.js. */
"use strict";
{

const MOST = 60;  // entries at once: more are found by searching
const FIRM = 6;  // pixels that a hand may tremble
const { editor } = window.nbflow;
const page = document.getElementById("editor");
const here = `${base}/pipelines/${page.dataset.pipeline}/edit`;
const byId = (id) => document.getElementById(id);

/* Nothing where there is no answer, or the same was asked again meanwhile. */
const turns = {};
async function ask(path) {
  const turn = turns[path] = (turns[path] ?? 0) + 1;
  const answer = await fetch(`${here}/${path}`, { headers: { "X-Requested-With": "nbflow" } }).catch(() => null);
  const told = answer?.ok ? await answer.json().catch(() => null) : null;
  return turn === turns[path] ? told : null;
}

/* --- notebooks ---------------------------------------------------------------------------------------------------------- */

const search = byId("palette-search"), list = byId("palette-list");
let notebooks = [], place = null, awaited = [];  // the next task's place on the canvas; names that the server is asked for

async function look() {
  const told = await ask("palette");
  if (!told) return;
  notebooks = told.notebooks;
  if (!byId("palette-path").value && told.folder) byId("palette-path").value = `${told.folder}/`;
  draw();
}

const text = (each) => [each.path, each.heading, ...each.params].join(" ").toLowerCase();

function found() {
  const words = search.value.toLowerCase().split(/\s+/);
  return notebooks.filter((each) => words.every((word) => text(each).includes(word)));
}

function draw() {
  const users = new Map();
  for (const task of editor.sheet.tasks) users.set(task.notebook, [...(users.get(task.notebook) ?? []), task.name]);
  const all = found();
  const shown = all.slice(0, MOST).map((each) => ({ ...each, users: users.get(each.notebook) ?? [] }));
  renew(list, shown, (each) => each.notebook, entry);
  rove(Math.max(0, buttons().findIndex((button) => button.closest("li").contains(document.activeElement))));
  const hidden = all.length - MOST;
  byId("palette-more").textContent = !notebooks.length ? "The project has no notebooks yet. Begin one below."
    : !all.length ? "No notebook has all of these words." : hidden > 0 ? `${hidden} more: search to see them.` : "";
}

const some = (names) => names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more` : names.join(", ");

function entry(each) {
  const [, folder, file] = /^(?:(.*)\/)?([^/]*)$/.exec(each.notebook);
  const about = made("div", {}, made("strong", { textContent: file }));
  if (each.heading) about.append(" ", made("span", { textContent: each.heading }));
  if (each.users.length) about.append(" ", made("span", { className: "nb-tag", textContent: `used by ${some(each.users)}` }));
  if (folder) about.append(made("small", { className: "nb-dim", textContent: `in ${folder}` }));
  if (each.problem) about.append(made("small", { className: "nb-invalid", textContent: each.problem }));
  else if (each.params.length) about.append(made("small", { className: "nb-dim nb-mono", textContent: each.params.join(", ") }));
  const button = made("button", { type: "button", className: "nb-button nb-small", textContent: "Add", onclick: () => add(each) });
  button.setAttribute("aria-label", `Add ${each.notebook}`);
  button.disabled = Boolean(each.problem);
  const links = page.dataset.jupyter ? [made("a", { href: inJupyter(each.path), target: "_blank", rel: "noopener noreferrer", textContent: "Open" })] : [];
  for (const link of links) link.setAttribute("aria-label", `Open ${each.notebook} in JupyterLab`);
  return made("li", { title: each.path }, about, ...links, button);
}

const inJupyter = (path) => `${page.dataset.jupyter}/${path.split("/").map(encodeURIComponent).join("/")}`;

/* A task of its own, at a place of the canvas, or where there is room. */
function add({ task, notebook }, at = place ?? window.nbflow.canvas?.free_place()) {
  const taken = [...editor.sheet.tasks.map((each) => each.name), ...awaited];
  const name = numbered(task, (each) => taken.includes(each));
  awaited.push(name);
  editor.edit([{ do: "add_task", name, notebook, after: [], ...(at && { position: at }) }])
    .then(() => { awaited = awaited.filter((each) => each !== name); });
  place = null;
}

document.addEventListener("nbflow-sheet", ({ detail: { sheet } }) => {
  const there = awaited.filter((name) => sheet.tasks.some((task) => task.name === name));
  if (there.length) window.nbflow.canvas?.select(there);
  draw();
});

/* A double tap on the canvas asks for a task there: which notebook is chosen here. */
document.addEventListener("nbflow-add", ({ detail }) => {
  place = detail.place;
  search.focus();
  search.select();
});

/* An entry goes with the mouse, the pen or the finger, and is a task where it is let go over the canvas. The list holds
   the pointer, for its entries may be exchanged meanwhile; a finger that goes up or down scrolls it (edit.css). */
let held = null;
list.addEventListener("pointerdown", (event) => {
  const row = event.target.closest("li"), each = row && notebooks.find(({ notebook }) => notebook === row.called);
  if (event.button || held || !each || each.problem || event.target.closest("a, button")) return;
  held = { each, x: event.clientX, y: event.clientY, ghost: null };
  list.setPointerCapture(event.pointerId);
});
list.addEventListener("pointermove", (event) => {
  if (!held || (!held.ghost && Math.hypot(event.clientX - held.x, event.clientY - held.y) < FIRM)) return;
  held.ghost ??= document.body.appendChild(made("div", { className: "nb-carried", textContent: held.each.task }));
  held.ghost.style.translate = `${event.clientX}px ${event.clientY}px`;
  held.ghost.toggleAttribute("data-lands", Boolean(under(event)));
});
list.addEventListener("pointerup", (event) => {
  const at = held?.ghost && under(event), each = held?.each;
  drop();
  if (!at) return;
  add(each, at);
  window.nbflow.canvas.focus();
});
list.addEventListener("pointercancel", drop);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") drop(); });

const under = (event) => window.nbflow.canvas?.place_under(event.clientX, event.clientY);
function drop() {
  held?.ghost?.remove();
  held = null;
}

/* One stop of the Tab key for the whole list; arrows go from one entry to the next. */
const buttons = () => [...list.querySelectorAll("button:not(:disabled)")];
const rove = (at) => buttons().forEach((button, index) => {
  for (const each of button.closest("li").querySelectorAll("a, button")) each.tabIndex = index === at ? 0 : -1;
});

function go(at) {
  const all = buttons();
  if (at < 0) { search.focus(); return; }
  const next = Math.min(at, all.length - 1);
  rove(next);
  all[next]?.focus();
}
search.addEventListener("input", draw);
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") { event.preventDefault(); go(0); }
  const first = found().find((each) => !each.problem);
  if (event.key === "Enter" && search.value.trim() && first) { event.preventDefault(); add(first); }
});
list.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  go(buttons().indexOf(document.activeElement) + by);
});

byId("palette-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const path = byId("palette-path").value.trim(), refused = byId("palette-refused");
  const answer = await fetch(`${here}/notebooks`, {
    method: "POST", body: JSON.stringify({ path }),
    headers: { "Content-Type": "application/json", "X-Requested-With": "nbflow", "X-Xsrftoken": page.dataset.xsrf },
  }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  refused.hidden = Boolean(answer?.ok);
  if (!answer?.ok) { refused.replaceChildren(...prose(told ? sentence(told) : "The server does not answer.")); return; }
  byId("palette-begin").open = false;
  byId("palette-path").value = "";
  search.value = "";
  await look();
  go(found().filter((each) => !each.problem).slice(0, MOST).findIndex((each) => each.path === told.path));
});

/* --- suggested edges ---------------------------------------------------------------------------------------------------- */

const KEPT = `nbflow-left:${here}`;
const left = new Set(JSON.parse(localStorage.getItem(KEPT) ?? "[]"));
let suggestions = [], timer = 0, version = editor.sheet.version;
const key = (each) => `${each.up}>${each.down}`;

async function suggest() {
  const told = await ask("suggestions");
  if (!told) return;
  suggestions = told.suggestions;
  drawSuggestions();
}

function take({ up, down }) {
  const { canvas } = window.nbflow;
  if (canvas) canvas.connect(up, down); else editor.edit([{ do: "connect", up, down }]);
}

function leave(each) {
  left.add(key(each));
  localStorage.setItem(KEPT, JSON.stringify([...left]));
  drawSuggestions();
}

function drawSuggestions() {
  const open = suggestions.filter((each) => !left.has(key(each))), hidden = suggestions.length - open.length;
  const held = byId("suggestions").contains(document.activeElement);
  byId("suggested").hidden = !suggestions.length;
  renew(byId("suggestions"), open, key, (each) => made("li", {},
    made("strong", { textContent: `${each.down} after ${each.up}` }), made("small", { textContent: each.reason }),
    pressed("Take", each, () => take(each)),
    pressed("Leave", each, () => leave(each))));
  byId("suggestions-left").hidden = !hidden;
  byId("suggestions-left").textContent = `Show ${hidden} that ${hidden === 1 ? "was" : "were"} left`;
  if (held && !open.length) byId("suggested-title").focus();
}

function pressed(word, each, act) {
  const button = made("button", { type: "button", className: "nb-button nb-small", textContent: word, onclick: act });
  button.setAttribute("aria-label", `${word}: ${each.down} after ${each.up}`);
  return button;
}

byId("suggestions-left").addEventListener("click", () => {
  left.clear();
  localStorage.removeItem(KEPT);
  drawSuggestions();
  byId("suggestions").querySelector("button")?.focus();
});
document.addEventListener("nbflow-sheet", ({ detail: { sheet } }) => {
  if (sheet.version === version) return;
  version = sheet.version;
  clearTimeout(timer);
  timer = setTimeout(suggest, 300);
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) { look(); suggest(); } });

look();
suggest();
}
