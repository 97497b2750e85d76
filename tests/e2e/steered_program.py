"""A Python program with a `LocalRunner`: runs `flow.yaml` of its directory, recorded in `log.db`."""

from flowcore_adapters import LocalRunner, load_yaml_files
from flowcore_adapters.logs.sqlite import SqliteEventLog

if __name__ == "__main__":
    LocalRunner(load_yaml_files(["flow.yaml"]), log=SqliteEventLog("log.db")).run()
