import asyncio
import queue
import select
import selectors
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ordinary import says


def check_timeouts_fire():
    async def main():
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.01)
        except TimeoutError:
            async with asyncio.timeout(0.01):
                await asyncio.sleep(3600)

    says(lambda: asyncio.run(main()), "TimeoutError")


def check_groups_queues_and_threads():
    async def main():
        numbers = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(numbers.put(1))
            got = group.create_task(numbers.get())
            threaded = group.create_task(asyncio.to_thread(pow, 2, 3))
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor() as pool:
            pooled = await asyncio.gather(loop.run_in_executor(None, abs, -1), loop.run_in_executor(pool, abs, -2))
        try:
            await asyncio.to_thread(lambda: 1 / 0)
        except ZeroDivisionError:
            return got.result(), threaded.result(), pooled

    assert asyncio.run(main()) == (1, 8, [1, 2])


def check_what_runs_in_a_thread_may_wait_for_what_comes_first():
    async def main():
        numbers = queue.Queue()
        waiting = asyncio.create_task(asyncio.to_thread(numbers.get))
        numbers.put(5)
        return await waiting

    assert asyncio.run(main()) == 5


def check_a_thread_may_ask_the_loop_that_waits_for_it():
    async def later(number):
        await asyncio.sleep(0.001)
        return number

    async def main():
        loop = asyncio.get_running_loop()

        def work():
            return [asyncio.run_coroutine_threadsafe(later(number), loop).result(5) for number in range(2)]

        return await asyncio.gather(asyncio.to_thread(work), asyncio.to_thread(work), later(9))

    assert asyncio.run(main()) == [[0, 1], [0, 1], 9]
    says(lambda: asyncio.run(asyncio.to_thread(threading.Event().wait)), "Deadlock", "Event.wait()")


def check_a_loop_in_a_thread_serves_others():
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def later(number):
        await asyncio.sleep(0.001)
        return number

    for number in range(3):
        assert asyncio.run_coroutine_threadsafe(later(number), loop).result(5) == number
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def check_a_thread_may_run_a_loop_while_another_runs():
    async def main():
        got = []
        thread = threading.Thread(target=lambda: got.append(asyncio.run(asyncio.sleep(0, 4))))
        thread.start()
        thread.join()
        return got

    assert asyncio.run(main()) == [4]


def check_programs_are_refused_with_the_reason():
    says(lambda: asyncio.run(asyncio.create_subprocess_exec("ls")), "'ls'", "one process")


def check_what_can_never_end_is_an_error():
    async def main():
        await asyncio.Event().wait()

    says(lambda: asyncio.run(main()), "Deadlock", "can never happen")


def check_waiting_for_no_file_takes_its_time_and_never_for_ever():
    before = time.monotonic()
    assert select.select([], [], [], 0.02) == select.select(iter(()), [], [], 0) == ([], [], [])
    assert select.poll().poll(20) == select.poll().poll(0) == []
    with selectors.DefaultSelector() as selector:
        assert selector.select(0.02) == []
    assert time.monotonic() - before >= 0.06
    says(lambda: select.select([], [], [], -1), "ValueError", "non-negative")
    for call in (lambda: select.select([], [], []), select.poll().poll, selectors.DefaultSelector().select):
        says(call, "Deadlock", "no file and has no time limit", "a socket or a timeout")
