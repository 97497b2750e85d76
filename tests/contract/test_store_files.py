"""The file of `--stores` (docs/artifacts.md), and what stands in it that cannot be used (contract safety)."""

from pathlib import Path
from typing import Final

import pytest

from flowcore.artifacts import Store
from flowcore.errors import StoreConfigurationError
from flowcore_adapters.artifacts.store_files import read_stores

NOT_A_STORE: Final = "it must be a mapping with `type`, a text, and `params`"


def test_the_stores_of_a_file_are_known_by_name(tmp_path: Path) -> None:
    file = tmp_path / "stores.json"
    # As editors of another system leave it: with a mark in front, and tabs.
    file.write_text(
        '\ufeff{\n\t"memory": {"type": "s3local", "params": {"BucketName": "b"}},\n\t"d": {"type": "local"}}'
    )
    assert read_stores(file) == {
        "memory": Store(type="s3local", params={"BucketName": "b"}),
        "d": Store(type="local", params={}),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "it is not JSON that can be read: lists and mappings are nested too deeply in it"),
        ('{"a":' * 100_000, "it is not JSON that can be read: lists and mappings are nested too deeply in it"),
        ('{\n"a" 1}', "it is not JSON: Expecting ':' delimiter: line 2 column 5 (char 6)"),
        ('{"a": {"type": "fs"}, "a": {"type": "s3"}}', "it is not JSON: the key 'a' is there more than once"),
        ('{"a": NaN}', "it is not JSON: NaN is not JSON"),
        ("[]", "it must be a mapping of names to `type` and `params`"),
        ("null", "it must be a mapping of names to `type` and `params`"),
        ('{"a": 1, "b": {"params": {}}}', f"store 'a': {NOT_A_STORE}; store 'b': {NOT_A_STORE}"),
        ('{"a": {"type": ["local"]}}', f"store 'a': {NOT_A_STORE}"),
        ('{"a": {"type": "local", "params": ["x"]}}', "store 'a': its `params` must be a mapping"),
        ('{"a": {"type": "s3local", "params": {"BucketName": []}}}', "store 'a': 'BucketName' must be text"),
        ('{"a": {"type": "disk"}}', "store 'a': there is no store type 'disk'; there are s3, s3local, s3fs, local"),
    ],
    ids=range(12),
)
def test_a_file_that_cannot_be_used_is_told_with_all_that_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    """Contract safety: "No traceback ever reaches a user for bad input", nesting of 100,000 included."""
    file = tmp_path / "stores.json"
    file.write_text(text)
    with pytest.raises(StoreConfigurationError) as told:
        read_stores(file)
    assert str(told.value) == f"the file of stores cannot be used: {file}: {message}"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreConfigurationError, match=r"nowhere\.json: No such file or directory"):
        read_stores(tmp_path / "nowhere.json")
    (tmp_path / "latin.json").write_bytes(b'{"\xe9": {}}')
    with pytest.raises(StoreConfigurationError, match=r"latin\.json: it is no UTF-8 text"):
        read_stores(tmp_path / "latin.json")
