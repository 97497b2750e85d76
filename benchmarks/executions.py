"""The executions family beside the figures of the original server, which keeps everything in memory.

`GET` of a status: p50 1.0 ms there; `POST` of a workflow 1.8 ms; 500 value nodes in a chain 0.07 s; a batch of 1,000
workflows of 4 nodes 0.65 s, and `GET` of it 4.9 ms; 243 MB resident. Ours is a real `flowcore-cli serve` over a log on
the disk at FULL, asked by one client on a kept-alive connection.
"""

import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
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
POSTS = 300
ITEMS = 1_000
BASE = "/api/workflows"
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


def workflow(nodes: int) -> Json:
    """Return a workflow document: a start node and value nodes, one after the other."""
    ids = ["start", *(f"value-{number}" for number in range(1, nodes))]
    kinds = ["start", *("intValue" for _ in range(1, nodes))]
    return {
        "nodes": [
            {"id": id_, "type": kind, "position": {"x": 0, "y": 0}, "data": {"value": 1}}
            for id_, kind in zip(ids, kinds, strict=True)
        ],
        "edges": [
            {
                "id": f"e-{target}",
                "source": source,
                "target": target,
                "sourceHandle": "output",
                "targetHandle": "driver",
            }
            for source, target in pairwise(ids)
        ],
    }


def post(connection: http.client.HTTPConnection, path: str, body: Json) -> dict[str, object]:
    """Post *body* and return what comes back."""
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    found: dict[str, object] = json.loads(answer.read())
    assert answer.status == 200, found
    return found


def post_p50(connection: http.client.HTTPConnection) -> float:
    """Return the median time in which a workflow of four nodes is started, in milliseconds."""
    times: list[float] = []
    body: Json = {"workflow": workflow(4)}
    for _ in range(POSTS):
        start = time.perf_counter()
        post(connection, f"{BASE}/execute", body)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def batch(connection: http.client.HTTPConnection) -> tuple[str, float]:
    """Run a batch and return its path and how long it took from the request to the end of its last item."""
    body: Json = {"workflows": [workflow(4)] * ITEMS, "workers": 4}
    start = time.perf_counter()
    path = f"{BASE}/execution/batch/{post(connection, f'{BASE}/execute', body)['batchId']}"
    while True:
        connection.request("GET", path)
        if json.loads(connection.getresponse().read())["status"] != "running":
            return path, time.perf_counter() - start
        time.sleep(0.02)


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
            base = f"{BASE}/execution"
            for _ in range(100):
                connection.request("GET", f"{base}s/active")
                active = json.loads(connection.getresponse().read())["totalActive"]
            assert active == ACTIVE, active
            status = p50(connection, f"{base}/status")
            print(f"GET status, p50                {status:8.3f} ms    (original 1.0 ms)")
            print(f"GET executions/active of {ACTIVE}   {p50(connection, f'{base}s/active'):8.3f} ms")
            print(f"POST execute, p50              {post_p50(connection):8.3f} ms    (original 1.8 ms)")
            path, seconds = batch(connection)
            print(f"batch of {ITEMS}, 4 nodes each    {seconds:8.3f} s     (original 0.65 s)")
            print(f"GET of that batch, p50         {p50(connection, path):8.3f} ms    (original 4.9 ms)")
            print(f"resident                       {resident_mb(server.pid):8.0f} MB    (original 243 MB)")
            server.terminate()
            server.communicate()


if __name__ == "__main__":
    main()
