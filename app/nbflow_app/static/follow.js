/* A run on the editor's canvas: its states as colours, live, and beside a chosen task the way to its notebook. Which run is
   followed stands in the address. Loaded behind edit.js. */
"use strict";
{

const pipeline = document.getElementById("editor").dataset.pipeline;
const part = (name) => document.getElementById(name);
const address = (run) => `${base}/pipelines/${pipeline}/runs/${run}`;
let followed = null, told = null, socket = null, chosen = [];

async function follow(run) {
  unfollow();
  followed = run;
  part("followed-run").href = address(run);
  await look(run);
  if (followed !== run) return;
  const later = () => setTimeout(() => followed === run && follow(run), 2000);
  if (!told) { later(); return; }
  socket = watching({ watch: `run:${run}`, seen: told.seen }, () => soon(run));
  socket.onclose = () => { if (followed === run && !leaving) later(); };
}

/* News may come faster than it is asked for: one question at a time, and one more where there was news meanwhile. */
let asking = false, again = false;
async function soon(run) {
  again = asking;
  if (asking) return;
  asking = true;
  await look(run).catch(() => {});
  asking = false;
  if (again && followed === run) soon(run);
}

async function look(run) {
  const answer = await fetch(`${address(run)}/states`, { headers: { "X-Requested-With": "nbflow" } }).catch(() => null);
  const now = answer?.ok ? await answer.json().catch(() => null) : null;
  if (followed !== run) return;
  if (now) { told = now; show(); }
  else if (answer && !answer.ok && answer.status < 500) unfollow();
}

function show() {
  window.nbflow?.canvas?.states(told?.tasks ?? null);
  part("followed").hidden = !told;
  if (!told) return;
  part("followed").className = `nb-note nb-follow nb-${told.state}`;
  const stands = `Run ${followed} ${told.is_over ? "ended: " : ""}${told.state}, ${told.done}`;
  const said = told.held_up ? `${stands}; ${told.held_up}` : stands;
  refill(part("followed-state"), made("span", {}, ...prose(said)));
  offer();
}

/* The notebook of the task that is chosen. */
function offer() {
  const task = chosen.length === 1 ? told?.tasks[chosen[0]] : null;
  const said = !task ? [] : task.log
    ? [made("a", { href: `${address(followed)}${task.log}`, textContent: `Notebook of ${chosen[0]}` })]
    : prose(`${chosen[0]}: ${task.why || "has not begun"}`);
  refill(part("followed-task"), made("span", {}, ...said));
}

function unfollow() {
  const old = socket;
  followed = told = socket = null;
  old?.close();
  show();
}

const named = () => new URLSearchParams(location.search).get("run");
const name = (run) => {
  const place = new URL(location.href);
  run ? place.searchParams.set("run", run) : place.searchParams.delete("run");
  history.replaceState(null, "", place);
};

part("unfollow").addEventListener("click", () => { unfollow(); name(null); });
document.addEventListener("nbflow-canvas", show);
document.addEventListener("nbflow-select", ({ detail: { names } }) => {
  chosen = names;
  const link = new URL(part("try").href);
  names.length === 1 ? link.searchParams.set("task", names[0]) : link.searchParams.delete("task");
  part("try").href = link;
  offer();
});
document.addEventListener("nbflow:news", ({ detail }) => {
  const run = detail.go && new URL(detail.go, location.href).searchParams.get("run");
  if (run) { name(run); follow(run); }
});

if (named()) follow(named());
}
