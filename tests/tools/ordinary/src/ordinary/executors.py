import asyncio
import multiprocessing
import threading
import time
from concurrent.futures import (
    FIRST_EXCEPTION,
    BrokenExecutor,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    as_completed,
    wait,
)
from multiprocessing.pool import ThreadPool

from ordinary import says


def check_submit_map_and_shutdown():
    with ThreadPoolExecutor(2, thread_name_prefix="pool") as pool:
        futures = [pool.submit(pow, number, 2) for number in range(5)]
        names = set(pool.map(lambda _: threading.current_thread().name, range(5), timeout=5))
        assert sorted(future.result() for future in as_completed(futures)) == [0, 1, 4, 9, 16]
    assert names <= {"pool_0", "pool_1"}
    says(lambda: pool.submit(pow, 1, 1), "cannot schedule new futures after shutdown")


def check_exceptions_callbacks_and_cancelling():
    pool, called = ThreadPoolExecutor(1), []
    failing, cancelled, good = pool.submit(lambda: 1 / 0), pool.submit(pow, 1, 1), pool.submit(pow, 2, 2)
    assert cancelled.cancel() and not good.done()
    good.add_done_callback(called.append)
    done, pending = wait([failing, good], return_when=FIRST_EXCEPTION)
    assert failing in done and isinstance(failing.exception(), ZeroDivisionError)
    assert good.result() == 4 and called == [good]
    waiting = pool.submit(pow, 3, 3)
    pool.shutdown(cancel_futures=True)
    assert waiting.cancelled()


def check_initializers():
    own = threading.local()
    with ThreadPoolExecutor(2, initializer=setattr, initargs=(own, "value", 7)) as pool:
        assert list(pool.map(lambda _: own.value, range(4))) == [7] * 4
    assert not hasattr(own, "value")
    broken = ThreadPoolExecutor(1, initializer=lambda: 1 / 0)
    try:
        broken.submit(pow, 1, 1).result()
        raise AssertionError("it ran")
    except BrokenExecutor:
        pass


def check_a_task_may_wait_for_another():
    pool = ThreadPoolExecutor(2)
    assert pool.submit(lambda: pool.submit(pow, 2, 3).result() + 1).result() == 9


def check_polling():
    future = ThreadPoolExecutor().submit(pow, 2, 3)
    while not future.done():
        time.sleep(0.001)
    assert future.result() == 8


def check_a_loop_of_its_own_beside_a_running_one():
    async def inner():
        await asyncio.sleep(0.001)
        return 5

    async def outer():
        with ThreadPoolExecutor() as pool:
            own = pool.submit(asyncio.run, inner()).result()
        assert asyncio.current_task() is not None
        return own, await asyncio.to_thread(asyncio.run, inner())

    assert asyncio.run(outer()) == (5, 5)


def check_thread_pools_of_multiprocessing():
    seen = []
    with ThreadPool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
        assert pool.starmap(pow, [(2, 2), (3, 2)]) == [4, 9]
        assert pool.apply(pow, (2, 5)) == 32
        assert list(pool.imap(abs, [-3])) + list(pool.imap_unordered(abs, [-4])) == [3, 4]
        result = pool.apply_async(pow, (2, 3), callback=seen.append)
        assert result.get(5) == 8 and result.successful() and seen == [8]
        says(pool.apply_async(lambda: 1 / 0).get, "ZeroDivisionError")


def check_processes_say_why_not():
    says(ProcessPoolExecutor, "NotImplementedError", "one process", "ThreadPoolExecutor")
    for call in (multiprocessing.Pool, multiprocessing.Process(target=print).start, multiprocessing.Pipe):
        says(call, "OSError", "one process", "ThreadPoolExecutor")
    with multiprocessing.Lock(), multiprocessing.RLock():
        pass
    numbers = multiprocessing.Queue()
    numbers.put(1)
    assert numbers.get() == 1 and multiprocessing.cpu_count() == 1
