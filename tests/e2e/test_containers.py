"""Nodes in real containers, and the same nodes without (contract flow-runs, sections 6 and 12)."""

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import Any, cast

import pytest

from flowcore.artifacts import Resources
from flowcore.errors import SourceError
from flowcore.ports import SourceResult
from flowcore.stores import OutputFile
from flowcore.values import Json
from flowcore_adapters.cancel import Cancellation
from flowcore_adapters.sources.container import ContainerSource
from flowcore_adapters.sources.container.engine import connect, find_engine
from flowcore_adapters.sources.container.orphans import remove_orphans
from tests.calls import at_most
from tests.container_engine import IMAGE, TestEngine, left_behind
from tests.node_calls import MemoryFiles, node_call

pytestmark = pytest.mark.e2e

CONTAINED = ContainerSource()
BARE = ContainerSource(isolated=False)
PLENTY_S = 20.0


def shell(script: str, **more: Json) -> dict[str, Json]:
    return {"image": IMAGE, "command": ["/bin/sh", "-c", script], **more}


@pytest.fixture
def source(node_engine: TestEngine | None) -> ContainerSource:
    return BARE if node_engine is None else CONTAINED


def data_of(result: SourceResult) -> dict[str, Any]:
    """Return what a program gave."""
    return cast("dict[str, Any]", result.data)


def fail(source: ContainerSource, configuration: Mapping[str, Json], **more: Any) -> SourceError:  # noqa: ANN401
    with pytest.raises(SourceError) as caught:
        source.call(node_call(configuration, **more))
    return caught.value


class TestEitherWay:
    """With and without a container: the same files, the same environment."""

    def test_output_and_lines(self, source: ContainerSource) -> None:
        lines: list[tuple[str, str]] = []
        script = "echo one; printf 'two\\nthree'; echo oops >&2"
        result = source.call(node_call(shell(script), log=lambda line, stream: lines.append((stream, line))))
        assert result.data == {"stdout": "one\ntwo\nthree", "stderr": "oops\n", "returncode": 0}
        assert [line for stream, line in lines if stream == "stdout"] == ["one", "two", "three"]
        assert [line for stream, line in lines if stream == "stderr"] == ["oops"]

    def test_json_is_read(self, source: ContainerSource) -> None:
        result = source.call(node_call(shell("echo '{\"a\": [1, 2]}'")))
        assert data_of(result)["json"] == {"a": [1, 2]}

    @pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 3_000_000])
    def test_files_go_in_and_come_out(self, source: ContainerSource, size: int) -> None:
        data = bytes(range(256)) * (size // 256) + bytes(size % 256)
        files = MemoryFiles({"image": (".png", data)}, {"resized": OutputFile(extension=".jpg")})
        configuration: dict[str, Json] = {"image": IMAGE, "command": ["/bin/cp", "${image}", "${resized}"]}
        source.call(node_call(configuration, files))
        assert files.kept == {"resized": data}
        assert [reader.closed for reader in files.readers] == [True]

    def test_the_environment_tells_everything(self, source: ContainerSource) -> None:
        files = MemoryFiles({"in-put": (".png", b"x")}, {"out": OutputFile(extension=".jpg")})
        configuration = shell("env; echo > ${out}", flags={"width": 800, "none": None}, env={"MORE": "more"})
        result = source.call(node_call(configuration, files))
        told = dict(line.split("=", 1) for line in str(data_of(result)["stdout"]).splitlines())
        root = "/flow" if source is CONTAINED else told["HOME"]
        # By this one, what is left without a container is found again.
        assert told.pop("FLOWCORE_NODE_DIRECTORY", "/flow") == root
        assert {
            name: value for name, value in told.items() if name.startswith(("INPUT", "OUTPUT", "FLAG", "FLOW", "MORE"))
        } == {
            "INPUT_IN_PUT": f"{root}/in/in-put.png",
            "OUTPUT_OUT": f"{root}/out/out.jpg",
            "FLAG_WIDTH": "800",
            "MORE": "more",
            "FLOW_RUN_ID": "run_7",
            "FLOW_NODE_ID": "resize-1",
            "FLOW_ATTEMPT": "2",
        }

    def test_a_value_never_adds_an_argument(self, source: ContainerSource) -> None:
        words: list[Json] = ["/bin/echo", "-n", "${a}", "${absent}", "<${absent}>", "$a", "$$"]
        result = source.call(node_call({"image": IMAGE, "command": words, "flags": {"a": "x y; $(id) -n"}}))
        assert data_of(result)["stdout"] == "x y; $(id) -n <> x y; $(id) -n"

    def test_a_failing_program_fails_the_attempt(self, source: ContainerSource) -> None:
        error = fail(source, shell("echo out; echo why >&2; exit 3"))
        assert (str(error), error.code, error.retryable) == ("the program exited with code 3: why", "exit-code", True)

    def test_a_missing_output_is_no_output(self, source: ContainerSource) -> None:
        files = MemoryFiles(outputs={"out": OutputFile()})
        source.call(node_call(shell("true"), files))
        assert files.kept == {}

    def test_a_spare_output_has_a_path_and_is_dropped(self, source: ContainerSource) -> None:
        files = MemoryFiles()
        source.call(node_call(shell("echo x > ${debug} && cat ${debug}", spare_outputs=["debug"]), files))
        assert files.kept == {}

    @pytest.mark.parametrize("what", ["ln -s /etc/passwd", "mkdir", "ln -s /nowhere", "ln -s /flow/in"])
    def test_what_is_no_file_is_no_artifact(self, source: ContainerSource, what: str) -> None:
        files = MemoryFiles(outputs={"out": OutputFile()})
        # To one of the engines a link is nothing at all.
        with suppress(SourceError):
            source.call(node_call(shell(f"{what} ${{out}}"), files))
        assert files.kept == {}

    def test_a_file_that_is_too_large_is_refused(self, source: ContainerSource) -> None:
        files = MemoryFiles(outputs={"out": OutputFile()})
        script = "dd if=/dev/zero of=${out} bs=1000 count=2 2>/dev/null"
        error = fail(source, shell(script, max_artifact=1999), files=files)
        assert (error.code, error.retryable, files.kept) == ("artifact-too-large", False, {})

    def test_too_much_output_is_refused(self, source: ContainerSource) -> None:
        with at_most(PLENTY_S):
            error = fail(source, shell("yes", max_output=100_000))
        assert error.code == "output-too-large"

    def test_its_time_is_limited(self, source: ContainerSource) -> None:
        with at_most(PLENTY_S):
            error = fail(source, shell("sleep 100", timeout=0.7))
        assert error.code == "timeout"
        assert "0.7 s" in str(error)

    def test_it_is_stopped_when_nobody_wants_it_any_more(self, source: ContainerSource) -> None:
        cancel = Cancellation()
        timer = Timer(0.7, cancel.cancel)
        timer.start()
        with at_most(PLENTY_S):
            error = fail(source, shell("trap '' TERM; sleep 100 & wait; sleep 100"), cancel=cancel)
        timer.join()
        assert error.code == "cancelled"

    def test_stopped_before_it_began(self, source: ContainerSource) -> None:
        cancel = Cancellation()
        cancel.cancel()
        assert fail(source, shell("true"), cancel=cancel).code == "cancelled"

    def test_a_missing_program(self, source: ContainerSource) -> None:
        error = fail(source, {"image": IMAGE, "command": ["/nowhere/program"]})
        assert (error.code, error.retryable) == ("not-started", False)
        assert "/nowhere/program" in str(error)

    def test_long_lines_and_bytes_that_are_no_text(self, source: ContainerSource) -> None:
        lines: list[str] = []
        script = "printf '\\377\\n'; head -c 40000 /dev/zero | tr '\\0' x"
        source.call(node_call(shell(script), log=lambda line, _: lines.append(line)))
        assert lines[0] == "\ufffd"
        assert "".join(lines[1:]) == "x" * 40_000
        assert max(map(len, lines)) <= 16_384


@pytest.mark.usefixtures("engine")
class TestContained:
    """What only a container has."""

    def told(self, script: str, **more: Any) -> str:  # noqa: ANN401
        result = CONTAINED.call(node_call(shell(script), **more))
        return str(data_of(result)["stdout"])

    def test_without_a_command_the_images_own_runs(self) -> None:
        result = CONTAINED.call(node_call({"image": IMAGE}))
        assert data_of(result)["stdout"] == "the image itself\n"

    def test_the_root_is_read_only_and_some_places_are_not(self) -> None:
        files = MemoryFiles(outputs={"out": OutputFile()})
        script = "touch /x 2>/dev/null || echo read-only; touch /tmp/x /flow/out/x && echo written"
        assert self.told(script, files=files) == "read-only\nwritten\n"

    def test_it_may_do_nothing_special(self) -> None:
        told = self.told("cat /proc/self/status | tr '\\t' ' '")
        found = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
        assert {found["CapPrm"], found["CapEff"], found["CapBnd"]} == {"0" * 16}
        assert found["NoNewPrivs"] == "1"

    def test_there_is_no_network(self) -> None:
        devices = self.told("cat /proc/net/dev").splitlines()[2:]
        assert [line.split(":")[0].strip() for line in devices] == ["lo"]

    def test_limits(self) -> None:
        resources = Resources(cores=0.5, memory_bytes=64 * 1024**2, storage_bytes=0)
        script = (
            "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us"
            " /sys/fs/cgroup/cpu/cpu.cfs_period_us /sys/fs/cgroup/pids/pids.max 2>/dev/null"
            " || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max"
        )
        numbers = [int(number) for number in self.told(script, resources=resources).split()]
        assert numbers[0] == 64 * 1024**2
        assert numbers[1] / numbers[2] == 0.5
        assert numbers[3] == 256

    def test_out_of_memory(self) -> None:
        resources = Resources(cores=1, memory_bytes=32 * 1024**2, storage_bytes=0)
        error = fail(CONTAINED, shell("tail /dev/zero"), resources=resources)
        assert (error.code, error.retryable) == ("out-of-memory", True)
        assert str(error) == "the container was killed, probably out of memory (limit 32 MB)"

    def test_too_many_processes(self) -> None:
        script = "for i in 1 2 3 4 5 6 7 8 9; do sleep 0.2 & done 2>/dev/null; wait; true"
        configuration = shell(script, pids=4)
        error = fail(CONTAINED, configuration)
        assert error.code == "exit-code"

    def test_an_absent_image_cannot_be_pulled_offline(self) -> None:
        error = fail(CONTAINED, {"image": "localhost/absent:1", "command": ["/bin/true"]})
        assert (error.code, error.retryable) == ("image-pull", True)
        assert str(error).startswith("the image localhost/absent:1 cannot be pulled: ")

    @pytest.mark.parametrize("image", ["", " "])
    def test_without_an_image_nothing_is_tried_again(self, image: str) -> None:
        error = fail(CONTAINED, {"image": image, "command": ["/bin/true"]})
        assert (error.code, error.retryable) == ("bad-configuration", False)
        assert "no image is named" in str(error)

    def test_what_is_no_image(self) -> None:
        error = fail(CONTAINED, {"image": "No Image!"})
        assert (str(error), error.code, error.retryable) == ("'No Image!' is no name of an image", "image-name", False)

    def test_no_line_is_lost_however_quick_it_is(self) -> None:
        for _ in range(5):
            assert self.told("seq 1 2000") == "".join(f"{number}\n" for number in range(1, 2001))

    def test_labels(self) -> None:
        seen: list[dict[str, str]] = []

        def look(_line: str, _stream: str) -> None:
            (found,) = connect().containers()
            seen.append({**(found["Labels"] or {}), "name": found["Names"][0]})

        CONTAINED.call(node_call(shell("echo here; sleep 0.3"), log=look))
        (labels,) = seen
        assert labels["name"].startswith("/flowcore-")
        assert (labels["flowcore.run"], labels["flowcore.node"], labels["flowcore.attempt"]) == ("7", "resize-1", "2")

    def test_orphans_are_removed_and_the_containers_of_the_living_are_not(self, engine: TestEngine) -> None:
        program = (
            "from tests.node_calls import node_call\nfrom tests.e2e.test_containers import CONTAINED, shell\n"
            "CONTAINED.call(node_call(shell('echo up; sleep 100'), log=lambda line, _: print(line, flush=True)))"
        )
        with subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**engine.environment, "PATH": "/usr/bin:/bin", "PYTHONPATH": "."},
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == "up\n"
            assert remove_orphans() == 0
            assert len(connect().containers()) == 1
            child.kill()
        assert remove_orphans() == 1
        assert left_behind() == []


def test_without_an_engine_the_message_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    started = time.monotonic()
    error = fail(CONTAINED, shell("true"))
    assert time.monotonic() - started < 5
    assert (error.code, error.retryable) == ("no-container-engine", False)
    assert str(error).startswith("no container engine (unix://")
    assert "podman system service" in str(error)
    assert "--node-runtime process" in str(error)


def test_where_an_engine_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import socket

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "podman").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "podman" / "podman.sock"))
        found = find_engine()
    assert found in {f"unix://{tmp_path}/podman/podman.sock", "unix:///var/run/docker.sock"}


def test_without_a_container_a_command_is_needed() -> None:
    error = fail(BARE, {"image": IMAGE})
    assert (error.code, error.retryable) == ("bad-configuration", False)


def test_without_a_container_paths_are_those_of_this_machine() -> None:
    files = MemoryFiles({"a": ("", b"data")})
    result = BARE.call(node_call(shell("cat /flow/in/a; ls -d /flow/out/"), files))
    data, directory = str(data_of(result)["stdout"]).split("data")[0:2]
    assert data == ""
    assert directory.strip().endswith("/out/")
    assert not Path(directory.strip()).exists()
