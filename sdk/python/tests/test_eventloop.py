"""asyncio without sockets and threads."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from toolplane import eventloop


def test_tasks_timers_and_timeouts() -> None:
    order: list[Any] = []

    async def later(seconds: float, name: str) -> str:
        await asyncio.sleep(seconds)
        order.append(name)
        return name

    async def main() -> Any:
        results = await asyncio.gather(later(0.2, "b"), later(0.01, "a"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        return results

    started = time.monotonic()
    assert eventloop.run(main()) == ["b", "a"]
    assert order == ["a", "b"]
    assert time.monotonic() - started < 5


def test_executors_run_inline() -> None:
    def fail() -> None:
        raise KeyError("x")

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        seen: list[int] = []
        loop.call_soon_threadsafe(seen.append, 1)
        with pytest.raises(KeyError):
            await asyncio.to_thread(fail)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await loop.run_in_executor(None, next, iter(()))
        return await asyncio.to_thread(max, 1, 2), seen

    assert eventloop.run(main()) == (2, [1])


def test_waiting_for_nothing_is_an_error_and_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(eventloop.Deadlock, match="can never happen"):
        eventloop.run(main())


def test_anything_that_can_be_awaited_is_run() -> None:
    class Later:
        def __await__(self) -> Any:
            yield from asyncio.sleep(0).__await__()
            return 5

    assert eventloop.run(Later()) == 5


HOOKED = """
import sys
from toolplane import asyncio_repair, invoking, loading
assert "asyncio" not in sys.modules, "the SDK must not import asyncio"
assert "logging" not in sys.modules, "the SDK must not import logging"
for name in ("ssl", "http", "subprocess", "tempfile", "unittest"):
    assert name not in sys.modules, name
asyncio_repair.install()
asyncio_repair.install()
import socket
def refuse(*a): raise OSError("no socket pairs here")
socket.socketpair = refuse
import asyncio
async def main():
    await asyncio.sleep(0)
    return type(asyncio.get_running_loop()).__name__
assert asyncio.run(main()) == "SandboxEventLoop"
assert asyncio.new_event_loop().run_until_complete(main()) == "SandboxEventLoop"
with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
    assert runner.run(main()) == "SandboxEventLoop"
assert asyncio.__spec__.loader.get_source("asyncio")
assert not any(type(finder).__name__ == "_AsyncioFinder" for finder in sys.meta_path)
"""

ALREADY = """
import asyncio
from toolplane import asyncio_repair
asyncio_repair.install()
async def main(): return type(asyncio.get_running_loop()).__name__
assert asyncio.run(main()) == "SandboxEventLoop"
"""


@pytest.mark.parametrize("program", [HOOKED, ALREADY], ids=["imported later", "imported before"])
def test_asyncio_run_is_repaired_in_a_process_of_its_own(program: str) -> None:
    source = Path(eventloop.__file__).parents[1]
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": str(source)}, timeout=30)
