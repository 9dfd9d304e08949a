import contextvars
import queue
import threading
import time

import ordinary
from ordinary import says


def check_a_thread_that_was_started_at_import_runs():
    while not ordinary.LATER:
        time.sleep(0.01)
    assert ordinary.LATER == ["ran"]


def check_a_thread_runs_as_itself():
    seen = []
    thread = threading.Thread(
        target=lambda number: seen.append((number, threading.current_thread(), threading.get_ident())),
        args=(3,),
        name="worker",
    )
    assert not thread.is_alive() and thread.ident is None
    thread.start()
    assert thread.is_alive() and thread in threading.enumerate()
    thread.join()
    assert seen == [(3, thread, thread.ident)] and seen[0][2] != threading.get_ident()
    assert not thread.is_alive() and thread not in threading.enumerate() and not thread.daemon
    assert threading.current_thread() is threading.main_thread()
    says(thread.start, "threads can only be started once")
    says(threading.Thread().join, "cannot join thread before it is started")


def check_a_consumer_may_be_started_before_its_producer():
    numbers, got = queue.Queue(), []

    def consume():
        while (number := numbers.get()) is not None:
            got.append(number)

    thread = threading.Thread(target=consume)
    thread.start()
    for number in range(5):
        numbers.put(number)
    numbers.put(None)
    thread.join()
    assert got == list(range(5))


def check_a_bounded_queue_between_threads():
    numbers, got = queue.Queue(2), []

    def produce():
        for number in range(6):
            numbers.put(number)
        numbers.put(None)

    threading.Thread(target=produce, daemon=True).start()
    while (number := numbers.get()) is not None:
        got.append(number)
    assert got == list(range(6))


def check_daemons_that_wait_for_work_for_ever():
    numbers, got = queue.Queue(), []

    def work():
        while True:
            got.append(numbers.get())
            numbers.task_done()

    for _ in range(3):
        threading.Thread(target=work, daemon=True).start()
    for number in range(5):
        numbers.put(number)
    numbers.join()
    assert sorted(got) == list(range(5))


def check_an_event_a_condition_a_barrier_and_a_semaphore():
    event, condition, barrier, semaphore = (
        threading.Event(),
        threading.Condition(),
        threading.Barrier(3),
        threading.BoundedSemaphore(2),
    )
    items, places = [], []

    def produce():
        event.wait()
        with condition:
            items.append(1)
            condition.notify_all()

    def meet():
        with semaphore:
            pass
        places.append(barrier.wait())

    threads = [threading.Thread(target=target) for target in (produce, event.set, meet, meet)]
    for thread in threads:
        thread.start()
    with condition:
        assert condition.wait_for(lambda: items, timeout=5)
    barrier.wait()
    for thread in threads:
        thread.join()
    assert len(places) == 2
    assert not threading.Event().wait(0.01)
    says(lambda: queue.Queue().get(timeout=0.01), "Empty")
    says(lambda: queue.SimpleQueue().get(timeout=0.01), "Empty")


def check_what_a_thread_raises_goes_to_the_hook():
    raised, hook = [], threading.excepthook
    threading.excepthook = raised.append
    try:
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    finally:
        threading.excepthook = hook
    assert raised[0].exc_type is ZeroDivisionError and raised[0].thread is thread


def check_locals_and_context_are_each_threads_own():
    class Local(threading.local):
        def __init__(self, value):
            self.value = value

    own, variable, seen = Local(1), contextvars.ContextVar("variable", default="none"), []
    own.value = 2
    variable.set("main")
    thread = threading.Thread(target=lambda: seen.append((own.value, variable.get())))
    thread.start()
    thread.join()
    assert seen == [(1, "none")] and own.value == 2


def check_timers_fire_when_their_time_has_come_and_can_be_cancelled():
    fired = []
    soon, never = threading.Timer(0.02, fired.append, ["soon"]), threading.Timer(3600, fired.append, ["never"])
    never.start()
    soon.start()
    never.cancel()
    soon.join()
    never.join()
    assert fired == ["soon"]


def check_a_thread_that_works_until_it_is_told_to_stop():
    stop, beats = threading.Event(), []

    def beat():
        while not stop.wait(0.01):
            beats.append(1)

    thread = threading.Thread(target=beat)
    thread.start()
    time.sleep(0.02)
    stop.set()
    thread.join()
    assert not thread.is_alive()


def check_waiting_for_what_others_have_in_a_loop():
    done = []
    threading.Thread(target=lambda: done.append(1)).start()
    while not done:
        time.sleep(0)


def check_a_lock_is_held_by_one():
    lock, order = threading.Lock(), []

    def work(name):
        for _ in range(2):
            with lock:
                order.append(name)
                time.sleep(0.001)
                order.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(order[place] == order[place + 1] for place in range(0, len(order), 2)), order


def check_what_can_never_end_says_what_is_waited_for():
    lock = threading.Lock()
    lock.acquire()
    says(lock.acquire, "Deadlock", "`MainThread` waits for lock.acquire()", "has no threads", "or use asyncio")

    numbers = queue.Queue()
    thread = threading.Thread(target=lambda: numbers.get(), name="reader")
    thread.start()
    says(thread.join, "the thread `reader` waits for Queue.get() in threads.py, line", "nothing is left")


def check_a_thread_without_an_object():
    import _thread

    done = threading.Event()
    _thread.start_new_thread(done.set, ())
    assert done.wait(5)


def check_logging_through_a_queue():
    import logging
    import logging.handlers

    records, seen = queue.Queue(), []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())
    listener = logging.handlers.QueueListener(records, handler)
    listener.start()
    logger = logging.getLogger("queued")
    logger.addHandler(logging.handlers.QueueHandler(records))
    logger.warning("hello")
    listener.stop()
    assert seen == ["hello"]
