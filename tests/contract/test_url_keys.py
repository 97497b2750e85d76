"""The key set of signed URLs: its file, its variable, and changing a key."""

import stat
from pathlib import Path
from threading import Thread

import pytest

from flowcore.errors import StoreConfigurationError
from flowcore_adapters.artifacts.url_keys import VARIABLE, UrlKeys, load_keys, new_keys, parse_keys

KEY = "A" * 43


def test_the_first_key_signs_and_all_are_known() -> None:
    keys = parse_keys(f"new:{KEY}\nold:{'B' * 43}\n", "test")
    assert keys.current == "new"
    assert keys.key == bytes(32)
    assert keys.find("old") != keys.key
    assert keys.find("older") is None


@pytest.mark.parametrize(
    "text",
    ["", "\n", "key", f":{KEY}", f"a b:{KEY}", f"a:{KEY[:-1]}", "a:****", f"a:{KEY} a:{KEY}", f"ä:{KEY}", f"a:{KEY}+/"],
)
def test_what_is_no_key_set_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(StoreConfigurationError) as caught:
        parse_keys(text, "the file")
    assert str(caught.value).startswith("the file: ")
    assert "AAAA" not in str(caught.value)


def test_a_missing_file_is_made_for_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "state" / "url.key"
    keys = load_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keys(path).key == keys.key
    assert [each.name for each in path.parent.iterdir()] == ["url.key"]


def test_processes_that_start_together_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    found: list[UrlKeys] = []
    threads = [Thread(target=lambda: found.append(load_keys(tmp_path / "url.key"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({keys.key for keys in found}) == 1
    assert len(found) == 8


def test_a_file_that_others_may_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    path = tmp_path / "url.key"
    path.write_text(new_keys(), encoding="utf-8")
    path.chmod(0o640)
    with pytest.raises(StoreConfigurationError, match="chmod 600"):
        load_keys(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(StoreConfigurationError, match="cannot be used"):
        load_keys(tmp_path)


def test_the_variable_counts_more_than_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"one:{KEY},two:{'B' * 43}")
    keys = load_keys(tmp_path / "url.key")
    assert (keys.current, keys.key) == ("one", bytes(32))
    assert list(tmp_path.iterdir()) == []
