"""The JSON Schema of flow files agrees with the front end: what one takes, the other takes."""

from collections.abc import Mapping
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flowcore.catalog import Catalog, Kind, Parameter, SourceType
from flowcore.documents.flow_document import compile_flow
from flowcore.documents.yaml_text import load_yaml
from flowcore.errors import FlowDocumentError
from flowcore.values import Json
from flowcore_adapters.flow_schema import flow_schema


def parameter(kind: Kind, *, required: bool = False, choices: tuple[str, ...] = ()) -> Parameter:
    return Parameter(kind=kind, about="A line.", required=required, choices=choices, default="this")


CATALOG: Catalog = {
    "rest": SourceType(
        name="rest",
        about="An HTTP request.",
        parameters={
            "url": parameter(Kind.TEXT),
            "base_url": parameter(Kind.TEXT),
            "method": parameter(Kind.TEXT, choices=("GET", "POST")),
            "headers": parameter(Kind.MAPPING),
            "timeout": parameter(Kind.SECONDS),
            "any": parameter(Kind.ANY),
        },
        requires_any=(("url", "base_url"),),
    ),
    "process": SourceType(
        name="process",
        about="A program.",
        parameters={
            "command": parameter(Kind.WORDS, required=True),
            "redact_patterns": parameter(Kind.TEXTS),
            "log_full_command": parameter(Kind.BOOLEAN),
            "limit": parameter(Kind.INTEGER),
            "share": parameter(Kind.NUMBER),
        },
    ),
    "env": SourceType(
        name="env",
        about="Environment variables.",
        parameters={"vars": parameter(Kind.TEXTS), "secret": parameter(Kind.NAMES)},
        values=True,
        blocking=False,
    ),
    "custom": SourceType(name="custom", about="Somebody's.", parameters={}, open=True),
}
SCHEMA = flow_schema(CATALOG)
DOCUMENT_EXAMPLE = """
sources:
  api:
    type: rest
    configuration:
      base_url: https://api.example.com
flow:
  - name: fetch_data
    source: api
    input:
      type: parameter
      value: /users
    output:
      - name: users
        type: json
      - name: count
        type: jmespath
        value: "length(@)"
"""

SOUND = [
    "",
    "{}",
    "flow:",
    DOCUMENT_EXAMPLE,
    "name: etl\nrunner: {on_error: CONTINUE, max_workers: 3}\nflow: []",
    "secrets: [TOKEN]",
    "secrets: {a: TOKEN, b: {env: B}, c: {file: /run/secret}}",
    "sources: {e: {type: env, configuration: {vars: HOME, secret: true}}, f: {type: env}}",
    "sources: {e: {type: env, configuration: {vars: [A, B], secret: [A]}}}",
    "sources: {c: {type: custom, configuration: {anything: [1, {}]}}}",
    "sources: {p: {type: process, configuration: {command: echo hi, limit: 3, share: 0.5, log_full_command: false}}}",
    "sources: {p: {type: process, configuration: {command: [echo, 1, '{{ run.id }}'], limit: '{{ run.id }}'}}}",
    "sources: {r: {type: rest, configuration: {url: 'http://x', method: '{{ run.name }}', timeout: null, any: [1]}}}",
    "flow: [{name: a, source: env, on_error: Skip, when: true, timeout: 0.5, breakpoint: true}]",
    "flow: [{name: a, source: env, input: null, output: null, depends_on: null, on_error: null, when: null}]",
    "flow: [{name: a, source: env}, {name: b, source: env, depends_on: a}, {name: c, source: env, depends_on: [a, b]}]",
    "flow: [{name: a, source: env, for_each: [1, 2], max_parallel: 2, retry: 3}]",
    "flow: [{name: a, source: env, for_each: run.name, retry: {max_attempts: 5, delay: 0, factor: 1, jitter: 0.5}}]",
    "flow: [{name: a, source: {type: process, configuration: {command: [ls]}}}]",
    (
        "sources: {r: {type: rest, configuration: {url: 'http://x'}}}\n"
        "flow: [{name: a, source: {base: r, override: {configuration: {method: POST}}}}]"
    ),
    (
        "sources: {r: {type: rest, configuration: {method: GET}}, p: {type: process}}\n"
        "flow: [{name: a, source: {base: r, override: {configuration: {url: 'http://a'}}}},"
        " {name: b, source: {base: p, override: {configuration: {command: ls}}}}]"
    ),
    "flow: [{name: a, source: env, output: [{name: x}, {name: y, type: RAW, required: false}]}]",
    "flow: [{name: a, source: env, output: [{name: x, type: JMESPath, value: '@', required: true}]}]",
]
BROKEN = [
    "flow: [{name: a, source: env, on_eror: skip}]",
    "flows: []",
    "name: 3",
    "runner: {on_error: stop}",
    "runner: {max_workers: 0}",
    "runner: {max_workers: two}",
    "sources: {p: {type: 3}}",
    "flow: [{name: a, source: {type: process}}]",
    "flow: [{name: a, source: {type: process, configuration: {limit: 3}}}]",
    "sources: {p: {type: process, configuration: {command: []}}}",
    "sources: {p: {type: process, configuration: {command: ls, comand: x}}}",
    "sources: {p: {type: proces, configuration: {command: ls}}}",
    "sources: {p: {configuration: {command: ls}}}",
    "sources: {p: {type: process, configuration: {command: ls, limit: many}}}",
    "sources: {p: {type: process, configuration: {command: ls, limit: 1.5}}}",
    "flow: [{name: a, source: {type: rest, configuration: {method: GET}}}]",
    "sources: {r: {type: rest, configuration: {url: x, method: FETCH}}}",
    "sources: {r: {type: rest, configuration: {url: x, timeout: 0}}}",
    "sources: {r: {type: rest, configuration: {url: x, headers: none}}}",
    "secrets: 3",
    "secrets: {a: {}}",
    "secrets: {a: {env: A, file: b}}",
    "flow: {}",
    "flow: [a]",
    "flow: [{source: env}]",
    "flow: [{name: '', source: env}]",
    "flow: [{name: 3, source: env}]",
    "flow: [{name: a}]",
    "flow: [{name: a, source: 3}]",
    "flow: [{name: a, source: {override: {}}}]",
    "flow: [{name: a, source: env, timeout: 0}]",
    "flow: [{name: a, source: env, timeout: soon}]",
    "flow: [{name: a, source: env, max_parallel: 2}]",
    "flow: [{name: a, source: env, retry: 0}]",
    "flow: [{name: a, source: env, retry: {times: 3}}]",
    "flow: [{name: a, source: env, retry: {jitter: 2}}]",
    "flow: [{name: a, source: env, when: [1]}]",
    "flow: [{name: a, source: env, for_each: 3}]",
    "flow: [{name: a, source: env, breakpoint: maybe}]",
    "flow: [{name: a, source: env, depends_on: [3]}]",
    "flow: [{name: a, source: env, output: [x]}]",
    "flow: [{name: a, source: env, output: [{type: raw}]}]",
    "flow: [{name: a, source: env, output: [{name: x, type: xml}]}]",
    "flow: [{name: a, source: env, output: [{name: x, type: jmespath}]}]",
    "flow: [{name: a, source: env, output: [{name: x, value: '@'}]}]",
]


def document(text: str) -> Mapping[str, Json]:
    found = load_yaml(text, file="flow.yaml")
    return found if isinstance(found, dict) else {}


def fits(value: Json) -> bool:
    found: bool = Draft202012Validator(SCHEMA).is_valid(value)  # pyright: ignore[reportUnknownMemberType] - its stub
    return found


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("text", SOUND)
def test_what_can_run_fits(text: str) -> None:
    compile_flow(document(text), CATALOG)
    assert fits(load_yaml(text, file="flow.yaml"))


@pytest.mark.parametrize("text", BROKEN)
def test_what_cannot_run_does_not_fit(text: str) -> None:
    with pytest.raises(FlowDocumentError):
        compile_flow(document(text), CATALOG)
    assert not fits(load_yaml(text, file="flow.yaml"))


def test_every_key_says_what_it_is_for() -> None:
    step: Any = SCHEMA["$defs"]
    assert all("description" in schema for schema in step["step"]["properties"].values())
    assert step["configuration_env"]["properties"]["vars"]["description"] == "A line. Default: this."
