"""The JSON Schema of the flow file, for editors: built from the front end's own key tables and the catalog of sources.

It says what the front end says, as far as a schema can: names that must exist and expressions that must be readable
are left to `validate`. A text that holds an expression fits everywhere where its value is known at run time only.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from flowcore.catalog import Catalog, Kind, Parameter, SourceType
from flowcore.documents.flow_document import RUNNER_KEYS, STEP_KEYS, TOP_KEYS
from flowcore.documents.flow_sources import SOURCE_KEYS
from flowcore.documents.step_parts import OUTPUT_KEYS, RETRY_KEYS
from flowcore.model import DEFAULT_MAX_WORKERS, DEFAULT_TIMEOUT_S, OnError, OutputType, RetryPolicy
from flowcore.values import Json

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_EXPRESSION: Final[Json] = {"type": "string", "pattern": r"\{\{"}
_POLICY: Final = RetryPolicy()

_ABOUT: Final[Mapping[str, str]] = {
    "name": "What people call the flow.",
    "sources": "Where data comes from, by name; steps refer to it.",
    "secrets": "Names for {{ secrets.<name> }}: an environment variable, or {env} or {file}. Never recorded.",
    "runner": "How the flow is run.",
    "flow": "The steps. Each starts as soon as everything that it refers to is done.",
    "runner.on_error": "What a failure means where no step says otherwise: fail (the default), skip or continue.",
    "runner.max_workers": f"How many steps go on at once; {DEFAULT_MAX_WORKERS} when left out.",
    "step.name": "A name that no other step has.",
    "step.source": "The name of a source or of a source type, a source written here, or {base, override}.",
    "step.input": "The payload: any value. Expressions in its texts are rendered, and make the step wait for theirs.",
    "step.output": "What is kept of the source's data, for other steps to read.",
    "step.depends_on": "Steps to wait for, beside those that expressions refer to.",
    "step.on_error": "What a failure means: of this step, and for this step of those that it waits for.",
    "step.when": "A condition: the step is skipped when it comes to null, false or nothing.",
    "step.for_each": "A list, or an expression that gives one: the step runs once for each {{ item }}.",
    "step.max_parallel": "How many items of for_each go on at once.",
    "step.retry": "How often to try, as a number of attempts or in detail.",
    "step.timeout": f"How long one attempt may take, in seconds; {DEFAULT_TIMEOUT_S:g} when left out.",
    "step.breakpoint": "A mark: a run that was started with breakpoints pauses here.",
    "output.name": "What other steps call it: {{ flows.<step>.<name> }}.",
    "output.type": "raw (the default), json: the source's data as it is; jmespath: what the expression takes from it.",
    "output.value": "The JMESPath expression of a jmespath output.",
    "output.required": "Whether a missing value fails the step; otherwise it is null.",
    "retry.max_attempts": "All attempts, the first included; 3 when left out.",
    "retry.delay": f"The pause after the first failure, in seconds; {_POLICY.delay_s:g} when left out.",
    "retry.factor": f"What each further pause is multiplied with; {_POLICY.factor:g} when left out.",
    "retry.max_delay": f"No pause is longer, in seconds; {_POLICY.max_delay_s:g} when left out.",
    "retry.jitter": f"The share of a pause that is left to chance, 0 to 1; {_POLICY.jitter:g} when left out.",
    "source.type": "What kind of source it is.",
    "source.configuration": "What this kind of source needs to know.",
}


def flow_schema(catalog: Catalog) -> dict[str, Json]:
    """Return the JSON Schema (2020-12) of flow files for the sources of *catalog*."""
    definitions: dict[str, Json] = {
        "expression": _EXPRESSION,
        "on_error": _words(OnError),
        "step": _step(),
        "output": _output(),
        "retry": _retry(),
        "declared_source": _declared_source(catalog),
        "source": _source(catalog),
        "source_override": _override(catalog),
    }
    definitions.update((f"configuration_{name}", _configuration(kind)) for name, kind in sorted(catalog.items()))
    return {
        "$schema": DIALECT,
        "title": "flowcore flow",
        "description": "A flow of flowcore: steps over sources.",
        # An empty file is an empty flow.
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": _properties("", TOP_KEYS, _top()),
        "$defs": definitions,
    }


def _properties(prefix: str, keys: Sequence[str], schemas: Mapping[str, Json]) -> Json:
    """Return the `properties` of *keys*, each with its line for people; the tables must agree key for key."""
    found: dict[str, Json] = {}
    for key in keys:
        schema = schemas[key]
        about = _ABOUT[f"{prefix}.{key}" if prefix else key]
        found[key] = {"description": about, **schema} if isinstance(schema, dict) else schema
    return found


def _top() -> Mapping[str, Json]:
    place: Json = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"env": {"type": "string"}, "file": {"type": "string"}},
        "oneOf": [{"required": ["env"]}, {"required": ["file"]}],
    }
    return {
        "name": {"type": ["string", "null"]},
        "sources": {"type": ["object", "null"], "additionalProperties": {"$ref": "#/$defs/declared_source"}},
        "secrets": {
            "anyOf": [
                {"type": "null"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "object", "additionalProperties": {"anyOf": [{"type": "string"}, place]}},
            ]
        },
        "runner": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": _properties(
                "runner",
                RUNNER_KEYS,
                {"on_error": {"$ref": "#/$defs/on_error"}, "max_workers": _whole(1, 1_000)},
            ),
        },
        "flow": {"type": ["array", "null"], "items": {"$ref": "#/$defs/step"}},
    }


def _step() -> Json:
    condition: Json = {"type": ["string", "boolean", "null"]}
    names: Json = {"type": ["string", "array", "null"], "items": {"type": "string"}}
    source: Json = {
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"$ref": "#/$defs/source"},
            {"$ref": "#/$defs/source_override"},
        ]
    }
    schemas: dict[str, Json] = {
        "name": {"type": "string", "minLength": 1},
        "source": source,
        "input": {},
        "output": {"type": ["array", "null"], "items": {"$ref": "#/$defs/output"}},
        "depends_on": names,
        "on_error": {"$ref": "#/$defs/on_error"},
        "when": condition,
        "for_each": {"type": ["string", "array", "null"]},
        "max_parallel": _whole(1, 1_000),
        "retry": {"anyOf": [_whole(1, 1_000), {"$ref": "#/$defs/retry"}]},
        "timeout": {"type": ["number", "null"], "exclusiveMinimum": 0},
        "breakpoint": {"type": ["boolean", "null"]},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "source"],
        "properties": _properties("step", STEP_KEYS, schemas),
        # `max_parallel` says nothing without a list to run over.
        "dependentRequired": {"max_parallel": ["for_each"]},
    }


def _output() -> Json:
    schemas: dict[str, Json] = {
        "name": {"type": "string", "minLength": 1},
        "type": _words(OutputType),
        "value": {"type": ["string", "null"]},
        "required": {"type": ["boolean", "null"]},
    }
    word: Json = {"type": "string", "pattern": _any_case("jmespath")}
    jmespath: Json = {"properties": {"type": word}, "required": ["type"]}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": _properties("output", OUTPUT_KEYS, schemas),
        "if": jmespath,
        "then": {"required": ["value"], "properties": {"value": {"type": "string"}}},
        "else": {"properties": {"value": {"type": "null"}}},
    }


def _retry() -> Json:
    def number(least: float, most: float | None = None) -> Json:
        return {"type": ["number", "null"], "minimum": least, **({} if most is None else {"maximum": most})}

    schemas: dict[str, Json] = {
        "max_attempts": _whole(1, 1_000),
        "delay": number(0),
        "factor": number(1, 100),
        "max_delay": number(0),
        "jitter": number(0, 1),
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": _properties("retry", RETRY_KEYS, schemas),
    }


def _declared_source(catalog: Catalog) -> Json:
    """Return the schema of a source under `sources`: one that is only a base may lack what its overrides bring."""
    schemas: dict[str, Json] = {
        "type": {"type": "string", "enum": sorted(catalog)},
        "configuration": {"type": ["object", "null"]},
    }
    configurations: list[Json] = [
        _of_type(name, {"properties": {"configuration": {"$ref": f"#/$defs/configuration_{name}"}}})
        for name in sorted(catalog)
    ]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "properties": _properties("source", SOURCE_KEYS, schemas),
        "allOf": configurations,
    }


def _source(catalog: Catalog) -> Json:
    """Return the schema of a source that a step uses as it is: with everything that its type needs."""
    needs = {name: _needs(kind) for name, kind in sorted(catalog.items())}
    whole: list[Json] = [
        _of_type(name, {"required": ["configuration"], "properties": {"configuration": each}})
        for name, each in needs.items()
        if each is not None
    ]
    return {"$ref": "#/$defs/declared_source", **({"allOf": whole} if whole else {})}


def _of_type(name: str, then: Json) -> Json:
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": then}


def _needs(kind: SourceType) -> Json:
    """Return the schema of a configuration with everything that *kind* needs; None when that is nothing."""
    required: list[Json] = [name for name, parameter in kind.parameters.items() if parameter.required]
    groups: list[Json] = [{"anyOf": [{"required": [name]} for name in group]} for group in kind.requires_any]
    if kind.open or not (required or groups):
        return None
    return {
        "type": "object",
        **({"required": required} if required else {}),
        **({"allOf": groups} if groups else {}),
    }


def _override(catalog: Catalog) -> Json:
    """Return the schema of `{base, override}`: the override may be any part of a source."""
    part: dict[str, Json] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "type": {"type": "string", "enum": sorted(catalog)},
            "configuration": {"type": "object"},
        },
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["base"],
        "properties": {
            "base": {"type": "string", "description": "The source to start from."},
            "override": {"description": "What is different here; mappings are merged deeply.", **part},
        },
    }


def _configuration(kind: SourceType) -> Json:
    if kind.open:
        return {"type": ["object", "null"], "description": kind.about}
    return {
        "type": ["object", "null"],
        "description": kind.about,
        "additionalProperties": False,
        "properties": {name: _parameter(parameter) for name, parameter in kind.parameters.items()},
    }


def _parameter(parameter: Parameter) -> Json:
    about = parameter.about if parameter.default is None else f"{parameter.about} Default: {parameter.default}."
    schema: dict[str, Json] = {"description": about}
    fits = _kind(parameter.kind)
    if fits is None:
        return schema
    if parameter.choices:
        fits = {"enum": list(parameter.choices)}
    # Null is as good as leaving it out.
    return {**schema, "anyOf": [fits, {"$ref": "#/$defs/expression"}, {"type": "null"}]}


def _kind(kind: Kind) -> Json:
    """Return what fits *kind*, or None when everything does."""
    texts: Json = {"type": "array", "items": {"type": "string"}}
    match kind:
        case Kind.TEXT:
            return {"type": ["string", "number"]}
        case Kind.NUMBER:
            return {"type": "number"}
        case Kind.SECONDS:
            return {"type": "number", "exclusiveMinimum": 0}
        case Kind.INTEGER:
            return {"type": "integer"}
        case Kind.BOOLEAN:
            return {"type": "boolean"}
        case Kind.WORDS:
            words: Json = {"type": "array", "minItems": 1, "items": {"type": ["string", "number"]}}
            return {"anyOf": [{"type": "string", "minLength": 1}, words]}
        case Kind.TEXTS:
            return {"anyOf": [{"type": "string"}, texts]}
        case Kind.NAMES:
            return {"anyOf": [{"type": "boolean"}, texts]}
        case Kind.MAPPING:
            return {"type": "object"}
        case Kind.ANY:
            return None


def _whole(least: int, most: int) -> Json:
    return {"type": ["integer", "null"], "minimum": least, "maximum": most}


def _words(words: type[OnError] | type[OutputType]) -> Json:
    """Return a schema that lists *words*, for completion, and takes them in any case, as the front end does."""
    listed = [str(word) for word in words]
    patterns = "|".join(_any_case(word)[1:-1] for word in listed)
    return {"anyOf": [{"enum": [*listed, None]}, {"type": "string", "pattern": f"^({patterns})$"}]}


def _any_case(word: str) -> str:
    """Return a pattern for *word* in any case: the regular expressions of JSON Schema have no flag for it."""
    return "^" + "".join(f"[{letter.upper()}{letter.lower()}]" for letter in word) + "$"
