"""`flowcore-cli webui`."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import click

from flowcore_cli.execution import EXIT_CODES, RunOptions, execute, max_workers_option, run_options
from flowcore_cli.given import is_given
from flowcore_cli.listening import Listening, listening_options
from flowcore_cli.nodes import defs_option
from flowcore_cli.output import tell
from flowcore_cli.run import plan_of

if TYPE_CHECKING:
    from flowcore_adapters.http.server import ServerHandle

RUNNER = "RUNNER_STATUS_URL"


@click.command(epilog=EXIT_CODES)
@click.argument("files", metavar="[FILE...]", nargs=-1, type=click.Path())
@listening_options(port=8006)
@click.option(
    "--status-url",
    envvar=RUNNER,
    metavar="URL",
    help=f"The runner to show: its address, or that of its /status. The variable {RUNNER} says the same.",
)
@defs_option
@run_options(serves=True)
@max_workers_option
def webui(
    *,
    files: tuple[str, ...],
    listening: Listening,
    status_url: str | None,
    definitions: tuple[str, ...],
    options: RunOptions,
    max_workers: int | None,
) -> None:
    """Show a run as it goes, in a web page.

    With FILE its flow is run here, as `run` does it, with its status API at a free port; the page stays until Ctrl-C.
    Without FILE the page shows the runner at --status-url, wherever it is; its token, if it asks for one, is in the
    variable RUNNER_STATUS_TOKEN.
    """
    if not files:
        _refuse_others()
        _show(listening, _address(status_url))
        return
    if is_given("status_url"):
        raise click.UsageError("FILE is run here, and `--status-url` shows what runs elsewhere: give one of them")
    if options.quiet and not listening.port:
        raise click.UsageError("with `-q` nobody would learn where the page is: give it a `--port`")

    @contextmanager
    def page(url: str) -> Generator[str]:
        with _serve(listening, url) as server:
            if not options.quiet:
                tell(f"the page is at {server.url}")
            yield server.url

    execute(options, plan_of(files, definitions, max_workers), beside=page)


def _refuse_others() -> None:
    """See that nothing is asked for that only a run of ours could do.

    Raises:
        UsageError: Something is.
    """
    own = {"status_url", *(field.name for field in attrs.fields(Listening))}
    for parameter in click.get_current_context().command.params:
        name = parameter.name or ""
        if name not in own and is_given(name):
            raise click.UsageError(f"`{max(parameter.opts, key=len)}` goes with FILE: without it nothing is run here")


def _address(given: str | None) -> str:
    """Return the address of the runner to show.

    Raises:
        UsageError: There is none, or it is none.
    """
    if not (given or "").strip():
        raise click.UsageError(f"name a FILE, or the runner to show with `--status-url` or {RUNNER}")
    from flowcore_adapters.webui.runner import runner_address

    found = runner_address((given or "").strip())
    if found is None:
        where = "`--status-url`" if is_given("status_url") else RUNNER
        raise click.UsageError(f"{where} is no address of a runner, such as http://127.0.0.1:8000")
    return found


def _show(listening: Listening, status_url: str) -> None:
    """Serve the page of the runner at *status_url* until a signal comes.

    Raises:
        SignalError: It has come.
        ServerError: It cannot listen there, or must not.
    """
    from flowcore_cli.signals import Signals

    with Signals(), _serve(listening, status_url) as server:
        tell(f"the page of {status_url} is at {server.url} until Ctrl-C")
        server.join()


def _serve(listening: Listening, status_url: str) -> "ServerHandle":
    import os

    from flowcore_adapters.http.app import THREADS
    from flowcore_adapters.http.server import serve_in_thread
    from flowcore_adapters.webui.application import create_webui
    from flowcore_adapters.webui.runner import TOKEN, URL, Runner

    guard = listening.guard()
    runner = Runner(THREADS, {URL: status_url, TOKEN: os.environ.get(TOKEN, "")})
    application = create_webui(runner, guard=guard)
    server = serve_in_thread(
        application, listening.host, listening.port, token=guard.token, insecure=listening.insecure_no_auth
    )
    listening.warn_if_open(guard, server.url)
    return server
