"""Where a node finds its files, and what it is told of them (contract flow-runs, section 6)."""

import re
from collections.abc import Sequence
from typing import cast

from flowcore.stores import OutputFile
from flowcore.values import Json
from flowcore_adapters.sources.container import ContainerSource
from flowcore_adapters.sources.container.layout import Layout, file_names
from tests.node_calls import MemoryFiles, node_call


def test_a_file_has_the_name_of_its_port_where_that_can_be_one() -> None:
    assert file_names({"image": ".png", "a b": ".txt", "..x": "", "é": "", "..": ""}) == {
        "image": "image.png",
        "a b": "a_b.txt",
        "..x": "x",
        "é": "_",
        "..": "__2",
    }


def test_no_two_ports_have_one_file() -> None:
    """Who is written so keeps the name, and no number is given that somebody has already."""
    assert file_names({"a b": "", "a_b": "", "a\tb": "", "a_b_2": "", "a/b": "", "other": ""}) == {
        "a b": "a_b_3",
        "a_b": "a_b",
        "a\tb": "a_b_4",
        "a_b_2": "a_b_2",
        "a/b": "a_b_5",
        "other": "other",
    }
    assert file_names({"a b": ".png", "a_b": ".png", "a:b": ".txt"}) == {
        "a b": "a_b_2.png",
        "a_b": "a_b.png",
        "a:b": "a_b_3.txt",
    }
    assert file_names({"é": "", "è": ""}) == {"é": "_", "è": "__2"}


def test_what_is_left_out_changes_no_name() -> None:
    """Contract flow-runs, section 6: "Files: /flow/in/<port><ext>": an image's author knows the definition alone."""
    declared: Sequence[str] = ("a:b", "a b", "a_b", "c")
    every: dict[str, str] = dict.fromkeys(declared, ".txt")
    assert file_names(every) == {"a:b": "a_b_2.txt", "a b": "a_b_3.txt", "a_b": "a_b.txt", "c": "c.txt"}
    for port in declared:
        for left_out in declared:
            there = {each: ".txt" for each in reversed(declared) if each != left_out}
            assert file_names(there, declared).get(port) == (None if port == left_out else file_names(every)[port])
    assert file_names({"a b": ".png"}, declared) == {"a b": "a_b_3.png"}


def test_an_extension_makes_no_two_names_one() -> None:
    assert file_names({"a.txt": "", "a": ".txt"}) == {"a.txt": "a.txt", "a": "a_2.txt"}
    assert file_names({"a.txt": "", "a": ".txt"}, ["a", "a.txt"]) == {"a.txt": "a.txt_2", "a": "a.txt"}


def test_a_node_finds_what_is_there_by_the_names_of_its_definition() -> None:
    files = MemoryFiles({"in_put": ("", b"two")}, {"a b": OutputFile()})
    configuration: dict[str, Json] = {
        "image": "none",
        "command": ["/bin/sh", "-c", "env | grep -e PUT_ -e FLAG | sort; cat ${in_put} > ${a b}"],
        "flags": {"x_y": "7"},
        "all_inputs": ["in put", "in.put", "in_put"],
        "all_outputs": ["a-b", "a_b", "a b"],
        "all_flags": ["x-y", "x y", "x_y"],
    }
    found = ContainerSource(isolated=False).call(node_call(configuration, files))
    assert files.kept == {"a b": b"two"}
    data = cast("dict[str, str]", found.data)
    assert re.sub("=.*/", "=", data["stdout"]).split() == ["FLAG_X_Y=7", "INPUT_IN_PUT=in_put", "OUTPUT_A_B_3=a_b_2"]


def test_many_ports_of_one_name_are_told_apart_quickly() -> None:
    found = file_names({" " * number: "" for number in range(1, 3)} | {f"a{chr(300 + n)}": "" for n in range(20_000)})
    assert len(set(found.values())) == 20_002


def test_no_two_ports_or_flags_have_one_variable() -> None:
    inputs, outputs, flags = {"a b": "1", "a_b": "2", "A_B": "3"}, {"a-b": "4", "a.b": "5"}, {"x-y": "6", "x_y": "7"}
    found = Layout(inputs=inputs, outputs=outputs).environment(node_call({}), flags)
    assert {name: value for name, value in found.items() if not name.startswith("FLOW_")} == {
        "INPUT_A_B": "/flow/in/2",
        "INPUT_A_B_2": "/flow/in/3",
        "INPUT_A_B_3": "/flow/in/1",
        "OUTPUT_A_B": "/flow/out/4",
        "OUTPUT_A_B_2": "/flow/out/5",
        "FLAG_X_Y": "7",
        "FLAG_X_Y_2": "6",
    }


def test_two_outputs_of_nearly_one_name_leave_two_files() -> None:
    files = MemoryFiles({"in put": ("", b"one"), "in_put": ("", b"two")}, {"a b": OutputFile(), "a_b": OutputFile()})
    words: list[Json] = ["/bin/sh", "-c", "env | grep PUT_ | sort; cat ${in put} > ${a b}; cat ${in_put} > ${a_b}"]
    found = ContainerSource(isolated=False).call(node_call({"image": "none", "command": words}, files))
    assert files.kept == {"a b": b"one", "a_b": b"two"}
    data = cast("dict[str, str]", found.data)
    assert re.sub("=.*/", "=", data["stdout"]).split() == [
        "INPUT_IN_PUT=in_put",
        "INPUT_IN_PUT_2=in_put_2",
        "OUTPUT_A_B=a_b",
        "OUTPUT_A_B_2=a_b_2",
    ]
