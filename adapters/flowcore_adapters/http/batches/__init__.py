"""The batches of the executions family (documents/executions-api.md)."""
