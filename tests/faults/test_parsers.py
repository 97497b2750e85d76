"""Parsers, whatever they are given: an answer or an error of ours, soon, and in little memory."""

import json
import resource
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowcore.codec import decode, encode
from flowcore.documents.flow_document import compile_flow
from flowcore.documents.yaml_text import load_yaml
from flowcore.errors import EventFormatError, ExpressionError, FlowcoreError, FlowDocumentError, LogError
from flowcore.expressions import compile_template
from flowcore.json_text import from_json, to_json
from flowcore.ports import Append
from flowcore.testing import MemoryEventLog
from flowcore.values import Json
from flowcore_adapters.logs.archive import read_archive, write_archive
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from tests.builders import RUN, begun, fanned, started, step, succeeded

pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore:deprecated string literal syntax")]

INPUTS: Final = 2_000
"""For each parser."""
LONGEST_S: Final = 1.0
MOST_KB: Final = 200 * 1024
EVENTS: Final = (
    *begun(step("a", outputs=("v",)), step("b", "a", for_each="x", when="y"), step("c", "b", retry=3)),
    started("a"),
    succeeded("a", {"v": {"x": [1, None, "é", 1.5]}}, notes=("note",)),
    fanned("b", 1, "two", {"three": 3}),
    started("b/0"),
)
CATALOG: Final = load_registry().catalog
FLOWS: Final = tuple(
    path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
)
EXPRESSIONS: Final = (
    "{{ flows.a.users[?age > `3`].name | [0] }}",
    "{{ sort_by(flows.a.list, &id) | length }}",
    "text {{ flows.a.v | default('none') }} and {{ item.x.\"y z\"[*].q[] }}",
    '{{ {a: flows.a, b: [run.id, `"x"`]} | to_json }}',
    "{{ join(', ', flows.a.names) | upper | replace('A', 'B') }}",
    "{{ !(flows.a && flows.b) || sources.x != 'y' }}",
)
CONTEXT: Final[dict[str, Json]] = {
    "flows": {"a": {"users": [{"age": 5, "name": "x"}], "v": None}},
    "item": {},
    "run": {"id": 1},
}
TOKENS: Final = (
    *("", " ", "\n", "\t", "- ", ": ", "{", "}", "[", "]", "'", '"', "`", "|", "&", "*", "#", "!", "%", "@", "<<: "),
    *(
        "{{ ",
        " }}",
        "\x00",
        "\ud800",
        "\ufeff",
        "\\u",
        "null",
        "1e999",
        "-0",
        "9" * 400,
        "a" * 3000,
        "[" * 500,
        "&x *x ",
    ),
)


def mutated(random: Random, text: str) -> str:
    """Return *text* with a few pieces lost, doubled, moved or replaced."""
    for _ in range(random.choice((1, 1, 2, 5, 20))):
        start = random.randrange(len(text) + 1)
        end = min(len(text), start + random.choice((0, 1, 1, 3, 20, 200)))
        new = random.choice((random.choice(TOKENS), text[start:end] * 2, "", chr(random.randrange(0x250))))
        text = text[:start] + new + text[end:]
    return text


def damaged(random: Random, content: bytes) -> bytes:
    """Return *content* with some bytes that are others, or are missing."""
    whole = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 10))):
        start = random.randrange(len(whole))
        end = min(len(whole), start + random.choice((1, 1, 4, 100)))
        whole[start:end] = random.choice(
            (random.randbytes(end - start), bytes(end - start), b"", b"\xff" * (end - start))
        )
        if not whole:
            return b""
    return bytes(whole)


def feed(parse: Callable[[], object], *errors: type[FlowcoreError]) -> bool:
    """Parse something; return whether it was taken.

    Raises:
        AssertionError: It took too long.
        Exception: What is no error of ours.
    """
    began = time.process_time()
    try:
        parse()
        taken = True
    except errors:
        taken = False
    took_s = time.process_time() - began
    assert took_s < LONGEST_S, f"it took {took_s} s"
    return taken


def feed_many(inputs: Sequence[Callable[[], object]], *errors: type[FlowcoreError]) -> None:
    """Parse *inputs*, and see that some are taken, most are not, and that little memory is needed."""
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    taken = sum(feed(parse, *errors) for parse in inputs)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert grown_kb < MOST_KB, f"{grown_kb} KB"
    assert 0 < taken < len(inputs), taken


def compiled(text: str) -> object:
    document = load_yaml(text)
    return compile_flow(document if isinstance(document, dict) else {}, CATALOG)


def rendered(text: str) -> object:
    return compile_template(text).render(CONTEXT)


ARCHIVE_LOG: Final = MemoryEventLog()
ARCHIVE_LOG.append(Append(RUN, 0, EVENTS))
ARCHIVE: Final = b"".join(write_archive(ARCHIVE_LOG, RUN))
JSON_TEXTS: Final = tuple(to_json(encode(event).data) for event in EVENTS)


def test_flow_files() -> None:
    random = Random(1)
    texts = [mutated(random, random.choice(FLOWS)) for _ in range(INPUTS)]
    feed_many([partial(compiled, text) for text in texts], FlowDocumentError)


def test_expressions() -> None:
    random = Random(2)
    texts = [mutated(random, random.choice(EXPRESSIONS)) for _ in range(INPUTS)]
    feed_many([partial(rendered, text) for text in texts], ExpressionError)


def test_json() -> None:
    random = Random(3)
    texts = [mutated(random, random.choice(JSON_TEXTS)) for _ in range(INPUTS)]
    feed_many([partial(from_json, text) for text in texts], EventFormatError)


def test_events() -> None:
    """What JSON can be and the event of that type cannot."""
    random = Random(4)
    pieces: list[Callable[[], object]] = []
    while len(pieces) < INPUTS:
        event = random.choice(EVENTS)
        encoded = encode(event)
        try:
            data = json.loads(mutated(random, to_json(encoded.data)))
        except ValueError:
            continue
        kind = encoded.type if random.random() < 0.9 else mutated(random, encoded.type)
        schema = random.choice((encoded.schema, encoded.schema, 0, -1, 2, 10**30))
        pieces.append(partial(decode, kind, schema, data))
    feed_many(pieces, EventFormatError)


def test_exported_runs() -> None:
    random = Random(5)
    contents = [ARCHIVE, *(damaged(random, ARCHIVE) for _ in range(INPUTS))]
    feed_many([partial(read_archive, content) for content in contents], FlowcoreError)


def test_log_files(tmp_path: Path) -> None:
    """Each is opened, read and checked: damage is seen at one of these, and nothing but errors of ours comes of it."""
    first = SqliteEventLog(tmp_path / "log.db")
    first.append(Append(RUN, 0, EVENTS))
    first.close()
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = (tmp_path / "log.db").read_bytes()
    random = Random(6)
    path = tmp_path / "damaged.db"

    def look() -> None:
        log = SqliteEventLog(path)
        try:
            for run_id in log.runs():
                list(log.read(run_id))
            if log.check_file():
                raise LogError("it is damaged")
        finally:
            log.close()

    def parse(bad: bytes) -> None:
        for beside in tmp_path.glob("damaged.db*"):
            beside.unlink()
        path.write_bytes(bad)
        look()

    contents = [content, *(damaged(random, content) for _ in range(INPUTS // 4))]
    feed_many([partial(parse, bad) for bad in contents], LogError, EventFormatError)


@settings(
    max_examples=INPUTS, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.text(st.characters(), max_size=200) | st.lists(st.sampled_from(TOKENS), max_size=20).map("".join))
def test_any_text(text: str) -> None:
    feed(lambda: compiled(text), FlowDocumentError)
    feed(lambda: rendered(text), ExpressionError)
    feed(lambda: rendered(f"{{{{ {text} }}}}"), ExpressionError)
    feed(lambda: from_json(text), EventFormatError)
