"""The text that a flow file holds."""


def decode_text(data: bytes) -> str:
    """Return *data* as text, without a byte order mark.

    Raises:
        ValueError: It is no UTF-8 text; the line is named.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is no UTF-8 text") from error
