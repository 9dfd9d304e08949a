"""Sends a secret in every way in which services take one."""

import base64
import json
import urllib.error
import urllib.request

from toolplane import Context


def ask(way: str, path: str, port: int, *, context: Context) -> dict:
    """Sends the secret, and returns what the server says it has seen.

    Args:
        way: How it is sent.
        path: What the server is asked for.
        port: The server's port.
    """
    key = context.env["API_KEY"]
    basic = base64.b64encode(f"ada:{key}".encode()).decode()
    url, headers = {
        "bearer": (f"https://api.test:{port}{path}", {"Authorization": f"Bearer {key}"}),
        "basic": (f"https://api.test:{port}{path}", {"Authorization": f"Basic {basic}"}),
        "query": (f"https://api.test:{port}{path}?key={key}&q=1", {}),
        "packed": (f"https://api.test:{port}{path}", {"X-Key": key, "Accept-Encoding": "gzip"}),
        "elsewhere": (f"https://x.below.test:{port}{path}", {"X-Key": key}),
        "plainly": (f"http://api.test:{port}{path}", {"X-Key": key}),
    }[way]
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return {"seen": json.loads(answer.read()), "other": len(context.env["OTHER_KEY"])}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "told": error.read().decode()}
