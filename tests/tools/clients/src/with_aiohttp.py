import asyncio

import aiohttp
import told


async def works(ports) -> dict:
    api = f"https://api.test:{ports['https']}"

    async def pieces():
        for _ in range(300):
            yield b"x" * 1000

    async def get(session, path):
        async with session.get(f"{api}{path}") as answer:
            return await answer.json(content_type=None)

    async with aiohttp.ClientSession() as session:
        several = await asyncio.gather(*(get(session, f"/{number}") for number in range(4)))
        async with session.get(f"{api}/redirect") as redirected:
            await redirected.read()
        await get(session, "/cookies")
        cookies = (await get(session, "/cookies"))["cookie"]
        squeezed = await get(session, "/gzip")
        async with session.get(f"{api}/chunked") as streamed:
            received = sum([len(piece) async for piece in streamed.content.iter_chunked(8192)])
        async with session.put(f"{api}/", data=pieces()) as answer:
            chunked = await answer.json(content_type=None)
        form = aiohttp.FormData({"name": "value"})
        form.add_field("file", b"y" * 100_000, filename="a.txt")
        async with session.post(f"{api}/form", data=form) as answer:
            form = await answer.json(content_type=None)
        async with session.post(f"{api}/", data=b"z" * 1000, expect100=True) as answer:
            expecting = await answer.json(content_type=None)
    return {
        "several": [one["path"] for one in several],
        "redirected": [str(redirected.url) == f"{api}/echo", len(redirected.history)],
        "cookies": sorted(cookies.split("; ")),
        "gzip": squeezed["path"],
        "streamed": received,
        "chunked": chunked["size"],
        "form": form,
        "expecting": expecting["size"],
    }


async def fails(ports) -> dict:
    api = f"https://api.test:{ports['https']}"

    async def get(url, **arguments):
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_read=0.3)) as session:
            async with session.get(url, **arguments) as answer:
                return await answer.read()

    return {
        "never": await told.by_awaiting(get(f"{api}/never")),
        "slow": await told.by_awaiting(get(f"{api}/slow")),
        "unverified": await told.by_awaiting(get(f"{api}/", ssl=False)),
        **{name: await told.by_awaiting(get(url)) for name, url in told.origins(ports).items()},
    }


async def asks_a_proxy(ports) -> dict:
    api = f"http://api.test:{ports['http']}"
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get(f"{api}/echo") as answer:
            return {"by_variable": (await answer.json(content_type=None))["path"]}


async def raises(ports) -> dict:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"https://127.0.0.1:{ports['https']}/") as answer:
            return {"never": await answer.text()}
