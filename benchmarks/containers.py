"""What we add to a container, beside the engine's own create, start, wait and remove, both in this run.

    python benchmarks/containers.py [ROUNDS]

Needs Podman, as the tests do. Both sides do the same little work, in turns, so that a machine that is busy is busy for
both; ours also follows the output line by line, has a time limit and a way to be stopped.
"""

import os
import sys
import time
import uuid
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

from flowcore.stores import OutputFile
from flowcore.values import Json
from flowcore_adapters.sources.container import ContainerSource
from flowcore_adapters.sources.container.archives import packed
from flowcore_adapters.sources.container.contents import Content
from flowcore_adapters.sources.container.engine import connect, forget_clients
from tests.container_engine import IMAGE, container_engine
from tests.node_calls import MemoryFiles, node_call

GOAL = 0.15
SCRIPT = "echo here"
COPY = "cat /flow/in/text > /flow/out/copy"


def archive() -> bytes:
    """Return the files of a node as the engine takes them."""
    return b"".join(packed({"text": Content(4, [b"text"])}))


def bare(*, files: bool) -> float:
    """Run a container with nothing but the engine's client; with *files* one is put in, and one taken out."""
    client = connect()
    started = time.perf_counter()
    bounds = client.create_host_config(
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=256,
        mem_limit=512 * 1024**2,
        memswap_limit=512 * 1024**2,
        nano_cpus=1_000_000_000,
        tmpfs={"/tmp": "rw,mode=1777"},  # noqa: S108 - of the container
    )
    made = client.create_container(
        IMAGE,
        command=["/bin/sh", "-c", COPY if files else SCRIPT],
        environment={},
        labels={},
        host_config=bounds,
        volumes=["/flow"] if files else [],
        name=f"bare-{uuid.uuid4()}",
    )
    if files:
        client.put_archive(made["Id"], "/flow", iter([archive()]))
    client.start(made["Id"])
    code = client.wait(made["Id"])["StatusCode"]
    if files:
        chunks, _ = client.get_archive(made["Id"], "/flow/out/copy")
        assert b"text" in b"".join(chunks)
    client.remove_container(made["Id"], force=True, v=True)
    assert code == 0
    return time.perf_counter() - started


def ours(source: ContainerSource, *, files: bool) -> float:
    """Run the same as a node."""
    handed = MemoryFiles({"text": ("", b"text")}, {"copy": OutputFile()}) if files else None
    configuration: dict[str, Json] = {"image": IMAGE, "command": ["/bin/sh", "-c", COPY if files else SCRIPT]}
    started = time.perf_counter()
    source.call(node_call(configuration, handed))
    taken = time.perf_counter() - started
    assert handed is None or handed.kept == {"copy": b"text"}
    return taken


def main() -> None:
    """Measure."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    source = ContainerSource()
    with container_engine("podman") as engine:
        os.environ["DOCKER_HOST"] = engine.address
        for files, what in ((False, "create, start, wait, remove"), (True, "the same with a file in and a file out")):
            # The first ones pay for imports, and for an engine that is cold.
            bare(files=files), ours(source, files=files)
            pairs = [(bare(files=files), ours(source, files=files)) for _ in range(rounds)]
            engine_s, ours_s = (median(column) for column in zip(*pairs, strict=True))
            print(f"{what}")
            print(f"  the engine's client alone  {engine_s * 1000:6.0f} ms")
            print(f"  a node                     {ours_s * 1000:6.0f} ms")
            print(f"  overhead {ours_s / engine_s - 1:+.0%} (goal at most {GOAL:.0%})")
        forget_clients()


if __name__ == "__main__":
    main()
