"""The way in: until the command is loaded, Ctrl-C ends the program without a word, for nothing has begun yet."""

import signal


def main() -> None:
    """Load the command and run it."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from flowcore_cli.main import main as command

    if ours:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command(prog_name="flowcore-cli")
