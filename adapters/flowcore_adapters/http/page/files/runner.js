// Asking the runner: /status as soon as there is news, /outputs when somebody looks.

import { parse } from "./words.js";

const WAIT_S = 15; // how long one question waits for news at most
const PAUSE_MS = 250; // between two questions: nobody reads faster
const POLL_MS = 1000; // between two questions to a runner that cannot wait
const RETRY_MS = 2000; // after one that was not answered
const own = new URLSearchParams(location.search).get("run_id");

/** What a question got instead of an answer, in words. */
class Trouble extends Error {}

function address(path, more = {}) {
  const query = new URLSearchParams({ ...(own === null ? {} : { run_id: own }), ...more });
  // This module stands in a folder beside what it asks for, wherever the page itself is.
  return new URL(query.size ? `../${path}?${query}` : `../${path}`, import.meta.url);
}

async function ask(path, more) {
  let answer;
  try {
    answer = await fetch(address(path, more), { cache: "no-store", headers: { Accept: "application/json" } });
  } catch {
    throw new Trouble("The server of this page does not answer.");
  }
  if (answer.ok || answer.status === 304) return answer;
  const body = await answer.json().catch(() => ({}));
  throw Object.assign(new Trouble(body.error ?? `The answer was ${answer.status} ${answer.statusText}.`), { status: answer.status });
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * The status of the run, again and again, as {status, ahead}; or {trouble}, and later the status again.
 * `ahead` is by how many seconds the clock of the server is ahead of ours.
 */
export async function* statuses() {
  let position = null;
  for (;;) {
    const asked = performance.now();
    try {
      const answer = await ask("status", position === null ? {} : { after: position, wait: WAIT_S });
      position = answer.headers.get("ETag")?.match(/^(?:W\/)?"(\d+)"$/)?.[1] ?? null;
      if (answer.status !== 304) {
        const status = await answer.json();
        const said = Date.parse(answer.headers.get("Date") ?? "");
        yield { status, ahead: Number.isNaN(said) ? 0 : (said - Date.now()) / 1000 };
      } else {
        yield {};
      }
      // A large status takes its time to be made, sent and shown: then it is asked for less often.
      await sleep(position === null ? POLL_MS : Math.max(PAUSE_MS, answer.status === 304 ? 0 : Math.min(2000, performance.now() - asked)));
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      // The server is busy with others who wait: ask without waiting.
      if (error.status === 503 && position !== null) {
        position = null;
        await sleep(POLL_MS);
        continue;
      }
      yield { trouble: error.message };
      await sleep(RETRY_MS);
    }
  }
}

/** All outputs so far, by step and name. */
export async function outputs() {
  return parse(await (await ask("outputs")).text());
}
