"""Getting an image that is not there."""

import time

from flowcore.errors import SourceError
from flowcore.ports import CancelToken
from flowcore_adapters.sources.configuration import TimeLimit, stopped

from .client import EngineClient
from .engine import explanation, first_line


def pull(client: EngineClient, image: str, limit: TimeLimit, cancel: CancelToken) -> None:
    """Have the engine get *image*.

    Raises:
        SourceError: It cannot, it takes too long, or nobody waits for it any more.
    """
    from docker.errors import APIError, DockerException

    failure: SourceError | None = None
    try:
        for progress in client.pull(image, stream=True, decode=True):
            if cancel.cancelled:
                raise stopped()
            if time.monotonic() > limit.at:
                raise limit.error(f" while the image {image} was pulled")
            if "error" in progress:
                # It says no more after that; read to its end, the connection can be used again.
                failure = failure or _failed(image, first_line(str(progress["error"])))
    except APIError as error:
        reason = explanation(error)
        if "invalid reference format" in reason.lower():
            raise SourceError(f"'{image}' is no name of an image", code="image-name", retryable=False) from None
        raise _failed(image, reason) from None
    except (DockerException, OSError) as error:
        raise _failed(image, explanation(error)) from None
    if failure is not None:
        raise failure


def _failed(image: str, reason: str) -> SourceError:
    return SourceError(f"the image {image} cannot be pulled: {reason}", code="image-pull")
