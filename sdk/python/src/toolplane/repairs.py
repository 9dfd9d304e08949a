"""Every repair of the platform, made before the base is snapshotted. Each is a file of its own that says why."""

import atexit
import logging

from toolplane import (
    asyncio_repair,
    executors,
    hashes,
    heap,
    hygiene,
    invoking,
    loading,
    network_repair,
    no_network,
    processes,
    randomness,
    selecting,
    surroundings,
    thread_pools,
    threads,
    turns,
)


def install() -> None:
    """Makes them, or has them made when a module is imported."""
    threads.install()
    executors.install()
    thread_pools.install()
    asyncio_repair.install()
    network_repair.install()
    no_network.install()
    selecting.install()
    surroundings.install()
    processes.install()
    hashes.install()
    randomness.install()
    hygiene.install()
    loading.settle = heap.settle
    invoking.at_begin += [turns.begin, randomness.begin]
    invoking.at_return.append(turns.end)
    invoking.at_exit.append(_run_exit_functions)


def _run_exit_functions() -> None:
    """What was registered with `atexit` runs when a process ends, and for a tool that is now. It prints what it raises."""
    # Nearly always there is one function, which flushes the handlers of `logging`, and one handler, which writes to where
    # we flush ourselves: the tool has registered nothing.
    if atexit._ncallbacks() > 1 or len(getattr(logging, "_handlerList")) > 1:
        atexit._run_exitfuncs()
