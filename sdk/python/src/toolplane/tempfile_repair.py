"""Gives temporary files other names in each invocation.

Without it, a tool whose import has made a temporary file draws the same names forever after: the generator of names is
frozen with it. In `/tmp` nobody else is in the way, but such names are used as unique ones elsewhere, too.
"""

import sys


def forget_names() -> None:
    """Lets `tempfile` begin anew at its next use, if it has been used."""
    module = sys.modules.get("tempfile")
    if module is not None:
        setattr(module, "_name_sequence", None)
