// How times and values are written.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const LONGEST = 200_000;

/** A moment in seconds since the epoch: the time of day, and the day unless that is today. */
export function moment(seconds) {
  const date = new Date(seconds * 1000);
  const time = CLOCK.format(date);
  return date.toDateString() === new Date().toDateString() ? time : `${DAY.format(date)}, ${time}`;
}

/** How long something took, in seconds, as precisely as anybody cares for. */
export function duration(seconds) {
  if (seconds < 0.0005) return "< 1 ms";
  if (seconds < 0.9995) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  if (whole < 3600) return `${minutes} min ${whole % 60} s`;
  const hours = Math.floor(whole / 3600) % 24;
  return whole < 86_400 ? `${hours} h ${minutes} min` : `${Math.floor(whole / 86_400)} d ${hours} h`;
}

/** What a server says went wrong, as a sentence. */
export function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`;
}

/** A name as it is, but for characters that cannot be seen, or that turn the others round: those are spelled out. */
export function visible(name) {
  return name.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (each) => `\\u${each.codePointAt(0).toString(16).padStart(4, "0")}`);
}

/** JSON as JavaScript values; numbers that those cannot hold keep the digits that came. */
export function parse(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === "number" && JSON.rawJSON && context?.source && String(value) !== context.source
      ? JSON.rawJSON(context.source)
      : value,
  );
}

/** A value for people: text as it is, anything else as JSON; what is very long is cut, and says so. */
export function shown(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  if (text.length <= LONGEST) return text;
  return `${text.slice(0, LONGEST)}\n… and ${(text.length - LONGEST).toLocaleString()} more characters`;
}

/**
 * The keys of the object at `key` of a JSON document, as they stand in its text: JavaScript puts those first that look like
 * numbers.
 */
export function orderedKeys(text, key) {
  const keys = [];
  let depth = 0;
  let inside = false; // whether we are in that object, at its own level or deeper
  let name = null;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]/g)) {
    if (token === "{" || token === "[") {
      if (depth === 1 && name === key) inside = true;
      depth += 1;
    } else if (token === "}" || token === "]") {
      depth -= 1;
      if (depth === 1 && inside) return keys;
    } else if (token === ":") {
      if (inside && depth === 2) keys.push(name);
    } else if (token === ",") {
      if (depth === 1) name = null;
    } else if (depth === 1 || (inside && depth === 2)) {
      // A value at this level is read too, and overwritten by the next key.
      name = JSON.parse(token);
    }
  }
  return keys;
}
