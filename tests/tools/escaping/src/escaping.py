"""Uses packages in C and C++, and says whose code works."""

import markupsafe
import ujson
from markupsafe import _speedups


def answer(text: str, numbers: list[float]) -> dict:
    return {
        "escaped": str(markupsafe.escape(text)),
        "numbers": ujson.loads(ujson.dumps(numbers)),
        "by": [_speedups.__file__, ujson.__file__],
    }
