"""The `process` source with real processes, most of them ill-mannered."""

import os
import sys
import time
from pathlib import Path

import pytest

from flowcore.errors import SourceError
from flowcore.values import Json, is_mapping
from flowcore_adapters.cancel import Cancellation
from flowcore_adapters.sources import child
from flowcore_adapters.sources.process import ProcessSource
from tests.calls import at_most, cancelled_after, fail, give, make_call

SOURCE = ProcessSource()


def python(code: str, *arguments: str) -> dict[str, Json]:
    """Return the configuration that runs *code*."""
    return {"command": [sys.executable, "-S", "-c", code, *arguments]}


def gone(pid: int) -> bool:
    """Return whether there is no such process any more; one that nobody has reaped yet does nothing any more either."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def pid_in(file: Path) -> int:
    """Return the process id that was written into *file*."""
    for _ in range(200):
        if file.exists() and (text := file.read_text(encoding="utf-8")).endswith("\n"):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("nothing was written")


def test_output_is_the_data() -> None:
    result = give(SOURCE, {"command": ["sh", "-c", "printf out; printf err >&2"]})
    assert result.data == {"stdout": "out", "stderr": "err", "returncode": 0}
    assert result.notes == ()


@pytest.mark.parametrize(("text", "json"), [('{"a": [1]}', {"a": [1]}), ("5\n", 5), ("null", None)])
def test_json_is_there_when_stdout_parses(text: str, json: Json) -> None:
    assert give(SOURCE, {"command": ["printf", "%s", text]}).data == {
        "stdout": text,
        "stderr": "",
        "returncode": 0,
        "json": json,
    }


def test_json_that_is_nested_too_deeply_is_text() -> None:
    data = give(SOURCE, python("print('[' * 100000)")).data
    assert isinstance(data, dict)
    assert "json" not in data


@pytest.mark.parametrize(
    ("payload", "stdout"),
    [(None, "[]"), ("", "['']"), ("a b; $HOME", "['a b; $HOME']"), ([1, "b"], "['[1, \"b\"]']"), (True, "['True']")],
)
def test_the_input_is_the_last_argument(payload: Json, stdout: str) -> None:
    configuration = python("import sys; print(sys.argv[1:], end='')")
    data = give(SOURCE, configuration, payload).data
    assert isinstance(data, dict)
    assert data["stdout"] == stdout


@pytest.mark.parametrize(
    ("payload", "stdout"),
    [(None, ""), ("", ""), ("ü", "ü"), ({"a": [1]}, '{"a": [1]}'), ("x" * 99_999, "x" * 99_999)],
)
def test_the_input_is_standard_input(payload: Json, stdout: str) -> None:
    data = give(SOURCE, {"command": ["cat"], "pass_to": "stdin"}, payload).data
    assert isinstance(data, dict)
    assert data["stdout"] == stdout


def test_the_input_stays_out_of_a_rendered_command() -> None:
    data = give(SOURCE, {"command": ["echo", "rendered"], "pass_to": "template"}, "input").data
    assert isinstance(data, dict)
    assert data["stdout"] == "rendered\n"


def test_a_child_that_does_not_read_is_no_trouble() -> None:
    assert give(SOURCE, {"command": ["true"], "pass_to": "stdin"}, "x" * 1_000_000).data


def test_standard_input_is_empty_otherwise() -> None:
    assert give(SOURCE, {"command": ["cat"]}).data == {"stdout": "", "stderr": "", "returncode": 0}


def test_environment_and_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    names = "OURS MINE NUMBER FLOWCORE_RUN_ID FLOWCORE_STEP FLOWCORE_ATTEMPT FLOWCORE_IDEMPOTENCY_KEY"
    code = "import os, sys, json; print(json.dumps([os.getcwd(), *map(os.environ.get, sys.argv[1:])]))"
    configuration = python(code, *names.split()) | {"cwd": str(tmp_path), "env": {"MINE": "ü", "NUMBER": 5, "NO": None}}
    data = give(SOURCE, configuration).data
    assert isinstance(data, dict)
    assert data["json"] == [str(tmp_path), "1", "ü", "5", "7", "step", "2", "7/step/2"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit(3)", "process exited with code 3"),
        ("import sys; sys.exit('why')", "process exited with code 1: why"),
        ("import os; os.kill(os.getpid(), 9)", "process exited with code -9 (ended by SIGKILL)"),
        ("import sys; sys.exit('x' * 999)", f"process exited with code 1: ...{'x' * 400}"),
        ("import sys; sys.exit('key 123')", "process exited with code 1: key ***"),
    ],
)
def test_failures_say_why(code: str, said: str) -> None:
    error = fail(SOURCE, python(code) | {"redact_patterns": r"\d+"})
    assert (str(error), error.retryable) == (said, True)


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        ({"command": ["no[/such]"]}, "[Errno 2] No such file or directory: 'no[/such]'"),
        ({"command": ["true"], "cwd": "/no/such"}, "[Errno 2] No such file or directory: '/no/such'"),
        ({"command": ["/etc/passwd"]}, "[Errno 13] Permission denied: '/etc/passwd'"),
        ({"command": ["echo", "a\0b"]}, "the program cannot be started: embedded null byte"),
    ],
)
def test_a_program_that_cannot_be_started(configuration: dict[str, Json], said: str) -> None:
    error = fail(SOURCE, configuration)
    assert (str(error), error.code, error.retryable) == (said, "not-started", False)


def test_a_word_that_is_null_is_no_guess() -> None:
    error = fail(SOURCE, {"command": ["rm", None]})
    assert str(error) == "'command[1]' is null; `| default('')` makes it empty text"


def test_invalid_text_is_replaced_with_a_note() -> None:
    result = give(SOURCE, {"command": ["printf", r"a\377b"]})
    assert result.data == {"stdout": "a\ufffdb", "stderr": "", "returncode": 0}
    assert result.notes == ("stdout was no valid UTF-8; what could not be read was replaced",)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({}, "run ['echo', '<2 args>']"),
        ({"redact_args": False}, "run ['echo', 'token=abc', 'input']"),
        ({"log_full_command": True, "redact_patterns": ["token=[a-z]+"]}, "run ['echo', '***', 'input']"),
        ({"log_full_command": True, "redact_patterns": [r"(?<=token=)\p{L}+"]}, "run ['echo', 'token=***', 'input']"),
    ],
)
def test_logs_are_redacted(more: dict[str, Json], line: str) -> None:
    lines: list[str] = []
    SOURCE.call(make_call({"command": ["echo", "token=abc"], **more}, "input", log=lines.append))
    assert lines == [line]


def test_a_pattern_that_is_none() -> None:
    error = fail(SOURCE, {"command": ["true"], "redact_patterns": ["("]})
    assert (error.code, error.retryable) == ("bad-configuration", False)
    assert (
        str(error) == "'redact_patterns[0]' is no regular expression: missing ), unterminated subpattern at position 0"
    )


def test_a_run_that_was_recorded_with_a_pattern_that_is_too_large_goes_on_and_shows_nothing() -> None:
    more: dict[str, Json] = {"redact_patterns": ["[A-Za-z0-9]{100000}"], "log_full_command": True}
    lines: list[str] = []
    result = SOURCE.call(make_call({"command": ["echo", "token=abc"], **more}, None, log=lines.append))
    assert result.data == {"stdout": "token=abc\n", "stderr": "", "returncode": 0}
    assert lines == ["run *** (all of it: its redact_patterns repeat too much)"]


def test_a_pattern_that_would_never_end_shows_nothing_and_holds_nobody_up() -> None:
    code = "import sys; sys.exit('a' * 60 + 'b')"
    with at_most(8):
        error = fail(SOURCE, python(code) | {"redact_patterns": ["(a|a)*$"]})
    assert str(error) == "process exited with code 1: *** (all of it: its redact_patterns take too long)"
    assert (error.code, error.retryable) == ("exit-code", True)


def test_its_own_timeout() -> None:
    with at_most(1):
        error = fail(SOURCE, {"command": ["sleep", "20"], "timeout": 0.2})
    assert (str(error), error.code) == ("timeout after 0.2 s; the process was ended", "timeout")


def test_the_deadline_of_the_step() -> None:
    with at_most(1):
        error = fail(SOURCE, {"command": ["sleep", "20"], "timeout": 10}, deadline_s=0.2)
    assert str(error) == "timeout after 0.2 s; the process was ended"


def test_a_child_that_ignores_the_polite_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "GRACE_S", 0.3)
    code = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()}\\n')\n"
        "time.sleep(20)\n"
    )
    with at_most(2):
        error = fail(SOURCE, python(code, str(tmp_path / "pid")) | {"timeout": 0.4})
    assert error.code == "timeout"
    assert gone(pid_in(tmp_path / "pid"))


def test_a_cancel_reaches_the_whole_group(tmp_path: Path) -> None:
    script = f"sleep 20 & echo $! > {tmp_path}/pid; wait"
    code, taken = cancelled_after(0.3, SOURCE, {"command": ["sh", "-c", script]})
    assert code == "cancelled"
    assert taken < 0.5
    assert gone(pid_in(tmp_path / "pid"))


def test_a_call_that_was_cancelled_before_starts_nothing(tmp_path: Path) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(SourceError, match="stopped"):
        SOURCE.call(make_call({"command": ["touch", str(tmp_path / "made")]}, cancel=cancel))
    assert list(tmp_path.iterdir()) == []


def test_a_grandchild_that_holds_the_pipes_does_not_hang_us(tmp_path: Path) -> None:
    with at_most(1):
        result = give(SOURCE, {"command": ["sh", "-c", f"sleep 20 & echo $! > {tmp_path}/pid; echo done"]})
    assert result.data == {"stdout": "done\n", "stderr": "", "returncode": 0}
    assert gone(pid_in(tmp_path / "pid"))


def test_a_grandchild_without_the_pipes_does_not_stay(tmp_path: Path) -> None:
    script = f"sleep 20 >/dev/null 2>&1 </dev/null & echo $! > {tmp_path}/pid"
    assert give(SOURCE, {"command": ["sh", "-c", script]}).data
    assert gone(pid_in(tmp_path / "pid"))


def test_a_child_that_closes_its_pipes_is_waited_for(tmp_path: Path) -> None:
    give(SOURCE, {"command": ["sh", "-c", f"exec >&- 2>&-; sleep 0.2; echo 1 > {tmp_path}/late"]})
    assert (tmp_path / "late").exists()


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_flood_is_stopped(stream: str) -> None:
    with at_most(2):
        error = fail(SOURCE, {"command": ["sh", "-c", f"yes >&{stream}"]})
    assert (str(error), error.code) == ("output too large (more than 10 MB)", "output-too-large")
    assert not error.retryable


def test_the_bound_is_exact() -> None:
    configuration: dict[str, Json] = {"command": ["printf", "12345"], "max_output": 5}
    assert give(SOURCE, configuration).data
    error = fail(SOURCE, configuration | {"max_output": 4})
    assert str(error) == "output too large (more than 4 bytes)"


def test_without_a_descriptor_for_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    script = f"sleep 20 & echo $! > {tmp_path}/pid; echo done"
    with at_most(1):
        result = give(SOURCE, {"command": ["sh", "-c", script]})
    assert result.data == {"stdout": "done\n", "stderr": "", "returncode": 0}
    assert gone(pid_in(tmp_path / "pid"))
    give(SOURCE, {"command": ["sh", "-c", f"exec >&- 2>&-; sleep 0.2; echo 1 > {tmp_path}/late"]})
    assert (tmp_path / "late").exists()


def test_nothing_is_left_open() -> None:
    give(SOURCE, {"command": ["true"]})
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(200):
        give(SOURCE, {"command": ["true"], "pass_to": "stdin"}, "x" if number % 2 else None)
    fail(SOURCE, {"command": ["no-such-program"]})
    fail(SOURCE, {"command": ["sleep", "20"], "timeout": 0.05})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_lot_goes_in_and_comes_out_at_the_same_time() -> None:
    text = "0123456789" * 500_000
    data = give(SOURCE, {"command": ["cat"], "pass_to": "stdin"}, text).data
    assert is_mapping(data)
    assert data["stdout"] == text


def test_the_rest_of_a_group_has_its_grace_when_the_leader_is_gone(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time\n"
        "def leave(*_):\n"
        "    time.sleep(0.4)\n"
        "    open(sys.argv[1], 'w').write('cleaned up')\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
        "if os.fork():\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "time.sleep(20)\n"
    )
    code, taken = cancelled_after(0.4, SOURCE, python(code, str(tmp_path / "done")))
    assert code == "cancelled"
    assert taken < 1.5
    assert (tmp_path / "done").read_text(encoding="utf-8") == "cleaned up"


def test_the_grace_is_two_seconds() -> None:
    assert child.GRACE_S == 2


@pytest.mark.parametrize("env", [{"A": "\ud800"}, {"\ud800": "A"}])
def test_a_variable_that_is_no_unicode(env: dict[str, Json]) -> None:
    error = fail(SOURCE, {"command": ["true"], "env": env})
    assert (error.code, error.retryable) == ("bad-configuration", False)
