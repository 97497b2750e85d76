"""Flows for the benchmarks: the same shapes for us and for what we are measured against."""

from collections.abc import Callable, Mapping
from typing import Final

from flowcore.ids import StepName
from flowcore.model import Flow, Source, Step

Graph = Mapping[str, tuple[str, ...]]


def fan_out(steps: int) -> Graph:
    """Return one step that all others wait for."""
    return {"s0": (), **{f"s{number}": ("s0",) for number in range(1, steps)}}


def chain(steps: int) -> Graph:
    """Return steps that each wait for the one before."""
    return {f"s{number}": (f"s{number - 1}",) if number else () for number in range(steps)}


def layers(steps: int, width: int = 100) -> Graph:
    """Return layers of *width* steps; each step waits for two of the layer before."""
    return {
        f"s{number}": ()
        if number < width
        else (f"s{number - width}", f"s{(number // width - 1) * width + (number + 1) % width}")
        for number in range(steps)
    }


SHAPES: Final[Mapping[str, Callable[[int], Graph]]] = {"fan-out": fan_out, "chain": chain, "layers": layers}


def flow(graph: Graph, source: Source) -> Flow:
    """Return a flow of the shape of *graph* whose steps all have *source*."""
    steps = tuple(
        Step(name=StepName(name), source="source", depends_on=tuple(StepName(need) for need in needs))
        for name, needs in graph.items()
    )
    return Flow(sources={"source": source}, steps=steps)
