"""The Python in the documentation runs as it stands."""

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
RUNNABLE = ("embedding.md",)
"""Pages whose blocks are one program from top to bottom."""
ALONE = ("python-api.md",)
"""Pages whose blocks are a program each."""


def blocks(page: str) -> list[str]:
    """Return the Python blocks of a page."""
    return _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def run(program: str, folder: Path) -> None:
    """Run *program* as a file of its own."""
    path = folder / "program.py"
    path.write_text(program, encoding="utf-8")
    runpy.run_path(str(path))


@pytest.mark.parametrize("page", RUNNABLE)
def test_a_page_is_one_program(page: str, tmp_path: Path) -> None:
    program = "\n".join(blocks(page))
    assert program
    run(program, tmp_path)


@pytest.mark.parametrize(("page", "number"), [(page, number) for page in ALONE for number in range(len(blocks(page)))])
def test_each_block_is_a_program(page: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # What a program sets here is taken back afterwards.
    monkeypatch.setenv("RUNNER_STATUS_URL", "")
    (tmp_path / "flow.yaml").write_text(
        "flow: [{name: fetch_users, source: value, input: [1, 2], "
        'output: [{name: count, type: jmespath, value: "length(@)"}]}]',
        encoding="utf-8",
    )
    run(blocks(page)[number], tmp_path)
