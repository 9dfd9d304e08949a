"""`concurrent.futures.ThreadPoolExecutor`: its workers wait for work for ever, which no turn can do.

So a worker takes one task per turn and ends its turn; it keeps its name, its locals and what its initializer did.
"""

from typing import Any, cast

from toolplane import after_import, threads, turns
from toolplane.absent import ONE_PROCESS
from toolplane.turns import Turn

_NO_PROCESSES = f"{ONE_PROCESS}: use `concurrent.futures.ThreadPoolExecutor`, which has the same methods"


def install() -> None:
    """Mends the pool when it is imported, and lets the one of processes say why it cannot work."""
    after_import.repair("concurrent.futures.thread", _repair_threads)
    after_import.repair("concurrent.futures.process", _repair_processes)


class _Worker:
    """A thread of a pool."""

    def __init__(self, name: str, context: Any) -> None:
        import threading

        self.thread = threading.Thread(name=name)
        self.context = context
        self.busy = False
        self.initialized = False
        threads.enlist(self.thread, daemon=False)


class _Work:
    """What a pool has to do and who does it."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.workers: list[_Worker] = []
        self.begun = 0

    def worker(self, pool: Any) -> _Worker:
        """The next one that is free. One more than allowed, when each waits for a task that has not begun."""
        free = [worker for worker in self.workers if not worker.busy]
        if len(self.workers) < pool._max_workers and self.begun == len(self.workers) or not free:
            self.workers.append(
                _Worker(f"{pool._thread_name_prefix}_{len(self.workers)}", pool._create_worker_context())
            )
            return self.workers[-1]
        return free[self.begun % len(free)]


def _repair_threads() -> None:
    import concurrent.futures.thread as module

    pool: Any = module.ThreadPoolExecutor

    def adjust_thread_count(self: Any) -> None:
        """Called once for each task that was put into the queue."""
        work = self.__dict__.setdefault("_work", _Work())
        turn = Turn(lambda: _take_task(self, work, turn))
        work.turns.append(turn)
        turns.add(turn)

    def shutdown(self: Any, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._shutdown = True
        if cancel_futures:
            while (item := _next(self._work_queue)) is not None:
                item.future.cancel()
        work = self.__dict__.get("_work")
        if wait and work is not None:
            turns.wait(lambda: not work.turns)
            while work.workers:
                worker = work.workers.pop()
                worker.context.finalize()
                threads.dismiss(worker.thread)

    pool._adjust_thread_count = adjust_thread_count
    pool.shutdown = shutdown


def _take_task(pool: Any, work: _Work, turn: Turn) -> None:
    worker = work.worker(pool)
    work.begun += 1
    worker.busy = True
    turn.ident = worker.thread.ident or 0
    try:
        if worker.initialized or _initialize(pool, worker):
            item = _next(pool._work_queue)
            if item is not None:
                item.run(worker.context)
    finally:
        turn.stuck = None  # The future tells it.
        worker.busy = False
        work.turns.remove(turn)


def _initialize(pool: Any, worker: _Worker) -> bool:
    worker.initialized = True
    try:
        worker.context.initialize()
        return True
    except BaseException:
        import concurrent.futures._base as base

        cast(Any, base).LOGGER.critical("Exception in initializer:", exc_info=True)
        pool._initializer_failed()
        return False


def _next(tasks: Any) -> Any:
    """The next task; None when there is none, or for the mark that wakes the workers of a pool that nobody has."""
    import queue

    try:
        return tasks.get_nowait()
    except queue.Empty:
        return None


def _repair_processes() -> None:
    import concurrent.futures.process as module

    def refuse() -> None:
        raise NotImplementedError(_NO_PROCESSES)

    cast(Any, module)._check_system_limits = refuse
