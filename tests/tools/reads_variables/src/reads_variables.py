import os
import sys

from toolplane import Context, tool


@tool
def read(leak: bool = False, fail: bool = False, *, context: Context) -> dict[str, object]:
    """Tell what is there, and on demand give the secret away in every way that there is."""
    password = context.env["PASSWORD"]
    if leak:
        print(f"leaked to the log: {password}", file=sys.stderr)
    if fail:
        raise ValueError(f"the password {password} was not accepted")
    return {
        "place": context.env["PLACE"],
        "place_in_environ": os.environ["PLACE"],
        "password_length": len(password),
        "password_in_environ": os.environ["PASSWORD"] == password,
        "text": f"the password is {password}." if leak else "",
    }
