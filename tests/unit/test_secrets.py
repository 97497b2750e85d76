"""Secrets occur in no event, view, log line, note or traceback (contract reliability, I22)."""

import pytest

from flowcore.secrets import BLACKENED, REFERENCE_KEY, Redactor, mask, reference
from flowcore.values import Json

TOKEN = "s3cr3t-token"
REDACTOR = Redactor({"TOKEN": TOKEN, "LONG": f"{TOKEN}-and-more", "PIN": "123", "EMPTY": ""})


class TestMask:
    """What anybody may see."""

    @pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", [], {}])
    def test_what_is_no_reference_is_shown(self, value: Json) -> None:
        assert mask(value) == value

    def test_references_are_black_wherever_they_stand(self) -> None:
        value: Json = {"a": [reference("TOKEN"), {"b": reference("PIN")}], "c": ("plain", reference("TOKEN"))}
        assert mask(value) == {"a": ["***", {"b": "***"}], "c": ["plain", "***"]}


class TestRedactor:
    """The one sink for what comes from the sources of a flow with secrets."""

    def test_it_is_true_when_there_is_something_to_hide(self) -> None:
        assert bool(REDACTOR) is True
        assert bool(Redactor({})) is False
        assert bool(Redactor({"EMPTY": ""})) is False

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("nothing here", "nothing here"),
            (TOKEN, "***"),
            ("123", "***"),
            (f"Bearer {TOKEN}!", "Bearer ***!"),
            (f"{TOKEN}{TOKEN}", "******"),
            (f"<{TOKEN}-and-more>", "<***>"),
            ("1234 is no PIN", "1234 is no PIN"),
            ("", ""),
        ],
    )
    def test_texts_are_blackened(self, text: str, shown: str) -> None:
        assert REDACTOR.text(text) == shown

    def test_a_value_that_is_exactly_a_secret_becomes_a_reference(self) -> None:
        assert REDACTOR.hide(TOKEN) == {REFERENCE_KEY: "TOKEN"}
        assert REDACTOR.hide("123") == {REFERENCE_KEY: "PIN"}

    def test_secrets_are_hidden_wherever_they_stand(self) -> None:
        value: Json = {"list": [TOKEN, 1], f"key {TOKEN}": (f"a {TOKEN}", None), TOKEN: 2.5}
        assert REDACTOR.hide(value) == {
            "list": [{REFERENCE_KEY: "TOKEN"}, 1],
            "key ***": ["a ***", None],
            "***": 2.5,
        }

    def test_data_cannot_ask_for_a_secret(self) -> None:
        assert REDACTOR.hide([{REFERENCE_KEY: "TOKEN"}, {REFERENCE_KEY: 1, "more": 2}]) == [BLACKENED, BLACKENED]

    def test_a_flow_without_secrets_passes_everything_on(self) -> None:
        value: Json = {"a": [1, "b", None, True]}
        assert Redactor({}).hide(value) == value
        assert Redactor({}).text("text") == "text"

    def test_two_names_for_one_value_give_the_first(self) -> None:
        assert Redactor({"A": "same", "B": "same"}).hide("same") == {REFERENCE_KEY: "A"}

    @pytest.mark.parametrize("value", [TOKEN, [TOKEN, "123", "plain"], {"a": {"b": TOKEN}}, None, 1])
    def test_what_was_hidden_whole_can_be_revealed(self, value: Json) -> None:
        assert REDACTOR.reveal(REDACTOR.hide(value)) == value

    def test_a_reference_to_an_unknown_secret_is_null(self) -> None:
        assert REDACTOR.reveal({"a": (reference("GONE"),)}) == {"a": [None]}

    def test_a_reference_that_names_nothing_is_plain_data(self) -> None:
        assert REDACTOR.reveal({REFERENCE_KEY: 1}) == {REFERENCE_KEY: 1}

    def test_nothing_of_a_secret_is_in_its_own_text(self) -> None:
        assert TOKEN not in repr(REDACTOR)
        assert TOKEN not in str(REDACTOR.hide({TOKEN: [TOKEN, f"x{TOKEN}"]}))


def test_a_secret_of_digits_is_known_as_a_number_too() -> None:
    redactor = Redactor({"pin": "12345"})
    assert redactor.hide({"a": 12345, "b": 1.5, "c": True}) == {"a": reference("pin"), "b": 1.5, "c": True}


def test_a_secret_is_blackened_in_the_spelling_of_json_too() -> None:
    redactor = Redactor({"key": 'line"one\nline two'})
    assert redactor.text('{"k": "line\\"one\\nline two"}') == '{"k": "***"}'


@pytest.mark.parametrize("form", ["p s{ö}/1", "p%20s%7B%C3%B6%7D/1", "p%20s%7B%C3%B6%7D%2F1", "p+s%7B%C3%B6%7D%2F1"])
def test_a_secret_in_a_url_is_blackened(form: str) -> None:
    assert Redactor({"T": "p s{ö}/1"}).text(f"GET http://host/{form}?x=1") == "GET http://host/***?x=1"
