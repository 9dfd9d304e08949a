"""Strings leave the sandbox as UTF-8, and Python strings may hold what UTF-8 cannot: lone surrogates.

componentize-py unwraps the conversion, so one such character would end the instance with a trap.
"""


def well_formed(text: str) -> str:
    """The same text, with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    if text.isascii():  # A flag on the string, so the common case costs nothing.
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
