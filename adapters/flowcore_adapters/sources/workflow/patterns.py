"""Regular expressions from documents: whatever they are, a look ends in time."""

from typing import Final

_SECONDS: Final = 0.3
"""How long a look may take, in seconds of the processor."""
_LONGEST: Final = 10_000
_LONGEST_TEXT: Final = 10_000_000


def search(pattern: str, text: str, *, case_sensitive: bool) -> bool:
    """Return whether *pattern* matches anywhere in *text*.

    Raises:
        ValueError: It is no regular expression, or it takes too long.
    """
    # The standard library's has no limit of time, and holds up every other thread as long as it runs.
    import regex

    if len(pattern) > _LONGEST:
        raise ValueError(f"the regular expression is longer than {_LONGEST} characters")
    try:
        compiled = regex.compile(pattern, 0 if case_sensitive else regex.IGNORECASE)
        return compiled.search(text[:_LONGEST_TEXT], timeout=_SECONDS, concurrent=True) is not None
    except regex.error as error:
        raise ValueError(f"'{pattern[:200]}' is no regular expression: {error}") from None
    except TimeoutError:
        raise ValueError(f"the regular expression '{pattern[:200]}' takes too long") from None
    except (RecursionError, OverflowError, MemoryError) as error:
        raise ValueError(f"'{pattern[:200]}' cannot be used: {error}") from None
