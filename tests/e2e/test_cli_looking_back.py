"""Looking back: what happened, why, what is different; runs that travel, and runs that go."""

import gzip
import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.installed_command import Command

pytestmark = pytest.mark.e2e

FLOW = """
name: demo
flow:
  - {name: a, source: {type: value, configuration: {value: VALUE}}, output: [{name: v}]}
  - {name: bad, source: {type: process, configuration: {command: ["false"]}}, depends_on: a,
     retry: {max_attempts: 2, delay: 0.01, jitter: 0}, on_error: skip}
  - {name: after, source: value, depends_on: bad}
"""


@pytest.fixture
def command(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    command("run", command.write("flow.yaml", FLOW.replace("VALUE", "1")), "-q")
    return command


def run_id(command: Command, run: str = "latest") -> int:
    found: int = json.loads(command("show", run, "--json").out)["run_id"]
    return found


class TestEvents:
    def test_every_event_has_a_line(self, command: Command) -> None:
        lines = command("events", "latest").out.splitlines()
        words = [re.sub(r"^ *\d+  \S+ \S+  ", "", line) for line in lines]
        assert words == [
            "run  created with 3 steps",
            "run  started",
            "a  started",
            "a  succeeded",
            "bad  started",
            "bad  failed: process exited with code 1; tried again in 0.01 s",
            "bad  started (attempt 2)",
            "bad  failed (attempt 2): process exited with code 1",
            "after  skipped: step 'bad' failed",
            "run  succeeded",
        ]
        assert len(command("events", "latest", "--after", "8").out.splitlines()) == 2

    def test_as_json_as_it_is_stored(self, command: Command) -> None:
        events = [json.loads(line) for line in command("events", "latest", "--json").out.splitlines()]
        assert [event["position"] for event in events] == list(range(1, 11))
        assert events[3]["type"] == "AttemptSucceeded"
        assert events[3]["data"]["outputs"] == {"v": 1}
        assert events[3]["epoch"] == 1

    def test_following_ends_with_the_run(self, command: Command) -> None:
        command.write("slow.yaml", "flow: [{name: w, source: {type: wait, configuration: {seconds: 1.5}}}]")
        with command.start("run", "slow.yaml", "-q") as running:
            while command("events", "latest").out.count("w  started") == 0:
                assert running.poll() is None
            followed = command("events", "latest", "--follow")
            running.wait(20)
        assert followed.code == 0
        assert followed.out.splitlines()[-1].endswith("run  succeeded")
        assert len(followed.out.splitlines()) == 5


class TestMoments:
    def test_a_run_as_it_was(self, command: Command) -> None:
        then = command("show", "latest", "--at", "5")
        assert then.code == 0
        assert re.search(r"^a +succeeded", then.out, re.MULTILINE)
        assert re.search(r"^bad +running", then.out, re.MULTILINE)
        assert json.loads(command("show", "latest", "--at", "3", "--json").out)["steps"]["a"]["state"] == "running"
        assert "succeeded" in command("show", "latest", "--at", "@9999999999.5").out
        assert "succeeded" in command("show", "latest", "--at", "2999-01-01T00:00:00+02:00").out

    def test_a_moment_that_is_none(self, command: Command) -> None:
        wrong = command("show", "latest", "--at", "yesterday")
        assert (wrong.code, "'yesterday' is no moment (such as a position of the log (42)" in wrong.err) == (2, True)
        assert "'25:99' is no moment" in command("show", "latest", "--at", "25:99").err
        before = command("show", "latest", "--at", "1999-01-01")
        assert (before.code, "there was no run" in before.err) == (2, True)


class TestExplain:
    def test_in_words(self, command: Command) -> None:
        found = command("explain", "latest", "after")
        assert found.out.splitlines() == [
            "after is skipped",
            "  - it was skipped: step 'bad' failed",
            "  - step 'bad' failed: process exited with code 1 (`on_error: skip` of 'bad')",
        ]
        failed = command("explain", "latest", "bad").out
        assert "it failed in attempt 2: process exited with code 1" in failed
        assert "for step 'after' that means: it is skipped (`on_error: skip` of 'bad')" in failed
        assert re.search(r"^1 +failed .* process exited with code 1$", failed, re.MULTILINE)

    def test_as_it_was_and_as_json(self, command: Command) -> None:
        found = json.loads(command("explain", "latest", "after", "--at", "5", "--json").out)
        assert found["status"] == "pending"
        assert found["sentences"] == ["it waits for step 'bad', which is running"]

    def test_a_step_that_is_not_there(self, command: Command) -> None:
        wrong = command("explain", "latest", "aftr")
        assert (wrong.code, "has no step 'aftr'; did you mean `after`?" in wrong.err) == (2, True)


class TestDiff:
    def test_two_runs(self, command: Command) -> None:
        first = str(run_id(command))
        command("run", "flow.yaml", "-q")
        same = command("diff", first, "latest")
        assert (same.code, same.err) == (0, "")
        assert "are the same in flow, states and outputs" in same.out
        command("run", command.write("other.yaml", FLOW.replace("VALUE", "2")), "-q")
        other = command("diff", first, "latest")
        assert other.code == 1
        assert "a  source" in other.out
        assert "a  v\n  - 1\n  + 2" in other.out
        assert json.loads(command("diff", first, "latest", "--json").out)["outputs"] == [
            {"step": "a", "field": "v", "first": 1, "second": 2}
        ]


class TestArchives:
    def test_a_run_travels_from_one_log_to_another(self, command: Command) -> None:
        number = run_id(command)
        assert command("export", "latest").code == 0
        name = f"run-{number}.flowcore"
        there = command("import", name, "--db", "other.db")
        assert (there.code, there.err) == (0, f"run {number} imported: `flowcore-cli show {number} --db other.db`\n")
        assert command("show", str(number), "--db", "other.db").out == command("show", str(number)).out
        assert "is there already" in command("import", name).err
        again = command("import", name, "--as-new")
        assert again.code == 0
        assert run_id(command) > number
        assert command("diff", str(number), "latest").code == 0

    def test_packed_and_through_a_pipe(self, command: Command) -> None:
        command("export", "latest", "-o", "run.gz")
        plain = command("export", "latest", "-o", "-").out
        assert gzip.decompress((command.home / "run.gz").read_bytes()).decode() == plain
        assert command("import", "run.gz", "--db", "other.db").code == 0

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ('"attempt":1', '"attempt":2', "what it holds is not what its seal says"),
            ('"format":"flowcore-run"', '"format":"x"', "it holds no run"),
            ('"version":1', '"version":9', "written by another version of flowcore"),
            ("\n", "", "its end is missing"),
        ],
    )
    def test_a_file_that_is_not_right_is_refused(self, command: Command, old: str, new: str, said: str) -> None:
        text = command("export", "latest", "-o", "-").out
        changed = text.replace(old, new, 1) if old != "\n" else text[: len(text) // 2]
        command.write("bad.flowcore", changed)
        refused = command("import", "bad.flowcore", "--db", "other.db")
        assert refused.code == 2
        assert said in refused.err
        assert "(`flowcore-cli export RUN` writes what can be imported)" in refused.err
        assert not (command.home / "other.db").exists()
        assert command("import", "nowhere").code == 2

    def test_another_run_of_that_id_is_left_alone(self, command: Command) -> None:
        command("export", "latest", "-o", "run")
        number = run_id(command)
        with closing(sqlite3.connect(command.home / "state" / "flowcore" / "flowcore.db")) as log, log:
            log.execute("UPDATE events SET data = replace(data, '\"v\":1', '\"v\":7') WHERE run_id = ?", (number,))
        refused = command("import", "run")
        assert (refused.code, "there is another run" in refused.err) == (2, True)


class TestPurge:
    def test_old_runs_go_and_ids_are_not_used_again(self, command: Command) -> None:
        first = run_id(command)
        command("run", "flow.yaml", "-q")
        assert "would delete 1 run" in command("purge", "--keep", "1", "--dry-run").err
        asked = command("purge", "--keep", "1")
        assert (asked.code, "1 run would be deleted (`--yes`" in asked.err) == (2, True)
        assert command("purge", "--keep", "1", "--yes").err == f"deleted 1 run: {first}\n"
        assert command("show", str(first)).code == 2
        assert command("fsck").code == 0
        assert command("purge", "--older-than", "1d", "--yes").err == "nothing to delete\n"
        assert command("purge", "--state", "failed", "--yes").err == "nothing to delete\n"
        assert command("purge", "--state", "succeeded", "--yes").code == 0
        assert command("runs").out == "no runs yet\n"

    def test_what_comes_behind_the_end_keeps_no_run(self, command: Command) -> None:
        traced = command("trace", "latest")
        assert (
            traced.err == f"run {run_id(command)} is traced from here on; it is over, so nothing more will be written\n"
        )
        assert command("purge", "--keep", "0", "--yes").err.startswith("deleted 1 run:")

    def test_bad_usage(self, command: Command) -> None:
        assert "say which runs" in command("purge").err
        assert "'soon' is no age" in command("purge", "--older-than", "soon").err


class TestFsck:
    def test_a_sound_log(self, command: Command) -> None:
        found = command("fsck")
        assert (found.code, found.out, found.err) == (0, "", "1 run, 10 events: nothing is wrong\n")

    def test_what_is_wrong_is_told_and_the_rest_is_checked(self, command: Command) -> None:
        first = run_id(command)
        command("run", "flow.yaml", "-q")
        path = command.home / "state" / "flowcore" / "flowcore.db"
        with closing(sqlite3.connect(path)) as log, log:
            log.execute("UPDATE events SET data = replace(data, '\"attempt\":1', '\"attempt\":7') WHERE position = 3")
            log.execute("UPDATE events SET type = 'Unheard' WHERE position = 15")
        found = command("fsck")
        assert found.code == 1
        assert f"run {first} position 3  I7  attempt 7 of 'a' follows attempt 0" in found.out
        assert "I21  what follows cannot be read" in found.out
        problems = json.loads(command("fsck", "--json").out)["problems"]
        assert {each["invariant"] for each in problems} >= {"I7", "I21"}
        assert command("fsck", str(first)).code == 1

    def test_a_damaged_file(self, command: Command) -> None:
        path = command.home / "state" / "flowcore" / "flowcore.db"
        with closing(sqlite3.connect(path)) as log, log:
            log.execute("DELETE FROM runs")
        found = command("fsck")
        assert (found.code, "do not belong together" in found.out) == (1, True)
        os.truncate(path, 100)
        assert command("fsck").code == 2


class TestRehearsal:
    def test_a_flow_with_the_results_of_a_run(self, command: Command) -> None:
        same = command("test", "flow.yaml", "--from-run", "latest")
        assert same.code == 0, same.err
        assert "rehearsed: succeeded after" in same.out
        assert "the same states and outputs" in same.out
        command.write("other.yaml", FLOW.replace("VALUE", "1").replace("on_error: skip", "on_error: continue"))
        other = command("test", "other.yaml", "--from-run", "latest")
        assert other.code == 1
        assert "has no result for after: it failed here" in other.out
        assert 'after  state\n  - "skipped"\n  + "failed"' in other.out
        found = json.loads(command("test", "other.yaml", "--from-run", "latest", "--json").out)
        assert (found["same"], found["missing"]) == (False, ["after"])
        assert not (command.home / "state" / "flowcore" / "other").exists()
        assert command("runs", "--json").out.count('"run_id"') == 1, "a rehearsal records nothing"
