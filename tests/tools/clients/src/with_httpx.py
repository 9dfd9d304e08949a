import asyncio

import httpx
import told


def works(ports) -> dict:
    api = f"https://api.test:{ports['https']}"
    with httpx.Client(base_url=api, http2=True, follow_redirects=True) as client:
        query = client.get("/echo", params={"q": "ö"})
        redirected = client.get("/redirect")
        moved = client.post("/moved", json={"a": 1}).json()
        client.get("/cookies")
        cookies = client.get("/cookies").json()["cookie"]
        squeezed = client.get("/gzip")
        with client.stream("GET", "/chunked") as streamed:
            received = sum(map(len, streamed.iter_bytes()))
        chunked = client.put("/", content=(b"x" * 1000 for _ in range(300))).json()
        form = client.post("/form", data={"name": "value"}, files={"file": ("a.txt", b"y" * 100_000)}).json()
    return {
        "query": [query.http_version, query.json()["query"]],
        "redirected": [str(redirected.url), [one.status_code for one in redirected.history]],
        "moved": [moved["method"], moved["size"]],
        "cookies": sorted(cookies.split("; ")),
        "gzip": [squeezed.headers["Content-Encoding"], squeezed.json()["path"]],
        "streamed": received,
        "chunked": chunked["size"],
        "form": form,
    }


async def works_async(ports) -> dict:
    api = f"https://api.test:{ports['https']}"

    async def pieces():
        for _ in range(300):
            yield b"x" * 1000

    async with httpx.AsyncClient(base_url=api, http2=True, follow_redirects=True) as client:
        several = await asyncio.gather(*(client.get(f"/{number}") for number in range(4)))
        redirected = await client.get("/redirect")
        async with client.stream("GET", "/chunked") as streamed:
            received = sum([len(piece) async for piece in streamed.aiter_bytes()])
        chunked = await client.put("/", content=pieces())
        form = await client.post("/form", data={"name": "value"}, files={"file": ("a.txt", b"y" * 100_000)})
    return {
        "several": [one.json()["path"] for one in several],
        "redirected": str(redirected.url),
        "streamed": received,
        "chunked": chunked.json()["size"],
        "form": form.json(),
    }


def fails(ports) -> dict:
    api = f"https://api.test:{ports['https']}"
    timeout = httpx.Timeout(5, read=0.3)
    return {
        "never": told.by(httpx.get, f"{api}/never", timeout=timeout),
        "slow": told.by(httpx.get, f"{api}/slow", timeout=timeout),
        "unverified": told.by(httpx.get, f"{api}/", verify=False),
        **{name: told.by(httpx.get, url) for name, url in told.origins(ports).items()},
    }


async def fails_async(ports) -> dict:
    api = f"https://api.test:{ports['https']}"
    async with httpx.AsyncClient(timeout=httpx.Timeout(5, read=0.3)) as client, httpx.AsyncClient(verify=False) as trusting:
        return {
            "never": await told.by_awaiting(client.get(f"{api}/never")),
            "slow": await told.by_awaiting(client.get(f"{api}/slow")),
            "unverified": await told.by_awaiting(trusting.get(f"{api}/")),
            **{name: await told.by_awaiting(client.get(url)) for name, url in told.origins(ports).items()},
        }


async def asks_a_proxy(ports) -> dict:
    api = f"http://api.test:{ports['http']}"
    async with httpx.AsyncClient(proxy="http://proxy.test:3128") as client:
        return {
            "by_variable": httpx.get(f"{api}/echo").json()["path"],
            "by_code": await told.by_awaiting(client.get(api)),
        }


async def raises(ports) -> dict:
    """By address: the refusal comes when the connection is made, and not when the name is looked up."""
    async with httpx.AsyncClient() as client:
        return {"never": (await client.get(f"https://127.0.0.1:{ports['https']}/")).text}
