"""The programs of the Python API document, with only their import lines changed, each in a Python of its own."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from typing_extensions import override

from tests.ports import free_port

pytestmark = pytest.mark.e2e

FLOW = """
flow:
  - name: fetch_users
    source: {type: value, configuration: {value: [{id: 1, name: Ada}, {id: 2, name: Bob}]}}
    output:
      - {name: users, type: json}
      - {name: count, type: jmespath, value: "length(@)"}
  - name: fetch_groups
    source: {type: value, configuration: {value: [staff]}}
    output: [{name: groups}]
"""
FAILING = """
flow:
  - {name: bad, source: {type: process, configuration: {command: [sh, -c, "exit 3"]}}}
  - {name: good, source: {type: value}}
"""
SLOW = """
flow:
  - {name: first, source: {type: wait, configuration: {seconds: 0.3}}}
  - {name: second, source: {type: wait, configuration: {seconds: 0.3}}, depends_on: [first]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the flows that the programs name."""
    files = {"flow.yaml": FLOW, "base.yaml": FLOW, "sync-users.yaml": FLOW, "failing.yaml": FAILING, "slow.yaml": SLOW}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "dev-overrides.yaml").write_text("runner: {max_workers: 1}\n", encoding="utf-8")
    return tmp_path


def run(program: str, folder: Path, *, code: int = 0) -> str:
    """Run *program* in a Python of its own and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (code, "")
    return done.stdout


class TestPrograms:
    """documents/python-api.md, section by section."""

    def test_basic_usage(self, folder: Path) -> None:
        program = """
from flowcore_adapters import run_flow

# Run flow and get results
flows, status = run_flow(["flow.yaml"])

# Access outputs
user_count = flows["fetch_users"]["count"]
print(f"Found {user_count} users")
"""
        assert run(program, folder) == "Found 2 users\n"

    def test_multiple_configuration_files(self, folder: Path) -> None:
        program = """
from flowcore_adapters import run_flow
flows, status = run_flow(["base.yaml", "dev-overrides.yaml"])
print(sorted(flows))
"""
        assert run(program, folder) == "['fetch_groups', 'fetch_users']\n"

    def test_using_local_runner(self, folder: Path) -> None:
        program = """
from flowcore_adapters import load_yaml_files
from flowcore_adapters import LocalRunner

# Load configuration
config = load_yaml_files(["flow.yaml"])

# Create and run
runner = LocalRunner(config)
runner.run()

# Access results
for step_name, outputs in runner.flows.items():
    print(f"{step_name}: {outputs}")
"""
        printed = run(program, folder)
        assert "fetch_groups: {'groups': ['staff']}\n" in printed

    def test_checking_execution_status(self, folder: Path) -> None:
        program = """
from flowcore_adapters import run_flow
flows, status = run_flow(["failing.yaml"])

# Check overall timing
duration = status.ended_at - status.started_at
print(f"Flow completed in {duration:.2f} seconds" if duration >= 0 else "no")

# Check individual steps
for step_name, step_status in status.steps.items():
    if step_status.state == "succeeded":
        step_duration = step_status.ended_at - step_status.started_at
        print(f"✓ {step_name} ({step_duration:.2f}s)")
    elif step_status.state == "failed":
        print(f"✗ {step_name}: {step_status.error}")
"""
        printed = run(program, folder)
        assert "✗ bad: process exited with code 3\n" in printed
        assert "✓ good (0.0" in printed

    def test_error_handling(self, folder: Path) -> None:
        program = """
from flowcore_adapters import run_flow

try:
    flows, status = run_flow(["failing.yaml"])

    # Check for step failures
    failed_steps = [
        name for name, step in status.steps.items()
        if step.state == "failed"
    ]

    if failed_steps:
        print(f"Steps failed: {', '.join(failed_steps)}")
        for name in failed_steps:
            print(f"  {name}: {status.steps[name].error}")
        exit(1)

    # Process outputs
    print("All steps succeeded")
    print(f"Results: {flows}")

except Exception as e:
    print(f"Flow execution failed: {e}")
    exit(1)
"""
        assert run(program, folder, code=1) == "Steps failed: bad\n  bad: process exited with code 3\n"

    def test_building_configuration_programmatically(self, folder: Path, api: str) -> None:
        program = f"""
from flowcore_adapters import LocalRunner

config = {{
    "sources": {{
        "api": {{
            "type": "rest",
            "configuration": {{
                "base_url": "{api}"
            }}
        }}
    }},
    "flow": [
        {{
            "name": "fetch_data",
            "source": "api",
            "input": {{
                "type": "parameter",
                "value": "/users"
            }},
            "output": [
                {{"name": "users", "type": "json"}}
            ]
        }}
    ]
}}

runner = LocalRunner(config)
runner.run()

users = runner.flows["fetch_data"]["users"]
print(f"Fetched {{len(users)}} users")
"""
        assert run(program, folder) == "Fetched 3 users\n"

    def test_monitoring_during_execution(self, folder: Path) -> None:
        program = """
import threading
import time
from flowcore_adapters import LocalRunner
from flowcore_adapters import load_yaml_files

config = load_yaml_files(["slow.yaml"])
runner = LocalRunner(config)

# Run in background
def run_flow():
    runner.run()

thread = threading.Thread(target=run_flow)
thread.start()

# Monitor progress
while thread.is_alive():
    completed = sum(
        1 for s in runner.status.steps.values()
        if s.state in ("succeeded", "failed")
    )
    total = len(runner.status.steps)
    print(f"Progress: {completed}/{total}")
    time.sleep(0.2)

thread.join()
print("Flow completed")
"""
        printed = run(program, folder).splitlines()
        assert printed[0] == "Progress: 0/2"
        assert "Progress: 1/2" in printed
        assert printed[-1] == "Flow completed"

    def test_integration_example(self, folder: Path) -> None:
        program = """
from flowcore_adapters import run_flow
import json

def sync_user_data():
    \"\"\"Sync user data from external systems.\"\"\"

    # Run the flow
    flows, status = run_flow(["sync-users.yaml"])

    # Check for failures
    if any(s.state == "failed" for s in status.steps.values()):
        raise RuntimeError("User sync flow failed")

    # Extract results
    users = flows["fetch_users"]["users"]
    groups = flows["fetch_groups"]["groups"]

    # Process results
    user_ids = [u["id"] for u in users]

    return {
        "user_count": len(users),
        "group_count": len(groups),
        "user_ids": user_ids,
        "duration": status.ended_at - status.started_at
    }

# Use in your application
if __name__ == "__main__":
    result = sync_user_data()
    print(json.dumps(result, indent=2))
"""
        result = json.loads(run(program, folder))
        assert {**result, "duration": 0} == {"user_count": 2, "group_count": 1, "user_ids": [1, 2], "duration": 0}

    def test_serving_the_status_api(self, folder: Path) -> None:
        port = free_port()
        program = f"""
from flowcore_adapters import LocalRunner
from flowcore_adapters import serve_runner_api_in_thread
from flowcore_adapters import load_yaml_files

# Create runner
config = load_yaml_files(["flow.yaml"])
runner = LocalRunner(config)

# Start status API server
api_thread = serve_runner_api_in_thread(runner, port={port})
print("Status API available at http://localhost:{port}/status")

# Run flow
runner.run()

print("Flow completed. Status API still available.")
print("Press Ctrl-C to exit.", flush=True)

# Keep server running
try:
    api_thread.join()
except KeyboardInterrupt:
    print("Shutting down.")
"""
        with subprocess.Popen(
            [sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            printed = [process.stdout.readline() for _ in range(3)]
            with urllib.request.urlopen(f"http://localhost:{port}/status", timeout=10) as answer:
                status = json.load(answer)
            with urllib.request.urlopen(f"http://localhost:{port}/outputs", timeout=10) as answer:
                outputs = json.load(answer)
            os.kill(process.pid, signal.SIGINT)
            rest, errors = process.communicate(timeout=20)
        assert printed[2] == "Press Ctrl-C to exit.\n"
        assert (status["completed_steps"], status["total_steps"]) == (2, 2)
        assert outputs["fetch_users"]["count"] == 2
        assert (rest, errors, process.returncode) == ("Shutting down.\n", "", 0)


class Users(BaseHTTPRequestHandler):
    """Stands for the document's `https://api.example.com`."""

    def do_GET(self) -> None:
        """Answer `/users`."""
        body = json.dumps([{"id": 1}, {"id": 2}, {"id": 3}]).encode() if self.path == "/users" else b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def api() -> Iterator[str]:
    """Serve the users on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Users)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()
