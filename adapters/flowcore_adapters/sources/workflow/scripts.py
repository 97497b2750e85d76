"""JavaScript of documents: run by `node` in a child process of its own, with the limits of every other program."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from typing import Final

import attrs

from flowcore.values import Json, is_json, is_mapping
from flowcore_adapters.sources.child import Job, run_child
from flowcore_adapters.sources.configuration import MAX_OUTPUT, time_limit

from .node import NodeCall, node_error

_MEMORY_MB: Final = 256
_KEPT: Final = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")
"""What the child sees of the environment: what documents bring has no business with the rest."""
_SHOWN: Final = 1_000
_PROGRAM: Final = r"""
const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', async () => {
  const given = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  const { data, variables } = given;
  for (const word of ['log', 'info', 'warn', 'error', 'debug']) {
    console[word] = (...words) => process.stderr.write(
      words.map((each) => (typeof each === 'string' ? each : require('util').inspect(each))).join(' ') + '\n');
  }
  const before = new Map();
  const note = (name, values) => {
    for (const key of Object.keys(values)) before.set(name + key, JSON.stringify(values[key]));
  };
  note('d', data);
  note('v', variables);
  const context = {
    data, variables,
    getData: (key) => data[key],
    setData: (key, value) => { data[key] = value; },
    getVariable: (key) => variables[key],
    setVariable: (key, value) => { variables[key] = value; },
    get page() { throw new Error('there is no browser page here'); },
  };
  const changed = (name, values) => Object.fromEntries(
    Object.entries(values).filter(([key, value]) => {
      const text = JSON.stringify(value);
      return text !== undefined && text !== before.get(name + key);
    }));
  const answer = { ok: true };
  try {
    if (given.code) {
      const body = `return (async function (context) { ${given.code}\n })(context);`;
      answer.value = await new Function('context', body)(context);
    }
    if (given.expression) {
      const body = `return (${given.expression}\n);`;
      answer.value = Boolean(await new Function('context', 'response', body)(context, given.response));
    }
    answer.data = changed('d', data);
    answer.variables = changed('v', variables);
    answer.given = answer.value !== undefined;
    answer.text = JSON.stringify(answer);
  } catch (error) {
    answer.text = JSON.stringify({ ok: false, error: String((error && error.message) || error) });
  }
  process.stdout.write('\n' + given.mark + answer.text, () => process.exit(0));
});
"""
"""Runs what comes on standard input and prints what came of it behind a mark that nothing else can print by chance."""


@attrs.frozen(kw_only=True)
class Script:
    """Something to run.

    Attributes:
        code: The body of an async function of `context`; empty for none.
        expression: An expression over `context` and `response`, looked at afterwards; empty for none.
    """

    code: str = ""
    expression: str = ""
    data: Mapping[str, Json]
    variables: Mapping[str, Json]
    response: Json = None


@attrs.frozen(kw_only=True)
class Ended:
    """What came of it.

    Attributes:
        given: Whether there is a value at all.
        data: What it has changed or added in `data`.
        variables: What it has changed or added in `variables`.
    """

    value: Json
    given: bool
    data: Mapping[str, Json]
    variables: Mapping[str, Json]


def evaluate(node: NodeCall, script: Script) -> Ended:
    """Run *script*; its lines go to the log of the attempt.

    Raises:
        SourceError: There is no `node`, or the script failed, took too long, printed too much, or was cancelled.
    """
    program = shutil.which("node")
    if program is None:
        message = "JavaScript needs the program `node` (Node.js), which is not installed here"
        raise node_error(message, code="no-node", retryable=False)
    mark = secrets.token_hex(16)
    given = {**attrs.asdict(script), "mark": mark}
    job = Job(
        command=[program, f"--max-old-space-size={_MEMORY_MB}", "--no-warnings", "-e", _PROGRAM],
        given=json.dumps(given).encode(),
        cwd=None,
        env={os.fsencode(name): os.fsencode(os.environ[name]) for name in _KEPT if name in os.environ},
        max_output=MAX_OUTPUT,
    )
    ended = run_child(job, time_limit(node.call), node.call.cancel)
    for line in ended.stderr.decode("utf-8", "replace").splitlines():
        node.call.log(line)
    _, found, text = ended.stdout.decode("utf-8", "replace").rpartition(mark)
    if not found:
        raise node_error(
            f"JavaScript execution error: {_last_words(ended.stderr, ended.returncode)}", code="javascript"
        )
    return _read(text)


def _read(text: str) -> Ended:
    try:
        answer: object = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not is_mapping(answer):
        raise node_error("JavaScript execution error: its result cannot be read", code="javascript")
    if answer.get("ok") is not True:
        raise node_error(f"JavaScript execution error: {str(answer.get('error'))[:_SHOWN]}", code="javascript")
    value = answer.get("value")
    return Ended(
        value=value if is_json(value) else None,
        given=answer.get("given") is True,
        data=_changes(answer.get("data")),
        variables=_changes(answer.get("variables")),
    )


def _changes(value: object) -> Mapping[str, Json]:
    return value if is_json(value) and isinstance(value, Mapping) else {}


def _last_words(stderr: bytes, returncode: int) -> str:
    """Return what a script that did not come to its end said last."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines()]
    said = next((line for line in reversed(lines) if re.match(r"[A-Za-z]*Error\b|FATAL ERROR\b", line)), None)
    return said or f"it ended with exit code {returncode} before its result was there"
