"""`python -m flowcore_cli` is `flowcore-cli`."""

from flowcore_cli.main import main

main(prog_name="flowcore-cli")
