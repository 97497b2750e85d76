"""The command `flowcore-cli`."""
