/* What pages do in the browser: stay fresh, open forms as dialogs, listen to the keyboard.
   Every page works without it, and it decides nothing: what may be done is decided by the server. */
"use strict";

const root = document.documentElement;
const base = root.dataset.base.replace(/\/$/, "");
const main = document.getElementById("main");
root.classList.add("nb-script");

const cookie = (name, value) => { document.cookie = `${name}=${encodeURIComponent(value)};path=${base || "/"};max-age=31536000;samesite=lax`; };
const parsed = (html) => new DOMParser().parseFromString(html, "text/html");
const typing = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");

/* --- staying fresh ----------------------------------------------------------------------------------------------- */

const original = new WeakMap();  // parts as they came, before a frame was put into them
function replace(old, fresh) {
  if ((original.get(old) ?? old.outerHTML) === fresh.outerHTML) return;
  original.set(fresh, fresh.outerHTML);
  const focused = old.contains(document.activeElement) ? document.activeElement.id || document.activeElement.getAttribute("href") : null;
  const open = [...old.querySelectorAll("details[open]")].map((each) => each.id).filter(Boolean);
  old.replaceWith(fresh);
  frame(fresh);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) [...fresh.querySelectorAll("a, button, input, select, summary")].find((each) => each.id === focused || each.getAttribute("href") === focused)?.focus();
}

/* Fetch an address and put its live parts in the place of ours; only those named, if any are. */
async function refresh(address = location.href, only = null) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = parsed(await answer.text());
  for (const old of main.querySelectorAll("[data-live]")) {
    const part = fresh.getElementById(old.id);
    if (part && (!only || only === old.id)) replace(old, document.adoptNode(part));
  }
  count();
}

/* At most one refresh a second, and none while the page is hidden. */
let wanted = false, waiting = false;
function refreshSoon() {
  wanted = true;
  if (waiting || document.hidden) return;
  waiting = true;
  setTimeout(async () => { wanted = false; await refresh().catch(() => {}); waiting = false; if (wanted) refreshSoon(); }, 250 + Math.random() * 500);
}
document.addEventListener("visibilitychange", () => { if (wanted && !document.hidden) refreshSoon(); });

function patch(parts) {
  for (const [id, html] of Object.entries(parts)) {
    const old = document.getElementById(id);
    const holder = document.createElement("template");
    holder.innerHTML = html.trim();
    if (old && holder.content.firstElementChild) replace(old, holder.content.firstElementChild);
  }
  count();
}

function listen() {
  const watch = main.dataset.watch;
  if (!watch) return;
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${base}/live?watch=${encodeURIComponent(watch)}`);
  socket.onmessage = (event) => {
    const news = JSON.parse(event.data);
    if (news.parts) patch(news.parts);
    if (news.refresh) refreshSoon();
    document.dispatchEvent(new CustomEvent("nbflow:news", { detail: news }));
  };
  socket.onclose = () => { if (!leaving) lost(); };
}

let leaving = false;
addEventListener("pagehide", () => { leaving = true; });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* Say so, ask until the server answers, then load the page again: all that was chosen is in its address. */
function lost() {
  if (document.querySelector(".nb-banner")) return;
  say("Connection lost. Trying again…");
  const ask = async () => {
    const answer = await fetch(`${base}/healthz`, { cache: "no-store" }).catch(() => null);
    if (answer?.ok) location.reload(); else setTimeout(ask, 1000 + Math.random() * 1000);
  };
  setTimeout(ask, 500);
}

function say(text) {
  const banner = document.createElement("div");
  banner.className = "nb-banner";
  banner.setAttribute("role", "status");
  banner.textContent = text;
  document.body.append(banner);
  return banner;
}

/* Times that go on while the page is open. The words are those of nbflow.text.seconds_text. */
function secondsText(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 119.5) return `${Math.round(seconds)} s`;
  let minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  let hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
function count() {
  for (const each of document.querySelectorAll("[data-since]")) {
    each.textContent = secondsText(Math.max(0, (Date.now() - Date.parse(each.dataset.since)) / 1000));
  }
}
setInterval(count, 1000);

/* --- filters: what is chosen goes into the address ---------------------------------------------------------------- */

let typed = 0;
async function filter(form) {
  const fields = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  const address = `${location.pathname}${fields.size ? `?${fields}` : ""}`;
  history.replaceState(null, "", address);
  await refresh(address, form.dataset.filter);
}
document.addEventListener("input", (event) => {
  const form = event.target.closest("form[data-filter]");
  if (!form) return;
  clearTimeout(typed);
  typed = setTimeout(() => filter(form), event.target.type === "search" ? 200 : 0);
});
document.addEventListener("change", (event) => event.target.closest("form[data-choose]")?.submit());
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-filter]");
  if (form) { event.preventDefault(); filter(form); }
});

/* --- forms in dialogs ----------------------------------------------------------------------------------------------- */

async function openDialog(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (answer.redirected && !answer.ok) { location.assign(address); return; }
  const page = parsed(await answer.text());
  const dialog = document.createElement("dialog");
  dialog.className = "nb-dialog";
  dialog.dataset.address = address;
  fill(dialog, page);
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

function fill(dialog, page) {
  const content = page.getElementById("dialog") ?? page.getElementById("main");
  dialog.replaceChildren(...[...content.childNodes].map((node) => document.adoptNode(node)));
  const title = dialog.querySelector("h1, h2");
  if (title) { title.id = "dialog-title"; dialog.setAttribute("aria-labelledby", title.id); }
  if (!dialog.querySelector("[data-close]")) {
    const close = document.createElement("button");
    close.type = "button"; close.className = "nb-button"; close.dataset.close = ""; close.textContent = "Close";
    (dialog.querySelector("footer") ?? dialog).prepend(close);
  }
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) { event.target.closest("dialog")?.close(); event.preventDefault(); return; }
  if (event.target.matches?.("dialog")) { event.target.close(); return; }
  const link = event.target.closest("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  document.querySelector("dialog.nb-dialog")?.close();
  openDialog(link.href).catch(() => location.assign(link.href));
});

/* A choice in a dialog changes what it shows: ask again with the fields as they are. */
document.addEventListener("change", async (event) => {
  const form = event.target.closest("dialog form[data-preview]");
  if (!form || !event.target.matches("[data-asks]")) return;
  const fields = new URLSearchParams([...new FormData(form)].filter(([name, value]) => value && name !== "_xsrf"));
  const answer = await fetch(`${form.action}?${fields}`, { headers: { Accept: "text/html" } });
  const fresh = parsed(await answer.text()).getElementById("preview");
  const old = form.querySelector("#preview");
  if (fresh && old) old.replaceWith(document.adoptNode(fresh));
});

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("dialog form[method=post]");
  if (!form) return;
  event.preventDefault();
  const button = event.submitter ?? form.querySelector("button:not([type=button])");
  const before = button.textContent;
  button.disabled = true;
  button.textContent = "Working…";
  const answer = await fetch(form.action, {
    method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "X-Requested-With": "nbflow" },
  }).catch(() => null);
  const told = await answer?.json().catch(() => null);
  if (answer?.ok && told) {
    form.closest("dialog").close();
    const here = location.pathname;
    if (told.go.split(/[?#]/)[0] !== here) { location.assign(told.go); return; }
    if (told.note) setTimeout((banner) => banner.remove(), 5000, say(told.note));
    refreshSoon();
    return;
  }
  button.disabled = false;
  button.textContent = before;
  let place = form.querySelector("[role=alert]");
  if (!place) {
    place = document.createElement("p");
    place.className = "nb-note nb-failed"; place.setAttribute("role", "alert");
    form.querySelector("footer").before(place);
  }
  place.textContent = told ? [told.error, told.hint].filter(Boolean).join(" ") : "The server does not answer. Nothing may have been done; look at the page before you try again.";
});

/* --- keyboard --------------------------------------------------------------------------------------------------------- */

const KEYS = [["/", "search"], ["j  k", "next and previous row, or failed cell"], ["Enter", "open the row"],
  ["r", "re-run"], ["t", "trigger"], ["?", "this help"], ["Esc", "close"]];

function help() {
  const dialog = document.createElement("dialog");
  dialog.className = "nb-dialog";
  dialog.setAttribute("aria-labelledby", "dialog-title");
  dialog.innerHTML = `<h2 id="dialog-title">Keyboard</h2><dl class="nb-keys">${KEYS.map(([keys, text]) =>
    `<dt>${keys.split("  ").map((key) => `<kbd>${key}</kbd>`).join(" ")}</dt><dd>${text}</dd>`).join("")}</dl>
    <footer><button type="button" class="nb-button" data-close autofocus>Close</button></footer>`;
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

function step(by) {
  const cells = [...document.querySelectorAll(".nbx-code.nbx-failed")];
  const rows = cells.length ? cells : [...document.querySelectorAll("[data-rows] tbody tr")];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("nb-at"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))] ?? rows[0];
  rows[at]?.classList.remove("nb-at");
  next.classList.add("nb-at");
  next.scrollIntoView({ block: cells.length ? "start" : "nearest" });
  (next.querySelector("a") ?? next).focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing() || document.querySelector("dialog[open]")) return;
  const act = {
    "/": () => document.querySelector("[data-search]")?.focus(),
    j: () => step(1), k: () => step(-1), "?": help,
    r: () => document.querySelector("[data-key=r]")?.click(),
    t: () => document.querySelector("[data-key=t]")?.click(),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});

document.querySelector("[data-keys]")?.addEventListener("click", help);
document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  cookie("nb-theme", root.dataset.theme);
  document.dispatchEvent(new CustomEvent("nbflow:theme"));
});

/* --- drawings: Panel applications that are drawn into their place ----------------------------------------------------- */

function draw(place) {
  const [path, query] = place.dataset.drawing.split("?");
  const app = `${base}${path}`;
  const fields = new URLSearchParams(query);
  for (const [name, value] of Object.entries({ "bokeh-autoload-element": place.id, "bokeh-app-path": app, "bokeh-absolute-url": location.origin + app })) fields.set(name, value);
  const script = document.createElement("script");
  script.src = `${app}/autoload.js?${fields}`;
  document.body.append(script);
}
document.querySelectorAll("[data-drawing]").forEach(draw);

/* --- an executed notebook --------------------------------------------------------------------------------------------- */

/* The failing cell is in view on arrival, unless the address names another one. */
const notebook = document.getElementById("notebook");
function arrive() {
  const cell = document.getElementById(location.hash.slice(1) || notebook?.dataset.arrive || "-");
  for (let place = cell?.parentElement; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
  cell?.scrollIntoView({ block: "start" });
}
if (notebook) { arrive(); addEventListener("hashchange", arrive); }

/* Outputs with scripts are frames of another origin, loaded when they come into view; they only tell how high they are. */
const near = new IntersectionObserver((seen) => {
  for (const { target } of seen.filter((each) => each.isIntersecting)) {
    near.unobserve(target);
    const inside = document.createElement("iframe");
    inside.sandbox = "allow-scripts";
    inside.title = `Output of ${target.closest(".nbx-cell")?.getAttribute("aria-label") ?? "a cell"}`;
    inside.src = target.dataset.frame;
    target.replaceChildren(inside);
  }
}, { rootMargin: "200px" });
function frame(part) { part.querySelectorAll("[data-frame]").forEach((each) => near.observe(each)); }
for (const cell of document.querySelectorAll(".nbx-cell")) original.set(cell, cell.outerHTML);
if (notebook) frame(notebook);
addEventListener("message", (event) => {
  if (event.data?.nbx !== "height" || typeof event.data.height !== "number") return;
  for (const frame of document.querySelectorAll("iframe")) {
    if (frame.contentWindow === event.source) frame.style.height = `${Math.min(4000, Math.max(24, event.data.height))}px`;
  }
});

/* Search: marks what was found without changing the document; Enter goes on to the next. */
const find = document.querySelector("[data-find]");
let hits = [], hit = -1;
function search() {
  hits = []; hit = -1;
  const text = find.value.toLowerCase();
  if (text.length > 1) {
    const walker = document.createTreeWalker(notebook, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const inside = node.data.toLowerCase();
      for (let at = inside.indexOf(text); at >= 0 && hits.length < 5000; at = inside.indexOf(text, at + text.length)) {
        const range = new Range();
        range.setStart(node, at); range.setEnd(node, at + text.length);
        hits.push(range);
      }
    }
  }
  if (window.CSS?.highlights) CSS.highlights.set("nb-found", new Highlight(...hits));
  document.getElementById("found").textContent = text.length > 1 ? `${hits.length} found` : "";
}
function nextHit(by) {
  if (!hits.length) return;
  hit = (hit + by + hits.length) % hits.length;
  const place = hits[hit].startContainer.parentElement;
  for (let above = place; above; above = above.parentElement) if (above.tagName === "DETAILS") above.open = true;
  place.scrollIntoView({ block: "center" });
  if (window.CSS?.highlights) CSS.highlights.set("nb-here", new Highlight(hits[hit]));
  document.getElementById("found").textContent = `${hit + 1} of ${hits.length}`;
}
find?.addEventListener("input", search);
find?.closest("form").addEventListener("submit", (event) => event.preventDefault());
find?.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); nextHit(event.shiftKey ? -1 : 1); } });

/* --- begin --------------------------------------------------------------------------------------------------------------- */

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && zone !== root.dataset.zone && !document.cookie.includes(`nb-zone=${encodeURIComponent(zone)}`)) {
  cookie("nb-zone", zone);
  if (main.querySelector("time")) location.reload();
}
count();
listen();
