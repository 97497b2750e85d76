"""The executions family (documents/executions-api.md): starting, showing and steering runs."""
