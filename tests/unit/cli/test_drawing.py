"""The graph of a flow as text; names are data in every one of the three languages."""

import click

from flowcore.ids import StepName
from flowcore.model import Flow, OnError, RetryPolicy, Source, Step
from flowcore_cli.drawing import dot_text, level_text, mermaid_text

SOURCES = {"s": Source(type="process"), "v": Source(type="value")}


def step(name: str, *depends_on: str, source: str = "s") -> Step:
    return Step(name=StepName(name), source=source, depends_on=tuple(map(StepName, depends_on)))


DIAMOND = Flow(
    name="diamond",
    sources=SOURCES,
    # The last one comes first: levels are those of the graph, not of the file.
    steps=(step("join", "left", "right"), step("top", source="v"), step("left", "top"), step("right", "top")),
)
NASTY = Flow(
    name='a"\\',
    sources=SOURCES,
    steps=(step('x"]; y --> z <b>&#35;`\\'), step("a\n\x1b[2J", 'x"]; y --> z <b>&#35;`\\')),
)


def test_mermaid() -> None:
    assert mermaid_text(DIAMOND) == (
        "flowchart TD\n"
        '    s0["join"]\n'
        '    s1["top"]\n'
        '    s2["left"]\n'
        '    s3["right"]\n'
        "    s2 --> s0\n"
        "    s3 --> s0\n"
        "    s1 --> s2\n"
        "    s1 --> s3"
    )


def test_mermaid_escapes_everything_that_has_a_meaning() -> None:
    assert mermaid_text(NASTY) == (
        "flowchart TD\n"
        '    s0["x#34;#93;#59; y --#62; z #60;b#62;#38;#35;35#59;#96;#92;"]\n'
        '    s1["a#92;n#92;x1b#91;2J"]\n'
        "    s0 --> s1"
    )


def test_dot() -> None:
    assert dot_text(DIAMOND) == (
        'digraph "diamond" {\n'
        "    rankdir=LR;\n"
        "    node [shape=box];\n"
        '    s0 [label="join"];\n'
        '    s1 [label="top"];\n'
        '    s2 [label="left"];\n'
        '    s3 [label="right"];\n'
        "    s2 -> s0;\n"
        "    s3 -> s0;\n"
        "    s1 -> s2;\n"
        "    s1 -> s3;\n"
        "}"
    )


def test_dot_escapes_quotes_and_backslashes() -> None:
    assert dot_text(NASTY).splitlines()[0] == 'digraph "a\\"\\\\" {'
    assert dot_text(NASTY).splitlines()[3:5] == [
        '    s0 [label="x\\"]; y --> z <b>&#35;`\\\\"];',
        '    s1 [label="a\\\\n\\\\x1b[2J"];',
    ]


def test_levels() -> None:
    assert click.unstyle(level_text(DIAMOND)) == (
        "1  top    value\n2  left   process  <- top\n   right  process  <- top\n3  join   process  <- left, right"
    )


def test_levels_tell_what_is_special_about_a_step() -> None:
    special = Step(
        name=StepName("世界"),
        source="s",
        when="{{ a }}",
        for_each="{{ b }}",
        retry=RetryPolicy(max_attempts=3),
        on_error=OnError.SKIP,
        breakpoint=True,
    )
    assert click.unstyle(level_text(Flow(sources=SOURCES, steps=(special, step("plain"))))) == (
        "1  世界   process  [for each, when, up to 3 attempts, on error: skip, breakpoint]\n   plain  process"
    )


def test_an_empty_flow() -> None:
    assert level_text(Flow()) == "no steps"
    assert mermaid_text(Flow()) == "flowchart TD"


def test_a_chain_of_ten_thousand_steps() -> None:
    chain = [step("s0"), *(step(f"s{number}", f"s{number - 1}") for number in range(1, 10_000))]
    assert level_text(Flow(sources=SOURCES, steps=tuple(chain))).count("\n") == 9_999
