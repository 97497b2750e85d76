// The page: the run at the top, its steps below, as the runner tells them. Whatever comes from a run is text, never markup.

import { statuses } from "./runner.js";
import { choose, clear, grow, openAgain, show } from "./steps.js";
import { duration, moment, orderedKeys, sentence } from "./words.js";

const STATES = ["pending", "running", "succeeded", "failed", "skipped"];
const GROW_MS = 250;
const $ = (id) => document.getElementById(id);
const page = { run: null, ahead: 0, steps: {}, state: null, lost: null, buttons: new Map() };

const now = () => Date.now() / 1000 + page.ahead;

function counts() {
  const found = Object.fromEntries(STATES.map((state) => [state, 0]));
  for (const step of Object.values(page.steps)) found[step.state] = (found[step.state] ?? 0) + 1;
  return found;
}

/** The state of the whole run and the words for it. */
function verdict(run, count) {
  if (run.started_at === null) return ["pending", "has not started yet"];
  if (run.ended_at === null) {
    if (!run.running_count) return ["running", "nothing runs at this moment, it may be paused"];
    const [first] = run.running_steps;
    return ["running", run.running_count === 1 ? `running ${first}` : `running ${run.running_count} steps`];
  }
  const skipped = count.skipped ? `, ${count.skipped} skipped` : "";
  if (wasStopped(run.steps)) return ["failed", "stopped"];
  if (count.failed) return ["failed", `ended, ${count.failed} failed${skipped}`];
  return ["succeeded", `succeeded${skipped}`];
}

/** Whether the run was stopped: its steps tell, for the status of a run has no state of its own. */
function wasStopped(steps) {
  return Object.values(steps).some(({ state, notes }) =>
    notes.some((note) => (state === "failed" && note === "stopped") || (state === "skipped" && String(note).startsWith("the run was stopped"))),
  );
}

/** The steps in the order of the flow, as names and steps. */
function inOrder(steps, text) {
  const names = Object.keys(steps);
  if (!names.some((name) => /^\d+$/.test(name))) return Object.entries(steps);
  return orderedKeys(text, "steps").map((name) => [name, steps[name]]);
}

function setText(id, text) {
  const element = $(id);
  if (element.textContent !== text) element.textContent = text;
}

function showRun(run, text) {
  if (page.run?.run_id !== run.run_id) clear();
  page.run = run;
  page.steps = run.steps;
  const count = counts();
  const [state, words] = verdict(run, count);
  for (const id of ["state", "progress"]) $(id).dataset.state = state;
  setText("title", `Run ${run.run_id}`);
  setText("state", words);
  // Which steps run changes all the time: those who hear the page are told what becomes of the run.
  setText("heard", `Run ${run.run_id}: ${state === "running" ? "running" : words}`);
  const over = run.total_steps - count.pending - count.running;
  document.title = `${over}/${run.total_steps} ${state} · ${run.run_id}`;
  setText("done", `${over} of ${run.total_steps}`);
  $("progress").max = Math.max(1, run.total_steps);
  $("progress").value = over;
  for (const id of ["facts", "progress", "choice"]) $(id).hidden = false;
  for (const fact of document.querySelectorAll("#facts .timed")) fact.hidden = run.started_at === null;
  if (run.started_at !== null) setText("started", moment(run.started_at));
  setText("took-label", run.ended_at === null ? "Running for" : "Took");
  show(inOrder(run.steps, text));
  showStates(count);
  showChoice();
  tick();
}

/** One button for each state that there is, with how many steps are in it. */
function showStates(count) {
  for (const state of [null, ...Object.keys(count)]) {
    let button = page.buttons.get(state);
    if (!button) {
      button = document.createElement("button");
      button.type = "button";
      if (state !== null) button.dataset.state = state;
      button.append(state ?? "all", " ", document.createElement("b"));
      button.addEventListener("click", () => {
        page.state = page.state === state ? null : state;
        showChoice();
      });
      page.buttons.set(state, button);
      $("states").append(button);
    }
    const number = String(state === null ? page.run.total_steps : count[state]);
    if (button.lastChild.textContent !== number) button.lastChild.textContent = number;
    button.hidden = state !== null && !count[state] && page.state !== state;
  }
}

function showChoice() {
  for (const [state, button] of page.buttons) button.setAttribute("aria-pressed", String(state === page.state));
  const found = choose(page.state, $("search").value);
  $("nothing").hidden = found > 0;
  setText("nothing", page.run?.total_steps ? "No step is like that." : "This flow has no steps.");
}

function showNoRun() {
  Object.assign(page, { run: null, steps: {} });
  clear();
  document.title = "flowcore";
  setText("title", "flowcore");
  setText("state", "");
  setText("heard", "");
  for (const id of ["facts", "progress", "choice"]) $(id).hidden = true;
  $("nothing").hidden = false;
  setText("nothing", "There is no run yet. It appears here as soon as there is one.");
}

function showTrouble(text) {
  if (text === undefined) {
    page.lost = null;
    $("trouble").hidden = true;
    return;
  }
  page.lost ??= now();
  $("trouble").hidden = false;
  if (page.run === null) setText("nothing", "");
  const shown = page.run === null ? "" : `; what is shown is as of ${moment(page.lost)}`;
  setText("trouble", `${sentence(text)} Trying again${shown}.`);
}

/** Time passes. */
function tick() {
  const { run } = page;
  if (run === null || run.started_at === null) return;
  const span = (run.ended_at ?? page.lost ?? now()) - run.started_at;
  setText("took", duration(Math.max(0, span)));
  grow(run.started_at, span);
}

$("search").addEventListener("input", showChoice);
$("choice").addEventListener("submit", (event) => event.preventDefault());
setInterval(() => page.run?.ended_at === null && !document.hidden && tick(), GROW_MS);

/** Take the clock of the runner for ours, unless its dates, which have whole seconds, say what they said before. */
function setClock(ahead) {
  if (ahead !== null && Math.abs(ahead - page.ahead) > 2) page.ahead = ahead;
}

for await (const { status, text, ahead, trouble } of statuses()) {
  showTrouble(trouble);
  if (trouble !== undefined) continue;
  openAgain();
  if (status === undefined) continue;
  setClock(ahead);
  try {
    if (status.steps === undefined) showNoRun();
    else showRun(status, text);
  } catch (error) {
    // Whoever answers may be no runner at all, or one of another kind.
    console.warn(error);
    showTrouble("The answer is no status of a run.");
  }
}
