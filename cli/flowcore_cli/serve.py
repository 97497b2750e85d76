"""`flowcore-cli serve`."""

from pathlib import Path

import click

from flowcore_cli.exits import CommandError, SignalError
from flowcore_cli.listening import Listening, listening_options
from flowcore_cli.nodes import defs_option
from flowcore_cli.output import tell
from flowcore_cli.render import visible
from flowcore_cli.runtime import runtime_options
from flowcore_cli.storage import FORGOTTEN, left_words, log_options, open_log, show_command


@click.command(epilog="Exit codes: 2 bad input or usage, 130 ended by Ctrl-C, 143 by SIGTERM.")
@click.argument("files", metavar="[FILE...]", nargs=-1, type=click.Path())
@listening_options(port=8000)
@defs_option
@click.option("--max-workers", type=click.IntRange(1, 1000), metavar="N", help="How many steps go on at once.")
@click.option(
    "--batch-workers",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    metavar="N",
    help="How many items of all batches go on at once.",
)
@click.option(
    "--workflows-root",
    type=click.Path(),
    default=".",
    metavar="DIR",
    help="The folder below which requests may name folders. Default: the working directory.",
)
@click.option(
    "--public-url",
    metavar="URL",
    help="What this server is called from outside, for the URLs of uploads; by default what the request called it.",
)
@click.option(
    "--allow-private-targets",
    is_flag=True,
    help="Let flows call addresses of this machine and of private networks though others can reach the server.",
)
@runtime_options
@log_options
def serve(
    *,
    listening: Listening,
    files: tuple[str, ...],
    definitions: tuple[str, ...],
    max_workers: int | None,
    batch_workers: int,
    workflows_root: str,
    public_url: str | None,
    store_dir: str | None,
    mount_root: tuple[str, ...],
    stores: str | None,
    node_runtime: str,
    tier_policy: str,
    node_timeout: float | None,
    allow_private_targets: bool,
    db: str | None,
    no_db: bool,
    durability: str,
) -> None:
    """Serve the HTTP API over the event log, and run what is started through it.

    With FILE its flow is run once in the background, and /status shows that run; the server stays when the run has
    ended. A flow that cannot run never starts a server. Without FILE it shows the most recent run.

    Runs and batches of this log whose process died are gone on with. When the server ends, runs are stopped; a batch,
    and a run that is paused or only waits for an upload, stay as they are, and the next server goes on with them.
    """
    from contextlib import ExitStack, closing
    from tempfile import TemporaryDirectory

    from flowcore_adapters.clock import SystemClock
    from flowcore_adapters.http.executions.start_resources import Starting
    from flowcore_adapters.http.flow_runs.service import NodeService
    from flowcore_adapters.http.page.resources import HOME
    from flowcore_adapters.http.server import is_loopback
    from flowcore_adapters.node_runs import NodeRuns
    from flowcore_adapters.node_runtime import NodeRuntime
    from flowcore_adapters.workflow_files import WorkflowFolders
    from flowcore_cli.drive import named
    from flowcore_cli.file_run import FileRun
    from flowcore_cli.runtime import StorePlaces, open_services
    from flowcore_cli.server import start_server
    from flowcore_cli.serving import Serving
    from flowcore_cli.signals import Signals
    from flowcore_cli.workshop import Workshop

    guard = listening.guard()
    if definitions and not files:
        raise click.UsageError("`--defs` goes with FILE: requests bring definitions of their own")
    root = Path(workflows_root)
    if not root.is_dir():
        raise CommandError(f"--workflows-root: {workflows_root}: no such folder")
    with ExitStack() as stack:
        signals = stack.enter_context(
            Signals(FORGOTTEN.format("rest") if no_db else left_words("what was under way", db))
        )
        runtime = NodeRuntime(node_runtime, tier_policy, node_timeout)
        # Whoever can reach this server must not reach through it what only this machine can (contract safety).
        private = allow_private_targets or is_loopback(listening.host)
        registry = runtime.registry(private_targets=private, files_root=root)
        found = named(files, registry, definitions) if files else None
        log = stack.enter_context(closing(open_log(db, no_db=no_db, durability=durability)))
        if no_db and store_dir is None:
            store_dir = stack.enter_context(TemporaryDirectory(prefix="flowcore-"))
        places = StorePlaces(store_dir, mount_root, stores)
        clock = SystemClock()
        services = stack.enter_context(
            closing(open_services(log, clock, places, None if no_db else db, private_endpoints=private))
        )
        run = None if found is None else FileRun(*found, services.book, max_workers)
        serving = Serving(
            log,
            registry,
            signals,
            batch_workers=batch_workers,
            nodes=Workshop(services.handing, runtime.budget(), services.polling.watch),
            shown_by=None if no_db else lambda name: show_command(name, db),
        )
        launch = NodeRuns(log, clock, serving.launcher.drive, services.book)
        server = stack.enter_context(
            start_server(
                log,
                listening.port,
                guard,
                insecure=listening.insecure_no_auth,
                own=None if run is None else run.own,
                nodes=NodeService(services=services, launch=launch, public_url=public_url),
                starting=Starting(serving.launcher, registry.catalog, WorkflowFolders(root)),
            )
        )
        runtime.clear_up()
        services.lifetimes.start()
        listening.warn_if_open(guard, server.url)
        tell(f"serving at {server.url} until Ctrl-C, the page at {server.url}{HOME}")
        if run is not None:
            serving.adopt(run.record(log))
            tell(f"run {run.own.run_id} of {visible(run.flow.name)} started")
        serving.go_on()
        raise SignalError(serving.run())
