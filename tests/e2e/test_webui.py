"""The web page in a real browser: what people see of a run as it goes."""

import itertools
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path
from threading import Event, Thread
from typing import Final

import attrs
import pytest
from playwright.sync_api import Browser, Page, Route, expect
from playwright.sync_api import Error as PlaywrightError

from flowcore.values import Json
from flowcore_adapters import LocalRunner, serve_runner_api_in_thread
from flowcore_adapters.http.app import create_app
from flowcore_adapters.http.incoming.guard import GuardSettings
from flowcore_adapters.http.server import serve_in_thread
from flowcore_adapters.registry import load_registry
from flowcore_adapters.sources.python import PythonSource
from flowcore_adapters.webui.application import create_webui
from flowcore_adapters.webui.runner import Runner
from tests.browser import chromium
from tests.e2e.installed_command import Command
from tests.ports import free_port

pytestmark = pytest.mark.e2e

PROGRAM: Final = """
import threading
import time
import os
import uvicorn

from flowcore_adapters import LocalRunner
from flowcore_adapters import serve_runner_api_in_thread
from flowcore_adapters import load_yaml_files
from flowcore_adapters.webui import app as ui_app


def run_ui_in_thread(port=8006):
    \"\"\"Start uvicorn for the web UI app.\"\"\"
    uvicorn.run(ui_app, host="127.0.0.1", port=port, log_level="info")


# Load configuration
config = load_yaml_files(["flow.yaml"])
runner = LocalRunner(config)

# Start runner API on port 8005
print("Starting runner API on http://127.0.0.1:8005")
serve_runner_api_in_thread(runner, host="127.0.0.1", port=8005)

# Configure UI to proxy to runner status API
os.environ["RUNNER_STATUS_URL"] = "http://127.0.0.1:8005"

# Start UI server on port 8006
print("Starting UI server on http://127.0.0.1:8006")
ui_thread = threading.Thread(target=run_ui_in_thread, kwargs={"port": 8006}, daemon=True)
ui_thread.start()

# Wait for servers to start
time.sleep(1)

# Run the flow
print("Running flow")
runner.run()
print("Flow completed")

# Keep servers running for viewing results
print("UI available at http://127.0.0.1:8006")
print("Press Ctrl-C to exit")

try:
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    print("Shutting down")
"""
GO: Final = "until [ -e go ]; do sleep 0.05; done"
FLOW: Final = f"""
flow:
  - name: fetch_users
    source: {{type: value, configuration: {{value: [{{id: 1, name: Ada}}]}}}}
    output: [{{name: users}}]
  - {{name: wait_for_go, source: {{type: process, configuration: {{command: [sh, -c, "{GO}"]}}}}}}
  - {{name: after, source: value, input: done, depends_on: wait_for_go}}
"""
QUICK_S: Final = 5.0


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Generator[Page]:
    """A page in which nothing may go wrong: no error, nothing that its security policy refuses."""
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield page
    context.close()
    # The browser itself names answers that are errors; the page says them in words.
    assert [each for each in complaints if not each.startswith("Failed to load resource")] == []


@attrs.define
class Held:
    """A run whose steps of the source `gate` end when they are let."""

    runner: LocalRunner
    gate: Event = attrs.field(factory=Event)

    @contextmanager
    def going_on(self) -> Generator[None]:
        thread = Thread(target=self.runner.run)
        thread.start()
        try:
            yield
        finally:
            self.gate.set()
            thread.join()


def held(*steps: Json) -> Held:
    """Return a run of *steps*; those with the source `gate` wait."""
    gate = Event()

    def wait(_given: object = None) -> bool:
        return gate.wait(20)

    registry = load_registry({"gate": PythonSource({"wait": wait})})
    config = {"sources": {"gate": {"type": "gate", "configuration": {"callable": "wait"}}}, "flow": list(steps)}
    return Held(LocalRunner(config, registry=registry), gate)


@contextmanager
def shown(runner: LocalRunner) -> Generator[str]:
    """Have the page of *runner* served, apart from its status API; yield its address."""
    with serve_runner_api_in_thread(runner) as status:
        ui = create_webui(Runner(16, {"RUNNER_STATUS_URL": status.url}))
        with serve_in_thread(ui) as handle:
            yield handle.url


def row(page: Page, name: str) -> "Callable[[str], None]":
    """Return what expects the row of a step to have a state."""
    item = page.locator("#steps > li").filter(has=page.locator(f'.name[title="{name}"]'))

    def has_state(state: str) -> None:
        expect(item).to_have_attribute("data-state", state)
        expect(item.locator(".word")).to_have_text(state)

    return has_state


def test_the_document_s_program(page: Page, tmp_path: Path) -> None:
    """documents/python-api.md, "Basic Setup": word for word but for the imports, and ports that are free."""
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    ports = {"8005": str(free_port()), "8006": str(free_port())}
    program = re.sub("8005|8006", lambda found: ports[found[0]], PROGRAM)
    command = [sys.executable, "-u", "-W", "error", "-c", program]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = list(itertools.takewhile(lambda line: line != "Running flow\n", process.stdout))
            page.goto(f"http://127.0.0.1:{ports['8006']}")
            row(page, "fetch_users")("succeeded")
            row(page, "wait_for_go")("running")
            row(page, "after")("pending")
            expect(page.locator("#state")).to_have_text("running wait_for_go")
            (tmp_path / "go").touch()
            row(page, "after")("succeeded")
            expect(page.locator("#state")).to_have_text("succeeded")
            assert page.title().startswith("3/3 succeeded · ")
            page.get_by_text("fetch_users").click()
            expect(page.locator("pre")).to_have_text('[\n  {\n    "id": 1,\n    "name": "Ada"\n  }\n]')
            lines += itertools.takewhile(lambda line: line != "Press Ctrl-C to exit\n", process.stdout)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=QUICK_S)
        finally:
            process.kill()
    # On the same stream the document's web server names each request.
    assert [line for line in (*lines, *out.splitlines(keepends=True)) if not line.startswith("INFO:")] == [
        f"Starting runner API on http://127.0.0.1:{ports['8005']}\n",
        f"Starting UI server on http://127.0.0.1:{ports['8006']}\n",
        "Flow completed\n",
        f"UI available at http://127.0.0.1:{ports['8006']}\n",
        "Shutting down\n",
    ]
    assert process.returncode == 0
    assert "Traceback" not in err


def test_what_comes_from_a_run_is_text(page: Page) -> None:
    evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    runner = LocalRunner(
        {
            "flow": [
                {"name": evil, "source": "value", "input": {evil: [evil]}, "output": [{"name": evil}]},
                {"name": "__proto__", "source": "value", "input": "own", "output": [{"name": "constructor"}]},
                {"name": "digits", "source": "value", "input": 12345678901234567890, "output": [{"name": "number"}]},
                {"name": "fails", "source": {"type": "process", "configuration": {"command": ["no-such<b>program"]}}},
            ]
        }
    )
    runner.run()
    with shown(runner) as url:
        page.goto(url)
        expect(page.locator("#steps > li")).to_have_count(4)
        for summary in page.locator("summary").all():
            summary.click()
        values = page.locator("pre")
        expect(values).to_have_count(3)
        assert values.all_text_contents() == [
            json.dumps({evil: [evil]}, indent=2),
            "own",
            "12345678901234567890",
        ]
        assert page.locator(".name").first.text_content() == evil
        expect(page.locator(".note")).to_contain_text("no-such<b>program")
        assert page.locator("img, b:not(#states b), script:not([src])").count() == 0
        expect(page.locator("#state")).to_have_text("ended, 1 failed")


def test_steps_are_chosen_by_state_and_name(page: Page) -> None:
    runner = LocalRunner(
        {
            "flow": [
                *({"name": f"fetch_{name}", "source": "value"} for name in ("users", "groups", "orders")),
                {"name": "never", "source": "value", "when": "{{ `false` }}"},
                {"name": "bad", "source": {"type": "process", "configuration": {"command": ["false"]}}},
            ]
        }
    )
    runner.run()
    with shown(runner) as url:
        page.goto(url)
        names = page.locator("#steps > li:visible .name")
        expect(names).to_have_count(5)
        assert page.locator("#states button:visible").all_text_contents() == [
            "all 5",
            "succeeded 3",
            "failed 1",
            "skipped 1",
        ]
        page.get_by_role("button", name="failed 1").click()
        expect(names).to_have_text(["bad"])
        page.get_by_role("button", name="failed 1").click()
        expect(names).to_have_count(5)
        page.locator("#search").fill("ORD")
        expect(names).to_have_text(["fetch_orders"])
        page.locator("#search").press("Escape")
        expect(names).to_have_count(5)
        page.locator("#search").fill("nowhere")
        expect(page.locator("#nothing")).to_have_text("No step is like that.")


def test_a_step_that_is_open_tells_more_as_it_goes_on(page: Page) -> None:
    run = held({"name": "slow", "source": "gate", "output": [{"name": "result"}]})
    with shown(run.runner) as url, run.going_on():
        page.goto(url)
        row(page, "slow")("running")
        page.locator("summary").click()
        expect(page.locator(".more")).to_contain_text("It has no outputs yet.")
        first = page.locator("summary .took").text_content()
        expect(page.locator("summary .took")).not_to_have_text(first or "")
        run.gate.set()
        row(page, "slow")("succeeded")
        expect(page.locator("pre")).to_have_text("true")
        expect(page.locator("#took-label")).to_have_text("Took")


def test_a_runner_that_goes_and_comes_back(page: Page) -> None:
    runner = LocalRunner({"flow": [{"name": "hello", "source": "value"}]})
    runner.run()
    port = free_port()
    with serve_in_thread(create_webui(Runner(16, {"RUNNER_STATUS_URL": f"http://127.0.0.1:{port}"}))) as ui:
        page.goto(ui.url)
        trouble = page.locator("#trouble")
        expect(trouble).to_have_text(
            f"The runner at http://127.0.0.1:{port} does not answer: Connection refused. Trying again."
        )
        with serve_runner_api_in_thread(runner, port=port):
            row(page, "hello")("succeeded")
            expect(trouble).to_be_hidden()
        expect(trouble).to_contain_text("Trying again; what is shown is as of ")
        row(page, "hello")("succeeded")
        with serve_runner_api_in_thread(runner, port=port):
            expect(trouble).to_be_hidden()


def test_a_runner_that_is_started_anew_has_a_shorter_log(page: Page) -> None:
    long = LocalRunner({"flow": [{"name": f"step_{number}", "source": "value"} for number in range(20)]})
    long.run()
    short = LocalRunner({"flow": [{"name": "hello", "source": "value"}]})
    short.run()
    with serve_runner_api_in_thread(long) as server:
        page.goto(f"{server.url}/ui")
        row(page, "step_19")("succeeded")
        port = server.port
    with serve_runner_api_in_thread(short, port=port):
        # One question may be waiting for what that log will have some day.
        expect(page.locator("#steps > li")).to_have_count(1, timeout=15_000)
        row(page, "hello")("succeeded")


def status_of(**further: Json) -> dict[str, Json]:
    """Return a status with one step, and what is different in it."""
    step: Json = {"state": "succeeded", "started_at": 100.0, "ended_at": 101.0, "notes": [], "outputs": []}
    return {
        "run_id": 1733524800000,
        "started_at": 100.0,
        "ended_at": 102.0,
        "total_steps": 1,
        "completed_steps": 1,
        "current_step": None,
        "running_steps": [],
        "running_count": 0,
        "steps": {"hello": step},
        **further,
    }


def answer_with(page: Page, *answers: Callable[[Route], None]) -> None:
    """Have `/status` answered by each of *answers* in turn, and from then on by the last."""
    left = list(answers)

    def answer(route: Route) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(route)

    page.route("**/status*", answer)


def document(status: Json, **headers: str) -> Callable[[Route], None]:
    """Return what answers with *status*."""
    return lambda route: route.fulfill(json=status, headers=headers)


@pytest.fixture
def address() -> Generator[str]:
    """The address of a page whose runner has nothing to show."""
    with shown(LocalRunner({"flow": []})) as url:
        yield url


BAD: Final[dict[str, tuple[Callable[[Route], None], str]]] = {
    "cut": (lambda route: route.abort("connectionreset"), "The server of this page does not answer."),
    "no JSON": (lambda route: route.fulfill(body="<h1>hello</h1>"), "The answer is no status of a run."),
    "null": (lambda route: route.fulfill(body="null"), "The answer was 200 OK."),
    "no steps": (lambda route: route.fulfill(json=status_of(steps=None)), "The answer is no status of a run."),
    "an odd step": (lambda route: route.fulfill(json=status_of(steps={"a": {}})), "The answer is no status of a run."),
    "an odd error": (lambda route: route.fulfill(status=500, json={"error": {}}), "The answer was 500 Internal Server"),
    "an error": (lambda route: route.fulfill(status=500, json={"error": "it is ill"}), "It is ill."),
    "an error without words": (lambda route: route.fulfill(status=502, body="null"), "The answer was 502 Bad Gateway."),
    "an error that is no JSON": (lambda route: route.fulfill(status=502, body="<"), "The answer was 502 Bad Gateway."),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_broken_answer_is_not_the_end(page: Page, address: str, kind: str) -> None:
    broken, words = BAD[kind]
    answer_with(page, document(status_of()), broken, document(status_of(run_id=1733524800001)))
    page.goto(address)
    expect(page.locator("#trouble")).to_contain_text(words)
    expect(page.locator("#trouble")).to_contain_text("Trying again; what is shown is as of ")
    expect(page.locator("#title")).to_have_text("Run 1733524800001")
    expect(page.locator("#trouble")).to_be_hidden()


def test_a_runner_without_positions_is_asked_again(page: Page, address: str) -> None:
    """Others that speak documents/status-api.md have neither ETag nor long polls."""
    answer_with(page, document(status_of(ended_at=None)), document(status_of()))
    page.goto(address)
    expect(page.locator("#state")).to_have_text("nothing runs at this moment, it may be paused")
    expect(page.locator("#state")).to_have_text("succeeded")


def test_a_busy_server_is_asked_without_waiting(page: Page, address: str) -> None:
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url.partition("?")[2])
        if "wait" in asked[-1]:
            route.fulfill(status=503, json={"error": "too many requests are waiting for news"})
        else:
            route.fulfill(json=status_of(), headers={"ETag": '"7"'})

    page.route("**/status*", answer)
    page.goto(address)
    row(page, "hello")("succeeded")
    while len(asked) < 4:
        page.wait_for_timeout(50)
    assert asked[:4] == ["", "after=7&wait=5", "after=7", "after=7&wait=5"]
    expect(page.locator("#trouble")).to_be_hidden()


def test_steps_stand_in_the_order_of_the_flow(page: Page, address: str) -> None:
    step: Json = {
        "state": "pending",
        "started_at": None,
        "ended_at": None,
        "notes": ['a "steps": {', "]}"],
        "outputs": [],
    }
    names = ["z_first", "10", 'a "quoted" {name', "9", "__proto__", "1"]
    # What stands before the steps may look like them.
    status = status_of(before={"steps": {"no": {}}, "x": ["steps", {"steps": 1}]}, total_steps=len(names))
    answer_with(page, document({**status, "steps": dict.fromkeys(names, step)}))
    page.goto(address)
    expect(page.locator("#steps .name")).to_have_text(names)


@pytest.mark.parametrize("ahead_s", [3600.0, -3600.0])
def test_a_runner_whose_clock_is_another(page: Page, ahead_s: float, address: str) -> None:
    now = time.time() + ahead_s
    running: Json = {"state": "running", "started_at": now - 7, "ended_at": None, "notes": [], "outputs": []}
    status = status_of(started_at=now - 7, ended_at=None, running_steps=["hello"], running_count=1)
    date = formatdate(now, usegmt=True)
    answer_with(page, document({**status, "steps": {"hello": running}}, **{"X-Runner-Date": date}))
    page.goto(address)
    expect(page.locator("#took")).to_have_text(re.compile(r"^([6-9]|1\d)\.\d+ s$"))


def test_an_answer_that_was_waited_for_says_nothing_of_the_clock(page: Page) -> None:
    """Servers date an answer by when it was asked for: after some seconds that is long ago."""
    run = held(
        {"name": "slow", "source": {"type": "wait", "configuration": {"seconds": 3}}}, {"name": "x", "source": "gate"}
    )
    with serve_runner_api_in_thread(run.runner) as server, run.going_on():
        page.goto(f"{server.url}/ui")
        row(page, "slow")("succeeded")
        expect(page.locator("#took")).to_have_text(re.compile(r"^([3-9]|1\d)\.\d+ s$"))


def test_outputs_that_did_not_come_are_asked_for_again(page: Page) -> None:
    runner = LocalRunner({"flow": [{"name": "hello", "source": "value", "input": 1, "output": [{"name": "value"}]}]})
    runner.run()
    with shown(runner) as url:
        page.route("**/outputs*", lambda route: route.abort(), times=1)
        page.goto(url)
        page.locator("summary").click()
        expect(page.locator(".more")).to_contain_text("Its outputs cannot be shown.")
        expect(page.locator("pre")).to_have_text("1")


def test_names_do_not_turn_others_round(page: Page) -> None:
    runner = LocalRunner({"flow": [{"name": "a \u202e b", "source": "value"}]})
    runner.run()
    with shown(runner) as url:
        page.goto(url)
        expect(page.locator(".name")).to_have_text("a \\u202e b")


def test_what_a_run_has_not_got_yet_is_not_shown(page: Page, address: str) -> None:
    waiting: Json = {"state": "pending", "started_at": None, "ended_at": None, "notes": [], "outputs": []}
    answer_with(
        page,
        document(status_of()),
        document(status_of(run_id=1733524800001, started_at=None, ended_at=None, steps={"hello": waiting})),
    )
    page.goto(address)
    expect(page.locator("#facts")).to_contain_text("Took")
    expect(page.locator("#state")).to_have_text("has not started yet")
    expect(page.locator("#started")).to_be_hidden()
    expect(page.locator("#took")).to_be_hidden()
    expect(page.locator("#done")).to_have_text("0 of 1")


def test_a_stopped_run(page: Page) -> None:
    run = held({"name": "slow", "source": "gate"}, {"name": "after", "source": "value", "depends_on": "slow"})
    with shown(run.runner) as url, run.going_on():
        page.goto(url)
        row(page, "slow")("running")
        run.runner.stop("enough")
        row(page, "after")("skipped")
        expect(page.locator("#state")).to_have_text("stopped")
        run.gate.set()


def test_the_keyboard_alone(page: Page) -> None:
    runner = LocalRunner({"flow": [{"name": f"step_{number}", "source": "value"} for number in range(60)]})
    runner.run()
    page.set_viewport_size({"width": 640, "height": 360})
    with shown(runner) as url:
        page.goto(url)
        row(page, "step_59")("succeeded")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent.trim()") == "all 60"
        page.locator("summary").last.focus()
        hidden = """() => {
          const bar = document.getElementById("choice").getBoundingClientRect();
          const row = document.activeElement.getBoundingClientRect();
          return row.top < bar.bottom && row.bottom > bar.top || row.top < 0 || row.bottom > innerHeight;
        }"""
        for _ in range(50):
            page.keyboard.press("Shift+Tab")
            assert not page.evaluate(hidden)
        page.keyboard.press("Enter")
        expect(page.locator("details[open]")).to_have_count(1)


def test_a_token_is_the_password(browser: Browser) -> None:
    runner = LocalRunner({"flow": [{"name": "hello", "source": "value"}]})
    runner.run()
    token = "t" * 32
    with serve_in_thread(create_app(runner.log, guard=GuardSettings(token=token)), token=token) as server:
        with (
            browser.new_context() as context,
            context.new_page() as stranger,
            # Nobody is there to be asked for it.
            pytest.raises(PlaywrightError, match="ERR_INVALID_AUTH_CREDENTIALS"),
        ):
            stranger.goto(f"{server.url}/ui")
        with (
            browser.new_context(http_credentials={"username": "anybody", "password": token}) as context,
            context.new_page() as friend,
        ):
            friend.goto(f"{server.url}/ui")
            row(friend, "hello")("succeeded")


def test_the_page_of_a_server(page: Page, tmp_path: Path) -> None:
    command = Command(tmp_path)
    process = command.start("serve", "--port", "0")
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        (url,) = re.findall(r"the page at (http://\S+)", line)
        page.goto(url)
        expect(page.locator("#nothing")).to_have_text("There is no run yet. It appears here as soon as there is one.")
        flow = command.write(
            "flow.yaml", "flow: [{name: hello, source: value, input: world, output: [{name: greeting}]}]"
        )
        assert command("run", flow).code == 0
        row(page, "hello")("succeeded")
        first = page.locator("#title").text_content() or ""
        assert command("run", flow).code == 0
        expect(page.locator("#title")).not_to_have_text(first)
        page.goto(f"{url}?run_id={first.removeprefix('Run ')}")
        expect(page.locator("#title")).to_have_text(first)
    finally:
        process.terminate()
        process.communicate(timeout=QUICK_S)


@pytest.fixture
def started(tmp_path: Path) -> "Generator[Callable[..., subprocess.Popen[str]]]":
    """Start commands in a folder; they are ended with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        processes.append(Command(tmp_path).start(*arguments, env=env))
        return processes[-1]

    yield start
    for process in processes:
        process.terminate()
        process.communicate(timeout=QUICK_S)


def told(process: "subprocess.Popen[str]", pattern: str) -> str:
    """Return what *pattern* finds in what a command says first of all that fits."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.fullmatch(pattern, line.rstrip("\n")):
            return found[1]
    raise AssertionError(f"it has ended without saying {pattern}")


def test_the_command_runs_a_flow_and_shows_it(
    page: Page, tmp_path: Path, started: "Callable[..., subprocess.Popen[str]]"
) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    process = started("webui", "flow.yaml", "--port", "0", "-j")
    status = told(process, r"status at (http://127\.0\.0\.1:\d+/status)")
    shown_at = told(process, r"the page is at (http://127\.0\.0\.1:\d+)")
    page.goto(shown_at)
    row(page, "wait_for_go")("running")
    (tmp_path / "go").touch()
    row(page, "after")("succeeded")
    with urllib.request.urlopen(status, timeout=QUICK_S) as answer:
        assert json.load(answer)["completed_steps"] == 3
    assert told(process, r"serving on at (http://127\.0\.0\.1:\d+) until Ctrl-C") == shown_at
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=QUICK_S)
    assert process.returncode == 0
    assert json.loads(out)["fetch_users"] == {"users": [{"id": 1, "name": "Ada"}]}


@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_command_shows_a_runner_elsewhere(
    page: Page, started: "Callable[..., subprocess.Popen[str]]", by: str
) -> None:
    runner = LocalRunner({"flow": [{"name": "hello", "source": "value"}]})
    runner.run()
    with serve_runner_api_in_thread(runner) as status:
        if by == "option":
            process = started("webui", "--port", "0", "--status-url", f"{status.url}/status")
        else:
            process = started("webui", "--port", "0", env={"RUNNER_STATUS_URL": status.url})
        page.goto(told(process, rf"the page of {status.url} is at (http://127\.0\.0\.1:\d+) until Ctrl-C"))
        row(page, "hello")("succeeded")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=QUICK_S)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a FILE, or the runner to show with `--status-url` or RUNNER_STATUS_URL"),
        (["--status-url", "x"], "`--status-url` is no address of a runner, such as http://127.0.0.1:8000"),
        (["--status-url", "http://a b"], "`--status-url` is no address of a runner"),
        (["flow.yaml", "-q", "--port", "0"], "with `-q` nobody would learn where the page is: give it a `--port`"),
        (["--status-url", "http://x", "--exit-when-done"], "`--exit-when-done` goes with FILE"),
        (["--status-url", "http://x", "flow.yaml"], "`--status-url` shows what runs elsewhere: give one of them"),
        (["--status-url", "http://x", "--db", "x.db"], "`--db` goes with FILE: without it nothing is run here"),
        (["--status-url", "http://x", "-j"], "`--json` goes with FILE: without it nothing is run here"),
        (["--status-url", "http://x", "--host", "0.0.0.0"], "that needs a token of at least 32 characters"),
        (["no-such.yaml"], "no-such.yaml"),
    ],
)
def test_the_command_says_what_is_wrong(tmp_path: Path, arguments: list[str], said: str) -> None:
    ended = Command(tmp_path)("webui", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_the_variable_is_named_when_it_is_wrong_and_needed(tmp_path: Path) -> None:
    command = Command(tmp_path)
    ended = command("webui", env={"RUNNER_STATUS_URL": "x"})
    assert (ended.code, ended.out) == (2, "")
    assert "RUNNER_STATUS_URL is no address of a runner" in ended.err
    flow = command.write("flow.yaml", "flow: [{name: hello, source: value}]")
    ended = command("webui", flow, "--port", "0", "--exit-when-done", env={"RUNNER_STATUS_URL": "x"})
    assert ended.code == 0
    assert "1 succeeded" in ended.err


def test_a_port_of_the_page_that_is_taken_runs_nothing(tmp_path: Path) -> None:
    command = Command(tmp_path)
    with serve_in_thread(create_webui(Runner(1, {}))) as other:
        flow = command.write("flow.yaml", "flow: [{name: hello, source: value}]")
        ended = command("webui", flow, "--port", str(other.port))
    assert ended.code == 2
    assert f"port {other.port} on 127.0.0.1 is in use" in ended.err
    assert "hello" not in ended.err
    assert command("runs").out == "no runs yet\n"


def test_ten_thousand_steps(page: Page) -> None:
    count = 10_000
    runner = LocalRunner({"flow": [{"name": f"step_{number}", "source": "value"} for number in range(count)]})
    runner.run()
    with shown(runner) as url:
        page.goto(url)
        expect(page.locator("#done")).to_have_text(f"{count} of {count}")
        page.locator("#search").fill("step_9999")
        expect(page.locator("#steps > li:visible .name")).to_have_text(["step_9999"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone(browser: Browser, scheme: str) -> None:
    runner = LocalRunner({"flow": [{"name": "a_name_that_" + "is_long_" * 20, "source": "value", "input": "x" * 500}]})
    runner.run()
    with (
        shown(runner) as url,
        browser.new_context(
            viewport={"width": 360, "height": 640}, color_scheme="dark" if scheme == "dark" else "light"
        ) as context,
        context.new_page() as page,
    ):
        page.goto(url)
        page.locator("summary").click()
        expect(page.locator(".more")).to_contain_text("It has no outputs.")
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        background = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert background == ("rgb(22, 24, 27)" if scheme == "dark" else "rgb(251, 250, 247)")


def test_without_scripts_the_page_says_where_the_rest_is(browser: Browser) -> None:
    runner = LocalRunner({"flow": [{"name": "hello", "source": "value"}]})
    runner.run()
    with shown(runner) as url, browser.new_context(java_script_enabled=False) as context, context.new_page() as page:
        page.goto(url)
        link = page.get_by_role("link", name="status").get_attribute("href")
        with urllib.request.urlopen(f"{url}/{link}", timeout=QUICK_S) as answer:
            assert json.load(answer)["total_steps"] == 1
