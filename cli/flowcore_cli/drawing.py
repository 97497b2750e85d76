"""The graph of a flow as text: levels for people, mermaid for Markdown, dot for Graphviz."""

import re
from collections.abc import Iterator
from typing import Final

import click

from flowcore.graph import dependents
from flowcore.model import Flow, Step
from flowcore_cli.render import cell_width, visible

# Everything that mermaid gives a meaning inside a quoted label; entity codes are its own way of writing them.
_MERMAID: Final = re.compile(r"""["#&<>`\\;{}\[\]()|]""")


def mermaid_text(flow: Flow) -> str:
    """Return a mermaid flowchart; node ids are numbers, so no name can clash with a word of the language."""
    lines = ["flowchart TD"]
    for number, step in enumerate(flow.steps):
        label = _MERMAID.sub(lambda match: f"#{ord(match.group())};", visible(step.name))
        lines.append(f'    s{number}["{label}"]')
    lines.extend(f"    s{parent} --> s{number}" for parent, number in _edges(flow))
    return "\n".join(lines)


def dot_text(flow: Flow) -> str:
    """Return a directed graph for Graphviz."""
    lines = [f"digraph {_dot(flow.name or 'flow')} {{", "    rankdir=LR;", "    node [shape=box];"]
    lines.extend(f"    s{number} [label={_dot(step.name)}];" for number, step in enumerate(flow.steps))
    lines.extend(f"    s{parent} -> s{number};" for parent, number in _edges(flow))
    return "\n".join([*lines, "}"])


def _dot(text: str) -> str:
    escaped = visible(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _edges(flow: Flow) -> Iterator[tuple[int, int]]:
    numbers = {step.name: number for number, step in enumerate(flow.steps)}
    for number, step in enumerate(flow.steps):
        for parent in step.depends_on:
            yield numbers[parent], number


def level_text(flow: Flow) -> str:
    """Return the steps level by level: a step stands below everything that it waits for."""
    levels = _levels(flow)
    if not levels:
        return "no steps"
    names = max(cell_width(visible(step.name)) for step in flow.steps)
    kinds = max(len(visible(_kind(flow, step))) for step in flow.steps)
    margin = len(str(len(levels)))
    lines: list[str] = []
    for level, steps in enumerate(levels, 1):
        for place, step in enumerate(steps):
            number = click.style(f"{level if place == 0 else '':>{margin}}", dim=True)
            name = visible(step.name)
            kind = click.style(visible(_kind(flow, step)), fg="cyan")
            about = "  ".join(_about(step))
            room = " " * (names - cell_width(name))
            gap = " " * (kinds - len(visible(_kind(flow, step)))) if about else ""
            lines.append(f"{number}  {click.style(name, bold=True)}{room}  {kind}{gap}  {about}".rstrip())
    return "\n".join(lines)


def _kind(flow: Flow, step: Step) -> str:
    return flow.sources[step.source].type


def _about(step: Step) -> Iterator[str]:
    if step.depends_on:
        yield f"<- {', '.join(visible(parent) for parent in step.depends_on)}"
    marks = [
        "for each" if step.for_each is not None else "",
        "when" if step.when is not None else "",
        f"up to {step.retry.max_attempts} attempts" if step.retry.max_attempts > 1 else "",
        f"on error: {step.on_error}" if step.on_error is not None else "",
        "breakpoint" if step.breakpoint else "",
    ]
    shown = ", ".join(filter(None, marks))
    if shown:
        yield click.style(f"[{shown}]", dim=True)


def _levels(flow: Flow) -> list[list[Step]]:
    """Return the steps by the length of the longest way to them; within a level in file order."""
    numbers = {step.name: number for number, step in enumerate(flow.steps)}
    needed = [[numbers[parent] for parent in step.depends_on] for step in flow.steps]
    waiting = dependents(needed)
    unmet = [len(parents) for parents in needed]
    level = [0] * len(needed)
    free = [number for number, count in enumerate(unmet) if not count]
    for number in free:
        for dependent in waiting[number]:
            level[dependent] = max(level[dependent], level[number] + 1)
            unmet[dependent] -= 1
            if not unmet[dependent]:
                free.append(dependent)
    levels: list[list[Step]] = [[] for _ in range(max(level, default=-1) + 1)]
    for step, depth in zip(flow.steps, level, strict=True):
        levels[depth].append(step)
    return levels
