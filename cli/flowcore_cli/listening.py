"""Where a server of this command listens, and whom it answers: the same options for all of them."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import click

from flowcore_cli.exits import CommandError
from flowcore_cli.given import is_given
from flowcore_cli.output import warn

if TYPE_CHECKING:
    from flowcore_adapters.http.incoming.guard import GuardSettings

F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen(kw_only=True)
class Listening:
    """What these options say.

    Attributes:
        token: The token itself, or None; `token_file` is where else it may be.
        insecure_no_auth: Whether other machines are answered without a token.
    """

    host: str
    port: int
    token: str | None
    token_file: str | None
    allow_host: tuple[str, ...]
    allow_origin: tuple[str, ...]
    insecure_no_auth: bool

    def guard(self) -> "GuardSettings":
        """Return what the guard lets through.

        Raises:
            CommandError: The token cannot be read.
        """
        from flowcore_adapters.http.incoming.guard import GuardSettings

        return GuardSettings(
            host=self.host,
            token=_token(self.token, self.token_file),
            allow_hosts=self.allow_host,
            allow_origins=self.allow_origin,
        )

    def warn_if_open(self, guard: "GuardSettings", url: str) -> None:
        """Say so when whoever reaches *url* is answered."""
        if self.insecure_no_auth and guard.token is None:
            warn([f"--insecure-no-auth: whoever can reach {url} sees everything; no token is asked for"])


def listening_options(*, port: int) -> Callable[[F], F]:
    """Give a command these options, packed into its argument `listening`; by default it listens at *port*."""

    def decorate(command: F) -> F:
        @wraps(command)
        def packed(**given: object) -> object:
            named = {field.name: given.pop(field.name) for field in attrs.fields(Listening)}
            return command(listening=Listening(**cast("dict[str, Any]", named)), **given)

        result: Callable[..., Any] = packed
        for option in reversed((_HOST, _port_option(port), *_GUARD)):
            result = option(result)
        return cast("F", result)

    return decorate


def _origins(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """See that origins are some: what never matches any would go unnoticed."""
    from flowcore_adapters.http.incoming.authority import origin_of

    for origin in given:
        if origin_of(origin) != origin.lower().rstrip("/"):
            raise click.BadParameter(f"'{origin}' is no origin: a scheme and a host, such as https://ui.example.com")
    return given


_HOST = click.option("--host", default="127.0.0.1", show_default=True, metavar="HOST", help="The address to listen on.")


def _port_option(port: int) -> Callable[[F], F]:
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=port,
        show_default=True,
        metavar="PORT",
        help="The port; 0 takes any free one.",
    )


_GUARD = (
    click.option(
        "--token",
        metavar="TOKEN",
        envvar="FLOWCORE_TOKEN",
        help="What `Authorization: Bearer` must bring; at least 32 characters where others can reach the server. All"
        " users of a machine see command lines: the variable FLOWCORE_TOKEN or --token-file hide it.",
    ),
    click.option("--token-file", type=click.Path(), metavar="PATH", help="A file that holds the token."),
    click.option("--allow-host", multiple=True, metavar="HOST", help="Another name of this server in requests."),
    click.option(
        "--allow-origin",
        multiple=True,
        metavar="ORIGIN",
        callback=_origins,
        help="An origin whose pages may call this server, such as https://ui.example.com.",
    ),
    click.option("--insecure-no-auth", is_flag=True, help="Let others reach the server without a token all the same."),
)


def _token(token: str | None, path: str | None) -> str | None:
    """Return the token; the file counts more than the environment, and both options at once are a mistake."""
    if path is None:
        return token or None
    if is_given("token"):
        raise click.UsageError("`--token` and `--token-file` exclude each other", click.get_current_context())
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise CommandError(f"the token file cannot be read: {path}: {reason}") from error
    if not found:
        raise CommandError(f"the token file is empty: {path}")
    return found
