/* The forms of the editor: fetched into the panel beside the canvas, sent without leaving the page. Without this script they
   are pages. What was typed into one is applied before anything else is opened. Loaded behind edit.js. */
"use strict";
{

const { editor } = window.nbflow;
const byId = (id) => document.getElementById(id);
const here = location.pathname;

const side = byId("form");
let opener = null;  // what had the focus, and the address
let wanted = 0;     // the last form that was asked for is shown, whichever answer comes last

const got = (address) => fetch(address, { headers: { Accept: "text/html" } }).then((answer) => (answer.ok ? answer.text() : ""), () => "");
const contentOf = (page) => page.getElementById("dialog") ?? page.getElementById("main");
const inputs = () => [...side.querySelectorAll(FIELDS)];
const touched = () => side.hasAttribute("data-touched");
function touch(is) {
  side.toggleAttribute("data-touched", is);
  editor.offer();
}

/* Whoever opens a form goes there; true once it is shown. */
async function open(address) {
  if (!(await apply())) return false;
  const mine = wanted += 1;
  const text = await got(address);
  if (mine !== wanted) return false;
  if (!text) { close(); return false; }
  side.replaceChildren(...contentOf(parsed(text)).childNodes);
  began(address).focus({ preventScroll: true });
  byId("side").scrollTop = 0;
  if (matchMedia("(max-width: 60rem)").matches) byId("side").scrollIntoView();
  return true;
}

/* The form that is open says what the draft says: focus and view stay where they are, and what is typed from now on. */
async function follow(address, keeps = typedSince()) {
  const mine = wanted += 1;
  const text = await got(address);
  if (mine !== wanted) return;
  if (text) show(parsed(text), address, keeps); else close(false);
}

function show(page, address, keeps) {
  const held = document.activeElement, kept = new Set(inputs().filter(keeps));
  refill(side, contentOf(page), (field) => kept.has(field));
  began(address, kept.size > 0);
  if (held.isConnected) held.focus({ preventScroll: true });
}

/* Whether something is typed into a field after this moment. */
function typedSince() {
  const state = (field) => (/^(checkbox|radio)$/.test(field.type) ? field.checked : field.value);
  const was = new Map(inputs().map((field) => [field, state(field)]));
  return (field) => was.has(field) && was.get(field) !== state(field);
}

function began(address, is_touched = false) {
  side.dataset.address = address;
  touch(is_touched);
  byId("outline").hidden = true;
  return Object.assign(side.querySelector("h1"), { tabIndex: -1 });
}

function close(goes = true) {
  if (touched()) editor.complain("");  // what was said of it
  wanted += 1;
  side.replaceChildren();
  delete side.dataset.address;
  touch(false);
  byId("outline").hidden = false;
  if (!goes || !opener) return;
  const [element, address] = opener;
  const place = element.isConnected ? element : [...document.querySelectorAll("a[data-side]")].find((link) => link.href === address);
  place?.focus({ preventScroll: true });
}

/* The task whose form is open is the one that is chosen, or Delete would take out another one. */
async function openFrom(link) {
  if (await open(link.href) && link.dataset.side) window.nbflow.canvas?.select([link.dataset.side]);
}

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  const link = event.target.closest("a[data-side]");
  if (link) { event.preventDefault(); opener = [link, link.href]; openFrom(link); }
  if (event.target.closest("#form [data-close]")) { event.preventDefault(); close(); }
});
document.addEventListener("nbflow-open", async ({ detail: { task, key } }) => {
  const address = `${location.origin}${here}/tasks/${task}`;
  if (!side.contains(document.activeElement)) opener = [document.activeElement, address];
  if (!(await open(address))) return;
  const name = key?.startsWith("depends_on") ? "after.add" : key?.replace(/\[.*/, "");
  const field = name && side.querySelector(`[name="${CSS.escape(name)}"]`);
  if (!field) return;
  field.closest("details")?.setAttribute("open", "");
  field.focus();
});
side.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  if (touched()) editor.complain("What you typed is not applied yet. Apply keeps it, Close forgets it.");
  else close();
});

/* --- sending ------------------------------------------------------------------------------------------------------------ */

side.addEventListener("submit", (event) => {
  event.preventDefault();
  send(event.target, new URLSearchParams(new FormData(event.target, event.submitter)));
});

/* True once nothing is left that was typed; false where it is refused. */
async function apply() {
  const form = touched() && side.querySelector("form[data-editor-form]");
  return !form || send(form, applying(form));
}
const applying = (form) => new URLSearchParams([...new FormData(form), ["do", "apply"]]);
document.addEventListener("nbflow-settle", ({ detail }) => detail.held.push(apply()));
addEventListener("pagehide", () => {
  const form = touched() && side.querySelector("form[data-editor-form]");
  if (form) post(form, applying(form), { keepalive: true });
});

function post(form, fields, about = {}) {
  return fetch(form.action, { method: "POST", body: fields, headers: { "X-Requested-With": "nbflow" }, ...about }).catch(() => null);
}

/* What is typed after it was sent stays, and waits to be sent as well. */
async function send(form, fields) {
  const mine = wanted += 1, keeps = typedSince();
  quiet();
  await editor.arrived();
  const answer = await post(form, fields);
  if (!answer) { editor.complain("The server does not answer. What you typed is still in the form."); return false; }
  if (!answer.headers.get("Content-Type")?.includes("json")) {  // refused: the form again, with what was typed
    const page = parsed(await answer.text());
    if (mine !== wanted) return false;
    quiet();
    show(page, form.action, keeps);
    touch(true);
    side.querySelector("[role=alert]")?.scrollIntoView({ block: "nearest" });
    side.querySelector("[aria-invalid=true]")?.focus();
    return false;
  }
  const told = await answer.json();
  if (!answer.ok) { editor.complain(sentence(told)); return false; }
  let is_copy = false;
  if (mine === wanted) {
    quiet();
    const stays = fields.get("do") === "apply";
    touch(stays && inputs().some(keeps));
    if (!told.go.startsWith(`${here}/`)) close();
    else if (stays) await follow(told.go, keeps);
    else is_copy = await open(told.go);
  }
  await editor.look();
  if (is_copy) window.nbflow.canvas?.select([told.go.split("/").at(-1)]);
  return true;
}

/* What the fields would make of the draft is asked while they are filled in: the delays, the next runs, what is wrong. */
let asking = 0, asked = 0, others = false;  // `others`: the notebook was changed, and may have other parameters
function quiet() {
  clearTimeout(asking);
  asked += 1;
}
side.addEventListener("input", (event) => {
  touch(true);
  quiet();
  if (event.target.name === "notebook") others = true;
  const form = event.target.closest("form[data-editor-form]");
  if (form) asking = setTimeout(() => ask(form), 250);
});
async function ask(form) {
  const mine = asked;
  const fields = new URLSearchParams([...new FormData(form)].filter(([each]) => !["_xsrf", "id", "do"].includes(each)));
  const text = await got(`${form.action}?${fields}`);
  if (!text || !form.isConnected || mine !== asked) return;
  const fresh = parsed(text);
  const parts = [...form.querySelectorAll("[data-part]")].filter((old) => old.id !== "of-notebook" || others);
  others = false;
  renewed(parts.map((old) => [old, fresh.getElementById(old.id)]).filter(([, part]) => part));
}

/* An open form in which nothing was typed follows the draft. */
let seen = editor.sheet.version;
document.addEventListener("nbflow-sheet", () => {
  const is_news = editor.sheet.version !== seen;
  seen = editor.sheet.version;
  if (is_news && side.dataset.address && !touched()) follow(side.dataset.address);
});
}
