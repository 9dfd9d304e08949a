"""Tricks that never end by themselves."""

import asyncio
import itertools
import json
import re
import socket
import sys
import threading
import time


def a_loop():
    while True:
        pass


def a_loop_that_catches_everything():
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue


def a_tower_of_powers():
    return str(9**9**9)


def a_sum_in_c():
    return str(sum(range(10**12)))


def a_regular_expression():
    return str(re.match(r"(a+)+$", "a" * 64 + "b"))


def a_long_multiplication():
    return str(len(str(3 ** (1 << 26) * 7 ** (1 << 26))))


def a_sort_with_a_slow_key():
    return str(sorted(range(10**7), key=lambda number: -number)[0])


def a_membership_in_an_endless_iterator():
    return str(-1 in itertools.count())


def a_deque_that_is_filled_for_ever():
    import collections

    return str(collections.deque(itertools.repeat(0), maxlen=1))


def a_string_search():
    return str(("a" * 10**6 + "b") * 4 in "a" * (8 * 10**6)) + a_loop()


def a_sleep():
    time.sleep(3600)


def a_sleep_in_small_pieces():
    while True:
        time.sleep(0.001)


def an_event_loop_that_waits():
    asyncio.run(asyncio.sleep(3600))


def an_event_loop_that_spins():
    async def spin():
        while True:
            await asyncio.sleep(0)

    asyncio.run(spin())


def a_destructor():
    class Endless:
        def __del__(self):
            while True:
                pass

    Endless()
    return "never"


def a_string_conversion():
    class Endless(Exception):
        def __str__(self):
            while True:
                pass

    raise Endless


def a_result_that_is_never_written():
    class Endless(dict):
        def items(self):
            while True:
                yield "a", 1

    return json.dumps(Endless(a=1)) + a_loop()


def a_thread():
    threading.Thread(target=a_loop).start()
    return "the thread is awaited"


def a_thread_that_starts_threads():
    def more():
        threading.Thread(target=more).start()

    more()
    return "never"


def a_hash_that_never_ends():
    class Endless:
        def __hash__(self):
            while True:
                pass

    return str({Endless(): 1})


def a_profile_function():
    sys.setprofile(lambda *_: a_loop())
    return len("x")


def an_exit_handler():
    import atexit

    atexit.register(a_loop)
    return "never"


def a_select():
    import select

    select.select([], [], [])
    return "never"
