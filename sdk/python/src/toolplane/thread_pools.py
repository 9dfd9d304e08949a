"""`multiprocessing.pool.ThreadPool`: CPython's own makes a pipe to wake its three managing threads.

It has nothing to do with processes but its place, so it works, over a `ThreadPoolExecutor`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from toolplane import after_import


def install() -> None:
    """Mends the module when it is imported."""
    after_import.repair("multiprocessing.pool", _repair)


def _repair() -> None:
    import multiprocessing
    import multiprocessing.pool as module
    from concurrent.futures import Future, ThreadPoolExecutor, as_completed

    class AsyncResult:
        """As `multiprocessing.pool.AsyncResult`, of one call or of many."""

        def __init__(self, futures: list[Future[Any]], collect: Callable[[list[Any]], Any]) -> None:
            self._futures = futures
            self._collect = collect

        def get(self, timeout: float | None = None) -> Any:
            self.wait(timeout)
            if not self.ready():
                raise multiprocessing.TimeoutError
            return self._collect([future.result() for future in self._futures])

        def wait(self, timeout: float | None = None) -> None:
            try:
                for _ in as_completed(self._futures, timeout):
                    pass
            except TimeoutError:
                pass

        def ready(self) -> bool:
            return all(future.done() for future in self._futures)

        def successful(self) -> bool:
            if not self.ready():
                raise ValueError(f"{self!r} not ready")
            return all(future.exception() is None for future in self._futures)

    pool: Any = module.Pool

    class ThreadPool(pool):  # type: ignore[misc]  # Of Pool it has the place and the name.
        """As `multiprocessing.pool.ThreadPool`."""

        def __init__(
            self, processes: int | None = None, initializer: Any = None, initargs: Iterable[Any] = ()
        ) -> None:
            if processes is not None and processes < 1:
                raise ValueError("Number of processes must be at least 1")
            if initializer is not None and not callable(initializer):
                raise TypeError("initializer must be a callable")
            self._processes = processes or 1
            self._executor = ThreadPoolExecutor(self._processes, "ThreadPool", initializer, tuple(initargs))
            self._state = "RUN"

        def _submit(self, calls: Iterable[tuple[Any, ...]], kwds: Any = None) -> list[Future[Any]]:
            if self._state != "RUN":
                raise ValueError("Pool not running")
            return [self._executor.submit(call[0], *call[1:], **(kwds or {})) for call in calls]

        def apply(self, func: Any, args: Any = (), kwds: Any = {}) -> Any:
            return self.apply_async(func, args, kwds).get()

        def apply_async(
            self, func: Any, args: Any = (), kwds: Any = {}, callback: Any = None, error_callback: Any = None
        ) -> Any:
            futures = self._submit([(func, *args)], kwds)
            return _with_callbacks(AsyncResult(futures, lambda results: results[0]), callback, error_callback)

        def map(self, func: Any, iterable: Any, chunksize: int | None = None) -> list[Any]:
            return cast(list[Any], self.map_async(func, iterable, chunksize).get())

        def map_async(
            self, func: Any, iterable: Any, chunksize: Any = None, callback: Any = None, error_callback: Any = None
        ) -> Any:
            futures = self._submit((func, item) for item in iterable)
            return _with_callbacks(AsyncResult(futures, list), callback, error_callback)

        def starmap(self, func: Any, iterable: Any, chunksize: int | None = None) -> list[Any]:
            return cast(list[Any], self.starmap_async(func, iterable, chunksize).get())

        def starmap_async(
            self, func: Any, iterable: Any, chunksize: Any = None, callback: Any = None, error_callback: Any = None
        ) -> Any:
            futures = self._submit((func, *items) for items in iterable)
            return _with_callbacks(AsyncResult(futures, list), callback, error_callback)

        def imap(self, func: Any, iterable: Any, chunksize: int = 1) -> Iterator[Any]:
            return (future.result() for future in self._submit((func, item) for item in iterable))

        def imap_unordered(self, func: Any, iterable: Any, chunksize: int = 1) -> Iterator[Any]:
            return (future.result() for future in as_completed(self._submit((func, item) for item in iterable)))

        def close(self) -> None:
            self._state = "CLOSE"

        def terminate(self) -> None:
            self._state = "TERMINATE"
            self._executor.shutdown(wait=False, cancel_futures=True)

        def join(self) -> None:
            if self._state == "RUN":
                raise ValueError("Pool is still running")
            self._executor.shutdown()

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exception: object) -> None:
            self.terminate()

        def __del__(self) -> None:
            """Nothing runs that would have to be stopped."""

        def __repr__(self) -> str:
            return f"<{type(self).__module__}.ThreadPool state={self._state} pool_size={self._processes}>"

    ThreadPool.__module__, ThreadPool.__qualname__ = module.__name__, "ThreadPool"
    setattr(module, "ThreadPool", ThreadPool)


def _with_callbacks(result: Any, callback: Any, error_callback: Any) -> Any:
    """Calls one of them when everything is there."""
    if callback is not None or error_callback is not None:

        def done(future: Any) -> None:
            if not result.ready():
                return
            errors = [future.exception() for future in result._futures if future.exception() is not None]
            if errors:
                if error_callback is not None:
                    error_callback(errors[0])
            elif callback is not None:
                callback(result.get())

        for future in result._futures:
            future.add_done_callback(done)
    return result
