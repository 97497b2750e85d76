"""The YAML flow as a front end: contract status, section 1, and the bad-input table of contract safety."""

import json
from collections.abc import Mapping
from typing import Final, cast

import pytest

from flowcore.catalog import Kind, Parameter, SourceType
from flowcore.documents.fields import type_name
from flowcore.documents.flow_document import compile_flow
from flowcore.documents.flow_files import FlowFile, compile_flow_files, parse_flow_files
from flowcore.errors import FlowDocumentError, Problem
from flowcore.model import NO_RETRY, Flow, OnError, Output, OutputType, RetryPolicy, Secret, Source
from flowcore.values import Json


def parameter(kind: Kind, *, required: bool = False, choices: tuple[str, ...] = ()) -> Parameter:
    """Return a parameter of *kind*."""
    return Parameter(kind=kind, about="About it.", required=required, choices=choices)


def not_capital(text: str) -> str | None:
    """Find fault with what is not written in capitals."""
    return None if text.isupper() else f"must be in capitals, not '{text}'"


ADDRESS: Final = Parameter(kind=Kind.TEXT, about="About it.", schemes=("http", "https"), joined_to="base_url")
SECRET: Final = Parameter(kind=Kind.NAMES, about="About it.", among="vars")
BASE: Final = Parameter(kind=Kind.TEXT, about="About it.", schemes=("http", "https"))
CATALOG: Final[Mapping[str, SourceType]] = {
    "env": SourceType(name="env", about="", parameters={"vars": parameter(Kind.TEXTS), "secret": SECRET}, values=True),
    "value": SourceType(name="value", about="", parameters={"value": parameter(Kind.ANY)}),
    "process": SourceType(
        name="process",
        about="",
        parameters={
            "command": parameter(Kind.WORDS, required=True),
            "pass_to": parameter(Kind.TEXT, choices=("arg", "stdin", "template")),
        },
        payload_names=("input", "json"),
        template_when=("pass_to", "template"),
    ),
    "rest": SourceType(
        name="rest",
        about="",
        parameters={"url": ADDRESS, "base_url": BASE, "headers": parameter(Kind.MAPPING)},
        requires_any=(("url", "base_url"),),
    ),
    "all": SourceType(
        name="all",
        about="",
        parameters={
            "text": parameter(Kind.TEXT),
            "number": parameter(Kind.NUMBER),
            "seconds": parameter(Kind.SECONDS),
            "integer": parameter(Kind.INTEGER),
            "boolean": parameter(Kind.BOOLEAN),
            "words": parameter(Kind.WORDS),
            "texts": parameter(Kind.TEXTS),
            "names": parameter(Kind.NAMES),
            "mapping": parameter(Kind.MAPPING),
            "any": parameter(Kind.ANY),
            "word": Parameter(kind=Kind.TEXT, about="", flaw=not_capital),
            "list": Parameter(kind=Kind.TEXTS, about="", flaw=not_capital),
        },
    ),
    "theirs": SourceType(name="theirs", about="", parameters={}, open=True),
}


def compiled(**document: Json) -> Flow:
    """Return the flow that *document* declares."""
    return compile_flow(document, CATALOG)


def problems(document: Mapping[str, Json]) -> list[str]:
    """Return everything that is wrong with *document*, as people read it."""
    with pytest.raises(FlowDocumentError) as caught:
        compile_flow(document, CATALOG)
    return [str(problem) for problem in caught.value.problems]


def wrong(*steps: Json, **document: Json) -> list[str]:
    """Return everything that is wrong with a flow of *steps*."""
    return problems({**document, "flow": list(steps)})


def step(**members: Json) -> dict[str, Json]:
    """Return a step called `a` with the source `value`."""
    return {"name": "a", "source": "value", **members}


PRODUCER: Final[dict[str, Json]] = {"name": "p", "source": "value", "output": [{"name": "v"}]}


class TestSoundFlows:
    """All keys are optional; what is there is taken as the contract says."""

    def test_an_empty_document_is_an_empty_flow(self) -> None:
        assert compiled() == Flow()
        assert compiled(flow=None, sources=None, runner=None) == Flow()

    def test_the_runner_and_the_name(self) -> None:
        flow = compiled(name="n", runner={"on_error": " Skip ", "max_workers": 9})
        assert (flow.name, flow.on_error, flow.max_workers) == ("n", OnError.SKIP, 9)

    def test_a_source_by_name_by_type_inline_and_overridden(self) -> None:
        flow = compiled(
            sources={"api": {"type": "rest", "configuration": {"url": "http://u", "headers": {"a": "1"}}}},
            flow=[
                {"name": "named", "source": "api"},
                {"name": "typed", "source": "env"},
                {"name": "again", "source": "env"},
                {"name": "inline", "source": {"type": "value", "configuration": {"value": 1}}},
                {
                    "name": "over",
                    "source": {"base": "api", "override": {"configuration": {"headers": {"b": "2"}}}},
                },
            ],
        )
        found = [flow.sources[each.source] for each in flow.steps]
        assert found == [
            Source(type="rest", configuration={"url": "http://u", "headers": {"a": "1"}}),
            Source(type="env"),
            Source(type="env"),
            Source(type="value", configuration={"value": 1}),
            Source(type="rest", configuration={"url": "http://u", "headers": {"a": "1", "b": "2"}}),
        ]

    def test_an_inline_source_never_takes_the_name_of_a_declared_one(self) -> None:
        flow = compiled(
            sources={"flow[0].source": {"type": "env"}},
            flow=[{"name": "a", "source": {"type": "value"}}, {"name": "b", "source": "flow[0].source"}],
        )
        assert [flow.sources[each.source].type for each in flow.steps] == ["value", "env"]

    @pytest.mark.parametrize(
        ("given", "payload"),
        [
            (None, None),
            ("", ""),
            (5, 5),
            ({"type": "parameter", "value": "v"}, "v"),
            ({"type": "filter", "template": "t"}, "t"),
            ({"type": "body", "template": "t"}, "t"),
            ({"type": "value", "value": [1]}, [1]),
            ({"type": "other", "value": "v"}, {"type": "other", "value": "v"}),
            ({"type": 1, "value": "v"}, {"type": 1, "value": "v"}),
            ({"type": "body", "value": "v", "more": 1}, {"type": "body", "value": "v", "more": 1}),
        ],
    )
    def test_the_documents_input_form_stands_for_its_value(self, given: Json, payload: Json) -> None:
        assert compiled(flow=[step(input=given)]).steps[0].input == payload

    def test_outputs(self) -> None:
        listed: Json = [
            {"name": "plain"},
            {"name": "whole", "type": "JSON"},
            {"name": "part", "type": "jmespath", "value": "a.b", "required": True},
        ]
        assert compiled(flow=[step(output=listed)]).steps[0].outputs == (
            Output(name="plain"),
            Output(name="whole", type=OutputType.JSON),
            Output(name="part", type=OutputType.JMESPATH, value="a.b", required=True),
        )

    def test_depends_on_may_be_one_name(self) -> None:
        flow = compiled(flow=[PRODUCER, step(depends_on="p")])
        assert flow.steps[1].depends_on == ("p",)

    def test_dependencies_are_read_from_every_expression(self) -> None:
        outputs: Json = [{"name": "v"}]
        names = "abcdef"
        flow = compiled(
            sources={"say": {"type": "process", "configuration": {"command": ["echo", "{{ flows.e.v }}"]}}},
            flow=[
                *({"name": name, "source": "value", "output": outputs} for name in names),
                {
                    "name": "last",
                    "source": "say",
                    "depends_on": ["f"],
                    "input": {"deep": ["{{ flows.a.v }}", "see flows.html.gz", "{{ flows.a.v }}"]},
                    "when": "{{ flows.b.v }}",
                    "for_each": "{{ flows.c.v }}",
                },
                {"name": "same", "source": "say"},
            ],
        )
        assert flow.steps[6].depends_on == ("f", "a", "b", "c", "e")
        assert flow.steps[7].depends_on == ("e",)

    def test_a_condition_and_a_list_need_no_braces(self) -> None:
        flow = compiled(flow=[PRODUCER, step(when="flows.p.v", for_each="flows.p.v"), {**step(when=True), "name": "b"}])
        assert (flow.steps[1].when, flow.steps[1].for_each) == ("{{ flows.p.v }}", "{{ flows.p.v }}")
        assert flow.steps[1].depends_on == ("p",)
        assert flow.steps[2].when is True

    @pytest.mark.parametrize(
        ("given", "policy"),
        [
            (None, NO_RETRY),
            (4, RetryPolicy(max_attempts=4)),
            ({}, RetryPolicy(max_attempts=3)),
            (
                {"max_attempts": 2, "delay": 0, "factor": 1, "max_delay": 9, "jitter": 0.5},
                RetryPolicy(max_attempts=2, delay_s=0.0, factor=1.0, max_delay_s=9.0, jitter=0.5),
            ),
        ],
    )
    def test_retries(self, given: Json, policy: RetryPolicy) -> None:
        assert compiled(flow=[step(retry=given)]).steps[0].retry == policy

    def test_the_rest_of_a_step(self) -> None:
        found = compiled(
            flow=[step(timeout=0.5, on_error="CONTINUE", breakpoint=True, for_each=[1, 2], max_parallel=2)]
        ).steps[0]
        assert (found.timeout_s, found.on_error, found.breakpoint) == (0.5, OnError.CONTINUE, True)
        assert (found.for_each, found.max_parallel) == ([1, 2], 2)

    @pytest.mark.parametrize(
        ("given", "secrets"),
        [
            (["A"], {"A": Secret(env="A")}),
            ({"a": "A"}, {"a": Secret(env="A")}),
            ({"a": {"env": "A"}, "b": {"file": "f"}}, {"a": Secret(env="A"), "b": Secret(file="f")}),
        ],
    )
    def test_secrets(self, given: Json, secrets: Mapping[str, Secret]) -> None:
        assert compiled(secrets=given).secrets == secrets

    @pytest.mark.parametrize(
        "expression",
        [
            "sources.me.HOME",
            "sources.me",
            "sources.some.X",
            "secrets.T",
            "run.id",
            "run.name",
            "run.started_at",
            "run",
            "flows.p",
            "flows.p.v",
        ],
    )
    def test_what_expressions_may_refer_to(self, expression: str) -> None:
        compiled(
            secrets=["T"],
            sources={
                "me": {"type": "env", "configuration": {"vars": "HOME"}},
                "some": {"type": "env", "configuration": {"vars": "{{ 'X' }}"}},
            },
            flow=[PRODUCER, step(input=f"{{{{ {expression} }}}}")],
        )

    def test_item_and_index_in_a_fan_out(self) -> None:
        compiled(flow=[step(for_each=[1], input="{{ item }}{{ index }}")])

    def test_input_and_json_where_the_source_renders_its_command(self) -> None:
        configuration: Json = {"command": ["echo", "{{ input }}", "{{ json.a }}"], "pass_to": "template"}
        compiled(flow=[step(source={"type": "process", "configuration": configuration})])

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            ("echo 'one two' | cat", ["echo", "one two", "|", "cat"]),
            ("echo {{ flows.p.v | join(', ') }} x", ["echo", "{{ flows.p.v | join(', ') }}", "x"]),
            ('echo "a {{ flows.p.v }} b"', ["echo", "a {{ flows.p.v }} b"]),
            ("echo {{ {a: {b: flows.p.v}} }}", ["echo", "{{ {a: {b: flows.p.v}} }}"]),
            (["a", "b c"], ["a", "b c"]),
            ("\ue0000\ue001 {{ '\ue0000\ue001' }}\ue000", ["\ue0000\ue001", "{{ '\ue0000\ue001' }}\ue000"]),
            (" ".join(["{{ flows.p.v }}"] * 3_000), ["{{ flows.p.v }}"] * 3_000),
        ],
    )
    def test_a_command_line_is_split_into_words_with_its_expressions_whole(self, command: Json, words: Json) -> None:
        flow = compiled(flow=[PRODUCER, step(source={"type": "process", "configuration": {"command": command}})])
        assert flow.sources["flow[1].source"].configuration["command"] == words

    def test_fitting_configurations(self) -> None:
        configuration: Json = {
            "text": 8080,
            "number": 1.5,
            "seconds": 0.1,
            "integer": 3,
            "boolean": False,
            "words": ["a", 1],
            "texts": "a",
            "names": ["a"],
            "mapping": {},
            "any": None,
        }
        compiled(flow=[step(source={"type": "all", "configuration": configuration})])
        templated: Json = {"seconds": "{{ run.id }}", "boolean": "{{ run.id }}", "names": True, "texts": ["a"]}
        compiled(flow=[step(source={"type": "all", "configuration": templated})])

    def test_a_third_partys_configuration_is_theirs(self) -> None:
        compiled(flow=[step(source={"type": "theirs", "configuration": {"anything": [1]}})])


class TestRefusals:
    """Everything that is wrong is told, each with its place, what is allowed, and often what was meant."""

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"flwo": []}, "flwo: unknown key 'flwo' (did you mean `flow`?)"),
            ({"zzzzz": 1}, "zzzzz: unknown key 'zzzzz' (allowed here: name, sources, secrets, runner, flow)"),
            ({"name": 1}, "name: 'name' must be text, not a number (put it in quotes)"),
            ({"flow": {}}, "flow: 'flow' must be a list, not a mapping"),
            ({"sources": []}, "sources: 'sources' must be a mapping, not a list"),
            ({"runner": {"on_eror": "skip"}}, "runner.on_eror: unknown key 'on_eror' (did you mean `on_error`?)"),
            (
                {"runner": {"on_error": "retry"}},
                "runner.on_error: 'on_error' must be one of fail, skip, continue, not 'retry'",
            ),
            (
                {"runner": {"on_error": "contine"}},
                "runner.on_error: 'on_error' must be one of fail, skip, continue, not 'contine' (did you mean `cont",
            ),
            ({"runner": {"max_workers": 0}}, "runner.max_workers: 'max_workers' must be between 1 and 1000, not 0"),
            (
                {"runner": {"max_workers": "4"}},
                "runner.max_workers: 'max_workers' must be a whole number, not text",
            ),
            (
                {"runner": {"max_workers": True}},
                "runner.max_workers: 'max_workers' must be a whole number, not a boolean",
            ),
            ({"secrets": 1}, "secrets: 'secrets' must be a mapping or a list of names, not a number"),
            ({"secrets": {"a": 1}}, "secrets: secret 'a' must name an environment variable or a file"),
            ({"secrets": {"a": {}}}, "secrets.a: secret 'a' needs either 'env' or 'file'"),
            (
                {"sources": {"s": 1}},
                "sources.s: source 's' must be a mapping with 'type' and 'configuration', not a number",
            ),
            (
                {"sources": {"s": {}}},
                "sources.s: a source needs a 'type' (available: all, env, process, rest, theirs, value)",
            ),
            ({"sources": {"s": {"type": 5}}}, "sources.s.type: 'type' must be text, not a number (put it in quotes)"),
            (
                {"sources": {"s": {"type": "proces"}}},
                "sources.s.type: unknown source type 'proces'; available: all, env, process, rest, theirs, value (did",
            ),
        ],
    )
    def test_the_top(self, document: Mapping[str, Json], message: str) -> None:
        (found,) = problems(document)
        assert found.startswith(message)

    @pytest.mark.parametrize(
        ("member", "message"),
        [
            (1, "flow[0]: a step must be a mapping, not a number"),
            ({"source": "value"}, "flow[0]: a step needs a 'name'"),
            ({"name": "", "source": "value"}, "flow[0]: a step needs a 'name'"),
            ({"name": 1, "source": "value"}, "flow[0].name: 'name' must be text, not a number (put it in quotes)"),
            (
                {"name": "a"},
                "flow[0]: a step needs a 'source' (available: all, env, process, rest, theirs, value)",
            ),
            (step(source=1), "flow[0].source: 'source' must be a name or a mapping, not a number"),
            (
                step(source="valeu"),
                "flow[0].source: no source and no source type is called 'valeu' (did you mean `value`?)",
            ),
            (
                step(source="qqqqq"),
                "flow[0].source: no source and no source type is called 'qqqqq' (available: all, env, process, rest",
            ),
            (step(source={}), "flow[0].source: a source needs a 'type' (available: all, env, process, rest, theirs"),
            (step(source={"override": {}}), "flow[0].source: 'override' needs a 'base': the source to start from"),
            (step(source={"base": "x"}), "flow[0].source.base: no source is called 'x'"),
            (
                step(source={"type": "rest"}),
                "flow[0].source.configuration: a `rest` source needs 'url' or 'base_url' in its configuration",
            ),
            (
                step(source={"type": "process"}),
                "flow[0].source.configuration: a `process` source needs 'command' in its configuration (About it.)",
            ),
            (step(on_eror="skip"), "flow[0].on_eror: unknown key 'on_eror' (did you mean `on_error`?)"),
            (step(timeout=0), "flow[0].timeout: 'timeout' must be above 0 and at most 31622400, not 0"),
            (step(timeout=-1), "flow[0].timeout: 'timeout' must be above 0 and at most 31622400, not -1"),
            (step(timeout="5"), "flow[0].timeout: 'timeout' must be a number, not text"),
            (step(timeout=float("nan")), "flow[0].timeout: nan is no number that JSON can hold"),
            (step(retry=0), "flow[0].retry: 'retry' must be between 1 and 1000, not 0"),
            (step(retry={"tries": 2}), "flow[0].retry.tries: unknown key 'tries'"),
            (
                step(retry={"factor": 0.5}),
                "flow[0].retry.factor: 'factor' must be at least 1 and at most 100, not 0.5",
            ),
            (step(breakpoint="yes"), "flow[0].breakpoint: 'breakpoint' must be true or false, not text"),
            (step(when=5), "flow[0].when: 'when' must be an expression or a boolean, not a number"),
            (step(for_each={}), "flow[0].for_each: 'for_each' must be a list or an expression, not a mapping"),
            (step(max_parallel=2), "flow[0].max_parallel: 'max_parallel' is for steps with 'for_each'"),
            (
                step(depends_on=[1]),
                "flow[0].depends_on[0]: what 'depends_on' lists must be the name of a step, not a number (put it in",
            ),
            (step(depends_on=1), "flow[0].depends_on: 'depends_on' must be a list, not a number"),
            (
                step(depends_on=["x", "y"]),
                "flow[0].depends_on: step 'a' depends on 'x', 'y', which are not in this flow",
            ),
            (step(output=[1]), "flow[0].output[0]: an output must be a mapping with a 'name', not a number"),
            (step(output=[{}]), "flow[0].output[0]: an output needs a 'name'"),
            (
                step(output=[{"name": "o", "type": "jmspath", "value": "a"}]),
                "flow[0].output[0].type: 'type' of an output must be one of raw, json, jmespath, not 'jmspath' (did",
            ),
            (
                step(output=[{"name": "o", "type": "jmespath"}]),
                "flow[0].output[0]: an output of type jmespath needs a 'value': the expression",
            ),
            (
                step(output=[{"name": "o", "value": "a"}]),
                "flow[0].output[0].value: 'value' is for outputs of type jmespath; this one is raw (add `type",
            ),
            (
                step(output=[{"name": "o", "type": "jmespath", "value": "a[["}]),
                "flow[0].output[0].value: `a[[` is no JMESPath at character 3: expecting: star, got: lbracket",
            ),
            (
                step(output=[{"name": "o", "type": "jmespath", "value": 5}]),
                "flow[0].output[0].value: 'value' must be text, not a number (put it in quotes)",
            ),
            (step(output=[{"name": "o"}, {"name": "o"}]), "flow[0].output[1]: two outputs are called 'o'"),
        ],
    )
    def test_a_step(self, member: Json, message: str) -> None:
        found = wrong(member)
        assert found[0].startswith(message)

    def test_a_dependency_that_is_close_to_a_step(self) -> None:
        assert wrong(PRODUCER, step(depends_on="pp"), {"name": "ppp", "source": "value"}) == [
            "flow[1].depends_on: step 'a' depends on 'pp', which is not in this flow (did you mean `ppp`?)"
        ]

    @pytest.mark.parametrize(
        ("expression", "message"),
        [
            ("nope.x", "an expression starts with `flows`, `sources`, `run`, `secrets`, not with `nope`"),
            ("flow.p.v", "not with `flow` (did you mean `flows`?)"),
            ("p.v", "not with `p` (write `flows.p`)"),
            ("item", "not with `item` (only the input and the source of a step with `for_each` have"),
            ("flows.pp.v", "`flows.pp` names no step of this flow"),
            ("flows.p.w", "step 'p' declares no output `w` (its outputs: v)"),
            ("flows.a.w", "step 'a' declares no output `w` (it declares none: give it an `output`)"),
            ("keys(flows)", "`flows` alone names no step (write `flows.<step>.<output>`)"),
            ("sources.x.Y", "`sources.x` names no source of this flow"),
            ("sources.api.Y", "the values of source 'api' cannot be read in an expression: it is no `env` source"),
            ("sources.me.HOM", "source 'me' does not list `HOM` in its vars (did you mean `HOME`?)"),
            ("keys(sources)", "`sources` alone names no source"),
            ("secrets.X", "`secrets.X` is not declared (declare it at the top, under `secrets`)"),
            ("keys(secrets)", "`secrets` alone names no secret"),
            ("run.nmae", "`run` has id, name, started_at, but no `nmae` (did you mean `name`?)"),
            ("a + b", "there is no arithmetic"),
            ("flows.sign-in.o", 'such a name stands in double quotes: write `flows."sign-in".o`'),
            ("flows.sign_in.o", '`flows.sign_in` names no step of this flow (did you mean `"sign-in"`?)'),
            ('"sign-in".o', 'not with `"sign-in"` (write `flows."sign-in"`)'),
            ('flows."sign-in"."x-1"', "step 'sign-in' declares no output `\"x-1\"`"),
        ],
    )
    def test_an_expression(self, expression: str, message: str) -> None:
        found = problems(
            {
                "sources": {
                    "me": {"type": "env", "configuration": {"vars": ["HOME"]}},
                    "api": {"type": "rest", "configuration": {"url": "http://u"}},
                },
                "flow": [PRODUCER, step(input=f"{{{{ {expression} }}}}"), {"name": "sign-in", "source": "value"}],
            }
        )
        assert message in found[0]
        assert found[0].startswith("flow[1].input")

    @pytest.mark.parametrize(("count", "told"), [(100, 100), (5_000, 101)])
    def test_of_very_many_names_in_one_value_the_first_are_told(self, count: int, told: int) -> None:
        text = "".join(f"{{{{ flows.u{number}.v }}}}" for number in range(count))
        found = wrong(PRODUCER, step(input=["{{ flows.p.v }}", text]))
        assert len(found) == told
        assert found[0] == "flow[1].input: `flows.u0` names no step of this flow"
        if count > told:
            message = "100 names in these expressions are wrong; 4900 more were not looked at (mend those first)"
            assert found[-1] == f"flow[1].input: {message}"

    @pytest.mark.parametrize(
        ("name", "value", "wanted"),
        [
            ("text", [], "text, not an empty list"),
            ("text", ["x"], "text, not a list"),
            ("number", "x", "a number, not text"),
            ("seconds", 0, "a number of seconds above 0, not 0"),
            ("seconds", True, "a number of seconds above 0, not a boolean"),
            ("integer", 1.5, "a whole number, not 1.5"),
            ("boolean", "x", "true or false, not text"),
            ("words", [], "a text or a list of texts that is not empty, not an empty list"),
            ("texts", 1, "a list of texts, not 1"),
            ("names", "x", "true, false or a list of texts, not text"),
            ("mapping", [1], "a mapping, not a list"),
        ],
    )
    def test_a_configuration_value(self, name: str, value: Json, wanted: str) -> None:
        assert wrong(step(source={"type": "all", "configuration": {name: value}})) == [
            f"flow[0].source.configuration.{name}: '{name}' must be {wanted}"
        ]

    @pytest.mark.parametrize(
        ("name", "value", "where", "message"),
        [
            ("words", ["sleep", 5, True], 2, "not a boolean (put it in quotes)"),
            ("words", ["echo", None], 1, "not null (put it in quotes)"),
            ("words", [["echo"]], 0, "not a list"),
            ("texts", ["HOME", 1], 1, "not a number (put it in quotes)"),
            ("names", [{"HOME": "x"}], 0, "not a mapping"),
        ],
    )
    def test_what_stands_in_a_list_of_texts(self, name: str, value: Json, where: int, message: str) -> None:
        assert wrong(step(source={"type": "all", "configuration": {name: value}})) == [
            f"flow[0].source.configuration.{name}[{where}]: what '{name}' lists must be text, {message}"
        ]

    @pytest.mark.parametrize(
        ("variables", "secret", "where", "message"),
        [
            (["API_TOKEN", "B"], ["API_TOKN"], 0, "(API_TOKEN, B), not 'API_TOKN' (did you mean `API_TOKEN`?)"),
            ("API_TOKEN", ["API_TOKEN", "X"], 1, "(API_TOKEN), not 'X'"),
            (None, ["API_TOKEN"], 0, "(nothing is listed), not 'API_TOKEN'"),
            ([f"V{n}" for n in range(21)], ["X"], 0, f"({', '.join(f'V{n}' for n in range(20))}, ...), not 'X'"),
        ],
    )
    def test_a_secret_that_is_not_read_hides_nothing(
        self, variables: Json, secret: Json, where: int, message: str
    ) -> None:
        assert wrong(step(source={"type": "env", "configuration": {"vars": variables, "secret": secret}})) == [
            f"flow[0].source.configuration.secret[{where}]: 'secret' must be of what 'vars' lists {message}"
        ]

    @pytest.mark.parametrize(
        ("source", "listed", "where"),
        [
            ({"base": "e", "override": {"configuration": {"vars": ["DEV"]}}}, ["TOKEN"], "flow[0].source.override"),
            ("e", ["DEV"], "sources.e"),
        ],
    )
    def test_a_secret_that_is_exchanged_is_named_again(self, source: Json, listed: Json, where: str) -> None:
        sources: Json = {"e": {"type": "env", "configuration": {"vars": listed, "secret": ["TOKEN"]}}}
        assert wrong(step(source=source), sources=sources) == [
            (
                f"{where}.configuration.secret[0]: 'secret' must be of what 'vars' lists (DEV), not 'TOKEN'"
                " (where a later file or an 'override' gives another 'vars', write 'secret' again beside it)"
            )
        ]

    @pytest.mark.parametrize(
        ("variables", "secret"),
        [
            (["A", "{{ 'B' }}"], ["B"]),
            ("{{ 'B' }}", ["B"]),
            (["A"], ["{{ 'A' }}"]),
            (["A"], True),
            (["A"], "{{ 'A' }}"),
            (["{{ 'A' }}"], "{{ ['A'] }}"),
            (["A"], "{{ `true` }}"),
            (["A", "B"], ["B"]),
            ("A", ["A"]),
        ],
    )
    def test_a_secret_that_may_be_read(self, variables: Json, secret: Json) -> None:
        compiled(flow=[step(source={"type": "env", "configuration": {"vars": variables, "secret": secret}})])

    @pytest.mark.parametrize(
        ("variables", "secret", "where"),
        [
            (["TOKEN"], "{{ 'TOKN' }}", ""),
            (["TOKEN"], ["{{ 'TOKN' }}"], "[0]"),
            ("{{ ['TOKEN'] }}", "{{ ['TOKEN', 'TOKN'] }}", ""),
            ("{{ 'TOKEN' }}", ["TOKEN", "TOKN"], "[1]"),
        ],
    )
    def test_a_secret_that_only_an_expression_names_is_known_too(
        self, variables: Json, secret: Json, where: str
    ) -> None:
        assert wrong(step(source={"type": "env", "configuration": {"vars": variables, "secret": secret}})) == [
            (
                f"flow[0].source.configuration.secret{where}: 'secret' must be of what 'vars' lists (TOKEN), not 'TOKN'"
                " (did you mean `TOKEN`?)"
            )
        ]

    @pytest.mark.parametrize("broken", ["{{ A", "{{ A[[ }}"])
    def test_of_variables_that_cannot_be_read_nobody_knows_what_they_list(self, broken: str) -> None:
        configuration: Json = {"vars": ["A", broken], "secret": ["B"]}
        (problem,) = wrong(step(source={"type": "env", "configuration": configuration}))
        assert problem.startswith("flow[0].source.configuration.vars[1]: ")

    def test_of_many_secrets_that_are_not_read_the_first_ones_are_told(self) -> None:
        secret: Json = [f"X{number}" for number in range(1_000)]
        assert len(wrong(step(source={"type": "env", "configuration": {"vars": ["A"], "secret": secret}}))) == 20

    def test_what_a_source_finds_wrong_with_a_text(self) -> None:
        configuration: Json = {"word": "a", "list": ["A", "b", "{{ run.id }}"]}
        at = "flow[0].source.configuration"
        assert wrong(step(source={"type": "all", "configuration": configuration})) == [
            f"{at}.word: 'word' must be in capitals, not 'a'",
            f"{at}.list[1]: 'list[1]' must be in capitals, not 'b'",
        ]
        assert wrong(step(source={"type": "all", "configuration": {"word": 5}})) == [
            f"{at}.word: 'word' must be in capitals, not '5'"
        ]

    def test_what_holds_an_expression_is_looked_at_when_it_is_rendered(self) -> None:
        compiled(flow=[step(source={"type": "all", "configuration": {"word": "{{ run.id }}", "list": "A"}})])

    @pytest.mark.parametrize("url", ["HTTPS://a", "{{ run.name }}", "http{{ run.id }}", "http://{{ run.id }}"])
    def test_an_address_that_may_work(self, url: str) -> None:
        compiled(flow=[step(source={"type": "rest", "configuration": {"url": url}})])

    @pytest.mark.parametrize("base", ["http://a", "{{ run.name }}"])
    @pytest.mark.parametrize("url", ["/users", "users:all", "/{{ run.id }}", "{{ run.id }}"])
    def test_an_address_that_is_joined_to_another_one(self, url: str, base: str) -> None:
        compiled(flow=[step(source={"type": "rest", "configuration": {"url": url, "base_url": base}})])

    @pytest.mark.parametrize(("url", "shown"), [("/users", "/users"), ("a b", "a b"), ("/a/{{ run.id }}", "/a/")])
    def test_an_address_that_there_is_nothing_to_join_to(self, url: str, shown: str) -> None:
        configuration: dict[str, Json] = {"url": "http://a", "base_url": url}
        assert wrong(step(source={"type": "rest", "configuration": configuration})) == [
            f"flow[0].source.configuration.base_url: 'base_url' must begin with http:// or https://, not '{shown}'"
        ]

    def test_an_address_may_be_joined_to_one_that_a_step_gives(self) -> None:
        api: dict[str, Json] = {"type": "rest", "configuration": {"url": "/users"}}
        override: dict[str, Json] = {"configuration": {"base_url": "http://a"}}
        compile_flow({"sources": {"api": api}, "flow": [step(source={"base": "api", "override": override})]}, CATALOG)

    @pytest.mark.parametrize("url", ["/users", "users", "example.com/users", ""])
    @pytest.mark.parametrize("base", [{}, {"base_url": None}])
    def test_an_address_that_nothing_is_there_to_join_to(self, url: str, base: Mapping[str, Json]) -> None:
        configuration: dict[str, Json] = {"url": url, **base}
        why = (
            f"'url' must begin with http:// or https://, not '{url}': there is no 'base_url' that it could be joined to"
            " (write the whole address, or give a 'base_url')"
        )
        assert wrong(step(source={"type": "rest", "configuration": configuration})) == [
            f"flow[0].source.configuration.url: {why}"
        ]
        sources: Json = {"api": {"type": "rest", "configuration": configuration}}
        assert wrong(step(source="api"), step(name="b", source="api"), sources=sources) == [
            f"sources.api.configuration.url: {why}"
        ]
        assert wrong(step(source={"base": "api"}), sources=sources) == [
            f"flow[0].source.override.configuration.url: {why}"
        ]
        override: Json = {"configuration": {"headers": {"A": "1"}}}
        assert wrong(step(source={"base": "api", "override": override}), sources=sources) == [
            f"flow[0].source.override.configuration.url: {why}"
        ]

    @pytest.mark.parametrize("when", [None, "{{ `false` }}"])
    def test_an_address_behind_a_space(self, when: Json) -> None:
        # A step that is only switched off is looked at like any other: nothing is left for when it is switched on.
        source: Json = {"type": "rest", "configuration": {"url": " https://x.y/z"}}
        assert wrong(step(source=source, when=when)) == [
            (
                "flow[0].source.configuration.url: 'url' must begin with http:// or https://, not ' https://x.y/z'"
                " (take the space before the address away)"
            )
        ]

    def test_an_address_that_an_override_makes_relative(self) -> None:
        api: Json = {"type": "rest", "configuration": {"base_url": "http://a", "url": "users"}}
        override: Json = {"configuration": {"base_url": None}}
        (problem,) = wrong(step(source={"base": "api", "override": override}), sources={"api": api})
        assert problem.startswith("flow[0].source.override.configuration.url: 'url' must begin with http:// or")

    @pytest.mark.parametrize(
        "configuration",
        [
            {"url": "/users/{{ run.id }}"},
            {"url": "{{ run.name }}/users"},
            {"url": "/users", "base_url": "{{ run.name }}"},
            {"base_url": "http://a"},
            {"url": None, "base_url": "http://a"},
        ],
    )
    def test_an_address_of_which_not_all_is_known(self, configuration: Json) -> None:
        compiled(flow=[step(source={"type": "rest", "configuration": configuration})])

    def test_an_address_that_no_step_uses_may_be_joined_later(self) -> None:
        compiled(sources={"api": {"type": "rest", "configuration": {"url": "/users"}}}, flow=[step()])

    @pytest.mark.parametrize("url", ["ftp://x", "file:///etc/passwd", "gopher://{{ run.id }}/a"])
    def test_an_address_that_cannot_work(self, url: str) -> None:
        scheme = f"{url.partition('//')[0]}//"
        assert wrong(step(source={"type": "rest", "configuration": {"url": url}})) == [
            f"flow[0].source.configuration.url: 'url' must begin with http:// or https://, not '{scheme}'"
        ]

    @pytest.mark.parametrize(
        ("configuration", "message"),
        [
            ({"command": "a", "pas_to": "arg"}, "a `process` source has no 'pas_to' (did you mean `pass_to`?)"),
            ({"command": "a", "qq": 1}, "a `process` source has no 'qq' (allowed here: command, pass_to)"),
            (
                {"command": "a", "pass_to": "std"},
                "'pass_to' must be one of arg, stdin, template, not 'std' (did you mean `stdin`?)",
            ),
            ({"command": "echo 'open"}, "'command' cannot be split into words: no closing quotation"),
            ({"command": "  "}, "'command' is empty"),
            ({"command": "echo {{ open"}, "opens an expression that is never closed"),
            ({"command": ["echo", "{{ input }}"]}, "not with `input`"),
        ],
    )
    def test_a_process(self, configuration: Json, message: str) -> None:
        (found,) = wrong(step(source={"type": "process", "configuration": configuration}))
        assert message in found

    def test_two_steps_of_one_name(self) -> None:
        assert wrong(step(), step()) == [
            "flow[1].name: two steps are called 'a': flow[0] and flow[1] (give each step a name of its own)"
        ]

    def test_a_name_that_an_item_would_have(self) -> None:
        assert wrong(step(), {"name": "a/0", "source": "value"}) == [
            "flow[1].name: 'a/0' is also what item 0 of step 'a' would be called"
        ]

    def test_cycles_are_named(self) -> None:
        assert wrong(step(depends_on="b"), {"name": "b", "source": "value", "depends_on": "a"}) == [
            "flow[0]: the steps wait for each other: a -> b -> a"
        ]
        assert wrong(step(depends_on="a")) == ["flow[0]: the step waits for itself: a -> a"]

    def test_a_step_with_a_broken_source_is_told_once(self) -> None:
        broken: Json = {"s": {"type": "nope"}, "t": 1}
        found = wrong(
            step(source="s"),
            {"name": "b", "source": "t"},
            {"name": "c", "source": {"base": "t"}},
            {"name": "d", "source": {"base": "s", "override": {}}},
            sources=broken,
        )
        assert [problem.split(":")[0] for problem in found] == [
            "sources.s.type",
            "sources.t",
        ]

    def test_what_a_base_has_wrong_is_told_where_it_is_written(self) -> None:
        sources: Json = {
            "e": {"type": "env", "configuration": {"vars": ["HOME", "LANG"], "secret": ["HOEM"]}},
            "t": {"type": "theirs", "configuration": 1},
            "u": {"type": "all", "configuration": {"integer": "x", "nubmer": 1, "texts": ["a", 1]}},
        }
        overrides: list[tuple[str, dict[str, Json]]] = [
            ("e", {"configuration": {"vars": ["HOME"]}}),
            ("e", {}),
            ("e", {"configuration": {"secret": ["LNAG"]}}),
            ("u", {"configuration": {"number": 2}}),
            ("u", {"configuration": {"integer": "y", "texts": [1]}}),
            ("u", {"configuration": {"integer": 5, "mapping": []}}),
        ]
        steps = [
            step(name=f"s{number}", source={"base": base, "override": over})
            for number, (base, over) in enumerate(overrides)
        ]
        assert [problem.split(": ")[0] for problem in wrong(*steps, sources=sources)] == [
            "sources.e.configuration.secret[0]",
            "sources.t.configuration",
            "sources.u.configuration.integer",
            "sources.u.configuration.nubmer",
            "sources.u.configuration.texts[1]",
            "flow[2].source.override.configuration.secret[0]",
            "flow[4].source.override.configuration.integer",
            "flow[4].source.override.configuration.texts[0]",
            "flow[5].source.override.configuration.mapping",
        ]

    def test_all_problems_are_told_at_once(self) -> None:
        found = wrong(
            {"nmae": "x", "source": "value"},
            step(timeout=-1, depends_on=["gone"], input="{{ flows.gone.v }}"),
            runner={"max_workers": 0},
        )
        assert len(found) == 6

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (cast("Json", {1, 2}), "input[0]: a set is no value that a flow can hold"),
            (float("inf"), "input[0]: inf is no number that JSON can hold"),
            ("\ud800", "input[0]: the text is no valid Unicode"),
            (cast("Json", {1: 2}), "input[0]: a key must be text, not 1 (put it in quotes)"),
        ],
    )
    def test_a_program_can_hand_in_anything(self, value: Json, message: str) -> None:
        assert wrong(step(input=["ä", value])) == [f"flow[0].{message.replace('[0]', '[1]')}"]

    def test_a_document_that_contains_itself_is_refused(self) -> None:
        endless: list[Json] = []
        endless.append(endless)
        assert wrong(step(input=endless)) == ["flow: mappings and lists are nested deeper than 64 levels"]

    def test_values_have_names(self) -> None:
        values: list[Json] = [None, True, "", 1, [], {}]
        assert [type_name(value) for value in values] == [
            "null",
            "a boolean",
            "text",
            "a number",
            "a list",
            "a mapping",
        ]


class TestFiles:
    """Several files merge left to right; every problem has its file, line and column."""

    def test_later_files_override_earlier_ones(self) -> None:
        files = [
            FlowFile("base.yaml", "runner: {max_workers: 2, on_error: skip}\nflow: [{name: a, source: value}]\n"),
            FlowFile("over.yaml", "runner: {max_workers: 3}\n"),
        ]
        flow = compile_flow_files(files, CATALOG)
        assert (flow.max_workers, flow.on_error, len(flow.steps)) == (3, OnError.SKIP, 1)

    def test_a_problem_points_to_the_file_that_the_value_came_from(self) -> None:
        files = [
            FlowFile("base.yaml", "runner:\n  max_workers: 0\nflow:\n  - {name: a, source: valu}\n"),
            FlowFile("over.yaml", "name: x\nrunner:\n  on_error: never\n"),
        ]
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow_files(files, CATALOG)
        assert [(problem.file, problem.line, problem.column) for problem in caught.value.problems] == [
            ("over.yaml", 3, 3),
            ("base.yaml", 2, 3),
            ("base.yaml", 4, 15),
        ]

    def test_what_yaml_cannot_hold_is_told_with_everything_else_and_once(self) -> None:
        text = (
            "name: 1\n"
            "flow:\n"
            "- {name: .inf, source: value, timeout: .inf, retry: 1e400, when: 5}\n"
            "- {name: b, source: valu, depends_on: [.inf, .nan, 3], timeout: !!int x, on_eror: skip, on_eror: fail}\n"
        )
        files = [FlowFile("a.yaml", text), FlowFile("b.yaml", "runner: {max_workers: 0}\n")]
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow_files(files, CATALOG)
        assert [(problem.file, problem.code, problem.path) for problem in caught.value.problems] == [
            ("a.yaml", "yaml-value", ("flow", 0, "name")),
            ("a.yaml", "yaml-value", ("flow", 0, "timeout")),
            ("a.yaml", "yaml-value", ("flow", 0, "retry")),
            ("a.yaml", "yaml-value", ("flow", 1, "depends_on", 0)),
            ("a.yaml", "yaml-value", ("flow", 1, "depends_on", 1)),
            ("a.yaml", "yaml-value", ("flow", 1, "timeout")),
            ("a.yaml", "yaml-duplicate-key", ("flow", 1, "on_eror")),
            ("a.yaml", "wrong-type", ("name",)),
            ("b.yaml", "out-of-range", ("runner", "max_workers")),
            ("a.yaml", "wrong-type", ("flow", 0, "when")),
            ("a.yaml", "wrong-type", ("flow", 1, "depends_on", 2)),
            ("a.yaml", "unknown-step", ("flow", 1, "depends_on")),
            ("a.yaml", "unknown-source", ("flow", 1, "source")),
        ]

    def test_what_one_file_cannot_hold_hides_nothing_of_another(self) -> None:
        files = [
            FlowFile("a.yaml", "runner: {max_workers: .inf, on_error: .nan}\n"),
            FlowFile("b.yaml", "runner: {max_workers: 0}\n"),
        ]
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow_files(files, CATALOG)
        assert [(problem.file, problem.code, problem.path) for problem in caught.value.problems] == [
            ("a.yaml", "yaml-value", ("runner", "max_workers")),
            ("a.yaml", "yaml-value", ("runner", "on_error")),
            ("b.yaml", "out-of-range", ("runner", "max_workers")),
        ]

    def test_a_flow_that_is_sound_but_for_a_number_is_refused(self) -> None:
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow_files(
                [FlowFile("a.yaml", "flow: [{name: a, source: value, input: .nan, when: 'nodes'}]")], CATALOG
            )
        assert [problem.code for problem in caught.value.problems] == ["yaml-value", "unknown-root"]
        with pytest.raises(FlowDocumentError, match="JSON cannot hold"):
            compile_flow_files([FlowFile("a.yaml", "flow: [{name: a, source: value, input: .nan}]")], CATALOG)

    def test_every_broken_file_is_told(self) -> None:
        files = [FlowFile("a.yaml", "- 1\n"), FlowFile("b.yaml", "x: [\n"), FlowFile("c.yaml", "name: ok\n")]
        with pytest.raises(FlowDocumentError) as caught:
            parse_flow_files(files)
        assert [problem.file for problem in caught.value.problems] == ["a.yaml", "b.yaml"]

    def test_a_problem_of_an_empty_file_stands_at_its_top(self) -> None:
        files = [FlowFile("a.yaml", ""), FlowFile("b.yaml", "name: 1\n")]
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow_files(files, CATALOG)
        (problem,) = caught.value.problems
        assert isinstance(problem, Problem)
        assert str(problem) == "b.yaml:1:1 name: 'name' must be text, not a number (put it in quotes)"


def test_a_number_that_is_not_finite_hides_nothing_else() -> None:
    infinite = float("inf")
    assert wrong(step(timeout=infinite, retry={"delay": infinite}, when=5)) == [
        "flow[0].retry.delay: inf is no number that JSON can hold",
        "flow[0].timeout: inf is no number that JSON can hold",
        "flow[0].when: 'when' must be an expression or a boolean, not a number",
    ]


def test_every_wrong_entry_of_a_list_is_told() -> None:
    variables: Json = {"type": "env", "configuration": {"vars": [1, "HOME", None, ["x"]]}}
    assert wrong({"name": "a", "source": variables, "depends_on": ["b", 3, None]}, secrets=["A", 1, None]) == [
        "secrets[1]: what 'secrets' lists must be text, not a number",
        "secrets[2]: what 'secrets' lists must be text, not null",
        "flow[0].depends_on[1]: what 'depends_on' lists must be the name of a step, not a number (put it in quotes)",
        "flow[0].depends_on[2]: what 'depends_on' lists must be the name of a step, not null",
        "flow[0].depends_on: step 'a' depends on 'b', which is not in this flow",
        *(
            f"flow[0].source.configuration.vars[{number}]: what 'vars' lists must be text, not {kind}"
            for number, kind in ((0, "a number (put it in quotes)"), (2, "null (put it in quotes)"), (3, "a list"))
        ),
    ]


def test_a_secret_cannot_come_from_a_step() -> None:
    first = step(output=[{"name": "x"}])
    configuration: dict[str, Json] = {"vars": ["{{ flows.a.x }}"], "secret": True}
    (problem,) = wrong(first, {"name": "b", "source": {"type": "env", "configuration": configuration}})
    assert problem.startswith("flow[1].source.configuration: a secret must be known before the run starts, and")
    shown: Json = {"type": "env", "configuration": {**configuration, "secret": False}}
    assert len(compiled(flow=[first, {"name": "b", "source": shown}]).steps) == 2


@pytest.mark.parametrize("read", ["sources.other.NAME", "run.name", "secrets.s"])
def test_a_secret_of_a_source_is_known_before_the_run(read: str) -> None:
    configuration: Json = {"vars": ["{{ " + read + " }}"], "secret": True}
    sources: Json = {"other": {"type": "env", "configuration": {"vars": ["NAME"]}}}
    member: Json = {"name": "b", "source": {"type": "env", "configuration": configuration}}
    (problem,) = wrong(member, sources=sources, secrets=["s"])
    assert problem == (
        "flow[0].source.configuration: a secret must be known before the run starts, and this source reads"
        f" `{read}` (take `secret` away, or name the variables themselves)"
    )


def env(*variables: str) -> Json:
    """Return a source that reads *variables*."""
    return {"type": "env", "configuration": {"vars": list(variables)}}


class TestBases:
    """A source that is only a base need not be whole: what is made from it must be."""

    LACKING: Final = "a `rest` source needs 'url' or 'base_url' in its configuration"
    SOURCES: Final[Json] = {"api": {"type": "rest", "configuration": {"headers": {"a": "1"}}}}
    WHOLE: Final[Json] = {"base": "api", "override": {"configuration": {"url": "http://a"}}}

    def test_each_use_completes_it(self) -> None:
        steps: list[Json] = [step(source=self.WHOLE), step(name="b", source=self.WHOLE)]
        flow = compiled(sources=self.SOURCES, flow=steps)
        made = Source(type="rest", configuration={"headers": {"a": "1"}, "url": "http://a"})
        assert flow.sources == {"flow[0].source": made, "flow[1].source": made}

    def test_a_use_that_does_not_is_refused(self) -> None:
        uses: list[Json] = [{"base": "api"}, {"base": "api", "override": {"configuration": {"headers": {}}}}]
        steps = [step(name=f"s{number}", source=use) for number, use in enumerate([self.WHOLE, *uses])]
        assert wrong(*steps, sources=self.SOURCES) == [
            f"flow[1].source.override.configuration: {self.LACKING}",
            f"flow[2].source.override.configuration: {self.LACKING}",
        ]

    @pytest.mark.parametrize("steps", [[], [step(source="api")], [step(source=WHOLE), step(name="b", source="api")]])
    def test_without_a_base_it_must_be_whole(self, steps: list[Json]) -> None:
        assert wrong(*steps, sources=self.SOURCES) == [f"sources.api.configuration: {self.LACKING}"]

    def test_what_else_is_wrong_with_it_is_told(self) -> None:
        sources: Json = {"api": {"type": "rest", "configuration": {"haeders": {}}}}
        assert wrong(step(source=self.WHOLE), sources=sources) == [
            "sources.api.configuration.haeders: a `rest` source has no 'haeders' (did you mean `headers`?)"
        ]

    def test_a_source_with_values_must_be_whole(self) -> None:
        """Expressions read it wherever they stand."""
        vault = SourceType(name="vault", about="", parameters={"key": parameter(Kind.TEXT, required=True)}, values=True)
        use: Json = {"base": "v", "override": {"configuration": {"key": "k"}}}
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow({"sources": {"v": {"type": "vault"}}, "flow": [step(source=use)]}, {**CATALOG, "vault": vault})
        assert [problem.path for problem in caught.value.problems] == [("sources", "v", "configuration")]


class TestWordsOfSources:
    """Errors are for people: what is wrong, and what to write."""

    def test_a_type_is_no_base(self) -> None:
        assert wrong(step(source={"base": "value"})) == [
            (
                "flow[0].source.base: no source is called 'value'; it is a type"
                " (write `{type: value, configuration: {...}}`)"
            )
        ]

    @pytest.mark.parametrize("kind", [{}, {"type": "value"}])
    def test_a_base_belongs_to_a_step(self, kind: Mapping[str, Json]) -> None:
        assert wrong(sources={"mid": {**kind, "base": "a", "override": {}}}) == [
            f"sources.mid.{key}: unknown key '{key}': a source under 'sources' is not made from another one"
            " (a step does that: `source: {base: <name>, override: {configuration: {...}}}`)"
            for key in ("base", "override")
        ]

    @pytest.mark.parametrize("name", ["5", "true", "~", ".inf", "1e3", "a b", "a.b", "{", "ü", " "])
    def test_every_text_is_a_name(self, name: str) -> None:
        # "Case-sensitive text, unique": what YAML would make of it without quotes does not matter.
        steps: list[Json] = [step(source=name), step(name="b", source={"base": name})]
        document: dict[str, Json] = {"sources": {name: env("HOME")}, "flow": steps}
        flow = compile_flow_files([FlowFile("a.yaml", json.dumps(document))], CATALOG)
        assert flow == compile_flow(document, CATALOG)
        assert [each.source for each in flow.steps] == [name, "flow[1].source"]

    def test_a_name_that_yaml_takes_for_no_text(self) -> None:
        # A key is its text, so only where it is used must it be in quotes.
        text = (
            "sources: {5: {type: value}, true: {type: value}}\n"
            "flow:\n"
            "- {name: a, source: 5}\n"
            "- {name: b, source: true}\n"
            "- {name: c, source: {base: 5}}\n"
            "- {name: d, source: '5'}\n"
        )
        with pytest.raises(FlowDocumentError) as caught:
            compile_flow_files([FlowFile("a.yaml", text)], CATALOG)
        assert [str(problem).split(" ", 1)[1] for problem in caught.value.problems] == [
            "flow[0].source: 'source' must be a name or a mapping, not a number (put it in quotes)",
            "flow[1].source: 'source' must be a name or a mapping, not a boolean (put it in quotes)",
            "flow[2].source.base: 'base' must be text, not a number (put it in quotes)",
        ]

    def test_a_name_is_not_empty(self) -> None:
        assert wrong(sources={"": {"type": "value"}}) == ["sources.: a source needs a name that is not empty"]

    def test_keys_hold_no_expressions(self) -> None:
        key = "key {{ flows.p.v }}"
        value: Json = {"a": [1, {key: 1}], "{{": {"}}": 2}}
        source: Json = {"type": "rest", "configuration": {"url": "http://x", "headers": {key: "v"}}}
        why = f"the key `{key}` holds an expression that reads something; only values are filled in (let a step build"
        found = wrong(PRODUCER, step(input=value, source=source))
        assert [problem.split(why)[0] for problem in found] == [
            f"flow[1].input.a[1].{key}: ",
            f"flow[1].source.configuration.headers.{key}: ",
        ]


class TestValuesOfSources:
    """`sources.<name>` (an env source: its values, everywhere): they are read before the run."""

    @pytest.mark.parametrize("read", ["sources.e.HOME", "sources.e"])
    @pytest.mark.parametrize("own", ["flows.p.v", "sources.c.NAME", "secrets.s", "run.name"])
    def test_those_of_a_source_that_reads_others_cannot_be_read(self, read: str, own: str) -> None:
        sources: Json = {"c": env("NAME"), "e": env("{{ " + own + " }}")}
        used: Json = {"name": "used", "source": "e"}
        assert len(compiled(sources=sources, secrets=["s"], flow=[PRODUCER, used]).steps) == 2
        assert wrong(PRODUCER, used, step(input="{{ " + read + " }}"), sources=sources, secrets=["s"]) == [
            (
                "flow[2].input: the values of source 'e' cannot be read in an expression: they are read before the run"
                f" starts, and its own configuration reads `{own}`"
                " (make a step of it, `source: e`, and read `flows.<step>.<output>`)"
            )
        ]

    def test_those_of_a_source_with_constant_expressions_can(self) -> None:
        assert compiled(sources={"e": env("{{ 'HOME' }}")}, flow=[step(input="{{ sources.e.HOME }}")]).steps

    def test_circles_are_refused(self) -> None:
        sources: Json = {
            "loop": env("{{ sources.loop.X }}"),
            "a": env("{{ sources.b.X }}"),
            "b": env("{{ sources.a.X }}"),
            "theirs": {"type": "theirs", "configuration": {"x": "{{ sources }}"}},
            "all": env("{{ sources }}"),
            "gone": {"type": "gone"},
        }
        found = wrong({"name": "x", "source": "loop"}, {"name": "y", "source": "a"}, sources=sources)
        assert found[1:] == [
            "sources.loop.configuration: the source reads itself: loop -> loop",
            "sources.a.configuration: the sources read each other: a -> b -> a",
        ]


class TestCircles:
    """Cycle (whole, partial, self): names the cycle, and every one of them."""

    def test_all_of_them_are_told(self) -> None:
        pairs = {"a": "b", "b": "a", "d": "d", "e": "f", "f": "e"}
        found = wrong(*({"name": name, "source": "value", "depends_on": need} for name, need in pairs.items()))
        assert found == [
            "flow[0]: the steps wait for each other: a -> b -> a",
            "flow[2]: the step waits for itself: d -> d",
            "flow[3]: the steps wait for each other: e -> f -> e",
        ]

    def test_a_long_one_is_shortened(self) -> None:
        steps = ({"name": f"s{one}", "source": "value", "depends_on": f"s{(one + 1) % 50}"} for one in range(50))
        (found,) = wrong(*steps)
        assert found.endswith("s8 -> s9 -> ... -> s0")

    def test_of_very_many_the_first_are_told(self) -> None:
        steps = ({"name": f"s{number}", "source": "value", "depends_on": f"s{number}"} for number in range(30))
        assert len(wrong(*steps)) == 20
