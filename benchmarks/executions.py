"""The executions family beside the figures of the original server, which keeps everything in memory.

`GET` of a status: p50 1.0 ms there; 500 value nodes in a chain: 0.07 s; 243 MB resident. Ours is a real
`flowcore-cli serve` over a log on the disk at FULL, asked by one client on a kept-alive connection.
"""

import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from flowcore.documents.flow_document import compile_flow
from flowcore.model import Breakpoints
from flowcore.service import create_run
from flowcore.values import Json
from flowcore_adapters.clock import SystemClock
from flowcore_adapters.logs.sqlite import SqliteEventLog
from flowcore_adapters.registry import load_registry
from flowcore_adapters.runner.engine import Engine

ROUNDS = 2_000
NODES = 500
ACTIVE = 100
CLI = str(Path(sys.executable).with_name("flowcore-cli"))


def chain(nodes: int) -> dict[str, Json]:
    """Return a flow of value nodes, one after the other."""
    source: Json = {"type": "value", "configuration": {"value": 1}}
    return {
        "name": "chain",
        "sources": {"value": source},
        "flow": [
            {
                "name": f"intValue-{number}",
                "source": "value",
                "output": [{"name": "data"}],
                "depends_on": [f"intValue-{number - 1}"] if number else [],
            }
            for number in range(nodes)
        ],
    }


def p50(connection: http.client.HTTPConnection, path: str) -> float:
    """Return the median time of an answer, in milliseconds."""
    times: list[float] = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        times.append(time.perf_counter() - start)
        assert answer.status == 200, answer.status
    return statistics.median(times) * 1000


def resident_mb(pid: int) -> float:
    """Return what a process holds in memory."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    assert found is not None
    return int(found.group(1)) / 1024


def run_chain(log: SqliteEventLog, clock: SystemClock) -> float:
    """Run the chain to its end and return how long it took, in seconds."""
    registry = load_registry()
    engine = Engine(log, registry, clock)
    engine.start()
    flow = compile_flow(chain(NODES), registry.catalog)
    start = time.perf_counter()
    engine.adopt(create_run(log, flow, at=clock.now())).wait()
    seconds = time.perf_counter() - start
    engine.close()
    return seconds


def main() -> None:
    """Print the table."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        database = Path(directory) / "flowcore.db"
        log = SqliteEventLog(database)
        seconds = min(run_chain(log, clock) for _ in range(3))
        print(f"{NODES} value nodes                {seconds:8.3f} s     (original 0.07 s)")
        # Paused before their first step: active for as long as it takes to ask.
        registry = load_registry()
        flow = compile_flow(chain(4), registry.catalog)
        for _ in range(ACTIVE):
            create_run(log, flow, at=clock.now(), breakpoints=Breakpoints(steps=None))
        log.close()
        command = [CLI, "serve", "--port", "0", "--db", str(database)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8") as server:
            assert server.stderr is not None
            address = next(filter(None, (re.search(r"http://([^:]+):(\d+)", line) for line in server.stderr)))
            connection = http.client.HTTPConnection(address.group(1), int(address.group(2)))
            base = "/api/workflows/execution"
            for _ in range(100):
                connection.request("GET", f"{base}s/active")
                active = json.loads(connection.getresponse().read())["totalActive"]
            assert active == ACTIVE, active
            status = p50(connection, f"{base}/status")
            print(f"GET status, p50                {status:8.3f} ms    (original 1.0 ms)")
            print(f"GET executions/active of {ACTIVE}   {p50(connection, f'{base}s/active'):8.3f} ms")
            print(f"resident                       {resident_mb(server.pid):8.0f} MB    (original 243 MB)")
            server.terminate()
            server.communicate()


if __name__ == "__main__":
    main()
