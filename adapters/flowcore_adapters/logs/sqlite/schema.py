"""The tables: as they are made today, and how those of older versions become the same."""

from typing import Final

APPLICATION_ID: Final = 0x666C6F77
"""Marks the file as ours ("flow"), for us and for `file(1)`."""
SCHEMA_VERSION: Final = 4
"""The version of the tables, in `user_version`."""

_OWNERS: Final = "CREATE TABLE owners (id TEXT PRIMARY KEY, name TEXT, host TEXT, pid INTEGER, expires REAL)"
_SNAPSHOTS: Final = """CREATE TABLE snapshots (
    run_id INTEGER,
    kind TEXT,
    version INTEGER,
    data BLOB,
    PRIMARY KEY (run_id, kind)
)"""
# One row at most: the last position and the highest run id when runs were last deleted. Neither is ever used again.
_DELETED: Final = """CREATE TABLE deleted (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    position INTEGER NOT NULL,
    run_id INTEGER NOT NULL
)"""
_INDEXES: Final = (
    # What `requests` looks for, hardly more than an event for each run: owners append the rest.
    "CREATE INDEX events_of_others ON events (position) WHERE epoch = 0",
    # Which values beside the file are in use; nearly always empty.
    "CREATE INDEX events_with_large ON events (large) WHERE large IS NOT NULL",
    # Whether anybody still refers to an owner.
    "CREATE INDEX runs_with_owner ON runs (owner) WHERE owner IS NOT NULL",
)
_BATCHES: Final = (
    # A page of the batches that stand somewhere, and of all of them.
    "CREATE INDEX batches ON runs (batch, run_id) WHERE batch IS NOT NULL",
    "CREATE INDEX batch_ids ON runs (run_id) WHERE batch IS NOT NULL",
)

# `position` is the rowid: new events go to the end of the table. The index of UNIQUE finds a run's events; it holds
# three integers for each. A table without rowid, clustered by run, would put the payloads in the midst of the tree,
# split pages all over it, and still need an index for the positions.
_EVENTS: Final = """CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    run_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at REAL NOT NULL,
    type TEXT NOT NULL,
    schema INTEGER NOT NULL,
    data TEXT NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    large TEXT,
    UNIQUE (run_id, version)
)"""
# The streams: runs, and batches. What `version` and `runs` need, so that neither walks the events; `created` is the
# position of the first event, and `batch` says where a batch stands and is null for a run.
_RUNS: Final = """CREATE TABLE runs (
    run_id INTEGER PRIMARY KEY,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    epoch INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    batch TEXT
)"""

_TABLES: Final = (
    _EVENTS,
    _RUNS,
    _OWNERS,
    _SNAPSHOTS,
    _DELETED,
    *_INDEXES,
    *_BATCHES,
    f"PRAGMA application_id = {APPLICATION_ID}",
)
_UPGRADES: Final = (
    # From 1: what was appended before there were owners keeps epoch 0.
    (
        "ALTER TABLE events ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE runs ADD COLUMN owner TEXT",
        _OWNERS,
        "CREATE INDEX requests ON events (position) WHERE epoch = 0",
    ),
    (
        "ALTER TABLE events ADD COLUMN large TEXT",
        "DROP INDEX requests",
        _SNAPSHOTS,
        _DELETED,
        *_INDEXES,
    ),
    # From 3: there were no batches.
    ("ALTER TABLE runs ADD COLUMN batch TEXT", *_BATCHES),
)
"""The statements that bring version 1 to 2, version 2 to 3, and so on. They never change once released."""


def statements(version: int) -> tuple[str, ...]:
    """Return what makes the tables of today out of those of *version*: 0 for an empty file."""
    steps = _TABLES if not version else tuple(step for upgrade in _UPGRADES[version - 1 :] for step in upgrade)
    return (*steps, f"PRAGMA user_version = {SCHEMA_VERSION}")
