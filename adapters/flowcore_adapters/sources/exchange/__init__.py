"""HTTP exchanges for every source that makes calls: bounded in time and size, and ended at once when cancelled."""
