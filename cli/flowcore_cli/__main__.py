"""`python -m flowcore_cli` is `flowcore-cli`."""

from flowcore_cli.program import main

main()
