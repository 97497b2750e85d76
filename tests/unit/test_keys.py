"""Braces in the keys of mappings (docs/expressions.md): "For the two characters themselves write `{{ '{{' }}`"."""

import pytest

from flowcore.documents.findings import Findings
from flowcore.documents.keys import fill_keys, fill_members
from flowcore.errors import Path
from flowcore.values import Json


def filled(value: Json) -> Json:
    """Return *value* with its keys filled in; nothing is wrong with them."""
    findings = Findings()
    found = fill_keys(value, (), findings)
    assert findings.problems == ()
    return found


def wrong(value: Json) -> list[tuple[Path, str]]:
    """Return what is wrong with the keys of *value*, which stays as it is."""
    findings = Findings()
    assert fill_keys(value, (), findings) == value
    return [(problem.path, str(problem).split(": ", 1)[1]) for problem in findings.problems]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("{{ '{{' }}", "{{"),
        ("{{ '{{name}}' }}", "{{name}}"),
        ("{{'{{'}}name}}", "{{name}}"),
        ("Hello {{ '{{' }}name{{ '}}' }}!", "Hello {{name}}!"),
        ('{{ `"{{"` }}', "{{"),
        ("{{ upper('a') }}", "A"),
        # These hold no expression.
        ("{{", "{{"),
        ("}} {{", "}} {{"),
        ("{a}", "{a}"),
    ],
)
def test_what_reads_nothing_stands_for_its_text(written: str, key: str) -> None:
    assert filled({written: 1}) == {key: 1}
    assert filled(["{{ run.id }}", {"a": [{written: {written: "{{ '{{' }}"}}, 5]}]) == [
        "{{ run.id }}",
        {"a": [{key: {key: "{{ '{{' }}"}}, 5]},
    ]
    assert fill_members({written: None, "b": 2}, (), Findings()) == {key: None, "b": 2}


@pytest.mark.parametrize("value", [None, 5, "{{ run.id }}", ["{{"], ("a",), {"a": ["{{ x }}"]}])
def test_where_no_key_has_braces_nothing_is_copied(value: Json) -> None:
    assert filled(value) is value


READS = (
    " holds an expression that reads something; only values are filled in"
    " (let a step build the mapping, and take all of it: `{{ flows.<step>.<output> }}`)"
)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("{{ run.id }}", f"the key `{{{{ run.id }}}}`{READS}"),
        ("a{{ flows.a.b }}{{ item }}", f"the key `a{{{{ flows.a.b }}}}{{{{ item }}}}`{READS}"),
        (
            "{{ 'a }}",
            "`{{ 'a }}` opens an expression that is never closed (write `}}` at its end; for the two characters",
        ),
        ("a{{ `null` }}", "``null`` is null, which has no place inside a text (write ``null` | default('')`)"),
        ("{{ `5` }}", "a key is text, but `{{ `5` }}` gives a number (for the two characters themselves write `{{ '"),
        ("{{ `null` }}", "a key is text, but `{{ `null` }}` gives null (for the two characters themselves write"),
        ("{{ length(`1`) }}", "`length(`1`)`: `length` takes"),
    ],
)
def test_what_cannot_be_a_key(key: str, message: str) -> None:
    ((path, said),) = wrong({"a": [{key: 1}]})
    assert path == ("a", 0, key)
    assert said.startswith(message)


def test_two_keys_that_become_the_same() -> None:
    findings = Findings()
    fill_keys({"x": {"{{": 1, "{{ '{{' }}": 2}}, ("input",), findings)
    assert [str(problem) for problem in findings.problems] == [
        "input.x.{{ '{{' }}: two keys of this mapping are `{{`",
    ]
