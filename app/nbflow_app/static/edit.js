/* The editor's page: orders go to the server, the sheet comes back, and the sheet is what is shown. Nothing else changes
   the screen, so canvas, forms, text and a second window always say the same. Loaded behind app.js. */
"use strict";
{

const editor = document.getElementById("editor");
const pipeline = editor.dataset.pipeline;
const here = `${base}/pipelines/${pipeline}/edit`;
const byId = (id) => document.getElementById(id);

/* --- orders: one after the other, each with an id, kept until the server has answered --------------------------------- */

const KEPT = `nbflow-edit:${here}`;
const orders = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
let sending = null;

const newId = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(36)).join("");
function keep() {
  try {
    orders.length ? sessionStorage.setItem(KEPT, JSON.stringify(orders)) : sessionStorage.removeItem(KEPT);
  } catch { /* the browser keeps no more: the orders wait in this page alone */ }
}

/* What was typed before goes first. */
function order(path, body) {
  if (path !== "text") push();
  orders.push([path, { id: newId(), ...body }]);
  keep();
  return flush();
}

function flush() {
  sending ??= work().finally(() => { sending = null; });
  return sending;
}

async function work() {
  while (orders.length) {
    const [path, body] = orders[0];
    const answer = await post(path, body).catch(() => null);
    if (!answer || answer.status >= 502) { offline(true); await new Promise((go) => setTimeout(go, 1500)); continue; }
    offline(false);
    if (answer.status === 403) {
      complain("You are not signed in any more. What you did is kept in this window: sign in, then load this page again.");
      return;
    }
    orders.shift();
    const told = await answer.json().catch(() => ({ error: "The server did not understand this." }));
    if (answer.ok) follow(told);
    keep();
    if (answer.ok) show(told); else await refuse(path, body, answer.status, told);
  }
}

/* What was typed meanwhile was typed into what this order made, unless another window had a part in it. */
function follow(told) {
  if (told.version > sheet.version + 1) return;
  for (const [, waiting] of orders) if (waiting.version === sheet.version) waiting.version = told.version;
  if (typed === sheet.version) typed = told.version;
}

function post(path, body) {
  const sent = JSON.stringify(body);
  return fetch(`${here}/${path}`, {
    method: "POST", body: sent, keepalive: sent.length < 20_000,  // browsers let 64 kB outlive a page
    headers: { "Content-Type": "application/json", "X-Requested-With": "nbflow", "X-Xsrftoken": editor.dataset.xsrf },
  });
}

/* Nothing was done: show the draft as it is, so that the screen does not keep what was refused, and say why. */
async function refuse(path, body, status, told) {
  await look();
  if (path === "text" && status === 409) conflict(body.text);
  else complain(sentence(told));
}

let banner = null;
function offline(is) {
  if (is && !banner) banner = say("No connection. Your changes are kept and sent again.");
  if (!is && banner) { banner.remove(); banner = null; }
}

function complain(text) {
  byId("refused").replaceChildren(...prose(text));
  byId("refused").hidden = !text;
}

/* --- the sheet ---------------------------------------------------------------------------------------------------------- */

const LOOKS = { error: "nb-failed", warning: "nb-queued" };
let sheet = JSON.parse(byId("sheet").textContent);

async function look() {
  const before = shown;
  const answer = await fetch(`${here}/sheet`, { headers: { "X-Requested-With": "nbflow" } }).catch(() => null);
  const told = await answer?.json().catch(() => ({}));
  if (!answer || orders.length) return;
  if (shown !== before) { await look(); return; }  // what an order made may be newer
  if (answer.ok) { show(told); return; }  // else it is gone, renamed, or nobody is signed in any more
  complain(`${sentence({ error: "Sign in again", hint: "", ...told })} Your draft is kept.`);
  spoken = null;
}

let shown = 0;  // how many sheets
let spoken = null;  // the version whose words were shown: what was said since stays until the draft is another one
function show(next) {
  sheet = next;
  shown += 1;
  if (spoken !== sheet.version) {
    spoken = sheet.version;
    if (shown > 1 || sheet.said) byId("said").textContent = sheet.said;  // before that the page says what led here
    if (typed !== NONE) complain("");
  }
  byId("undo").disabled = !sheet.can_undo;
  byId("redo").disabled = !sheet.can_redo;
  byId("changed").hidden = !sheet.changed;
  byId("stale").hidden = !sheet.stale;
  offer();
  showProblems();
  showTasks();
  showText();
  byId("canvas").dataset.hint = sheet.unread ? "Nothing can be drawn: the text cannot be read. Mend it under Text." : "No task yet: drop a notebook here, or double click.";
  byId("canvas").toggleAttribute("data-empty", !sheet.tasks.length);
  window.nbflow?.canvas?.show(sheet);
  document.dispatchEvent(new CustomEvent("nbflow-sheet", { detail: { sheet } }));
}

/* A form in which something was typed is a change, too. */
const isChanged = () => sheet.changed || typed !== null || orders.length > 0 || byId("form").hasAttribute("data-touched");
function offer() {
  for (const each of document.querySelectorAll("[data-needs-change]")) {
    each.toggleAttribute("inert", !isChanged());
    each.setAttribute("aria-disabled", String(!isChanged()));
  }
}

function showProblems() {
  const count = (severity) => sheet.problems.filter((each) => each.severity === severity).length;
  const counts = [["error", count("error")], ["warning", count("warning")]].filter(([, number]) => number);
  byId("problems-title").textContent = counts.length ? counts.map(([word, number]) => `${number} ${word}${number === 1 ? "" : "s"}`).join(", ") : "No problems";
  renew(byId("problems"), sheet.problems, (problem) => problem.where, (problem) => made("li",
    { className: LOOKS[problem.severity] },
    made("button", { type: "button", className: "nb-jump", onclick: () => jump(problem) },
      made("strong", { textContent: `${problem.severity} ` }), made("span", {}, ...prose(problem.message)),
      made("small", {}, ...prose([`line ${problem.line}`, problem.hint].filter(Boolean).join(" · "))))));
}

function showTasks() {
  const ups = new Map(sheet.tasks.map((task) => [task.name, []]));
  for (const [up, down] of sheet.edges) ups.get(down)?.push(up);
  const wrong = new Set(sheet.problems.filter(({ severity }) => severity === "error").map(({ task }) => task));
  const tasks = sheet.tasks.map(({ name, notebook, detail, problems }) => {
    const after = ups.get(name).length ? `after ${ups.get(name).join(", ")}` : "";
    return { name, about: [after, detail].filter(Boolean).join(" · ") || notebook, look: wrong.has(name) ? LOOKS.error : problems ? LOOKS.warning : "" };
  });
  renew(byId("tasks"), tasks, (task) => task.name, ({ name, about, look }) => {
    const link = made("a", { href: `${here}/tasks/${name}`, className: look }, made("strong", { textContent: name }), made("small", { textContent: about }));
    link.dataset.side = name;
    return made("li", {}, link);
  });
}

/* A problem opens where it can be mended: on the canvas the task and its form, else the line of the text. */
function jump(problem) {
  if (problem.task && editor.dataset.view === "canvas") {
    window.nbflow?.canvas?.select([problem.task]);
    document.dispatchEvent(new CustomEvent("nbflow-open", { detail: { task: problem.task, key: problem.where.split(".").slice(2).join(".") } }));
    return;
  }
  turn("text");
  const lines = field.value.split("\n");
  const start = lines.slice(0, problem.line - 1).reduce((at, line) => at + line.length + 1, 0) + problem.column - 1;
  field.focus();
  field.setSelectionRange(start, start);
  field.scrollTop = Math.max(0, (problem.line - 4)) * parseFloat(getComputedStyle(field).lineHeight);
}

/* --- the text ----------------------------------------------------------------------------------------------------------- */

const field = byId("text");
const NONE = -1;  // no version: whoever typed has still to choose between two texts
let typed = null, timer = 0;  // the version that was typed into, while the server has not seen it

field.addEventListener("input", () => {
  typed ??= sheet.version;
  gutter();
  clearTimeout(timer);
  timer = setTimeout(send, 200);
});

function push() {
  clearTimeout(timer);
  if (typed === null) return;
  const [text, version] = [field.value, typed];
  typed = null;
  orders.push(["text", { id: newId(), text, version }]);
  keep();
}

function send() {
  push();
  return flush();
}
addEventListener("pagehide", send);

function showText() {
  const text = sheet.text.replace(/\r\n?/g, "\n");
  if (typed !== null || orders.some(([path]) => path === "text")) return;
  if (field.value !== text) {
    const [start, end, top] = [field.selectionStart, field.selectionEnd, field.scrollTop];
    field.value = text;
    field.setSelectionRange(start, end);
    field.scrollTop = top;
  }
  gutter();
}

function gutter() {
  if (editor.dataset.view !== "text") return;
  const wrong = new Map(sheet.problems.toReversed().map((each) => [each.line, each]));
  const lines = field.value.split("\n").length;
  byId("gutter").replaceChildren(...Array.from({ length: lines }, (_, at) => {
    const problem = wrong.get(at + 1);
    return made("span", { textContent: `${at + 1}\n`, className: LOOKS[problem?.severity] ?? "", title: problem?.message ?? "" });
  }));
  byId("gutter").scrollTop = field.scrollTop;
}
field.addEventListener("scroll", () => { byId("gutter").scrollTop = field.scrollTop; });

/* The draft was changed in another window while this text was typed: whoever typed decides, and undo leads to both. */
function conflict(mine) {
  const theirs = made("button", { type: "button", className: "nb-button nb-small", textContent: "Show the other text", onclick: () => chosen(showText) });
  const ours = made("button", { type: "button", className: "nb-button nb-small", textContent: "Keep what I typed", onclick: () => chosen(() => order("text", { text: field.value, version: sheet.version })) });
  complain("The draft was changed in another window while you typed.");
  byId("refused").append(" ", ours, " ", theirs);
  field.value = mine;
  typed = NONE;
  gutter();
}

function chosen(act) {
  typed = null;
  complain("");
  act();
}

/* --- views and buttons --------------------------------------------------------------------------------------------------- */

function turn(view) {
  editor.dataset.view = view;
  for (const each of ["canvas", "text"]) byId(`view-${each}`).hidden = each !== view;
  for (const link of document.querySelectorAll(".nb-tabs [data-view]")) {
    link.dataset.view === view ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  const place = new URL(location.href);
  view === "canvas" ? place.searchParams.delete("view") : place.searchParams.set("view", view);
  history.replaceState(null, "", place);
  if (view === "text") gutter();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".nb-tabs [data-view]");
  if (!link) return;
  event.preventDefault();
  turn(link.dataset.view);
});
byId("undo").addEventListener("click", () => order("undo", {}));
byId("redo").addEventListener("click", () => order("redo", {}));
byId("arrange").addEventListener("click", () => order("arrange", {}).then(() => window.nbflow?.canvas?.sight.show_all()));

const edits = (commands) => order("commands", { commands });
document.addEventListener("nbflow-edit", (event) => edits(event.detail.commands));
document.addEventListener("nbflow-undo", () => order("undo", {}));
document.addEventListener("nbflow-redo", () => order("redo", {}));
document.addEventListener("nbflow-say", (event) => { byId("said").textContent = event.detail.text; });
document.addEventListener("nbflow-select", ({ detail: { names, edge } }) => {
  byId("copy").disabled = !names.length;
  byId("delete").disabled = !names.length && !edge;
});
byId("copy").addEventListener("click", () => window.nbflow.canvas.duplicate());
byId("delete").addEventListener("click", () => window.nbflow.canvas.remove());
KEYS.push(["Ctrl+S", "save"], ["Ctrl+Z  Ctrl+Y", "undo and redo"], ["Ctrl  ← ↑ → ↓", "on the canvas: from task to task"], ["← ↑ → ↓", "move what is chosen"],
  ["c", "connect the task to another"], ["Ctrl+D", "copy"], ["Ctrl+A", "choose all"], ["Delete", "take out"]);
document.addEventListener("nbflow-canvas", () => window.nbflow.canvas.show(sheet));
document.addEventListener("nbflow:news", () => { if (!orders.length && typed === null) look(); });

/* What a dialog shows is what the server knows: it opens when all has arrived, also what other scripts still hold, who put
   their promises of it into `held`. One that is refused is looked at first. */
document.addEventListener("click", async (event) => {
  const link = event.target.closest("#editor a[data-dialog]");
  if (!link || !isChanged()) return;
  event.preventDefault();
  event.stopPropagation();
  const held = [send()];
  document.dispatchEvent(new CustomEvent("nbflow-settle", { detail: { held } }));
  if (!(await Promise.all(held)).includes(false)) openDialog(link);
}, true);

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s" && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    if (isChanged()) byId("save").click();
    return;
  }
  if (!(event.ctrlKey || event.metaKey) || event.altKey || typing() || document.querySelector("dialog[open]")) return;
  if (event.defaultPrevented || event.target.closest?.("#canvas")) return;  // the canvas tells by itself
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  order(key === "y" || event.shiftKey ? "redo" : "undo", {});
});

/* What the other scripts of the page may use; `arrived` is when all that was done here has. */
window.nbflow = Object.assign(window.nbflow ?? {}, { editor: { edit: edits, look, offer, complain, arrived: send, get sheet() { return sheet; } } });

show(sheet);
flush();
}
