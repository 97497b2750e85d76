"""What stands on the command line itself."""

import click


def is_given(parameter: str) -> bool:
    """Return whether *parameter* stands on the command line; its environment variable is but a default."""
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE
