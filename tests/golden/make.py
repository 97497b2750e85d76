"""Makes a golden log: `python -m tests.golden.make NAME` writes `NAME.sql` and `NAME.json` beside this file.

The log is that of whatever flowcore is installed, and so are the views: what this version shows, later ones must show
too. A new one is made whenever the tables or an event get a new schema; those that are there are never made again. (For
an older version, run the file itself with that version's directories in PYTHONPATH.)
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

# ruff: noqa: E501 - flows as people write them

HERE: Final = Path(__file__).parent
FLOWS: Final = {
    "well": """
flow:
  - {name: numbers, source: {type: value, configuration: {value: [1, 2, 3]}}, output: [{name: list}]}
  - {name: each, source: value, for_each: "{{ flows.numbers.list }}", max_parallel: 2, input: "{{ item }}", output: [{name: n}]}
  - {name: never, source: value, when: "{{ `false` }}", input: 1}
  - name: flaky
    source:
      type: process
      configuration: {command: [sh, -c, "test -e once || { touch once; echo not yet >&2; exit 3; }; echo '{\\"a\\": \\"é\\"}'"]}
    retry: {max_attempts: 3, delay: 0.01, jitter: 0}
    output: [{name: stdout}]
  - {name: last, source: value, depends_on: [each, flaky], input: {sum: "{{ flows.each.n }}"}, output: [{name: sum}]}
""",
    "badly": """
flow:
  - {name: first, source: {type: value, configuration: {value: {"k": null}}}, output: [{name: k}]}
  - {name: tolerated, source: {type: process, configuration: {command: ["false"]}}, on_error: skip}
  - {name: without, source: value, depends_on: tolerated, input: 1}
  - {name: fails, source: {type: process, configuration: {command: [sh, -c, "echo no >&2; exit 2"]}}, depends_on: first}
  - {name: after, source: value, depends_on: fails, input: 1}
""",
}


def command(home: Path, *arguments: str) -> str:
    """Run the command of that version and return what it printed."""
    ended = subprocess.run(
        [sys.executable, "-m", "flowcore_cli", *arguments, "--db", "log.db"],
        check=False,
        cwd=home,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert ended.returncode in {0, 1}, ended.stderr
    return ended.stdout


def dump(path: Path) -> str:
    """Return the database at *path* as statements."""
    connection = sqlite3.connect(path)
    pragmas = [
        f"PRAGMA {name} = {connection.execute(f'PRAGMA {name}').fetchone()[0]};"
        for name in ("application_id", "user_version")
    ]
    lines = [*pragmas, *connection.iterdump()]
    connection.close()
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the log and its views."""
    name = sys.argv[1]
    views: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        for which, text in FLOWS.items():
            (home / f"{which}.yaml").write_text(text, encoding="utf-8")
            outputs = json.loads(command(home, "run", f"{which}.yaml", "-q", "-j"))
            status = json.loads(command(home, "show", "latest", "--json"))
            views[str(status["run_id"])] = {"outputs": outputs, "status": status}
        (HERE / f"{name}.sql").write_text(
            re.sub(re.escape(str(home)), "/home", dump(home / "log.db")), encoding="utf-8"
        )
    (HERE / f"{name}.json").write_text(json.dumps(views, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
