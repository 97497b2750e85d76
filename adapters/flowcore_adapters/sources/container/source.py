"""The source: a program in a container, its artifacts put in and taken out."""

from contextlib import ExitStack
from typing import Final

from flowcore.catalog import SourceType
from flowcore.ports import SourceCall, SourceResult
from flowcore_adapters.sources.configuration import Reader, bad_configuration, parameters, time_limit

from .contents import Ended, Keeper, inputs_of, result
from .layout import Layout, Names, file_names
from .limits import DEFAULT_CORES, DEFAULT_MEMORY, Limits, labels
from .settings import ContainerConfiguration, texts, words_of

_TYPE: Final = SourceType(
    name="container",
    about="Runs a program in a container of its own, without a network. Its output is the data: `stdout`, `stderr`,"
    " `returncode`, and `json` when stdout is JSON.",
    parameters=parameters(ContainerConfiguration),
    # Ending it politely, and removing it afterwards, is the engine's business and takes its time.
    grace_s=15.0,
)
_read: Final = Reader(_TYPE, ContainerConfiguration)


class ContainerSource:
    """Runs containers, or, when *isolated* is False, the same programs as plain processes of this machine."""

    type = _TYPE

    def __init__(self, *, isolated: bool = True) -> None:
        """Run containers; without isolation only on the operator's word."""
        self._isolated = isolated

    def call(self, call: SourceCall) -> SourceResult:
        """Run the program and return ``{stdout, stderr, returncode, json?}``; its artifacts are kept."""
        configuration = _read(call.configuration)
        layout = _layout(call, configuration)
        if self._isolated:
            return result(_contained(call, configuration, layout))
        from .bare import run_bare

        return result(run_bare(call, configuration, layout))


def _contained(call: SourceCall, configuration: ContainerConfiguration, layout: Layout) -> Ended:
    from .engine import connect
    from .images import pull
    from .workload import Job, Workload

    if not configuration.image.strip():
        raise bad_configuration("no image is named: a container needs one (`Image` in the node's definition)")
    limit = time_limit(call, configuration.timeout)
    flags = texts(configuration.flags)
    client = connect()
    job = Job(
        image=configuration.image,
        command=layout.words(words_of(configuration), flags),
        environment={**texts(configuration.env), **layout.environment(call, flags)},
        labels=labels(str(call.run_id), str(call.instance), call.attempt),
        limits=_limits(call, configuration),
        max_output=configuration.max_output,
        place=bool(layout.inputs or layout.outputs),
    )
    workload = Workload(client, job, limit, lambda line, stream: call.log(line, stream=stream))
    try:
        workload.create(lambda image: pull(client, image, limit, call.cancel))
        with ExitStack() as stack:
            code = workload.run(inputs_of(call, layout, stack), call.cancel)
        ended = Ended(code, workload.stdout, workload.stderr)
        ended.check(call)
        for port in () if call.files is None else call.files.outputs:
            workload.take_out(port, layout.path_out(port), Keeper(call, port, configuration.max_artifact))
        return ended
    finally:
        workload.remove()


def _layout(call: SourceCall, configuration: ContainerConfiguration) -> Layout:
    files = call.files
    inputs = {} if files is None else {port: file.extension for port, file in files.inputs.items()}
    outputs = {} if files is None else {port: file.extension for port, file in files.outputs.items()}
    spare = {port: "" for port in configuration.spare_outputs if port not in outputs}
    names = Names(configuration.all_inputs, configuration.all_outputs, configuration.all_flags)
    return Layout(
        inputs=file_names(inputs, names.inputs), outputs=file_names({**outputs, **spare}, names.outputs), names=names
    )


def _limits(call: SourceCall, configuration: ContainerConfiguration) -> Limits:
    granted = call.resources
    cores = configuration.cores or (DEFAULT_CORES if granted is None else granted.cores)
    memory = configuration.memory or (DEFAULT_MEMORY if granted is None else granted.memory_bytes)
    return Limits(cores=cores, memory_bytes=memory, pids=configuration.pids)
