"""`flowcore-cli logs`: the lines that the steps of a run wrote."""

from typing import TYPE_CHECKING, Final

import click

from flowcore_cli.output import print_whole
from flowcore_cli.selection import find_run, recorded_log
from flowcore_cli.storage import db_option

if TYPE_CHECKING:
    from flowcore.ids import RunId
    from flowcore.model import Flow
    from flowcore.ports import EventLog
    from flowcore.views.nodes import Nodes

_WAIT_S: Final = 30.0


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print each line as a line of JSON, with all that is known.")
@click.option("--step", metavar="STEP", help="Only what this step wrote: its name, or the path of an instance.")
@db_option
def logs(*, run: str, follow: bool, as_json: bool, step: str | None, db: str | None) -> None:
    """Print the lines that the steps of RUN wrote while it was traced.

    `run --trace` traces a run from its beginning, `flowcore-cli trace RUN` one that is under way. RUN is an id as
    `runs` prints it, or `latest`.
    """
    from flowcore.run.events import RunCreated, StepLogged
    from flowcore.views.nodes import Nodes

    with recorded_log(db) as log:
        run_id = find_run(log, run, db)
        first = next(log.read(run_id)).event
        assert isinstance(first, RunCreated)  # noqa: S101 - every stream begins so
        if step is not None:
            _check(first.flow, run_id, step)
        nodes = Nodes(first.flow)
        version, ended = _print(log, run_id, 0, nodes, step=step, as_json=as_json)
        while follow and not ended:
            position = log.position()
            if log.version(run_id) == version:
                log.wait(position, _WAIT_S)
            version, ended = _print(log, run_id, version, nodes, step=step, as_json=as_json)
        if not any(isinstance(each.event, StepLogged) for each in log.read(run_id)):
            how = "run --trace` traces one from its beginning" if ended else f"trace {run_id}` begins now"
            click.echo(f"run {run_id} has left no lines: it was not traced (`flowcore-cli {how})", err=True)


def _check(flow: "Flow", run_id: "RunId", step: str) -> None:
    """Refuse a step that the run does not have; what other documents call their nodes is not looked at.

    Raises:
        CommandError: There is no such step.
    """
    from flowcore.documents.findings import did_you_mean
    from flowcore.model import Dialect
    from flowcore_cli.exits import CommandError

    if flow.dialect is Dialect.FLOW:
        names = [each.name for each in flow.steps]
        if not any(step == name or step.startswith(f"{name}/") for name in names):
            raise CommandError(f"run {run_id} has no step '{step}'", hint=did_you_mean(step, names))


def _print(
    log: "EventLog", run_id: "RunId", version: int, nodes: "Nodes", *, step: str | None, as_json: bool
) -> tuple[int, bool]:
    """Print the lines above *version*; return the last version and whether it is the end of the run."""
    from flowcore.run.events import RunFailed, RunStopped, RunSucceeded, StepLogged
    from flowcore.views.trace import line_documents
    from flowcore_cli.render import to_json, visible

    ended = False
    for recorded in log.read(run_id, after=version):
        version, event = recorded.version, recorded.event
        ended = ended or isinstance(event, RunSucceeded | RunFailed | RunStopped)
        if isinstance(event, StepLogged):
            node = nodes.find(event.instance)
            if step is None or step in {event.instance, node.id, node.top}:
                for line in line_documents(event, node):
                    print_whole(to_json(line, indent=None) if as_json else visible(line["line"]))
    return version, ended
