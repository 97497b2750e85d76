"""The flow-run family (documents/flow-api.md)."""
