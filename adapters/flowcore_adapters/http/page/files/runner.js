// Asking the runner: /status as soon as there is news, /outputs when somebody looks.

import { parse } from "./words.js";

const WAIT_S = 5; // how long one question waits for news at most: browsers have few connections for each server
const PAUSE_MS = 250; // between two questions: nobody reads faster
const POLL_MS = 1000; // between two questions to a runner that cannot wait
const HIDDEN_MS = 5000; // between two questions while nobody looks
const RETRY_MS = 2000; // after one that was not answered
const SLOWEST_MS = 2000;
const own = new URLSearchParams(location.search).get("run_id") || null;

/** What a question got instead of an answer, in words. */
class Trouble extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

function address(path, more) {
  const query = new URLSearchParams({ ...(own === null ? {} : { run_id: own }), ...more });
  // This module stands in a folder beside what it asks for, wherever the page itself is.
  return new URL(query.size ? `../${path}?${query}` : `../${path}`, import.meta.url);
}

/** Ask once; returns the answer, its `text`, when it came by two clocks, and the `value` that `read` makes of the text. */
async function ask(path, more, read) {
  let answer, text;
  let came = 0;
  let since = 0;
  try {
    answer = await fetch(address(path, more), { cache: "no-store", headers: { Accept: "application/json" } });
    came = Date.now();
    since = performance.now();
    text = await answer.text();
  } catch {
    throw new Trouble(answer ? "The answer was cut off." : "The server of this page does not answer.");
  }
  if (answer.status === 304) return { answer, came, since };
  try {
    const value = read(text);
    if (answer.ok && value !== null && typeof value === "object") return { answer, came, since, text, value };
    const told = typeof value?.error === "string" ? value.error : "";
    throw new Trouble(told || `The answer was ${answer.status} ${answer.statusText}.`, answer.status);
  } catch (error) {
    if (error instanceof Trouble) throw error;
    throw new Trouble(answer.ok ? "The answer is no status of a run." : `The answer was ${answer.status} ${answer.statusText}.`, answer.status);
  }
}

/** Wait for so many milliseconds, or until somebody looks at the page again. */
function sleep(ms) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", looked);
      resolve();
    };
    const looked = () => document.hidden || done();
    const timer = setTimeout(done, ms);
    document.addEventListener("visibilitychange", looked);
  });
}

/** By how many seconds the clock of the runner is ahead of ours, more or less; null when nobody says. */
function ahead({ answer, came }) {
  const said = Date.parse(answer.headers.get("X-Runner-Date") ?? answer.headers.get("Date") ?? "");
  return Number.isNaN(said) ? null : (said - came) / 1000;
}

/**
 * The status of the run, again and again, as {status, text, ahead}; nothing new is {}, and what goes wrong is {trouble}.
 * `ahead` is null for an answer that was waited for: servers date those by when they were asked.
 */
export async function* statuses() {
  let position = null; // where the log was, as far as we have seen it
  let waits = true;
  for (;;) {
    const after = position === null ? {} : { after: position };
    const waiting = waits && position !== null && !document.hidden;
    try {
      const found = await ask("status", waiting ? { ...after, wait: WAIT_S } : after, JSON.parse);
      const seen = found.answer.headers.get("ETag")?.match(/^(?:W\/)?"(\d+)"$/)?.[1] ?? null;
      // A log that is shorter than what we have seen is another one: the runner was started anew.
      position = found.answer.status === 304 && Number(seen ?? position) < Number(position) ? null : (seen ?? null);
      if (found.answer.status === 304) yield {};
      else yield { status: found.value, text: found.text, ahead: waiting ? null : ahead(found) };
      // A large status takes its time to be sent and shown: then it is asked for less often.
      const pause = Math.max(PAUSE_MS, Math.min(SLOWEST_MS, performance.now() - found.since));
      await sleep(document.hidden ? HIDDEN_MS : seen === null || !waits ? POLL_MS : pause);
      waits = true;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (error.status === 503 && waits && position !== null) {
        // The server is busy with others who wait: ask without waiting, once.
        waits = false;
        await sleep(POLL_MS);
        continue;
      }
      // Whoever answers next may have another log.
      position = null;
      waits = true;
      yield { trouble: error.message };
      await sleep(RETRY_MS);
    }
  }
}

/** All outputs so far, by step and name. */
export async function outputs() {
  return (await ask("outputs", {}, parse)).value;
}
