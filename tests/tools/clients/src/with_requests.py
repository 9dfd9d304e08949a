import io

import requests
import told


def works(ports) -> dict:
    api = f"https://api.test:{ports['https']}"
    with requests.Session() as session:
        query = session.get(f"{api}/a path", params={"q": "ö&"}, headers={"X-Own": "yes"}).json()
        redirected = session.get(f"{api}/redirect")
        moved = session.post(f"{api}/moved", json={"a": 1}).json()
        session.get(f"{api}/cookies")
        cookies = session.get(f"{api}/cookies").json()["cookie"]
        squeezed = session.get(f"{api}/gzip")
        with session.get(f"{api}/chunked", stream=True) as streamed:
            received = sum(map(len, streamed.iter_content(8192)))
            framing = streamed.headers["Transfer-Encoding"]
        chunked = session.put(f"{api}/", data=(b"x" * 1000 for _ in range(300))).json()
        form = session.post(f"{api}/form", data={"name": "value"}, files={"file": ("a.txt", io.BytesIO(b"y" * 100_000))})
        expecting = session.post(f"{api}/", data=b"z" * 1000, headers={"Expect": "100-continue"}).json()
        head = session.head(f"{api}/echo")
        teapot = session.get(f"{api}/teapot")
    return {
        "query": [query["path"], query["query"], query["headers"]["x-own"], query["headers"]["accept-encoding"]],
        "redirected": [redirected.url == f"{api}/echo", [one.status_code for one in redirected.history]],
        "moved": [moved["method"], moved["size"]],
        "cookies": sorted(cookies.split("; ")),
        "gzip": [squeezed.headers["Content-Encoding"], squeezed.json()["path"]],
        "streamed": [framing, received],
        "chunked": [chunked["headers"]["transfer-encoding"], chunked["size"]],
        "form": form.json(),
        "expecting": expecting["size"],
        "head": [head.status_code, head.content == b""],
        "error": told.by(teapot.raise_for_status)[0],
    }


def fails(ports) -> dict:
    api = f"https://api.test:{ports['https']}"
    return {
        "never": told.by(requests.get, f"{api}/never", timeout=(5, 0.3)),
        "slow": told.by(requests.get, f"{api}/slow", timeout=(5, 0.3)),
        "unverified": told.by(requests.get, f"{api}/", verify=False),
        **{name: told.by(requests.get, url) for name, url in told.origins(ports).items()},
    }


def asks_a_proxy(ports) -> dict:
    """Variables for proxies are the test's; one that the code itself names is refused as any other host."""
    api = f"http://api.test:{ports['http']}"
    return {
        "by_variable": requests.get(f"{api}/echo").json()["path"],
        "by_code": told.by(requests.get, f"{api}/", proxies={"http": "http://proxy.test:3128"}),
        "through_the_server": requests.get("http://other.test/", proxies={"http": api}).status_code,
    }


def raises(ports) -> dict:
    return {"never": requests.get(f"https://other.test:{ports['https']}/").text}
