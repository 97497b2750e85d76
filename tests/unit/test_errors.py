"""The error tree: codes are stable words for programs, messages are for people."""

import pytest

from flowcore.errors import (
    CommandRejectedError,
    EventFormatError,
    ExpressionError,
    FlowcoreError,
    FlowDocumentError,
    LogError,
    ObjectExistsError,
    ObjectNameError,
    ObjectNotFoundError,
    ObjectRangeError,
    ObjectTooLargeError,
    Path,
    Problem,
    RunNotFoundError,
    Severity,
    SourceError,
    StoreConfigurationError,
    StoreError,
    VersionConflictError,
    path_text,
)


@pytest.mark.parametrize(
    ("error", "kinds", "code"),
    [
        (FlowDocumentError([Problem(code="empty", message="nothing")]), (ValueError,), "flow-document"),
        (ExpressionError("unknown function"), (ValueError,), "expression"),
        (CommandRejectedError("run-ended", "the run is over"), (), "run-ended"),
        (EventFormatError("broken"), (ValueError,), "event-format"),
        (LogError("no space"), (), "log"),
        (VersionConflictError("moved on"), (LogError,), "version-conflict"),
        (RunNotFoundError("no run 1"), (LookupError,), "run-not-found"),
        (SourceError("down"), (), "source-failed"),
        (StoreError("down"), (), "store"),
        (StoreConfigurationError("no bucket"), (StoreError, ValueError), "store-configuration"),
        (ObjectNameError("odd"), (StoreError, ValueError), "object-name"),
        (ObjectNotFoundError("none"), (StoreError, LookupError), "object-not-found"),
        (ObjectExistsError("taken"), (StoreError,), "object-exists"),
        (ObjectTooLargeError("large"), (StoreError,), "object-too-large"),
        (ObjectRangeError("beyond"), (StoreError, ValueError), "object-range"),
        (FlowcoreError("odd"), (), "flowcore-error"),
    ],
)
def test_every_error_is_of_the_tree_and_has_a_code(
    error: FlowcoreError, kinds: tuple[type[Exception], ...], code: str
) -> None:
    assert isinstance(error, (FlowcoreError, *kinds))
    assert all(isinstance(error, kind) for kind in kinds)
    assert error.code == code


def test_every_kind_of_error_is_drawn_in_the_tree() -> None:
    import flowcore.errors as module

    tree = module.__doc__ or ""
    kinds = [name for name, value in vars(module).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert [name for name in kinds if name not in tree] == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("flow",), "flow"),
        (("flow", 2, "retry", "max_attempts"), "flow[2].retry.max_attempts"),
        ((0, 1, "a"), "[0][1].a"),
    ],
)
def test_a_path_is_written_as_people_write_it(path: Path, text: str) -> None:
    assert path_text(path) == text


class TestProblem:
    """One line: where, what, and what to try."""

    def test_all_that_is_known_is_told(self) -> None:
        problem = Problem(
            code="too-small",
            message="must be at least 1",
            path=("flow", 2, "retry"),
            hint="did you mean 1?",
            file="flow.yaml",
            line=12,
            column=5,
        )
        assert str(problem) == "flow.yaml:12:5 flow[2].retry: must be at least 1 (did you mean 1?)"

    def test_a_line_without_a_column(self) -> None:
        assert str(Problem(code="c", message="bad", file="flow.yaml", line=12)) == "flow.yaml:12: bad"

    def test_a_file_without_a_line(self) -> None:
        assert str(Problem(code="c", message="bad", file="flow.yaml")) == "flow.yaml: bad"

    def test_a_path_alone(self) -> None:
        assert str(Problem(code="c", message="bad", path=("flow",))) == "flow: bad"

    def test_a_message_alone(self) -> None:
        assert str(Problem(code="c", message="bad")) == "bad"

    def test_a_problem_refuses_the_flow_unless_it_is_a_warning(self) -> None:
        assert Problem(code="c", message="bad").severity is Severity.ERROR


def test_a_refused_flow_tells_every_problem_on_a_line_of_its_own() -> None:
    problems = [Problem(code="a", message="first"), Problem(code="b", message="second", path=("flow",))]
    error = FlowDocumentError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "first\nflow: second"


def test_an_expression_error_tells_what_to_write_instead() -> None:
    error = ExpressionError("`if` is no JMESPath", hint="write a && b || c")
    assert str(error) == "`if` is no JMESPath (write a && b || c)"
    assert (error.message, error.hint) == ("`if` is no JMESPath", "write a && b || c")
    assert str(ExpressionError("bad")) == "bad"


def test_a_refused_command_has_a_message_for_people() -> None:
    assert str(CommandRejectedError("run-ended", "the run is over")) == "the run is over"


def test_a_source_says_whether_trying_again_can_help() -> None:
    plain = SourceError("down")
    assert (plain.retryable, plain.retry_after_s, str(plain)) == (True, None, "down")
    told = SourceError("gone", code="410", retryable=False, retry_after_s=3.0)
    assert (told.code, told.retryable, told.retry_after_s) == ("410", False, 3.0)
