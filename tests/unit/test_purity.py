"""The core touches no world: it opens nothing, starts nothing, and imports nothing that would."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import pytest

import flowcore
from flowcore.run.commands import Command, CreateRun, ReportSuccess, Settle, StartAttempt, StartRun
from flowcore.run.decide import decide
from flowcore.run.effects import pending, wake_at
from flowcore.run.evolve import evolve, fold
from flowcore.run.state import RunState
from flowcore.views.outputs import OutputsView
from flowcore.views.status import StatusView
from tests.builders import RUN, T0, T1, T2, begun, digest, failed, fanned, flow_of, recorded, started, step, succeeded

CORE: Final = Path(flowcore.__file__).parent
STDLIB: Final = frozenset(
    {
        "bisect",
        "collections",
        "contextlib",
        "datetime",
        "difflib",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "shlex",
        "string",
        "types",
        "typing",
        "unicodedata",
    }
)
"""Values and algorithms; none of them has a handle on the world."""
LIBRARIES: Final = frozenset({"attrs", "cattrs", "jmespath", "typing_extensions", "yaml"})
FORBIDDEN: Final = ("open", "os.", "socket.", "subprocess.", "shutil.", "sqlite3.", "urllib.", "http.", "tempfile.")
"""The beginnings of the audit events of whatever goes out into the world."""


class Watch:
    """An audit hook, which once set stays set: it listens only while it is told to."""

    def __init__(self) -> None:
        self.listening = False
        self.heard: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, _arguments: tuple[object, ...]) -> None:
        if self.listening and event.startswith(FORBIDDEN):
            self.heard.append(event)

    def during(self, action: Callable[[], object]) -> list[str]:
        """Return the I/O that *action* does."""
        self.heard = []
        self.listening = True
        try:
            action()
        finally:
            self.listening = False
        return self.heard


WATCH: Final = Watch()
HISTORY: Final = (
    *begun(step("a", outputs=("v",)), step("f", "a", for_each="x", retry=2, outputs=("v",)), step("b", when="x")),
    started("a"),
    succeeded("a", {"v": 1}),
    fanned("f", 1, 2),
    started("f/0"),
    failed("f/0", retry=T2),
    started("f/1"),
    succeeded("f/1", {"v": 2}),
)


class TestNoIO:
    """Decide, evolve, pending and the views run under an audit hook that knows every way out."""

    def test_the_hook_hears_what_goes_out(self) -> None:
        assert WATCH.during(lambda: Path(__file__).read_bytes()) == ["open"]

    def test_a_whole_run_is_decided_without_io(self) -> None:
        commands: tuple[Command, ...] = (
            CreateRun(run_id=RUN, flow=flow_of(step("a", outputs=("v",))), at=T0),
            StartRun(at=T0),
            StartAttempt(instance=step("a").name, at=T0),  # type: ignore[arg-type]
            ReportSuccess(instance=step("a").name, attempt=1, outputs={"v": 1}, at=T1),  # type: ignore[arg-type]
            Settle(at=T2),
        )
        state = RunState()

        def drive() -> None:
            for command in commands:
                for event in decide(command, state):
                    evolve(state, event)

        assert WATCH.during(drive) == []
        assert state.ended

    def test_nothing_is_asked_of_the_world_to_say_what_is_pending(self) -> None:
        state = fold(HISTORY)
        assert WATCH.during(lambda: (pending(state, T2), wake_at(state))) == []

    @pytest.mark.parametrize("view", [StatusView(), OutputsView()], ids=lambda view: type(view).__name__)
    def test_views_are_folded_and_written_without_io(self, view: StatusView | OutputsView) -> None:
        def write() -> None:
            for each in recorded(HISTORY):
                view.evolve(each)
                view.encode()
                view.render()

        assert WATCH.during(write) == []

    def test_asking_changes_nothing(self) -> None:
        state = fold(HISTORY)
        before = digest(state)
        decide(Settle(at=T2), state)
        pending(state, T2)
        wake_at(state)
        assert digest(state) == before


def imports_of(path: Path) -> Iterable[str]:
    """Yield the first part of whatever the module at *path* imports, wherever in it; nothing for its siblings."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0]


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_imports_values_and_nothing_else(path: Path) -> None:
    assert sorted(set(imports_of(path)) - STDLIB - LIBRARIES - {"flowcore"}) == []


HEAVY: Final = (
    "asyncio",
    "cattrs",
    "click",
    "concurrent.futures",
    "falcon",
    "flowcore.codec",
    "flowcore.documents",
    "flowcore.expressions",
    "flowcore_adapters",
    "flowcore_cli",
    "jmespath",
    "logging",
    "multiprocessing",
    "rich",
    "socket",
    "sqlite3",
    "subprocess",
    "urllib3",
    "waitress",
    "yaml",
)
PROGRAM: Final = f"""
import sys
import flowcore
print([name for name in {HEAVY!r} if name in sys.modules])
threading = sys.modules.get("threading")
print(1 if threading is None else threading.active_count())
"""


def test_importing_flowcore_loads_nothing_heavy_and_starts_no_thread() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=CORE.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert finished.stdout.splitlines() == ["[]", "1"]


def test_all_that_is_public_is_there_and_sorted() -> None:
    assert [name for name in flowcore.__all__ if not hasattr(flowcore, name)] == []
    assert list(flowcore.__all__) == sorted(
        flowcore.__all__, key=lambda name: (not name.isupper(), not name[0].isupper(), name)
    )
