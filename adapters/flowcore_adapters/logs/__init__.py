"""Event logs: adapters of `flowcore.ports.EventLog`."""
