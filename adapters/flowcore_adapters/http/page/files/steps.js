// The rows, a step each: made once, and changed only where the step has changed.

import { outputs } from "./runner.js";
import { duration, moment, sentence, shown, visible } from "./words.js";

const list = document.getElementById("steps");
const template = document.getElementById("step");
const rows = new Map();
const inView = new Set();
const failed = new Set(); // rows whose outputs did not come
let asked = null; // all outputs, as they were asked for since the steps have last changed
// What the whole list shows: when the run started, in seconds, and for how long it went on, or has gone on so far.
const lane = { origin: 0, span: 1 };
// Only what can be seen grows: thousands of bars would take longer to draw than the time that has passed.
const viewer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const row = rows.get(target.dataset.name);
    if (row?.item !== target) continue;
    inView[isIntersecting ? "add" : "delete"](row);
    if (isIntersecting) draw(row);
  }
});

/** Forget all steps: another run is shown. */
export function clear() {
  viewer.disconnect();
  failed.clear();
  inView.clear();
  rows.clear();
  list.replaceChildren();
}

/** Show `steps`: pairs of a name and a step, in the order of the flow. */
export function show(steps) {
  const added = document.createDocumentFragment();
  asked = null;
  for (const [name, step] of steps) {
    let row = rows.get(name);
    if (!row) {
      row = make(name);
      rows.set(name, row);
      added.append(row.item);
      viewer.observe(row.item);
    }
    const seen = JSON.stringify(step);
    if (row.seen !== seen) {
      row.seen = seen;
      row.step = step;
      change(row);
    }
  }
  list.append(added);
}

/** Ask again for the outputs that did not come: whoever has them answers again. */
export function openAgain() {
  for (const row of failed) {
    failed.delete(row);
    if (row.details.open) open(row);
  }
}

/** Show only steps of `state` (null: of any) whose names hold `text`; returns how many those are. */
export function choose(state, text) {
  const wanted = text.trim().toLowerCase();
  let count = 0;
  for (const row of rows.values()) {
    const fits = (state === null || row.step.state === state) && row.name.toLowerCase().includes(wanted);
    row.item.hidden = !fits;
    count += fits ? 1 : 0;
  }
  return count;
}

/** Let the bars and times of what goes on grow: the run started at `origin` and has gone on for `span`, in seconds. */
export function grow(origin, span) {
  Object.assign(lane, { origin, span: Math.max(span, 0.001) });
  inView.forEach(draw);
}

function make(name) {
  const item = template.content.firstElementChild.cloneNode(true);
  const find = (selector) => item.querySelector(selector);
  const row = { name, item, step: {}, seen: "", word: find(".word"), bar: find(".bar"), took: find(".took"), more: find(".more"), details: find("details") };
  item.dataset.name = name;
  find(".name").textContent = visible(name);
  find(".name").title = name;
  row.details.addEventListener("toggle", () => row.details.open && open(row));
  return row;
}

function change(row) {
  row.item.dataset.state = row.step.state;
  row.word.textContent = row.step.state;
  if (inView.has(row)) draw(row);
  if (row.details.open) open(row);
}

/** Draw how long a step took, or has taken so far: its bar, and in words. */
function draw({ step: { started_at, ended_at }, bar, took }) {
  bar.hidden = started_at === null;
  if (bar.hidden) {
    took.textContent = "";
    return;
  }
  const from = Math.max(0, started_at - lane.origin);
  const until = Math.max(from, ended_at === null ? lane.span : ended_at - lane.origin);
  bar.style.left = `${(Math.min(1, from / lane.span) * 100).toFixed(2)}%`;
  bar.style.width = `${(Math.min(1, (until - from) / lane.span) * 100).toFixed(2)}%`;
  const words = duration(until - from);
  if (took.textContent !== words) took.textContent = words;
}

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** Fill what opens below a row; its outputs are asked for, and come when they come. */
async function open(row) {
  const { step } = row;
  const facts = element("dl");
  const fact = (label, text, kind = "") => facts.append(element("dt", { textContent: label }), element("dd", { textContent: text, className: kind }));
  if (step.started_at !== null) fact("Started", moment(step.started_at));
  if (step.ended_at !== null) fact("Ended", moment(step.ended_at));
  for (const note of step.notes) fact("Note", typeof note === "string" ? note : shown(note), "note");
  const parts = facts.childElementCount ? [facts] : [];
  if (!step.outputs.length) {
    const text = { pending: "It has not started yet.", running: "It has no outputs yet.", skipped: "It was not run." }[step.state] ?? "It has no outputs.";
    row.more.replaceChildren(...parts, element("p", { className: "quiet", textContent: text }));
    return;
  }
  if (row.more.dataset.seen === row.seen) return;
  if (!row.more.childElementCount) row.more.replaceChildren(...parts, element("p", { className: "quiet", textContent: "Asking for its outputs …" }));
  const seen = row.seen;
  try {
    asked ??= outputs();
    const all = await asked;
    // The step may have changed while its outputs were on their way.
    if (row.seen !== seen) return;
    const values = Object.hasOwn(all, row.name) ? all[row.name] : {};
    // In the order that the step names them in, as numbers among them would come first.
    for (const name of step.outputs.filter((each) => Object.hasOwn(values, each))) {
      const value = values[name];
      const text = shown(value);
      const copy = element("button", { type: "button", textContent: "Copy", ariaLabel: `Copy ${name}` });
      copy.addEventListener("click", async () => {
        const whole = typeof value === "string" ? value : JSON.stringify(value, null, 2);
        const done = navigator.clipboard.writeText(whole).then(() => "Copied", () => "Cannot be copied");
        copy.textContent = copy.ariaLabel = await done;
      });
      // Elsewhere than on this machine, and without TLS, browsers have no clipboard for pages.
      parts.push(element("h2", {}, name, ...(navigator.clipboard ? [copy] : [])), element("pre", { textContent: text, tabIndex: 0 }));
    }
    row.more.replaceChildren(...parts);
    row.more.dataset.seen = seen;
  } catch (error) {
    asked = null;
    failed.add(row);
    row.more.replaceChildren(...parts, element("p", { className: "quiet", textContent: `Its outputs cannot be shown. ${sentence(error.message)}` }));
  }
}
