import threading
import time

import anyio
import told
from anyio import from_thread, to_thread


async def works(ports) -> dict:
    order: list[str] = []

    async def after(seconds: float, name: str) -> None:
        await anyio.sleep(seconds)
        order.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(after, 0.02, "second")
        group.start_soon(after, 0.01, "first")

    async def fails(message: str) -> None:
        raise ValueError(message)

    async def group_of_failures() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(fails, "one")
            group.start_soon(anyio.sleep, 60)

    def in_thread(number: int) -> list:
        return [number, threading.current_thread() is not threading.main_thread()]

    def asks_back() -> list:
        return [from_thread.run(answered, 3), from_thread.run_sync(lambda: 4)]

    async def answered(number: int) -> int:
        await anyio.sleep(0.001)
        return number

    async def too_slow() -> None:
        with anyio.fail_after(0.02):
            await anyio.sleep(60)

    with anyio.move_on_after(0.02) as scope:
        await anyio.sleep(60)

    send, receive = anyio.create_memory_object_stream[int](2)
    async with anyio.create_task_group() as group:

        async def produce() -> None:
            async with send:
                for number in range(5):
                    await send.send(number)

        group.start_soon(produce)
        async with receive:
            received = [number async for number in receive]

    began = time.monotonic()
    limiter = anyio.CapacityLimiter(2)
    return {
        "order": order,
        "failures": (await told.by_awaiting(group_of_failures()))[0],
        "in_thread": await to_thread.run_sync(in_thread, 7, limiter=limiter),
        "asks_back": await to_thread.run_sync(asks_back),
        "fail_after": (await told.by_awaiting(too_slow()))[0],
        "moved_on": [scope.cancelled_caught, time.monotonic() - began < 5],
        "received": received,
        "raises_in_thread": (await told.by_awaiting(to_thread.run_sync(int, "x")))[0],
    }


def runs_itself(ports) -> dict:
    """A loop of its own beside the tool's, as a library that hides anyio has it."""
    with from_thread.start_blocking_portal() as portal:
        return {"portal": portal.call(anyio.sleep, 0) is None, "future": portal.start_task_soon(abs, -3).result()}


async def connects(ports) -> dict:
    async with await anyio.connect_tcp("api.test", ports["https"], tls=True, tls_standard_compatible=False) as stream:
        await stream.send(f"GET /over/anyio HTTP/1.1\r\nHost: api.test:{ports['https']}\r\n\r\n".encode())
        return {"answer": (await stream.receive()).decode().splitlines()[0]}
