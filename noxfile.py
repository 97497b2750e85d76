"""The gates: what has to be green before anything merges.

`nox` makes an environment for each session. `nox --no-venv -s lint types` uses the environment that nox itself stands
in, which is how `.ci/run` gets by with one environment and the interpreter at hand.
"""

import os
import sys
from typing import Final

import nox

PYTHONS: Final = ("3.11", "3.12", "3.13")

PARALLEL: Final = ("-n", "2", "--dist", "worksteal")
"""Two processes: many tests wait for a program, a server or a clock."""

nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = "CI" in os.environ
nox.options.sessions = ("lint", "types", "imports", "tests", "property", "e2e", "coverage", "docs")


def install(session: nox.Session) -> None:
    """Install the project and its tools, unless the session uses the environment at hand."""
    if session.venv_backend != "none":
        session.install("-e", ".[dev,server]")


def interpreter(session: nox.Session) -> str:
    """Return the path of the Python that the session's packages are installed in."""
    if session.venv_backend == "none":
        return sys.executable
    found = session.run("python", "-c", "import sys; print(sys.executable)", silent=True, log=False)
    return str(found).strip()


def python(session: nox.Session, *arguments: str) -> None:
    """Run the session's Python."""
    session.run(interpreter(session), *arguments, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check the style and the formatting."""
    install(session)
    python(session, "-m", "ruff", "check", ".")
    python(session, "-m", "ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of code and tests, twice."""
    install(session)
    python(session, "-m", "mypy")
    python(session, "-m", "pyright", "--pythonpath", interpreter(session))


@nox.session
def imports(session: nox.Session) -> None:
    """Check who imports whom."""
    install(session)
    python(session, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-logo")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the unit and contract tests."""
    install(session)
    selection = "not property and not e2e and not simulation and not faults"
    python(session, "-m", "pytest", *PARALLEL, "-m", selection, *session.posargs)


@nox.session(name="property")
def properties(session: nox.Session) -> None:
    """Run the property tests."""
    install(session)
    python(session, "-m", "pytest", "-m", "property", *session.posargs)


@nox.session
def e2e(session: nox.Session) -> None:
    """Run the installed command and real servers on loopback."""
    install(session)
    python(session, "-m", "pytest", "-m", "e2e", *session.posargs)


@nox.session
def sim(session: nox.Session) -> None:
    """Run the simulator: 20,000 histories, and every planted bug must be found."""
    install(session)
    python(session, "-m", "pytest", "-m", "simulation", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Make real faults: kill -9, power cuts, full disks, signals, garbage."""
    install(session)
    python(session, "-m", "pytest", "-m", "faults", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Do all that for long, some hours on two processors; `-- --schedules N --kills N --cuts N --disks N` chooses."""
    install(session)
    arguments = session.posargs or ("--schedules", "5000000", "--kills", "5000", "--cuts", "30000", "--disks", "50")
    python(session, "-m", "tests.faults.soak", *arguments)


@nox.session
def coverage(session: nox.Session) -> None:
    """Check that the unit tests alone cover every branch of the core."""
    install(session)
    python(session, "-m", "coverage", "erase")
    python(session, "-m", "coverage", "run", "-m", "pytest", "tests/unit", "-q", *session.posargs)
    python(session, "-m", "coverage", "report")


@nox.session
def docs(session: nox.Session) -> None:
    """Check that every command, endpoint and error code is documented, and that the examples in docs/ run."""
    install(session)
    python(session, "-m", "pytest", "tests/docs", *session.posargs)
