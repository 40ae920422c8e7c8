/* What pages do in the browser: stay fresh, open forms as dialogs, listen to the keyboard.
   Every page works without it, and it decides nothing: what may be done is decided by the server. */
"use strict";

const root = document.documentElement;
const base = root.dataset.base.replace(/\/$/, "");
const main = document.getElementById("main");
root.classList.add("nb-script");

const cookie = (name, value) => { document.cookie = `${name}=${encodeURIComponent(value)};path=${base || "/"};max-age=31536000;samesite=lax`; };
const parsed = (html) => new DOMParser().parseFromString(html, "text/html");
const made = (tag, about = {}, ...inside) => {
  const element = Object.assign(document.createElement(tag), about);
  element.append(...inside);
  return element;
};
/* A sentence: what it has between backticks is code. */
const prose = (text) => text.split(/`([^`\n]+)`/).map((part, at) => at % 2 ? made("code", { textContent: part }) : part);
/* What a server says no with, as sentences. */
const sentence = ({ error, hint }) => [error, hint].filter(Boolean).map((part) => (/[.?!]$/.test(part) ? part : `${part}.`)).join(" ");
const typing = () => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");

/* --- staying fresh ----------------------------------------------------------------------------------------------- */

/* Let `old` become what `fresh` is. What is still there stays the same element, known by its id or address, else by its
   place: it keeps the focus, a press that is half done, what is selected or scrolled, and the details that were opened.
   A field takes what came, unless somebody `keeps` it; whoever has chosen all of its text has chosen all of the new one. */
function become(old, fresh, keeps = inUse) {
  if (old.isEqualNode(fresh) && !old.matches(FIELDS) && !old.querySelector(FIELDS)) return;
  const was = old.value, is_all = old === document.activeElement && old.selectionStart === 0 && old.selectionEnd === was.length;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
  refill(old, fresh, keeps);
  if (!old.matches(FIELDS)) return;
  if (keeps(old)) { if (old.value !== was) old.value = was; return; }  // another choice may stand in its place
  if (/^(checkbox|radio)$/.test(old.type)) old.checked = fresh.checked; else if (old.value !== fresh.value) old.value = fresh.value;
  if (is_all && old.value !== was) old.select();
}
const FIELDS = "input, select, textarea";
const inUse = (field) => field === document.activeElement;

function refill(old, fresh, keeps = inUse) {
  const rest = [...old.childNodes];
  const parts = [...fresh.childNodes].map((part) => {
    const at = rest.findIndex((each) => isAlike(each, part));
    if (at < 0) return part;
    const [known] = rest.splice(at, 1);
    if (known.nodeType !== Node.ELEMENT_NODE) { if (known.data !== part.data) known.data = part.data; }
    else if (!framed.has(known)) become(known, part, keeps);
    return known;
  });
  for (const each of rest) each.remove();
  let next = old.firstChild;
  for (const part of parts) {
    if (part === next) { next = next.nextSibling; continue; }
    const is_new = part.parentNode !== old;
    old.insertBefore(part, next);
    if (is_new && part.nodeType === Node.ELEMENT_NODE) frame(part);
  }
}
const framed = new WeakMap();  // places of outputs and drawings as they came, before something was put into them
const named = (node) => node.getAttribute?.("id") ?? node.getAttribute?.("href") ?? "";  // a form's `id` may be a field of it
const isAlike = (old, fresh) => old.nodeName === fresh.nodeName && named(old) === named(fresh)
  && (!framed.has(old) || framed.get(old) === fresh.outerHTML);

/* Put new parts in the place of old ones: pairs of both. Whoever had the focus has it afterwards. */
function renewed(pairs) {
  const held = document.activeElement;
  for (const [old, fresh] of pairs) become(old, fresh);
  if (held.isConnected && document.activeElement !== held) held.focus({ preventScroll: true });
  count();
}

/* Show `items` as the entries of a list. Those that are what they were stay as they are, with the focus and with a press
   that is half done; the focus of one that goes is taken by the entry of the same name, or by the one in its place. */
function renew(list, items, name, entry) {
  const old = [...list.children], held = document.activeElement;
  const at = old.findIndex((row) => row.contains(held)), had = old[at];
  const control = had ? controls(had).indexOf(held) : 0;
  const rows = items.map((item) => {
    const shows = JSON.stringify(item), known = old.findIndex((row) => row.shows === shows);
    return known < 0 ? Object.assign(entry(item), { shows, called: name(item) }) : old.splice(known, 1)[0];
  });
  for (const row of old) row.remove();
  rows.forEach((row, place) => { if (list.children[place] !== row) list.insertBefore(row, list.children[place] ?? null); });
  if (!had || document.activeElement === held) return;
  const heir = had.isConnected ? had : rows.find((row) => row.called === had.called) ?? rows[Math.min(at, rows.length - 1)];
  if (heir) (controls(heir)[control] ?? controls(heir)[0])?.focus();
}
const controls = (row) => [...row.querySelectorAll("a, button:not(:disabled)")];

/* The address of what is shown: a page that was asked for the newest run goes on with the one that it chose. */
function chosenAddress() {
  const choice = main.querySelector("form[data-choose]");
  return choice ? `${location.pathname}?${new URLSearchParams(new FormData(choice))}` : location.href;
}

/* Fetch an address and show its live parts. Only the last answer that was asked for is shown. */
let asked = 0;
async function refresh(address = chosenAddress()) {
  const mine = asked += 1;
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const text = answer.ok ? await answer.text() : "";
  for (const since = Date.now(); Date.now() < Math.min(held, since + PATIENCE);) await new Promise((go) => setTimeout(go, 50));
  if (!text || mine !== asked) return;
  const fresh = parsed(text);
  renewed([...main.querySelectorAll("[data-live]")].map((old) => [old, fresh.getElementById(old.id)]).filter(([, part]) => part));
}

/* What is fetched may put a row above others: it waits while a hand is about to press one of them, or presses, but not
   for ever: not every browser tells of each press that it has ended. */
const AIMS = 300, PATIENCE = 20_000;  // milliseconds
let held = 0;  // until when
document.addEventListener("pointermove", (event) => { if (event.target.closest?.("[data-live], [data-rows]")) held = Math.max(held, Date.now() + AIMS); });
document.addEventListener("pointerdown", () => { held = Date.now() + PATIENCE; });
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => { held = 0; }, true);

/* At most one refresh a second, none while the page is hidden, and none of a page without live parts. */
let wanted = false, waiting = false;
function refreshSoon() {
  if (!main.querySelector("[data-live]")) return;
  wanted = true;
  if (waiting || document.hidden) return;
  waiting = true;
  setTimeout(async () => { wanted = false; await refresh().catch(() => {}); waiting = false; if (wanted) refreshSoon(); }, 250 + Math.random() * 500);
}
document.addEventListener("visibilitychange", () => { if (wanted && !document.hidden) refreshSoon(); });

function patch(parts) {
  const pairs = Object.entries(parts).map(([id, html]) => {
    const holder = document.createElement("template");
    holder.innerHTML = html.trim();
    return [document.getElementById(id), holder.content.firstElementChild];
  });
  renewed(pairs.filter(([old, fresh]) => old && fresh));
}

function listen() {
  const { watch, seen, upto } = main.dataset;
  if (!watch) return;
  const socket = watching({ watch, seen, upto }, (news) => {
    if (news.parts) patch(news.parts);
    if (news.refresh) refreshSoon();
    document.dispatchEvent(new CustomEvent("nbflow:news", { detail: news }));
  });
  socket.onclose = () => { if (!leaving) lost(); };
}

function watching(fields, heard) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(`${scheme}//${location.host}${base}/live?${new URLSearchParams(fields)}`);
  socket.onmessage = (event) => heard(JSON.parse(event.data));
  return socket;
}

let leaving = false;
addEventListener("pagehide", () => { leaving = true; });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

/* Say so, ask until the server answers, then load the page again: all that was chosen is in its address. What is typed
   into a form is not, so that a form that is open is waited for. */
function lost() {
  const banner = say("Connection lost. Trying again…");
  const ask = async () => {
    const answer = await fetch(`${base}/healthz`, { cache: "no-store" }).catch(() => null);
    const is_open = document.querySelector("dialog[open] form, [data-touched]");
    if (answer?.ok && !is_open) { location.reload(); return; }
    banner.textContent = answer?.ok ? "Connected again. The page is loaded anew when the form is sent or closed." : "Connection lost. Trying again…";
    setTimeout(ask, 1000 + Math.random() * 1000);
  };
  setTimeout(ask, 500);
}

/* One above the other where several are said. */
function say(text) {
  const all = document.querySelector(".nb-banners") ?? document.body.appendChild(made("div", { className: "nb-banners" }));
  const banner = made("p", { className: "nb-banner", textContent: text });
  banner.setAttribute("role", "status");
  all.append(banner);
  return banner;
}

/* For as long as it takes to read it. */
function mention(text) {
  setTimeout((banner) => banner.remove(), Math.max(5000, 80 * text.length), say(text));
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
  await refresh(address);
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
document.addEventListener("keydown", (event) => {
  if (event.key !== "ArrowDown" || !event.target.matches?.("form[data-filter] [data-search]")) return;
  event.preventDefault();
  step(1);
});

/* A list is narrowed to the entries that have all words; what is chosen stays in sight. */
document.addEventListener("input", (event) => {
  const list = document.getElementById(event.target.dataset?.narrows ?? "");
  if (!list) return;
  const words = event.target.value.toLowerCase().split(/\s+/);
  for (const each of list.children) {
    each.hidden = !each.querySelector(":checked") && !words.every((word) => each.textContent.toLowerCase().includes(word));
  }
});
document.addEventListener("keydown", (event) => {
  const button = event.key === "Enter" && document.getElementById(event.target.dataset?.presses ?? "");
  if (button) { event.preventDefault(); button.click(); }
});

/* --- forms in dialogs ----------------------------------------------------------------------------------------------- */

let opening = null;  // the dialog that is on its way: pressed twice it opens once, and of two the last one opens
async function openDialog(link) {
  const address = link.href;
  if (opening === address) return;
  opening = address;
  link.ariaBusy = "true";
  const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  const text = await answer?.text().catch(() => null);
  link.ariaBusy = null;
  if (opening !== address) return;
  opening = null;
  if (!answer) { mention("The server does not answer. Try again."); return; }
  if (!text || (answer.redirected && !answer.ok)) { location.assign(address); return; }
  const dialog = made("dialog", { className: "nb-dialog" });
  dialog.dataset.address = address;
  fill(dialog, parsed(text));
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
    const footer = dialog.querySelector("footer");
    if (footer) footer.prepend(close); else (dialog.querySelector(".nb-title") ?? dialog).append(close);
  }
}

document.addEventListener("click", (event) => {
  const open = event.target.closest("[data-close]") && event.target.closest("dialog");
  if (open) { open.close(); event.preventDefault(); return; }  // on a page of its own it is a link
  if (event.target.matches?.("dialog")) { event.target.close(); return; }
  const link = event.target.closest("a[data-dialog]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  document.querySelector("dialog.nb-dialog")?.close();
  openDialog(link);
});

/* A choice in a form changes what it shows: ask again with the fields as they are. */
document.addEventListener("change", async (event) => {
  const form = event.target.closest("form[data-preview]");
  if (!form || !event.target.matches("[data-asks]")) return;
  const fields = new URLSearchParams([...new FormData(form)].filter(([name, value]) => value && name !== "_xsrf"));
  const asked = form.dataset.asked = String(Number(form.dataset.asked ?? 0) + 1);
  const answer = await fetch(`${form.action}?${fields}`, { headers: { Accept: "text/html" } });
  const fresh = parsed(await answer.text()).getElementById("preview");
  const old = form.querySelector("#preview");
  if (fresh && old && form.dataset.asked === asked) renewed([[old, fresh]]);
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
    if (told.note) mention(told.note);
    refreshSoon();
    document.dispatchEvent(new CustomEvent("nbflow:news", { detail: { refresh: true, go: told.go } }));
    return;
  }
  button.disabled = false;
  button.textContent = before;
  button.focus();
  let place = form.querySelector("[role=alert]");
  if (!place) {
    place = document.createElement("p");
    place.className = "nb-note nb-failed"; place.setAttribute("role", "alert");
    form.querySelector("footer").before(place);
  }
  place.replaceChildren(...prose(told ? sentence(told) : "The server does not answer. Nothing may have been done; look at the page before you try again."));
});

/* --- keyboard --------------------------------------------------------------------------------------------------------- */

const KEYS = [["/", "search"], ["j  k", "next and previous row, or failed cell"], ["↓", "from the search to the first row"], ["Enter", "open the row"],
  ["r", "re-run"], ["t", "trigger"], ["e", "edit the pipeline"], ["?", "this help"], ["Esc", "close"]];
const PRESSES = ["r", "t", "e"];  // what a page has for whoever may do so
const pressed = (key) => document.querySelector(`[data-key=${key}]`);

function help() {
  const known = KEYS.filter(([key]) => !PRESSES.includes(key) || pressed(key));
  const dialog = document.createElement("dialog");
  dialog.className = "nb-dialog";
  dialog.setAttribute("aria-labelledby", "dialog-title");
  dialog.innerHTML = `<h2 id="dialog-title">Keyboard</h2><dl class="nb-keys">${known.map(([keys, text]) =>
    `<dt>${keys.split("  ").map((key) => `<kbd>${key}</kbd>`).join(" ")}</dt><dd>${text}</dd>`).join("")}</dl>
    <footer><button type="button" class="nb-button" data-close autofocus>Close</button></footer>`;
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

function step(by) {
  const cells = [...document.querySelectorAll(".nbx-code.nbx-failed")];
  const rows = cells.length ? cells : [...document.querySelectorAll("[data-rows] tbody tr")].filter((row) => row.querySelector("a"));
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + by))];
  next?.scrollIntoView({ block: cells.length ? "start" : "nearest" });
  next?.querySelector("a, [tabindex]")?.focus({ preventScroll: true });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing() || document.querySelector("dialog[open]")) return;
  const act = {
    "/": () => { const field = document.querySelector("[data-search]"); if (field) field.focus(); else location.assign(`${base}/pipelines#q`); },
    j: () => step(1), k: () => step(-1), "?": help,
    ...Object.fromEntries(PRESSES.map((key) => [key, () => pressed(key)?.click()])),
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});

document.querySelector("[data-search]:target")?.focus();
document.querySelector("[data-keys]")?.addEventListener("click", help);
document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  cookie("nb-theme", root.dataset.theme);
  document.dispatchEvent(new CustomEvent("nbflow:theme"));
});

/* --- drawings: Panel applications that are drawn into their place ----------------------------------------------------- */

function draw(place) {
  framed.set(place, place.outerHTML);
  const [path, query] = place.dataset.drawing.split("?");
  const app = `${base}${path}`;
  const fields = new URLSearchParams(query);
  for (const [name, value] of Object.entries({ "bokeh-autoload-element": place.id, "bokeh-app-path": app, "bokeh-absolute-url": location.origin + app })) fields.set(name, value);
  const script = document.createElement("script");
  script.src = `${app}/autoload.js?${fields}`;
  document.body.append(script);
}

/* --- an executed notebook --------------------------------------------------------------------------------------------- */

/* The failing cell is in view on arrival, unless the address names another one; where all of it is in view, nothing moves. */
const notebook = () => document.getElementById("notebook");
function arrive() {
  const cell = document.getElementById(location.hash.slice(1) || notebook()?.dataset.arrive || "-");
  for (let place = cell?.parentElement; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
  const { top, bottom } = cell?.getBoundingClientRect() ?? {};
  if (top < 0 || bottom > innerHeight) cell.scrollIntoView({ block: "start" });
}
if (notebook()) { arrive(); addEventListener("hashchange", arrive); }

/* Outputs with scripts are frames of another origin, loaded when they come into view; they only tell how high they are. */
const near = new IntersectionObserver((seen) => {
  for (const { target } of seen.filter((each) => each.isIntersecting)) {
    near.unobserve(target);
    framed.set(target, target.outerHTML);
    const inside = document.createElement("iframe");
    inside.sandbox = "allow-scripts";
    inside.title = `Output of ${target.closest(".nbx-cell")?.getAttribute("aria-label") ?? "a cell"}`;
    inside.src = target.dataset.frame;
    target.replaceChildren(inside);
  }
}, { rootMargin: "200px" });
function frame(part) {
  const all = (places) => part.matches(places) ? [part] : part.querySelectorAll(places);
  for (const each of all("[data-frame]")) near.observe(each);
  for (const each of all("[data-drawing]")) draw(each);
}
frame(document.body);
addEventListener("message", (event) => {
  if (event.data?.nbx !== "height" || typeof event.data.height !== "number") return;
  for (const frame of document.querySelectorAll("iframe")) {
    if (frame.contentWindow === event.source) frame.style.height = `${Math.min(4000, Math.max(24, event.data.height))}px`;
  }
});

/* Search: marks what was found without changing the document; Enter goes on to the next. */
let hits = [], hit = -1;
const tell = (text) => { document.getElementById("found").textContent = text; };
function search(wanted) {
  hits = []; hit = -1;
  const text = wanted.toLowerCase();
  if (text.length > 1) {
    const walker = document.createTreeWalker(notebook(), NodeFilter.SHOW_TEXT);
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
  tell(text.length > 1 ? `${hits.length} found` : "");
}
/* Into the middle of all that scrolls around it: an output of many lines is one element. */
function bring(range) {
  for (let box = range.startContainer.parentElement; box; box = box.parentElement) {
    const is_page = box === document.scrollingElement;
    if (!is_page && (box.scrollHeight <= box.clientHeight || getComputedStyle(box).overflowY === "visible")) continue;
    const edge = is_page ? 0 : box.getBoundingClientRect().top;
    box.scrollTop += range.getBoundingClientRect().top - edge - box.clientHeight / 2;
  }
}
function nextHit(by) {
  if (!hits.length) return;
  hit = (hit + by + hits.length) % hits.length;
  const place = hits[hit].startContainer.parentElement;
  for (let above = place; above; above = above.parentElement) if (above.tagName === "DETAILS") above.open = true;
  bring(hits[hit]);
  if (window.CSS?.highlights) CSS.highlights.set("nb-here", new Highlight(hits[hit]));
  tell(`${hit + 1} of ${hits.length}`);
}
document.addEventListener("input", (event) => { if (event.target.matches("[data-find]")) search(event.target.value); });
document.addEventListener("submit", (event) => { if (event.target.matches(".nb-find")) event.preventDefault(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.matches?.("[data-find]")) { event.preventDefault(); nextHit(event.shiftKey ? -1 : 1); }
});

/* --- begin --------------------------------------------------------------------------------------------------------------- */

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && zone !== root.dataset.zone && !document.cookie.includes(`nb-zone=${encodeURIComponent(zone)}`)) {
  cookie("nb-zone", zone);
  if (main.querySelector("time")) location.reload();
}
count();
listen();
