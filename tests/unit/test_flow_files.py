"""Several files that are one flow: merged, or refused with everything that is wrong with any of them."""

import pytest

from flowcore.documents.flow_files import FlowFile, parse_flow_files
from flowcore.errors import FlowDocumentError


def test_later_files_override_earlier_ones() -> None:
    files = [FlowFile("one.yaml", "a: {b: 1, c: 2}\nd: 3\n"), FlowFile("two.yaml", "a: {c: 4}\n")]
    assert parse_flow_files(files) == {"a": {"b": 1, "c": 4}, "d": 3}


def test_what_is_wrong_is_told_of_all_files_at_once() -> None:
    files = [FlowFile("one.yaml", "a: .inf\n"), FlowFile("two.yaml", "b: 1\nb: 2\n")]
    with pytest.raises(FlowDocumentError) as caught:
        parse_flow_files(files)
    assert [(problem.file, problem.line) for problem in caught.value.problems] == [("one.yaml", 1), ("two.yaml", 2)]


def test_a_file_that_is_no_mapping_hides_nothing_of_the_others() -> None:
    files = [FlowFile("one.yaml", "- a\n"), FlowFile("two.yaml", "b: .nan\n")]
    with pytest.raises(FlowDocumentError) as caught:
        parse_flow_files(files)
    assert [problem.file for problem in caught.value.problems] == ["one.yaml", "two.yaml"]
